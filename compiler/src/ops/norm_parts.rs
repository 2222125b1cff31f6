//! Elementwise ops that normalisations are made of; the language does not know them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::scalar::{Binary, Expr, Unary};

use super::arithmetic::sub;
use super::gradient::{negated, product};
use super::norm::{channels, check_eps};
use super::norm_gradient::{ScaledBy, of_variance};
use super::pointwise::expression;
use super::{
    ArgError, Differentiable, FromAttrs, Gradients, Op, OpDef, ParamSpec, ShapeError, Sizes, attrs_of,
};
use crate::base::Shape;

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::part::<Scale>("norm_scale", "weight / √(variance + eps).", &["variance"]),
        OpDef::part::<Shift>("norm_shift", "fma(−rest, scale, bias).", &["rest", "scale"]),
        OpDef::part::<Apply>("norm_apply", "fma(x − mean, scale, shift).", &["x", "mean", "scale", "shift"]),
        OpDef::part::<ScaleShift>("scale_shift", "fma(x, scale, shift), with one of each a channel.", &["x"]),
    ]
}

/// `weight / √(variance + eps)`, or `1 / √(variance + eps)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scale {
    pub(super) eps: f64,
    pub(super) affine: bool,
}

impl FromAttrs for Scale {
    fn check(&self) -> Result<(), ArgError> {
        check_eps(self.eps)
    }
}

impl Op for Scale {
    fn name(&self) -> &'static str {
        "norm_scale"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        if self.affine { Ok(vec![channels("weight", &inputs[0], 1.0)?]) } else { Ok(Vec::new()) }
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        3 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (variance, eps) = (b.input(0), b.constant(self.eps as f32));
            let sum = b.binary(Binary::Add, variance, eps);
            let deviation = b.unary(Unary::Sqrt, sum);
            let weight = if self.affine { b.input(1) } else { b.constant(1.0) };
            b.binary(Binary::Div, weight, deviation)
        })
    }

    fn gradient(&self, builder: &mut dyn super::Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let (variance, dy) = (at.inputs[0], at.repeated);
        let dvariance = of_variance("norm_scale.dvariance", self.eps)?;
        let dvariance = builder.op(dvariance, &[variance, at.output, dy], &[]);
        let params = if self.affine {
            let dweight = builder.op(of_variance("norm_scale.dweight", self.eps)?, &[variance, dy], &[]);
            vec![Some(at.sum_to_channels(builder, dweight)?)]
        } else {
            Vec::new()
        };
        Some(Gradients { inputs: vec![Some(dvariance)], params })
    }
}

/// `fma(−rest, scale, bias)`, or `fma(−rest, scale, +0)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shift {
    pub(super) affine: bool,
}

impl FromAttrs for Shift {}

impl Op for Shift {
    fn name(&self) -> &'static str {
        "norm_shift"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        if self.affine { Ok(vec![channels("bias", &inputs[0], 0.0)?]) } else { Ok(Vec::new()) }
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        2 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (rest, scale) = (b.input(0), b.input(1));
            let rest = b.unary(Unary::Neg, rest);
            let bias = if self.affine { b.input(2) } else { b.constant(0.0) };
            b.fma(rest, scale, bias)
        })
    }

    fn gradient(&self, builder: &mut dyn super::Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let ([rest, scale], dy) = (<[_; 2]>::try_from(at.inputs).ok()?, at.gradient);
        let minus = negated(builder, dy);
        let (drest, dscale) = (product(builder, minus, scale), product(builder, minus, rest));
        let inputs = vec![at.sum_to_input(builder, drest, 0)?, at.sum_to_input(builder, dscale, 1)?];
        let params = if self.affine { vec![Some(at.sum_to_channels(builder, dy)?)] } else { Vec::new() };
        Some(Gradients { inputs, params })
    }
}

/// `fma(x − mean, scale, shift)`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Apply {}

impl FromAttrs for Apply {}

impl Op for Apply {
    fn name(&self) -> &'static str {
        "norm_apply"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        3 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (x, mean, scale, shift) = (b.input(0), b.input(1), b.input(2), b.input(3));
            let centred = b.binary(Binary::Sub, x, mean);
            b.fma(centred, scale, shift)
        })
    }

    fn gradient(&self, builder: &mut dyn super::Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let ([x, mean, scale, _], dy) = (<[_; 4]>::try_from(at.inputs).ok()?, at.repeated);
        let dx = product(builder, dy, scale);
        let dmean = if at.shape(builder, 1) == at.shape(builder, 2) {
            // One sum serves mean and shift, since the scale does not change where they are summed.
            at.sum_to_input(builder, dy, 1)?.map(|sum| product(builder, sum, scale))
        } else {
            at.sum_to_input(builder, dx, 1)?
        };
        let dmean = dmean.map(|sum| negated(builder, sum));
        let centred = builder.op(sub(), &[x, mean], &[]);
        let normal = product(builder, dy, centred);
        let dscale = at.sum_to_input(builder, normal, 2)?;
        let dshift = at.sum_to_input(builder, dy, 3)?;
        Some(Gradients::of_inputs([Some(dx), dmean, dscale, dshift]))
    }
}

/// `fma(x, scale, shift)` with parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScaleShift {}

impl FromAttrs for ScaleShift {}

impl Op for ScaleShift {
    fn name(&self) -> &'static str {
        "scale_shift"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        Ok(vec![channels("scale", &inputs[0], 1.0)?, channels("shift", &inputs[0], 0.0)?])
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        2 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (x, scale, shift) = (b.input(0), b.input(1), b.input(2));
            b.fma(x, scale, shift)
        })
    }

    fn gradient(&self, builder: &mut dyn super::Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let (x, dy) = (at.inputs[0], at.gradient);
        let dx = builder.op(Arc::new(ScaledBy {}), &[dy], &at.params[..1]);
        let dscale = product(builder, x, dy);
        let dscale = at.sum_to_channels(builder, dscale)?;
        let dshift = at.sum_to_channels(builder, dy)?;
        Some(Gradients { inputs: vec![Some(dx)], params: vec![Some(dscale), Some(dshift)] })
    }
}
