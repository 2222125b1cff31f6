//! Invariant 13: padding, zero-out and overlap say truly what readers find outside the extent and what neighbours share.

use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::cover::reads;
use super::wiring::{Wire, Wiring};
use super::{Section, Sections, SectionsFound};
use crate::ir::Tiling;
use crate::ops::Outside;

/// Padding that is not what it should be. Fours are top, left, bottom, right.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PaddingError {
    /// Padding that was decided in part.
    #[error("`{0}` has one of `padding` and `padded`, and not the other")]
    Half(String),
    /// Extent and padding do not add up.
    #[error("`{tensor}` with its padding is {found:?}, and {expected:?} was to be expected")]
    Padded {
        /// The tensor.
        tensor: String,
        /// Extent and padding.
        expected: [u64; 2],
        /// There.
        found: [u64; 2],
    },
    /// Zeros that nobody writes.
    #[error("readers of `{tensor}` find zeros in a border of {needed:?}, and it zeroes {found:?}")]
    ZeroOut {
        /// The tensor.
        tensor: String,
        /// What readers need.
        needed: [u64; 4],
        /// What is reset.
        found: [u64; 4],
    },
    /// A reset to something else.
    #[error("`{tensor}` is reset to {value:?}, and readers want zeros")]
    Value {
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
    },
    /// A border beyond the padding.
    #[error("`{tensor}` is padded by {padding:?}, less than the border of {border:?} that is reset")]
    Border {
        /// The tensor.
        tensor: String,
        /// The padding.
        padding: [u64; 4],
        /// The border.
        border: [u64; 4],
    },
    /// Another overlap.
    #[error("neighbouring tiles of `{tensor}` share {expected:?}, not {found:?}")]
    Overlap {
        /// The tensor.
        tensor: String,
        /// By the step tables.
        expected: [u64; 2],
        /// There.
        found: [u64; 2],
    },
}

pub(super) fn check(
    section: &Section,
    wiring: &Wiring,
    found: &mut SectionsFound,
    ir: &Sections,
    index: usize,
) {
    for wire in &wiring.tensors {
        let Some(tiling) = section.tensors.get(&wire.value) else { continue };
        let name = &ir.graph.values[wire.value].name;
        if let Err(error) = check_padding(name, wiring, wire, tiling) {
            found.push(Some(index), error);
        }
        let expected = AxisId::BOTH.map(|axis| shared(tiling, axis));
        if let Some(overlap) = tiling.overlap.filter(|o| *o != expected) {
            let tensor = name.clone();
            found.push(Some(index), PaddingError::Overlap { tensor, expected, found: overlap });
        }
    }
}

fn check_padding(name: &str, wiring: &Wiring, wire: &Wire, tiling: &Tiling) -> Result<(), PaddingError> {
    let tensor = || name.to_owned();
    let (padding, padded) = match (tiling.padding, tiling.padded) {
        (None, None) if tiling.zero_out.is_none() => return Ok(()),
        (Some(padding), Some(padded)) => (padding, padded),
        _ => return Err(PaddingError::Half(tensor())),
    };
    let sum = |i: usize| {
        let sum = u128::from(tiling.extent[i]) + u128::from(padding[i]) + u128::from(padding[i + 2]);
        u64::try_from(sum).unwrap_or(u64::MAX)
    };
    let expected = [sum(0), sum(1)];
    if padded != expected {
        return Err(PaddingError::Padded { tensor: tensor(), expected, found: padded });
    }
    let needed = zeros(wiring, wire);
    let border = tiling.zero_out.as_ref().map_or([0; 4], |z| z.border);
    if (0..4).any(|side| needed[side] > border[side]) {
        return Err(PaddingError::ZeroOut { tensor: tensor(), needed, found: border });
    }
    if (0..4).any(|side| border[side] > padding[side]) {
        return Err(PaddingError::Border { tensor: tensor(), padding, border });
    }
    match tiling.zero_out.as_ref().map(|z| z.value) {
        Some(value) if value.to_bits() != 0 => Err(PaddingError::Value { tensor: tensor(), value }),
        _ => Ok(()),
    }
}

/// How far outside the extent readers look for zeros, given that they compute nothing outside their own.
fn zeros(wiring: &Wiring, wire: &Wire) -> [u64; 4] {
    let mut border = [0u64; 4];
    // The windows were enumerated step by step before.
    let mut unlimited = u64::MAX;
    for read in wire.reads.iter().filter(|r| r.outside == Outside::Zero) {
        let Some(output) = wiring.get(read.output) else { continue };
        for axis in AxisId::BOTH.map(AxisId::index) {
            let whole = |wire: &Wire| Interval::new(0, wire.sizes[2 + axis] as i64);
            let need = reads(read.maps[axis], whole(output), whole(wire), &mut unlimited);
            let need = need.unwrap_or_default();
            let beyond = [0i64.saturating_sub(need.start), need.end.saturating_sub(whole(wire).end)];
            for (side, pixels) in [axis, axis + 2].into_iter().zip(beyond) {
                border[side] = border[side].max(pixels.max(0) as u64);
            }
        }
    }
    border
}

/// The most that neighbouring tiles have in common.
fn shared(tiling: &Tiling, axis: AxisId) -> u64 {
    let steps = &tiling.steps[axis.index()].computed;
    let pair = |i: u64| steps.get(i - 1).intersect(steps.get(i)).len() as u64;
    (1..steps.len()).map(pair).max().unwrap_or(0)
}
