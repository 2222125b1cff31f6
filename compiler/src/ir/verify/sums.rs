//! Invariant 12: where tiles are added up, the section is one op that is a sum, tiles of a colour add to nothing in common, and every
//! tile adds wherever its part of the anchor contributes, by enumeration of the access relations.

use zellige_runtime::program::instr::AxisId;
use zellige_runtime::program::{Interval, MAX_COLOURS, Steps};

use super::cover::tap;
use super::wiring::{WireRead, Wiring};
use super::{Section, Sections, SectionsFound};
use crate::base::AxisMap;
use crate::ir::{Gradient, Overlap};

/// A sum of tiles that is none, or not all of it. Steps are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
    /// Other ops.
    #[error(
        "`gradient: rmw` is for a section of one op whose tiles can be added up, and are read in a later section"
    )]
    Op,
    /// Rows are kept.
    #[error("tiles that are added up keep no rows: `overlap` is `recompute`")]
    Overlap,
    /// Colours where nothing is added up, or none where something is.
    #[error("it has {found:?} for colours")]
    Colours {
        /// What it says.
        found: Option<[u64; 2]>,
    },
    /// Two steps of a colour that add to the same.
    #[error("steps {other} and {step} of {axis}, of one of {colours} colours, both add to {shared}")]
    Colour {
        /// y or x.
        axis: AxisId,
        /// A step.
        step: u64,
        /// A step before it.
        other: u64,
        /// Colours along the axis.
        colours: u64,
        /// What both add to.
        shared: Interval,
    },
    /// Windows that would take minutes to go through.
    #[error("its windows are too large to be checked")]
    TooLarge,
    /// A contribution that is left out.
    #[error(
        "step {step} of {axis} has {input} of the anchor, which contributes to {output}, and adds nothing there"
    )]
    Missing {
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// Coordinate of the anchor.
        input: i64,
        /// Coordinate of the sum.
        output: i64,
    },
}

/// Most taps that are enumerated for a section.
const MOST_TAPS: u64 = 1 << 28;

pub(super) fn check(
    section: &Section,
    wiring: &Wiring,
    found: &mut SectionsFound,
    _: &Sections,
    index: usize,
) {
    if let Err(error) = check_section(section, wiring) {
        found.push(Some(index), error);
    }
}

fn check_section(section: &Section, wiring: &Wiring) -> Result<(), SumError> {
    let colours = |found| Err(SumError::Colours { found });
    if section.gradient == Gradient::Halo {
        return if section.colours.is_some() { colours(section.colours) } else { Ok(()) };
    }
    let Some(sum) = wiring.tensors.iter().find(|w| w.added_up) else { return Err(SumError::Op) };
    if section.overlap == Some(Overlap::Reuse) {
        return Err(SumError::Overlap);
    }
    if section.tensors.is_empty() {
        return if section.colours.is_some() { colours(section.colours) } else { Ok(()) };
    }
    let Some(counts) = section.colours.filter(|c| c.iter().all(|c| (1..=MAX_COLOURS).contains(c))) else {
        return colours(section.colours);
    };
    let Some(anchor) = wiring.tensors.iter().find(|w| w.parted) else { return Err(SumError::Op) };
    let read = anchor.reads.first().ok_or(SumError::Op)?;
    for axis in AxisId::BOTH {
        let owned = |value| section.tensors.get(&value).map(|t| &t.steps[axis.index()].owned);
        let (Some(parts), Some(adds)) = (owned(anchor.value), owned(sum.value)) else { return Ok(()) };
        let [inputs, outputs] = [anchor, sum].map(|w| w.sizes[2 + axis.index()] as i64);
        check_colours(adds, counts[axis.index()], axis)?;
        check_contributions(read, axis, [(parts, inputs), (adds, outputs)])?;
    }
    Ok(())
}

/// Starts and ends ascend (`steps` has shown it), so that the step a turn before is the one that reaches farthest.
fn check_colours(adds: &Steps, colours: u64, axis: AxisId) -> Result<(), SumError> {
    for step in colours..adds.len() {
        let other = step - colours;
        let shared = adds.get(other).intersect(adds.get(step));
        if !shared.is_empty() {
            return Err(SumError::Colour { axis, step, other, colours, shared });
        }
    }
    Ok(())
}

/// Every coordinate of the sum, with all that it reads.
fn check_contributions(
    read: &WireRead,
    axis: AxisId,
    [(parts, inputs), (adds, outputs)]: [(&Steps, i64); 2],
) -> Result<(), SumError> {
    let (map, whole) = (read.maps[axis.index()], Interval::new(0, inputs));
    if (outputs as u64).saturating_mul(taps(map) as u64) > MOST_TAPS {
        return Err(SumError::TooLarge);
    }
    let parts: Vec<Interval> = parts.iter().collect();
    for output in 0..outputs {
        for input in reads(map, output, whole) {
            let step = parts.partition_point(|part| part.end <= input) as u64;
            let added = adds.get(step);
            if !(added.start <= output && output < added.end) {
                return Err(SumError::Missing { axis, step, input, output });
            }
        }
    }
    Ok(())
}

/// The inputs, inside the extent, that an output reads, or those at the ends where what lies between is read too.
fn reads(map: AxisMap, output: i64, whole: Interval) -> Vec<i64> {
    let inside = |i: &i64| whole.start <= *i && *i < whole.end;
    match map {
        AxisMap::ResampledTransposed { .. } => {
            let one = Interval::new(output, output.saturating_add(1));
            let read = super::cover::reads(map, one, whole, &mut { MOST_TAPS }).unwrap_or_default();
            if read.is_empty() { Vec::new() } else { vec![read.start, read.end - 1] }
        }
        _ => (0..taps(map)).filter_map(|k| tap(map, output, k, whole)).filter(inside).collect(),
    }
}

/// Inputs that an output names, at most.
fn taps(map: AxisMap) -> i64 {
    match map {
        AxisMap::Window { kernel, .. } | AxisMap::Transposed { kernel, .. } => kernel.max(1),
        _ => 1,
    }
}
