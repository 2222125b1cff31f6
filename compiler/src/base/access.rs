//! Access relations: which input coordinates an output coordinate reads, along one axis, as data.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// For output coordinate `o` along an axis, the input coordinates that it reads.
///
/// The tiling passes turn it into intervals ([`crate::analysis::footprint`]); a checker can enumerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisMap {
    /// `{o}`
    Identity,
    /// `{0}`: an input of extent 1, repeated.
    Broadcast,
    /// `{o + by}`
    Shift {
        /// Offset.
        by: i64,
    },
    /// `{o + by}`, mirrored at the first or the last pixel where it lies outside: −1 is 1, and `extent` is `extent − 2`.
    Mirrored {
        /// Offset; less than the extent lies outside on either side.
        by: i64,
    },
    /// `{o + by}`, or the pixel of the extent nearest to it.
    Clamped {
        /// Offset.
        by: i64,
    },
    /// `{(o + by) mod extent}`
    Wrapped {
        /// Offset.
        by: i64,
    },
    /// `{o·stride − pad + k·dilation : 0 ≤ k < kernel}`
    Window {
        /// Taps.
        kernel: i64,
        /// Inputs between outputs.
        stride: i64,
        /// Inputs between taps.
        dilation: i64,
        /// Leading padding.
        pad: i64,
    },
    /// `{i : o = i·stride − pad + k·dilation, 0 ≤ k < kernel}`
    Transposed {
        /// Taps.
        kernel: i64,
        /// Outputs between inputs.
        stride: i64,
        /// Outputs between taps.
        dilation: i64,
        /// Leading outputs dropped.
        pad: i64,
    },
    /// `{⌊o·num/den⌋}`
    Scaled {
        /// Numerator.
        num: i64,
        /// Denominator.
        den: i64,
    },
    /// `{⌊(o·num + offset)/den⌋ + k : first ≤ k < first + taps}`, those outside the input moved to its border
    Resampled {
        /// Numerator of the inputs between outputs.
        num: i64,
        /// Numerator of where output 0 lies.
        offset: i64,
        /// Denominator of both.
        den: i64,
        /// First tap, counted from the input at or before the output.
        first: i64,
        /// Taps.
        taps: i64,
    },
    /// `{i : o is ⌊(i·num + offset)/den⌋ + k, moved to the border of 0..size where it is outside, first ≤ k < first + taps}`
    ResampledTransposed {
        /// Numerator of the outputs between inputs.
        num: i64,
        /// Numerator of where input 0 lies.
        offset: i64,
        /// Denominator of both.
        den: i64,
        /// First tap, counted from the output at or before the input.
        first: i64,
        /// Taps.
        taps: i64,
        /// The output's extent.
        size: i64,
    },
    /// `{i : o is i − before, mirrored at the first or the last of 0..size where it is outside}`
    MirroredTransposed {
        /// Inputs before the first output; less than `size`.
        before: i64,
        /// Inputs after the last output; likewise.
        after: i64,
        /// The output's extent.
        size: i64,
    },
    /// `{i : o is i − before, or the nearest of 0..size}`
    ClampedTransposed {
        /// Inputs before the first output.
        before: i64,
        /// Inputs after the last output.
        after: i64,
        /// The output's extent.
        size: i64,
    },
    /// `{o : o < after} ∪ {o + before + after} ∪ {o + 2·(before + after) : o ≥ size − before}`
    WrappedTransposed {
        /// Outputs at the end that have a second input.
        before: i64,
        /// Outputs at the start that have a second input.
        after: i64,
        /// The output's extent.
        size: i64,
    },
    /// Every coordinate of the input.
    All,
}

/// Widest window, largest stride and most inputs of an output that are counted among those of which tiles are added up.
const WIDEST: i64 = 1 << 10;

impl AxisMap {
    /// Which input coordinates an output coordinate reads, counted from itself, where those are the same for all.
    pub fn reach(self) -> Option<RangeInclusive<i64>> {
        match self {
            Self::Identity => Some(0..=0),
            Self::Shift { by } => Some(by..=by),
            Self::Window { kernel, stride: 1, dilation, pad } => Some(-pad..=(kernel - 1) * dilation - pad),
            Self::Transposed { kernel, stride: 1, dilation, pad } => {
                Some(pad - (kernel - 1) * dilation..=pad)
            }
            _ => None,
        }
    }

    /// Of a gradient's access to the gradient that it passes on: whether neighbouring tiles of either share pixels of the other in general,
    /// since windows are wider than their stride. Windows too wide for a bounded number of tiles to meet in a pixel do not count, nor
    /// does what reads pixels from elsewhere.
    pub fn overlaps(self, inputs: i64) -> bool {
        match self {
            Self::Window { kernel, stride, dilation, .. }
            | Self::Transposed { kernel, stride, dilation, .. } => {
                let width = (kernel - 1).saturating_mul(dilation).saturating_add(1);
                stride < width && width <= WIDEST
            }
            Self::ResampledTransposed { taps, size, .. } => taps > 1 && inputs / size.max(1) <= WIDEST / 4,
            _ => false,
        }
    }
}

/// The first of `0..count` for which a predicate holds that holds for all after it; `count` if there is none.
pub fn first_of(count: i64, holds: impl Fn(i64) -> bool) -> i64 {
    let (mut low, mut high) = (0, count.max(0));
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
