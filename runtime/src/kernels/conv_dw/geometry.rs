//! Which pixels of a gradient a tap meets, and what it reads for them.

use crate::program::Interval;
use crate::program::instr::{AxisId, ConvDw};

/// Along one axis: pixels `first + i · step` for `i < count`, and the inputs `input + i · input_step` that a tap reads for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meeting {
    pub(super) first: i64,
    pub(super) step: i64,
    pub(super) count: i64,
    pub(super) input: i64,
    pub(super) input_step: i64,
}

impl Meeting {
    /// That of tap `k` with the pixels of a stretch.
    #[inline(always)]
    pub(super) fn new(dw: &ConvDw, axis: AxisId, k: usize, pixels: Interval) -> Self {
        let (window, axis) = (&dw.window, axis.index());
        let stride = i64::from(window.stride[axis]);
        let offset = k as i64 * i64::from(window.dilation[axis]) - window.pad[axis];
        if dw.transposed {
            // Where pixel − offset is a multiple of the stride.
            let first = pixels.start + (offset - pixels.start).rem_euclid(stride);
            let count = (Interval::new(first, pixels.end).len() + stride - 1) / stride;
            Self { first, step: stride, count, input: (first - offset) / stride, input_step: 1 }
        } else {
            let input = pixels.start * stride + offset;
            Self { first: pixels.start, step: 1, count: pixels.len(), input, input_step: stride }
        }
    }
}
