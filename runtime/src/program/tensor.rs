//! What lies in device memory: tensors, weights and accumulators.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::instr::Statistic;
use super::{BufferId, WeightId};

/// Logical NCHW shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dims {
    /// Images.
    pub n: u64,
    /// Channels.
    pub c: u64,
    /// Rows.
    pub h: u64,
    /// Columns.
    pub w: u64,
}

/// What a device tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Given by the caller, in the caller's memory.
    Input,
    /// Written for the caller, in the caller's memory.
    Output,
    /// A section boundary, in the device arena at this offset in bytes.
    Composite(u64),
    /// A section boundary that memory has no room for: in a temporary file, read and written window by window.
    Spilled,
    /// Values that come with the program (planar).
    Constant(WeightId),
}

/// A tensor in device memory. Element `(n, c, y, x)` lies at
/// `((n · ⌈C/lanes⌉ + c / lanes) · H · W + y · W + x) · lanes + c mod lanes` (in elements), or in [`Blocks`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its name in the model.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its shape.
    pub dims: Dims,
    /// Channels stored side by side: 1 (planar: inputs, outputs, constants), 2, 4, 8 or 16.
    pub lanes: u32,
    /// The values that an output may have, and whatever is stored is made one of them; for an input, what its values are meant to be.
    #[serde(default)]
    pub element: Element,
    /// How it is cut, if it is kept tile by tile.
    #[serde(default)]
    pub blocks: Option<Blocks>,
}

/// A tensor kept tile by tile: block `(i, j)` has those of the tensor's pixels that one buffer covers in tile `(i, j)` of its section,
/// so that each tile loads one block, all of it, and nothing else. What blocks have in common is stored in each of them.
///
/// Block `(i, j)` of image n begins at `((n · I + i) · J + j) · ⌈C/lanes⌉ · rows · cols · lanes` elements, where the grid is I × J and `size` is
/// rows × cols. In it, elements lie as in a tensor of one image whose pixels are those of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocks {
    /// Index of the section that loads them.
    pub section: u32,
    /// The buffer that it loads them into.
    pub buffer: BufferId,
    /// Steps of that section: blocks along rows and columns.
    pub grid: [u64; 2],
    /// Rows and columns that each block has room for.
    pub size: [u64; 2],
}

/// A type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// Any f32.
    #[default]
    F32,
    /// Whole numbers from 0 to 255: others are clamped and rounded half to even, NaN is 0.
    U8,
    /// Whole numbers from 0 to 65,535, likewise.
    U16,
}

impl Element {
    /// Bytes of a value in a file.
    pub fn bytes(self) -> u64 {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::F32 => 4,
        }
    }

    /// The largest value, where there is one.
    pub fn max(self) -> Option<f32> {
        match self {
            Self::F32 => None,
            Self::U8 => Some(255.0),
            Self::U16 => Some(65_535.0),
        }
    }
}

/// How an instruction wants a parameter's values laid out; made once at load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// As stored, f32 (constants).
    Plain,
    /// One value a channel, zero-padded to whole blocks of 16 (bias, slopes).
    Channels,
    /// Bias of a grouped convolution: as `Channels`, but each group is padded to whole blocks by itself.
    GroupedChannels {
        /// Number of groups.
        groups: u32,
    },
    /// Convolution weights `[out, in/groups, kh, kw]` as
    /// `[group][out block][in block][ky][kx][in in block][16 out]`: 16 outputs side by side, zero-padded; the last input
    /// block of a group holds just the channels that there are.
    Conv {
        /// Number of groups.
        groups: u32,
    },
    /// Transposed-convolution weights `[in, out/groups, kh, kw]`, packed as `Conv` packs.
    ConvTranspose {
        /// Number of groups.
        groups: u32,
    },
}

/// Where a weight's values are in [`Data`], little-endian f32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// At this offset in bytes.
    Offset(u64),
    /// Written in the program itself.
    Inline(Vec<f32>),
}

/// A parameter or constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weight {
    /// Path of the parameter.
    pub name: String,
    /// Its shape.
    pub dims: Vec<u64>,
    /// Layout wanted.
    pub packing: Packing,
    /// Offset in bytes of the packed values in the device arena.
    pub offset: u64,
    /// Its values.
    pub source: Source,
}

/// What an accumulator gathers of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccumulatorKind {
    /// The exact sum.
    Sum,
    /// The exact sum, and that of the squares.
    Moments,
    /// The largest value.
    Max,
    /// The exact sum of products that grains have added up in f32: a weight's gradient.
    Products,
}

impl AccumulatorKind {
    /// Whether an accumulator of this kind has all that one of kind `other` gathers.
    pub fn covers(self, other: Self) -> bool {
        self == other || (self, other) == (Self::Moments, Self::Sum)
    }

    /// Whether a statistic follows from what an accumulator of this kind gathers.
    pub fn gives(self, statistic: Statistic) -> bool {
        match self {
            Self::Products => statistic == Statistic::Sum,
            _ => self.covers(statistic.kind()),
        }
    }

    /// Rows and columns of a grain, over which sums are rounded; between grains they are exact.
    pub const fn grain(self) -> [i64; 2] {
        match self {
            Self::Sum | Self::Moments | Self::Max => [8, 8],
            Self::Products => [8, 32],
        }
    }
}

/// Statistics over the pixels of a tensor, for each image and channel; of products, those of each weight
/// ([`ConvDw`](super::instr::ConvDw)), over the pixels of all images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accumulator {
    /// The tensor that is read, by its name in the model.
    pub name: String,
    /// What is gathered.
    pub kind: AccumulatorKind,
    /// Images.
    pub images: u64,
    /// Channels.
    pub channels: u64,
    /// Extent of that tensor, rows and columns.
    pub extent: [u64; 2],
    /// Offset in bytes in the device arena.
    pub offset: u64,
}

/// The raw values of the weights: in memory, or a mapped file.
#[derive(Clone, Default)]
pub struct Data(Option<Arc<dyn AsRef<[u8]> + Send + Sync>>);

impl Data {
    /// Wraps bytes that somebody owns.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(bytes)))
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |b| (**b).as_ref())
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Data({} bytes)", self.bytes().len())
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}
