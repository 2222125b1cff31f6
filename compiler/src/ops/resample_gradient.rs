//! The gradient of resampling: its exact transpose.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{Adjoint, AxisId, Coordinate, Instr, LinearMap, Taps};

use super::conv_gradient::{check_size, input_of};
use super::resample::Upsample;
use super::{ArgError, FromAttrs, Lowering, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of};
use crate::base::{AxisMap, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    vec![OpDef::part::<UpsampleDx>("upsample.dx", "The gradient of what is resampled.", &["dy"])]
}

/// `dx = Σ w · dy` over the outputs that have the pixel for a tap of weight w.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpsampleDx {
    pub(super) forward: Upsample,
    /// Channels, rows and columns of what is resampled.
    pub(super) size: [u64; 3],
}

impl UpsampleDx {
    fn coordinate(&self, axis: AxisId) -> Coordinate {
        let [c, h, w] = self.size;
        self.forward.coordinate(axis, [1, c, h, w])
    }

    fn inputs(&self, axis: AxisId) -> i64 {
        self.size[1 + axis.index()] as i64
    }
}

impl FromAttrs for UpsampleDx {
    fn check(&self) -> Result<(), ArgError> {
        self.forward.check()?;
        check_size(self.size)
    }
}

impl Op for UpsampleDx {
    fn name(&self) -> &'static str {
        "upsample.dx"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        input_of(&self.forward, self.size, &inputs[0], requirements)
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        let (at, taps) = (self.coordinate(axis), self.forward.filter().taps());
        AxisMap::ResampledTransposed {
            num: at.num,
            offset: at.offset,
            den: at.den,
            first: taps.start,
            taps: taps.len(),
            size: self.inputs(axis),
        }
    }

    fn adds_up(&self) -> Option<usize> {
        Some(0)
    }

    /// Along the columns for each row, then along the rows.
    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64 {
        let taps = self.forward.filter().taps().len() as u64;
        let along = |axis: usize| inputs[0][axis].saturating_mul(taps).div_ceil(output[axis].max(1));
        output[1].saturating_mul(2 * along(2)).saturating_mul(along(3) + 1)
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let dy = operands.inputs[0];
        let axes = AxisId::BOTH.map(|axis| LinearMap {
            inputs: self.inputs(axis),
            outputs: dy[2 + axis.index()] as i64,
            taps: Taps::Resized { at: self.coordinate(axis), filter: self.forward.filter() },
        });
        vec![Instr::Adjoint(Adjoint { dst: operands.dst, src: operands.srcs[0], axes })]
    }
}
