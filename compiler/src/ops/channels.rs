//! What relates the channels of a pixel to one another: softmax, argmax and layer normalisation.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::Packing;
use zellige_runtime::program::instr::{Along, AxisId, FoldKind};
use zellige_runtime::scalar::{self, Binary, Expr, Unary};

use super::arithmetic::{div, mul, sub};
use super::conv::static_channels;
use super::fold::fold;
use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, FromAttrs, Init, Inputs, Op, OpDef, ParamSpec, Requirements,
    ShapeError, Sizes, activations, attrs_of,
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
                let eps = args.float("eps")?.unwrap_or(1e-5);
                Ok(LayerNorm { eps, affine: args.bool("affine")?.unwrap_or(true) })
            },
        ),
        internal("inverse_deviation", "1 / sqrt(x + eps)", || InverseDeviation { eps: 0.0 }),
        internal("affine", "fma(x, weight, bias), one of each a channel", || Affine {}),
    ]
}

/// An op that the language does not know.
fn internal<T: FromAttrs>(name: &'static str, doc: &'static str, build: fn() -> T) -> OpDef {
    OpDef::new(name, doc, Inputs::Named(&["x"]), Vec::new(), move |_| Ok(build())).internal()
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

impl FromAttrs for Softmax {
    fn check(&self) -> Result<(), ArgError> {
        Ok(())
    }
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        Ok(inputs[0].clone())
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
        let powers = builder.op(activations::plain("exp")?, &[below], &[]);
        let total = fold(builder, Along::Channels, FoldKind::Sum, powers);
        Some(builder.op(div(), &[powers, total], &[]))
    }
}

/// The channel with the largest value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Argmax {}

impl FromAttrs for Argmax {
    fn check(&self) -> Result<(), ArgError> {
        Ok(())
    }
}

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

/// Normalisation over channels: `(x − mean) / sqrt(variance + eps)`, then a factor and a summand a channel.
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

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        Ok(inputs[0].clone())
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        if self.affine { Affine {}.params(inputs) } else { Ok(Vec::new()) }
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
        let scale = builder.op(Arc::new(InverseDeviation { eps: self.eps }), &[variance], &[]);
        let normal = builder.op(mul(), &[centred, scale], &[]);
        Some(if self.affine { builder.op(Arc::new(Affine {}), &[normal], params) } else { normal })
    }
}

fn check_eps(eps: f64) -> Result<(), ArgError> {
    if eps.is_finite() && eps >= 0.0 {
        Ok(())
    } else {
        Err(ArgError::new("eps", format!("is at least 0, found {eps}")))
    }
}

/// `1 / sqrt(variance + eps)`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InverseDeviation {
    eps: f64,
}

impl FromAttrs for InverseDeviation {
    fn check(&self) -> Result<(), ArgError> {
        check_eps(self.eps)
    }
}

impl Op for InverseDeviation {
    fn name(&self) -> &'static str {
        "inverse_deviation"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        Ok(inputs[0].clone())
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        3 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        let mut b = scalar::Builder::new();
        let (variance, eps, one) = (b.input(0), b.constant(self.eps as f32), b.constant(1.0));
        let positive = b.binary(Binary::Add, variance, eps);
        let deviation = b.unary(Unary::Sqrt, positive);
        let inverse = b.binary(Binary::Div, one, deviation);
        b.finish(inverse).ok()
    }
}

/// `fma(x, weight, bias)` with one weight and bias a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Affine {}

impl FromAttrs for Affine {
    fn check(&self) -> Result<(), ArgError> {
        Ok(())
    }
}

impl Op for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        Ok(inputs[0].clone())
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let c = static_channels(&inputs[0])?;
        let param = |suffix, init| {
            let init = Init::Constant(init);
            ParamSpec { suffix, dims: vec![c], packing: Packing::Channels, init }
        };
        Ok(vec![param("weight", 1.0), param("bias", 0.0)])
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        2 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        let mut b = scalar::Builder::new();
        let (x, weight, bias) = (b.input(0), b.input(1), b.input(2));
        let result = b.fma(x, weight, bias);
        b.finish(result).ok()
    }
}
