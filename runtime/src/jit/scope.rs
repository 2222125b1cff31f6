//! Resolves the ids of an instruction.

use std::mem::size_of;

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::Emitter;
use crate::program::instr::Window;
use crate::program::{BufferId, ExprId, Program, Section, WeightId};
use crate::scalar::Expr;
use cranelift_codegen::ir::Value;

/// The tables that an instruction's ids refer to.
pub(super) struct Scope<'p> {
    program: &'p Program,
    section: &'p Section,
}

/// A packed weight.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    /// Offset in bytes of its pointer in the array of weights.
    pointer: i64,
}

impl Packed {
    /// The address of its first value.
    pub(super) fn address(self, e: &mut Emitter<'_>) -> Value {
        e.weight_pointer(self.pointer)
    }
}

impl<'p> Scope<'p> {
    pub(super) fn new(program: &'p Program, section: &'p Section) -> Self {
        Self { program, section }
    }

    pub(super) fn buffer(&self, id: BufferId) -> Result<TileBuffer, JitError> {
        let buffer = self.section.buffers.get(id.index()).ok_or_else(|| JitError::Missing(id.to_string()))?;
        TileBuffer::new(id, buffer)
    }

    pub(super) fn weight(&self, id: WeightId) -> Result<Packed, JitError> {
        if id.index() >= self.program.weights.len() {
            return Err(JitError::Missing(id.to_string()));
        }
        Ok(Packed { pointer: i64::from(id.0) * size_of::<*const f32>() as i64 })
    }

    pub(super) fn expr(&self, id: ExprId) -> Result<&'p Expr, JitError> {
        self.program.expressions.get(id.index()).ok_or_else(|| JitError::Missing(id.to_string()))
    }
}

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
