//! The tiles that a section may be cut into, and which of them are cheapest.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::ops::Range;

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
    rows: Vec<Candidate>,
    cols: Vec<Candidate>,
    /// For each of the rows, which columns it is looked at with.
    looked_at: Vec<Range<usize>>,
    /// Whether there are pairs that are not looked at because they cost too much.
    narrowed: bool,
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
struct Candidate {
    overlap: Overlap,
    geometry: AxisGeometry,
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
        Tiles {
            looked_at: vec![0..cols.len(); rows.len()],
            rows,
            cols,
            narrowed: false,
            forced: self.wishes.overlap.is_some(),
            tallies,
            tensors: 0,
            aside: Aside::default(),
        }
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
            self.candidates().for_each(|candidate| candidate.extend(flow, known));
            for ((row, columns), tallies) in
                self.rows.iter().zip(&self.looked_at).zip(self.tallies.chunks_mut(self.cols.len()))
            {
                for (column, tally) in self.cols[columns.clone()].iter().zip(&mut tallies[columns.clone()]) {
                    tally.add(flow, [&row.geometry, &column.geometry], t);
                }
            }
        }
        self.tensors = tensors;
    }

    /// The rows and columns that are looked at.
    fn candidates(&mut self) -> impl Iterator<Item = &mut Candidate> {
        let used = self.looked_at.iter().filter(|columns| !columns.is_empty());
        let columns = used.fold(0..0, |all: Range<usize>, columns| match all.is_empty() {
            true => columns.clone(),
            false => all.start.min(columns.start)..all.end.max(columns.end),
        });
        let rows = self.rows.iter_mut().zip(&self.looked_at).filter(|(_, columns)| !columns.is_empty());
        rows.map(|(row, _)| row).chain(&mut self.cols[columns])
    }

    /// From now on looks at no pair whose arithmetic and overhead take more than some seconds, if only smaller columns do too.
    pub(super) fn narrow(&mut self, planner: &Planner<'_>, flow: &Flow, seconds: f64) {
        for y in 0..self.rows.len() {
            let columns = self.looked_at[y].clone();
            let is_dear = |&x: &usize| {
                let cost = self.cost(planner, flow, [y, x]);
                cost.compute + cost.overhead > seconds
            };
            let dear = columns.take_while(is_dear).count();
            self.looked_at[y].start += dear;
            self.narrowed |= dear > 0;
        }
    }

    /// Whether all that could fit is looked at.
    pub(super) fn is_narrowed(&self) -> bool {
        self.narrowed
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { tallies: self.tallies.clone(), tensors: self.tensors }
    }

    /// Forgets the tensors of the flow that were looked at after the mark.
    pub(super) fn reset(&mut self, flow: &Flow, mark: Mark) {
        self.candidates().for_each(|candidate| candidate.aside = candidate.geometry.split_off(mark.tensors));
        self.aside =
            Aside { tensors: flow.tensors[mark.tensors..self.tensors].to_vec(), common: mark.tensors };
        (self.tallies, self.tensors) = (mark.tallies, mark.tensors);
    }

    /// The cheapest that fits in the steps looked at. What is found not to fit is not looked at again.
    pub(super) fn cheapest(&mut self, planner: &Planner<'_>, flow: &Flow, room: &Room) -> Option<Cost> {
        let mut ranking = Ranking::new(self, planner, flow);
        let found = ranking.next(self, flow, room).map(|at| self.cost(planner, flow, at));
        // With more groups there is more to keep, unless groups become one.
        if !planner.by_op {
            for (columns, fitting) in self.looked_at.iter_mut().zip(ranking.fitting) {
                columns.end = fitting.unwrap_or(columns.end);
            }
        }
        found
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

    /// Where those of the columns end that a row is looked at with and that could fit.
    fn fitting(&self, row: usize, could_fit: impl Fn(&Candidate) -> bool) -> usize {
        let Range { start, end } = self.looked_at[row];
        let columns = &self.cols[start..end];
        // Columns are ascending, and so is what they take. Those that fit with a group less mostly still do.
        if columns.last().is_some_and(&could_fit) { end } else { start + columns.partition_point(could_fit) }
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
    /// For each of the rows that have been looked at, where the columns end whose buffers could fit.
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
                ranked.extend(tiles.looked_at[y].clone().map(|x| {
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
            let fitting = *self.fitting[y].get_or_insert_with(|| tiles.fitting(y, could_fit));
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
