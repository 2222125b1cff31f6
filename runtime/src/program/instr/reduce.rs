//! Exact sums over space.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{AccumulatorId, BufferId, Interval, TensorId};

/// Adds the part of a buffer that the tile owns, whole grains of it, to an accumulator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accumulate {
    /// Accumulator.
    pub acc: AccumulatorId,
    /// Buffer read.
    pub src: BufferId,
}

impl Instruction for Accumulate {
    fn writes(&self) -> Option<BufferId> {
        None
    }

    /// `out` is the owned interval of `src`.
    fn reads(&self, _: AxisId, out: Interval) -> Vec<Read> {
        vec![Read::new(self.src, out)]
    }
}

/// Rounds an accumulator to the mean over its pixels and writes it into a tensor of extent 1 × 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reduce {
    /// Accumulator.
    pub acc: AccumulatorId,
    /// Tensor written, `[images, channels, 1, 1]`.
    pub dst: TensorId,
}
