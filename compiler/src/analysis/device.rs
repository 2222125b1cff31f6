//! Device memory: packed weights, accumulators, and the composites at section boundaries.

use std::collections::{HashMap, HashSet};

use zellige_runtime::program::instr::Addressing;
use zellige_runtime::program::{AccumulatorKind, Packing, Source, Weight};
use zellige_runtime::weights::packed_len;

use super::buffers::{ALIGNMENT, lanes, place};
use super::fusion::{Group, TailOperand, addressing, groups, is_reduction};
use crate::base::{Element, OpId, ParamId, ValueId};
use crate::ir::{Blocks, Composite, Def, Device, Graph, Materialize, Section, Sections};
use crate::ops::{ParamSpec, Reduction, Sizes};

/// Smaller tensors are not worth a file, unless they are kept tile by tile.
const SMALLEST_SPILL: u64 = 1 << 16;

/// Something whose values are packed when a program is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightSource {
    /// A parameter.
    Param(ParamId),
    /// A constant with one value a channel, or one that is loaded as a tensor.
    Constant(ValueId),
}

/// A packed weight: what, its shape and layout, its offset in the device arena, and its bytes there.
#[derive(Clone, Debug)]
pub struct PackedWeight {
    /// Where its values come from.
    pub source: WeightSource,
    /// Shape.
    pub dims: Vec<u64>,
    /// Layout.
    pub packing: Packing,
    /// Offset in bytes.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Everything in device memory.
#[derive(Clone, Debug)]
pub struct DevicePlan {
    /// Weights, first in the arena.
    pub weights: Vec<PackedWeight>,
    /// Accumulators, next in the arena.
    pub accumulators: Vec<PlannedAccumulator>,
    /// The part that the IR shows.
    pub device: Device,
}

/// What a section gathers of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAccumulator {
    /// The tensor.
    pub value: ValueId,
    /// What is gathered of it.
    pub kind: AccumulatorKind,
    /// Images and channels: what is gathered for each.
    pub size: [u64; 2],
    /// The ops of the section that follow from it, in order.
    pub ops: Vec<OpId>,
    /// Offset in bytes in the device arena.
    pub offset: u64,
}

/// Lays out device memory for sections of the given ops, where some tensors are kept in blocks for a section. Where `memory` bytes do
/// not hold everything, blocks go to files, then inputs and outputs are streamed, and then boundary tensors spilled to files, the largest
/// first. `None` if sizes are not known or overflow.
pub fn plan(
    graph: &Graph,
    sections: &[&[OpId]],
    tiled: &[(ValueId, Blocks)],
    memory: u64,
) -> Option<DevicePlan> {
    let (weights, weight_bytes) = weights(graph, sections)?;
    let (accumulators, accumulator_bytes) = accumulators(graph, sections, weight_bytes)?;
    let base = weight_bytes.checked_add(accumulator_bytes)?;
    let (kept, end) = composites(graph, sections, tiled, base, false)?;
    let border = graph.inputs.iter().copied().chain(graph.outputs.iter().map(|o| o.value));
    let border_bytes = border.map(|v| tensor_bytes(graph.sizes(v)?, 1)).sum::<Option<u64>>()?;
    let fits = |end: u64| end.saturating_add(border_bytes) <= memory;
    let (mut composites, mut arena_bytes) = (kept, end);
    if !fits(end) {
        arena_bytes = spill_blocks(&mut composites, base)?;
    }
    let streamed = !fits(arena_bytes);
    if streamed {
        composites = self::composites(graph, sections, tiled, base, true)?.0;
        arena_bytes = spill_blocks(&mut composites, base)?;
    }
    while arena_bytes > memory {
        // What a reduction gives is small.
        let by_tiles = |v: ValueId| graph.producer(v).is_some_and(|op| !is_reduction(graph, op));
        let large = composites.iter_mut().filter(|(v, c)| !c.spilled && by_tiles(*v));
        let largest = large.map(|(_, c)| c).max_by_key(|c| c.bytes);
        let Some(largest) = largest.filter(|c| c.bytes >= SMALLEST_SPILL) else {
            break;
        };
        largest.spilled = true;
        arena_bytes = place_composites(&mut composites, base)?;
    }
    let device = Device { composites, weight_bytes, accumulator_bytes, arena_bytes, border_bytes, streamed };
    Some(DevicePlan { weights, accumulators, device })
}

/// Puts what is kept tile by tile into files, so that it never takes more memory than tensors that are kept whole; gives the end of
/// the others.
fn spill_blocks(composites: &mut [(ValueId, Composite)], base: u64) -> Option<u64> {
    for (_, composite) in composites.iter_mut().filter(|(_, c)| c.blocks.is_some()) {
        composite.spilled = true;
    }
    place_composites(composites, base)
}

/// What sections keep tile by tile, those that have tilings.
pub fn tiled(ir: &Sections) -> Vec<(ValueId, Blocks)> {
    let of_section = |(s, section): (u32, &Section)| {
        let tiled = section.materialized.iter().filter(|(_, how)| **how == Materialize::Tiles);
        let blocks = tiled.filter_map(|(&value, _)| Some((value, blocks(section, s, value)?)));
        blocks.collect::<Vec<_>>()
    };
    (0..).zip(&ir.sections).flat_map(of_section).collect()
}

/// The blocks of a tensor for the tiles of section number `s`.
pub fn blocks(section: &Section, s: u32, value: ValueId) -> Option<Blocks> {
    let tiling = section.tensors.get(&value)?;
    let longest = |axis: usize| tiling.steps[axis].computed.iter().map(|i| i.len() as u64).max();
    Some(Blocks { section: s, grid: section.grid?, size: [longest(0)?, longest(1)?] })
}

impl DevicePlan {
    /// All bytes that the budget counts.
    pub fn total(&self) -> u64 {
        let borders = if self.device.streamed { 0 } else { self.device.border_bytes };
        self.device.arena_bytes.saturating_add(borders)
    }

    /// Bytes that go to temporary files.
    pub fn spilled_bytes(&self) -> u64 {
        let spilled = self.device.composites.iter().filter(|(_, c)| c.spilled);
        spilled.fold(0, |sum, (_, c)| sum.saturating_add(c.bytes))
    }

    /// Bytes that sections of the given ops write to temporary files, and read there: once for each section and way of reading.
    pub fn file_bytes(&self, graph: &Graph, sections: &[&[OpId]]) -> f64 {
        let consumers = graph.consumers();
        let home = homes(sections);
        let passes = |value: ValueId| {
            let readers = consumers.get(&value).into_iter().flatten();
            let made = graph.producer(value).and_then(|op| home.get(&op));
            let read = readers.filter_map(|op| Some((*home.get(op)?, addressing(graph, *op).is_some())));
            1 + read.filter(|(s, _)| Some(s) != made).collect::<HashSet<_>>().len()
        };
        let spilled = self.device.composites.iter().filter(|(_, c)| c.spilled);
        spilled.map(|(value, c)| passes(*value) as f64 * c.bytes as f64).sum()
    }
}

fn tensor_bytes(sizes: Sizes, lanes: u32) -> Option<u64> {
    let [n, c, h, w] = sizes;
    c.checked_next_multiple_of(lanes.into())?.checked_mul(n)?.checked_mul(h)?.checked_mul(w)?.checked_mul(4)
}

fn weights(graph: &Graph, sections: &[&[OpId]]) -> Option<(Vec<PackedWeight>, u64)> {
    let mut all: Vec<PackedWeight> = Vec::new();
    let mut offset = 0u64;
    let mut add = |source, dims: Vec<u64>, packing| {
        let same = |w: &PackedWeight| w.source == source && w.packing == packing;
        if all.iter().any(same) {
            return Some(());
        }
        let weight = Weight { name: String::new(), dims, packing, offset, source: Source::Offset(0) };
        let bytes = packed_len(&weight)?.checked_mul(4)?.checked_next_multiple_of(ALIGNMENT)?;
        all.push(PackedWeight { source, dims: weight.dims, packing, offset, bytes });
        offset = offset.checked_add(bytes)?;
        Some(())
    };
    for ops in sections {
        for group in groups(graph, ops) {
            for (source, dims, packing) in wanted(graph, &group)? {
                add(source, dims, packing)?;
            }
        }
    }
    Some((all, offset))
}

/// What the instruction of a group wants packed.
fn wanted(graph: &Graph, group: &Group) -> Option<Vec<(WeightSource, Vec<u64>, Packing)>> {
    let mut list = Vec::new();
    let first = &graph.ops[group.ops[0]];
    if !group.is_elementwise(graph) {
        let specs = first.op.params(&graph.shapes(&first.inputs)).ok()?;
        list.extend(
            first
                .params
                .iter()
                .zip(specs)
                .map(|(&p, s)| (WeightSource::Param(p), packed_dims(&s), s.packing)),
        );
    }
    for operand in group.tail.iter().flat_map(|t| &t.operands) {
        match *operand {
            TailOperand::Param(p) => {
                list.push((WeightSource::Param(p), graph.params[p].dims.clone(), Packing::Channels));
            }
            TailOperand::Constant(v) => {
                list.push((WeightSource::Constant(v), vec![graph.sizes(v)?[1]], Packing::Channels));
            }
            TailOperand::Value(_) => {}
        }
    }
    for value in group.reads.iter().copied().chain(group.loads(graph)) {
        if matches!(graph.values[value].def, Def::Constant(_)) {
            list.push((WeightSource::Constant(value), graph.sizes(value)?.to_vec(), Packing::Plain));
        }
    }
    Some(list)
}

/// The shape that a parameter is packed as: where it has no kernel, and a convolution reads it, one of 1 × 1.
fn packed_dims(spec: &ParamSpec) -> Vec<u64> {
    let mut dims = spec.dims.clone();
    if matches!(spec.packing, Packing::Conv { .. } | Packing::ConvTranspose { .. }) {
        dims.resize(4, 1);
    }
    dims
}

/// The accumulators of all sections, placed after `base`, and their bytes. Statistics of one tensor in one section share one where
/// it gathers enough for all of them.
fn accumulators(graph: &Graph, sections: &[&[OpId]], base: u64) -> Option<(Vec<PlannedAccumulator>, u64)> {
    let mut all: Vec<PlannedAccumulator> = Vec::new();
    for ops in sections {
        let before = all.len();
        for &op in ops.iter().filter(|&&op| is_reduction(graph, op)) {
            let node = &graph.ops[op];
            let (value, reduction) = (*node.inputs.last()?, node.op.reduction()?);
            let kind = reduction.kind();
            let [n, c, ..] = match reduction {
                Reduction::Statistic(_) => graph.sizes(value)?,
                Reduction::Products(_) => graph.sizes(node.output)?,
            };
            let covers = |a: &PlannedAccumulator| a.kind.covers(kind) || kind.covers(a.kind);
            // Products are with other tensors as well.
            let may_share =
                |a: &PlannedAccumulator| a.value == value && kind != AccumulatorKind::Products && covers(a);
            let shared = all[before..].iter_mut().find(|a| may_share(a));
            match shared {
                Some(accumulator) => {
                    if kind.covers(accumulator.kind) {
                        accumulator.kind = kind;
                    }
                    accumulator.ops.push(op);
                }
                None => {
                    all.push(PlannedAccumulator { value, kind, size: [n, c], ops: vec![op], offset: 0 });
                }
            }
        }
    }
    let mut offset = base;
    for accumulator in &mut all {
        let [n, c] = accumulator.size;
        let bytes = n.checked_mul(c)?.checked_mul(accumulator.kind.bytes())?;
        accumulator.offset = offset;
        offset = offset.checked_add(bytes.checked_next_multiple_of(ALIGNMENT)?)?;
    }
    Some((all, offset - base))
}

/// Tensors that one section writes and another reads, placed after `base` so that those alive together do not overlap. An output
/// is read where it was written, unless it is `streamed` or rounded on the way.
fn composites(
    graph: &Graph,
    sections: &[&[OpId]],
    tiled: &[(ValueId, Blocks)],
    base: u64,
    streamed: bool,
) -> Option<(Vec<(ValueId, Composite)>, u64)> {
    let as_it_is =
        |v: ValueId| !streamed && graph.outputs.iter().any(|o| o.value == v && o.ty.element == Element::F32);
    let home = homes(sections);
    let consumers = graph.consumers();
    let mut composites = Vec::new();
    for (s, &op) in sections.iter().enumerate().flat_map(|(s, ops)| ops.iter().map(move |op| (s, op))) {
        let value = graph.ops[op].output;
        let blocks = || tiled.iter().filter(|(v, _)| *v == value).map(|(_, blocks)| *blocks);
        for blocks in blocks() {
            composites.push((value, in_blocks(graph.sizes(value)?, blocks, s)?));
        }
        // Who reads in device memory reads all of it.
        let loads_block = |op: &OpId, s: usize| {
            addressing(graph, *op).is_none() && blocks().any(|blocks| blocks.section as usize == s)
        };
        let of_whole = |op: &&OpId| home.get(*op).is_some_and(|&s| !loads_block(op, s));
        let readers = consumers.get(&value).into_iter().flatten().filter(of_whole);
        let last = readers.clone().filter_map(|r| home.get(r)).copied().max();
        let crosses = last.is_some_and(|l| l > s) || (is_reduction(graph, op) && !graph.is_output(value));
        if crosses && !as_it_is(value) {
            let sizes = graph.sizes(value)?;
            let planar = |op: &OpId| addressing(graph, *op).is_some_and(Addressing::is_planar);
            let lanes = if readers.clone().any(planar) { 1 } else { lanes(sizes[1]) };
            let bytes = tensor_bytes(sizes, lanes)?.checked_next_multiple_of(ALIGNMENT)?;
            let live = [s as u32, last.unwrap_or(s) as u32];
            composites
                .push((value, Composite { lanes, offset: 0, bytes, live, spilled: false, blocks: None }));
        }
    }
    let end = place_composites(&mut composites, base)?;
    Some((composites, end))
}

/// The section of each op.
fn homes(sections: &[&[OpId]]) -> HashMap<OpId, usize> {
    sections.iter().enumerate().flat_map(|(s, ops)| ops.iter().map(move |&op| (op, s))).collect()
}

/// The composite of a tensor that section `made` makes and another one loads block by block.
fn in_blocks([n, c, ..]: Sizes, blocks: Blocks, made: usize) -> Option<Composite> {
    let lanes = lanes(c);
    let [rows, cols] = [0, 1].map(|axis| blocks.grid[axis].checked_mul(blocks.size[axis]));
    let bytes = tensor_bytes([n, c, rows?, cols?], lanes)?.checked_next_multiple_of(ALIGNMENT)?;
    let live = [made as u32, blocks.section];
    Some(Composite { lanes, offset: 0, bytes, live, spilled: false, blocks: Some(blocks) })
}

/// Places the composites that stay in memory after `base`, and gives the end of the last.
fn place_composites(composites: &mut [(ValueId, Composite)], base: u64) -> Option<u64> {
    let mut kept: Vec<&mut Composite> = Vec::new();
    for (_, composite) in composites {
        composite.offset = 0;
        if !composite.spilled {
            kept.push(composite);
        }
    }
    let live: Vec<_> = kept.iter().map(|c| c.live.map(|s| s as usize)).collect();
    let bytes: Vec<_> = kept.iter().map(|c| c.bytes).collect();
    let (offsets, end) = place(&live, &bytes);
    for (composite, offset) in kept.into_iter().zip(offsets) {
        composite.offset = base.checked_add(offset)?;
    }
    base.checked_add(end)
}
