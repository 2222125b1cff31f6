//! One value in many places.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::AxisId;
use zellige_runtime::scalar::{Builder, Compare, Expr};

use super::norm_parts::{access, first};
use super::{ArgError, FromAttrs, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of};
use crate::base::{AxisMap, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    let doc = "x repeated along axes where it has size 1 and `like` has not.";
    vec![OpDef::part::<Repeat>("repeat", doc, &["like", "x"])]
}

/// The second input, repeated to the shape of the first, of which nothing else matters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repeat {}

impl FromAttrs for Repeat {
    fn check(&self) -> Result<(), ArgError> {
        Ok(())
    }
}

impl Op for Repeat {
    fn name(&self) -> &'static str {
        "repeat"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        first(inputs, requirements)
    }

    fn access(&self, input: usize, axis: AxisId, inputs: &[Sizes]) -> AxisMap {
        access(input, axis, inputs)
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    /// It is `x` whatever the comparison says, which is there for the shape.
    fn expression(&self) -> Option<Expr> {
        let mut b = Builder::new();
        let (like, x) = (b.input(0), b.input(1));
        let x = b.select(Compare::Eq, like, like, x, x);
        b.finish(x).ok()
    }
}
