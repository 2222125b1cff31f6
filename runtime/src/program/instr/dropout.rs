//! Values that are dropped at random.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval};

/// `dst[c, y, x] = src[c, y, x] · m`, where m is 0 with probability `dropped / 2²⁴` and `scale` otherwise, as the crate's documentation
/// says: it follows from the key, the stream, and the coordinates in the tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dropout {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// Buffer of the key: four channels of one pixel ([`crate::random::Key::numbers`]).
    pub key: BufferId,
    /// Which stream of random bits: the number of an op, and that of an image of a batch.
    pub stream: [u32; 2],
    /// How many of 2²⁴ equally likely numbers drop a value.
    pub dropped: u32,
    /// What other values are multiplied with.
    pub scale: f32,
}

impl Dropout {
    /// One more than the largest random number.
    pub const NUMBERS: u32 = 1 << 24;
    /// Channels of the key.
    pub const KEY_CHANNELS: u64 = 4;
}

impl Instruction for Dropout {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, _: AxisId, out: Interval) -> Vec<Read> {
        vec![Read::new(self.src, out), Read { broadcast: true, ..Read::new(self.key, out) }]
    }
}
