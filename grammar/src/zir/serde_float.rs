//! `#[serde(with = "zellige_grammar::zir::serde_float")]` for fields that may be infinite.
//!
//! JSON has no infinities, and serde writes them as `null`, which does not read back.
//! With this attribute they are the strings `"inf"`, `"-inf"` and `"nan"` in formats for
//! humans, and in binary formats numbers like any other.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `f32` and `f64`.
pub trait Float: Copy + Serialize + for<'de> Deserialize<'de> {
    /// The number as an `f64`, exactly.
    fn widen(self) -> f64;
    /// The nearest number of this type.
    fn narrow(value: f64) -> Self;
}

impl Float for f64 {
    fn widen(self) -> f64 {
        self
    }

    fn narrow(value: f64) -> Self {
        value
    }
}

impl Float for f32 {
    fn widen(self) -> f64 {
        f64::from(self)
    }

    fn narrow(value: f64) -> Self {
        value as Self
    }
}

/// Writes a number.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<T: Float, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let wide = value.widen();
    if wide.is_finite() || !serializer.is_human_readable() {
        return value.serialize(serializer);
    }
    serializer.serialize_str(if wide.is_nan() {
        "nan"
    } else if wide > 0.0 {
        "inf"
    } else {
        "-inf"
    })
}

/// Reads a number.
///
/// # Errors
///
/// Those of the deserializer, and one for a string that names no number.
pub fn deserialize<'de, T: Float, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Finite(f64),
        Named(String),
    }

    if !deserializer.is_human_readable() {
        return T::deserialize(deserializer);
    }
    match Number::deserialize(deserializer)? {
        Number::Finite(value) => Ok(T::narrow(value)),
        Number::Named(name) => match name.as_str() {
            "inf" => Ok(T::narrow(f64::INFINITY)),
            "-inf" => Ok(T::narrow(f64::NEG_INFINITY)),
            "nan" => Ok(T::narrow(f64::NAN)),
            _ => Err(D::Error::custom(format!("`{name}` is not a number"))),
        },
    }
}
