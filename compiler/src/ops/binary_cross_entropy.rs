//! `bce_with_logits`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::AxisId;

use super::arithmetic::sub;
use super::gradient::{added, negated, number, product};
use super::losses::{INPUTS, Reduction, of_equals};
use super::{
    ArgError, ArgKind, ArgSpec, Builder, FromAttrs, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of,
    elementwise,
};
use crate::base::{AxisMap, ParamId, Shape, ValueId};

pub(super) fn defs() -> Vec<OpDef> {
    vec![OpDef::new(
        "bce_with_logits",
        "Binary cross entropy of sigmoid(x) and a target in 0..1.",
        INPUTS,
        vec![ArgSpec::new("pos_weight", ArgKind::Numbers), Reduction::spec()],
        |args| Ok(BceWithLogits { pos_weight: args.numbers("pos_weight")?, reduction: Reduction::of(args)? }),
    )]
}

/// The mean or sum of
///
/// ```text
/// (1 − t) · softplus(x) + pos_weight · t · softplus(−x)
/// ```
///
/// which does not lose small costs in differences of large numbers, whatever the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BceWithLogits {
    /// What counts of the targets: one number, or one a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pos_weight: Option<Vec<f64>>,
    reduction: Reduction,
}

impl FromAttrs for BceWithLogits {
    fn check(&self) -> Result<(), ArgError> {
        check_weights("pos_weight", self.pos_weight.as_deref())
    }
}

/// Whether numbers can be weights.
pub(super) fn check_weights(arg: &'static str, weights: Option<&[f64]>) -> Result<(), ArgError> {
    match weights {
        Some([]) => Err(ArgError::new(arg, "has at least one number")),
        Some(weights) => match weights.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
            Some(wrong) => Err(ArgError::new(arg, format!("is at least 0, found {wrong}"))),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

/// One number a channel as a tensor.
pub(super) fn of_channels(builder: &mut dyn Builder, values: &[f64]) -> ValueId {
    let shape = Shape::new(1, values.len() as i64, 1, 1);
    builder.constant(shape, values.iter().map(|&value| value as f32).collect())
}

impl Op for BceWithLogits {
    fn name(&self) -> &'static str {
        "bce_with_logits"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let count = self.pos_weight.as_ref().map_or(1, Vec::len) as i64;
        if count > 1 {
            let because = format!("`pos_weight` has {count} numbers");
            requirements.equal(&inputs[0].c, &count.into(), because)?;
        }
        of_equals(self.name(), inputs, requirements)
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        8 * inputs[0].iter().product::<u64>()
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], _: &[ParamId]) -> Option<ValueId> {
        let &[x, target] = inputs else { return None };
        let one = number(builder, 1.0);
        let rest = builder.op(sub(), &[one, target], &[]);
        let softplus = elementwise::with_args("softplus", &[1.0, f32::INFINITY])?;
        let above = builder.op(softplus.clone(), &[x], &[]);
        let negative = product(builder, rest, above);
        let minus = negated(builder, x);
        let below = builder.op(softplus, &[minus], &[]);
        let mut positive = product(builder, target, below);
        if let Some(weights) = &self.pos_weight {
            let weights = of_channels(builder, weights);
            positive = product(builder, positive, weights);
        }
        let cost = added(builder, negative, positive);
        self.reduction.of_all(builder, cost)
    }
}
