//! Sliding windows, which convolutions and pools have in common.

use zellige_runtime::program::instr;

/// A window over rows and columns, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Window {
    /// Taps.
    pub(in super::super) kernel: [i64; 2],
    /// Inputs between outputs; of a transposed window, outputs between inputs.
    pub(in super::super) stride: [i64; 2],
    /// Distance of taps.
    pub(in super::super) dilation: [i64; 2],
    /// Leading padding.
    pub(in super::super) pad: [i64; 2],
}

/// Largest kernel, stride, dilation or padding of a graph.
const LARGEST: i64 = 1 << 16;

impl Window {
    /// The window that an instruction has; `None` if it is none, or larger than any graph's.
    pub(in super::super) fn of_instr(window: &instr::Window) -> Option<Self> {
        Self {
            kernel: window.kernel.map(i64::from),
            stride: window.stride.map(i64::from),
            dilation: window.dilation.map(i64::from),
            pad: window.pad,
        }
        .bounded()
    }

    /// Itself, if it is a window.
    pub(super) fn bounded(self) -> Option<Self> {
        let positive = self.kernel.iter().chain(&self.stride).chain(&self.dilation);
        let fits = positive.copied().all(|v| (1..=LARGEST).contains(&v))
            && self.pad.iter().all(|p| p.abs() <= LARGEST);
        fits.then_some(self)
    }

    /// Output `o` reads inputs `o·stride − pad + k·dilation` for `0 ≤ k < kernel`.
    pub(super) fn sources(&self, axis: usize, o: i64, found: &mut Vec<i64>) {
        let first = o * self.stride[axis] - self.pad[axis];
        found.extend((0..self.kernel[axis]).map(|k| first + k * self.dilation[axis]));
    }

    /// Output `o` of the transposed window reads the inputs `i` that reach it: `o = i·stride − pad + k·dilation` for
    /// `0 ≤ k < kernel`.
    pub(super) fn transposed_sources(&self, axis: usize, o: i64, found: &mut Vec<i64>) {
        let stride = self.stride[axis];
        for k in 0..self.kernel[axis] {
            let reached = o + self.pad[axis] - k * self.dilation[axis];
            if reached.rem_euclid(stride) == 0 {
                found.push(reached.div_euclid(stride));
            }
        }
    }
}
