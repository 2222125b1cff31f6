//! The sections that end with one group, weighed one after the other: each is the one before with a group more in front, and what is
//! known of that one holds.

use std::ops::Range;

use super::segment::Room;
use super::tiles::Tiles;
use super::{Objective, Planner};
use crate::analysis::buffers::Fixed;
use crate::analysis::flow::{Flow, Growing};

pub(super) struct Trail<'a> {
    planner: &'a Planner<'a>,
    growing: Growing<'a>,
    fixed: Fixed,
    /// Of the tensors placed so far, once one of them is the anchor.
    tiles: Option<Tiles>,
}

impl<'a> Trail<'a> {
    pub(super) fn new(planner: &'a Planner<'a>) -> Self {
        let growing = Growing::new(planner.graph, &planner.consumers);
        Self { planner, growing, fixed: Fixed::default(), tiles: None }
    }

    /// Puts a group in front of the others. `None` if sizes are not known.
    pub(super) fn grow(&mut self, group: usize) -> Option<()> {
        self.fixed = self.fixed.and(self.planner.traits[group].fixed);
        self.planner.groups[group].ops.iter().rev().try_for_each(|&op| self.growing.grow(op))
    }

    /// What the section costs, as the planner's objective has it; `None` if no tile fits. `groups` are those that it has.
    pub(super) fn weight(&mut self, groups: Range<usize>) -> Option<f64> {
        let mark = self.growing.mark();
        let placed = self.growing.flow().tensors.len();
        let has_anchor = self.growing.flow().tensors.iter().any(|t| t.is_owned());
        let closed = self.growing.close().and_then(|()| {
            let adds_up = self.planner.adds_up(&self.planner.groups[groups.clone()]);
            if adds_up { self.growing.add_up() } else { Some(()) }
        });
        let weight = closed.and_then(|()| self.weigh(groups, placed, has_anchor));
        self.growing.reopen(mark);
        weight
    }

    fn weigh(&mut self, groups: Range<usize>, placed: usize, has_anchor: bool) -> Option<f64> {
        let (planner, flow) = (self.planner, self.growing.flow());
        let room = planner.room(flow, &planner.groups[groups], self.fixed);
        if !has_anchor {
            // What cuts it is one of its inputs, and another will once the section has grown.
            let mut tiles = planner.tiles(flow);
            tiles.extend(flow);
            return weight(planner, flow, &room, &tiles);
        }
        let tiles = self.tiles.get_or_insert_with(|| planner.tiles(flow));
        tiles.extend_to(flow, placed);
        let mark = tiles.mark();
        tiles.extend(flow);
        let weight = weight(planner, flow, &room, tiles);
        tiles.reset(flow, mark);
        weight
    }
}

/// Of the cheapest tile that fits in the steps looked at.
fn weight(planner: &Planner<'_>, flow: &Flow, room: &Room, tiles: &Tiles) -> Option<f64> {
    let seconds = tiles.cheapest(planner, flow, room)?.seconds;
    Some(match planner.objective {
        Objective::Time => seconds,
        Objective::Memory => {
            let exported = flow.tensors.iter().filter(|t| t.exported && !planner.graph.is_output(t.value));
            exported.map(|t| t.sizes.iter().product::<u64>() as f64).sum::<f64>() + seconds * 1e-9
        }
    })
}
