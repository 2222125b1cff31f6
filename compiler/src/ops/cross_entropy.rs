//! `cross_entropy`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{Along, AxisId, FoldKind, Statistic};

use super::arithmetic::{div, sub};
use super::binary_cross_entropy::{check_weights, of_channels};
use super::conv::static_channels;
use super::fold::fold;
use super::global::over_images;
use super::gradient::product;
use super::loss_parts::{class_mask, pick, unless};
use super::losses::{INPUTS, Reduction};
use super::{
    ArgError, ArgKind, ArgSpec, Builder, Classes, FromAttrs, Op, OpDef, Requirements, ShapeError, Sizes,
    attrs_of, elementwise,
};
use crate::base::{AxisMap, ParamId, Shape, ValueId};

/// PyTorch's default.
const IGNORE_INDEX: i64 = -100;
/// Numbers that are f32s.
const LARGEST_INDEX: i64 = 1 << 24;
/// Most classes: their numbers are a constant of the graph.
const MOST_CLASSES: u64 = 1 << 16;

pub(super) fn defs() -> Vec<OpDef> {
    vec![OpDef::new(
        "cross_entropy",
        "−log softmax(x) of the target's class; the target is the number of a channel of x.",
        INPUTS,
        vec![
            ArgSpec::new("weight", ArgKind::Numbers).elsewhere(&["weights", "class_weights"]),
            ArgSpec::new("ignore_index", ArgKind::Int),
            Reduction::spec(),
        ],
        |args| {
            Ok(CrossEntropy {
                weight: args.numbers("weight")?,
                ignore_index: args.int("ignore_index")?.unwrap_or(IGNORE_INDEX),
                reduction: Reduction::of(args)?,
            })
        },
    )]
}

/// With t the target of a pixel, m the largest of its channels, and w the weight of class t (0 where t is `ignore_index`, NaN where
/// there is no such class):
///
/// ```text
/// f = log(Σ exp(x − m)) − (x_t − m),    Σ over channels one ascending chain
/// loss = Σ w·f / Σ w, or Σ w·f
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CrossEntropy {
    /// Of each class; all count alike if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<Vec<f64>>,
    ignore_index: i64,
    reduction: Reduction,
}

impl FromAttrs for CrossEntropy {
    fn check(&self) -> Result<(), ArgError> {
        if self.ignore_index.unsigned_abs() > LARGEST_INDEX.unsigned_abs() {
            let message = format!("is at most {LARGEST_INDEX}, found {}", self.ignore_index);
            return Err(ArgError::new("ignore_index", message));
        }
        check_weights("weight", self.weight.as_deref())
    }
}

impl CrossEntropy {
    /// Of each pixel, what its class costs: nothing where it is ignored.
    fn costs(
        &self,
        builder: &mut dyn Builder,
        x: ValueId,
        target: ValueId,
        classes: ValueId,
    ) -> Option<ValueId> {
        let largest = fold(builder, Along::Channels, FoldKind::Max, x);
        let below = builder.op(sub(), &[x, largest], &[]);
        let powers = builder.op(elementwise::plain("exp")?, &[below], &[]);
        let total = fold(builder, Along::Channels, FoldKind::Sum, powers);
        let logarithm = builder.op(elementwise::plain("log")?, &[total], &[]);
        let picked = builder.op(pick(), &[below, target, classes], &[]);
        let picked = fold(builder, Along::Channels, FoldKind::Sum, picked);
        let cost = builder.op(sub(), &[logarithm, picked], &[]);
        Some(builder.op(unless(self.ignore_index), &[cost, target], &[]))
    }

    /// Of each pixel, how much it counts.
    fn weights(&self, builder: &mut dyn Builder, target: ValueId, classes: ValueId, count: i64) -> ValueId {
        let mask = builder.op(class_mask(count, self.ignore_index), &[target], &[]);
        let Some(weight) = &self.weight else { return mask };
        let weight = of_channels(builder, weight);
        let picked = builder.op(pick(), &[weight, target, classes], &[]);
        let picked = fold(builder, Along::Channels, FoldKind::Sum, picked);
        product(builder, picked, mask)
    }
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, target) = (&inputs[0], &inputs[1]);
        let classes = static_channels(x)?;
        if classes > MOST_CLASSES {
            let message = format!("`cross_entropy` knows at most {MOST_CLASSES} classes, found {classes}");
            return Err(ShapeError::of_input(0, message));
        }
        if let Some(weight) = &self.weight
            && weight.len() as u64 != classes
        {
            let message =
                format!("`weight` has a length of {} for the {classes} channels of {x}", weight.len());
            return Err(ShapeError::of_input(0, message).hint("there is one weight for each class"));
        }
        if target.c.constant() != Some(1) {
            let message = format!("the target of `cross_entropy` has one channel, found {target}");
            let error = ShapeError::of_input(1, message);
            return Err(
                error.hint("its values are numbers of classes: 0 for the first channel of `x`, and so on")
            );
        }
        for (size, of_target) in [(&x.n, &target.n), (&x.h, &target.h), (&x.w, &target.w)] {
            let because = format!("`cross_entropy` compares {x} with {target}");
            requirements.equal(size, of_target, because)?;
        }
        Ok(Shape::new(1, 1, 1, 1))
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn classes(&self, input: usize, inputs: &[Shape]) -> Option<Classes> {
        let count = inputs.first()?.c.constant()?.unsigned_abs();
        (input == 1).then_some(Classes { count, ignored: self.ignore_index })
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        6 * inputs[0].iter().product::<u64>()
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], _: &[ParamId]) -> Option<ValueId> {
        let &[x, target] = inputs else { return None };
        let count = builder.shape(x).c.constant()?;
        let numbers: Vec<f64> = (0..count).map(|class| class as f64).collect();
        let classes = of_channels(builder, &numbers);
        let costs = self.costs(builder, x, target, classes)?;
        let weights = self.weights(builder, target, classes, count);
        let weighted = product(builder, weights, costs);
        let loss = builder.op(over_images(Statistic::Sum)?, &[weighted], &[]);
        Some(match self.reduction {
            Reduction::Sum => loss,
            Reduction::Mean => {
                let total = builder.op(over_images(Statistic::Sum)?, &[weights], &[]);
                builder.op(div(), &[loss, total], &[])
            }
        })
    }
}
