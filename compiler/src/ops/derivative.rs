//! The ops that the derivatives in the table of activations make: `NAME.dx`, and `NAME.dweight` for a parameter `weight`.

use std::sync::{Arc, LazyLock};

use serde_json::Value;
use zellige_runtime::scalar::{Expr, Ref};

use super::activations::{ACTIVATIONS, Activation, Source};
use super::elementwise::{Elementwise, args_of_attrs, attrs_of_args, params_of};
use super::pointwise::expression;
use super::{Differentiable, Gradients, Inputs, Op, OpDef, ParamSpec, ShapeError, Sizes};
use crate::base::Shape;

/// With respect to what a row is differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    /// The input.
    Input,
    /// The parameter of this number.
    Param(usize),
}

/// A derivative of a row.
struct Entry {
    row: &'static Activation,
    to: To,
    name: String,
}

/// All derivatives of all rows.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let of_row = |row: &'static Activation| {
        let dx = Entry { row, to: To::Input, name: format!("{}.dx", row.name) };
        let params = row.params.iter().enumerate();
        let of_param = params.map(move |(i, (suffix, _))| Entry {
            row,
            to: To::Param(i),
            name: format!("{}.d{suffix}", row.name),
        });
        std::iter::once(dx).chain(of_param)
    };
    ACTIVATIONS.iter().flat_map(of_row).collect()
});

pub(super) fn defs() -> Vec<OpDef> {
    ENTRIES.iter().map(def).collect()
}

fn def(entry: &'static Entry) -> OpDef {
    let of_output = entry.to == To::Input && entry.row.derivative.of == Source::Output;
    let inputs = Inputs::Named(if of_output { &["y", "dy"] } else { &["x", "dy"] });
    OpDef::parsed(&entry.name, "The gradient of an activation.", inputs, move |attrs| {
        let args = args_of_attrs(entry.row, &attrs)?;
        Ok(Arc::new(Derivative { entry, args }))
    })
}

/// An op given by a derivative of a row, which reads the row's input or output and the gradient of its output.
struct Derivative {
    entry: &'static Entry,
    args: Vec<f32>,
}

impl std::fmt::Debug for Derivative {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.entry.name, self.args)
    }
}

impl Op for Derivative {
    fn name(&self) -> &'static str {
        &self.entry.name
    }

    fn attrs(&self) -> Value {
        attrs_of_args(self.entry.row, &self.args)
    }

    /// The row's own; its derivatives by parameters read none.
    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        if self.entry.to == To::Input { params_of(self.entry.row, inputs) } else { Ok(Vec::new()) }
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        2 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let (of, dy) = (b.input(0), b.input(1));
            let derivative = &self.entry.row.derivative;
            match self.entry.to {
                To::Input => {
                    let params: Vec<Ref> =
                        (0..self.entry.row.params.len() as u32).map(|i| b.input(2 + i)).collect();
                    (derivative.dx)(b, of, dy, &self.args, &params)
                }
                To::Param(i) => derivative.params[i](b, of, dy, &self.args),
            }
        })
    }
}

/// The gradients of an op of the table.
pub(super) fn gradients(
    op: &Elementwise,
    builder: &mut dyn super::Builder,
    at: &Differentiable<'_>,
) -> Option<Gradients> {
    let derivative = |to: To| {
        let entry = ENTRIES.iter().find(|entry| entry.row.name == op.row.name && entry.to == to)?;
        Some(Arc::new(Derivative { entry, args: op.args.clone() }))
    };
    let of = match op.row.derivative.of {
        Source::Input => at.inputs[0],
        Source::Output => at.output,
    };
    let dx = builder.op(derivative(To::Input)?, &[of, at.repeated], at.params);
    let of_param = |i: usize| {
        let product = builder.op(derivative(To::Param(i))?, &[at.inputs[0], at.repeated], &[]);
        at.sum_to_channels(builder, product).map(Some)
    };
    let params = (0..op.row.params.len()).map(of_param).collect::<Option<_>>()?;
    Some(Gradients { inputs: vec![Some(dx)], params })
}
