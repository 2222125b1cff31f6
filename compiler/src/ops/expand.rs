//! Ops that are made of simpler ones: how they say so.

use std::sync::Arc;

use super::Op;
use crate::base::{ParamId, Shape, ValueId};

/// The graph in the making that an op is expanded into ([`Op::expand`]).
pub trait Builder {
    /// Adds an op and gives its output. Inputs and parameters must suit it.
    fn op(&mut self, op: Arc<dyn Op>, inputs: &[ValueId], params: &[ParamId]) -> ValueId;

    /// The shape of a value.
    fn shape(&self, value: ValueId) -> Shape;
}
