//! Reductions over all of space.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::AxisId;

use super::{ArgError, FromAttrs, Inputs, Op, OpDef, Placement, Requirements, ShapeError, Sizes, attrs_of};
use crate::base::{AxisMap, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    vec![OpDef::new(
        "global_avg_pool",
        "Mean over all pixels: an exact sum over grains, rounded once.",
        Inputs::Named(&["x"]),
        Vec::new(),
        |_| Ok(GlobalAvgPool {}),
    )]
}

/// Mean over space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GlobalAvgPool {}

impl FromAttrs for GlobalAvgPool {
    fn check(&self) -> Result<(), ArgError> {
        Ok(())
    }
}

impl Op for GlobalAvgPool {
    fn name(&self) -> &'static str {
        "global_avg_pool"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        let x = &inputs[0];
        Ok(Shape { h: 1.into(), w: 1.into(), ..x.clone() })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn placement(&self) -> Placement {
        Placement::Reduce
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        inputs[0].iter().skip(1).product()
    }
}
