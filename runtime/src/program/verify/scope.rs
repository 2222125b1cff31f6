//! Looking ids up in a program that has not been verified yet.

use crate::program::{
    Accumulator, AccumulatorId, Buffer, BufferId, ExprId, Program, Section, Tensor, TensorId, Weight,
    WeightId,
};
use crate::scalar::Expr;

/// The program and the section at hand.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) program: &'a Program,
    pub(super) section: &'a Section,
}

/// An id that is not in its table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {0}")]
pub struct LookupError(pub String);

fn look_up<T>(table: &[T], index: usize, id: impl std::fmt::Display) -> Result<&T, LookupError> {
    table.get(index).ok_or_else(|| LookupError(id.to_string()))
}

impl<'a> Scope<'a> {
    pub(super) fn buffer(&self, id: BufferId) -> Result<&'a Buffer, LookupError> {
        look_up(&self.section.buffers, id.index(), id)
    }

    pub(super) fn tensor(&self, id: TensorId) -> Result<&'a Tensor, LookupError> {
        look_up(&self.program.tensors, id.index(), id)
    }

    pub(super) fn weight(&self, id: WeightId) -> Result<&'a Weight, LookupError> {
        look_up(&self.program.weights, id.index(), id)
    }

    pub(super) fn expr(&self, id: ExprId) -> Result<&'a Expr, LookupError> {
        look_up(&self.program.expressions, id.index(), id)
    }

    pub(super) fn accumulator(&self, id: AccumulatorId) -> Result<&'a Accumulator, LookupError> {
        look_up(&self.program.accumulators, id.index(), id)
    }
}
