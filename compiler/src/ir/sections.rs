//! The sections level: the ops of a graph in groups that run tile by tile, and for each tensor of a group how it is tiled,
//! padded and stored. Passes fill it in one after the other; what a pass has not decided yet is `None`.
//!
//! This level is the graph metadata: it serialises to JSON as it stands.

use std::fmt;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use zellige_runtime::machine::Machine;
use zellige_runtime::program::Steps;

use super::{Direction, Graph};
use crate::base::{OpId, ValueId};

/// A graph cut into sections.
#[derive(Clone, Debug, PartialEq)]
pub struct Sections {
    /// The graph; all its sizes are known.
    pub graph: Graph,
    /// What is planned for.
    pub target: Target,
    /// In the order in which they run.
    pub sections: Vec<Section>,
    /// Tensors in device memory, once `allocate` has placed them.
    pub device: Option<Device>,
}

/// The machine and the budgets of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The machine.
    pub machine: Machine,
    /// Bytes of SRAM that a worker may use.
    pub sram: u64,
    /// Bytes of device memory that tensors, weights included, may use.
    pub memory: u64,
    /// Workers.
    pub threads: u32,
}

/// Ops that run tile by tile with no tensor leaving the chip inside.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// `s0`, `s1`, …
    pub name: String,
    /// Its ops, in the order in which they run.
    pub ops: Vec<OpId>,
    /// Target configuration: size of the tiles that cut the anchor, rows and columns.
    pub tile: Option<[u64; 2]>,
    /// How overlaps are had.
    pub overlap: Option<Overlap>,
    /// Where padding goes.
    pub padding: Padding,
    /// How the overlap of gradients is had.
    pub gradient: Gradient,
    /// Where tiles are added up: colours along the axes.
    pub colours: Option<[u64; 2]>,
    /// Number of steps along the axes.
    pub grid: Option<[u64; 2]>,
    /// Tiling of each tensor that the section reads, computes or gives out: inputs first, then in the order of ops.
    pub tensors: IndexMap<ValueId, Tiling>,
    /// Of tensors of the forward pass that its ops of the backward pass need, and earlier sections have computed, how they are had.
    pub materialized: IndexMap<ValueId, Materialize>,
    /// Bytes of SRAM that its buffers, scratch and a block of weights take together.
    pub sram_bytes: Option<u64>,
}

/// Which passes through the network ops are part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directions {
    /// All of them of the forward pass.
    Forward,
    /// All of them of the backward pass.
    Backward,
    /// Some of either.
    Both,
}

/// How the overlap of neighbouring tiles is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Each tile computes its halo.
    #[default]
    Recompute,
    /// Columns of tiles run from top to bottom, and rings keep the rows that later tiles read: nothing is computed twice along
    /// a column. Across columns halos are computed.
    Reuse,
}

/// Where padding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Moved to the section's inputs, before tiling: all tiles of a tensor have one size.
    #[default]
    Post,
    /// Added by each layer to each tile: tiles at the border are smaller.
    Pre,
}

/// How the gradients of an input that neighbouring tiles of the output's gradient share are had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gradient {
    /// Each tile owns a part of the input's gradient and reads the output's with overlap: the same bits for every tiling.
    #[default]
    Halo,
    /// Each tile owns a part of the output's gradient, which the target tile cuts, and adds what it contributes to the input's gradient in
    /// memory: read, modify, write, in the order of colours. The section is one op.
    Rmw,
}

/// What becomes of a tensor that is needed on both sides of a cut, of the forward pass on the one and of the backward pass on the other above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Materialize {
    /// It is kept in device memory, or in a file.
    Keep,
    /// It is kept there tile by tile: a block for each tile behind the cut, with what tiles have in common stored in each.
    Tiles,
    /// It is computed again.
    Recompute,
}

/// What a section's geometry follows from, besides its target tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scheme {
    /// How overlaps are had.
    pub overlap: Overlap,
    /// Where padding goes.
    pub padding: Padding,
}

/// What a tensor is to its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read from device memory.
    Input,
    /// Computed and used up.
    Intermediate,
    /// Computed and written to device memory.
    Output,
    /// Only summed over space: not written.
    Reduced,
}

/// Where a tensor's tiles lie while the section runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// In a tile buffer.
    OnChip,
    /// In a tile buffer that keeps its rows from a tile to the one below.
    Ring,
    /// Nowhere: the op that makes it and the op that reads it are one instruction.
    Fused,
}

/// The tiling configuration of one tensor in one section. Pairs are rows, columns; fours are top, left, bottom, right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiling {
    /// What the tensor is to the section.
    pub role: Role,
    /// Whether the target tile cuts it, and all other tilings follow.
    pub anchor: bool,
    /// Whether it is summed over space as well.
    pub reduced: bool,
    /// Extent of the tensor.
    pub extent: [u64; 2],
    /// Size of a tile.
    pub tile: [u64; 2],
    /// First pixel of the first tile.
    pub origin: [i64; 2],
    /// Kernel and stride of the ops in this section that read it.
    pub readers: Vec<Reader>,
    /// Step tables of rows and columns.
    pub steps: [TensorSteps; 2],
    /// Pixels that neighbouring tiles share, at most.
    pub overlap: Option<[u64; 2]>,
    /// Padding: of an input all the padding of the section's layers, of others what is left of it there.
    pub padding: Option<[u64; 4]>,
    /// The extent with its padding.
    pub padded: Option<[u64; 2]>,
    /// Border that is reset to `zero` wherever a tile reaches it: the whole padding of an intermediate.
    pub zero_out: Option<ZeroOut>,
    /// Where its tiles lie.
    pub storage: Option<Storage>,
    /// Its buffer.
    pub buffer: Option<BufferPlan>,
}

/// A reader of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// Name of the op.
    pub op: String,
    /// Its window.
    pub kernel: [i64; 2],
    /// Its stride.
    pub stride: [i64; 2],
}

/// A tensor's row of a step table: for each step what a tile covers, and what of it the step owns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSteps {
    /// What a tile covers, in global coordinates, not clamped.
    pub computed: Steps,
    /// What leaves the section in this step; no steps where nothing does.
    pub owned: Steps,
}

/// Zero-out of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroOut {
    /// Value outside the extent.
    #[serde(with = "zellige_grammar::zir::serde_float")]
    pub value: f32,
    /// Rows and columns outside the extent that are read.
    pub border: [u64; 4],
}

/// Place of a tile buffer in SRAM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BufferPlan {
    /// Channels side by side.
    pub lanes: u32,
    /// Offset in bytes.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Device memory: what lies where.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Tensors at section boundaries, in the order in which they are made; of one that is kept tile by tile, what each section
    /// reads that has tiles of its own.
    pub composites: Vec<(ValueId, Composite)>,
    /// Bytes of packed weights.
    pub weight_bytes: u64,
    /// Bytes of accumulators.
    pub accumulator_bytes: u64,
    /// Bytes of the arena: composites, weights and accumulators.
    pub arena_bytes: u64,
    /// Bytes of the model's inputs and outputs.
    pub border_bytes: u64,
    /// Whether those are read and written window by window, since there is no room for them.
    pub streamed: bool,
}

/// A tensor in device memory that a section's tiles are stitched into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composite {
    /// Channels side by side.
    pub lanes: u32,
    /// Offset in bytes in the device arena.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
    /// First and last section that use it.
    pub live: [u32; 2],
    /// Whether it lies in a temporary file, since there is no room for it; its offset is 0 then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spilled: bool,
    /// How it is cut, if it is kept tile by tile.
    pub blocks: Option<Blocks>,
}

/// A composite that is kept tile by tile. Pairs are rows, columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// Index of the section whose tiles load them.
    pub section: u32,
    /// Number of blocks.
    pub grid: [u64; 2],
    /// Pixels of a block.
    pub size: [u64; 2],
}

impl Directions {
    /// Of some ops.
    pub fn of(graph: &Graph, ops: &[OpId]) -> Self {
        let has =
            |direction| ops.iter().any(|&op| graph.ops.get(op).is_some_and(|n| n.direction == direction));
        match (has(Direction::Forward), has(Direction::Backward)) {
            (_, false) => Self::Forward,
            (false, true) => Self::Backward,
            (true, true) => Self::Both,
        }
    }
}

impl fmt::Display for Directions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Both => "forward and backward",
        })
    }
}

impl Section {
    /// What its geometry follows from; halos are computed where nothing else is said.
    pub fn scheme(&self) -> Scheme {
        Scheme { overlap: self.overlap.unwrap_or_default(), padding: self.padding }
    }
}

impl Sections {
    /// The section that computes an op.
    pub fn section_of(&self, op: OpId) -> Option<usize> {
        self.sections.iter().position(|s| s.ops.contains(&op))
    }

    /// Which passes through the network a section's ops are part of; `None` where the graph has one pass only.
    pub fn direction(&self, section: &Section) -> Option<Directions> {
        let trains = self.graph.ops.iter().any(|(_, node)| node.direction == Direction::Backward);
        trains.then(|| Directions::of(&self.graph, &section.ops))
    }

    /// Tensors that are kept from the forward pass for the backward pass of a section: made by ops of the forward pass in sections before
    /// it, and read by ops of the backward pass in it; in the order in which they are read.
    pub fn kept(&self, section: &Section) -> IndexSet<ValueId> {
        let node = |&op: &OpId| self.graph.ops.get(op);
        let kept = |value: &ValueId| {
            let producer = self.graph.producer(*value).filter(|op| !section.ops.contains(op));
            producer.and_then(|op| node(&op)).is_some_and(|n| n.direction == Direction::Forward)
        };
        let backward = section.ops.iter().filter_map(node).filter(|n| n.direction == Direction::Backward);
        backward.flat_map(|n| n.inputs.iter().copied()).filter(kept).collect()
    }
}
