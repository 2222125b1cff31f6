//! Invariant 10: step tables have one entry a step, tiles have one size (or, where rows are reused, follow each other without a
//! gap), and what leaves the section is owned exactly once.

use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::wiring::{Wire, Wiring};
use super::{Section, Sections, SectionsFound};
use crate::ir::{Overlap, Padding, Scheme, Storage, Tiling};

/// A step table that is wrong. Steps are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepsError {
    /// A target tile of nothing, or beyond all bounds.
    #[error("a target tile of {0:?} is not between 1 and the largest extent")]
    Target([u64; 2]),
    /// More steps than anybody wants to look at.
    #[error("{steps} steps of {axis} for {tensors} tensors are too many")]
    TooMany {
        /// y or x.
        axis: AxisId,
        /// Steps.
        steps: u64,
        /// Tensors of the section.
        tensors: usize,
    },
    /// Another number of steps than the anchor has tiles.
    #[error("the grid has {found} steps of {axis}, and the anchor {expected} tiles")]
    Grid {
        /// y or x.
        axis: AxisId,
        /// Tiles of the anchor.
        expected: u64,
        /// Steps of the grid.
        found: u64,
    },
    /// A table that is not one interval a step.
    #[error("`{tensor}`: {found} {table} intervals of {axis} for {expected} steps")]
    Length {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// Computed or owned.
        table: &'static str,
        /// Steps.
        expected: u64,
        /// Intervals.
        found: u64,
    },
    /// Rows that do not follow those of the step before, where rows are reused.
    #[error("`{tensor}`, step {step} of y: adds {computed} to the rows above {frontier}")]
    Gap {
        /// The tensor.
        tensor: String,
        /// The step.
        step: u64,
        /// What the table says.
        computed: Interval,
        /// End of the step before.
        frontier: i64,
    },
    /// A tile of another size, or out of all bounds.
    #[error("`{tensor}`, step {step} of {axis}: covers {computed}, and tiles are {expected} long")]
    Size {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        computed: Interval,
        /// Size of a tile.
        expected: u64,
    },
    /// The first tile lies elsewhere.
    #[error("`{tensor}`: the first tile of {axis} is at {found}, and its origin {expected}")]
    Origin {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// The origin.
        expected: i64,
        /// Start of the first tile.
        found: i64,
    },
    /// An owned interval that the tile does not hold.
    #[error(
        "`{tensor}`, step {step} of {axis}: owns {owned}, outside what it covers of the extent ({valid})"
    )]
    NotComputed {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// The covered part of the extent.
        valid: Interval,
    },
    /// A gap, an overlap, or a rest that nobody owns.
    #[error(
        "`{tensor}`, step {step} of {axis}: owns {owned}, and steps before it own everything below {frontier}"
    )]
    Partition {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// End of what is owned before.
        frontier: i64,
    },
    /// What is added up does not ascend.
    #[error(
        "`{tensor}`, step {step} of {axis}: adds to {owned}, and the step before to {before}; they must ascend"
    )]
    Descending {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// What it says of the step before.
        before: Interval,
    },
    /// The last rows or columns.
    #[error("`{tensor}`: the steps of {axis} own everything below {frontier} of {extent}")]
    Incomplete {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// End of what is owned.
        frontier: i64,
        /// The extent.
        extent: u64,
    },
    /// A grain that two tiles share.
    #[error("`{tensor}`, step {step} of {axis}: {owned} does not end between grains of {grain}")]
    Grain {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// Rows or columns of a grain.
        grain: i64,
    },
    /// The anchor is not cut by the target tile.
    #[error("the anchor `{tensor}`, step {step} of {axis}: owns {owned}, and the target tile is {expected}")]
    Anchor {
        /// The tensor.
        tensor: String,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// By the target tile.
        expected: Interval,
    },
}

/// Most steps times tensors of a section along an axis.
const MOST_STEPS: u64 = 1 << 24;
/// Largest magnitude of a coordinate.
const MAX_COORDINATE: i64 = 1 << 40;

pub(super) fn check(
    section: &Section,
    wiring: &Wiring,
    found: &mut SectionsFound,
    ir: &Sections,
    index: usize,
) {
    let Some(tile) = section.tile else { return };
    let before = found.list.len();
    if tile.iter().any(|t| !(1..=super::MAX_EXTENT).contains(t)) {
        found.push(Some(index), StepsError::Target(tile));
        return;
    }
    for axis in AxisId::BOTH {
        check_grid(section, wiring, axis, tile[axis.index()], index, found);
    }
    if found.list.len() > before || section.tensors.is_empty() {
        return;
    }
    for (wire, tiling) in wiring.tensors.iter().zip(section.tensors.values()) {
        let name = &ir.graph.values[wire.value].name;
        for axis in AxisId::BOTH {
            let steps = section.grid.map_or(0, |g| g[axis.index()]);
            let scheme = section.scheme();
            let table = Table { tensor: name, wire, tiling, axis, steps, tile: tile[axis.index()], scheme };
            if let Err(error) = table.check() {
                found.push(Some(index), error);
            }
        }
    }
}

/// Number of steps: as many as the anchor has tiles, and not too many to be enumerated.
fn check_grid(
    section: &Section,
    wiring: &Wiring,
    axis: AxisId,
    tile: u64,
    index: usize,
    found: &mut SectionsFound,
) {
    let marked = |w: &&Wire| section.tensors.get(&w.value).is_some_and(|t| t.anchor);
    // Before there are tilings, any tensor that leaves may become the anchor.
    let candidates =
        wiring.tensors.iter().filter(|w| if section.tensors.is_empty() { w.leaves() } else { marked(w) });
    let expected = candidates.map(|w| w.sizes[2 + axis.index()].div_ceil(tile)).max().unwrap_or(1);
    let tensors = wiring.tensors.len();
    if expected.saturating_mul(tensors as u64) > MOST_STEPS {
        found.push(Some(index), StepsError::TooMany { axis, steps: expected, tensors });
    }
    if let Some(steps) = section.grid.map(|g| g[axis.index()]).filter(|s| *s != expected) {
        found.push(Some(index), StepsError::Grid { axis, expected, found: steps });
    }
}

/// Whether steps of an axis add rows to those before.
fn is_strip(scheme: Scheme, axis: AxisId) -> bool {
    scheme.overlap == Overlap::Reuse && axis == AxisId::Y
}

/// What a tensor's buffer holds in a step: the tile, or the last rows of a ring. Until storage is decided all are taken for rings
/// where rows are reused.
pub(super) fn held(tiling: &Tiling, scheme: Scheme, axis: AxisId, step: u64) -> Interval {
    let table = &tiling.steps[axis.index()].computed;
    let computed = table.get(step);
    if !is_strip(scheme, axis) || tiling.storage.is_some_and(|s| s != Storage::Ring) {
        return computed;
    }
    let room = i64::try_from(tiling.tile[axis.index()]).unwrap_or(i64::MAX);
    Interval::new(computed.end.saturating_sub(room).max(table.get(0).start), computed.end)
}

/// The step table of one tensor along one axis.
struct Table<'a> {
    tensor: &'a str,
    wire: &'a Wire,
    tiling: &'a Tiling,
    axis: AxisId,
    steps: u64,
    /// The section's target tile along the axis.
    tile: u64,
    scheme: Scheme,
}

impl Table<'_> {
    fn check(&self) -> Result<(), StepsError> {
        let (axis, table) = (self.axis, &self.tiling.steps[self.axis.index()]);
        let owned = if self.wire.leaves() { self.steps } else { 0 };
        let lengths = [("computed", table.computed.len(), self.steps), ("owned", table.owned.len(), owned)];
        if let Some((name, found, expected)) =
            lengths.into_iter().find(|(_, found, expected)| found != expected)
        {
            return Err(StepsError::Length {
                tensor: self.tensor.to_owned(),
                axis,
                table: name,
                expected,
                found,
            });
        }
        let (origin, first) = (self.tiling.origin[axis.index()], table.computed.get(0).start);
        if origin != first {
            let tensor = self.tensor.to_owned();
            return Err(StepsError::Origin { tensor, axis, expected: origin, found: first });
        }
        (0..self.steps).try_for_each(|step| self.check_size(step))?;
        if self.wire.leaves() { self.check_owned() } else { Ok(()) }
    }

    fn check_size(&self, step: u64) -> Result<(), StepsError> {
        let (axis, expected) = (self.axis, self.tiling.tile[self.axis.index()]);
        let computed = self.tiling.steps[axis.index()].computed.get(step);
        let bounds = Interval::new(-MAX_COORDINATE, MAX_COORDINATE);
        let strip = is_strip(self.scheme, axis);
        let frontier = step.checked_sub(1).map(|s| self.tiling.steps[axis.index()].computed.get(s).end);
        if let Some(frontier) = frontier.filter(|f| strip && *f != computed.start) {
            return Err(StepsError::Gap { tensor: self.tensor.to_owned(), step, computed, frontier });
        }
        let sane = bounds.contains(computed) && (computed.start < computed.end || strip);
        let fits = if strip || self.scheme.padding == Padding::Pre {
            computed.len() as u64 <= expected
        } else {
            computed.len() as u64 == expected
        };
        if sane && fits {
            return Ok(());
        }
        Err(StepsError::Size { tensor: self.tensor.to_owned(), axis, step, computed, expected })
    }

    fn check_owned(&self) -> Result<(), StepsError> {
        let (axis, tensor) = (self.axis, || self.tensor.to_owned());
        let extent = self.wire.sizes[2 + axis.index()];
        let whole = Interval::new(0, extent as i64);
        let table = &self.tiling.steps[axis.index()];
        let mut frontier = 0;
        for step in 0..self.steps {
            let owned = table.owned.get(step);
            let valid = held(self.tiling, self.scheme, axis, step).intersect(whole);
            if !valid.contains(owned) {
                return Err(StepsError::NotComputed { tensor: tensor(), axis, step, owned, valid });
            }
            if self.tiling.anchor {
                self.check_anchor(step, owned, whole)?;
            }
            if self.wire.added_up {
                self.check_ascending(step, owned)?;
            }
            if owned.is_empty() {
                continue;
            }
            let overlaps = owned.start < frontier && !self.wire.added_up;
            if overlaps || owned.start > frontier {
                return Err(StepsError::Partition { tensor: tensor(), axis, step, owned, frontier });
            }
            frontier = owned.end.max(frontier);
            let grain = self.wire.grain[axis.index()];
            if frontier % grain != 0 && frontier != whole.end {
                return Err(StepsError::Grain { tensor: tensor(), axis, step, owned, grain });
            }
        }
        if frontier == whole.end {
            return Ok(());
        }
        Err(StepsError::Incomplete { tensor: tensor(), axis, frontier, extent })
    }

    /// What is added up overlaps, but starts and ends ascend.
    fn check_ascending(&self, step: u64, owned: Interval) -> Result<(), StepsError> {
        let axis = self.axis;
        let before = step.checked_sub(1).map(|s| self.tiling.steps[axis.index()].owned.get(s));
        match before.filter(|b| owned.start < b.start || owned.end < b.end) {
            Some(before) => {
                Err(StepsError::Descending { tensor: self.tensor.to_owned(), axis, step, owned, before })
            }
            None => Ok(()),
        }
    }

    /// The anchor is cut by the target tile; where it is summed, its cuts lie between grains.
    fn check_anchor(&self, step: u64, owned: Interval, whole: Interval) -> Result<(), StepsError> {
        let tile = self.tile.min(whole.end as u64) as i64;
        let grain = self.wire.grain[self.axis.index()];
        let cut = |i: i64| {
            let cut = (i * tile).min(whole.end);
            if cut < whole.end { cut.div_euclid(grain) * grain } else { cut }
        };
        let expected = Interval::new(cut(step as i64), cut(step as i64 + 1));
        if owned == expected || (owned.is_empty() && expected.is_empty()) {
            return Ok(());
        }
        Err(StepsError::Anchor { tensor: self.tensor.to_owned(), axis: self.axis, step, owned, expected })
    }
}
