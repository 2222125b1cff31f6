//! Statistics over space: gathered tile by tile, finished when the section ends.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{AccumulatorId, AccumulatorKind, BufferId, Interval, TensorId};

/// Gathers the part of a buffer that the tile owns, whole grains of it, in an accumulator, as its kind says.
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

/// What becomes of the values gathered; formulas are in the crate's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// `f32(S)`, with S the exact sum rounded to f64.
    Sum,
    /// `f32(m)`, with `m = S / n`.
    Mean,
    /// `f32(m − f64(f32(m)))`: what rounding takes from the mean.
    MeanRest,
    /// `f32(max(0, Q / n − m · m))`, with Q the exact sum of squares rounded to f64.
    Variance,
    /// The largest value: a NaN if there is one, and +0 rather than −0.
    Max,
}

impl Statistic {
    /// The least that an accumulator must gather for it.
    pub fn kind(self) -> AccumulatorKind {
        match self {
            Self::Sum | Self::Mean | Self::MeanRest => AccumulatorKind::Sum,
            Self::Variance => AccumulatorKind::Moments,
            Self::Max => AccumulatorKind::Max,
        }
    }
}

/// Finishes a statistic of an accumulator and writes it into a tensor of extent 1 × 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reduce {
    /// Accumulator.
    pub acc: AccumulatorId,
    /// Tensor written, `[images, channels, 1, 1]`; `[1, channels, 1, 1]` if all images are taken together, exactly.
    pub dst: TensorId,
    /// Which statistic.
    pub statistic: Statistic,
    /// Channels side by side that are taken together, exactly, and each get the result; it divides the channels.
    pub group: u64,
}
