//! Which input a tap of a window reads.

use cranelift_codegen::ir::Value;

use super::JitError;
use super::emit::Emitter;
use crate::program::instr::Window;

/// A window along one axis.
#[derive(Clone, Copy)]
pub(super) struct Taps {
    pub(super) count: i64,
    pub(super) stride: i64,
    pub(super) dilation: i64,
    pub(super) pad: i64,
}

impl Taps {
    /// Those of the rows and of the columns.
    pub(super) fn of(window: &Window) -> Result<[Self; 2], JitError> {
        if window.stride.contains(&0) {
            return Err(JitError::Malformed("a stride is 0"));
        }
        Ok([0, 1].map(|axis| Self {
            count: i64::from(window.kernel[axis]),
            stride: i64::from(window.stride[axis]),
            dilation: i64::from(window.dilation[axis]),
            pad: window.pad[axis],
        }))
    }

    /// The input that tap `k` of output `o` reads: `o · stride − pad + k · dilation`.
    pub(super) fn input(self, e: &mut Emitter<'_>, o: Value, k: Value) -> Value {
        let (pad, o, k) = (e.int(self.pad), e.scale(o, self.stride), e.scale(k, self.dilation));
        let first = e.sub(o, pad);
        e.add(first, k)
    }

    /// The input that tap `k` of output `o` of the transposed window reads, `(o + pad − k · dilation) / stride`, and whether
    /// that is an integer.
    pub(super) fn transposed_input(self, e: &mut Emitter<'_>, o: Value, k: Value) -> (Value, Value) {
        let (pad, k) = (e.int(self.pad), e.scale(k, self.dilation));
        let last = e.add(o, pad);
        let numerator = e.sub(last, k);
        let (input, rest) = e.div_rem(numerator, self.stride);
        (input, e.is_zero(rest))
    }
}
