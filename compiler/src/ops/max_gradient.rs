//! The gradient of the maximum over all pixels: the pixel that it was taken from gets all of it.
//!
//! That is the one that a window over the whole image has its maximum at: the last NaN, or else the first, in raster order, of the
//! largest. It is found by two more maxima, of keys that order the rows that have the largest value, and then the columns of that
//! row, so that no position has to be carried along with a value, and none counts further than an f32 does.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::scalar::{self, Compare, Expr, Ref, Unary};

use super::arithmetic::broadcast_all;
use super::loss_parts::pick;
use super::pointwise::expression;
use super::{Builder, Differentiable, FromAttrs, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of};
use crate::base::{Shape, ValueId};

/// Most rows and columns whose numbers, and the next one, are f32s.
const MOST_PIXELS: u64 = (1 << 24) - 1;

pub(super) fn defs() -> Vec<OpDef> {
    let doc = "The order of the pixels that have the largest value, along one axis; −∞ elsewhere.";
    vec![OpDef::part::<MaximumKey>("maximum_key", doc, &["x", "largest", "number"])]
}

/// The gradient of the input of `largest`, the op of a maximum over space. `None` if sizes are not known, or too large.
pub(super) fn of_input(
    builder: &mut dyn Builder,
    largest: Arc<dyn Op>,
    at: &Differentiable<'_>,
) -> Option<ValueId> {
    let [_, _, h, w] = at.shape(builder, 0).sizes()?;
    if h.max(w) > MOST_PIXELS {
        return None;
    }
    let numbers = |size: u64| (0..size).map(|i| i as f32).collect();
    let rows = builder.constant(Shape::new(1, 1, h as i64, 1), numbers(h));
    let columns = builder.constant(Shape::new(1, 1, 1, w as i64), numbers(w));
    let by_row = Arc::new(MaximumKey { by: Numbers::Rows });
    let keys = builder.op(by_row, &[at.inputs[0], at.output, rows], &[]);
    let row = builder.op(largest.clone(), &[keys], &[]);
    let by_column = Arc::new(MaximumKey { by: Numbers::Columns });
    let keys = builder.op(by_column, &[keys, row, columns], &[]);
    let pixel = builder.op(largest, &[keys], &[]);
    Some(builder.op(pick(), &[at.repeated, keys, pixel], &[]))
}

/// With i the number of a row: `−1 − i` where x is the largest, `i` where both are NaN, −∞ elsewhere. With i that of a column and x
/// the key of its row: `−1 − i` where x is the largest and negative, `i` where it is not, −∞ elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaximumKey {
    by: Numbers,
}

/// Whose numbers are in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Numbers {
    Rows,
    Columns,
}

impl MaximumKey {
    /// The key of a pixel that has the largest value.
    fn found(&self, b: &mut scalar::Builder, largest: Ref, number: Ref) -> Ref {
        let one = b.constant(1.0);
        let negative = b.unary(Unary::Neg, number);
        let first = b.binary(scalar::Binary::Sub, negative, one);
        match self.by {
            Numbers::Rows => first,
            Numbers::Columns => {
                let zero = b.constant(0.0);
                b.select(Compare::Lt, largest, zero, first, number)
            }
        }
    }
}

impl FromAttrs for MaximumKey {}

impl Op for MaximumKey {
    fn name(&self) -> &'static str {
        "maximum_key"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        broadcast_all(self.name(), inputs, requirements)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (x, largest, number) = (b.input(0), b.input(1), b.input(2));
            let nowhere = b.constant(f32::NEG_INFINITY);
            let found = self.found(b, largest, number);
            let mut key = b.select(Compare::Eq, x, largest, found, nowhere);
            if self.by == Numbers::Rows {
                // NaN is not equal to itself.
                let of_nan = b.select(Compare::Eq, x, x, nowhere, number);
                key = b.select(Compare::Eq, largest, largest, key, of_nan);
            }
            key
        })
    }
}
