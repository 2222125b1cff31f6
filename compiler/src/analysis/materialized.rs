//! How tensors of the forward pass reach sections of the backward pass, and what each way is modelled to take.

use std::collections::HashMap;

use serde::Serialize;
use zellige_runtime::program::{Interval, Steps};

use super::cost::{self, HALO};
use super::device::blocks;
use super::fusion::is_reduction;
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
    /// Of storing it whole, and loading its tiles.
    pub keep: f64,
    /// Of storing it tile by tile and loading blocks, where that is possible.
    pub tiles: Option<f64>,
    /// Of computing it again, from what is kept or given.
    pub recompute: f64,
}

impl Ways {
    /// Of section number `s` with a tensor that an earlier one computes, and keeps in a file or not.
    pub fn of(ir: &Sections, s: usize, value: ValueId, spilled: bool) -> Option<Self> {
        let Sections { graph, target, sections, .. } = ir;
        let recompute =
            HALO * cost::arithmetic_seconds(&target.machine, target.threads, flops_again(ir, value));
        let bytes = graph.sizes(value)?.iter().fold(4.0, |bytes, &size| bytes * size as f64);
        let in_memory =
            |factor: f64| cost::kept_seconds(&target.machine, target.threads, factor * bytes, false);
        let Some(tiles) = in_tiles(sections, graph, s, value) else {
            let keep = in_memory(1.0) + if spilled { cost::spill_seconds(bytes) } else { 0.0 };
            return Some(Self { keep, tiles: None, recompute });
        };
        let file =
            |way: Traffic| if spilled { cost::file_seconds(way.volume * bytes, way.calls) } else { 0.0 };
        Some(Self {
            keep: in_memory(1.0) + file(tiles.whole),
            tiles: Some(in_memory(tiles.redundancy) + file(tiles.blocks)),
            recompute,
        })
    }

    /// The one that takes least time, of those that take no other ops.
    pub fn kept(&self) -> Materialize {
        if self.tiles.is_some_and(|tiles| tiles < self.keep) { Materialize::Tiles } else { Materialize::Keep }
    }
}

/// Whether a section can have a tensor tile by tile, with one tile after the other in what it reads.
pub fn may_be_tiled(sections: &[Section], graph: &Graph, s: usize, value: ValueId) -> bool {
    in_tiles(sections, graph, s, value).is_some()
}

/// What goes to a file and from it.
#[derive(Clone, Copy)]
struct Traffic {
    /// Over the bytes of the tensor.
    volume: f64,
    /// Stretches that are contiguous in the file.
    calls: f64,
}

/// A tensor that is kept whole, and tile by tile.
struct Compared {
    whole: Traffic,
    blocks: Traffic,
    /// Pixels of all blocks over those of the tensor.
    redundancy: f64,
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
    Some(Compared {
        whole: Traffic { volume: 1.0 + read_volume, calls: stacks * (stored + loaded) },
        blocks: Traffic {
            volume: 2.0 * read_volume,
            calls: stacks * meetings(written, read) + n * (grid[0] * grid[1]) as f64,
        },
        redundancy,
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

/// Operations that compute a value from what is given, is at a section's boundary in any case, or is small.
fn flops_again(ir: &Sections, value: ValueId) -> f64 {
    let graph = &ir.graph;
    let home: HashMap<OpId, usize> =
        ir.sections.iter().enumerate().flat_map(|(s, at)| at.ops.iter().map(move |&op| (op, s))).collect();
    let consumers = graph.consumers();
    let is_boundary = |value: ValueId, maker: OpId| {
        let readers = consumers.get(&value).into_iter().flatten();
        graph.is_output(value)
            || is_reduction(graph, maker)
            || readers.clone().any(|r| home.get(r) > home.get(&maker))
    };
    let (mut ops, mut stack) = (Vec::new(), vec![value]);
    while let Some(next) = stack.pop() {
        let Some(maker) = graph.producer(next) else { continue };
        if ops.contains(&maker) || (next != value && is_boundary(next, maker)) {
            continue;
        }
        ops.push(maker);
        stack.extend(&graph.ops[maker].inputs);
    }
    ops.into_iter().map(|op| total_flops(graph, op)).sum()
}
