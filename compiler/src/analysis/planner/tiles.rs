//! The tiles that a section may be cut into, and which of them are cheapest.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use zellige_runtime::program::instr::AxisId;

use super::Planner;
use super::segment::{Room, Segment};
use crate::analysis::cost::{Cost, Tally};
use crate::analysis::flow::{Flow, FlowTensor};
use crate::analysis::geometry::{AxisGeometry, AxisTiles, MAX_STEPS};
use crate::ir::{Overlap, Scheme};

/// Steps of an axis that are looked at while choosing: more than a period of any usual stride.
const LOOK: u64 = 12;
/// Rows that a strip advances at a time.
const BANDS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Candidate tiles: rows, columns, and what there is to do for each pair of them.
pub(super) struct Tiles {
    pub(super) rows: Vec<Candidate>,
    pub(super) cols: Vec<Candidate>,
    /// Whether strips are looked at even where no tensor keeps rows.
    forced: bool,
    /// A row of `cols` for each of `rows`.
    tallies: Vec<Tally>,
    /// Tensors that are in the tallies.
    tensors: usize,
    aside: Aside,
}

/// Tensors that [`Tiles::reset`] has forgotten: as inputs most come again when the section has grown, with the same tiles.
#[derive(Default)]
struct Aside {
    tensors: Vec<FlowTensor>,
    /// How many tensors stood before them.
    common: usize,
}

/// A size of tiles along one axis.
pub(super) struct Candidate {
    pub(super) overlap: Overlap,
    pub(super) geometry: AxisGeometry,
    /// The tiles of tensors that are forgotten.
    aside: Vec<AxisTiles>,
}

/// What [`Tiles::reset`] goes back to.
pub(super) struct Mark {
    tallies: Vec<Tally>,
    tensors: usize,
}

impl Planner<'_> {
    /// The candidates for an anchor, without a look at any tensor.
    pub(super) fn tiles(&self, flow: &Flow) -> Tiles {
        let mut rows = Vec::new();
        let wish = self.overlap(flow);
        for overlap in [Overlap::Recompute, Overlap::Reuse] {
            if wish.is_none_or(|wish| wish == overlap) {
                rows.extend(self.candidates(flow, AxisId::Y, overlap));
            }
        }
        let cols: Vec<Candidate> = self.candidates(flow, AxisId::X, Overlap::Recompute).collect();
        let tallies = vec![Tally::default(); rows.len() * cols.len()];
        let forced = self.wishes.overlap.is_some();
        Tiles { rows, cols, forced, tallies, tensors: 0, aside: Aside::default() }
    }

    /// The one way in which overlaps may be had, if there is but one: one tile has none, and tiles that are added up keep no rows.
    pub(super) fn overlap(&self, flow: &Flow) -> Option<Overlap> {
        if self.wishes.untiled || flow.sum.is_some() { Some(Overlap::Recompute) } else { self.wishes.overlap }
    }

    fn candidates(&self, flow: &Flow, axis: AxisId, overlap: Overlap) -> impl Iterator<Item = Candidate> {
        let extent = flow.tensors[flow.anchor].extent(axis) as u64;
        let scheme = self.scheme(overlap);
        let geometry = move |tile| AxisGeometry::new(flow, axis, tile, scheme, LOOK);
        let sizes = self.sizes(extent, axis, overlap).into_iter();
        sizes.map(move |tile| Candidate { overlap, geometry: geometry(tile), aside: Vec::new() })
    }

    pub(super) fn scheme(&self, overlap: Overlap) -> Scheme {
        Scheme { overlap, padding: self.wishes.padding }
    }

    /// Bytes of SRAM that a section may take.
    pub(super) fn budget(&self) -> u64 {
        if self.wishes.untiled { u64::MAX } else { self.target.sram }
    }

    /// Tile sizes along an axis, ascending: the extent in up to six parts, and round numbers; for rows that are reused, heights of
    /// bands.
    pub(super) fn sizes(&self, extent: u64, axis: AxisId, overlap: Overlap) -> Vec<u64> {
        if self.wishes.untiled {
            return vec![extent];
        }
        if let Some(tile) = self.wishes.tile {
            return vec![tile[axis.index()].clamp(extent.div_ceil(MAX_STEPS), extent)];
        }
        if overlap == Overlap::Reuse && axis == AxisId::Y {
            let fits = |b: &u64| *b <= extent && extent.div_ceil(*b) <= MAX_STEPS;
            return BANDS.into_iter().filter(fits).collect();
        }
        let parts = (1..=6).map(|k| extent.div_ceil(k).next_multiple_of(8).min(extent));
        let round = [1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 512, 1024];
        let mut sizes: Vec<u64> =
            parts.chain(round).filter(|&s| s <= extent && extent.div_ceil(s) <= MAX_STEPS).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }
}

impl Tiles {
    /// Looks at all tensors of the flow.
    pub(super) fn extend(&mut self, flow: &Flow) {
        self.extend_to(flow, flow.tensors.len());
    }

    /// Looks at the first tensors of the flow.
    pub(super) fn extend_to(&mut self, flow: &Flow, tensors: usize) {
        for t in self.tensors..tensors {
            let known = self.aside.take(&flow.tensors[t]);
            for candidate in self.rows.iter_mut().chain(&mut self.cols) {
                candidate.extend(flow, known);
            }
            let mut tallies = self.tallies.iter_mut();
            for y in &self.rows {
                for (x, tally) in self.cols.iter().zip(&mut tallies) {
                    tally.add(flow, [&y.geometry, &x.geometry], t);
                }
            }
        }
        self.tensors = tensors;
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { tallies: self.tallies.clone(), tensors: self.tensors }
    }

    /// Forgets the tensors of the flow that were looked at after the mark.
    pub(super) fn reset(&mut self, flow: &Flow, mark: Mark) {
        for candidate in self.rows.iter_mut().chain(&mut self.cols) {
            candidate.aside = candidate.geometry.split_off(mark.tensors);
        }
        self.aside = Aside { tensors: flow.tensors[mark.tensors..self.tensors].to_vec(), common: mark.tensors };
        (self.tallies, self.tensors) = (mark.tallies, mark.tensors);
    }

    /// The cheapest that fits in the steps looked at.
    pub(super) fn cheapest(&self, planner: &Planner<'_>, flow: &Flow, room: &Room) -> Option<Cost> {
        Ranking::new(self, planner, flow).next(self, flow, room).map(|at| self.cost(planner, flow, at))
    }

    /// Those that fit in the steps looked at, the cheapest first.
    pub(super) fn into_ranked(
        self,
        planner: &Planner<'_>,
        segment: &Segment,
    ) -> impl Iterator<Item = ([u64; 2], Overlap, Cost)> {
        let mut ranking = Ranking::new(&self, planner, &segment.flow);
        std::iter::from_fn(move || {
            let at = ranking.next(&self, &segment.flow, &segment.room)?;
            let [y, x] = [&self.rows[at[0]], &self.cols[at[1]]];
            let tile = [y, x].map(|c| c.geometry.tile());
            Some((tile, y.overlap, self.cost(planner, &segment.flow, at)))
        })
    }

    fn cost(&self, planner: &Planner<'_>, flow: &Flow, [y, x]: [usize; 2]) -> Cost {
        let tally = &self.tallies[y * self.cols.len() + x];
        let axes = [&self.rows[y].geometry, &self.cols[x].geometry];
        let in_order = self.rows[y].geometry.keeps_rows();
        tally.cost(&planner.target.machine, planner.target.threads, flow.images(), axes, in_order)
    }
}

impl Aside {
    /// Which of them has the tiles of a tensor; it is taken away.
    fn take(&mut self, tensor: &FlowTensor) -> Option<usize> {
        let at = self.tensors.iter().position(|known| known.is_tiled_as(tensor, self.common))?;
        self.tensors.swap_remove(at);
        Some(at)
    }
}

impl Candidate {
    /// Looks at the next tensor of the flow, whose tiles are `known` where they were set aside.
    fn extend(&mut self, flow: &Flow, known: Option<usize>) {
        let tiles = match known {
            Some(at) => self.aside.swap_remove(at),
            None => self.geometry.next(flow),
        };
        self.geometry.push(tiles);
    }
}

/// Pairs that have not been looked at, the cheapest on top.
struct Ranking {
    heap: BinaryHeap<Reverse<Ranked>>,
    budget: u64,
    /// For each of the rows that have been looked at, how many columns' buffers could fit.
    fitting: Vec<Option<usize>>,
}

struct Ranked {
    seconds: f64,
    /// Which row and column.
    at: [u32; 2],
}

impl Ranking {
    fn new(tiles: &Tiles, planner: &Planner<'_>, flow: &Flow) -> Self {
        let mut ranked = Vec::with_capacity(tiles.tallies.len());
        for (y, row) in tiles.rows.iter().enumerate() {
            // Without a ring a strip is tiles that happen to lie below each other.
            if row.overlap == Overlap::Recompute || row.geometry.keeps_rows() || tiles.forced {
                ranked.extend((0..tiles.cols.len()).map(|x| {
                    let Cost { seconds, .. } = tiles.cost(planner, flow, [y, x]);
                    Reverse(Ranked { seconds, at: [y as u32, x as u32] })
                }));
            }
        }
        Self { heap: ranked.into(), budget: planner.budget(), fitting: vec![None; tiles.rows.len()] }
    }

    /// The row and column of the cheapest pair that fits.
    fn next(&mut self, tiles: &Tiles, flow: &Flow, room: &Room) -> Option<[usize; 2]> {
        while let Some(Reverse(Ranked { at, .. })) = self.heap.pop() {
            let [y, x] = at.map(|i| i as usize);
            let row = &tiles.rows[y].geometry;
            let could_fit = |column: &Candidate| room.least(flow, [row, &column.geometry]) <= self.budget;
            // Columns are ascending, and so is what they take.
            let fitting = *self.fitting[y].get_or_insert_with(|| tiles.cols.partition_point(could_fit));
            if x < fitting && room.placed(flow, [row, &tiles.cols[x].geometry]) <= self.budget {
                return Some([y, x]);
            }
        }
        None
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.seconds.total_cmp(&other.seconds).then(self.at.cmp(&other.at))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}
