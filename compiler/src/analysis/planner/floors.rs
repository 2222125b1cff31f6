//! What ops cost at least, whatever the order, the cuts and the tiles: orders and sections that cannot become the cheapest are given up
//! by it.
//!
//! An op takes its arithmetic without halos, one instruction, and the rows of its result. What is given out, or read by an op that
//! something else must be complete for in between, is stored; and what such an op reads is loaded.

use std::collections::HashSet;

use super::Objective;
use super::price::Price;
use crate::analysis::cost;
use crate::analysis::fusion::{addressing, is_inlined, is_reduction};
use crate::analysis::work::{computed_whole, reads_whole};
use crate::base::{Id, OpId, ValueId};
use crate::ir::{Graph, Target};

/// What each op costs at least.
pub(super) fn floors(graph: &Graph, target: &Target, objective: Objective) -> Vec<Price> {
    let whole = computed_whole(graph);
    let apart = Apart::of(graph);
    let (machine, threads) = (&target.machine, target.threads);
    let mut floors = vec![Price::ZERO; graph.ops.len()];
    for &op in &whole {
        floors[op.index()].seconds = cost::least_seconds(machine, threads, graph, op);
    }
    let mut readers = graph.consumers();
    for value in graph.values.ids() {
        let readers = readers.remove(&value).unwrap_or_default();
        let elements = graph.sizes(value).unwrap_or([0; 4]).iter().product::<u64>() as f64;
        let bytes = elements * 4.0;
        let producer = graph.producer(value);
        let is_apart = |reader: &OpId| producer.is_none_or(|op| apart.are(op, *reader));
        let (is_output, is_kept) = (graph.is_output(value), readers.iter().any(is_apart));
        if let Some(op) = producer.filter(|op| !is_reduction(graph, *op))
            && (is_output || is_kept)
        {
            // Outputs are there in any case.
            let boundary = if is_output { Price::ZERO } else { objective.of_boundary(elements) };
            let stored = Price { memory: 0.0, seconds: cost::store_seconds(machine, threads, bytes) };
            floors[op.index()] = floors[op.index()] + stored + boundary;
        }
        // Whoever else loads it may be in the same section.
        let mut loading =
            readers.iter().filter(|reader| is_apart(reader) && loads(graph, &whole, **reader, value));
        if let Some(reader) = loading.next() {
            floors[reader.index()].seconds += cost::load_seconds(machine, threads, bytes);
        }
    }
    floors
}

/// Whether all of a tensor goes through the tiles of any section that has this op, and not what makes the tensor.
fn loads(graph: &Graph, whole: &HashSet<OpId>, op: OpId, value: ValueId) -> bool {
    let is_tensor = graph.producer(value).is_none_or(|maker| !is_reduction(graph, maker));
    is_tensor
        && whole.contains(&op)
        && addressing(graph, op).is_none()
        && !is_inlined(graph, value, op)
        && reads_whole(graph, op, value)
}

/// Which ops are never in one section, as the later needs something that follows from the earlier and is complete.
struct Apart(Vec<Vec<bool>>);

impl Apart {
    fn of(graph: &Graph) -> Self {
        let none = vec![false; graph.ops.len()];
        // Of each op, those that it follows from, and those of them that it is kept apart from.
        let mut before: Vec<Vec<bool>> = Vec::with_capacity(none.len());
        let mut apart: Vec<Vec<bool>> = Vec::with_capacity(none.len());
        for (op, node) in graph.ops.iter() {
            let (mut follows, mut kept) = (none.clone(), none.clone());
            for maker in node.inputs.iter().filter_map(|&v| graph.producer(v)) {
                add(&mut follows, &before[maker.index()]);
                add(&mut kept, &apart[maker.index()]);
                follows[maker.index()] = true;
                if is_reduction(graph, maker) || addressing(graph, op).is_some() {
                    add(&mut kept, &before[maker.index()]);
                    kept[maker.index()] = true;
                }
            }
            before.push(follows);
            apart.push(kept);
        }
        Self(apart)
    }

    fn are(&self, earlier: OpId, later: OpId) -> bool {
        self.0[later.index()][earlier.index()]
    }
}

fn add(set: &mut [bool], other: &[bool]) {
    set.iter_mut().zip(other).for_each(|(of_set, of_other)| *of_set |= *of_other);
}
