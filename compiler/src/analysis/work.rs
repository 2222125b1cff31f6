//! How much there is to do, whatever the plan.

use crate::base::{OpId, ParamId};
use crate::ir::Graph;

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

/// Floating-point operations of the network without any halo.
pub fn network_flops(graph: &Graph) -> f64 {
    let of = |op: OpId| {
        let [n, _, h, w] = graph.sizes(graph.ops[op].output).unwrap_or([1; 4]);
        op_flops(graph, op) * (n * h * w) as f64
    };
    graph.ops.ids().map(of).sum()
}
