//! The gradient of maxima over windows.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read, Window};
use crate::program::{BufferId, Interval};

/// `dst[c, y, x] = Σ dy[c, o]` over the windows `o` whose maximum is at `x[c, y, x]`: the first in raster order of the largest, or the
/// last NaN. Taps outside the extent are skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxPoolDx {
    /// Buffer written.
    pub dst: BufferId,
    /// What the maxima were taken of.
    pub x: BufferId,
    /// The gradient of the maxima.
    pub dy: BufferId,
    /// Geometry of the windows over `x`.
    pub window: Window,
}

impl Instruction for MaxPoolDx {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let i = axis.index();
        let reach = (i64::from(self.window.kernel[i]) - 1).max(0) * i64::from(self.window.dilation[i]);
        let around = Interval::new(out.start.saturating_sub(reach), out.end.saturating_add(reach));
        [(self.x, around), (self.dy, self.window.transposed_need(axis, out))]
            .map(|(buffer, need)| Read { masked: true, ..Read::new(buffer, need) })
            .to_vec()
    }
}
