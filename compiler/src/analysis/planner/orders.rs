//! Topological orders of a graph's ops. Sections are runs of one order, so where branches stand decides which sections there can be.

use std::collections::HashSet;

use crate::base::{Id, OpId, ValueId};
use crate::ir::Graph;

/// The orders to look at, each once: as written; by depth; and each branch to its end before the next, first branch first or last
/// branch first.
pub(super) fn orders(graph: &Graph) -> Vec<Vec<OpId>> {
    let written: Vec<OpId> = graph.ops.ids().collect();
    let mut orders = vec![written];
    for order in [by_depth(graph), branch_by_branch(graph, false), branch_by_branch(graph, true)] {
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    orders
}

/// By the number of ops on the longest way from an input.
fn by_depth(graph: &Graph) -> Vec<OpId> {
    let mut depths = vec![0usize; graph.ops.len()];
    for (op, node) in graph.ops.iter() {
        let before = node.inputs.iter().filter_map(|&v| graph.producer(v));
        depths[op.index()] = before.map(|p| depths[p.index()] + 1).max().unwrap_or(0);
    }
    let mut order: Vec<OpId> = graph.ops.ids().collect();
    order.sort_by_key(|op| depths[op.index()]);
    order
}

/// Every op as soon before its first reader as can be; of an op's inputs the first before the others, or the last.
fn branch_by_branch(graph: &Graph, last_first: bool) -> Vec<OpId> {
    let (mut order, mut seen) = (Vec::new(), HashSet::new());
    let outputs = graph.outputs.iter().map(|o| o.value);
    // Of ops, whether what they read has been visited.
    let mut stack: Vec<(OpId, bool)> = Vec::new();
    let push = |stack: &mut Vec<(OpId, bool)>, values: &mut dyn Iterator<Item = ValueId>| {
        // The top of the stack comes first.
        let mut ops: Vec<OpId> = values.filter_map(|v| graph.producer(v)).collect();
        if !last_first {
            ops.reverse();
        }
        stack.extend(ops.into_iter().map(|op| (op, false)));
    };
    push(&mut stack, &mut outputs.into_iter());
    while let Some((op, ready)) = stack.pop() {
        if ready {
            order.push(op);
        } else if seen.insert(op) {
            stack.push((op, true));
            push(&mut stack, &mut graph.ops[op].inputs.iter().copied());
        }
    }
    order
}
