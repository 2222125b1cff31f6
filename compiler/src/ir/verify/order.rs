//! Invariant 2: every value has one definition, and it stands before its uses.

use super::GraphFound;
use crate::base::{Id, OpId};
use crate::ir::{Def, Graph, Node};

/// A definition or a use out of place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// An id that is in no arena.
    #[error("{what} number {index} does not exist")]
    Missing {
        /// Value, op or parameter.
        what: &'static str,
        /// Its number.
        index: usize,
    },
    /// Value and op disagree about who defines whom.
    #[error("`{0}` is not defined by the op that it names")]
    Definition(String),
    /// An op that stands before another that defines an earlier value.
    #[error("the op of `{0}` is not in the order of the values")]
    OpOrder(String),
    /// An operand that comes later.
    #[error("`{user}` reads `{operand}` before it is defined")]
    UseBeforeDefinition {
        /// Value that is computed.
        user: String,
        /// Value that is read.
        operand: String,
    },
    /// An op of the forward pass behind one of the backward pass.
    #[error("`{0}` is of the forward pass, and stands behind ops of the backward pass")]
    Direction(String),
    /// The list of inputs and the definitions disagree.
    #[error("the list of inputs is not that of the values without another definition, in their order")]
    Inputs,
}

pub(super) fn check(graph: &Graph, found: &mut GraphFound) {
    let mut next = 0;
    for (id, value) in graph.values.iter() {
        let Def::Op(op) = value.def else { continue };
        match graph.ops.get(op) {
            None => found.push(None, OrderError::Missing { what: "op", index: op.index() }),
            Some(node) if node.output != id => {
                found.push(Some(op), OrderError::Definition(value.name.clone()));
            }
            Some(_) if op.index() != next => found.push(Some(op), OrderError::OpOrder(value.name.clone())),
            Some(_) => {}
        }
        next = op.index().saturating_add(1);
    }
    if found.list.is_empty() && next != graph.ops.len() {
        let orphan = OpId::from_index(next);
        found.push(Some(orphan), OrderError::Missing { what: "value of op", index: next });
    }
    for (op, node) in graph.ops.iter() {
        check_operands(graph, op, node, found);
    }
    let ordered = graph.ops.iter().zip(graph.ops.iter().skip(1));
    for (_, (op, node)) in ordered.filter(|((_, before), (_, node))| before.direction > node.direction) {
        let name = graph.values.get(node.output).map(|v| v.name.clone()).unwrap_or_default();
        found.push(Some(op), OrderError::Direction(name));
    }
    let inputs: Vec<_> = graph.values.iter().filter(|(_, v)| v.def == Def::Input).map(|(id, _)| id).collect();
    if graph.inputs != inputs {
        found.push(None, OrderError::Inputs);
    }
    for output in graph.outputs.iter().filter(|o| graph.values.get(o.value).is_none()) {
        found.push(None, OrderError::Missing { what: "value", index: output.value.index() });
    }
}

fn check_operands(graph: &Graph, op: OpId, node: &Node, found: &mut GraphFound) {
    for &input in &node.inputs {
        match graph.values.get(input) {
            None => found.push(Some(op), OrderError::Missing { what: "value", index: input.index() }),
            Some(operand) if input >= node.output => {
                let name = |v: &crate::ir::Value| v.name.clone();
                let user = graph.values.get(node.output).map(name).unwrap_or_default();
                found.push(Some(op), OrderError::UseBeforeDefinition { user, operand: operand.name.clone() });
            }
            Some(_) => {}
        }
    }
    for param in node.params.iter().filter(|p| graph.params.get(**p).is_none()) {
        found.push(Some(op), OrderError::Missing { what: "parameter", index: param.index() });
    }
}
