//! How much there is to do, whatever the plan.

use std::collections::HashSet;

use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::{AxisId, ConvDw};

use super::footprint::need;
use super::fusion::{addressing, is_reduction};
use crate::base::{OpId, ParamId, ValueId};
use crate::ir::Graph;
use crate::ops::{Products, Reduction};

/// Bytes of an op's parameters, which every tile streams.
pub fn weight_bytes(graph: &Graph, op: OpId) -> f64 {
    let elements = |p: &ParamId| graph.params[*p].dims.iter().product::<u64>() as f64;
    graph.ops[op].params.iter().map(elements).sum::<f64>() * 4.0
}

/// Floating-point operations of an op for one output pixel.
pub fn op_flops(graph: &Graph, op: OpId) -> f64 {
    let node = &graph.ops[op];
    let inputs: Vec<_> = node.inputs.iter().map(|&v| graph.sizes(v).unwrap_or([1; 4])).collect();
    node.op.flops(&inputs, graph.sizes(node.output).unwrap_or([1; 4])) as f64
}

/// Floating-point operations of an op for all of its output.
pub fn total_flops(graph: &Graph, op: OpId) -> f64 {
    let [n, _, h, w] = graph.sizes(graph.ops[op].output).unwrap_or([1; 4]);
    op_flops(graph, op) * (n * h * w) as f64
}

/// Bytes of the sums that a worker keeps from tile to tile for a reduction, one a weight; `None` if sizes are not known or overflow.
pub fn running_bytes(graph: &Graph, op: OpId) -> Option<u64> {
    let node = &graph.ops[op];
    match node.op.reduction() {
        Some(Reduction::Products(Products { window, groups, .. })) => {
            let channels = [0, 1].map(|input| graph.sizes(node.inputs[input]).map(|sizes| sizes[1]));
            ConvDw::running_bytes([channels[0]?, channels[1]?], window.kernel, groups)
        }
        _ => Some(0),
    }
}

/// Outputs that are looked at to see whether tiles of an input lie without gaps: a period of any usual stride.
const LOOK: i64 = 32;

/// The ops whose results have no pixel that a plan could do without: they are outputs, or something of that kind reads them whole.
pub fn computed_whole(graph: &Graph) -> HashSet<OpId> {
    let mut whole = HashSet::new();
    let consumers = graph.consumers();
    for (op, node) in graph.ops.iter().rev() {
        let mut readers = consumers.get(&node.output).into_iter().flatten();
        let is_read =
            readers.any(|&reader| whole.contains(&reader) && reads_whole(graph, reader, node.output));
        if is_read || graph.is_output(node.output) {
            whole.insert(op);
        }
    }
    whole
}

/// Whether tiles of what an op reads for, however small, need every pixel of an input.
pub fn reads_whole(graph: &Graph, op: OpId, input: ValueId) -> bool {
    let node = &graph.ops[op];
    let last = node.inputs.last().copied();
    let output = last.filter(|_| is_reduction(graph, op)).unwrap_or(node.output);
    let sizes = |v: ValueId| graph.sizes(v).unwrap_or([1; 4]);
    let inputs: Vec<_> = node.inputs.iter().map(|&v| sizes(v)).collect();
    let along = |i: usize, axis: AxisId| {
        let [extent, outputs] = [inputs[i], sizes(output)].map(|s| s[2 + axis.index()] as i64);
        let map = node.op.access(i, axis, &inputs);
        let at = |o: i64| need(map, Interval::new(o, o + 1), extent);
        at(0).start <= 0
            && at(outputs - 1).end >= extent
            && (1..outputs.min(LOOK)).all(|o| at(o).start <= at(o - 1).end)
    };
    let mut reads = (0..inputs.len()).filter(|&i| node.inputs[i] == input);
    output == input
        || addressing(graph, op).is_some()
        || reads.any(|i| AxisId::BOTH.iter().all(|&axis| along(i, axis)))
}

/// Floating-point operations of the network without any halo; what is computed again counts once.
pub fn network_flops(graph: &Graph) -> f64 {
    let repeats = graph.repeats();
    let once = graph.ops.ids().filter(|op| !repeats.contains_key(&graph.ops[*op].output));
    once.map(|op| total_flops(graph, op)).sum()
}
