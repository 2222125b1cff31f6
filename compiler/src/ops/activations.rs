//! Activations: one row of a table each. Everything else (shapes, kernels, JIT, fusion, text, tests) follows from the row.

use std::sync::Arc;

use serde_json::{Map, Value};
use zellige_runtime::program::Packing;
use zellige_runtime::program::instr::AxisId;
use zellige_runtime::scalar::{Binary, Builder, Compare, Expr, Ref, functions};

use super::conv::static_channels;
use super::{
    ArgError, ArgKind, ArgSpec, Init, Inputs, Op, OpDef, ParamSpec, Requirements, ShapeError, Sizes,
};
use crate::base::{AxisMap, Shape};

/// An activation.
pub struct Activation {
    /// Name in the language.
    pub name: &'static str,
    /// One line for the documentation.
    pub doc: &'static str,
    /// Its arguments: name and default; without a default it must be given.
    pub args: &'static [(&'static str, Option<f32>)],
    /// Its parameters, one value a channel: suffix and initial value.
    pub params: &'static [(&'static str, f32)],
    /// `f(x, arguments, parameters)` as an expression.
    pub expr: fn(&mut Builder, Ref, &[f32], &[Ref]) -> Ref,
    /// The same in f64, written from the definition: what tests compare with.
    pub reference: fn(f64, &[f64], &[f64]) -> f64,
}

/// The table. The expressions keep NaN, and −0 where the definition does.
pub const ACTIVATIONS: &[Activation] = &[
    Activation {
        name: "relu",
        doc: "max(0, x).",
        args: &[],
        params: &[],
        expr: |b, x, _, _| {
            let zero = b.constant(0.0);
            b.binary(Binary::Max, zero, x)
        },
        reference: |x, _, _| x.max(0.0),
    },
    Activation {
        name: "leaky_relu",
        doc: "x where x ≥ 0, slope · x elsewhere.",
        args: &[("slope", Some(0.01))],
        params: &[],
        expr: |b, x, args, _| {
            let slope = b.constant(args[0]);
            sloped(b, x, slope)
        },
        reference: |x, args, _| if x < 0.0 { args[0] * x } else { x },
    },
    Activation {
        name: "prelu",
        doc: "x where x ≥ 0, weight · x elsewhere, with one weight a channel.",
        args: &[],
        params: &[("weight", 0.25)],
        expr: |b, x, _, params| sloped(b, x, params[0]),
        reference: |x, _, params| if x < 0.0 { params[0] * x } else { x },
    },
    Activation {
        name: "sigmoid",
        doc: "1 / (1 + exp(−x)).",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::sigmoid(b, x),
        reference: |x, _, _| 1.0 / (1.0 + (-x).exp()),
    },
    Activation {
        name: "tanh",
        doc: "Hyperbolic tangent.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::tanh(b, x),
        reference: |x, _, _| x.tanh(),
    },
    Activation {
        name: "clip",
        doc: "x kept between min and max.",
        args: &[("min", Some(f32::NEG_INFINITY)), ("max", Some(f32::INFINITY))],
        params: &[],
        expr: |b, x, args, _| {
            let (low, high) = (b.constant(args[0]), b.constant(args[1]));
            let x = b.binary(Binary::Max, low, x);
            b.binary(Binary::Min, high, x)
        },
        reference: |x, args, _| x.max(args[0]).min(args[1]),
    },
    Activation {
        name: "exp",
        doc: "e to the power of x.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::exp(b, x),
        reference: |x, _, _| x.exp(),
    },
];

fn sloped(b: &mut Builder, x: Ref, slope: Ref) -> Ref {
    let zero = b.constant(0.0);
    let below = b.binary(Binary::Mul, slope, x);
    b.select(Compare::Lt, x, zero, below, x)
}

pub(super) fn defs() -> Vec<OpDef> {
    ACTIVATIONS.iter().map(def).collect()
}

/// The activation of that name, which has no arguments.
pub(super) fn plain(name: &str) -> Option<Arc<dyn Op>> {
    let row = ACTIVATIONS.iter().find(|row| row.name == name && row.args.is_empty())?;
    Some(Arc::new(Elementwise { row, args: Vec::new() }))
}

fn def(row: &'static Activation) -> OpDef {
    let spec = |&(name, default): &(&'static str, Option<f32>)| ArgSpec {
        required: default.is_none(),
        ..ArgSpec::new(name, ArgKind::Float).elsewhere(elsewhere(name))
    };
    OpDef {
        name: row.name,
        doc: row.doc,
        inputs: Inputs::Named(&["x"]),
        args: row.args.iter().map(spec).collect(),
        build: Arc::new(move |args| {
            let value = |&(name, default): &(&'static str, Option<f32>)| {
                let given = args.float(name)?.map(|v| v as f32);
                given.or(default).ok_or_else(|| ArgError::new(name, "is missing"))
            };
            let args = row.args.iter().map(value).collect::<Result<_, _>>()?;
            Ok(Arc::new(Elementwise { row, args }))
        }),
        parse: Arc::new(move |attrs| {
            let args = parse_args(row, &attrs)?;
            Ok(Arc::new(Elementwise { row, args }))
        }),
        internal: false,
    }
}

/// What other frameworks call an argument.
fn elsewhere(name: &str) -> &'static [&'static str] {
    match name {
        "slope" => &["negative_slope", "alpha"],
        "min" => &["min_val", "low"],
        "max" => &["max_val", "high"],
        _ => &[],
    }
}

fn parse_args(row: &Activation, attrs: &Value) -> Result<Vec<f32>, String> {
    let attrs = attrs.as_object().ok_or("attributes are a map")?;
    if let Some(unknown) = attrs.keys().find(|k| row.args.iter().all(|(name, _)| name != k)) {
        return Err(format!("`{}` has no attribute `{unknown}`", row.name));
    }
    let read = |&(name, _): &(&'static str, Option<f32>)| {
        let value = attrs.get(name).ok_or_else(|| format!("missing attribute `{name}`"))?;
        value_f32(value).ok_or_else(|| format!("`{name}` is a number, found `{value}`"))
    };
    row.args.iter().map(read).collect()
}

/// A number, or the text of one that JSON has no number for.
fn value_f32(value: &Value) -> Option<f32> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64().map(|v| v as f32),
    }
}

/// An op given by a row of the table.
pub(super) struct Elementwise {
    row: &'static Activation,
    args: Vec<f32>,
}

impl std::fmt::Debug for Elementwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.row.name, self.args)
    }
}

impl Op for Elementwise {
    fn name(&self) -> &'static str {
        self.row.name
    }

    fn attrs(&self) -> Value {
        let number = |&v: &f32| {
            serde_json::Number::from_f64(v.into()).map_or_else(|| Value::String(v.to_string()), Value::Number)
        };
        let names = self.row.args.iter().map(|(name, _)| (*name).to_owned());
        Value::Object(Map::from_iter(names.zip(self.args.iter().map(number))))
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        Ok(inputs[0].clone())
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let spec = |&(suffix, init): &(&'static str, f32)| {
            let dims = vec![static_channels(&inputs[0])?];
            Ok(ParamSpec { suffix, dims, packing: Packing::Channels, init: Init::Constant(init) })
        };
        self.row.params.iter().map(spec).collect()
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        output[1]
    }

    fn expression(&self) -> Option<Expr> {
        let mut b = Builder::new();
        let x = b.input(0);
        let params: Vec<Ref> = (1..=self.row.params.len() as u32).map(|i| b.input(i)).collect();
        let result = (self.row.expr)(&mut b, x, &self.args, &params);
        b.finish(result).ok()
    }
}
