//! The generic tree of `.zir` texts, which all three levels of the IR are written in.
//!
//! ```text
//! graph upscale {
//!   input %image: f32[1, 3, H, W];
//!   %0 = conv2d %image @conv0.weight @conv0.bias (kernel: [3, 3], pad: [1, 1, 1, 1]) : f32[1, 64, H, W];
//!   output upscaled %0;
//! }
//! ```
//!
//! A text is a list of statements. A statement has results, a keyword, operands, a map
//! of attributes, a type and a body; all but the keyword may be absent:
//!
//! ```text
//! statement = [%a, %b =] keyword operand* [(key: value, …)] [: value] (; | { statement* })
//! ```
//!
//! Values are whole numbers (from −2⁶³ to 2⁶⁴ − 1), fractions, `inf`, `-inf`, `nan`,
//! strings, `none`, `true`, `false`, bare words such as `strict` or `E1.x`, references
//! `%x` and `@conv0.weight`, intervals `-1..5`, lists `[…]`, maps `(k: v, …)`, and tensor
//! types `f32[1, 3, 4*H, W/2]`.
//! A fraction with the suffix `f`, as in `0.1f`, is the `f32` nearest to it. A reference
//! whose name is not made of letters, digits and `_ . - /` is quoted: `%"a b"`. A map as
//! last operand would look like attributes; then the empty attributes `()` follow it.
//! From `//` to the end of its line a text is a comment, which is not read.
//!
//! [`print()`] writes a tree, [`parse`] reads it, and `parse(print(tree)) == tree`.
//! [`json`] maps values to JSON, and so, through serde, to the structures of compiler
//! and runtime.

pub mod decode;
mod decode_error;
pub mod json;
pub(crate) mod lexer;
pub(crate) mod parser;
mod printer;
pub mod serde_float;

use indexmap::IndexMap;

use crate::dim::DimExpr;
use crate::span::Span;

pub use parser::{parse, parse_value};
pub use printer::{print, print_value};

/// A statement. Equality does not look at spans, nor at comments.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// Names of the results, without their `%`.
    pub results: Vec<String>,
    /// What it does: a word, perhaps with dots.
    pub keyword: String,
    /// On what.
    pub operands: Vec<Value>,
    /// How.
    pub attrs: IndexMap<String, Value>,
    /// What comes out: usually a tensor type.
    pub ty: Option<Value>,
    /// The statements that belong to it, in braces.
    pub body: Option<Vec<Statement>>,
    /// Written above it for readers; what is read has none.
    pub comment: Option<String>,
    /// Where it was written.
    pub span: Span,
}

impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        self.results == other.results
            && self.keyword == other.keyword
            && self.operands == other.operands
            && self.attrs == other.attrs
            && self.ty == other.ty
            && self.body == other.body
    }
}

impl Statement {
    /// A statement of nothing but a keyword, to which the rest is added.
    #[must_use]
    pub fn new(keyword: impl Into<String>) -> Self {
        Self { keyword: keyword.into(), ..Self::default() }
    }

    /// Adds a result.
    #[must_use]
    pub fn result(mut self, name: impl Into<String>) -> Self {
        self.results.push(name.into());
        self
    }

    /// Adds an operand.
    #[must_use]
    pub fn operand(mut self, value: impl Into<Value>) -> Self {
        self.operands.push(value.into());
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attr(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attrs.insert(key.into(), value.into());
        self
    }

    /// Sets the type.
    #[must_use]
    pub fn ty(mut self, ty: impl Into<Value>) -> Self {
        self.ty = Some(ty.into());
        self
    }

    /// Sets the comment.
    #[must_use]
    pub fn comment(mut self, comment: Option<impl Into<String>>) -> Self {
        self.comment = comment.map(Into::into);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Vec<Statement>) -> Self {
        self.body = Some(body);
        self
    }
}

/// A value. Equality does not look at spans.
#[derive(Clone, Debug)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where it was written.
    pub span: Span,
}

/// The kinds of values.
#[derive(Clone, Debug)]
pub enum ValueKind {
    /// `none`.
    None,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, from −2⁶³ to 2⁶⁴ − 1.
    Int(i128),
    /// A fraction, an infinity, or not a number.
    Float(f64),
    /// A string.
    Str(String),
    /// A bare word: letters, digits and `_`, perhaps several such with dots between.
    Word(String),
    /// `%name`: a value of the program. The name is without `%`.
    Local(String),
    /// `@name`: a parameter, or something else from outside. The name is without `@`.
    Global(String),
    /// `a..b`: the whole numbers from `a` to before `b`.
    Interval(i64, i64),
    /// `[a, b]`.
    List(Vec<Value>),
    /// `(key: value, …)`, in the order of the text; equality minds the order.
    Map(IndexMap<String, Value>),
    /// `f32[1, 3, H, W]`.
    Tensor(TensorType),
}

/// A tensor type. The element type is any word without dots.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorType {
    /// The element type.
    pub dtype: String,
    /// The dimensions.
    pub dims: Vec<DimExpr>,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// Fractions are equal if their bits are, and any two NaNs are equal.
impl PartialEq for ValueKind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Self::Str(a), Self::Str(b))
            | (Self::Word(a), Self::Word(b))
            | (Self::Local(a), Self::Local(b))
            | (Self::Global(a), Self::Global(b)) => a == b,
            (Self::Interval(a, b), Self::Interval(c, d)) => (a, b) == (c, d),
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a.iter().eq(b),
            (Self::Tensor(a), Self::Tensor(b)) => a == b,
            _ => false,
        }
    }
}

impl ValueKind {
    /// The value that a bare word means.
    pub(crate) fn from_word(word: &str) -> Self {
        match word {
            "none" => Self::None,
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            "inf" => Self::Float(f64::INFINITY),
            "nan" => Self::Float(f64::NAN),
            word => Self::Word(word.to_owned()),
        }
    }

    /// What the value is, for messages: "a list".
    #[must_use]
    pub const fn description(&self) -> &'static str {
        match self {
            Self::None => "`none`",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a fraction",
            Self::Str(_) => "a string",
            Self::Word(_) => "a word",
            Self::Local(_) => "a `%` reference",
            Self::Global(_) => "an `@` reference",
            Self::Interval(..) => "an interval",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Tensor(_) => "a tensor type",
        }
    }
}

impl Value {
    /// A value written at `span`.
    #[must_use]
    pub const fn new(kind: ValueKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// `none`.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(ValueKind::None, Span::at(0))
    }

    /// A bare word.
    #[must_use]
    pub fn word(word: impl Into<String>) -> Self {
        ValueKind::Word(word.into()).into()
    }

    /// `%name`.
    #[must_use]
    pub fn local(name: impl Into<String>) -> Self {
        ValueKind::Local(name.into()).into()
    }

    /// `@name`.
    #[must_use]
    pub fn global(name: impl Into<String>) -> Self {
        ValueKind::Global(name.into()).into()
    }

    /// `a..b`.
    #[must_use]
    pub fn interval(a: i64, b: i64) -> Self {
        ValueKind::Interval(a, b).into()
    }

    /// `[…]`.
    pub fn list<T: Into<Self>>(elements: impl IntoIterator<Item = T>) -> Self {
        ValueKind::List(elements.into_iter().map(Into::into).collect()).into()
    }

    /// `(…)`.
    pub fn map<K: Into<String>, T: Into<Self>>(entries: impl IntoIterator<Item = (K, T)>) -> Self {
        ValueKind::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect()).into()
    }

    /// `dtype[…]`.
    pub fn tensor(dtype: impl Into<String>, dims: impl IntoIterator<Item = DimExpr>) -> Self {
        ValueKind::Tensor(TensorType { dtype: dtype.into(), dims: dims.into_iter().collect() }).into()
    }

    /// The number, where it is one that fits.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        if let ValueKind::Int(value) = self.kind { i64::try_from(value).ok() } else { None }
    }

    /// The number, where it is one that fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if let ValueKind::Int(value) = self.kind { u64::try_from(value).ok() } else { None }
    }

    /// The number, whole or not.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        match self.kind {
            ValueKind::Float(value) => Some(value),
            ValueKind::Int(value) => Some(value as f64),
            _ => None,
        }
    }

    /// The truth value.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let ValueKind::Bool(value) = self.kind { Some(value) } else { None }
    }

    /// The text of a string or a bare word.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let ValueKind::Str(text) | ValueKind::Word(text) = &self.kind { Some(text) } else { None }
    }

    /// The name of a `%` reference.
    #[must_use]
    pub fn as_local(&self) -> Option<&str> {
        if let ValueKind::Local(name) = &self.kind { Some(name) } else { None }
    }

    /// The name of an `@` reference.
    #[must_use]
    pub fn as_global(&self) -> Option<&str> {
        if let ValueKind::Global(name) = &self.kind { Some(name) } else { None }
    }

    /// The ends of an interval.
    #[must_use]
    pub fn as_interval(&self) -> Option<(i64, i64)> {
        if let ValueKind::Interval(a, b) = self.kind { Some((a, b)) } else { None }
    }

    /// The elements of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        if let ValueKind::List(elements) = &self.kind { Some(elements) } else { None }
    }

    /// The entries of a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&IndexMap<String, Self>> {
        if let ValueKind::Map(entries) = &self.kind { Some(entries) } else { None }
    }

    /// The tensor type.
    #[must_use]
    pub fn as_tensor(&self) -> Option<&TensorType> {
        if let ValueKind::Tensor(ty) = &self.kind { Some(ty) } else { None }
    }
}

impl From<ValueKind> for Value {
    fn from(kind: ValueKind) -> Self {
        Self::new(kind, Span::default())
    }
}

macro_rules! from_ints {
    ($($int:ty)*) => {$(
        impl From<$int> for Value {
            fn from(value: $int) -> Self {
                ValueKind::Int(value as i128).into()
            }
        }
    )*};
}

from_ints!(i32 i64 u8 u32 u64 usize);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        ValueKind::Bool(value).into()
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        ValueKind::Float(value).into()
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        ValueKind::Float(f64::from(value)).into()
    }
}

/// A quoted string; for bare words there is [`Value::word`].
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        ValueKind::Str(text.to_owned()).into()
    }
}

/// A quoted string; for bare words there is [`Value::word`].
impl From<String> for Value {
    fn from(text: String) -> Self {
        ValueKind::Str(text).into()
    }
}

/// Whether the lexer reads the text as one bare word.
pub(crate) fn is_word(text: &str) -> bool {
    let mut parts = text.split('.');
    let starts_well = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let made_well = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    parts.next().is_some_and(|first| starts_well(first) && made_well(first)) && parts.all(made_well)
}

/// Whether a reference can be written without quotes.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let name = name.strip_prefix('/').unwrap_or(name);
    name.split('/').all(|part| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    })
}

#[cfg(test)]
pub(crate) mod tests;
