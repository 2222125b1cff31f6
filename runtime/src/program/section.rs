//! Sections: what runs tile by tile without leaving the chip.

use serde::{Deserialize, Serialize};

use super::colours::owned_first;
use super::instr::Reduce;
use super::{AccumulatorId, BufferId, Instr, Interval, Region, Steps, Token};

/// A tile buffer: holds the same-size tile of one tensor in blocks of channels.
///
/// In tile `(i, j)` the rows `y.buffers[b].computed.get(i)` and columns `x.buffers[b].computed.get(j)` of its tensor are written, at
/// most `rows` × `cols` pixels. Whatever instruction writes it writes the tensor's values where that region lies within the
/// extent (*valid*) and, where `outside` is given, that value everywhere else (*zero-out*); where it is not given, nobody reads there.
///
/// What may be read is what the buffer *holds* ([`Buffer::held`]): the rows just written and, of a *ring*, those written
/// before in the same strip as far as no newer row has taken their place.
///
/// Channel `c` of pixel `(y, x)` lies at `((c / lanes · rows + y mod rows) · cols + x − x₀) · lanes + c mod lanes`, with x₀ the first
/// column. Lanes past the last channel hold anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Buffer {
    /// Name of its tensor in the model.
    pub name: String,
    /// Channels of the tensor.
    pub channels: u64,
    /// Channels stored side by side: 1, 2, 4, 8 or 16.
    pub lanes: u32,
    /// Rows that there is room for.
    pub rows: u64,
    /// Columns that there is room for.
    pub cols: u64,
    /// Rows and columns of the tensor.
    pub extent: [u64; 2],
    /// The value of pixels outside the extent, where somebody reads them.
    pub outside: Option<f32>,
    /// Whether it keeps its rows from a y-step to the next.
    #[serde(default)]
    pub ring: bool,
    /// Offset in bytes in a worker's SRAM, a multiple of 64. Buffers whose lives do not overlap may share bytes.
    pub offset: u64,
}

impl Buffer {
    /// Bytes of the buffer, `None` if they overflow.
    pub fn bytes(&self) -> Option<u64> {
        let lanes = u64::from(self.lanes);
        self.channels
            .checked_next_multiple_of(lanes)?
            .checked_mul(self.rows)?
            .checked_mul(self.cols)?
            .checked_mul(4)
    }

    /// The rows that it holds in y-step `i`, given its row of the step table.
    pub fn held(&self, steps: &BufferSteps, i: u64) -> Interval {
        let computed = steps.computed.get(i);
        if !self.ring {
            return computed;
        }
        let rows = i64::try_from(self.rows).unwrap_or(i64::MAX);
        Interval::new(computed.end.saturating_sub(rows).max(steps.computed.get(0).start), computed.end)
    }

    /// The tensor's extent as a region.
    pub fn extent(&self) -> Region {
        let whole = |n: u64| Interval::new(0, i64::try_from(n).unwrap_or(i64::MAX));
        Region { y: whole(self.extent[0]), x: whole(self.extent[1]) }
    }
}

/// Along one axis: for every step, what a buffer covers and what of it this step owns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BufferSteps {
    /// What is written: at most `rows` (or `cols`) long. Of a ring, each y-step's rows follow those of the step before.
    pub computed: Steps,
    /// The part that this step stores or accumulates: disjoint over the steps, together the whole extent; where tiles are added up in
    /// device memory, only steps of one colour are disjoint. Empty tables where nothing of the tensor leaves the section.
    pub owned: Steps,
}

/// The step table of one axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Number of steps; a tile is a y-step and an x-step.
    pub steps: u64,
    /// One entry a buffer of the section.
    pub buffers: Vec<BufferSteps>,
}

/// Where a buffer lies in its tensor for one tile.
///
/// What it holds is `computed` but for rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// What is written.
    pub computed: Region,
    /// The part of it inside the extent.
    pub valid: Region,
    /// The part of it that this tile owns.
    pub owned: Region,
}

/// The unit's queues: each runs its instructions in order, ahead of the others as far as tokens allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Device memory to SRAM.
    Load,
    /// SRAM to SRAM.
    Compute,
    /// SRAM to device memory.
    Store,
}

/// An instruction with its synchronisation.
///
/// `wait` names tokens signalled in the same tile, `wait_previous` tokens signalled in the tile before (in the first tile
/// they are there already). `signal` is given once the instruction is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scheduled {
    /// What to do.
    pub instr: Instr,
    /// Tokens of this tile to wait for.
    #[serde(default)]
    pub wait: Vec<Token>,
    /// Tokens of the tile before to wait for.
    #[serde(default)]
    pub wait_previous: Vec<Token>,
    /// Token to give when done.
    #[serde(default)]
    pub signal: Option<Token>,
}

/// A part of the network that runs tile by tile: for every image, y-step and x-step the body. Tiles may run in any order; where
/// there are rings, those of one image and x-step (a *strip*) run in the order of their y-steps, on one worker; where there are
/// colours, all tiles of one come before those of the next.
/// At its end, once all tiles are done, `end` rounds the accumulators that it filled and writes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// `s0`, `s1`, …
    pub name: String,
    /// Number of images.
    pub images: u64,
    /// Step table of the rows.
    pub y: Axis,
    /// Step table of the columns.
    pub x: Axis,
    /// Tile buffers.
    pub buffers: Vec<Buffer>,
    /// Instructions of one tile, in an order that is legal to run one by one.
    pub body: Vec<Scheduled>,
    /// Run once, after all tiles.
    pub end: Vec<Reduce>,
    /// Where workers keep the running sums of accumulators of products.
    #[serde(default)]
    pub running: Vec<Running>,
    /// Colours along rows and columns: tile `(i, j)` has colour `(i mod rows, j mod columns)`, and rows' colours change last. Between
    /// colours there is a barrier. `[1, 1]` where no tiles overlap in what they store.
    #[serde(default = "one_colour")]
    pub colours: [u64; 2],
}

fn one_colour() -> [u64; 2] {
    [1; 2]
}

/// Running sums of an accumulator of products in a worker's SRAM: an f64 a weight
/// ([`ConvDw::running_bytes`](super::instr::ConvDw::running_bytes)), zero when the worker begins the section, and added to the accumulator when it ends.
/// What an addition would round away goes to the accumulator at once, so that both together are exact. They share bytes with no
/// buffer. An accumulator without them is added to grain by grain, with the same result, slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The accumulator.
    pub acc: AccumulatorId,
    /// Offset in bytes in a worker's SRAM, a multiple of 64.
    pub offset: u64,
}

impl Section {
    /// Whether tiles of a strip depend on each other.
    pub fn has_rings(&self) -> bool {
        self.buffers.iter().any(|b| b.ring)
    }

    /// Of what tile `(i, j)` owns of buffer `b`, what no tile of an earlier colour owns.
    pub fn owned_first(&self, b: BufferId, i: u64, j: u64) -> Region {
        let along = |axis: &Axis, step, colours| owned_first(&axis.buffers[b.index()].owned, step, colours);
        Region { y: along(&self.y, i, self.colours[0]), x: along(&self.x, j, self.colours[1]) }
    }

    /// Where buffer `b` lies in tile `(i, j)`.
    pub fn place(&self, b: BufferId, i: u64, j: u64) -> Place {
        let (y, x) = (&self.y.buffers[b.index()], &self.x.buffers[b.index()]);
        let computed = Region { y: y.computed.get(i), x: x.computed.get(j) };
        Place {
            computed,
            valid: computed.intersect(self.buffers[b.index()].extent()),
            owned: Region { y: y.owned.get(i), x: x.owned.get(j) },
        }
    }
}
