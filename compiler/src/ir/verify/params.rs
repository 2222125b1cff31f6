//! Invariant 5: an op's parameters are those that it asks for, and its own.

use super::types::check_elements;
use super::{GraphFound, MAX_EXTENT, TypeError};
use crate::base::Id;
use crate::ir::{Graph, Node};
use crate::ops::ShapeError;

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
    /// Two ops with one parameter, or none with it.
    #[error("parameter `{param}` belongs to {ops} ops, not to one")]
    Owners {
        /// The parameter.
        param: String,
        /// Number of ops.
        ops: usize,
    },
}

pub(super) fn check(graph: &Graph, found: &mut GraphFound) {
    let mut owners = vec![0; graph.params.len()];
    for (op, node) in graph.ops.iter() {
        node.params.iter().for_each(|p| owners[p.index()] += 1);
        if let Err(error) = check_op(graph, node) {
            found.push(Some(op), error);
        }
    }
    for (id, param) in graph.params.iter() {
        if owners[id.index()] != 1 {
            found.push(None, ParamError::Owners { param: param.name.clone(), ops: owners[id.index()] });
        }
        if let Some(&size) = param.dims.iter().find(|d| !(1..=MAX_EXTENT).contains(*d)) {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            found.push(None, TypeError::Size { value: param.name.clone(), size });
        } else if let Err(error) = check_elements(&param.name, &param.dims) {
            found.push(None, error);
        }
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
