//! Weight gradients of convolutions.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read, Window};
use crate::program::{AccumulatorId, BufferId, Interval};

/// Adds what the owned part of `dy`, whole grains of it, contributes to the gradient of a convolution's weights:
/// `Σ x[i, …] · dy[o, y, x]` for each weight, over the pixels of `dy` and the input that the weight's tap reads for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvDw {
    /// Accumulator of [`AccumulatorKind::Products`](crate::program::AccumulatorKind::Products): an image and channel a weight. The
    /// weights are `[out, in/groups, kh, kw]`, transposed `[in, out/groups, kh, kw]`; the first dimension are its images, the
    /// others its channels.
    pub acc: AccumulatorId,
    /// The convolution's operand; its `outside` is 0 where taps reach outside the extent.
    pub x: BufferId,
    /// The gradient of the convolution's result.
    pub dy: BufferId,
    /// Geometry of the convolution.
    pub window: Window,
    /// Its number of groups.
    pub groups: u32,
    /// Whether it is a transposed convolution, whose input `i` reaches outputs `i·stride − pad + k·dilation`: pixels of `dy` that a
    /// tap does not reach contribute nothing to its weights.
    pub transposed: bool,
}

impl Instruction for ConvDw {
    fn writes(&self) -> Option<BufferId> {
        None
    }

    /// `out` is the owned interval of `dy`.
    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let need = if self.transposed {
            self.window.transposed_need(axis, out)
        } else {
            self.window.need(axis, out)
        };
        vec![Read::new(self.x, need), Read::new(self.dy, out)]
    }
}
