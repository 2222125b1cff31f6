//! Invariant 6: the graph takes something and gives something, each output the result of an op and of its declared type.

use std::collections::HashSet;

use super::GraphFound;
use crate::ir::{Def, Graph, Output};
use crate::ops::{Requirements, ShapeError};

/// Something wrong at the model's border.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BorderError {
    /// Nothing goes in.
    #[error("the graph has no input")]
    NoInput,
    /// Nothing comes out.
    #[error("the graph has no output")]
    NoOutput,
    /// Sections write outputs; what no op computes is written by none.
    #[error("output `{0}` is not the result of an op")]
    NotComputed(String),
    /// An op's result is written to one place.
    #[error("output `{0}` is the same value as another output")]
    Twice(String),
    /// Declared as something else.
    #[error(transparent)]
    Declared(#[from] ShapeError),
    /// A quotient with a divisor below 1.
    #[error("{dividend} cannot be divided by {divisor}")]
    Divisor {
        /// What is divided.
        dividend: String,
        /// By what.
        divisor: i64,
    },
}

pub(super) fn check(graph: &Graph, found: &mut GraphFound) {
    if graph.inputs.is_empty() {
        found.push(None, BorderError::NoInput);
    }
    if graph.outputs.is_empty() {
        found.push(None, BorderError::NoOutput);
    }
    let mut seen = HashSet::new();
    for output in &graph.outputs {
        let op = graph.producer(output.value);
        if !matches!(graph.values[output.value].def, Def::Op(_)) {
            found.push(None, BorderError::NotComputed(output.name.clone()));
        }
        if !seen.insert(output.value) {
            found.push(op, BorderError::Twice(output.name.clone()));
        }
        if let Err(error) = check_declared(graph, output) {
            found.push(op, BorderError::Declared(error));
        }
    }
    for exact in &graph.exact {
        if exact.divisor < 1 {
            let dividend = exact.dividend.to_string();
            found.push(None, BorderError::Divisor { dividend, divisor: exact.divisor });
            continue;
        }
        let because = "it is divided without remainder";
        if let Err(e) = Requirements::default().multiple(&exact.dividend, exact.divisor, because) {
            found.push(None, BorderError::Declared(e));
        }
    }
}

/// Whether the declared type can be what is computed.
fn check_declared(graph: &Graph, output: &Output) -> Result<(), ShapeError> {
    let computed = &graph.values[output.value].ty.shape;
    let mut open = Requirements::default();
    for (declared, computed) in output.ty.shape.dims().into_iter().zip(computed.dims()) {
        let because = format!("output `{}` is declared {}", output.name, output.ty);
        open.equal(declared, computed, because)?;
    }
    Ok(())
}
