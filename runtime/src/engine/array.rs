//! The caller's arrays: planar NCHW f32s, borrowed for one run, or whatever gives and takes them window by window.

use crate::io::{WindowSink, WindowSource};
use crate::program::Dims;

/// Values of an input.
#[derive(Clone, Copy, Debug)]
pub struct ArrayView<'a> {
    /// Its shape.
    pub dims: Dims,
    /// `n · c · h · w` values, columns innermost.
    pub data: &'a [f32],
}

/// Values of an output.
#[derive(Debug)]
pub struct ArrayViewMut<'a> {
    /// Its shape.
    pub dims: Dims,
    /// `n · c · h · w` values, columns innermost; all of them are overwritten.
    pub data: &'a mut [f32],
}

/// An input.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// In memory.
    Array(ArrayView<'a>),
    /// Read window by window.
    Windows(&'a dyn WindowSource),
}

/// An output.
pub enum Output<'a> {
    /// In memory.
    Array(ArrayViewMut<'a>),
    /// Written window by window.
    Windows(&'a dyn WindowSink),
}
