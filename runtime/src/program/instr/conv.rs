//! Convolution and transposed convolution.

use serde::{Deserialize, Serialize};

use super::{AxisId, Epilogue, Instruction, Read};
use crate::program::{BufferId, Interval, WeightId};

/// Geometry of a sliding window, `[y, x]` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Taps.
    pub kernel: [u32; 2],
    /// Step between outputs, in inputs.
    pub stride: [u32; 2],
    /// Distance of neighbouring taps.
    pub dilation: [u32; 2],
    /// Leading padding: output 0 begins at input `−pad`.
    pub pad: [i64; 2],
}

impl Window {
    /// The inputs that outputs `[a, b)` need: `[a·s − p, (b − 1)·s − p + (k − 1)·d + 1)`.
    pub fn need(&self, axis: AxisId, out: Interval) -> Interval {
        let i = axis.index();
        let (k, s, d) = (i64::from(self.kernel[i]), i64::from(self.stride[i]), i64::from(self.dilation[i]));
        let first = |o: i64| o.saturating_mul(s).saturating_sub(self.pad[i]);
        let reach = (k - 1).max(0).saturating_mul(d).saturating_add(1);
        Interval::new(first(out.start), first(out.end.saturating_sub(1)).saturating_add(reach))
    }

    /// Along one axis, the first input of output `o`, and the taps that lie in `within`.
    #[inline(always)]
    pub(crate) fn taps(&self, axis: usize, o: i64, within: Interval) -> (i64, Interval) {
        let Self { kernel, stride, dilation, pad } = self;
        let (first, d) = (o * i64::from(stride[axis]) - pad[axis], i64::from(dilation[axis]).max(1));
        // Smallest k with first + k·d >= bound.
        let reach = |bound: i64| (bound - first + d - 1).div_euclid(d).clamp(0, i64::from(kernel[axis]));
        (first, Interval::new(reach(within.start), reach(within.end)))
    }

    /// The inputs that outputs `[a, b)` of the transposed window need: `o = i·s − p + k·d` solved for `i`, that is
    /// `[⌈(a + p − (k − 1)·d) / s⌉, ⌊(b − 1 + p) / s⌋ + 1)`.
    pub fn transposed_need(&self, axis: AxisId, out: Interval) -> Interval {
        let i = axis.index();
        let (k, s, d) =
            (i64::from(self.kernel[i]), i64::from(self.stride[i]).max(1), i64::from(self.dilation[i]));
        let reach = (k - 1).max(0).saturating_mul(d);
        let low = out.start.saturating_add(self.pad[i]).saturating_sub(reach);
        let high = out.end.saturating_sub(1).saturating_add(self.pad[i]);
        Interval::new(low.saturating_add(s - 1).div_euclid(s), high.div_euclid(s).saturating_add(1))
    }
}

/// `dst = epilogue(conv2d(src, weight) + bias)`, in the canonical order; taps outside the extent read the buffer's zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conv2d {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read; its `outside` is 0 where taps reach outside the extent.
    pub src: BufferId,
    /// `[out, in/groups, kh, kw]`, packed as [`crate::program::Packing::Conv`].
    pub weight: WeightId,
    /// `[out]`, packed as `GroupedChannels` with the same number of groups.
    pub bias: Option<WeightId>,
    /// Geometry.
    pub window: Window,
    /// Number of groups.
    pub groups: u32,
    /// Elementwise tail; its input 0 is the convolution's value.
    pub epilogue: Option<Epilogue>,
}

impl Instruction for Conv2d {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let mut reads = vec![Read::new(self.src, self.window.need(axis, out))];
        reads.extend(self.epilogue.iter().flat_map(|e| e.reads(out)));
        reads
    }
}

/// `dst = epilogue(conv_transpose2d(src, weight) + bias)` in gather form: output `o` sums over taps `k` for which
/// `i = (o + pad − k·dilation) / stride` is an integer, in conv2d's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvTranspose2d {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read; its `outside` is 0 where taps reach outside the extent.
    pub src: BufferId,
    /// `[in, out/groups, kh, kw]`, packed as [`crate::program::Packing::ConvTranspose`].
    pub weight: WeightId,
    /// `[out]`, packed as `GroupedChannels` with the same number of groups.
    pub bias: Option<WeightId>,
    /// Geometry: input `i` reaches outputs `i·stride − pad + k·dilation`.
    pub window: Window,
    /// Number of groups.
    pub groups: u32,
    /// Elementwise tail; its input 0 is the convolution's value.
    pub epilogue: Option<Epilogue>,
}

impl Instruction for ConvTranspose2d {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let mut reads = vec![Read::new(self.src, self.window.transposed_need(axis, out))];
        reads.extend(self.epilogue.iter().flat_map(|e| e.reads(out)));
        reads
    }
}
