//! Which tensors a section has, and who reads them: from the graph alone.

use std::collections::{HashMap, HashSet};

use zellige_runtime::program::instr::AxisId;

use crate::base::{AxisMap, OpId, ValueId};
use crate::ir::{Def, Gradient, Graph, Role, Section, Sections};
use crate::ops::{Outside, Placement, Sizes};

/// A section's tensors: inputs of which tiles are read, in the order of their first reads, then what its ops compute, results of reductions apart.
#[derive(Debug)]
pub(super) struct Wiring {
    pub(super) tensors: Vec<Wire>,
    at: HashMap<ValueId, usize>,
}

/// A tensor of a section. The section exists, so sizes are known.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) value: ValueId,
    pub(super) sizes: Sizes,
    pub(super) made: bool,
    pub(super) exported: bool,
    pub(super) reduced: bool,
    /// Whether it is the sum of the section's tiles.
    pub(super) added_up: bool,
    /// Whether each of those tiles has a part of it.
    pub(super) parted: bool,
    /// Rows and columns of the pieces that a reduction takes whole.
    pub(super) grain: [i64; 2],
    /// Reads by ops of the section that work tile by tile.
    pub(super) reads: Vec<WireRead>,
}

#[derive(Debug)]
pub(super) struct WireRead {
    pub(super) op: OpId,
    pub(super) output: ValueId,
    pub(super) maps: [AxisMap; 2],
    pub(super) outside: Outside,
    /// Whether it is a reduction, which reads for what a step owns of the tensor that it sums (`output`).
    pub(super) for_owned: bool,
}

impl Wire {
    pub(super) fn role(&self) -> Role {
        match (self.made, self.exported, self.reduced) {
            (false, ..) => Role::Input,
            (_, true, _) => Role::Output,
            (_, _, true) => Role::Reduced,
            _ => Role::Intermediate,
        }
    }

    /// Whether something of it is one tile's alone: it leaves the section tile by tile, or tiles that are added up are made of it.
    pub(super) fn leaves(&self) -> bool {
        self.exported || self.reduced || self.parted
    }
}

impl Wiring {
    pub(super) fn of(ir: &Sections, section: &Section) -> Self {
        let graph = &ir.graph;
        let members: HashSet<OpId> = section.ops.iter().copied().collect();
        let readers = graph.consumers();
        let mut wiring = Self { tensors: Vec::new(), at: HashMap::new() };
        let tiles = section.ops.iter().filter(|&&op| !reads_device(graph, op));
        let reads = || tiles.clone().flat_map(|&op| graph.ops[op].inputs.iter().map(move |&v| (op, v)));
        for (op, value) in reads() {
            let made = graph.producer(value).is_some_and(|p| members.contains(&p));
            if !made && !is_number(graph, op, value) {
                wiring.add(graph, value, false, false);
            }
        }
        for node in section.ops.iter().map(|&op| &graph.ops[op]) {
            if node.op.placement() != Placement::Reduce {
                let outside =
                    readers.get(&node.output).is_some_and(|r| r.iter().any(|r| !members.contains(r)));
                wiring.add(graph, node.output, true, outside || graph.is_output(node.output));
            }
        }
        for &op in &section.ops {
            wiring.read(graph, op);
        }
        if let (Gradient::Rmw, &[op]) = (section.gradient, section.ops.as_slice()) {
            wiring.add_up(graph, op);
        }
        wiring
    }

    /// Marks the sum that an op's tiles are, and the input that they are made of.
    fn add_up(&mut self, graph: &Graph, op: OpId) {
        let node = &graph.ops[op];
        let Some(input) = graph.added_up(op) else { return };
        for wire in &mut self.tensors {
            wire.added_up = wire.value == node.output;
            wire.parted = wire.value == node.inputs[input];
        }
    }

    pub(super) fn get(&self, value: ValueId) -> Option<&Wire> {
        self.at.get(&value).map(|&i| &self.tensors[i])
    }

    fn add(&mut self, graph: &Graph, value: ValueId, made: bool, exported: bool) {
        let (Some(sizes), false) = (graph.sizes(value), self.at.contains_key(&value)) else { return };
        self.at.insert(value, self.tensors.len());
        self.tensors.push(Wire {
            value,
            sizes,
            made,
            exported,
            reduced: false,
            added_up: false,
            parted: false,
            grain: [1; 2],
            reads: Vec::new(),
        });
    }

    fn read(&mut self, graph: &Graph, op: OpId) {
        if reads_device(graph, op) {
            return;
        }
        let node = &graph.ops[op];
        let sizes: Vec<Sizes> = node.inputs.iter().filter_map(|&v| graph.sizes(v)).collect();
        for (i, value) in node.inputs.iter().enumerate() {
            let Some(&at) = self.at.get(value) else { continue };
            if is_number(graph, op, *value) {
                continue;
            }
            let reduces = node.op.placement() == Placement::Reduce;
            let summed = node.inputs[node.inputs.len() - 1];
            if reduces && i + 1 == node.inputs.len() {
                let wire = &mut self.tensors[at];
                wire.reduced = true;
                let grain = node.op.reduction().map_or([1; 2], |r| r.kind().grain());
                wire.grain = [0, 1].map(|axis| wire.grain[axis].max(grain[axis]));
                continue;
            }
            let maps = AxisId::BOTH.map(|axis| node.op.access(i, axis, &sizes));
            let output = if reduces { summed } else { node.output };
            let read = WireRead { op, output, maps, outside: node.op.outside(i), for_owned: reduces };
            self.tensors[at].reads.push(read);
        }
    }
}

/// Whether an op reads no tile, but its input in device memory.
pub(super) fn reads_device(graph: &Graph, op: OpId) -> bool {
    matches!(graph.ops[op].op.placement(), Placement::Boundary(_))
}

/// Whether an op takes a constant into its expression, as a number or one number a channel, and so reads no tensor.
fn is_number(graph: &Graph, op: OpId, value: ValueId) -> bool {
    let node = &graph.ops[op];
    let (Some([n, c, h, w]), Some(output)) = (graph.sizes(value), graph.sizes(node.output)) else {
        return false;
    };
    let constant = matches!(graph.values[value].def, Def::Constant(_));
    constant && node.op.expression().is_some() && [n, h, w] == [1; 3] && (c == 1 || c == output[1])
}
