//! Infix arithmetic with broadcasting over images, channels and space of size 1.

use serde_json::{Map, Value};
use zellige_grammar::Code;
use zellige_runtime::scalar::{Binary, Expr};

use super::gradient::{negated, product};
use super::pointwise::expression;
use super::{Differentiable, Gradients, Inputs, Op, OpDef, Requirements, ShapeError, Sizes};
use crate::base::{Dim, Shape};
use std::sync::Arc;

const KINDS: [(&str, &str, Binary); 4] = [
    ("add", "Sum; also written `+`.", Binary::Add),
    ("sub", "Difference; also written `-`.", Binary::Sub),
    ("mul", "Product; also written `*`.", Binary::Mul),
    ("div", "Quotient; also written `/`.", Binary::Div),
];

pub(super) fn defs() -> Vec<OpDef> {
    KINDS
        .iter()
        .enumerate()
        .map(|(kind, &(name, doc, _))| OpDef {
            name,
            doc,
            inputs: Inputs::Named(&["a", "b"]),
            args: Vec::new(),
            build: Arc::new(move |_| Ok(Arc::new(Arithmetic { kind }))),
            parse: Arc::new(move |attrs| match attrs.as_object() {
                Some(attrs) if attrs.is_empty() => Ok(Arc::new(Arithmetic { kind })),
                _ => Err(format!("`{name}` has no attributes")),
            }),
            internal: false,
        })
        .collect()
}

/// `a + b`
pub(super) fn add() -> Arc<dyn Op> {
    Arc::new(Arithmetic { kind: 0 })
}

/// `a - b`
pub(super) fn sub() -> Arc<dyn Op> {
    Arc::new(Arithmetic { kind: 1 })
}

/// `a * b`
pub(super) fn mul() -> Arc<dyn Op> {
    Arc::new(Arithmetic { kind: 2 })
}

/// `a / b`
pub(super) fn div() -> Arc<dyn Op> {
    Arc::new(Arithmetic { kind: 3 })
}

/// The shape of two tensors that are repeated over one another by an op, `name`.
fn broadcast(name: &str, a: &Shape, b: &Shape, requirements: &mut Requirements) -> Result<Shape, ShapeError> {
    let because = format!("`{name}` combines {a} with {b}");
    let mut broadcast = |x: &Dim, y: &Dim| {
        let one = |d: &Dim| d.constant() == Some(1);
        if one(x) {
            return Ok(y.clone());
        }
        if !one(y) {
            requirements.equal(x, y, because.clone()).map_err(|e| e.code(Code::E0309))?;
        }
        Ok(x.clone())
    };
    Ok(Shape {
        n: broadcast(&a.n, &b.n)?,
        c: broadcast(&a.c, &b.c)?,
        h: broadcast(&a.h, &b.h)?,
        w: broadcast(&a.w, &b.w)?,
    })
}

/// The shape of all of an op's inputs, which are repeated over one another.
pub(super) fn broadcast_all(
    name: &str,
    inputs: &[Shape],
    requirements: &mut Requirements,
) -> Result<Shape, ShapeError> {
    let (first, others) = (inputs[0].clone(), &inputs[1..]);
    others.iter().try_fold(first, |shape, other| broadcast(name, &shape, other, requirements))
}

/// A primitive of two tensors.
#[derive(Clone, Debug)]
pub(super) struct Arithmetic {
    /// Row of [`KINDS`].
    kind: usize,
}

impl Op for Arithmetic {
    fn name(&self) -> &'static str {
        KINDS[self.kind].0
    }

    fn attrs(&self) -> Value {
        Value::Object(Map::new())
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        broadcast_all(self.name(), inputs, requirements)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (x, y) = (b.input(0), b.input(1));
            b.binary(KINDS[self.kind].2, x, y)
        })
    }

    /// Of a quotient by its divisor it is `−dy · y / b`, as PyTorch has it.
    fn gradient(&self, builder: &mut dyn super::Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let ([a, b], dy) = (<[_; 2]>::try_from(at.inputs).ok()?, at.repeated);
        let (left, right) = match KINDS[self.kind].2 {
            Binary::Mul => (product(builder, dy, b), product(builder, dy, a)),
            Binary::Div => (builder.op(div(), &[dy, b], &[]), product(builder, dy, at.output)),
            _ => (dy, dy),
        };
        let da = at.sum_to_input(builder, left, 0)?;
        let db = at.sum_to_input(builder, right, 1)?.map(|sum| match KINDS[self.kind].2 {
            Binary::Sub => negated(builder, sum),
            Binary::Div => {
                let quotient = builder.op(div(), &[sum, b], &[]);
                negated(builder, quotient)
            }
            _ => sum,
        });
        Some(Gradients::of_inputs([da, db]))
    }
}
