//! The tensors of a section and who reads whom: what all geometry of the section follows from.

use std::collections::HashMap;

use indexmap::IndexMap;
use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::fusion::{addressing, is_inlined, is_reduction};
use super::geometry::AxisTiles;
use super::work::{op_flops, running_bytes, total_flops, weight_bytes};
use crate::base::{AxisMap, Id, OpId, ValueId};
use crate::ir::{Gradient, Graph, Section};
use crate::ops::{Outside, Sizes};

/// A section's tensors in the order of the reverse traversal: what a tensor is read for stands before it, so the outputs of the last
/// ops come first and the inputs last. Results of reductions are not among them, nor tensors of device memory that are only read
/// with an addressing of their own.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// The tensors.
    pub tensors: Vec<FlowTensor>,
    /// Index of the tensor that the target tile cuts: the last made that leaves the section or is reduced; where tiles are added up, the
    /// input that they are made of.
    pub anchor: usize,
    /// How tiles are added up, where they are.
    pub sum: Option<Sum>,
}

/// A section whose tiles are added up in device memory.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// Index of the tensor that is the sum.
    pub output: usize,
    /// Which coordinates of the anchor one of the output reads, along rows and columns.
    pub maps: [AxisMap; 2],
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
    /// Whether each tile takes a part of it that is no other's, and of the rest zeros: the input of tiles that are added up.
    pub parted: bool,
    /// Whether a reduction of the section sums it.
    pub reduced: bool,
    /// Floating-point operations of those reductions, for all of it.
    pub reduced_flops: f64,
    /// Bytes of the sums that they keep from tile to tile.
    pub running_bytes: f64,
    /// Rows and columns of the pieces that leave the section whole.
    pub grain: [i64; 2],
    /// Reads inside the section.
    pub readers: Vec<FlowReader>,
}

/// A read of a tensor by an op of the section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// What it reads for, of the tiles of its output, in each step.
    pub fn output_intervals<'a>(&self, output: &'a AxisTiles) -> &'a [Interval] {
        if self.for_owned { &output.owned } else { &output.computed }
    }
}

impl FlowTensor {
    /// Whether something of it is one tile's alone: what leaves the section tile by tile, and the input of tiles that are added up.
    pub fn is_owned(&self) -> bool {
        self.exported || self.reduced || self.parted
    }

    /// Whether its tiles are those of a tensor of another section that has the first `common` tensors too: all that it is read for is
    /// among them, and it gives out as much.
    pub fn is_tiled_as(&self, other: &Self, common: usize) -> bool {
        let owned = |t: &Self| t.is_owned().then_some(t.grain);
        self.value == other.value
            && owned(self) == owned(other)
            && self.readers == other.readers
            && self.readers.iter().all(|reader| reader.output < common)
    }

    /// Rows or columns.
    pub fn extent(&self, axis: AxisId) -> i64 {
        self.sizes[2 + axis.index()] as i64
    }
}

impl Flow {
    /// Of the ops of a section. `None` if sizes are not known or nothing leaves the section.
    pub fn of(graph: &Graph, ops: &[OpId], consumers: &HashMap<ValueId, Vec<OpId>>) -> Option<Self> {
        let mut growing = Growing::new(graph, consumers);
        for &op in ops.iter().rev() {
            growing.grow(op)?;
        }
        growing.close()?;
        Some(growing.flow)
    }

    /// Of a section.
    pub fn of_section(
        graph: &Graph,
        section: &Section,
        consumers: &HashMap<ValueId, Vec<OpId>>,
    ) -> Option<Self> {
        let mut flow = Self::of(graph, &section.ops, consumers)?;
        if section.gradient == Gradient::Rmw {
            flow.add_up(graph)?;
        }
        Some(flow)
    }

    /// Makes the section's only op the sum of its tiles, which the anchor's tiles contribute to. `None` if it is not such an op.
    pub fn add_up(&mut self, graph: &Graph) -> Option<()> {
        let &[FlowTensor { op: Some(op), exported: true, .. }, ..] = self.tensors.as_slice() else {
            return None;
        };
        let value = graph.ops[op].inputs[graph.added_up(op)?];
        let anchor = self.index_of(value)?;
        let &[FlowReader { maps, .. }] = self.tensors[anchor].readers.as_slice() else { return None };
        self.tensors[anchor].parted = true;
        (self.anchor, self.sum) = (anchor, Some(Sum { output: 0, maps }));
        Some(())
    }

    /// Images that it goes over.
    pub fn images(&self) -> f64 {
        self.tensors[self.anchor].sizes[0] as f64
    }

    /// Index of a value.
    pub fn index_of(&self, value: ValueId) -> Option<usize> {
        self.tensors.iter().position(|t| t.value == value)
    }
}

/// A section that grows from its last op towards the front. What it knows of a tensor stays as it is while it grows, so
/// whatever follows from the tensors placed so far does too.
pub struct Growing<'a> {
    graph: &'a Graph,
    consumers: &'a HashMap<ValueId, Vec<OpId>>,
    flow: Flow,
    /// Of every op of the graph, whether it is in the section.
    members: Vec<bool>,
    /// Of every value of the graph, where it is among the tensors placed.
    index: Vec<Option<usize>>,
    /// What is read and not placed yet; read backwards, in the order in which the section reads it first.
    wanted: IndexMap<ValueId, Wanted>,
    /// Ops whose outputs are not placed yet: a reduction reads them for what it owns of a tensor that is not.
    waiting: Vec<OpId>,
}

/// The reads of a tensor, from the last to the first.
#[derive(Default)]
struct Wanted {
    sizes: Sizes,
    /// What each is for, and the read; the index of its output is not known yet.
    reads: Vec<(ValueId, FlowReader)>,
    /// The pieces in which it is summed, if it is.
    grain: Option<[i64; 2]>,
    /// Of the reductions that sum it.
    flops: f64,
    running_bytes: u64,
}

impl<'a> Growing<'a> {
    /// No ops yet.
    pub fn new(graph: &'a Graph, consumers: &'a HashMap<ValueId, Vec<OpId>>) -> Self {
        Self {
            graph,
            consumers,
            flow: Flow::default(),
            members: vec![false; graph.ops.len()],
            index: vec![None; graph.values.len()],
            wanted: IndexMap::new(),
            waiting: Vec::new(),
        }
    }

    /// The tensors placed so far.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Puts an op in front of the others. `None` if sizes are not known.
    pub fn grow(&mut self, op: OpId) -> Option<()> {
        self.members[op.index()] = true;
        self.read(op)?;
        if !is_reduction(self.graph, op) {
            self.waiting.push(op);
        }
        self.place_waiting()
    }

    /// Places the section's inputs, as if no op came before. `None` if nothing leaves the section.
    pub fn close(&mut self) -> Option<()> {
        let is_input = |g: &Self, v: ValueId| g.graph.producer(v).is_none_or(|op| !g.members[op.index()]);
        let mut inputs: Vec<ValueId> = self.wanted.keys().copied().filter(|&v| is_input(self, v)).collect();
        loop {
            let before = self.flow.tensors.len();
            for value in std::mem::take(&mut inputs) {
                if self.is_ready(value) { self.place(value, None)? } else { inputs.push(value) }
            }
            self.place_waiting()?;
            if self.flow.tensors.len() == before {
                break;
            }
        }
        let is_complete = inputs.is_empty() && self.waiting.is_empty();
        self.flow.anchor = self.flow.tensors.iter().position(FlowTensor::is_owned)?;
        is_complete.then_some(())
    }

    /// The section, all of whose tensors are placed, as [`Flow::add_up`] makes it.
    pub fn add_up(&mut self) -> Option<()> {
        self.flow.add_up(self.graph)
    }

    /// Takes the section's inputs away again, and what was placed after them.
    pub fn reopen(&mut self, mark: Mark) {
        for tensor in self.flow.tensors.drain(mark.tensors..) {
            self.index[tensor.value.index()] = None;
        }
        (self.flow.anchor, self.flow.sum) = (mark.anchor, None);
        self.waiting = mark.waiting;
    }

    /// What [`Self::reopen`] goes back to.
    pub fn mark(&self) -> Mark {
        let Self { flow, waiting, .. } = self;
        Mark { tensors: flow.tensors.len(), anchor: flow.anchor, waiting: waiting.clone() }
    }

    fn place_waiting(&mut self) -> Option<()> {
        while let Some(at) = self.waiting.iter().position(|&op| self.is_ready(self.graph.ops[op].output)) {
            let op = self.waiting.remove(at);
            self.place(self.graph.ops[op].output, Some(op))?;
        }
        Some(())
    }

    /// Whether all that it is read for is placed, or is the tensor itself.
    fn is_ready(&self, value: ValueId) -> bool {
        let is_placed = |output: ValueId| output == value || self.index[output.index()].is_some();
        self.wanted.get(&value).is_none_or(|w| w.reads.iter().all(|(output, _)| is_placed(*output)))
    }

    fn place(&mut self, value: ValueId, op: Option<OpId>) -> Option<()> {
        let at = self.flow.tensors.len();
        self.index[value.index()] = Some(at);
        // An input stays wanted: an op that makes it may come yet.
        let unread;
        let wanted = match self.wanted.get(&value) {
            Some(wanted) => wanted,
            None => {
                unread = Wanted { sizes: self.graph.sizes(value)?, ..Wanted::default() };
                &unread
            }
        };
        let Wanted { sizes, reads, grain, flops, running_bytes } = wanted;
        let placed = |(output, read): &(ValueId, FlowReader)| {
            Some(FlowReader { output: self.index[output.index()]?, ..*read })
        };
        let readers = reads.iter().rev().map(placed).collect::<Option<Vec<_>>>()?;
        let graph = self.graph;
        let outside = self.consumers.get(&value).into_iter().flatten().any(|r| !self.members[r.index()]);
        self.flow.tensors.push(FlowTensor {
            value,
            sizes: *sizes,
            op,
            loaded: op.is_none_or(|op| addressing(graph, op).is_some()),
            flops: op.map_or(0.0, |op| op_flops(graph, op)),
            weight_bytes: op.map_or(0.0, |op| weight_bytes(graph, op)),
            exported: op.is_some() && (graph.is_output(value) || outside),
            parted: false,
            reduced: grain.is_some(),
            reduced_flops: *flops,
            running_bytes: *running_bytes as f64,
            grain: grain.unwrap_or([1; 2]),
            readers,
        });
        Some(())
    }

    /// Notes what an op reads.
    fn read(&mut self, op: OpId) -> Option<()> {
        let graph = self.graph;
        if addressing(graph, op).is_some() {
            return Some(());
        }
        let node = &graph.ops[op];
        let sizes: Vec<Sizes> = node.inputs.iter().map(|&v| graph.sizes(v)).collect::<Option<_>>()?;
        let reduces = is_reduction(graph, op);
        let last = node.inputs.last().copied().unwrap_or(node.output);
        for (i, &value) in node.inputs.iter().enumerate().rev() {
            if is_inlined(graph, value, op) {
                continue;
            }
            // At the end again: the section reads it here first, as far as it has grown.
            let mut wanted = self.wanted.shift_remove(&value).unwrap_or_default();
            wanted.sizes = sizes[i];
            if let Some(reduction) = node.op.reduction().filter(|_| i + 1 == node.inputs.len()) {
                let (grain, other) = (reduction.kind().grain(), wanted.grain.unwrap_or([1; 2]));
                wanted.grain = Some([0, 1].map(|axis| grain[axis].max(other[axis])));
                wanted.flops += total_flops(graph, op);
                wanted.running_bytes += running_bytes(graph, op)?;
            } else {
                let output = if reduces { last } else { node.output };
                let maps = AxisId::BOTH.map(|axis| node.op.access(i, axis, &sizes));
                let outside = node.op.outside(i);
                let read = FlowReader { op, output: 0, maps, outside, for_owned: reduces };
                wanted.reads.push((output, read));
            }
            self.wanted.insert(value, wanted);
        }
        Some(())
    }
}

/// How far a section has grown.
pub struct Mark {
    tensors: usize,
    anchor: usize,
    waiting: Vec<OpId>,
}
