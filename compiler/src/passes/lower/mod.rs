//! `lower`: writes the instructions and their tokens.
//!
//! ```text
//! before: section s0 { %a = conv2d %x; %b = relu %a }                              (buffers placed, %a fused)
//! after:  load (dst: %b0, src: @t0), signal %t0
//!         conv2d (dst: %b1, src: %b0, weight: @w0, epilogue: (expr: @e0)), wait %t0, signal %t1
//!         store (dst: @t1, src: %b1), wait %t1
//! ```

mod tokens;

use std::collections::HashMap;

use zellige_grammar::Diagnostic;
use zellige_runtime::program::instr::{
    Accumulate, Addressing, ConvDw, Epilogue, Load, Map, Operand, Reduce, Statistic, Store, StoreRmw,
};
use zellige_runtime::program::{
    Accumulator, AccumulatorId, Axis, Blocks, Buffer, BufferId, BufferSteps, Data, Dims, Element, ExprId,
    Instr, Numerics, Packing, Program, Role, Running, Section as ProgramSection, Source, Tensor, TensorId,
    Weight, WeightId,
};
use zellige_runtime::scalar::Expr;

use super::{Module, Options};
use crate::analysis::buffers::{ALIGNMENT, buffers};
use crate::analysis::device::{self, DevicePlan, PlannedAccumulator, WeightSource};
use crate::analysis::flow::Flow;
use crate::analysis::fusion::{Group, TailOperand, addressing, groups, is_reduction};
use crate::analysis::work::running_bytes;
use crate::base::{OpId, ParamId, ValueId};
use crate::ir::{self, Def, Graph, Section, Sections, Storage, text};
use crate::ops::{Lowering, Products, Reduction, Sizes};

pub(super) fn run(module: Module, _: &Options) -> Result<Module, Vec<Diagnostic>> {
    let ir = super::sections(module, "lower")?;
    let unallocated = |s: &Section| super::missing(&s.name, "buffers", "allocate");
    if let Some(section) = ir.sections.iter().find(|s| s.sram_bytes.is_none()) {
        return Err(unallocated(section));
    }
    // Without it, nothing would be zeroed outside the extents.
    if let Some(section) = ir.sections.iter().find(|s| s.tensors.values().any(|t| t.padding.is_none())) {
        return Err(super::missing(&section.name, "padding", "pad"));
    }
    let program = Lower::new(&ir).and_then(Lower::program);
    program.map(Module::Program).ok_or_else(|| match ir.sections.first() {
        Some(section) => unallocated(section),
        None => super::missing("", "sections", "section-cut"),
    })
}

/// A program in the making.
struct Lower<'a> {
    ir: &'a Sections,
    plan: DevicePlan,
    tensors: Vec<Tensor>,
    /// Where a value is loaded from.
    tensor_of: HashMap<ValueId, TensorId>,
    /// Where the tiles of some sections load it from, by their numbers.
    blocks_of: HashMap<ValueId, Vec<(u32, TensorId)>>,
    /// Where a value is given to the caller.
    output_of: HashMap<ValueId, TensorId>,
    weights: Vec<Weight>,
    expressions: Vec<Expr>,
    accumulators: Vec<Accumulator>,
    accumulator_of: HashMap<OpId, AccumulatorId>,
    consumers: HashMap<ValueId, Vec<OpId>>,
}

impl<'a> Lower<'a> {
    fn new(ir: &'a Sections) -> Option<Self> {
        let ops: Vec<&[OpId]> = ir.sections.iter().map(|s| s.ops.as_slice()).collect();
        let mut lower = Self {
            ir,
            plan: device::plan(&ir.graph, &ops, &device::tiled(ir), ir.target.memory)?,
            tensors: Vec::new(),
            tensor_of: HashMap::new(),
            blocks_of: HashMap::new(),
            output_of: HashMap::new(),
            weights: Vec::new(),
            expressions: Vec::new(),
            accumulators: Vec::new(),
            accumulator_of: HashMap::new(),
            consumers: ir.graph.consumers(),
        };
        lower.weights()?;
        lower.tensors()?;
        lower.accumulators()?;
        Some(lower)
    }

    fn program(mut self) -> Option<Program> {
        let numbered = (0..).zip(&self.ir.sections);
        let sections = numbered.map(|(n, s)| self.section(n, s)).collect::<Option<Vec<_>>>()?;
        Some(Program {
            name: self.ir.graph.name.clone(),
            numerics: Numerics::Strict,
            machine: self.ir.target.machine.clone(),
            graph: text::print_graph(&self.ir.graph),
            sram_bytes: self.ir.sections.iter().filter_map(|s| s.sram_bytes).max()?,
            device_bytes: self.ir.device.as_ref()?.arena_bytes,
            streamed: self.ir.device.as_ref()?.streamed,
            tensors: self.tensors,
            weights: self.weights,
            accumulators: self.accumulators,
            expressions: self.expressions,
            sections,
            data: Data::default(),
        })
    }

    /// Parameters lie one after the other in the raw data, in the order of the graph, until somebody says where they really are.
    fn weights(&mut self) -> Option<()> {
        let graph = &self.ir.graph;
        let mut raw_offsets = HashMap::new();
        let mut end = 0u64;
        for (id, param) in graph.params.iter() {
            raw_offsets.insert(id, end);
            end = param
                .dims
                .iter()
                .try_fold(4u64, |b, d| b.checked_mul(*d))
                .and_then(|b| end.checked_add(b))?;
        }
        for weight in &self.plan.weights {
            let (name, source) = match weight.source {
                WeightSource::Param(p) => (graph.params[p].name.clone(), Source::Offset(raw_offsets[&p])),
                WeightSource::Constant(v) => {
                    let value = &graph.values[v];
                    let Def::Constant(data) = &value.def else { return None };
                    (value.name.clone(), Source::Inline(data.to_vec()))
                }
            };
            let (dims, packing, offset) = (weight.dims.clone(), weight.packing, weight.offset);
            self.weights.push(Weight { name, dims, packing, offset, source });
        }
        Some(())
    }

    fn tensors(&mut self) -> Option<()> {
        let graph = &self.ir.graph;
        for &value in &graph.inputs {
            self.tensor(value, &graph.values[value].name, Role::Input, 1)?;
            self.tensors.last_mut()?.element = element(graph.values[value].ty.element);
        }
        for output in &graph.outputs {
            self.tensor(output.value, &output.name, Role::Output, 1)?;
            self.tensors.last_mut()?.element = element(output.ty.element);
            self.output_of.insert(output.value, self.tensor_of[&output.value]);
        }
        for &(value, ref composite) in &self.ir.device.as_ref()?.composites {
            let role = if composite.spilled { Role::Spilled } else { Role::Composite(composite.offset) };
            let name = &graph.values[value].name;
            match composite.blocks {
                None => self.tensor(value, name, role, composite.lanes)?,
                Some(blocks) => self.blocks(value, role, composite.lanes, blocks)?,
            }
        }
        let constants: Vec<_> = (self.plan.weights.iter().enumerate())
            .filter_map(|(i, w)| match (w.source, w.packing) {
                (WeightSource::Constant(v), Packing::Plain) => Some((v, WeightId(i as u32))),
                _ => None,
            })
            .collect();
        for (value, weight) in constants {
            self.tensor(value, &graph.values[value].name, Role::Constant(weight), 1)?;
        }
        Some(())
    }

    fn tensor(&mut self, value: ValueId, name: &str, role: Role, lanes: u32) -> Option<()> {
        let [n, c, h, w] = self.ir.graph.sizes(value)?;
        self.tensor_of.insert(value, TensorId(self.tensors.len() as u32));
        self.tensors.push(Tensor {
            name: name.to_owned(),
            role,
            dims: Dims { n, c, h, w },
            lanes,
            element: Element::F32,
            blocks: None,
        });
        Some(())
    }

    /// A tensor that is kept in blocks for the tiles of a section.
    fn blocks(&mut self, value: ValueId, role: Role, lanes: u32, blocks: ir::Blocks) -> Option<()> {
        let ir::Blocks { section, grid, size } = blocks;
        let reader = self.ir.sections.get(section as usize)?;
        let flow = Flow::of_section(&self.ir.graph, reader, &self.consumers)?;
        let planned = buffers(&flow, &groups(&self.ir.graph, &reader.ops));
        let buffer = planned.iter().position(|b| flow.tensors[b.tensor].value == value)?;
        let id = TensorId(self.tensors.len() as u32);
        let [n, c, h, w] = self.ir.graph.sizes(value)?;
        let blocks = Blocks { section, buffer: BufferId(buffer as u32), grid, size };
        let (name, dims) = (self.ir.graph.values[value].name.clone(), Dims { n, c, h, w });
        self.tensors.push(Tensor { name, role, dims, lanes, element: Element::F32, blocks: Some(blocks) });
        self.blocks_of.entry(value).or_default().push((section, id));
        Some(())
    }

    /// Where a value is written to: an output may have to be kept for later sections as well, and sections may have blocks of it.
    fn homes(&self, value: ValueId) -> Vec<TensorId> {
        let (output, kept) = (self.output_of.get(&value).copied(), self.tensor_of.get(&value).copied());
        let whole = output.into_iter().chain(kept.filter(|kept| Some(*kept) != output));
        whole.chain(self.blocks_of.get(&value).into_iter().flatten().map(|(_, id)| *id)).collect()
    }

    /// Where the tiles of section number `s` load a value from.
    fn source(&self, value: ValueId, s: u32) -> Option<TensorId> {
        let blocks = self.blocks_of.get(&value).into_iter().flatten().find(|(section, _)| *section == s);
        blocks.map(|(_, id)| *id).or_else(|| self.tensor_of.get(&value).copied())
    }

    fn accumulators(&mut self) -> Option<()> {
        let graph = &self.ir.graph;
        for planned in &self.plan.accumulators {
            let &PlannedAccumulator { value, kind, size: [images, channels], offset, .. } = planned;
            let [.., h, w] = graph.sizes(value)?;
            let id = AccumulatorId(self.accumulators.len() as u32);
            self.accumulator_of.extend(planned.ops.iter().map(|&op| (op, id)));
            let name = graph.values[value].name.clone();
            self.accumulators.push(Accumulator { name, kind, images, channels, extent: [h, w], offset });
        }
        Some(())
    }

    fn weight(&self, source: WeightSource, packing: Packing) -> Option<WeightId> {
        let at = self.plan.weights.iter().position(|w| w.source == source && w.packing == packing)?;
        Some(WeightId(at as u32))
    }

    fn expression(&mut self, expr: &Expr) -> ExprId {
        let at = self.expressions.iter().position(|e| e == expr).unwrap_or_else(|| {
            self.expressions.push(expr.clone());
            self.expressions.len() - 1
        });
        ExprId(at as u32)
    }

    fn section(&mut self, s: u32, section: &Section) -> Option<ProgramSection> {
        let graph = &self.ir.graph;
        let flow = Flow::of_section(graph, section, &self.consumers)?;
        let groups = groups(graph, &section.ops);
        let planned = buffers(&flow, &groups);
        let buffer_of: HashMap<ValueId, BufferId> = planned
            .iter()
            .enumerate()
            .map(|(i, b)| (flow.tensors[b.tensor].value, BufferId(i as u32)))
            .collect();

        let mut body = Vec::new();
        for (g, group) in groups.iter().enumerate() {
            for buffer in planned.iter().filter(|b| b.live[0] == g && flow.tensors[b.tensor].op.is_none()) {
                let value = flow.tensors[buffer.tensor].value;
                let (dst, src) = (buffer_of[&value], self.source(value, s)?);
                let addressing = flow.tensors[buffer.tensor].parted.then_some(Addressing::Owned);
                body.push(Instr::Load(Load { dst, src, addressing }));
            }
            self.group(group, &buffer_of, &mut body)?;
            let output = flow.tensors.iter().find(|t| t.value == group.output);
            if output.is_some_and(|t| t.exported) {
                let src = *buffer_of.get(&group.output)?;
                body.extend(self.homes(group.output).into_iter().map(|dst| match flow.sum {
                    Some(_) => Instr::StoreRmw(StoreRmw { dst, src }),
                    None => Instr::Store(Store { dst, src }),
                }));
            }
        }
        let mut end = Vec::new();
        for &op in section.ops.iter().filter(|&&op| is_reduction(graph, op)) {
            for dst in self.homes(graph.ops[op].output) {
                end.push(self.reduce(op, dst)?);
            }
        }

        let buffers = planned.iter().map(|b| self.buffer(section, &flow, b)).collect::<Option<Vec<_>>>()?;
        let axis = |i: usize| {
            let steps = planned.iter().map(|b| {
                let tiling = section.tensors.get(&flow.tensors[b.tensor].value)?;
                let steps = &tiling.steps[i];
                Some(BufferSteps { computed: steps.computed.clone(), owned: steps.owned.clone() })
            });
            Some(Axis { steps: section.grid?[i], buffers: steps.collect::<Option<Vec<_>>>()? })
        };
        Some(ProgramSection {
            name: section.name.clone(),
            images: flow.tensors[flow.anchor].sizes[0],
            y: axis(0)?,
            x: axis(1)?,
            body: tokens::schedule(body, &buffers),
            buffers,
            end,
            running: self.running(section)?,
            colours: section.colours.unwrap_or([1; 2]),
        })
    }

    /// Writes what a reducing op gathers into a tensor.
    fn reduce(&self, op: OpId, dst: TensorId) -> Option<Reduce> {
        let node = &self.ir.graph.ops[op];
        let [_, channels, ..] = self.ir.graph.sizes(*node.inputs.last()?)?;
        let (statistic, group) = match node.op.reduction()? {
            Reduction::Statistic(of) => (of.statistic, of.group(channels)),
            Reduction::Products(_) => (Statistic::Sum, 1),
        };
        Some(Reduce { acc: *self.accumulator_of.get(&op)?, dst, statistic, group })
    }

    /// Running sums lie after the buffers.
    fn running(&self, section: &Section) -> Option<Vec<Running>> {
        let ends = section.tensors.values().filter_map(|t| t.buffer.as_ref());
        let mut offset = ends.map(|b| b.offset + b.bytes).max().unwrap_or(0);
        let mut running = Vec::new();
        for &op in &section.ops {
            let bytes = running_bytes(&self.ir.graph, op)?;
            if bytes > 0 {
                running.push(Running { acc: *self.accumulator_of.get(&op)?, offset });
                offset = offset.checked_add(bytes.next_multiple_of(ALIGNMENT))?;
            }
        }
        Some(running)
    }

    fn buffer(
        &self,
        section: &Section,
        flow: &Flow,
        planned: &crate::analysis::buffers::Buffer,
    ) -> Option<Buffer> {
        let tensor = &flow.tensors[planned.tensor];
        let tiling = section.tensors.get(&tensor.value)?;
        let place = tiling.buffer.as_ref()?;
        Some(Buffer {
            name: self.ir.graph.values[tensor.value].name.clone(),
            channels: tensor.sizes[1],
            lanes: place.lanes,
            rows: tiling.tile[0],
            cols: tiling.tile[1],
            extent: tiling.extent,
            outside: tiling.zero_out.as_ref().map(|z| z.value),
            ring: tiling.storage == Some(Storage::Ring),
            offset: place.offset,
        })
    }

    /// The instructions of a group.
    fn group(
        &mut self,
        group: &Group,
        buffer_of: &HashMap<ValueId, BufferId>,
        body: &mut Vec<Instr>,
    ) -> Option<()> {
        let graph = &self.ir.graph;
        let first = &graph.ops[group.ops[0]];
        if let Some(reduction) = first.op.reduction() {
            let acc = *self.accumulator_of.get(&group.ops[0])?;
            let buffer = |value: &ValueId| buffer_of.get(value).copied();
            let accumulate = match reduction {
                Reduction::Statistic(_) => {
                    Instr::Accumulate(Accumulate { acc, src: buffer(first.inputs.first()?)? })
                }
                Reduction::Products(Products { window, groups, transposed }) => {
                    let [x, dy] = [buffer(first.inputs.first()?)?, buffer(first.inputs.last()?)?];
                    Instr::ConvDw(ConvDw { acc, x, dy, window, groups, transposed })
                }
            };
            // Further statistics of the tensor follow from the same accumulator.
            if !body.contains(&accumulate) {
                body.push(accumulate);
            }
            return Some(());
        }
        let dst = *buffer_of.get(&group.output)?;
        if let Some(addressing) = addressing(graph, group.ops[0]) {
            let src = *self.tensor_of.get(&group.loads(graph)?)?;
            body.push(Instr::Load(Load { dst, src, addressing: Some(addressing) }));
            return Some(());
        }
        let tail = match &group.tail {
            Some(tail) => {
                let operands = tail.operands.iter().map(|o| self.operand(*o, buffer_of));
                Some((operands.collect::<Option<Vec<_>>>()?, self.expression(&tail.expr)))
            }
            None => None,
        };
        if group.is_elementwise(graph) {
            let (operands, expr) = tail?;
            body.push(Instr::Map(Map { dst, operands, expr }));
            return Some(());
        }
        let inputs: Vec<Sizes> = first.inputs.iter().map(|&v| graph.sizes(v)).collect::<Option<_>>()?;
        let srcs: Vec<BufferId> =
            first.inputs.iter().map(|v| buffer_of.get(v).copied()).collect::<Option<_>>()?;
        let weights = self.parameters(graph, &first.params, group)?;
        let epilogue = tail.map(|(operands, expr)| Epilogue { operands, expr });
        body.extend(first.op.lower(&Lowering {
            dst,
            srcs: &srcs,
            inputs: &inputs,
            weights: &weights,
            epilogue,
        }));
        Some(())
    }

    fn parameters(&self, graph: &Graph, params: &[ParamId], group: &Group) -> Option<Vec<WeightId>> {
        let first = &graph.ops[group.ops[0]];
        let specs = first.op.params(&graph.shapes(&first.inputs)).ok()?;
        params.iter().zip(specs).map(|(&p, spec)| self.weight(WeightSource::Param(p), spec.packing)).collect()
    }

    fn operand(&self, operand: TailOperand, buffer_of: &HashMap<ValueId, BufferId>) -> Option<Operand> {
        let channels = Packing::Channels;
        Some(match operand {
            TailOperand::Value(value) => Operand::Buffer(*buffer_of.get(&value)?),
            TailOperand::Param(p) => Operand::Channels(self.weight(WeightSource::Param(p), channels)?),
            TailOperand::Constant(v) => Operand::Channels(self.weight(WeightSource::Constant(v), channels)?),
        })
    }
}

fn element(element: crate::base::Element) -> Element {
    match element {
        crate::base::Element::F32 => Element::F32,
        crate::base::Element::U8 => Element::U8,
        crate::base::Element::U16 => Element::U16,
    }
}
