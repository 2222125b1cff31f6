//! What relates the channels of a pixel to one another: softmax, argmax and layer normalisation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{Along, AxisId, FoldKind};

use super::arithmetic::{div, mul, sub};
use super::fold::fold;
use super::norm::{EPS, channels as parameter, check_eps};
use super::norm_parts::{Scale, ScaleShift};
use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, FromAttrs, Inputs, Op, OpDef, ParamSpec, Requirements,
    ShapeError, Sizes, attrs_of, elementwise,
};
use crate::base::{AxisMap, ParamId, Shape, ValueId};

pub(super) fn defs() -> Vec<OpDef> {
    let axis = || vec![ArgSpec::new("axis", ArgKind::Int).elsewhere(&["dim"])];
    vec![
        OpDef::new(
            "softmax",
            "exp(x) over its sum over the channels of a pixel.",
            Inputs::Named(&["x"]),
            axis(),
            |args| channels(args).map(|()| Softmax {}),
        ),
        OpDef::new(
            "argmax",
            "The first channel with the largest value, as a number.",
            Inputs::Named(&["x"]),
            axis(),
            |args| channels(args).map(|()| Argmax {}),
        ),
        OpDef::new(
            "layer_norm",
            "Normalisation over the channels of each pixel.",
            Inputs::Named(&["x"]),
            vec![
                ArgSpec::new("eps", ArgKind::Float).elsewhere(&["epsilon"]),
                ArgSpec::new("affine", ArgKind::Bool).elsewhere(&["elementwise_affine"]),
            ],
            |args| {
                let eps = args.float("eps")?.unwrap_or(EPS);
                Ok(LayerNorm { eps, affine: args.bool("affine")?.unwrap_or(true) })
            },
        ),
    ]
}

/// Channels that have numbers which are f32s.
const MOST_CHOICES: i64 = 1 << 24;

/// There is one axis only; that it is the one is for the reader.
fn channels(args: &Args) -> Result<(), ArgError> {
    match args.int::<i64>("axis")?.unwrap_or(1) {
        1 => Ok(()),
        axis => Err(ArgError::new("axis", format!("is 1 (channels), found {axis}"))),
    }
}

/// Softmax over channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Softmax {}

impl FromAttrs for Softmax {}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        5 * output[1]
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], _: &[ParamId]) -> Option<ValueId> {
        let x = inputs[0];
        let largest = fold(builder, Along::Channels, FoldKind::Max, x);
        let below = builder.op(sub(), &[x, largest], &[]);
        let powers = builder.op(elementwise::plain("exp")?, &[below], &[]);
        let total = fold(builder, Along::Channels, FoldKind::Sum, powers);
        Some(builder.op(div(), &[powers, total], &[]))
    }
}

/// The channel with the largest value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Argmax {}

impl FromAttrs for Argmax {}

impl Op for Argmax {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        let x = &inputs[0];
        if x.c.constant().is_some_and(|c| c > MOST_CHOICES) {
            let message = format!("argmax numbers at most {MOST_CHOICES} channels, found {}", x.c);
            return Err(ShapeError::of_input(0, message));
        }
        Ok(Shape { c: 1.into(), ..x.clone() })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        inputs[0][1]
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], _: &[ParamId]) -> Option<ValueId> {
        Some(fold(builder, Along::Channels, FoldKind::Argmax, inputs[0]))
    }
}

/// Normalisation over channels, with the mean `m` and the biased variance `v` of each pixel in f64 chains, rounded once:
///
/// ```text
/// y = (x − m) · (1 / √(v + eps)), then fma(y, weight, bias);  v is the mean of (x − m)²
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerNorm {
    eps: f64,
    affine: bool,
}

impl FromAttrs for LayerNorm {
    fn check(&self) -> Result<(), ArgError> {
        check_eps(self.eps)
    }
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let x = &inputs[0];
        let both = || Ok(vec![parameter("weight", x, 1.0)?, parameter("bias", x, 0.0)?]);
        if self.affine { both() } else { Ok(Vec::new()) }
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        7 * output[1]
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], params: &[ParamId]) -> Option<ValueId> {
        let x = inputs[0];
        let mean = fold(builder, Along::Channels, FoldKind::Mean, x);
        let centred = builder.op(sub(), &[x, mean], &[]);
        let variance = fold(builder, Along::Channels, FoldKind::MeanSquare, centred);
        let scale = builder.op(Arc::new(Scale { eps: self.eps, affine: false }), &[variance], &[]);
        let normal = builder.op(mul(), &[centred, scale], &[]);
        Some(if self.affine { builder.op(Arc::new(ScaleShift {}), &[normal], params) } else { normal })
    }
}
