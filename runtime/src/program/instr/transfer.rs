//! Between device memory and buffers.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval, Queue, TensorId};

/// Fills a buffer with its tile of a device tensor: the valid part is copied, the rest is the buffer's `outside`.
/// A tensor of one image serves all images of the section.
///
/// With an addressing, the tensor is not the buffer's own, and its elements are found elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Buffer written.
    pub dst: BufferId,
    /// Tensor read.
    pub src: TensorId,
    /// Which element of the tensor goes where; that of the same coordinates if not given.
    pub addressing: Option<Addressing>,
}

/// The element of a device tensor that a load takes for channel `c` of pixel `(y, x)` of its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressing {
    /// `(c, x, y)`
    Transposed,
    /// `(c, (y + shift.y) mod H, (x + shift.x) mod W)`, of a tensor of H × W pixels.
    Wrapped {
        /// From buffer to tensor coordinates, `[y, x]`.
        shift: [i64; 2],
    },
    /// The one with the same number in raster order (channels, rows, columns) within the image. The tensor is planar.
    Reshaped,
    /// `(c, y, x)` where the tile owns the pixel of the buffer; elsewhere in the extent +0 and no element.
    Owned,
}

impl Addressing {
    /// Whether the tensor must be planar.
    pub fn is_planar(self) -> bool {
        self == Self::Reshaped
    }
}

impl Instruction for Load {
    fn queue(&self) -> Queue {
        Queue::Load
    }

    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, _: AxisId, _: Interval) -> Vec<Read> {
        Vec::new()
    }
}

/// Writes the part of a buffer that the tile owns into a device tensor, NaNs canonical.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Store {
    /// Tensor written.
    pub dst: TensorId,
    /// Buffer read.
    pub src: BufferId,
}

impl Instruction for Store {
    fn queue(&self) -> Queue {
        Queue::Store
    }

    fn writes(&self) -> Option<BufferId> {
        None
    }

    /// `out` is the owned interval of `src`.
    fn reads(&self, _: AxisId, out: Interval) -> Vec<Read> {
        vec![Read::new(self.src, out)]
    }
}

/// Sums a buffer's tiles in a device tensor, read, modify and write: the part that the tile owns is written where no tile of an earlier
/// colour ([`Section::colours`](crate::program::Section::colours)) owns it, and added to what is there elsewhere. NaNs canonical.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreRmw {
    /// Tensor written.
    pub dst: TensorId,
    /// Buffer read.
    pub src: BufferId,
}

impl Instruction for StoreRmw {
    fn queue(&self) -> Queue {
        Queue::Store
    }

    fn writes(&self) -> Option<BufferId> {
        None
    }

    /// `out` is the owned interval of `src`.
    fn reads(&self, _: AxisId, out: Interval) -> Vec<Read> {
        vec![Read::new(self.src, out)]
    }
}
