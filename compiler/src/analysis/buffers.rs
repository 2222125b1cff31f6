//! Tile buffers of a section: how long each lives, how large it is, and where it can lie in SRAM.

use std::collections::HashMap;

use zellige_runtime::memory::{PRODUCTS_SCRATCH_BYTES, scratch_bytes};
use zellige_runtime::program::Packing;

use super::flow::{Flow, FlowTensor};
use super::fusion::Group;
use super::geometry::AxisGeometry;
use super::work::running_bytes;
use crate::base::ValueId;
use crate::ir::Graph;

/// Buffers start at multiples of a cache line.
pub const ALIGNMENT: u64 = 64;

/// A tile buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Index of its tensor in the flow.
    pub tensor: usize,
    /// Channels side by side.
    pub lanes: u32,
    /// First and last group (by index) during which it holds its tile.
    pub live: [usize; 2],
}

/// Channels side by side for a tensor of `channels`: a power of two, at most 16.
pub fn lanes(channels: u64) -> u32 {
    channels.next_power_of_two().min(16) as u32
}

/// The buffers of a section, those of its inputs first, then those of what it computes in order; tensors inside a group have none.
pub fn buffers(flow: &Flow, groups: &[Group]) -> Vec<Buffer> {
    // Where each value is made or read first, and where last.
    let mut lives: HashMap<ValueId, [usize; 2]> = HashMap::new();
    for (g, group) in groups.iter().enumerate() {
        for &value in group.reads.iter().chain([&group.output]) {
            lives.entry(value).or_insert([g, g])[1] = g;
        }
    }
    let buffer = |(t, tensor): (usize, &FlowTensor)| {
        let live = *lives.get(&tensor.value)?;
        Some(Buffer { tensor: t, lanes: lanes(tensor.sizes[1]), live })
    };
    flow.tensors.iter().enumerate().rev().filter_map(buffer).collect()
}

impl Buffer {
    /// The groups during which its bytes are its own: all of them, if it keeps rows for later steps.
    pub fn life(&self, y: &AxisGeometry) -> [usize; 2] {
        if y.tensors[self.tensor].ring { [0, usize::MAX] } else { self.live }
    }

    /// Bytes for tiles of the given geometries, rounded up to the alignment.
    pub fn bytes(&self, flow: &Flow, y: &AxisGeometry, x: &AxisGeometry) -> u64 {
        let pixels = (y.tensors[self.tensor].size as u64).saturating_mul(x.tensors[self.tensor].size as u64);
        let channels = flow.tensors[self.tensor].sizes[1].next_multiple_of(self.lanes.into());
        let bytes = pixels.saturating_mul(channels).saturating_mul(4);
        bytes.checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX)
    }
}

/// The most bytes that live at once: what no placement can do without.
pub fn peak(lives: &[[usize; 2]], bytes: &[u64]) -> u64 {
    // The most is reached where some life begins.
    let last = lives.iter().map(|life| life[0]).max().unwrap_or(0);
    let mut changes = vec![0i128; last + 2];
    for ([first, end], &bytes) in lives.iter().zip(bytes) {
        changes[*first] += i128::from(bytes);
        changes[(*end).min(last) + 1] -= i128::from(bytes);
    }
    let alive = changes.iter().scan(0, |alive, change| {
        *alive += change;
        Some(*alive)
    });
    alive.max().map_or(0, |most| u64::try_from(most).unwrap_or(u64::MAX))
}

/// Offsets such that buffers alive at the same time do not overlap, and the end of the last one: largest first, each at the
/// lowest offset that is free while it lives.
pub fn place(live: &[[usize; 2]], bytes: &[u64]) -> (Vec<u64>, u64) {
    let mut order: Vec<usize> = (0..live.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(bytes[i]), i));
    let mut offsets = vec![0u64; live.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut taken: Vec<(u64, u64)> = Vec::new();
    for i in order {
        let together = |&j: &usize| live[i][0] <= live[j][1] && live[j][0] <= live[i][1];
        let ends = |j: usize| (offsets[j], offsets[j].saturating_add(bytes[j]));
        taken.clear();
        taken.extend(placed.iter().copied().filter(together).map(ends));
        taken.sort_unstable();
        let mut offset = 0u64;
        for &(start, end) in &taken {
            if offset.saturating_add(bytes[i]) <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[i] = offset;
        placed.push(i);
    }
    let end = offsets.iter().zip(bytes).map(|(o, b)| o.saturating_add(*b)).max().unwrap_or(0);
    (offsets, end)
}

/// Bytes of SRAM besides tile buffers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed {
    scratch: u64,
    /// One block of weights: 16 inputs × 16 outputs, all taps.
    block: u64,
    /// Sums that are kept from tile to tile.
    running: u64,
}

impl Fixed {
    /// What the instruction of a group takes.
    pub fn of(graph: &Graph, group: &Group) -> Self {
        let nodes = group.ops.iter().map(|&op| &graph.ops[op]);
        let specs = nodes.flat_map(|n| n.op.params(&graph.shapes(&n.inputs)).unwrap_or_default());
        let block = specs.map(|p| match p.packing {
            Packing::Conv { .. } | Packing::ConvTranspose { .. } => {
                16 * 16 * 4 * p.dims.iter().skip(2).product::<u64>()
            }
            Packing::Plain | Packing::Channels | Packing::GroupedChannels { .. } => 16 * 4,
        });
        let tail = group.tail.as_ref();
        let of_tail = tail.map_or(0, |t| scratch_bytes(t.expr.nodes().len(), t.operands.len()));
        let running = running_bytes(graph, group.ops[0]).unwrap_or(u64::MAX);
        let of_products = if running > 0 { PRODUCTS_SCRATCH_BYTES } else { 0 };
        Self {
            scratch: of_tail.max(of_products).max(scratch_bytes(0, 0)),
            block: block.max().unwrap_or(0),
            running,
        }
    }

    /// What a section of some groups takes.
    pub fn of_all(graph: &Graph, groups: &[Group]) -> Self {
        groups.iter().map(|group| Self::of(graph, group)).fold(Self::default(), Self::and)
    }

    /// What a section takes that runs both, one after the other.
    pub fn and(self, other: Self) -> Self {
        Self {
            scratch: self.scratch.max(other.scratch),
            block: self.block.max(other.block),
            running: self.running.saturating_add(other.running),
        }
    }

    /// All parts.
    pub fn bytes(self) -> u64 {
        (self.scratch + self.block.next_multiple_of(ALIGNMENT)).saturating_add(self.running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_that_live_together_do_not_overlap() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..500 {
            let n = rng.usize(1..20);
            let live: Vec<[usize; 2]> = (0..n)
                .map(|_| {
                    let a = rng.usize(0..20);
                    [a, a + rng.usize(0..6)]
                })
                .collect();
            let bytes: Vec<u64> = (0..n).map(|_| rng.u64(1..50) * 64).collect();
            let (offsets, end) = place(&live, &bytes);
            for i in 0..n {
                assert!(offsets[i] + bytes[i] <= end);
                for j in 0..i {
                    let together = live[i][0] <= live[j][1] && live[j][0] <= live[i][1];
                    let apart = offsets[i] + bytes[i] <= offsets[j] || offsets[j] + bytes[j] <= offsets[i];
                    assert!(!together || apart);
                }
            }
        }
    }
}
