//! Shapes and element types.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Bindings, Dim};

/// How a tensor is stored at the model's border; arithmetic is f32 throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// 32-bit float.
    F32,
    /// Unsigned byte.
    U8,
    /// Unsigned 16 bits.
    U16,
}

impl Element {
    /// As in the language.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::U8 => "u8",
            Self::U16 => "u16",
        }
    }
}

/// Logical NCHW shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Images.
    pub n: Dim,
    /// Channels.
    pub c: Dim,
    /// Rows.
    pub h: Dim,
    /// Columns.
    pub w: Dim,
}

impl Shape {
    /// From the four dimensions.
    pub fn new(n: impl Into<Dim>, c: impl Into<Dim>, h: impl Into<Dim>, w: impl Into<Dim>) -> Self {
        Self { n: n.into(), c: c.into(), h: h.into(), w: w.into() }
    }

    /// The four dimensions in order.
    pub fn dims(&self) -> [&Dim; 4] {
        [&self.n, &self.c, &self.h, &self.w]
    }

    /// Each dimension replaced.
    pub fn map(&self, mut f: impl FnMut(&Dim) -> Dim) -> Self {
        Self { n: f(&self.n), c: f(&self.c), h: f(&self.h), w: f(&self.w) }
    }

    /// With the bound symbols replaced by their values.
    pub fn substitute(&self, bindings: &Bindings) -> Self {
        self.map(|d| d.substitute(bindings))
    }

    /// The sizes, if all are known and at least 1.
    pub fn sizes(&self) -> Option<[u64; 4]> {
        let size = |d: &Dim| d.constant().and_then(|v| u64::try_from(v).ok()).filter(|&v| v > 0);
        Some([size(&self.n)?, size(&self.c)?, size(&self.h)?, size(&self.w)?])
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}, {}, {}]", self.n, self.c, self.h, self.w)
    }
}

/// Element type and shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Element type.
    pub element: Element,
    /// Shape.
    pub shape: Shape,
}

impl TensorType {
    /// An f32 tensor.
    pub fn f32(shape: Shape) -> Self {
        Self { element: Element::F32, shape }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.element.name(), self.shape)
    }
}
