//! What is wrong with attributes, in the words of the texts and not in those of the structures.

use std::fmt::{self, Display, Formatter};

use serde::de::{self, Expected, Unexpected};

use crate::suggest::did_you_mean;

/// Attributes that are not those of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl std::error::Error for DecodeError {}

impl Display for DecodeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

impl DecodeError {
    /// An attribute, or a word, that is not among those known.
    pub fn unknown(name: &str, known: impl IntoIterator<Item = String>) -> Self {
        let known: Vec<String> = known.into_iter().collect();
        let listed = match known.as_slice() {
            [] => None,
            [only] => Some(format!("there is `{only}`")),
            _ => Some(format!("there are `{}`", known.join("`, `"))),
        };
        let hint = did_you_mean(name, known.iter().map(String::as_str)).or(listed);
        Self { message: format!("there is no `{name}`"), hint }
    }
}

impl de::Error for DecodeError {
    fn custom<T: Display>(message: T) -> Self {
        Self { message: message.to_string(), hint: None }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format!("expected {}, found {}", wanted(expected), given(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        let plural = if found == 1 { "" } else { "s" };
        Self::custom(format!("expected {}, found {found} value{plural}", wanted(expected)))
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Self {
        Self::unknown(name, known.iter().map(ToString::to_string))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self::unknown(name, known.iter().map(ToString::to_string))
    }

    fn missing_field(name: &'static str) -> Self {
        Self::custom(format!("`{name}` is missing"))
    }
}

/// What a structure asks for: its types have names that only programmers know.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let values = ["a tuple of size ", "an array of length ", "an array of size "];
    match text.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        _ if let Some(count) = values.iter().find_map(|prefix| text.strip_prefix(prefix)) => {
            format!("{count} values")
        }
        _ if text.starts_with("struct ") || text == "a map" => "attributes".to_owned(),
        _ if text.contains("enum ") || text == "string or map" || text == "variant identifier" => {
            "a word".to_owned()
        }
        _ => text,
    }
}

fn given(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("`{value}`"),
        Unexpected::Signed(value) => format!("`{value}`"),
        Unexpected::Float(value) => format!("`{value}`"),
        Unexpected::Str(value) => format!("`{value}`"),
        Unexpected::Unit => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "attributes".to_owned(),
        other => other.to_string(),
    }
}
