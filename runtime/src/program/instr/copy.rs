//! Copies between buffers: crop, pad, slice, and the parts of a concatenation.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval};

/// `dst[channel + c, y, x] = src[from + c, y + shift.y, x + shift.x]` for `0 ≤ c < channels`; where that lies outside the extent
/// of `src`, `outside`, or what `fold` says.
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
    /// The pixel inside that stands for one outside the extent of `src`; where it is not given, `outside` does.
    pub fold: Option<Folding>,
}

/// Coordinates inside an extent that stand for those outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Folding {
    /// Mirrored at the first or last pixel, once: `−i` for `i`, or `2·(extent − 1) − i`.
    Mirrored,
    /// The nearest: 0 or `extent − 1`.
    Clamped,
}

impl Folding {
    /// The coordinate for `i`, of an extent of `extent` pixels, one at least.
    pub fn inside(self, i: i64, extent: i64) -> i64 {
        let last = extent.saturating_sub(1).max(0);
        let inside = match self {
            Self::Mirrored if i < 0 => i.saturating_neg(),
            Self::Mirrored if i > last => last.saturating_sub(i).saturating_add(last),
            Self::Mirrored | Self::Clamped => i,
        };
        inside.clamp(0, last)
    }

    /// The hull of the coordinates for all of `interval`.
    pub fn hull(self, interval: Interval, extent: Interval) -> Interval {
        if interval.is_empty() || extent.is_empty() {
            return Interval::default();
        }
        let at = |i: i64| {
            let inside = self.inside(i, extent.end);
            Interval::new(inside, inside + 1)
        };
        // Between borders coordinates rise or fall, so that the ends and the borders are all there is to look at.
        let borders = [0, extent.end - 1].into_iter().filter(|&i| interval.start < i && i < interval.end);
        borders.map(at).fold(at(interval.start).hull(at(interval.end - 1)), Interval::hull)
    }
}

impl Instruction for Copy {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let read = Read::new(self.src, out.shift(self.shift[axis.index()]));
        vec![Read { masked: self.fold.is_none(), fold: self.fold, ..read }]
    }
}
