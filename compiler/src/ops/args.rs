//! Arguments of a call, checked against an op's signature and read by type.

use std::fmt;

use indexmap::IndexMap;

use crate::base::Dim;

/// A compile-time value.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgValue {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A string.
    Text(String),
    /// A size that may depend on symbols.
    Dim(Dim),
    /// `[a, b]`
    List(Vec<ArgValue>),
    /// `(top: 0, left: 1)`
    Group(IndexMap<String, ArgValue>),
}

impl fmt::Display for ArgValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => write!(f, "{v:?}"),
            Self::Bool(v) => write!(f, "{v}"),
            Self::Text(v) => write!(f, "{v:?}"),
            Self::Dim(v) => write!(f, "{v}"),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Group(items) => {
                let items: Vec<_> = items.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                write!(f, "({})", items.join(", "))
            }
        }
    }
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// An integer.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// One of these words, as a string.
    Word(&'static [&'static str]),
    /// An integer, or `[y, x]`.
    Pair,
    /// An integer, `[y, x]`, or `(top: …, left: …, bottom: …, right: …)`.
    Sides,
    /// A size, which may depend on symbols.
    Size,
    /// `[channels, rows, columns]`: three sizes.
    Shape,
    /// A list of axes: 1 for channels, 2 for rows, 3 for columns.
    Axes,
    /// A size, or `[rows, columns]`.
    Sizes,
    /// A number, or `[y, x]`.
    Scale,
    /// A number, or a list of numbers.
    Numbers,
}

impl fmt::Display for ArgKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int => f.write_str("an integer"),
            Self::Float => f.write_str("a number"),
            Self::Bool => f.write_str("`true` or `false`"),
            Self::Word([word]) => write!(f, "always \"{word}\""),
            Self::Word(words) => write!(f, "one of \"{}\"", words.join("\", \"")),
            Self::Pair => f.write_str("an integer or `[y, x]`"),
            Self::Sides => f.write_str("an integer, `[y, x]` or `(top: …, left: …, bottom: …, right: …)`"),
            Self::Size => f.write_str("a size"),
            Self::Shape => f.write_str("a list `[channels, rows, columns]` of sizes"),
            Self::Axes => f.write_str("a list of axes, such as `[2, 3]`"),
            Self::Sizes => f.write_str("a size or `[rows, columns]`"),
            Self::Scale => f.write_str("a number or `[y, x]`"),
            Self::Numbers => f.write_str("a number or a list of numbers"),
        }
    }
}

/// An argument of an op.
#[derive(Clone, Debug)]
pub struct ArgSpec {
    /// Name.
    pub name: &'static str,
    /// What it may be.
    pub kind: ArgKind,
    /// Whether it must be given.
    pub required: bool,
    /// What other frameworks call it, for the hint.
    pub elsewhere: &'static [&'static str],
}

impl ArgSpec {
    /// An argument that may be left out.
    pub const fn new(name: &'static str, kind: ArgKind) -> Self {
        Self { name, kind, required: false, elsewhere: &[] }
    }

    /// It must be given.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Other frameworks' names for it.
    pub const fn elsewhere(mut self, names: &'static [&'static str]) -> Self {
        self.elsewhere = names;
        self
    }
}

/// An argument that an op cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{arg}` {message}")]
pub struct ArgError {
    /// Its name.
    pub arg: &'static str,
    /// What is wrong, continuing a sentence that begins with the name.
    pub message: String,
}

impl ArgError {
    /// About argument `arg`; `message` continues "`arg` …".
    pub fn new(arg: &'static str, message: impl Into<String>) -> Self {
        Self { arg, message: message.into() }
    }
}

/// The arguments of a call by name.
#[derive(Clone, Debug, Default)]
pub struct Args {
    values: IndexMap<String, ArgValue>,
}

impl Args {
    /// From names and values.
    pub fn new(values: IndexMap<String, ArgValue>) -> Self {
        Self { values }
    }

    fn mistyped(&self, arg: &'static str, kind: ArgKind) -> ArgError {
        let found = self.values.get(arg).map_or_else(String::new, |v| format!(", found `{v}`"));
        ArgError::new(arg, format!("is {kind}{found}"))
    }

    fn read<T>(
        &self,
        arg: &'static str,
        kind: ArgKind,
        read: impl Fn(&ArgValue) -> Option<T>,
    ) -> Result<Option<T>, ArgError> {
        match self.values.get(arg) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| self.mistyped(arg, kind)),
        }
    }

    /// An integer that fits `T`.
    pub fn int<T: TryFrom<i64>>(&self, arg: &'static str) -> Result<Option<T>, ArgError> {
        self.read(arg, ArgKind::Int, int)
    }

    /// A number.
    pub fn float(&self, arg: &'static str) -> Result<Option<f64>, ArgError> {
        self.read(arg, ArgKind::Float, float)
    }

    /// A truth value.
    pub fn bool(&self, arg: &'static str) -> Result<Option<bool>, ArgError> {
        self.read(arg, ArgKind::Bool, |v| if let ArgValue::Bool(v) = v { Some(*v) } else { None })
    }

    /// One of some words.
    pub fn word(
        &self,
        arg: &'static str,
        words: &'static [&'static str],
    ) -> Result<Option<&'static str>, ArgError> {
        self.read(arg, ArgKind::Word(words), |v| match v {
            ArgValue::Text(text) => words.iter().copied().find(|w| w == text),
            _ => None,
        })
    }

    /// `[y, x]`, or one integer for both.
    pub fn pair<T: TryFrom<i64> + Copy>(&self, arg: &'static str) -> Result<Option<[T; 2]>, ArgError> {
        self.read(arg, ArgKind::Pair, |v| both(v, int))
    }

    /// Top, left, bottom, right.
    pub fn sides(&self, arg: &'static str) -> Result<Option<[i64; 4]>, ArgError> {
        self.read(arg, ArgKind::Sides, |v| match v {
            ArgValue::Group(sides) => {
                let known = |k: &String| ["top", "left", "bottom", "right"].contains(&k.as_str());
                if !sides.keys().all(known) {
                    return None;
                }
                let side = |name| sides.get(name).map_or(Some(0), int);
                Some([side("top")?, side("left")?, side("bottom")?, side("right")?])
            }
            other => both(other, int).map(|[y, x]| [y, x, y, x]),
        })
    }

    /// Axes, as they are given.
    pub fn axes(&self, arg: &'static str) -> Result<Option<Vec<u8>>, ArgError> {
        self.read(arg, ArgKind::Axes, |v| match v {
            ArgValue::List(axes) => axes.iter().map(int).collect(),
            _ => None,
        })
    }

    /// A size.
    pub fn size(&self, arg: &'static str) -> Result<Option<Dim>, ArgError> {
        self.read(arg, ArgKind::Size, size)
    }

    /// Channels, rows, columns.
    pub fn shape(&self, arg: &'static str) -> Result<Option<[Dim; 3]>, ArgError> {
        self.read(arg, ArgKind::Shape, |v| match v {
            ArgValue::List(sizes) => match sizes.as_slice() {
                [c, h, w] => Some([size(c)?, size(h)?, size(w)?]),
                _ => None,
            },
            _ => None,
        })
    }

    /// `[rows, columns]`, or one size for both.
    pub fn sizes(&self, arg: &'static str) -> Result<Option<[Dim; 2]>, ArgError> {
        self.read(arg, ArgKind::Sizes, |v| both(v, size))
    }

    /// Numbers `[y, x]`, or one for both.
    pub fn scales(&self, arg: &'static str) -> Result<Option<[f64; 2]>, ArgError> {
        self.read(arg, ArgKind::Scale, |v| both(v, float))
    }

    /// Numbers in a list, or one.
    pub fn numbers(&self, arg: &'static str) -> Result<Option<Vec<f64>>, ArgError> {
        self.read(arg, ArgKind::Numbers, |v| match v {
            ArgValue::List(items) => items.iter().map(float).collect(),
            single => float(single).map(|v| vec![v]),
        })
    }
}

fn float(value: &ArgValue) -> Option<f64> {
    match value {
        ArgValue::Int(v) => Some(*v as f64),
        ArgValue::Float(v) => Some(*v),
        _ => None,
    }
}

fn size(value: &ArgValue) -> Option<Dim> {
    match value {
        ArgValue::Int(v) => Some((*v).into()),
        ArgValue::Dim(d) => Some(d.clone()),
        _ => None,
    }
}

fn int<T: TryFrom<i64>>(value: &ArgValue) -> Option<T> {
    match value {
        ArgValue::Int(v) => T::try_from(*v).ok(),
        ArgValue::Dim(d) => T::try_from(d.constant()?).ok(),
        _ => None,
    }
}

/// What a list of two gives, or a single value for both.
fn both<T: Clone>(value: &ArgValue, one: impl Fn(&ArgValue) -> Option<T>) -> Option<[T; 2]> {
    match value {
        ArgValue::List(items) => match items.as_slice() {
            [y, x] => Some([one(y)?, one(x)?]),
            _ => None,
        },
        single => one(single).map(|v| [v.clone(), v]),
    }
}
