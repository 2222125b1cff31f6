//! Copies between buffers: crop, pad, slice, and the parts of a concatenation.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval};

/// `dst[channel + c, y, x] = src[from + c, y + shift.y, x + shift.x]` for `0 ≤ c < channels`; where that lies outside the extent
/// of `src`, `outside`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    /// Buffer written; of its channels just those copied, inside its extent and outside.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// First channel written.
    pub channel: u64,
    /// First channel read.
    pub from: u64,
    /// Number of channels.
    pub channels: u64,
    /// From destination to source coordinates, `[y, x]`.
    pub shift: [i64; 2],
    /// The value of pixels outside the extent of `src`.
    pub outside: f32,
}

impl Instruction for Copy {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        vec![Read { masked: true, ..Read::new(self.src, out.shift(self.shift[axis.index()])) }]
    }
}
