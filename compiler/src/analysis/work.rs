//! How much there is to do, whatever the plan.

use std::collections::{HashMap, HashSet};

use crate::base::{OpId, ParamId, ValueId};
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

/// Floating-point operations of the network without any halo; what is computed again counts once.
pub fn network_flops(graph: &Graph) -> f64 {
    let of = |op: OpId| {
        let [n, _, h, w] = graph.sizes(graph.ops[op].output).unwrap_or([1; 4]);
        op_flops(graph, op) * (n * h * w) as f64
    };
    let repeated = repeated(graph);
    graph.ops.ids().filter(|op| !repeated.contains(op)).map(of).sum()
}

/// The ops that compute what an op before them does.
pub fn repeated(graph: &Graph) -> HashSet<OpId> {
    let mut stands: HashMap<ValueId, ValueId> = HashMap::new();
    let mut seen = HashMap::new();
    let mut repeated = HashSet::new();
    for (id, node) in graph.ops.iter() {
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| *stands.get(v).unwrap_or(v)).collect();
        let computation = (node.op.name(), node.op.attrs().to_string(), inputs, &node.params);
        let first = *seen.entry(computation).or_insert(node.output);
        stands.insert(node.output, first);
        if first != node.output {
            repeated.insert(id);
        }
    }
    repeated
}
