//! The caller's arrays: planar NCHW f32s, borrowed for one run.

use crate::program::Dims;

/// An input.
#[derive(Clone, Copy, Debug)]
pub struct ArrayView<'a> {
    /// Its shape.
    pub dims: Dims,
    /// `n · c · h · w` values, columns innermost.
    pub data: &'a [f32],
}

/// An output.
#[derive(Debug)]
pub struct ArrayViewMut<'a> {
    /// Its shape.
    pub dims: Dims,
    /// `n · c · h · w` values, columns innermost; all of them are overwritten.
    pub data: &'a mut [f32],
}
