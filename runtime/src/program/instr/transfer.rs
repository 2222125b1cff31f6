//! Between device memory and buffers.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval, Queue, TensorId};

/// Fills a buffer with its tile of a device tensor: the valid part is copied, the rest is the buffer's `outside`.
/// A tensor of one image serves all images of the section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Buffer written.
    pub dst: BufferId,
    /// Tensor read.
    pub src: TensorId,
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
