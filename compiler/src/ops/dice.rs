//! `dice`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{AxisId, Statistic};

use super::arithmetic::{div, sub};
use super::global::over_images;
use super::gradient::{added, number, product, scaled};
use super::losses::{INPUTS, Reduction, of_equals};
use super::{
    ArgError, ArgKind, ArgSpec, Builder, FromAttrs, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of,
    elementwise,
};
use crate::base::{AxisMap, ParamId, Shape, ValueId};

/// The smallest divisor, unless said otherwise.
const EPS: f64 = 1e-7;

pub(super) fn defs() -> Vec<OpDef> {
    vec![OpDef::new(
        "dice",
        "1 minus twice what x and target share over their sum, of each channel over all images and pixels.",
        INPUTS,
        vec![
            ArgSpec::new("smooth", ArgKind::Float),
            ArgSpec::new("eps", ArgKind::Float).elsewhere(&["epsilon"]),
            Reduction::spec(),
        ],
        |args| {
            Ok(Dice {
                smooth: args.float("smooth")?.unwrap_or(0.0),
                eps: args.float("eps")?.unwrap_or(EPS),
                reduction: Reduction::of(args)?,
            })
        },
    )]
}

/// The mean or sum over channels, with sums over images and space, of
///
/// ```text
/// 1 − (2 · Σ x·t + smooth) / max(eps, Σ (x + t) + smooth)
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dice {
    smooth: f64,
    eps: f64,
    reduction: Reduction,
}

impl FromAttrs for Dice {
    fn check(&self) -> Result<(), ArgError> {
        for (arg, value) in [("smooth", self.smooth), ("eps", self.eps)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(ArgError::new(arg, format!("is at least 0, found {value}")));
            }
        }
        Ok(())
    }
}

impl Op for Dice {
    fn name(&self) -> &'static str {
        "dice"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        of_equals(self.name(), inputs, requirements)
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        4 * inputs[0].iter().product::<u64>()
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], _: &[ParamId]) -> Option<ValueId> {
        let &[x, target] = inputs else { return None };
        let (shared, both) = (product(builder, x, target), added(builder, x, target));
        let shared = builder.op(over_images(Statistic::Sum)?, &[shared], &[]);
        let both = builder.op(over_images(Statistic::Sum)?, &[both], &[]);
        let twice = scaled(builder, shared, 2.0);
        let smooth = number(builder, self.smooth);
        let (above, below) = (added(builder, twice, smooth), added(builder, both, smooth));
        let least = elementwise::with_args("clip", &[self.eps as f32, f32::INFINITY])?;
        let below = builder.op(least, &[below], &[]);
        let score = builder.op(div(), &[above, below], &[]);
        let one = number(builder, 1.0);
        let cost = builder.op(sub(), &[one, score], &[]);
        Some(self.reduction.of_channels(builder, cost))
    }
}
