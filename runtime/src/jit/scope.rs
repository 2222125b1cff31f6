//! Resolves the ids of an instruction.

use std::mem::{offset_of, size_of};

use cranelift_codegen::ir::Value;

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::Emitter;
use crate::memory::Gathered;
use crate::program::{AccumulatorId, BufferId, ExprId, Program, Section, WeightId};
use crate::scalar::Expr;

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

    /// Offset in bytes of the pointer to an accumulator's words in the array of what is gathered.
    pub(super) fn accumulator(&self, id: AccumulatorId) -> Result<i64, JitError> {
        if id.index() >= self.program.accumulators.len() {
            return Err(JitError::Missing(id.to_string()));
        }
        Ok(i64::from(id.0) * size_of::<Gathered>() as i64 + offset_of!(Gathered, words) as i64)
    }

    pub(super) fn expr(&self, id: ExprId) -> Result<&'p Expr, JitError> {
        self.program.expressions.get(id.index()).ok_or_else(|| JitError::Missing(id.to_string()))
    }
}
