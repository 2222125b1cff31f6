//! Ops that are made of simpler ones: how they say so.

use std::sync::Arc;

use super::Op;
use crate::base::{ParamId, Shape, ValueId};

/// The graph in the making that an op is expanded into ([`Op::expand`]), or its gradient ([`Op::gradient`]).
pub trait Builder {
    /// Adds an op and gives its output. Inputs and parameters must suit it.
    fn op(&mut self, op: Arc<dyn Op>, inputs: &[ValueId], params: &[ParamId]) -> ValueId;

    /// Adds a constant; `data` is planar and as long as the shape says.
    fn constant(&mut self, shape: Shape, data: Vec<f32>) -> ValueId;

    /// The number that a value is, if it is a constant of one element.
    fn number(&self, value: ValueId) -> Option<f32>;

    /// What an op was given that made a value, if it is this one.
    fn given_to(&self, op: &(dyn Op + 'static), value: ValueId) -> Option<ValueId>;

    /// The shape of a value.
    fn shape(&self, value: ValueId) -> Shape;
}
