//! The geometry of a section along one axis, by reverse traversal from the target tile.
//!
//! The anchor is cut into tiles; every other tensor's tile is the hull of what its readers need of it. Where halos are
//! computed, tiles of a tensor have one size, the largest over all steps; what makes a tile larger than its need makes its
//! own inputs larger too, since the traversal goes on from the tile. Where rows are reused, `strips` says what each step adds.
//!
//! Where tiles are added up in device memory, it is the other way round at first: the anchor is an input, and a tile of the output is what the
//! anchor's tile reaches. From there on the traversal is the same, so that a tile of the anchor holds all that the output's tile reads;
//! beyond its own part it holds zeros.
//!
//! A tensor that leaves the section (or is summed) is moreover partitioned: cuts lie in the middle of the overlap of
//! neighbouring tiles, on grains where it is summed.

use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::flow::{Flow, FlowTensor, Sum};
use super::footprint::{need, reached};
use super::strips;
use crate::ir::{Overlap, Padding, Scheme};

/// Most steps of an axis: tables are made step by step before they are compressed.
pub const MAX_STEPS: u64 = 1 << 22;

/// Tiles of every tensor of a section along one axis, in the order of [`Flow::tensors`].
#[derive(Clone, Debug)]
pub struct AxisGeometry {
    /// Number of steps of the whole axis.
    pub steps: u64,
    /// One entry a tensor.
    pub tensors: Vec<AxisTiles>,
    /// How many of them are rings.
    rings: usize,
    cuts: Cuts,
}

/// How an axis is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cuts {
    axis: AxisId,
    tile: i64,
    /// Whether each step goes on from where the one before it ended.
    strips: bool,
    /// Whether all tiles of a tensor have one size, padding and overhang included.
    same_size: bool,
    /// Steps that are looked at.
    pub(super) count: u64,
}

/// Tiles of a tensor along one axis.
#[derive(Clone, Debug, Default)]
pub struct AxisTiles {
    /// Length of a tile; of a ring, the rows that it keeps.
    pub size: i64,
    /// Whether later steps read rows that earlier ones have computed.
    pub ring: bool,
    /// What each step's tile covers; of a ring, what the step adds.
    pub computed: Vec<Interval>,
    /// What of it each step owns; empty where nothing leaves the section.
    pub owned: Vec<Interval>,
    /// Pixels inside the extent that all steps compute together, if the steps not looked at are as the last ones.
    pub pixels: f64,
}

/// Pixels of an extent that `steps` steps compute together, given the first of them.
fn pixels(computed: &[Interval], extent: i64, steps: u64) -> f64 {
    let whole = Interval::new(0, extent);
    let inside = |tiles: &[Interval]| tiles.iter().map(|c| c.intersect(whole).len() as f64).sum::<f64>();
    let (head, tail) = computed.split_at(computed.len() / 2);
    let (first, last) = (inside(head), inside(tail));
    let rest = steps.saturating_sub(computed.len() as u64) as f64;
    first + last + rest * last / tail.len().max(1) as f64
}

/// The geometry for anchor tiles of `tile` pixels, for the first `limit` steps (a planner looks at a few only).
pub fn axis_geometry(flow: &Flow, axis: AxisId, tile: u64, scheme: Scheme, limit: u64) -> AxisGeometry {
    let mut geometry = AxisGeometry::new(flow, axis, tile, scheme, limit);
    for _ in &flow.tensors {
        geometry.push(geometry.next(flow));
    }
    geometry
}

impl AxisGeometry {
    /// Of no tensor yet; cuts the anchor of `flow` into tiles of `tile` pixels.
    pub fn new(flow: &Flow, axis: AxisId, tile: u64, scheme: Scheme, limit: u64) -> Self {
        let extent = flow.tensors[flow.anchor].extent(axis).max(1);
        let tile = (tile as i64).clamp(1, extent);
        let steps = (extent as u64).div_ceil(tile as u64);
        let strips = scheme.overlap == Overlap::Reuse && axis == AxisId::Y;
        let same_size = scheme.padding == Padding::Post && !strips;
        let cuts = Cuts { axis, tile, strips, same_size, count: steps.min(limit) };
        Self { steps, tensors: Vec::with_capacity(flow.tensors.len()), rings: 0, cuts }
    }

    /// The tiles of the next tensor of `flow`.
    pub fn next(&self, flow: &Flow) -> AxisTiles {
        let (walk, t) = (Walk { flow, steps: self.steps, cuts: self.cuts }, self.tensors.len());
        let tiles = if self.cuts.strips {
            strips::rows(&walk, t, &self.tensors)
        } else {
            walk.tiles(t, &self.tensors)
        };
        let pixels = pixels(&tiles.computed, flow.tensors[t].extent(self.cuts.axis), self.steps);
        AxisTiles { pixels, ..tiles }
    }

    /// Goes on to the next tensor.
    pub fn push(&mut self, tiles: AxisTiles) {
        self.rings += usize::from(tiles.ring);
        self.tensors.push(tiles);
    }

    /// Takes away the tiles of all but the first `tensors` tensors.
    pub fn drain(&mut self, tensors: usize) -> impl Iterator<Item = AxisTiles> {
        self.rings -= self.tensors[tensors..].iter().filter(|t| t.ring).count();
        self.tensors.drain(tensors..)
    }

    /// Whether steps read rows that earlier ones have computed.
    pub fn keeps_rows(&self) -> bool {
        self.rings > 0
    }

    /// Pixels of the anchor that a step gives.
    pub fn tile(&self) -> u64 {
        self.cuts.tile as u64
    }
}

/// How many steps in a row, at most, own something in common, given that starts and ends ascend: so many colours keep steps of one apart.
pub fn colours(owned: &[Interval]) -> u64 {
    let apart = |(i, own): (usize, &Interval)| owned[i + 1..].partition_point(|o| o.start < own.end) + 1;
    owned.iter().enumerate().map(apart).max().unwrap_or(1) as u64
}

/// The traversal along one axis.
pub(super) struct Walk<'a> {
    pub(super) flow: &'a Flow,
    /// Steps of the whole axis.
    steps: u64,
    pub(super) cuts: Cuts,
}

impl Walk<'_> {
    fn tiles(&self, t: usize, done: &[AxisTiles]) -> AxisTiles {
        let tensor = &self.flow.tensors[t];
        let mut needs = self.needs(tensor, done);
        if t == self.flow.anchor && !tensor.parted {
            self.include_anchor(&mut needs);
        }
        let owned = match self.flow.sum.filter(|sum| sum.output == t) {
            Some(sum) => self.contributions(&sum),
            None if tensor.is_owned() => self.partition(t, &needs),
            None => Vec::new(),
        };
        self.include(t, &owned, &mut needs);
        let size = needs.iter().map(|n| n.len()).max().unwrap_or(0).max(1);
        let mut start = 0;
        let mut computed = needs;
        for tile in &mut computed {
            // A step that needs nothing gets a tile all the same, where the last one was.
            start = if tile.is_empty() { start } else { tile.start };
            let length = if self.cuts.same_size { size } else { tile.len().max(1) };
            *tile = Interval::new(start, start.saturating_add(length));
        }
        AxisTiles { size, computed, owned, ..AxisTiles::default() }
    }

    /// Adds the anchor's tile of each step to what is needed of it.
    pub(super) fn include_anchor(&self, needs: &mut [Interval]) {
        for (i, need) in needs.iter_mut().enumerate() {
            *need = need.hull(self.anchor(i as u64));
        }
    }

    /// The anchor's tile of step `i`; the last one hangs over, where tiles have one size.
    fn anchor(&self, i: u64) -> Interval {
        let start = i as i64 * self.cuts.tile;
        let tile = Interval::new(start, start.saturating_add(self.cuts.tile));
        let extent = self.flow.tensors[self.flow.anchor].extent(self.cuts.axis).max(1);
        if self.cuts.same_size { tile } else { tile.intersect(Interval::new(0, extent)) }
    }

    /// The hull of what the readers of a tensor need, in each step.
    pub(super) fn needs(&self, tensor: &FlowTensor, done: &[AxisTiles]) -> Vec<Interval> {
        let extent = tensor.extent(self.cuts.axis);
        let mut needs = vec![Interval::default(); self.cuts.count as usize];
        // What the tensor itself owns is not known yet: `include` adds it.
        for reader in tensor.readers.iter().filter(|r| r.output < done.len()) {
            let map = reader.maps[self.cuts.axis.index()];
            let whole = Interval::new(0, self.flow.tensors[reader.output].extent(self.cuts.axis));
            for (needed, &computed) in needs.iter_mut().zip(reader.output_intervals(&done[reader.output])) {
                let out = if self.cuts.same_size { computed } else { computed.intersect(whole) };
                *needed = needed.hull(need(map, out, extent));
            }
        }
        needs
    }

    /// Adds what each step owns of a tensor to what is needed of it, and what a reduction of the tensor with itself reads for that.
    pub(super) fn include(&self, t: usize, owned: &[Interval], needs: &mut [Interval]) {
        let tensor = &self.flow.tensors[t];
        let extent = tensor.extent(self.cuts.axis);
        for (needed, &owned) in needs.iter_mut().zip(owned) {
            let own = tensor.readers.iter().filter(|r| r.output == t);
            let read = own.map(|r| need(r.maps[self.cuts.axis.index()], owned, extent));
            *needed = read.fold(needed.hull(owned), Interval::hull);
        }
    }

    /// Of a sum of tiles what each step adds to: what its part of the anchor reaches, and up to what the next one reaches, so that nothing
    /// is left out.
    fn contributions(&self, sum: &Sum) -> Vec<Interval> {
        let axis = self.cuts.axis;
        let [inputs, outputs] = [self.flow.anchor, sum.output].map(|t| self.flow.tensors[t].extent(axis));
        let whole = Interval::new(0, inputs);
        let reached = |i: u64| reached(sum.maps[axis.index()], self.anchor(i).intersect(whole), outputs);
        let mut owned: Vec<Interval> = (0..self.cuts.count).map(reached).collect();
        for i in 1..owned.len() {
            owned[i - 1].end = owned[i - 1].end.max(owned[i].start);
        }
        owned[0].start = 0;
        if self.cuts.count == self.steps
            && let Some(last) = owned.last_mut()
        {
            last.end = outputs;
        }
        owned
    }

    /// Cuts a tensor's extent into one interval a step.
    fn partition(&self, t: usize, needs: &[Interval]) -> Vec<Interval> {
        let cut = |i: u64| self.cut(t, i as i64, needs[i as usize - 1], needs[i as usize]);
        self.owned(t, cut)
    }

    /// One interval a step, given where each step but the first begins: on grains, where the tensor is summed.
    pub(super) fn owned(&self, t: usize, cut: impl Fn(u64) -> i64) -> Vec<Interval> {
        let tensor = &self.flow.tensors[t];
        let (extent, grain) = (tensor.extent(self.cuts.axis), tensor.grain[self.cuts.axis.index()]);
        let mut owned: Vec<Interval> = Vec::with_capacity(self.cuts.count as usize);
        let mut start = 0;
        for i in 1..self.cuts.count {
            let cut = cut(i);
            let cut = if cut < extent && grain > 1 { cut.div_euclid(grain) * grain } else { cut };
            let end = cut.clamp(start, extent);
            owned.push(Interval::new(start, end));
            start = end;
        }
        // Where a planner's look ends before the axis does, the last step has as much as the one before.
        let as_before = start.saturating_add(owned.last().map_or(0, |o| o.len()));
        let end = if self.cuts.count == self.steps { extent } else { as_before.clamp(start, extent) };
        owned.push(Interval::new(start, end));
        owned
    }

    /// The cut before step `i`: where the anchor's is; in the middle of what two steps both need; or in proportion.
    fn cut(&self, t: usize, i: i64, before: Interval, after: Interval) -> i64 {
        if t != self.flow.anchor && !before.is_empty() && !after.is_empty() {
            return after.start.saturating_add(before.end).div_euclid(2);
        }
        self.in_proportion(t, i)
    }

    /// The cut before step `i` that leaves as large a part of a tensor before it as the anchor's does.
    pub(super) fn in_proportion(&self, t: usize, i: i64) -> i64 {
        let (of, extent) = (
            self.flow.tensors[self.flow.anchor].extent(self.cuts.axis),
            self.flow.tensors[t].extent(self.cuts.axis),
        );
        let (before, of) = (i * self.cuts.tile, of.max(1));
        match before.checked_mul(extent) {
            Some(product) => product / of,
            None => (i128::from(before) * i128::from(extent) / i128::from(of)) as i64,
        }
    }
}
