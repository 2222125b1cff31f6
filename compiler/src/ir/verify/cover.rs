//! Invariant 11: a tile holds all that its readers read of it, by enumeration of the access relations.

use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::steps::held;
use super::wiring::{Wire, WireRead, Wiring};
use super::{Section, Sections, SectionsFound};
use crate::base::{AxisMap, first_of};
use crate::ops::Outside;

/// A tile that holds too little. Steps are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoverError {
    /// A read past the end of a tile.
    #[error("`{reader}` reads {need} of `{tensor}` in step {step} of {axis}, whose tile covers {computed}")]
    Uncovered {
        /// What is computed.
        reader: String,
        /// What is read.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What is needed.
        need: Interval,
        /// What is there.
        computed: Interval,
    },
    /// Tables or windows that would take minutes to go through.
    #[error("its windows and step tables are too large to be checked")]
    TooLarge,
}

/// Most taps that are enumerated for a section.
const MOST_TAPS: u64 = 1 << 28;

pub(super) fn check(
    section: &Section,
    wiring: &Wiring,
    found: &mut SectionsFound,
    ir: &Sections,
    index: usize,
) {
    let mut budget = MOST_TAPS;
    for wire in &wiring.tensors {
        for read in &wire.reads {
            for axis in AxisId::BOTH {
                let mut cover = Cover { section, wiring, wire, read, axis, budget: &mut budget };
                match cover.check() {
                    Ok(()) => {}
                    Err(Gap::TooLarge) => return found.push(Some(index), CoverError::TooLarge),
                    Err(Gap::Uncovered { step, need, computed }) => {
                        let name = |value| ir.graph.values[value].name.clone();
                        let (reader, tensor) = (name(read.output), name(wire.value));
                        let error = CoverError::Uncovered { reader, tensor, axis, step, need, computed };
                        found.push(Some(index), error);
                    }
                }
            }
        }
    }
}

enum Gap {
    Uncovered { step: u64, need: Interval, computed: Interval },
    TooLarge,
}

/// One read along one axis.
struct Cover<'a> {
    section: &'a Section,
    wiring: &'a Wiring,
    wire: &'a Wire,
    read: &'a WireRead,
    axis: AxisId,
    budget: &'a mut u64,
}

impl Cover<'_> {
    fn check(&mut self) -> Result<(), Gap> {
        let at = self.axis.index();
        let tables =
            self.section.tensors.get(&self.wire.value).zip(self.section.tensors.get(&self.read.output));
        let (Some((src, dst)), Some(output)) = (tables, self.wiring.get(self.read.output)) else {
            return Ok(());
        };
        let steps = &dst.steps[at];
        let dst = if self.read.for_owned { &steps.owned } else { &steps.computed };
        let whole = |wire: &Wire| Interval::new(0, wire.sizes[2 + at] as i64);
        for step in 0..dst.len() {
            let out = dst.get(step).intersect(whole(output));
            if out.is_empty() {
                continue;
            }
            let need = reads(self.read.maps[at], out, whole(self.wire), self.budget).ok_or(Gap::TooLarge)?;
            let need = match self.read.outside {
                Outside::Skipped => need.intersect(whole(self.wire)),
                Outside::Zero => need,
            };
            let computed = held(src, self.section.scheme(), self.axis, step);
            if !computed.contains(need) {
                return Err(Gap::Uncovered { step, need, computed });
            }
        }
        Ok(())
    }
}

/// The hull of what the outputs `out` read of an input. The relations rise with the output coordinate, apart from a
/// period in which some outputs read nothing: one period from either end of `out` is looked at, and the outputs at which a
/// relation turns back. `None` if the budget is used up.
pub(crate) fn reads(map: AxisMap, out: Interval, whole: Interval, budget: &mut u64) -> Option<Interval> {
    match map {
        AxisMap::All => return Some(whole),
        AxisMap::ResampledTransposed { .. } => return Some(readers(map, out, whole)),
        _ => {}
    }
    let (period, taps) = match map {
        AxisMap::Transposed { stride, kernel, .. } => (stride.max(1), kernel.max(1)),
        AxisMap::Window { kernel, .. } => (1, kernel.max(1)),
        AxisMap::Wrapped { .. } => (whole.len().max(1), 1),
        AxisMap::Resampled { taps, .. } => (1, taps.max(1)),
        AxisMap::MirroredTransposed { .. }
        | AxisMap::ClampedTransposed { .. }
        | AxisMap::WrappedTransposed { .. } => (1, 3),
        _ => (1, 1),
    };
    let turns = match map {
        AxisMap::Mirrored { by } => [whole.start, whole.end - 1].map(|i| i.saturating_sub(by)).to_vec(),
        AxisMap::MirroredTransposed { before, after, size } => vec![before, size - 1 - after],
        AxisMap::WrappedTransposed { before, after, size } => vec![after, after - 1, size - before],
        _ => Vec::new(),
    };
    let from_start = out.start..out.end.min(out.start.saturating_add(period));
    let to_end = out.start.max(out.end.saturating_sub(period))..out.end;
    *budget = budget.checked_sub(2 * (period as u64).saturating_mul(taps as u64).min(u64::MAX / 2))?;
    let mut hull = Interval::default();
    let turns = turns.into_iter().filter(|o| (out.start..out.end).contains(o));
    for o in from_start.chain(to_end).chain(turns) {
        for k in 0..taps {
            if let Some(i) = tap(map, o, k, whole) {
                hull = hull.hull(Interval::new(i, i.saturating_add(1)));
            }
        }
    }
    Some(hull)
}

/// The inputs, of `whole`, of which a tap is one of the outputs `out`: taps rise with the input. None of another relation.
fn readers(map: AxisMap, out: Interval, whole: Interval) -> Interval {
    let AxisMap::ResampledTransposed { num, offset, den, first, taps, size } = map else {
        return Interval::default();
    };
    let tap = |i: i64, k: i64| {
        let at = i128::from(i) * i128::from(num) + i128::from(offset);
        let tap = at.div_euclid(i128::from(den.max(1))) + i128::from(first) + i128::from(k);
        tap.clamp(0, i128::from(size) - 1)
    };
    let from = first_of(whole.end, |i| tap(i, taps - 1) >= i128::from(out.start));
    Interval::new(from, first_of(whole.end, |i| tap(i, 0) >= i128::from(out.end)))
}

/// The coordinate that tap `k` of output `o` reads of an input as large as `whole`, if there is one.
pub(super) fn tap(map: AxisMap, o: i64, k: i64, whole: Interval) -> Option<i64> {
    let last = i128::from(whole.end) - 1;
    let coordinate = match map {
        AxisMap::Identity => o.into(),
        AxisMap::Broadcast | AxisMap::All => 0,
        AxisMap::ResampledTransposed { .. } => return None,
        AxisMap::Shift { by } => i128::from(o) + i128::from(by),
        AxisMap::Mirrored { by } => match i128::from(o) + i128::from(by) {
            before if before < 0 => -before,
            after if after > last => 2 * last - after,
            inside => inside,
        },
        AxisMap::Clamped { by } => (i128::from(o) + i128::from(by)).clamp(0, last.max(0)),
        AxisMap::Wrapped { by } => (i128::from(o) + i128::from(by)).rem_euclid(last.max(0) + 1),
        AxisMap::Window { stride, dilation, pad, .. } => {
            i128::from(o) * i128::from(stride) - i128::from(pad) + i128::from(k) * i128::from(dilation)
        }
        AxisMap::Transposed { stride, dilation, pad, .. } => {
            let reached = i128::from(o) + i128::from(pad) - i128::from(k) * i128::from(dilation);
            let stride = i128::from(stride.max(1));
            if reached.rem_euclid(stride) != 0 {
                return None;
            }
            reached.div_euclid(stride)
        }
        AxisMap::Scaled { num, den } => (i128::from(o) * i128::from(num)).div_euclid(i128::from(den.max(1))),
        AxisMap::Resampled { num, offset, den, first, .. } => {
            let at = i128::from(o) * i128::from(num) + i128::from(offset);
            at.div_euclid(i128::from(den.max(1))) + i128::from(first) + i128::from(k)
        }
        AxisMap::MirroredTransposed { before, after, size } => {
            let (o, edge) = (i128::from(o), i128::from(size) - 1);
            let (before, after) = (i128::from(before), i128::from(after));
            match k {
                1 if 0 < o && o <= before => before - o,
                2 if edge - after <= o && o < edge => before + 2 * edge - o,
                _ => before + o,
            }
        }
        AxisMap::ClampedTransposed { before, after, size } => match k {
            1 if o == 0 => 0,
            2 if o == size - 1 => i128::from(before) + i128::from(size) - 1 + i128::from(after),
            _ => i128::from(o) + i128::from(before),
        },
        AxisMap::WrappedTransposed { before, after, size } => {
            let step = i128::from(before) + i128::from(after);
            match k {
                1 if o < after => o.into(),
                2 if o >= size - before => i128::from(o) + 2 * step,
                _ => i128::from(o) + step,
            }
        }
    };
    i64::try_from(coordinate).ok()
}
