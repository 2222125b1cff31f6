//! The sections that end with one group, weighed one after the other: each is the one before with a group more in front, and what is
//! known of that one holds.

use super::price::Price;
use super::tiles::Tiles;
use super::{Limits, Planner, Weight};
use crate::analysis::buffers::Fixed;
use crate::analysis::cost::Cost;
use crate::analysis::flow::{Flow, Growing};
use crate::analysis::fusion::Group;

pub(super) struct Trail<'a> {
    planner: &'a Planner<'a>,
    growing: Growing<'a>,
    /// The groups in it so far are those from `start` to before `end`.
    start: usize,
    end: usize,
    fixed: Fixed,
    /// Of the tensors placed so far, once one of them is the anchor.
    tiles: Option<Tiles>,
    /// The first group of the section for which the seconds of the tiles hold.
    timed: usize,
}

impl<'a> Trail<'a> {
    /// Of no group yet; the last is to be that before `end`.
    pub(super) fn new(planner: &'a Planner<'a>, end: usize) -> Self {
        let growing = Growing::new(planner.graph, &planner.consumers);
        Self { planner, growing, start: end, end, fixed: Fixed::default(), tiles: None, timed: 0 }
    }

    /// Puts groups in front of the others, so that it begins with group `start`. `None` if sizes are not known.
    fn grow(&mut self, start: usize) -> Option<()> {
        for group in (start..self.start).rev() {
            self.fixed = self.fixed.and(self.planner.traits[group].fixed);
            self.planner.groups[group].ops.iter().rev().try_for_each(|&op| self.growing.grow(op))?;
        }
        self.start = start;
        Some(())
    }

    /// What the section that begins with group `start` costs, as the planner's objective has it.
    pub(super) fn weight(&mut self, start: usize, limits: Limits) -> Weight {
        if self.grow(start).is_none() {
            return Weight::NONE;
        }
        let least = self.least(limits);
        if least > limits.now {
            return Weight { least: Price::INFINITE, others: least };
        }
        let mark = self.growing.mark();
        let placed = self.growing.flow().tensors.len();
        let has_anchor = self.growing.flow().tensors.iter().any(|t| t.is_owned());
        let closed = self.growing.close().and_then(|()| {
            let adds_up = self.planner.adds_up(self.groups());
            if adds_up { self.growing.add_up() } else { Some(()) }
        });
        let weight = closed.map(|()| self.weigh(placed, has_anchor, limits));
        self.growing.reopen(mark);
        weight.unwrap_or(Weight::NONE)
    }

    fn groups(&self) -> &'a [Group] {
        &self.planner.groups[self.start..self.end]
    }

    /// What the section costs at least, going by what it cost with fewer groups.
    fn least(&mut self, limits: Limits) -> Price {
        let (planner, flow) = (self.planner, self.growing.flow());
        let Some(tiles) = &mut self.tiles else { return Price::ZERO };
        tiles.add_seconds((planner.floors[self.timed] - planner.floors[self.start]).seconds);
        self.timed = self.start;
        tiles.narrow(planner.seconds_within(flow, limits.growing));
        let least = planner.weight(flow, tiles.least_above(f64::NEG_INFINITY));
        if tiles.is_narrowed() { least.min(limits.growing) } else { least }
    }

    /// The weight of the section with all its inputs, the last of its tensors: the first `placed` are made in it.
    fn weigh(&mut self, placed: usize, has_anchor: bool, limits: Limits) -> Weight {
        let (planner, flow) = (self.planner, self.growing.flow());
        self.timed = self.start;
        let room = planner.room(flow, self.groups(), self.fixed);
        if !has_anchor {
            // What cuts it is one of its inputs, and another will once the section has grown.
            let cost = planner.tiles(flow).cheapest(planner, flow, &room, f64::INFINITY);
            return Weight { least: planner.weight_of(flow, cost), others: Price::INFINITE };
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
    fn weight(&self, flow: &Flow, seconds: f64) -> Price {
        if seconds.is_finite() {
            self.boundaries(flow) + Price { memory: 0.0, seconds }
        } else {
            Price::INFINITE
        }
    }

    /// What a section costs, given the cheapest tile.
    fn weight_of(&self, flow: &Flow, cheapest: Option<Cost>) -> Price {
        cheapest.map_or(Price::INFINITE, |cost| self.weight(flow, cost.seconds))
    }

    /// How many seconds a section may take that costs no more than `weight`.
    fn seconds_within(&self, flow: &Flow, weight: Price) -> f64 {
        let boundaries = self.boundaries(flow);
        weight.seconds_with(boundaries.memory) - boundaries.seconds
    }

    /// What the tensors cost that are kept for other sections.
    fn boundaries(&self, flow: &Flow) -> Price {
        let exported = flow.tensors.iter().filter(|t| t.exported && !self.graph.is_output(t.value));
        self.objective.of_boundary(exported.map(|t| t.sizes.iter().product::<u64>() as f64).sum())
    }
}
