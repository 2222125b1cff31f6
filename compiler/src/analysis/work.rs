//! How much there is to do, whatever the plan.

use zellige_runtime::program::instr::ConvDw;

use crate::base::{OpId, ParamId};
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

/// Floating-point operations of the network without any halo; what is computed again counts once.
pub fn network_flops(graph: &Graph) -> f64 {
    let repeats = graph.repeats();
    let once = graph.ops.ids().filter(|op| !repeats.contains_key(&graph.ops[*op].output));
    once.map(|op| total_flops(graph, op)).sum()
}
