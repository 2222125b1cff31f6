//! The op that a row of the table of activations makes.

use std::sync::Arc;

use serde_json::{Map, Value};
use zellige_runtime::program::Packing;
use zellige_runtime::scalar::{Expr, Ref};

use super::activations::ActivationArg::{self, Number, Required, Word};
use super::activations::{ACTIVATIONS, Activation};
use super::conv::static_channels;
use super::pointwise::expression;
use super::{
    ArgError, ArgKind, ArgSpec, Args, Differentiable, Gradients, Init, Inputs, Op, OpDef, ParamSpec,
    ShapeError, Sizes, derivative,
};
use crate::base::Shape;

pub(super) fn defs() -> Vec<OpDef> {
    ACTIVATIONS.iter().map(def).collect()
}

/// The activation of that name, which has no arguments.
pub(super) fn plain(name: &str) -> Option<Arc<dyn Op>> {
    let row = ACTIVATIONS.iter().find(|row| row.name == name && row.args.is_empty())?;
    Some(Arc::new(Elementwise { row, args: Vec::new() }))
}

/// The activation of that name with these arguments.
pub(super) fn with_args(name: &str, args: &[f32]) -> Option<Arc<dyn Op>> {
    let row = ACTIVATIONS.iter().find(|row| row.name == name && row.args.len() == args.len())?;
    Some(Arc::new(Elementwise { row, args: args.to_vec() }))
}

fn def(row: &'static Activation) -> OpDef {
    OpDef {
        name: row.name,
        doc: row.doc,
        inputs: Inputs::Named(&["x"]),
        args: row.args.iter().map(|&(name, arg)| arg.spec(name)).collect(),
        build: Arc::new(move |args| {
            let args =
                row.args.iter().map(|&(name, arg)| arg.of_call(name, args)).collect::<Result<_, _>>()?;
            Ok(Arc::new(Elementwise { row, args }))
        }),
        parse: Arc::new(move |attrs| {
            let args = args_of_attrs(row, &attrs)?;
            Ok(Arc::new(Elementwise { row, args }))
        }),
        internal: false,
    }
}

impl ActivationArg {
    fn spec(self, name: &'static str) -> ArgSpec {
        let kind = if let Word(words) = self { ArgKind::Word(words) } else { ArgKind::Float };
        ArgSpec { required: self == Required, ..ArgSpec::new(name, kind).elsewhere(elsewhere(name)) }
    }

    /// Its value in a call.
    fn of_call(self, name: &'static str, args: &Args) -> Result<f32, ArgError> {
        let number = || Ok(args.float(name)?.map(|v| v as f32));
        match self {
            Required => number()?.ok_or_else(|| ArgError::new(name, "is missing")),
            Number(default) => Ok(number()?.unwrap_or(default)),
            Word(words) => Ok(args.word(name, words)?.and_then(|w| index_of(words, w)).unwrap_or(0.0)),
        }
    }

    /// Its value among printed attributes: for a number that JSON does not have, text.
    fn of_attr(self, value: &Value) -> Option<f32> {
        match (self, value) {
            (Word(words), _) => index_of(words, value.as_str()?),
            (_, Value::String(text)) => text.parse().ok(),
            (_, other) => other.as_f64().map(|v| v as f32),
        }
    }

    /// Its value as an attribute.
    fn to_attr(self, value: f32) -> Value {
        match self {
            Word(words) => Value::from(words[value as usize]),
            Required | Number(_) => serde_json::Number::from_f64(value.into())
                .map_or_else(|| Value::String(value.to_string()), Value::Number),
        }
    }
}

fn index_of(words: &[&str], word: &str) -> Option<f32> {
    words.iter().position(|w| *w == word).map(|i| i as f32)
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

/// The arguments of a row among printed attributes.
pub(super) fn args_of_attrs(row: &Activation, attrs: &Value) -> Result<Vec<f32>, String> {
    let attrs = attrs.as_object().ok_or("attributes are a map")?;
    if let Some(unknown) = attrs.keys().find(|k| row.args.iter().all(|(name, _)| name != k)) {
        return Err(format!("`{}` has no attribute `{unknown}`", row.name));
    }
    let read = |&(name, arg): &(&'static str, ActivationArg)| {
        let value = attrs.get(name).ok_or_else(|| format!("missing attribute `{name}`"))?;
        let kind = arg.spec(name).kind;
        arg.of_attr(value).ok_or_else(|| format!("`{name}` is {kind}, found `{value}`"))
    };
    row.args.iter().map(read).collect()
}

/// The arguments of a row as attributes.
pub(super) fn attrs_of_args(row: &Activation, args: &[f32]) -> Value {
    let args = row.args.iter().zip(args);
    let attrs = args.map(|(&(name, arg), &value)| (name.to_owned(), arg.to_attr(value)));
    Value::Object(Map::from_iter(attrs))
}

/// The parameters of a row.
pub(super) fn params_of(row: &Activation, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
    let spec = |&(suffix, init): &(&'static str, f32)| {
        let dims = vec![static_channels(&inputs[0])?];
        Ok(ParamSpec { suffix, dims, packing: Packing::Channels, init: Init::Constant(init) })
    };
    row.params.iter().map(spec).collect()
}

/// An op given by a row of the table.
pub(super) struct Elementwise {
    pub(super) row: &'static Activation,
    pub(super) args: Vec<f32>,
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
        attrs_of_args(self.row, &self.args)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        params_of(self.row, inputs)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let x = b.input(0);
            let params: Vec<Ref> = (1..=self.row.params.len() as u32).map(|i| b.input(i)).collect();
            (self.row.expr)(b, x, &self.args, &params)
        })
    }

    fn gradient(&self, builder: &mut dyn super::Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        derivative::gradients(self, builder, at)
    }
}
