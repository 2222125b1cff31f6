//! Reductions along one axis, which other ops are made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{self, Along, AxisId, FoldKind, Instr};

use super::gradient::{divided, product, scaled};
use super::{
    Builder, Differentiable, FromAttrs, Gradients, Lowering, Op, OpDef, Requirements, ShapeError, Sizes,
    attrs_of,
};
use crate::base::{AxisMap, Shape, ValueId};

pub(super) fn defs() -> Vec<OpDef> {
    let doc = "All values along one axis, in ascending order, as one.";
    vec![OpDef::part::<Fold>("fold", doc, &["x"])]
}

/// Adds a fold of `x`.
pub(super) fn fold(builder: &mut dyn Builder, along: Along, kind: FoldKind, x: ValueId) -> ValueId {
    builder.op(Arc::new(Fold { along, kind }), &[x], &[])
}

/// A reduction along one axis, which keeps size 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fold {
    pub(super) along: Along,
    pub(super) kind: FoldKind,
}

impl Fold {
    /// Number of values that become one.
    fn length(&self, [_, c, h, w]: Sizes) -> u64 {
        match self.along {
            Along::Channels => c,
            Along::Rows => h,
            Along::Columns => w,
        }
    }
}

impl FromAttrs for Fold {}

impl Op for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        let mut shape = inputs[0].clone();
        let folded = match self.along {
            Along::Channels => &mut shape.c,
            Along::Rows => &mut shape.h,
            Along::Columns => &mut shape.w,
        };
        *folded = 1.into();
        Ok(shape)
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        if self.along.is(axis) { AxisMap::All } else { AxisMap::Identity }
    }

    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64 {
        let each = if self.kind == FoldKind::MeanSquare { 2 } else { 1 };
        each * self.length(inputs[0]) * output[1]
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        vec![Instr::Fold(instr::Fold {
            dst: operands.dst,
            src: operands.srcs[0],
            along: self.along,
            kind: self.kind,
            length: self.length(operands.inputs[0]),
        })]
    }

    /// The largest value counts as a constant: it is there to keep exponentials in range, and what is made of it does not depend on
    /// it.
    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let (x, dy) = (at.inputs[0], at.repeated);
        let length = self.length(at.shape(builder, 0).sizes()?) as f64;
        Some(Gradients::of_input(match self.kind {
            FoldKind::Sum => dy,
            FoldKind::Mean => divided(builder, dy, length),
            FoldKind::MeanSquare => {
                let dy = scaled(builder, dy, 2.0);
                let dy = divided(builder, dy, length);
                product(builder, x, dy)
            }
            FoldKind::Max | FoldKind::Argmax => return Some(Gradients::none()),
        }))
    }
}
