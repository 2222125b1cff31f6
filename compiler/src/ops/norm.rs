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
use zellige_runtime::program::instr::AxisId;

use super::batch_statistics::{Statistics, values_of_a_channel};
use super::conv::{positive, static_channels};
use super::fixed_norm::FixedNorm;
use super::global::{check_groups, spatial};
use super::gradient::{added, scaled};
use super::norm_parts::{Apply, Scale, ScaleShift, Shift};
use super::{
    ArgError, ArgKind, ArgSpec, Args, Averaged, Builder, ChannelScaling, FromAttrs, InTraining, Init, Inputs,
    Op, OpDef, ParamSpec, Requirements, ShapeError, Sizes, Trained, TrainingBuilder, TrainingSite, attrs_of,
};
use crate::base::{AxisMap, ParamId, Shape, ValueId};

/// Added to variances, unless said otherwise: PyTorch's default.
pub(super) const EPS: f64 = 1e-5;
/// Weight of a batch's statistics in running averages, unless said otherwise: PyTorch's default.
const MOMENTUM: f64 = 0.1;

pub(super) fn defs() -> Vec<OpDef> {
    let eps = || ArgSpec::new("eps", ArgKind::Float).elsewhere(&["epsilon"]);
    let affine = || ArgSpec::new("affine", ArgKind::Bool).elsewhere(&["elementwise_affine"]);
    let groups = ArgSpec::new("groups", ArgKind::Int).required().elsewhere(&["num_groups"]);
    vec![
        OpDef::new(
            "batch_norm",
            "Normalisation with fixed statistics, in training with those of the batch.",
            Inputs::Named(&["x"]),
            vec![eps(), affine(), ArgSpec::new("momentum", ArgKind::Float)],
            |args| {
                let affine = args.bool("affine")?.unwrap_or(true);
                let momentum = args.float("momentum")?.unwrap_or(MOMENTUM);
                Ok(BatchNorm { eps: eps_of(args)?, affine, momentum })
            },
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

/// Weight and bias, if there are some, then the running mean and variance.
pub(super) fn batch_norm_params(affine: bool, x: &Shape) -> Result<Vec<ParamSpec>, ShapeError> {
    let mut params = affine_params(affine, x)?;
    params.extend([channels("running_mean", x, 0.0)?, channels("running_var", x, 1.0)?]);
    Ok(params)
}

/// Normalisation with fixed statistics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchNorm {
    eps: f64,
    affine: bool,
    /// Matters to training alone.
    #[serde(default = "default_momentum", skip_serializing_if = "is_default_momentum")]
    momentum: f64,
}

fn default_momentum() -> f64 {
    MOMENTUM
}

fn is_default_momentum(momentum: &f64) -> bool {
    *momentum == MOMENTUM
}

impl FromAttrs for BatchNorm {
    fn check(&self) -> Result<(), ArgError> {
        check_eps(self.eps)?;
        if (0.0..=1.0).contains(&self.momentum) {
            return Ok(());
        }
        Err(ArgError::new("momentum", format!("is between 0 and 1, found {}", self.momentum)))
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        batch_norm_params(self.affine, &inputs[0])
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

    /// Where the running statistics are frozen they are used, as they are later.
    fn training(&self, frozen: &[bool]) -> Option<&dyn InTraining> {
        let statistics = &frozen[frozen.len().saturating_sub(2)..];
        (!statistics.contains(&true)).then_some(self)
    }
}

impl InTraining for BatchNorm {
    fn train(&self, builder: &mut dyn TrainingBuilder, at: &TrainingSite<'_>) -> Result<Trained, ShapeError> {
        let images: Vec<ValueId> = at.inputs.iter().map(|inputs| inputs[0]).collect();
        let counts: Option<Vec<u64>> = images.iter().map(|&x| values_of_a_channel(builder, x)).collect();
        let counts = counts.ok_or_else(|| ShapeError::of_input(0, "statistics are of known sizes"))?;
        let count: u64 = counts.iter().sum();
        if count == 1 {
            let message = "in training a batch norm needs more than one value of each channel";
            return Err(ShapeError::of_input(0, message));
        }
        let statistics = Statistics::of_batch(builder, &images, &counts)
            .ok_or_else(|| ShapeError::of_input(0, "there are no statistics of it"))?;
        let (affine, running) = at.params.split_at(at.params.len() - 2);
        let apply = Normalisation::of(builder, &statistics, self.eps, affine);
        let outputs = images.iter().map(|&x| apply.to(builder, x)).collect();
        let mean = added(builder, statistics.mean, statistics.rest);
        let unbiased = count as f64 / (count - 1) as f64;
        let variance = scaled(builder, statistics.variance, unbiased);
        let average = |(&param, value)| Averaged { param, value, momentum: self.momentum };
        Ok(Trained { outputs, averages: running.iter().zip([mean, variance]).map(average).collect() })
    }
}

/// What is applied to each value of a channel.
struct Normalisation {
    mean: ValueId,
    scale: ValueId,
    shift: ValueId,
}

impl Normalisation {
    /// With weight and bias for parameters, or none.
    fn of(builder: &mut dyn Builder, of: &Statistics, eps: f64, params: &[ParamId]) -> Self {
        let affine = !params.is_empty();
        let (weight, bias) = params.split_at(params.len() / 2);
        let scale = builder.op(Arc::new(Scale { eps, affine }), &[of.variance], weight);
        let shift = builder.op(Arc::new(Shift { affine }), &[of.rest, scale], bias);
        Self { mean: of.mean, scale, shift }
    }

    fn to(&self, builder: &mut dyn Builder, x: ValueId) -> ValueId {
        builder.op(Arc::new(Apply {}), &[x, self.mean, self.scale, self.shift], &[])
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
        let statistics = Statistics::of(builder, x, |which| spatial(which, self.groups))?;
        let apply = Normalisation::of(builder, &statistics, self.eps, self.params);
        Some(apply.to(builder, x))
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
