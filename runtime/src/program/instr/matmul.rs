//! Products of matrices.

use serde::{Deserialize, Serialize};

use super::fold::whole;
use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval};

/// `dst[c, y, x] = Σ a[c, y, k] · b[c, k, x]` over `0 ≤ k < inner`; an operand of one channel serves all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matmul {
    /// Buffer written.
    pub dst: BufferId,
    /// Left operand.
    pub a: BufferId,
    /// Right operand.
    pub b: BufferId,
    /// Columns of `a`, rows of `b`.
    pub inner: u64,
}

impl Instruction for Matmul {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let [a, b] = match axis {
            AxisId::Y => [out, whole(self.inner)],
            AxisId::X => [whole(self.inner), out],
        };
        vec![Read::new(self.a, a), Read::new(self.b, b)]
    }
}
