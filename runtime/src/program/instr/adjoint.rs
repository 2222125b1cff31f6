//! Transposes of maps that are linear along rows and columns: the gradients of what resamples, averages and pads.

use serde::{Deserialize, Serialize};

use super::{AxisId, Coordinate, Filter, Instruction, Read};
use crate::program::{BufferId, Interval};

/// `dst[c, y, x] = Σ v · (Σ w · src[c, oy, ox])`, over the taps of weight `v` that outputs `oy` of the map along rows have at `y`,
/// and those of weight `w` that outputs `ox` of the map along columns have at `x`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjoint {
    /// Buffer written: the gradient of what the map takes.
    pub dst: BufferId,
    /// Buffer read: the gradient of what it gives.
    pub src: BufferId,
    /// The map that is transposed, `[y, x]`.
    pub axes: [LinearMap; 2],
}

/// A linear map along one axis, from `inputs` pixels to `outputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinearMap {
    /// Pixels that it takes.
    pub inputs: i64,
    /// Pixels that it gives.
    pub outputs: i64,
    /// Which inputs an output is made of.
    pub taps: Taps,
}

/// Which inputs an output is made of, and how they are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taps {
    /// Those of [`super::Resize`]: outside the extent they are the border's.
    Resized {
        /// Where outputs lie.
        at: Coordinate,
        /// What is computed of the pixels around.
        filter: Filter,
    },
    /// Those from `o · stride − pad` on that lie in the extent, each `1 / n`, where n counts the taps in the extent widened by
    /// `margin`.
    Averaged {
        /// Taps.
        kernel: u32,
        /// Inputs between outputs.
        stride: u32,
        /// Leading padding.
        pad: i64,
        /// How far before and after the extent taps count.
        margin: [i64; 2],
    },
    /// `o − before`, or the pixel that stands for it outside the extent.
    Padded {
        /// Leading padding.
        before: i64,
        /// What stands there.
        border: Border,
    },
}

/// The pixel that stands for one outside the extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// Mirrored at the first or last one; the padding is less than the extent.
    Mirrored,
    /// The nearest.
    Clamped,
    /// That of the opposite border. The outputs are themselves continued so, by the padding after the extent in front of them and
    /// by the padding before it behind; an output has its taps where it lies within `before + after` of those that are inside,
    /// so that what is summed lies close together.
    Wrapped,
}

impl LinearMap {
    /// Padding after the extent.
    pub fn after(&self, before: i64, border: Border) -> i64 {
        let padding = self.outputs.saturating_sub(self.inputs);
        let both = if border == Border::Wrapped { padding / 2 } else { padding };
        both.saturating_sub(before)
    }

    /// The hull of the outputs that have a tap at one of the inputs `inputs`, which are inside the extent and not none.
    pub fn outputs_of(&self, inputs: Interval) -> Interval {
        let (first, last) = (inputs.start, inputs.end.saturating_sub(1));
        let hull = match self.taps {
            Taps::Resized { at, filter } => {
                let taps = filter.taps();
                let start = if first <= 0 { 0 } else { at.first_at(first.saturating_sub(taps.end - 1)) };
                let end = if last >= self.inputs.saturating_sub(1) {
                    self.outputs
                } else {
                    at.first_at(last.saturating_sub(taps.start).saturating_add(1))
                };
                Interval::new(start, end)
            }
            Taps::Averaged { kernel, stride, pad, .. } => {
                let (kernel, stride) = (i64::from(kernel), i64::from(stride).max(1));
                let start = first.saturating_add(pad).saturating_sub(kernel.saturating_sub(stride));
                let end = last.saturating_add(pad).div_euclid(stride).saturating_add(1);
                Interval::new(start.div_euclid(stride), end)
            }
            Taps::Padded { before, border } => self.padded(before, border, first, last),
        };
        hull.intersect(Interval::new(0, self.outputs))
    }

    /// The hull of the outputs that are, or stand for, the inputs `first..=last`.
    fn padded(&self, before: i64, border: Border, first: i64, last: i64) -> Interval {
        let (edge, after) = (self.inputs.saturating_sub(1), self.after(before, border));
        let (low, high) = (first.saturating_add(before), last.saturating_add(before).saturating_add(1));
        match border {
            Border::Clamped => Interval::new(
                if first <= 0 { 0 } else { low },
                if last >= edge { self.outputs } else { high },
            ),
            Border::Mirrored => {
                // The mirrored ones of 1..=before are 0..before, and the outermost input has the outermost output.
                let start =
                    if first.max(1) <= before { before.saturating_sub(last.min(before)) } else { low };
                let near = edge.saturating_sub(after);
                let end = if last.min(edge - 1) >= near {
                    let mirrored = edge.saturating_mul(2).saturating_sub(first.max(near));
                    mirrored.saturating_add(before).saturating_add(1)
                } else {
                    high
                };
                Interval::new(start.min(low), end.max(high))
            }
            Border::Wrapped => {
                let step = before.saturating_add(after);
                let start = if first < after { first } else { first.saturating_add(step) };
                let reach =
                    if last >= self.inputs.saturating_sub(before) { step.saturating_mul(2) } else { step };
                Interval::new(start, last.saturating_add(reach).saturating_add(1))
            }
        }
    }
}

impl Instruction for Adjoint {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let need = self.axes[axis.index()].outputs_of(out);
        vec![Read { masked: true, ..Read::new(self.src, need) }]
    }
}
