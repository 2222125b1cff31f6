//! Invariant 5: an op's parameters are those that it asks for; derived ones follow from stored ones; none is there for nothing.

use std::collections::HashSet;

use super::types::check_elements;
use super::{GraphFound, MAX_EXTENT, TypeError};
use crate::base::ParamId;
use crate::ir::{Derived, Graph, Node, Param};
use crate::ops::{FormulaError, ShapeError};

/// A parameter that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// Too many parameters or too few.
    #[error("`{op}` has {expected} parameters, found {found}")]
    Count {
        /// Name of the op.
        op: String,
        /// How many it has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Of another shape.
    #[error("parameter `{param}` is {found:?}, and {expected:?} is needed")]
    Shape {
        /// The parameter.
        param: String,
        /// Needed.
        expected: Vec<u64>,
        /// There.
        found: Vec<u64>,
    },
    /// The op cannot say which it wants.
    #[error(transparent)]
    Op(#[from] ShapeError),
    /// Sources that do not suit.
    #[error("parameter `{param}`: {error}")]
    Formula {
        /// The parameter.
        param: String,
        /// Why.
        error: FormulaError,
    },
    /// A source that is not stored, or not defined before.
    #[error("parameter `{param}` does not follow from stored parameters that stand before it")]
    Source {
        /// The parameter.
        param: String,
    },
    /// No op has it, and nothing follows from it.
    #[error("parameter `{param}` belongs to no op")]
    Unused {
        /// The parameter.
        param: String,
    },
}

pub(super) fn check(graph: &Graph, found: &mut GraphFound) {
    let mut used: HashSet<ParamId> = HashSet::new();
    for (op, node) in graph.ops.iter() {
        used.extend(&node.params);
        if let Err(error) = check_op(graph, node) {
            found.push(Some(op), error);
        }
    }
    for (id, param) in graph.params.iter() {
        let Some(derived) = &param.derived else { continue };
        if let Err(error) = check_derived(graph, id, param, derived) {
            found.push(None, error);
        }
        used.extend(&derived.sources);
    }
    for (id, param) in graph.params.iter() {
        if !used.contains(&id) {
            found.push(None, ParamError::Unused { param: param.name.clone() });
        }
        if let Some(&size) = param.dims.iter().find(|d| !(1..=MAX_EXTENT).contains(*d)) {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            found.push(None, TypeError::Size { value: param.name.clone(), size });
        } else if let Err(error) = check_elements(&param.name, &param.dims) {
            found.push(None, error);
        }
    }
}

fn check_derived(graph: &Graph, id: ParamId, param: &Param, derived: &Derived) -> Result<(), ParamError> {
    let name = || param.name.clone();
    let source = |s: &ParamId| graph.params.get(*s).filter(|p| *s < id && p.derived.is_none());
    let sources: Option<Vec<&[u64]>> =
        derived.sources.iter().map(|s| source(s).map(|p| p.dims.as_slice())).collect();
    let sources = sources.ok_or_else(|| ParamError::Source { param: name() })?;
    let expected =
        derived.formula.shape(&sources).map_err(|error| ParamError::Formula { param: name(), error })?;
    if expected == param.dims {
        Ok(())
    } else {
        Err(ParamError::Shape { param: name(), expected, found: param.dims.clone() })
    }
}

fn check_op(graph: &Graph, node: &Node) -> Result<(), ParamError> {
    let specs = node.op.params(&graph.shapes(&node.inputs))?;
    if specs.len() != node.params.len() {
        let (op, found) = (node.op.name().to_owned(), node.params.len());
        return Err(ParamError::Count { op, expected: specs.len(), found });
    }
    for (spec, param) in specs.into_iter().zip(node.params.iter().map(|&p| &graph.params[p])) {
        if spec.dims != param.dims {
            let (param, found) = (param.name.clone(), param.dims.clone());
            return Err(ParamError::Shape { param, expected: spec.dims, found });
        }
    }
    Ok(())
}
