//! Instructions, a file per family.
//!
//! Operands are buffers; where they lie in their tensors stands in the section's step tables. An instruction that writes a
//! buffer computes the valid part of the tile, and fills the rest as the buffer's `outside` says ([`super::Buffer`]).

mod adjoint;
mod conv;
mod conv_dw;
mod copy;
mod dropout;
mod fold;
mod map;
mod matmul;
mod max_pool_dx;
mod pool;
mod reduce;
mod resample;
mod transfer;

use serde::{Deserialize, Serialize};

use super::{BufferId, Interval, Queue};

pub use adjoint::{Adjoint, Border, LinearMap, Taps};
pub use conv::{Conv2d, ConvTranspose2d, Window};
pub use conv_dw::ConvDw;
pub use copy::{Copy, Folding};
pub use dropout::Dropout;
pub use fold::{Along, Fold, FoldKind};
pub use map::{Epilogue, Map, Operand};
pub use matmul::Matmul;
pub use max_pool_dx::MaxPoolDx;
pub use pool::{Pool, PoolKind};
pub use reduce::{Accumulate, Reduce, Statistic};
pub use resample::{Coordinate, Filter, PixelShuffle, PixelUnshuffle, Resize};
pub use transfer::{Addressing, Load, Store, StoreRmw};

/// A spatial axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AxisId {
    /// Rows.
    Y,
    /// Columns.
    X,
}

impl AxisId {
    /// Both axes, rows first.
    pub const BOTH: [Self; 2] = [Self::Y, Self::X];

    /// 0 for rows, 1 for columns: the index into `[y, x]` attributes.
    pub fn index(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for AxisId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(["y", "x"][self.index()])
    }
}

/// What an instruction does to buffers, as far as verifiers and schedulers ask.
pub trait Instruction {
    /// The queue that runs it.
    fn queue(&self) -> Queue {
        Queue::Compute
    }

    /// The buffer that it writes.
    fn writes(&self) -> Option<BufferId>;

    /// The buffers that it reads, each with the coordinates that it reads along an axis in order to compute the (non-empty,
    /// valid) interval `out` of the buffer that it writes; what it reads outside the extent included. Saturating arithmetic.
    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read>;
}

/// One operand of an instruction along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The buffer.
    pub buffer: BufferId,
    /// What is read.
    pub interval: Interval,
    /// Whether taps outside the tensor's extent are skipped, given a value, or moved to the border by the instruction itself,
    /// so that nothing is read there.
    pub masked: bool,
    /// Whether an operand of extent 1 is repeated along this axis.
    pub broadcast: bool,
    /// Where pixels inside the tensor's extent are read in place of those outside.
    pub fold: Option<Folding>,
}

impl Read {
    /// An operand that is read as far as `interval` goes.
    pub fn new(buffer: BufferId, interval: Interval) -> Self {
        Self { buffer, interval, masked: false, broadcast: false, fold: None }
    }
}

/// A tile-level instruction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instr {
    /// Device memory to buffer.
    Load(Load),
    /// Buffer to device memory.
    Store(Store),
    /// Convolution with fused epilogue.
    Conv2d(Conv2d),
    /// Transposed convolution with fused epilogue.
    ConvTranspose2d(ConvTranspose2d),
    /// Maximum or average over windows.
    Pool(Pool),
    /// Interpolation between pixels.
    Resize(Resize),
    /// Channels to space.
    PixelShuffle(PixelShuffle),
    /// Space to channels.
    PixelUnshuffle(PixelUnshuffle),
    /// Crop, pad, slice, and parts of a concatenation.
    Copy(Copy),
    /// Elementwise expression.
    Map(Map),
    /// Reduction along one axis.
    Fold(Fold),
    /// Product of matrices.
    Matmul(Matmul),
    /// Statistics over space into an accumulator.
    Accumulate(Accumulate),
    /// Weight gradient of a convolution into an accumulator.
    ConvDw(ConvDw),
    /// Gradient of maxima over windows.
    MaxPoolDx(MaxPoolDx),
    /// Gradient of what is linear along rows and columns.
    Adjoint(Adjoint),
    /// Values dropped at random.
    Dropout(Dropout),
    /// Buffer to device memory, where tiles that overlap are added up.
    StoreRmw(StoreRmw),
}

impl Instr {
    /// The instruction as the trait's object.
    pub fn as_instruction(&self) -> &dyn Instruction {
        match self {
            Self::Load(i) => i,
            Self::Store(i) => i,
            Self::Conv2d(i) => i,
            Self::ConvTranspose2d(i) => i,
            Self::Pool(i) => i,
            Self::Resize(i) => i,
            Self::PixelShuffle(i) => i,
            Self::PixelUnshuffle(i) => i,
            Self::Copy(i) => i,
            Self::Map(i) => i,
            Self::Fold(i) => i,
            Self::Matmul(i) => i,
            Self::Accumulate(i) => i,
            Self::ConvDw(i) => i,
            Self::MaxPoolDx(i) => i,
            Self::Adjoint(i) => i,
            Self::Dropout(i) => i,
            Self::StoreRmw(i) => i,
        }
    }
}
