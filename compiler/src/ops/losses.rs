//! Losses: how far a tensor is from its target, as one number. They are made of elementwise ops and of exact sums over images and
//! space, so that their values and gradients do not depend on the tiling.
//!
//! The mean of all values is the mean over its channels of each one's mean over images and space.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{Along, AxisId, FoldKind, Statistic};

use super::arithmetic::{mul, sub};
use super::fold::fold;
use super::global::over_images;
use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, Inputs, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of,
    decode, elementwise,
};
use crate::base::{AxisMap, ParamId, Shape, ValueId};

/// What a loss compares.
pub(super) const INPUTS: Inputs = Inputs::Named(&["x", "target"]);

/// How many values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    /// The argument that says which.
    pub(super) fn spec() -> ArgSpec {
        ArgSpec::new("reduction", ArgKind::Word(&["mean", "sum"]))
    }

    /// What a call says; the mean if it says nothing.
    pub(super) fn of(args: &Args) -> Result<Self, ArgError> {
        let word = args.word("reduction", &["mean", "sum"])?;
        Ok(if word == Some("sum") { Self::Sum } else { Self::Mean })
    }

    /// All values of a tensor as one number.
    pub(super) fn of_all(self, builder: &mut dyn Builder, x: ValueId) -> Option<ValueId> {
        let statistic = match self {
            Self::Mean => Statistic::Mean,
            Self::Sum => Statistic::Sum,
        };
        let channels = builder.op(over_images(statistic)?, &[x], &[]);
        Some(self.of_channels(builder, channels))
    }

    /// The values of the channels of one pixel as one number.
    pub(super) fn of_channels(self, builder: &mut dyn Builder, x: ValueId) -> ValueId {
        let kind = match self {
            Self::Mean => FoldKind::Mean,
            Self::Sum => FoldKind::Sum,
        };
        let single = builder.shape(x).c.constant() == Some(1);
        if single { x } else { fold(builder, Along::Channels, kind, x) }
    }
}

/// The shape of a loss, `name`, of a tensor and a target of the same shape.
pub(super) fn of_equals(
    name: &str,
    inputs: &[Shape],
    requirements: &mut Requirements,
) -> Result<Shape, ShapeError> {
    let (x, target) = (&inputs[0], &inputs[1]);
    for (size, of_target) in x.dims().into_iter().zip(target.dims()) {
        requirements.equal(size, of_target, format!("`{name}` compares {x} with {target}"))?;
    }
    Ok(Shape::new(1, 1, 1, 1))
}

/// A row of the table: a loss that is made of differences.
struct Row {
    name: &'static str,
    doc: &'static str,
    /// Of a difference, what it adds to the loss.
    cost: fn(&mut dyn Builder, ValueId) -> Option<ValueId>,
}

/// The table.
const ROWS: [Row; 2] = [
    Row {
        name: "mse",
        doc: "The mean or sum of (x − target)².",
        cost: |builder, difference| Some(builder.op(mul(), &[difference, difference], &[])),
    },
    Row {
        name: "l1",
        doc: "The mean or sum of |x − target|.",
        cost: |builder, difference| Some(builder.op(elementwise::plain("abs")?, &[difference], &[])),
    },
];

pub(super) fn defs() -> Vec<OpDef> {
    ROWS.iter().map(def).collect()
}

fn def(row: &'static Row) -> OpDef {
    OpDef {
        name: row.name,
        doc: row.doc,
        inputs: INPUTS,
        args: vec![Reduction::spec()],
        build: Arc::new(move |args| {
            Ok(Arc::new(OfDifference { row, attrs: Attrs { reduction: Reduction::of(args)? } }))
        }),
        parse: Arc::new(move |value| {
            let attrs = decode(value).map_err(|e| e.to_string())?;
            Ok(Arc::new(OfDifference { row, attrs }))
        }),
        internal: false,
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    reduction: Reduction,
}

/// A loss given by a row of the table.
struct OfDifference {
    row: &'static Row,
    attrs: Attrs,
}

impl std::fmt::Debug for OfDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.row.name, self.attrs)
    }
}

impl Op for OfDifference {
    fn name(&self) -> &'static str {
        self.row.name
    }

    fn attrs(&self) -> Value {
        attrs_of(&self.attrs)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        of_equals(self.row.name, inputs, requirements)
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        3 * inputs[0].iter().product::<u64>()
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], _: &[ParamId]) -> Option<ValueId> {
        let difference = builder.op(sub(), inputs, &[]);
        let cost = (self.row.cost)(builder, difference)?;
        self.attrs.reduction.of_all(builder, cost)
    }
}
