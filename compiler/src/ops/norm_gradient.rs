//! Elementwise ops that gradients of normalisations are made of; the language does not know them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::scalar::{Binary, Builder, Expr, Ref, Unary};

use super::norm::{channels, check_eps};
use super::pointwise::expression;
use super::{FromAttrs, Inputs, Op, OpDef, ParamSpec, ShapeError, Sizes, attrs_of, decode};
use crate::base::Shape;

/// A row of the table: an op that reads a variance.
struct Row {
    name: &'static str,
    doc: &'static str,
    inputs: &'static [&'static str],
    /// Its parameters, one value a channel each, with their initial values.
    params: &'static [(&'static str, f32)],
    /// Of the inputs, then the parameters, with eps.
    expr: fn(&mut Builder, &[Ref], Ref) -> Ref,
}

/// The table.
const ROWS: [Row; 4] = [
    Row {
        name: "norm_scale.dvariance",
        doc: "−dscale · scale / (2 · (variance + eps)).",
        inputs: &["variance", "scale", "dscale"],
        params: &[],
        expr: |b, of, eps| {
            let sum = b.binary(Binary::Add, of[0], eps);
            let product = b.binary(Binary::Mul, of[2], of[1]);
            let half = b.constant(-0.5);
            let product = b.binary(Binary::Mul, half, product);
            b.binary(Binary::Div, product, sum)
        },
    },
    Row {
        name: "norm_scale.dweight",
        doc: "dscale / √(variance + eps).",
        inputs: &["variance", "dscale"],
        params: &[],
        expr: |b, of, eps| over_deviation(b, of[1], of[0], eps),
    },
    Row {
        name: "fixed_norm.dx",
        doc: "dy / √(running_var + eps).",
        inputs: &["dy"],
        params: &[("running_var", 1.0)],
        expr: |b, of, eps| over_deviation(b, of[0], of[1], eps),
    },
    Row {
        name: "fixed_norm.dweight",
        doc: "dy · (x − running_mean) / √(running_var + eps).",
        inputs: &["x", "dy"],
        params: &[("running_mean", 0.0), ("running_var", 1.0)],
        expr: |b, of, eps| {
            let centred = b.binary(Binary::Sub, of[0], of[2]);
            let normal = over_deviation(b, centred, of[3], eps);
            b.binary(Binary::Mul, of[1], normal)
        },
    },
];

/// `x / √(variance + eps)`
fn over_deviation(b: &mut Builder, x: Ref, variance: Ref, eps: Ref) -> Ref {
    let sum = b.binary(Binary::Add, variance, eps);
    let deviation = b.unary(Unary::Sqrt, sum);
    b.binary(Binary::Div, x, deviation)
}

pub(super) fn defs() -> Vec<OpDef> {
    let scaled_by = OpDef::part::<ScaledBy>("scaled_by", "x · scale, with one scale a channel.", &["x"]);
    ROWS.iter().map(def).chain([scaled_by]).collect()
}

fn def(row: &'static Row) -> OpDef {
    OpDef::parsed(row.name, row.doc, Inputs::Named(row.inputs), move |value| {
        let attrs: Attrs = decode(value).map_err(|e| e.to_string())?;
        check_eps(attrs.eps).map_err(|e| e.to_string())?;
        Ok(Arc::new(OfVariance { row, attrs }))
    })
}

/// The op of a row.
pub(super) fn of_variance(name: &str, eps: f64) -> Option<Arc<dyn Op>> {
    let row = ROWS.iter().find(|row| row.name == name)?;
    Some(Arc::new(OfVariance { row, attrs: Attrs { eps } }))
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    eps: f64,
}

/// An op given by a row of the table.
struct OfVariance {
    row: &'static Row,
    attrs: Attrs,
}

impl std::fmt::Debug for OfVariance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.row.name, self.attrs)
    }
}

impl Op for OfVariance {
    fn name(&self) -> &'static str {
        self.row.name
    }

    fn attrs(&self) -> Value {
        attrs_of(&self.attrs)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        self.row.params.iter().map(|&(suffix, init)| channels(suffix, &inputs[0], init)).collect()
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        4 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let operands = (self.row.inputs.len() + self.row.params.len()) as u32;
            let of: Vec<Ref> = (0..operands).map(|i| b.input(i)).collect();
            let eps = b.constant(self.attrs.eps as f32);
            (self.row.expr)(b, &of, eps)
        })
    }
}

/// `x · scale` with a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScaledBy {}

impl FromAttrs for ScaledBy {}

impl Op for ScaledBy {
    fn name(&self) -> &'static str {
        "scaled_by"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        Ok(vec![channels("scale", &inputs[0], 1.0)?])
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (x, scale) = (b.input(0), b.input(1));
            b.binary(Binary::Mul, x, scale)
        })
    }
}
