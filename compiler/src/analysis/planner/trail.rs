//! The sections that end with one group, weighed one after the other: each is the one before with a group more in front, and what is
//! known of that one holds.

use std::ops::Range;

use super::tiles::Tiles;
use super::{Limits, Objective, Planner, Weight};
use crate::analysis::buffers::Fixed;
use crate::analysis::cost::Cost;
use crate::analysis::flow::{Flow, Growing};

/// What a second counts where memory is made small: nothing but ties.
const SECONDS_IN_BYTES: f64 = 1e-9;

pub(super) struct Trail<'a> {
    planner: &'a Planner<'a>,
    growing: Growing<'a>,
    fixed: Fixed,
    /// Of the tensors placed so far, once one of them is the anchor.
    tiles: Option<Tiles>,
    /// The first group of the section for which the seconds of the tiles hold.
    timed: usize,
}

impl<'a> Trail<'a> {
    pub(super) fn new(planner: &'a Planner<'a>) -> Self {
        let growing = Growing::new(planner.graph, &planner.consumers);
        Self { planner, growing, fixed: Fixed::default(), tiles: None, timed: 0 }
    }

    /// Puts a group in front of the others. `None` if sizes are not known.
    pub(super) fn grow(&mut self, group: usize) -> Option<()> {
        self.fixed = self.fixed.and(self.planner.traits[group].fixed);
        self.planner.groups[group].ops.iter().rev().try_for_each(|&op| self.growing.grow(op))
    }

    /// What the section costs, as the planner's objective has it. `groups` are those that it has.
    pub(super) fn weight(&mut self, groups: Range<usize>, limits: Limits) -> Weight {
        let least = self.least(groups.start, limits);
        if least > limits.now {
            return Weight { least: f64::INFINITY, others: least };
        }
        let mark = self.growing.mark();
        let placed = self.growing.flow().tensors.len();
        let has_anchor = self.growing.flow().tensors.iter().any(|t| t.is_owned());
        let closed = self.growing.close().and_then(|()| {
            let adds_up = self.planner.adds_up(&self.planner.groups[groups.clone()]);
            if adds_up { self.growing.add_up() } else { Some(()) }
        });
        let weight = closed.map(|()| self.weigh(groups, placed, has_anchor, limits));
        self.growing.reopen(mark);
        weight.unwrap_or(Weight::NONE)
    }

    /// What the section costs at least, going by what it cost with fewer groups.
    fn least(&mut self, start: usize, limits: Limits) -> f64 {
        let (planner, flow) = (self.planner, self.growing.flow());
        let Some(tiles) = &mut self.tiles else { return f64::NEG_INFINITY };
        tiles.add_seconds(planner.floors[self.timed] - planner.floors[start]);
        self.timed = start;
        tiles.narrow(planner.seconds_within(flow, limits.growing));
        let least = planner.weight(flow, tiles.least_above(f64::NEG_INFINITY));
        if tiles.is_narrowed() { least.min(limits.growing) } else { least }
    }

    /// The weight of the section with all its inputs, the last of its tensors: the first `placed` are made in it.
    fn weigh(&mut self, groups: Range<usize>, placed: usize, has_anchor: bool, limits: Limits) -> Weight {
        let (planner, flow) = (self.planner, self.growing.flow());
        self.timed = groups.start;
        let room = planner.room(flow, &planner.groups[groups], self.fixed);
        if !has_anchor {
            // What cuts it is one of its inputs, and another will once the section has grown.
            let cost = planner.tiles(flow).cheapest(planner, flow, &room, f64::INFINITY);
            return Weight { least: planner.weight_of(flow, cost), others: f64::INFINITY };
        }
        let [now, growing] = [limits.now, limits.growing].map(|limit| planner.seconds_within(flow, limit));
        let tiles = self.tiles.get_or_insert_with(|| planner.tiles(flow));
        tiles.extend_to(flow, placed);
        tiles.time(planner, flow);
        tiles.narrow(growing);
        // With the inputs it costs more: what is beyond the limit already is not looked at.
        let beyond = planner.weight(flow, tiles.least_above(now));
        let others = if tiles.is_narrowed() { beyond.min(limits.growing) } else { beyond };
        let cost = tiles.cheapest(planner, flow, &room, now);
        Weight { least: planner.weight_of(flow, cost), others }
    }
}

impl Planner<'_> {
    /// What a section that takes some seconds costs.
    fn weight(&self, flow: &Flow, seconds: f64) -> f64 {
        match self.objective {
            Objective::Time => seconds,
            Objective::Memory => self.exported(flow) + seconds * SECONDS_IN_BYTES,
        }
    }

    /// What a section costs, given the cheapest tile.
    fn weight_of(&self, flow: &Flow, cheapest: Option<Cost>) -> f64 {
        cheapest.map_or(f64::INFINITY, |cost| self.weight(flow, cost.seconds))
    }

    /// How many seconds a section may take that costs no more than `weight`.
    fn seconds_within(&self, flow: &Flow, weight: f64) -> f64 {
        match self.objective {
            Objective::Time => weight,
            Objective::Memory => (weight - self.exported(flow)) / SECONDS_IN_BYTES,
        }
    }

    /// Elements of the tensors that are kept for other sections.
    fn exported(&self, flow: &Flow) -> f64 {
        let exported = flow.tensors.iter().filter(|t| t.exported && !self.graph.is_output(t.value));
        exported.map(|t| t.sizes.iter().product::<u64>() as f64).sum()
    }
}
