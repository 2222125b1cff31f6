//! The receptive field of a network.

use std::collections::HashMap;

use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::footprint::need;
use super::fusion::is_reduction;
use crate::base::ValueId;
use crate::ir::Graph;

/// Output pixels that are looked at: strides and scales make the field depend on the pixel, with a short period.
const PIXELS: i64 = 32;

/// Rows and columns of the inputs that one output pixel depends on, at most; `None` if a reduction over space makes it all of
/// them, or if sizes are not known.
pub fn receptive_field(graph: &Graph) -> Option<[u64; 2]> {
    if graph.ops.ids().any(|op| is_reduction(graph, op)) {
        return None;
    }
    let along = |axis| (0..PIXELS).map(|o| field(graph, axis, o)).try_fold(0, |most, f| Some(most.max(f?)));
    Some([along(AxisId::Y)?, along(AxisId::X)?])
}

/// Along one axis, for pixel `o` of every output.
fn field(graph: &Graph, axis: AxisId, o: i64) -> Option<u64> {
    let mut needs: HashMap<ValueId, Interval> = HashMap::new();
    for output in &graph.outputs {
        needs.insert(output.value, Interval::new(o, o + 1));
    }
    for (_, node) in graph.ops.iter().rev() {
        let Some(&out) = needs.get(&node.output) else { continue };
        let inputs = node.inputs.iter().map(|&v| graph.sizes(v)).collect::<Option<Vec<_>>>()?;
        for (i, &value) in node.inputs.iter().enumerate() {
            let extent = inputs[i][2 + axis.index()] as i64;
            let read = need(node.op.access(i, axis, &inputs), out, extent);
            let entry = needs.entry(value).or_default();
            *entry = entry.hull(read);
        }
    }
    graph.inputs.iter().filter_map(|v| needs.get(v)).map(|n| n.len() as u64).max().or(Some(0))
}
