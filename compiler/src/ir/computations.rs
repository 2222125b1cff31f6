//! Which ops of a graph compute the same.

use std::collections::HashMap;

use super::graph::{Graph, Node};
use crate::base::{OpId, ParamId, ValueId};

/// The different computations of a graph, each with the op that is the first to do it.
///
/// Ops are compared with those of the same operands alone: to compare what else they are costs more than all the rest.
#[derive(Debug, Default)]
pub struct Computations<'a> {
    first: HashMap<(Vec<ValueId>, &'a [ParamId]), Vec<OpId>>,
}

impl<'a> Computations<'a> {
    /// The op seen before that computes the same as `op` of the values that stand for its inputs; otherwise `op` is the first.
    pub fn twin(&mut self, graph: &'a Graph, op: OpId, inputs: Vec<ValueId>) -> Option<OpId> {
        let node: &Node = &graph.ops[op];
        let seen = self.first.entry((inputs, &node.params)).or_default();
        let twin = seen.iter().copied().find(|&other| *graph.ops[other].op == *node.op);
        if twin.is_none() {
            seen.push(op);
        }
        twin
    }
}
