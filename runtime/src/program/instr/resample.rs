//! Nearest-neighbour resampling and pixel shuffle.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval};

/// A positive rational: source pixels per output pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// Numerator.
    pub num: u32,
    /// Denominator.
    pub den: u32,
}

impl Ratio {
    /// `⌊o · num / den⌋`.
    pub fn floor(self, o: i64) -> i64 {
        let q = i128::from(o) * i128::from(self.num);
        let q = q.div_euclid(i128::from(self.den.max(1)));
        i64::try_from(q).unwrap_or(if q < 0 { i64::MIN } else { i64::MAX })
    }
}

/// `dst[o] = src[⌊o · ratio⌋]` along each axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// Source pixels per output pixel, `[y, x]`.
    pub ratio: [Ratio; 2],
}

impl Instruction for Nearest {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let ratio = self.ratio[axis.index()];
        let need =
            Interval::new(ratio.floor(out.start), ratio.floor(out.end.saturating_sub(1)).saturating_add(1));
        vec![Read::new(self.src, need)]
    }
}

/// `dst[c, y, x] = src[c·r² + (y mod r)·r + x mod r, ⌊y/r⌋, ⌊x/r⌋]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelShuffle {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// r.
    pub factor: u32,
}

impl Instruction for PixelShuffle {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, _: AxisId, out: Interval) -> Vec<Read> {
        let r = i64::from(self.factor.max(1));
        let need =
            Interval::new(out.start.div_euclid(r), out.end.saturating_sub(1).div_euclid(r).saturating_add(1));
        vec![Read::new(self.src, need)]
    }
}
