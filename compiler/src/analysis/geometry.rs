//! The geometry of a section along one axis, by reverse traversal from the target tile.
//!
//! The anchor is cut into tiles; every other tensor's tile is the hull of what its readers need of it. Tiles of a tensor have
//! one size, the largest over all steps; what makes a tile larger than its need makes its own inputs larger too, since the
//! traversal goes on from the tile. A tensor that leaves the section (or is summed) is moreover partitioned: cuts lie in
//! the middle of the overlap of neighbouring tiles, on grains where it is summed.

use zellige_runtime::exact::grains::GRAIN;
use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::flow::{Flow, FlowTensor};
use super::footprint::need;

/// Most steps of an axis: tables are made step by step before they are compressed.
pub const MAX_STEPS: u64 = 1 << 22;

/// Tiles of every tensor of a section along one axis, in the order of [`Flow::tensors`].
#[derive(Clone, Debug)]
pub struct AxisGeometry {
    /// Number of steps of the whole axis.
    pub steps: u64,
    /// One entry a tensor.
    pub tensors: Vec<AxisTiles>,
}

/// Tiles of a tensor along one axis.
#[derive(Clone, Debug, Default)]
pub struct AxisTiles {
    /// Length of a tile.
    pub size: i64,
    /// What each step's tile covers.
    pub computed: Vec<Interval>,
    /// What of it each step owns; empty where nothing leaves the section.
    pub owned: Vec<Interval>,
}

impl AxisTiles {
    /// The most that neighbouring tiles have in common.
    pub fn overlap(&self) -> u64 {
        let shared = |w: &[Interval]| w[0].intersect(w[1]).len() as u64;
        self.computed.windows(2).map(shared).max().unwrap_or(0)
    }
}

/// The geometry for anchor tiles of `tile` pixels, for the first `limit` steps (a planner looks at a few only).
pub fn axis_geometry(flow: &Flow, axis: AxisId, tile: u64, limit: u64) -> AxisGeometry {
    let extent = flow.tensors[flow.anchor].extent(axis);
    let tile = (tile as i64).clamp(1, extent.max(1));
    let steps = (extent.max(1) as u64).div_ceil(tile as u64);
    let walk = Walk { flow, axis, tile, steps, count: steps.min(limit) };
    let mut tensors: Vec<AxisTiles> = vec![AxisTiles::default(); flow.tensors.len()];
    for t in (0..flow.tensors.len()).rev() {
        tensors[t] = walk.tensor(t, &tensors);
    }
    AxisGeometry { steps, tensors }
}

struct Walk<'a> {
    flow: &'a Flow,
    axis: AxisId,
    tile: i64,
    steps: u64,
    count: u64,
}

impl Walk<'_> {
    fn tensor(&self, t: usize, done: &[AxisTiles]) -> AxisTiles {
        let tensor = &self.flow.tensors[t];
        let mut needs: Vec<Interval> = (0..self.count).map(|i| self.need(tensor, i as usize, done)).collect();
        if t == self.flow.anchor {
            for (i, need) in needs.iter_mut().enumerate() {
                let start = i as i64 * self.tile;
                *need = need.hull(Interval::new(start, start + self.tile));
            }
        }
        let owned = if tensor.is_owned() { self.partition(t, &needs) } else { Vec::new() };
        for (need, owned) in needs.iter_mut().zip(&owned) {
            *need = need.hull(*owned);
        }
        let size = needs.iter().map(|n| n.len()).max().unwrap_or(0).max(1);
        let mut start = 0;
        let computed = needs.iter().map(|need| {
            // A step that needs nothing gets a tile all the same, where the last one was.
            start = if need.is_empty() { start } else { need.start };
            Interval::new(start, start.saturating_add(size))
        });
        AxisTiles { size, computed: computed.collect(), owned }
    }

    /// The hull of what the readers of a tensor need in step `i`.
    fn need(&self, tensor: &FlowTensor, i: usize, done: &[AxisTiles]) -> Interval {
        let extent = tensor.extent(self.axis);
        let each = tensor
            .readers
            .iter()
            .map(|r| need(r.maps[self.axis.index()], done[r.output].computed[i], extent));
        each.fold(Interval::default(), Interval::hull)
    }

    /// Cuts a tensor's extent into one interval a step.
    fn partition(&self, t: usize, needs: &[Interval]) -> Vec<Interval> {
        let tensor = &self.flow.tensors[t];
        let extent = tensor.extent(self.axis);
        let mut cuts = vec![0];
        for i in 1..self.count as usize {
            let cut = self.cut(t, i as i64, needs[i - 1], needs[i]);
            let cut = if tensor.reduced { cut.div_euclid(GRAIN) * GRAIN } else { cut };
            cuts.push(cut.clamp(cuts[i - 1], extent));
        }
        let last = if self.count == self.steps { extent } else { self.next_cut(&cuts, extent) };
        cuts.push(last);
        cuts.windows(2).map(|w| Interval::new(w[0], w[1])).collect()
    }

    /// Where a planner's look ends before the axis does: as far as the cut before.
    fn next_cut(&self, cuts: &[i64], extent: i64) -> i64 {
        let last = cuts[cuts.len() - 1];
        let before = cuts.len().checked_sub(2).map_or(0, |i| cuts[i]);
        (2 * last - before).clamp(last, extent)
    }

    /// The cut before step `i`: where the anchor's is; in the middle of what two steps both need; or in proportion.
    fn cut(&self, t: usize, i: i64, before: Interval, after: Interval) -> i64 {
        let anchor = i * self.tile;
        if t == self.flow.anchor {
            return anchor;
        }
        if !before.is_empty() && !after.is_empty() {
            return after.start.saturating_add(before.end).div_euclid(2);
        }
        let (of, extent) =
            (self.flow.tensors[self.flow.anchor].extent(self.axis), self.flow.tensors[t].extent(self.axis));
        (i128::from(anchor) * i128::from(extent) / i128::from(of.max(1))) as i64
    }
}
