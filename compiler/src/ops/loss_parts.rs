//! Elementwise ops that losses over classes are made of; the language does not know them.

use std::sync::Arc;

use serde_json::{Map, Value};
use zellige_runtime::scalar::{Builder, Compare, Expr, Ref, Unary};

use super::arithmetic::broadcast_all;
use super::pointwise::expression;
use super::{Differentiable, Gradients, Inputs, Op, OpDef, Requirements, ShapeError, Sizes};
use crate::base::Shape;

/// A row of the table.
struct Row {
    name: &'static str,
    doc: &'static str,
    inputs: &'static [&'static str],
    /// Its attributes, whole numbers.
    attrs: &'static [&'static str],
    /// Of the inputs and the attributes.
    expr: fn(&mut Builder, &[Ref], &[Ref]) -> Ref,
    /// Whether it is linear in its first input: then it makes the gradient of that from the output's. Others do not matter to the
    /// output but in steps.
    linear: bool,
}

/// The table. All inputs are repeated over one another.
const ROWS: [Row; 3] = [
    Row {
        name: "pick",
        doc: "x where the target is the class, +0 elsewhere.",
        inputs: &["x", "target", "class"],
        attrs: &[],
        expr: |b, of, _| {
            let zero = b.constant(0.0);
            b.select(Compare::Eq, of[1], of[2], of[0], zero)
        },
        linear: true,
    },
    Row {
        name: "unless",
        doc: "+0 where the target is a given number, x elsewhere.",
        inputs: &["x", "target"],
        attrs: &["index"],
        expr: |b, of, attrs| {
            let zero = b.constant(0.0);
            b.select(Compare::Eq, of[1], attrs[0], zero, of[0])
        },
        linear: true,
    },
    Row {
        name: "class_mask",
        doc: "1 for the number of a class, 0 for the one that is ignored, NaN for anything else.",
        inputs: &["target"],
        attrs: &["classes", "ignore"],
        expr: |b, of, attrs| {
            let (target, [classes, ignore]) = (of[0], [attrs[0], attrs[1]]);
            let (zero, one, nan) = (b.constant(0.0), b.constant(1.0), b.constant(f32::NAN));
            let floor = b.unary(Unary::Floor, target);
            let whole = b.select(Compare::Eq, floor, target, one, nan);
            let from_zero = b.select(Compare::Le, zero, target, whole, nan);
            let class = b.select(Compare::Lt, target, classes, from_zero, nan);
            b.select(Compare::Eq, target, ignore, zero, class)
        },
        linear: false,
    },
];

pub(super) fn defs() -> Vec<OpDef> {
    ROWS.iter().map(def).collect()
}

fn def(row: &'static Row) -> OpDef {
    OpDef::parsed(row.name, row.doc, Inputs::Named(row.inputs), move |value| {
        let attrs = value.as_object().filter(|attrs| attrs.len() == row.attrs.len());
        let attrs = attrs.ok_or_else(|| format!("attributes of `{}` are {:?}", row.name, row.attrs))?;
        let read = |name: &&str| {
            let number = attrs.get(*name).and_then(Value::as_i64);
            number.ok_or_else(|| format!("`{name}` of `{}` is an integer", row.name))
        };
        Ok(Arc::new(Part { row, attrs: row.attrs.iter().map(read).collect::<Result<_, _>>()? }))
    })
}

fn part(row: usize, attrs: &[i64]) -> Arc<dyn Op> {
    Arc::new(Part { row: &ROWS[row], attrs: attrs.to_vec() })
}

/// The op of inputs x, target and class that gives x where the target is the class.
pub(super) fn pick() -> Arc<dyn Op> {
    part(0, &[])
}

/// The op of inputs x and target that gives 0 where the target is `index`.
pub(super) fn unless(index: i64) -> Arc<dyn Op> {
    part(1, &[index])
}

/// The op that tells whether a target is a class, and not ignored.
pub(super) fn class_mask(classes: i64, ignore: i64) -> Arc<dyn Op> {
    part(2, &[classes, ignore])
}

/// An op given by a row of the table.
struct Part {
    row: &'static Row,
    attrs: Vec<i64>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.row.name, self.attrs)
    }
}

impl Op for Part {
    fn name(&self) -> &'static str {
        self.row.name
    }

    fn attrs(&self) -> Value {
        let attrs = self.row.attrs.iter().zip(&self.attrs);
        Value::Object(Map::from_iter(attrs.map(|(name, &value)| ((*name).to_owned(), value.into()))))
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        broadcast_all(self.name(), inputs, requirements)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let of: Vec<Ref> = (0..self.row.inputs.len() as u32).map(|i| b.input(i)).collect();
            let attrs: Vec<Ref> = self.attrs.iter().map(|&attr| b.constant(attr as f32)).collect();
            (self.row.expr)(b, &of, &attrs)
        })
    }

    fn gradient(&self, builder: &mut dyn super::Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        if !self.row.linear {
            return Some(Gradients::none());
        }
        let mut inputs = at.inputs.to_vec();
        inputs[0] = at.repeated;
        let op = Arc::new(Self { row: self.row, attrs: self.attrs.clone() });
        let dx = builder.op(op, &inputs, &[]);
        let dx = at.sum_to_input(builder, dx, 0)?;
        Some(Gradients::of_inputs(std::iter::once(dx).chain(at.inputs[1..].iter().map(|_| None))))
    }
}
