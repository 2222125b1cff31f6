//! Dropout: nothing but in training, and what it is there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{self, AxisId, Instr};
use zellige_runtime::scalar::Expr;

use super::pointwise::expression;
use super::{
    ArgError, ArgKind, ArgSpec, Builder, Differentiable, FromAttrs, Gradients, InTraining, Inputs, Lowering,
    Op, OpDef, Requirements, ShapeError, Sizes, Trained, TrainingBuilder, TrainingSite, attrs_of,
};
use crate::base::{AxisMap, Shape, ValueId};

/// Chance that a value is dropped, unless said otherwise: PyTorch's default.
const CHANCE: f64 = 0.5;

pub(super) fn defs() -> Vec<OpDef> {
    let p = ArgSpec::new("p", ArgKind::Float).elsewhere(&["rate", "prob", "ratio"]);
    vec![
        OpDef::new(
            "dropout",
            "In training each value is 0 with chance `p`, others are divided by 1 − p; otherwise nothing.",
            Inputs::Named(&["x"]),
            vec![p],
            |args| Ok(Dropout { p: args.float("p")?.unwrap_or(CHANCE) }),
        ),
        OpDef::part::<Dropped>("dropped", "x with values dropped at random.", &["x", "key"]),
    ]
}

fn check_chance(p: f64) -> Result<(), ArgError> {
    if (0.0..=1.0).contains(&p) {
        return Ok(());
    }
    Err(ArgError::new("p", format!("is between 0 and 1, found {p}")))
}

/// What drops values in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dropout {
    p: f64,
}

impl FromAttrs for Dropout {
    fn check(&self) -> Result<(), ArgError> {
        check_chance(self.p)
    }
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
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

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| b.input(0))
    }

    fn gradient(&self, _: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        Some(Gradients::of_input(at.repeated))
    }

    fn is_identity(&self, _: &[Shape]) -> bool {
        true
    }

    fn training(&self, _: &[bool]) -> Option<&dyn InTraining> {
        (self.p > 0.0).then_some(self)
    }
}

impl InTraining for Dropout {
    fn train(&self, builder: &mut dyn TrainingBuilder, at: &TrainingSite<'_>) -> Result<Trained, ShapeError> {
        let key = builder.random_key();
        let mut drop = |(image, inputs): (usize, &Vec<ValueId>)| {
            let op = Dropped { p: self.p, stream: [at.number, image as u32] };
            builder.op(Arc::new(op), &[inputs[0], key], &[])
        };
        let outputs = at.inputs.iter().enumerate().map(&mut drop).collect();
        Ok(Trained { outputs, averages: Vec::new() })
    }
}

/// `x · m`, where m is 0 with chance p and `1 / (1 − p)` otherwise: a number of a random stream, by the coordinates in the tensor.
/// The same of the output's gradient is that of x.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dropped {
    p: f64,
    /// Number of the op in its graph, and of the image in the batch.
    stream: [u32; 2],
}

impl FromAttrs for Dropped {
    fn check(&self) -> Result<(), ArgError> {
        check_chance(self.p)
    }
}

impl Op for Dropped {
    fn name(&self) -> &'static str {
        "dropped"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        if inputs[1] != Shape::new(1, instr::Dropout::KEY_CHANNELS as i64, 1, 1) {
            let message = format!("a key is four numbers, found {}", inputs[1]);
            return Err(ShapeError::of_input(1, message));
        }
        Ok(inputs[0].clone())
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        20 * output[1]
    }

    fn depends_on_place(&self) -> bool {
        true
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let (dst, &[src, key]) = (operands.dst, operands.srcs) else { return Vec::new() };
        let dropped = (self.p * f64::from(instr::Dropout::NUMBERS)).round() as u32;
        let scale = if self.p < 1.0 { (1.0 / (1.0 - self.p)) as f32 } else { 0.0 };
        vec![Instr::Dropout(instr::Dropout { dst, src, key, stream: self.stream, dropped, scale })]
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let dx = builder.op(Arc::new(self.clone()), &[at.gradient, at.inputs[1]], &[]);
        Some(Gradients::of_inputs([Some(dx), None]))
    }
}
