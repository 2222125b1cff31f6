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

/// Steps of an axis that are looked at while choosing: more than a period of any usual stride, and as many pixels as make some
/// grains, before the first of which nothing is summed.
const LOOK: u64 = 12;
const LOOK_PIXELS: u64 = 64;
/// Rows that a strip advances at a time.
const BANDS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Candidate tiles: pairs of rows and columns.
pub(super) struct Tiles {
    pub(super) rows: Vec<Candidate>,
    pub(super) cols: Vec<Candidate>,
    /// Those that are looked at.
    pairs: Vec<Pair>,
    /// Whether others are not because they cost too much.
    narrowed: bool,
    /// Whether strips are looked at even where no tensor keeps rows.
    forced: bool,
    /// Tensors that are in the tallies.
    tensors: usize,
    aside: Aside,
}

/// A size of tiles along one axis.
pub(super) struct Candidate {
    pub(super) overlap: Overlap,
    pub(super) geometry: AxisGeometry,
    /// The tiles of tensors that are forgotten; none, if it was not looked at for them.
    aside: Vec<AxisTiles>,
    /// Whether it is in a pair.
    used: bool,
}

/// A size of tiles, and what there is to do.
#[derive(Clone, Copy)]
struct Pair {
    /// Which of the rows and which of the columns.
    at: [usize; 2],
    tally: Tally,
    /// Seconds of arithmetic and overhead, at least.
    seconds: f64,
    /// Whether it has not been found to take too much SRAM.
    fits: bool,
}

/// Tensors that are forgotten: as inputs most come again when the section has grown, with the same tiles.
#[derive(Default)]
struct Aside {
    tensors: Vec<FlowTensor>,
    /// How many tensors stood before them.
    common: usize,
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
        let pair = |y, x| Pair { at: [y, x], tally: Tally::default(), seconds: 0.0, fits: true };
        let pairs = (0..rows.len()).flat_map(|y| (0..cols.len()).map(move |x| pair(y, x))).collect();
        let forced = self.wishes.overlap.is_some();
        Tiles { rows, cols, pairs, narrowed: false, forced, tensors: 0, aside: Aside::default() }
    }

    /// The one way in which overlaps may be had, if there is but one: one tile has none, and tiles that are added up keep no rows.
    pub(super) fn overlap(&self, flow: &Flow) -> Option<Overlap> {
        if self.wishes.untiled || flow.sum.is_some() { Some(Overlap::Recompute) } else { self.wishes.overlap }
    }

    fn candidates(&self, flow: &Flow, axis: AxisId, overlap: Overlap) -> impl Iterator<Item = Candidate> {
        let extent = flow.tensors[flow.anchor].extent(axis) as u64;
        let scheme = self.scheme(overlap);
        let geometry =
            move |tile| AxisGeometry::new(flow, axis, tile, scheme, LOOK.max(LOOK_PIXELS.div_ceil(tile)));
        let sizes = self.sizes(extent, axis, overlap).into_iter();
        sizes.map(move |tile| Candidate { overlap, geometry: geometry(tile), aside: Vec::new(), used: true })
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
    /// Looks at the first tensors of the flow.
    pub(super) fn extend_to(&mut self, flow: &Flow, tensors: usize) {
        for t in self.tensors..tensors {
            let known = self.aside.take(&flow.tensors[t]);
            self.candidates().for_each(|candidate| candidate.extend(flow, known));
            for Pair { at: [y, x], tally, .. } in &mut self.pairs {
                tally.add(flow, [&self.rows[*y].geometry, &self.cols[*x].geometry], t);
            }
        }
        self.tensors = tensors;
    }

    /// Sees how long each pair takes for the tensors looked at so far.
    pub(super) fn time(&mut self, planner: &Planner<'_>, flow: &Flow) {
        let mut pairs = std::mem::take(&mut self.pairs);
        for pair in &mut pairs {
            let cost = self.cost(planner, flow, pair);
            pair.seconds = cost.compute + cost.overhead;
        }
        self.pairs = pairs;
    }

    /// Counts some seconds for tensors that have not been looked at.
    pub(super) fn add_seconds(&mut self, seconds: f64) {
        self.pairs.iter_mut().for_each(|pair| pair.seconds += seconds);
    }

    /// From now on looks neither at pairs that do not fit nor at those that take more than some seconds.
    pub(super) fn narrow(&mut self, seconds: f64) {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.retain(|pair| pair.fits);
        let fitting = pairs.len();
        pairs.retain(|pair| pair.seconds <= seconds);
        self.narrowed |= pairs.len() < fitting;
        self.replace(pairs);
    }

    /// Whether tiles that could fit are not looked at.
    pub(super) fn is_narrowed(&self) -> bool {
        self.narrowed
    }

    /// The least seconds above `seconds` that a pair takes.
    pub(super) fn least_above(&self, seconds: f64) -> f64 {
        let above = self.pairs.iter().map(|pair| pair.seconds).filter(|&s| s > seconds);
        above.fold(f64::INFINITY, f64::min)
    }

    /// The cheapest that fits in the steps looked at, with all tensors of the flow, of those that take no more than some seconds for
    /// the tensors looked at so far. The others are forgotten again.
    pub(super) fn cheapest(
        &mut self,
        planner: &Planner<'_>,
        flow: &Flow,
        room: &Room,
        seconds: f64,
    ) -> Option<Cost> {
        let (tensors, mut all) = (self.tensors, std::mem::take(&mut self.pairs));
        let (places, pairs): (Vec<usize>, Vec<Pair>) =
            all.iter().copied().enumerate().filter(|(_, pair)| pair.seconds <= seconds).unzip();
        if pairs.is_empty() {
            self.pairs = all;
            return None;
        }
        self.replace(pairs);
        self.extend_to(flow, flow.tensors.len());
        let mut ranking = Ranking::new(self, planner, flow);
        let found = ranking.next(self, flow, room).map(|at| self.cost(planner, flow, &self.pairs[at]));
        self.forget(flow, tensors);
        // With more groups there is more to keep, unless groups become one.
        if !planner.by_op {
            ranking.too_large.into_iter().for_each(|at| all[places[at]].fits = false);
        }
        self.replace(all);
        found
    }

    /// Looks at other pairs than before.
    fn replace(&mut self, pairs: Vec<Pair>) {
        self.candidates().for_each(|candidate| candidate.used = false);
        for [y, x] in pairs.iter().map(|pair| pair.at) {
            (self.rows[y].used, self.cols[x].used) = (true, true);
        }
        self.pairs = pairs;
    }

    /// Sets all but the first tensors of the flow aside.
    fn forget(&mut self, flow: &Flow, tensors: usize) {
        self.rows.iter_mut().chain(&mut self.cols).for_each(|candidate| candidate.forget(tensors));
        self.aside = Aside { tensors: flow.tensors[tensors..].to_vec(), common: tensors };
        self.tensors = tensors;
    }

    /// Those that fit in the steps looked at, the cheapest first.
    pub(super) fn into_ranked(
        mut self,
        planner: &Planner<'_>,
        segment: &Segment,
    ) -> impl Iterator<Item = ([u64; 2], Overlap, Cost)> {
        let Segment { flow, room, .. } = segment;
        self.extend_to(flow, flow.tensors.len());
        let mut ranking = Ranking::new(&self, planner, flow);
        std::iter::from_fn(move || {
            let pair = &self.pairs[ranking.next(&self, flow, room)?];
            let tile = self.axes(pair).map(AxisGeometry::tile);
            Some((tile, self.rows[pair.at[0]].overlap, self.cost(planner, flow, pair)))
        })
    }

    fn cost(&self, planner: &Planner<'_>, flow: &Flow, pair: &Pair) -> Cost {
        let axes = self.axes(pair);
        let (machine, threads) = (&planner.target.machine, planner.target.threads);
        pair.tally.cost(machine, threads, flow.images(), axes, axes[0].keeps_rows())
    }

    fn axes(&self, pair: &Pair) -> [&AxisGeometry; 2] {
        let [y, x] = pair.at;
        [&self.rows[y].geometry, &self.cols[x].geometry]
    }

    /// The rows and columns that are in pairs.
    fn candidates(&mut self) -> impl Iterator<Item = &mut Candidate> {
        self.rows.iter_mut().chain(&mut self.cols).filter(|candidate| candidate.used)
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
            Some(at) if at < self.aside.len() => self.aside.swap_remove(at),
            _ => self.geometry.next(flow),
        };
        self.geometry.push(tiles);
    }

    /// Sets all but the first tensors aside: none, where it was not looked at.
    fn forget(&mut self, tensors: usize) {
        self.aside.clear();
        if self.used {
            self.aside.extend(self.geometry.drain(tensors));
        }
    }
}

/// Pairs that have not been tried, the cheapest on top.
struct Ranking {
    heap: BinaryHeap<Reverse<Ranked>>,
    budget: u64,
    /// Those that were tried and cannot fit.
    too_large: Vec<usize>,
}

struct Ranked {
    seconds: f64,
    /// Which pair.
    at: usize,
}

impl Ranking {
    fn new(tiles: &Tiles, planner: &Planner<'_>, flow: &Flow) -> Self {
        // Without a ring a strip is tiles that happen to lie below each other.
        let is_strip = |row: &Candidate| row.overlap == Overlap::Recompute || row.geometry.keeps_rows();
        let pairs = tiles.pairs.iter().enumerate();
        let pairs = pairs.filter(|(_, pair)| tiles.forced || is_strip(&tiles.rows[pair.at[0]]));
        let mut ranked = Vec::with_capacity(tiles.pairs.len());
        ranked.extend(pairs.map(|(at, pair)| {
            let seconds = tiles.cost(planner, flow, pair).seconds;
            Reverse(Ranked { seconds, at })
        }));
        Self { heap: ranked.into(), budget: planner.budget(), too_large: Vec::new() }
    }

    /// The cheapest pair that fits.
    fn next(&mut self, tiles: &Tiles, flow: &Flow, room: &Room) -> Option<usize> {
        while let Some(Reverse(Ranked { at, .. })) = self.heap.pop() {
            let axes = tiles.axes(&tiles.pairs[at]);
            if room.least(flow, axes) > self.budget {
                self.too_large.push(at);
            } else if room.fits(flow, axes, self.budget) {
                return Some(at);
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
