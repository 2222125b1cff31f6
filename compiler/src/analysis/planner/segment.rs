//! A section that is weighed: what it computes and where its tiles lie, whatever the tile.

use zellige_runtime::program::instr::AxisId;

use super::{Choice, Planner};
use crate::analysis::buffers::{self, Buffer, Fixed};
use crate::analysis::flow::Flow;
use crate::analysis::fusion::{self, Group};
use crate::analysis::geometry::{AxisGeometry, axis_geometry};
use crate::base::OpId;
use crate::ir::{Gradient, Scheme};

/// A section by itself.
pub(super) struct Segment {
    pub(super) ops: Vec<OpId>,
    pub(super) flow: Flow,
    pub(super) room: Room,
}

/// What a section takes of SRAM.
pub(super) struct Room {
    pub(super) buffers: Vec<Buffer>,
    /// Bytes besides.
    pub(super) fixed: u64,
}

impl Planner<'_> {
    pub(super) fn segment(&self, groups: &[Group]) -> Option<Segment> {
        let ops = ops_in_order(groups);
        let mut flow = Flow::of(self.graph, &ops, &self.consumers)?;
        if self.adds_up(groups) {
            flow.add_up(self.graph)?;
        }
        let room = self.room(&flow, groups, Fixed::of_all(self.graph, groups));
        Some(Segment { ops, flow, room })
    }

    /// What a section of some groups takes of SRAM, `fixed` if they run as they are.
    pub(super) fn room(&self, flow: &Flow, groups: &[Group], fixed: Fixed) -> Room {
        if !self.by_op {
            return Room { buffers: buffers::buffers(flow, groups), fixed: fixed.bytes() };
        }
        let fused = fusion::groups(self.graph, &ops_in_order(groups));
        let fixed = Fixed::of_all(self.graph, &fused);
        Room { buffers: buffers::buffers(flow, &fused), fixed: fixed.bytes() }
    }

    /// The cheapest tile that fits in all steps.
    pub(super) fn choose(&self, segment: &Segment) -> Option<Choice> {
        self.ranked(segment).next()
    }

    /// The tiles that fit in all steps, the cheapest first.
    pub(super) fn ranked(&self, segment: &Segment) -> impl Iterator<Item = Choice> {
        let ranked = self.tiles(&segment.flow).into_ranked(self, segment);
        ranked.filter_map(move |(tile, overlap, cost)| {
            let sram = segment.sram(tile, self.scheme(overlap));
            let gradient = if segment.flow.sum.is_some() { Gradient::Rmw } else { Gradient::Halo };
            (sram <= self.budget()).then(|| Choice {
                ops: segment.ops.clone(),
                tile,
                overlap,
                gradient,
                cost,
                sram,
            })
        })
    }

    /// Bytes of SRAM that a section takes with the smallest tile there is.
    pub(super) fn smallest(&self, segment: &Segment) -> u64 {
        let overlap = self.overlap(&segment.flow).unwrap_or_default();
        let smallest = AxisId::BOTH.map(|axis| {
            let extent = segment.flow.tensors[segment.flow.anchor].extent(axis) as u64;
            self.sizes(extent, axis, overlap).first().copied().unwrap_or(extent)
        });
        segment.sram(smallest, self.scheme(overlap))
    }
}

fn ops_in_order(groups: &[Group]) -> Vec<OpId> {
    groups.iter().flat_map(|g| g.ops.iter().copied()).collect()
}

impl Segment {
    /// The geometry of all steps.
    pub(super) fn axes(&self, tile: [u64; 2], scheme: Scheme) -> [AxisGeometry; 2] {
        AxisId::BOTH.map(|axis| axis_geometry(&self.flow, axis, tile[axis.index()], scheme, u64::MAX))
    }

    /// Bytes of SRAM with buffers placed.
    pub(super) fn sram(&self, tile: [u64; 2], scheme: Scheme) -> u64 {
        let [y, x] = self.axes(tile, scheme);
        self.room.placed(&self.flow, [&y, &x])
    }
}

impl Room {
    fn bytes(&self, flow: &Flow, [y, x]: [&AxisGeometry; 2]) -> Vec<u64> {
        self.buffers.iter().map(|b| b.bytes(flow, y, x)).collect()
    }

    fn lives(&self, y: &AxisGeometry) -> Vec<[usize; 2]> {
        self.buffers.iter().map(|b| b.life(y)).collect()
    }

    /// Bytes that no placement of the buffers can do without.
    pub(super) fn least(&self, flow: &Flow, axes: [&AxisGeometry; 2]) -> u64 {
        buffers::peak(&self.lives(axes[0]), &self.bytes(flow, axes)).saturating_add(self.fixed)
    }

    /// Whether the buffers can be placed within a budget.
    pub(super) fn fits(&self, flow: &Flow, axes: [&AxisGeometry; 2], budget: u64) -> bool {
        let beside = self.bytes(flow, axes).iter().fold(self.fixed, |all, bytes| all.saturating_add(*bytes));
        beside <= budget || self.placed(flow, axes) <= budget
    }

    /// Bytes with the buffers placed.
    fn placed(&self, flow: &Flow, axes: [&AxisGeometry; 2]) -> u64 {
        let (_, end) = buffers::place(&self.lives(axes[0]), &self.bytes(flow, axes));
        end.saturating_add(self.fixed)
    }
}
