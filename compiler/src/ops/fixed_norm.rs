//! Batch normalisation with fixed statistics where it is not folded: in a graph that is differentiated.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use zellige_runtime::scalar::{Binary, Expr, Unary};

use super::norm::{batch_norm_params, check_eps};
use super::norm_gradient::{ScaledBy, of_variance};
use super::pointwise::expression;
use super::{
    ArgError, Differentiable, FromAttrs, Gradients, Op, OpDef, ParamSpec, ShapeError, Sizes, attrs_of,
};
use crate::base::Shape;

pub(super) fn defs() -> Vec<OpDef> {
    let doc = "fma(x − running_mean, weight / √(running_var + eps), bias).";
    vec![OpDef::part::<FixedNorm>("fixed_norm", doc, &["x"])]
}

/// `fma(x − mean, weight / √(variance + eps), bias)` in f32, all of them parameters; weight 1 and bias +0 if it is not affine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FixedNorm {
    pub(super) eps: f64,
    pub(super) affine: bool,
}

impl FromAttrs for FixedNorm {
    fn check(&self) -> Result<(), ArgError> {
        check_eps(self.eps)
    }
}

impl Op for FixedNorm {
    fn name(&self) -> &'static str {
        "fixed_norm"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        batch_norm_params(self.affine, &inputs[0])
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        6 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let x = b.input(0);
            let (weight, bias, mean, variance) = if self.affine {
                (b.input(1), b.input(2), b.input(3), b.input(4))
            } else {
                (b.constant(1.0), b.constant(0.0), b.input(1), b.input(2))
            };
            let eps = b.constant(self.eps as f32);
            let sum = b.binary(Binary::Add, variance, eps);
            let deviation = b.unary(Unary::Sqrt, sum);
            let scale = b.binary(Binary::Div, weight, deviation);
            let centred = b.binary(Binary::Sub, x, mean);
            b.fma(centred, scale, bias)
        })
    }

    /// The statistics have none.
    fn gradient(&self, builder: &mut dyn super::Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let (affine, statistics) = at.params.split_at(at.params.len() - 2);
        let dy = at.gradient;
        let dx = builder.op(of_variance("fixed_norm.dx", self.eps)?, &[dy], &statistics[1..]);
        let [weight, _] = *affine else {
            return Some(Gradients { inputs: vec![Some(dx)], params: vec![None; 2] });
        };
        let dx = builder.op(Arc::new(ScaledBy {}), &[dx], &[weight]);
        let dweight = of_variance("fixed_norm.dweight", self.eps)?;
        let dweight = builder.op(dweight, &[at.inputs[0], dy], statistics);
        let dweight = at.sum_to_channels(builder, dweight)?;
        let dbias = at.sum_to_channels(builder, dy)?;
        Some(Gradients { inputs: vec![Some(dx)], params: vec![Some(dweight), Some(dbias), None, None] })
    }
}
