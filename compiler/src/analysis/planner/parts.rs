//! Parts of a graph that no tensor connects but what is complete before one of them begins, such as the images of a batch. It takes long
//! to weigh sections of several, whose tiles have nothing to do with each other.

use super::SMALL_GRAPH;
use crate::analysis::fusion::{addressing, is_inlined, is_reduction};
use crate::base::{Id, OpId, ValueId};
use crate::ir::Graph;

/// The part that each op is in; none of what gives a single pixel, which can go with any, and of small parts.
pub(super) fn parts(graph: &Graph) -> Vec<Option<usize>> {
    let is_pixel = |value: ValueId| graph.sizes(value).is_none_or(|[_, _, h, w]| h * w == 1);
    let mut joined = Joined((0..graph.values.len()).collect());
    for (op, node) in graph.ops.iter() {
        let is_complete = |value: ValueId| {
            addressing(graph, op).is_some() || graph.producer(value).is_some_and(|p| is_reduction(graph, p))
        };
        for &value in &node.inputs {
            if !is_pixel(value) && !is_complete(value) && !is_inlined(graph, value, op) {
                joined.join(value.index(), node.output.index());
            }
        }
    }
    let part = |op: OpId| {
        let output = graph.ops[op].output;
        let is_free = is_pixel(output) && !is_reduction(graph, op);
        (!is_free).then(|| joined.part(output.index()))
    };
    let parts: Vec<Option<usize>> = graph.ops.ids().map(part).collect();
    let mut sizes = vec![0; graph.values.len()];
    parts.iter().flatten().for_each(|&part| sizes[part] += 1);
    parts.into_iter().map(|part| part.filter(|&part| sizes[part] > SMALL_GRAPH)).collect()
}

/// Of each item another that it is joined with, or itself.
struct Joined(Vec<usize>);

impl Joined {
    fn part(&self, mut item: usize) -> usize {
        while self.0[item] != item {
            item = self.0[item];
        }
        item
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.part(a), self.part(b));
        // The larger follows the smaller, so that chains, which values come in, stay short.
        self.0[a.max(b)] = a.min(b);
    }
}
