//! How tensors of the forward pass reach sections of the backward pass, and what each way is modelled to take.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use zellige_runtime::program::{Interval, Steps};

use super::cost::{self, HALO};
use super::device::blocks;
use super::fusion::{addressing, is_reduction};
use super::work::total_flops;
use crate::base::{OpId, ValueId};
use crate::ir::{Blocks, Direction, Gradient, Graph, Materialize, Role, Section, Sections, Tiling};

/// For each section the tensors of the forward pass that its ops of the backward pass need and that an earlier section has computed:
/// those that it reads, and those that it computes again.
pub fn needed(ir: &Sections) -> Vec<Vec<(ValueId, bool)>> {
    let (graph, repeats) = (&ir.graph, ir.graph.repeats());
    let direction = |op: OpId| graph.ops[op].direction;
    let of_section = |section: &Section| {
        let by_tiles = |value: &ValueId| section.tensors.get(value).is_some_and(|t| t.role == Role::Input);
        let kept = ir.kept(section).into_iter().filter(by_tiles).map(|value| (value, false));
        let backward = section.ops.iter().filter(|op| direction(**op) == Direction::Backward);
        let again = backward.filter_map(|&op| repeats.get(&graph.ops[op].output));
        let is_forward =
            |value: &&ValueId| graph.producer(**value).map(direction) == Some(Direction::Forward);
        kept.chain(again.filter(is_forward).map(|&value| (value, true))).collect()
    };
    ir.sections.iter().map(of_section).collect()
}

/// Modelled seconds of the ways in which a section can have a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ways {
    /// Where it is needed besides, so that it is stored in any case.
    pub needed: Option<Needed>,
    /// Of storing it whole, unless it is needed elsewhere, and loading its tiles.
    pub keep: f64,
    /// Of storing it tile by tile and loading blocks, where that is possible.
    pub tiles: Option<f64>,
    /// Of computing it again, from what is kept or given.
    pub recompute: f64,
}

/// Where a tensor is needed, besides by the backward pass of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needed {
    /// Whole: by an op that reads it in device memory, or by the forward pass of another section than makes it.
    Elsewhere,
    /// By the forward pass of the section.
    Here,
}

impl Ways {
    /// The one that takes least time, of those that take no other ops.
    pub fn kept(&self) -> Materialize {
        if self.tiles.is_some_and(|tiles| tiles < self.keep) { Materialize::Tiles } else { Materialize::Keep }
    }
}

/// Sections, and who of them reads what.
pub struct Weighing<'a> {
    ir: &'a Sections,
    /// The section of each op.
    home: HashMap<OpId, usize>,
    consumers: HashMap<ValueId, Vec<OpId>>,
}

impl<'a> Weighing<'a> {
    /// Of sections that have tilings.
    pub fn of(ir: &'a Sections) -> Self {
        let numbered = ir.sections.iter().enumerate();
        let home = numbered.flat_map(|(s, at)| at.ops.iter().map(move |&op| (op, s))).collect();
        Self { ir, home, consumers: ir.graph.consumers() }
    }

    /// What section number `s` can do about a tensor that an earlier one computes, and keeps in a file or not.
    pub fn ways(&self, s: usize, value: ValueId, spilled: bool) -> Option<Ways> {
        let Sections { graph, target, sections, .. } = self.ir;
        let (machine, threads) = (&target.machine, target.threads);
        let recompute = HALO * cost::arithmetic_seconds(machine, threads, self.flops_again(value));
        let bytes = graph.sizes(value)?.iter().fold(4.0, |bytes, &size| bytes * size as f64);
        let needed = self.needed_besides(s, value);
        let moved = |store: Traffic, load: Traffic| {
            let of_file =
                |t: Traffic| if spilled { cost::file_seconds(t.volume * bytes, t.calls) } else { 0.0 };
            [
                cost::store_seconds(machine, threads, store.in_memory * bytes) + of_file(store),
                cost::load_seconds(machine, threads, load.in_memory * bytes) + of_file(load),
            ]
        };
        let compared = in_tiles(sections, graph, s, value);
        let [whole_stored, whole_loaded] = compared.as_ref().map_or([Traffic::ONCE; 2], |c| c.whole);
        let [store, load] = moved(whole_stored, whole_loaded);
        let tiles = compared.map(|c| moved(c.blocks[0], c.blocks[1]).iter().sum());
        let keep = if needed == Some(Needed::Elsewhere) { load } else { store + load };
        Some(Ways { needed, keep, tiles, recompute })
    }

    /// Who reads a value, each with its section.
    fn readers(&self, value: ValueId) -> impl Iterator<Item = (OpId, usize)> {
        let readers = self.consumers.get(&value).into_iter().flatten();
        readers.filter_map(|op| Some((*op, *self.home.get(op)?)))
    }

    /// Where a tensor is needed, besides by the backward pass of section number `s`.
    fn needed_besides(&self, s: usize, value: ValueId) -> Option<Needed> {
        let graph = &self.ir.graph;
        let made = graph.producer(value).and_then(|op| self.home.get(&op));
        let is_forward = |op: OpId| graph.ops[op].direction == Direction::Forward;
        // Other sections of both passes can have it tile by tile as well.
        let is_whole = |t: usize| !self.ir.kept(&self.ir.sections[t]).contains(&value);
        let elsewhere = |(op, t): (OpId, usize)| {
            addressing(graph, op).is_some() || (is_forward(op) && t != s && Some(&t) != made && is_whole(t))
        };
        if self.readers(value).any(elsewhere) {
            return Some(Needed::Elsewhere);
        }
        self.readers(value).any(|(op, t)| is_forward(op) && t == s).then_some(Needed::Here)
    }

    /// Operations that compute a value from what is given, is at a section's boundary in any case, or comes of a reduction.
    fn flops_again(&self, value: ValueId) -> f64 {
        let graph = &self.ir.graph;
        let is_boundary = |value: ValueId, maker: OpId| {
            graph.is_output(value)
                || is_reduction(graph, maker)
                || self.readers(value).any(|(_, t)| self.home.get(&maker).is_some_and(|&made| t > made))
        };
        let (mut ops, mut stack) = (BTreeSet::new(), vec![value]);
        while let Some(next) = stack.pop() {
            let Some(maker) = graph.producer(next) else { continue };
            if (next == value || !is_boundary(next, maker)) && ops.insert(maker) {
                stack.extend(&graph.ops[maker].inputs);
            }
        }
        ops.into_iter().map(|op| total_flops(graph, op)).sum()
    }
}

/// Whether a section can have a tensor tile by tile, with one tile after the other in what it reads.
pub fn may_be_tiled(sections: &[Section], graph: &Graph, s: usize, value: ValueId) -> bool {
    in_tiles(sections, graph, s, value).is_some()
}

/// What goes to or from device memory, or a file in its place. Volumes are over that of the tensor.
#[derive(Clone, Copy)]
struct Traffic {
    /// What counts where it lies in memory.
    in_memory: f64,
    /// What goes to or from a file.
    volume: f64,
    /// Stretches that are contiguous in the file.
    calls: f64,
}

impl Traffic {
    /// The tensor as it is, in a few large pieces.
    const ONCE: Self = Self { in_memory: 1.0, volume: 1.0, calls: 0.0 };
}

/// A tensor that is kept whole, and tile by tile: what is stored, and what is loaded.
struct Compared {
    whole: [Traffic; 2],
    blocks: [Traffic; 2],
}

/// What either way comes to; `None` where a tensor is not kept tile by tile.
fn in_tiles(sections: &[Section], graph: &Graph, s: usize, value: ValueId) -> Option<Compared> {
    let read = sections.get(s)?.tensors.get(&value)?;
    let maker = graph.producer(value).filter(|op| !is_reduction(graph, *op))?;
    let made = sections.iter().find(|section| section.ops.contains(&maker))?;
    let written = made.tensors.get(&value)?;
    let Blocks { grid, size, .. } = blocks(&sections[s], s as u32, value)?;
    let is_plain = read.steps.iter().all(|steps| steps.owned.is_empty() && ascends(&steps.computed));
    if !is_plain || made.gradient == Gradient::Rmw {
        return None;
    }
    let [n, c, h, w] = graph.sizes(value)?.map(|size| size as f64);
    let stacks = n * (c / 16.0).ceil();
    let stored = stretches(written.steps.each_ref().map(|s| &s.owned));
    let loaded = stretches(read.steps.each_ref().map(|s| &s.computed));
    let volume = |axis: usize| read.steps[axis].computed.pixels() as f64 / read.extent[axis] as f64;
    let redundancy = (grid[0] * size[0]) as f64 * (grid[1] * size[1]) as f64 / (h * w);
    let read_volume = volume(0) * volume(1);
    let whole = |volume: f64, calls: f64| Traffic { in_memory: 1.0, volume, calls: stacks * calls };
    let block = |calls: f64| Traffic { in_memory: redundancy, volume: read_volume, calls };
    Some(Compared {
        whole: [whole(1.0, stored), whole(read_volume, loaded)],
        blocks: [block(stacks * meetings(written, read)), block(n * (grid[0] * grid[1]) as f64)],
    })
}

/// Whether steps that have something in common follow each other.
fn ascends(steps: &Steps) -> bool {
    let all: Vec<Interval> = steps.iter().collect();
    all.windows(2).all(|w| w[0].start <= w[1].start && w[0].end <= w[1].end)
}

/// Contiguous stretches of one channel block that tiles have in the whole tensor: their rows, unless each is as wide as the tensor.
fn stretches([rows, columns]: [&Steps; 2]) -> f64 {
    let lines = if columns.len() == 1 { rows.len() } else { rows.pixels().saturating_mul(columns.len()) };
    lines as f64
}

/// Rows of one channel block in which what tiles store meets blocks.
fn meetings(written: &Tiling, read: &Tiling) -> f64 {
    let pairs = |axis: usize| {
        let blocks = &read.steps[axis].computed;
        let of = move |own: Interval| blocks.meeting(own).map(move |i| blocks.get(i).intersect(own).len());
        written.steps[axis].owned.iter().flat_map(of).collect::<Vec<i64>>()
    };
    pairs(0).iter().sum::<i64>() as f64 * pairs(1).len() as f64
}
