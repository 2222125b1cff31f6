//! Values and JSON, and so values and everything that serde knows.
//!
//! | value | JSON |
//! |---|---|
//! | `none`, `true`, `-3`, `0.5`, `[…]`, `(k: v)` | `null`, `true`, `-3`, `0.5`, `[…]`, `{"k": v}` |
//! | `inf`, `-inf`, `nan` | `"inf"`, `"-inf"`, `"nan"` |
//! | `%x`, `@conv0.weight` | `"%x"`, `"@conv0.weight"` |
//! | `-1..5` | `"-1..5"` |
//! | `f32[1, H]` | `"f32[1, H]"` |
//! | `strict` | `"strict"` |
//! | `"anything else"` | `"anything else"` |
//!
//! [`to_json`] loses which strings were quoted, and [`from_json`] chooses the form from
//! the text. Hence `to_json(&from_json(&j)) == j` for all JSON, and `from_json(&to_json(&v))
//! == v` for all values that came from JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value as Json};

use super::parser::parse_value;
use super::printer::print_value;
use super::{Value, ValueKind};

/// The JSON of a value.
#[must_use]
pub fn to_json(value: &Value) -> Json {
    match &value.kind {
        ValueKind::None => Json::Null,
        ValueKind::Bool(value) => Json::Bool(*value),
        ValueKind::Int(value) => Json::Number(int(*value)),
        ValueKind::Float(number) => {
            Number::from_f64(*number).map_or_else(|| Json::String(print_value(value)), Json::Number)
        }
        ValueKind::Str(text) | ValueKind::Word(text) => Json::String(text.clone()),
        ValueKind::Local(name) => Json::String(format!("%{name}")),
        ValueKind::Global(name) => Json::String(format!("@{name}")),
        ValueKind::Interval(..) | ValueKind::Tensor(_) => Json::String(print_value(value)),
        ValueKind::List(elements) => Json::Array(elements.iter().map(to_json).collect()),
        ValueKind::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), to_json(value))).collect())
        }
    }
}

/// The value of a piece of JSON.
#[must_use]
pub fn from_json(json: &Json) -> Value {
    let kind = match json {
        Json::Null => ValueKind::None,
        Json::Bool(value) => ValueKind::Bool(*value),
        Json::Number(number) => number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from))
            .map_or_else(|| ValueKind::Float(number.as_f64().unwrap_or(f64::NAN)), ValueKind::Int),
        Json::String(text) => from_text(text),
        Json::Array(elements) => ValueKind::List(elements.iter().map(from_json).collect()),
        Json::Object(entries) => {
            ValueKind::Map(entries.iter().map(|(key, value)| (key.clone(), from_json(value))).collect())
        }
    };
    kind.into()
}

/// The value of anything that can be serialised.
///
/// # Errors
///
/// Those of serde, such as a map whose keys are not strings.
pub fn to_value<T: Serialize + ?Sized>(data: &T) -> Result<Value, serde_json::Error> {
    serde_json::to_value(data).map(|json| from_json(&json))
}

/// What [`to_value`] was given.
///
/// # Errors
///
/// Those of serde: the value does not have the shape that the type asks for.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(to_json(value))
}

/// The attributes of a statement as a map, for [`from_value`].
#[must_use]
pub fn attrs_to_json(attrs: &indexmap::IndexMap<String, Value>) -> Json {
    Json::Object(attrs.iter().map(|(key, value)| (key.clone(), to_json(value))).collect::<Map<_, _>>())
}

fn int(value: i128) -> Number {
    // Values keep within 64 bits; one made by hand that does not saturates.
    match u64::try_from(value) {
        Ok(value) => Number::from(value),
        Err(_) if value > 0 => Number::from(u64::MAX),
        Err(_) => Number::from(i64::try_from(value).unwrap_or(i64::MIN)),
    }
}

/// The form of a value that a string in JSON has.
fn from_text(text: &str) -> ValueKind {
    match text {
        "inf" => return ValueKind::Float(f64::INFINITY),
        "-inf" => return ValueKind::Float(f64::NEG_INFINITY),
        "nan" => return ValueKind::Float(f64::NAN),
        "none" | "true" | "false" => return ValueKind::Str(text.to_owned()),
        _ => {}
    }
    let named = |sigil: char| text.strip_prefix(sigil).filter(|name| !name.is_empty()).map(str::to_owned);
    if let Some(name) = named('%') {
        return ValueKind::Local(name);
    }
    if let Some(name) = named('@') {
        return ValueKind::Global(name);
    }
    if is_lowercase_word(text) {
        return ValueKind::Word(text.to_owned());
    }
    // An interval or a type, if it is written exactly as the printer would.
    if (text.contains("..") || text.ends_with(']'))
        && let Ok(value) = parse_value(text)
        && matches!(value.kind, ValueKind::Interval(..) | ValueKind::Tensor(_))
        && print_value(&value) == text
    {
        return value.kind;
    }
    ValueKind::Str(text.to_owned())
}

fn is_lowercase_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
