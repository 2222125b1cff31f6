//! Normalisation with statistics over space, and with fixed ones.
//!
//! With the mean `m` and the biased variance `v` of a channel (or of a group of them) over all pixels, exact and rounded to f32
//! once, and with `r` what rounding took from `m`:
//!
//! ```text
//! scale = weight / √(v + eps)
//! shift = fma(−r, scale, bias)
//! y     = fma(x − m, scale, shift)
//! ```
//!
//! all in f32. `x − m` is exact where x is about as large as the mean, so that a large mean does not hide a small variance.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::Packing;
use zellige_runtime::program::instr::{AxisId, Statistic};

use super::conv::{positive, static_channels};
use super::fixed_norm::FixedNorm;
use super::global::{check_groups, spatial};
use super::norm_parts::{Apply, Scale, ScaleShift, Shift};
use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, ChannelScaling, FromAttrs, Init, Inputs, Op, OpDef, ParamSpec,
    Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, ParamId, Shape, ValueId};

/// PyTorch's default.
/// Added to variances, unless said otherwise.
pub(super) const EPS: f64 = 1e-5;

pub(super) fn defs() -> Vec<OpDef> {
    let eps = || ArgSpec::new("eps", ArgKind::Float).elsewhere(&["epsilon"]);
    let affine = || ArgSpec::new("affine", ArgKind::Bool).elsewhere(&["elementwise_affine"]);
    let groups = ArgSpec::new("groups", ArgKind::Int).required().elsewhere(&["num_groups"]);
    vec![
        OpDef::new(
            "batch_norm",
            "Normalisation with fixed statistics; goes into the convolution before it where there is one.",
            Inputs::Named(&["x"]),
            vec![eps(), affine()],
            |args| Ok(BatchNorm { eps: eps_of(args)?, affine: args.bool("affine")?.unwrap_or(true) }),
        ),
        OpDef::new(
            "instance_norm",
            "Normalisation of each channel over all pixels.",
            Inputs::Named(&["x"]),
            vec![eps(), affine()],
            |args| Ok(InstanceNorm { eps: eps_of(args)?, affine: args.bool("affine")?.unwrap_or(false) }),
        ),
        OpDef::new(
            "group_norm",
            "Normalisation of groups of channels over all pixels.",
            Inputs::Named(&["x"]),
            vec![groups, eps(), affine()],
            |args| {
                let groups = args.int("groups")?.ok_or_else(|| ArgError::new("groups", "is missing"))?;
                let affine = args.bool("affine")?.unwrap_or(true);
                Ok(GroupNorm { groups, eps: eps_of(args)?, affine })
            },
        ),
    ]
}

fn eps_of(args: &Args) -> Result<f64, ArgError> {
    Ok(args.float("eps")?.unwrap_or(EPS))
}

pub(super) fn check_eps(eps: f64) -> Result<(), ArgError> {
    if eps.is_finite() && eps >= 0.0 {
        Ok(())
    } else {
        Err(ArgError::new("eps", format!("is at least 0, found {eps}")))
    }
}

/// A parameter with one value a channel.
pub(super) fn channels(suffix: &'static str, x: &Shape, init: f32) -> Result<ParamSpec, ShapeError> {
    let dims = vec![static_channels(x)?];
    Ok(ParamSpec { suffix, dims, packing: Packing::Channels, init: Init::Constant(init) })
}

/// Weight and bias, if the op is affine.
fn affine_params(affine: bool, x: &Shape) -> Result<Vec<ParamSpec>, ShapeError> {
    Ok(if affine { vec![channels("weight", x, 1.0)?, channels("bias", x, 0.0)?] } else { Vec::new() })
}

/// Normalisation with fixed statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNorm {
    pub(super) eps: f64,
    pub(super) affine: bool,
}

impl FromAttrs for BatchNorm {
    fn check(&self) -> Result<(), ArgError> {
        check_eps(self.eps)
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        Ok(inputs[0].clone())
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let x = &inputs[0];
        let mut params = affine_params(self.affine, x)?;
        params.extend([channels("running_mean", x, 0.0)?, channels("running_var", x, 1.0)?]);
        Ok(params)
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        2 * output[1]
    }

    fn channel_scaling(&self) -> Option<ChannelScaling> {
        Some(ChannelScaling { eps: self.eps, op: Arc::new(ScaleShift {}) })
    }

    fn unfolded(&self) -> Option<Arc<dyn Op>> {
        Some(Arc::new(FixedNorm { eps: self.eps, affine: self.affine }))
    }
}

/// Normalisation over space: of each channel, or of groups of channels.
struct SpatialNorm<'a> {
    eps: f64,
    groups: Option<u32>,
    /// Weight and bias, or none.
    params: &'a [ParamId],
}

impl SpatialNorm<'_> {
    /// The formulas of the module's documentation.
    fn expand(&self, builder: &mut dyn Builder, x: ValueId) -> Option<ValueId> {
        let mut statistic = |which| Some(builder.op(spatial(which, self.groups)?, &[x], &[]));
        let mean = statistic(Statistic::Mean)?;
        let rest = statistic(Statistic::MeanRest)?;
        let variance = statistic(Statistic::Variance)?;
        let affine = !self.params.is_empty();
        let (weight, bias) = self.params.split_at(self.params.len() / 2);
        let scale = builder.op(Arc::new(Scale { eps: self.eps, affine }), &[variance], weight);
        let shift = builder.op(Arc::new(Shift { affine }), &[rest, scale], bias);
        Some(builder.op(Arc::new(Apply {}), &[x, mean, scale, shift], &[]))
    }
}

/// Normalisation of each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstanceNorm {
    eps: f64,
    affine: bool,
}

impl FromAttrs for InstanceNorm {
    fn check(&self) -> Result<(), ArgError> {
        check_eps(self.eps)
    }
}

impl Op for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance_norm"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        Ok(inputs[0].clone())
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        affine_params(self.affine, &inputs[0])
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        6 * output[1]
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], params: &[ParamId]) -> Option<ValueId> {
        SpatialNorm { eps: self.eps, groups: None, params }.expand(builder, inputs[0])
    }
}

/// Normalisation of groups of channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupNorm {
    groups: u32,
    eps: f64,
    affine: bool,
}

impl FromAttrs for GroupNorm {
    fn check(&self) -> Result<(), ArgError> {
        positive("groups", &[self.groups])?;
        check_eps(self.eps)
    }
}

impl Op for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        check_groups(&inputs[0], self.groups)?;
        Ok(inputs[0].clone())
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        affine_params(self.affine, &inputs[0])
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        6 * output[1]
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], params: &[ParamId]) -> Option<ValueId> {
        SpatialNorm { eps: self.eps, groups: Some(self.groups), params }.expand(builder, inputs[0])
    }
}
