//! Pooling over windows.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read, Window};
use crate::program::{BufferId, Interval};

/// What is computed over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolKind {
    /// The largest value; NaN if there is one.
    Max,
    /// The sum divided by the number of taps that lie in the extent widened by `margin` (top, left, bottom, right): the
    /// padding where padding counts, 0 where it does not.
    Average {
        /// How far outside the extent taps count.
        margin: [i64; 4],
    },
}

/// `dst = pool(src)`; taps outside the extent are skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// Maximum or average.
    pub kind: PoolKind,
    /// Geometry.
    pub window: Window,
}

impl Instruction for Pool {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        vec![Read { masked: true, ..Read::new(self.src, self.window.need(axis, out)) }]
    }
}
