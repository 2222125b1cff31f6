//! The gradient of padding with a tensor's own pixels: what stands in the padding folds back to where it came from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{Adjoint, AxisId, Border, Instr, LinearMap, Taps};

use super::pad::{Pad, PadMode};
use super::shape::Sides;
use super::{ArgError, Builder, FromAttrs, Lowering, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of};
use crate::base::{AxisMap, Dim, Shape, ValueId};

pub(super) fn defs() -> Vec<OpDef> {
    vec![OpDef::part::<PadDx>("pad.dx", "The gradient of what is padded with its own pixels.", &["dy"])]
}

/// The gradient of what a pad of these amounts (top, left, bottom, right) is given. That of a circular one is continued
/// circularly first, so that what comes together lies side by side. Where padding has no gradient there is nothing to fold back.
pub(super) fn gradient(builder: &mut dyn Builder, dy: ValueId, amounts: [i64; 4], mode: PadMode) -> ValueId {
    if let Some(dx) = builder.given_to(&Pad::new(amounts, PadMode::Zero), dy) {
        return dx;
    }
    let [top, left, bottom, right] = amounts;
    let dy = match mode {
        PadMode::Circular => builder.op(Arc::new(Pad::new([bottom, right, top, left], mode)), &[dy], &[]),
        PadMode::Zero | PadMode::Reflect | PadMode::Replicate => dy,
    };
    builder.op(Arc::new(PadDx { pad: amounts, mode }), &[dy], &[])
}

/// `dx = Σ dy` over the pixels that are, or stand for, the pixel; of a circular pad `dy` is continued by the padding of the opposite
/// side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PadDx {
    /// Top, left, bottom, right.
    pad: [i64; 4],
    mode: PadMode,
}

impl PadDx {
    /// Before and after the pixels along an axis.
    fn amounts(&self, axis: AxisId) -> [i64; 2] {
        [self.pad[axis.index()], self.pad[2 + axis.index()]]
    }

    /// How much more of `dy` there is along an axis.
    fn more(&self, axis: AxisId) -> i64 {
        let [before, after] = self.amounts(axis);
        if self.mode == PadMode::Circular { 2 * (before + after) } else { before + after }
    }

    fn size(&self, axis: AxisId, dy: Sizes) -> i64 {
        dy[2 + axis.index()] as i64 - self.more(axis)
    }
}

impl FromAttrs for PadDx {
    fn check(&self) -> Result<(), ArgError> {
        if self.mode == PadMode::Zero {
            return Err(ArgError::new("mode", "is reflect, replicate or circular: a crop undoes the other"));
        }
        if self.pad.iter().any(|amount| !(0..=1 << 40).contains(amount)) {
            return Err(ArgError::new("pad", format!("is not negative, found {:?}", self.pad)));
        }
        Ok(())
    }
}

impl Op for PadDx {
    fn name(&self) -> &'static str {
        "pad.dx"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let dy = &inputs[0];
        let mut size = |dim: &Dim, axis: AxisId| {
            let size = dim.plus(-self.more(axis));
            let because = format!("the padding is {} of {dim}", self.more(axis));
            requirements.at_least(&size, 1, because).map(|()| size)
        };
        let x = Shape { h: size(&dy.h, AxisId::Y)?, w: size(&dy.w, AxisId::X)?, ..dy.clone() };
        let [top, left, bottom, right] = self.pad.map(Dim::from);
        self.mode.require(&Sides { top, left, bottom, right }, &x, requirements)?;
        Ok(x)
    }

    fn access(&self, _: usize, axis: AxisId, inputs: &[Sizes]) -> AxisMap {
        let ([before, after], size) = (self.amounts(axis), self.size(axis, inputs[0]));
        match self.mode {
            PadMode::Zero => AxisMap::Shift { by: before },
            PadMode::Reflect => AxisMap::MirroredTransposed { before, after, size },
            PadMode::Replicate => AxisMap::ClampedTransposed { before, after, size },
            PadMode::Circular => AxisMap::WrappedTransposed { before, after, size },
        }
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        output[1]
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let border = match self.mode {
            PadMode::Reflect => Border::Mirrored,
            PadMode::Zero | PadMode::Replicate => Border::Clamped,
            PadMode::Circular => Border::Wrapped,
        };
        let dy = operands.inputs[0];
        let axes = AxisId::BOTH.map(|axis| LinearMap {
            inputs: self.size(axis, dy),
            outputs: dy[2 + axis.index()] as i64,
            taps: Taps::Padded { before: self.amounts(axis)[0], border },
        });
        vec![Instr::Adjoint(Adjoint { dst: operands.dst, src: operands.srcs[0], axes })]
    }
}
