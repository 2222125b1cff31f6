//! Gradients that gather: transposes of what is linear along rows and columns, and of maxima over windows.

use serde::Deserialize;
use zellige_runtime::program::instr;

use super::resample::{Filter, Position, UpsampleAttrs, position};
use super::{Definition, Meaning, Operation, Window, pool};
use crate::base::first_of;

/// The transpose of a linear map along each axis, in the canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Adjoint([LinearMap; 2]);

/// A map from `inputs` pixels: which of them an output is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct LinearMap {
    inputs: i64,
    taps: Taps,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Taps {
    Resized {
        filter: Filter,
        at: Position,
    },
    Averaged {
        kernel: i64,
        stride: i64,
        pad: i64,
        margin: [i64; 2],
    },
    Mirrored {
        before: i64,
        after: i64,
    },
    Clamped {
        before: i64,
        after: i64,
    },
    /// Of outputs that are continued circularly, by `after` in front and by `before` behind.
    Wrapped {
        before: i64,
        after: i64,
    },
}

/// Farther than any image reaches.
const FARTHEST: i64 = 1 << 40;

impl Adjoint {
    /// `None` if no graph has such a map.
    pub(in super::super) fn of_instr(axes: [instr::LinearMap; 2]) -> Option<Self> {
        let map = |map: instr::LinearMap| {
            let taps = match map.taps {
                instr::Taps::Resized { at, filter } => {
                    Taps::Resized { filter: Filter::of_instr(filter), at: Position::of_instr(at)? }
                }
                instr::Taps::Averaged { kernel, stride, pad, margin } => {
                    Taps::Averaged { kernel: kernel.into(), stride: stride.into(), pad, margin }
                }
                instr::Taps::Padded { before, border } => {
                    let padding = map.outputs.checked_sub(map.inputs)?;
                    match border {
                        instr::Border::Mirrored => {
                            Taps::Mirrored { before, after: padding.checked_sub(before)? }
                        }
                        instr::Border::Clamped => {
                            Taps::Clamped { before, after: padding.checked_sub(before)? }
                        }
                        instr::Border::Wrapped => {
                            Taps::Wrapped { before, after: (padding / 2).checked_sub(before)? }
                        }
                    }
                }
            };
            LinearMap { inputs: map.inputs, taps }.bounded()
        };
        Some(Self([map(axes[0])?, map(axes[1])?]))
    }

    pub(super) fn sources(&self, axis: usize, i: i64, size: i64, found: &mut Vec<i64>) {
        self.0[axis].sources(i, size, found);
    }

    /// Most outputs that have a tap at one input.
    pub(super) fn width(&self, axis: usize, size: i64) -> i64 {
        match self.0[axis].taps {
            Taps::Resized { at: Position { num: 0, .. }, .. } => size,
            Taps::Resized { at, .. } => (4 * (at.den / at.num + 1) + 1).min(size),
            Taps::Averaged { kernel, .. } => kernel,
            Taps::Mirrored { .. } | Taps::Wrapped { .. } => 3,
            Taps::Clamped { before, after } => before + after + 1,
        }
    }
}

impl LinearMap {
    /// Itself, if it is one.
    fn bounded(self) -> Option<Self> {
        let near = |v: i64| (0..=FARTHEST).contains(&v);
        let fits = match self.taps {
            Taps::Resized { .. } => true,
            Taps::Averaged { kernel, stride, pad, margin } => {
                kernel > 0 && stride > 0 && [pad, margin[0], margin[1]].into_iter().all(near)
            }
            Taps::Mirrored { before, after }
            | Taps::Clamped { before, after }
            | Taps::Wrapped { before, after } => near(before) && near(after),
        };
        (fits && self.inputs > 0 && near(self.inputs)).then_some(self)
    }

    /// Adds the outputs, of `size`, that have a tap at input `i`.
    fn sources(&self, i: i64, size: i64, found: &mut Vec<i64>) {
        let edge = self.inputs - 1;
        match self.taps {
            Taps::Resized { filter, at } => {
                // Outputs lie in order, and so do their taps.
                let tap = |o: i64, k: i64| at.before(o).saturating_add(k).clamp(0, edge);
                let taps = filter.taps();
                let begin = first_of(size, |o| tap(o, taps.end - 1) >= i);
                let end = first_of(size, |o| tap(o, taps.start) > i);
                found.extend((begin..end).filter(|&o| taps.clone().any(|k| tap(o, k) == i)));
            }
            Taps::Averaged { kernel, stride, pad, .. } => {
                let reached = (0..kernel).map(|k| i + pad - k);
                found.extend(reached.filter(|at| at.rem_euclid(stride) == 0).map(|at| at.div_euclid(stride)));
            }
            Taps::Mirrored { before, after } => {
                found.push(i + before);
                if 1 <= i && i <= before {
                    found.push(before - i);
                }
                if edge - after <= i && i < edge {
                    found.push(before + edge + (edge - i));
                }
            }
            Taps::Clamped { before, after } => {
                let first = if i == 0 { 0 } else { i + before };
                let last = if i == edge { before + edge + after } else { i + before };
                found.extend(first..=last);
            }
            Taps::Wrapped { before, after } => {
                found.push(i + before + after);
                if i < after {
                    found.push(i);
                }
                if i > edge - before {
                    found.push(i + 2 * (before + after));
                }
            }
        }
    }
}

/// The gradient of maxima over windows: of `x` and of the gradient of the maxima.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct MaxPoolDx {
    pub(in super::super) window: Window,
}

impl MaxPoolDx {
    pub(super) fn sources(&self, operand: usize, axis: usize, i: i64, found: &mut Vec<i64>) {
        if operand == 1 {
            return self.window.transposed_sources(axis, i, found);
        }
        // What shares a window with the pixel.
        let reach = self.window.kernel[axis] - 1;
        found.extend((-reach..=reach).map(|k| i + k * self.window.dilation[axis]));
    }

    pub(super) fn width(&self, axis: usize) -> i64 {
        2 * self.window.kernel[axis] - 1
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaxPoolAttrs {
    forward: pool::Attrs,
}

pub(super) fn max_pool2d_dx(op: &Operation<'_>) -> Option<Definition> {
    let MaxPoolAttrs { forward } = op.attrs()?;
    Some(Definition::Apply(Meaning::MaxPoolDx(MaxPoolDx { window: forward.window()? })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the size of the result, which is compared itself")]
struct AvgPoolAttrs {
    forward: pool::Attrs,
    size: [u64; 3],
}

pub(super) fn avg_pool2d_dx(op: &Operation<'_>) -> Option<Definition> {
    let AvgPoolAttrs { forward, .. } = op.attrs()?;
    let (window, margin) = (forward.window()?, forward.margin()?);
    defined(op, |axis| {
        (window.dilation[axis] == 1).then_some(Taps::Averaged {
            kernel: window.kernel[axis],
            stride: window.stride[axis],
            pad: window.pad[axis],
            margin: [margin[axis], margin[2 + axis]],
        })
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the size of the result, which is compared itself")]
struct ResampleAttrs {
    forward: UpsampleAttrs,
    size: [u64; 3],
}

pub(super) fn upsample_dx(op: &Operation<'_>) -> Option<Definition> {
    let ResampleAttrs { forward, .. } = op.attrs()?;
    let dy = op.inputs.first()?;
    defined(op, |axis| {
        let at = position(&forward, axis, op.output[2 + axis], dy[2 + axis])?;
        Some(Taps::Resized { filter: forward.filter(), at })
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PadAttrs {
    pad: [i64; 4],
    mode: Mode,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Reflect,
    Replicate,
    Circular,
}

pub(super) fn pad_dx(op: &Operation<'_>) -> Option<Definition> {
    let PadAttrs { pad, mode } = op.attrs()?;
    defined(op, |axis| {
        let (before, after) = (pad[axis], pad[2 + axis]);
        Some(match mode {
            Mode::Reflect => Taps::Mirrored { before, after },
            Mode::Replicate => Taps::Clamped { before, after },
            Mode::Circular => Taps::Wrapped { before, after },
        })
    })
}

/// A transpose whose result, which the map takes, is the op's.
fn defined(op: &Operation<'_>, taps: impl Fn(usize) -> Option<Taps>) -> Option<Definition> {
    let map = |axis: usize| {
        LinearMap { inputs: i64::try_from(op.output[2 + axis]).ok()?, taps: taps(axis)? }.bounded()
    };
    Some(Definition::Apply(Meaning::Adjoint(Adjoint([map(0)?, map(1)?]))))
}
