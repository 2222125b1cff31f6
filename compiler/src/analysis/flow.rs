//! The tensors of a section and who reads whom: what all geometry of the section follows from.

use std::collections::HashMap;

use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::fusion::{addressing, is_inlined, is_reduction};
use super::geometry::AxisTiles;
use super::work::{op_flops, weight_bytes};
use crate::base::{AxisMap, OpId, ValueId};
use crate::ir::Graph;
use crate::ops::{Op, Outside, Sizes};

/// A section's tensors: inputs first, then the outputs of its ops in order. Results of reductions are not among them, nor
/// tensors of device memory that are only read with an addressing of their own.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The tensors.
    pub tensors: Vec<FlowTensor>,
    /// Index of the tensor that the target tile cuts: the last one that leaves the section or is reduced.
    pub anchor: usize,
}

/// A tensor in a section.
#[derive(Clone, Debug)]
pub struct FlowTensor {
    /// Which.
    pub value: ValueId,
    /// Its sizes.
    pub sizes: Sizes,
    /// The op of the section that makes it, if one does.
    pub op: Option<OpId>,
    /// Whether its tiles come from device memory: of inputs, and where the op is a load.
    pub loaded: bool,
    /// Floating-point operations that the op takes for a pixel.
    pub flops: f64,
    /// Bytes of the op's parameters.
    pub weight_bytes: f64,
    /// Whether it is needed outside the section.
    pub exported: bool,
    /// Whether a reduction of the section sums it.
    pub reduced: bool,
    /// Rows and columns of the pieces that leave the section whole.
    pub grain: [i64; 2],
    /// Reads inside the section.
    pub readers: Vec<FlowReader>,
}

/// A read of a tensor by an op of the section.
#[derive(Clone, Copy, Debug)]
pub struct FlowReader {
    /// Reading op.
    pub op: OpId,
    /// Index of that op's output among the tensors; of a reduction, of the tensor that it sums.
    pub output: usize,
    /// Access along rows and columns.
    pub maps: [AxisMap; 2],
    /// What it finds outside the extent.
    pub outside: Outside,
    /// Whether it reads for what a step owns of the output, as a reduction does of several tensors, and not for all that the step
    /// computes.
    pub for_owned: bool,
}

impl FlowReader {
    /// What it reads for, of the tiles of its output, in a step.
    pub fn output_interval(&self, output: &AxisTiles, step: usize) -> Interval {
        if self.for_owned { output.owned[step] } else { output.computed[step] }
    }
}

impl FlowTensor {
    fn is_reduced_by(&mut self, op: &dyn Op) {
        let grain = op.grain();
        self.reduced = true;
        self.grain = [0, 1].map(|axis| self.grain[axis].max(grain[axis]));
    }

    /// Whether something of it leaves the section tile by tile.
    pub fn is_owned(&self) -> bool {
        self.exported || self.reduced
    }

    /// Rows or columns.
    pub fn extent(&self, axis: AxisId) -> i64 {
        self.sizes[2 + axis.index()] as i64
    }
}

impl Flow {
    /// Of the ops of a section. `None` if sizes are not known or nothing leaves the section.
    pub fn of(graph: &Graph, ops: &[OpId], consumers: &HashMap<ValueId, Vec<OpId>>) -> Option<Self> {
        let mut flow = Self { tensors: Vec::new(), anchor: 0 };
        let mut index: HashMap<ValueId, usize> = HashMap::new();
        let made: HashMap<ValueId, OpId> = ops.iter().map(|&op| (graph.ops[op].output, op)).collect();
        for &op in ops.iter().filter(|&&op| addressing(graph, op).is_none()) {
            for &input in &graph.ops[op].inputs {
                if !made.contains_key(&input) && !is_inlined(graph, input, op) && !index.contains_key(&input)
                {
                    index.insert(input, flow.push(graph, input, None, false)?);
                }
            }
        }
        for &op in ops.iter().filter(|&&op| !is_reduction(graph, op)) {
            let value = graph.ops[op].output;
            let readers = consumers.get(&value).map_or(&[][..], Vec::as_slice);
            let exported = graph.is_output(value) || readers.iter().any(|r| !ops.contains(r));
            index.insert(value, flow.push(graph, value, Some(op), exported)?);
        }
        for &op in ops {
            flow.read(graph, op, &index)?;
        }
        flow.anchor = flow.tensors.iter().rposition(FlowTensor::is_owned)?;
        Some(flow)
    }

    fn push(&mut self, graph: &Graph, value: ValueId, op: Option<OpId>, exported: bool) -> Option<usize> {
        let sizes = graph.sizes(value)?;
        let flops = op.map_or(0.0, |op| op_flops(graph, op));
        let weight_bytes = op.map_or(0.0, |op| weight_bytes(graph, op));
        let readers = Vec::new();
        self.tensors.push(FlowTensor {
            value,
            sizes,
            op,
            loaded: op.is_none_or(|op| addressing(graph, op).is_some()),
            flops,
            weight_bytes,
            exported,
            reduced: false,
            grain: [1; 2],
            readers,
        });
        Some(self.tensors.len() - 1)
    }

    fn read(&mut self, graph: &Graph, op: OpId, index: &HashMap<ValueId, usize>) -> Option<()> {
        if addressing(graph, op).is_some() {
            return Some(());
        }
        let node = &graph.ops[op];
        let inputs: Vec<Sizes> = node.inputs.iter().map(|&v| graph.sizes(v)).collect::<Option<_>>()?;
        for (i, value) in node.inputs.iter().enumerate() {
            let Some(&at) = index.get(value) else { continue };
            let for_owned = is_reduction(graph, op);
            if for_owned && i + 1 == node.inputs.len() {
                self.tensors[at].is_reduced_by(&*node.op);
                continue;
            }
            let output = if for_owned { node.inputs.last()? } else { &node.output };
            let output = *index.get(output)?;
            let maps = AxisId::BOTH.map(|axis| node.op.access(i, axis, &inputs));
            let reader = FlowReader { op, output, maps, outside: node.op.outside(i), for_owned };
            self.tensors[at].readers.push(reader);
        }
        Some(())
    }

    /// Index of a value.
    pub fn index_of(&self, value: ValueId) -> Option<usize> {
        self.tensors.iter().position(|t| t.value == value)
    }
}
