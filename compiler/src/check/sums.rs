//! Tensors that are added up in device memory: each element is the sum of exactly its contributions, once each.
//!
//! What a tile loads of the operand is its own part, and zeros elsewhere; the operation is a sum over the operand's elements; so a
//! tile gives, of the result, what its part contributes, and nothing where its part has no share. Along each axis therefore
//!
//! * every coordinate of the operand that is read is the part of one step, of one alone;
//! * for every coordinate of the result, and every coordinate of the operand that the operation names for it, the step whose part
//!   that is adds to the result there;
//! * no two steps of one colour add to the same coordinate, and each coordinate is added to by some step.
//!
//! A tile is a y-step and an x-step, its part the product of their parts, and what it adds to the product of theirs: what holds along
//! both axes holds for tiles. The first tile in the order of colours that adds to an element writes it, by the instruction's definition.

use zellige_runtime::program::instr::AxisId;
use zellige_runtime::program::{BufferId, Interval, Section, Steps};

use super::error::InstrError;
use super::meaning::Meaning;
use super::places::Stop;

/// Longest axis that is looked at.
const LONGEST: i64 = 1 << 24;

/// A sum over tiles.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    /// The instruction that adds.
    pub(super) instr: usize,
    /// The buffer whose owned parts are added.
    pub(super) added: BufferId,
    /// The buffer whose owned parts are the tiles' parts of the operand.
    pub(super) cut: BufferId,
    /// The operation, and which operand it is.
    pub(super) by: (Meaning, usize),
}

/// Proves it along both axes; the number of coordinates that were looked at.
pub(super) fn check(section: &Section, sum: &Sum, budget: &mut u64) -> Result<u64, Stop> {
    let mut looked = 0;
    for axis in [AxisId::Y, AxisId::X] {
        let along = Along::new(section, sum, axis);
        let coordinates = along.coordinates();
        *budget = budget.checked_sub(coordinates).filter(|_| along.is_short()).ok_or(Stop::TooLong)?;
        looked += coordinates;
        along.check().map_err(|error| Stop::At(sum.instr, error))?;
    }
    Ok(looked)
}

struct Along<'a> {
    sum: &'a Sum,
    axis: AxisId,
    colours: u64,
    parts: &'a Steps,
    adds: &'a Steps,
    /// Extents of operand and result.
    extents: [i64; 2],
}

impl<'a> Along<'a> {
    fn new(section: &'a Section, sum: &'a Sum, axis: AxisId) -> Self {
        let table = [&section.y, &section.x][axis.index()];
        let owned = |b: BufferId| &table.buffers[b.index()].owned;
        let extent = |b: BufferId| section.buffers[b.index()].extent[axis.index()] as i64;
        Self {
            sum,
            axis,
            colours: section.colours[axis.index()],
            parts: owned(sum.cut),
            adds: owned(sum.added),
            extents: [extent(sum.cut), extent(sum.added)],
        }
    }

    /// Whether there is memory for a list a coordinate.
    fn is_short(&self) -> bool {
        self.extents.iter().all(|extent| *extent <= LONGEST)
    }

    /// An upper bound of what there is to look at.
    fn coordinates(&self) -> u64 {
        let (meaning, _) = &self.sum.by;
        let width = meaning.width(self.axis.index(), self.extents[0]) as u64;
        let read = (self.extents[1] as u64).saturating_mul(width);
        [self.extents[0] as u64, self.extents[1] as u64, self.parts.pixels(), self.adds.pixels()]
            .into_iter()
            .fold(read, u64::saturating_add)
    }

    fn check(&self) -> Result<(), InstrError> {
        let (axis, (meaning, operand)) = (self.axis, &self.sum.by);
        let part_of = self.part_of()?;
        let added_by = self.added_by()?;
        let mut sources = Vec::new();
        for (output, steps) in (0..).zip(&added_by) {
            sources.clear();
            meaning.sources(*operand, axis.index(), output, self.extents[0], &mut sources);
            for &source_at in sources.iter().filter(|&&s| 0 <= s && s < self.extents[0]) {
                let Some(step) = part_of[source_at as usize] else {
                    return Err(InstrError::Hole { axis, buffer: self.sum.cut, coordinate: source_at });
                };
                if !steps.contains(&step) {
                    let buffer = self.sum.added;
                    return Err(InstrError::Missing { axis, step, output, source_at, buffer });
                }
            }
        }
        Ok(())
    }

    /// The step whose part each coordinate of the operand is.
    fn part_of(&self) -> Result<Vec<Option<u64>>, InstrError> {
        let mut part_of = vec![None; self.extents[0] as usize];
        for (step, owned) in (0..).zip(self.parts.iter()) {
            let twice = || InstrError::Twice { axis: self.axis, buffer: self.sum.cut, step, owned };
            for at in self.inside(owned, self.extents[0]).ok_or_else(twice)? {
                if part_of[at as usize].replace(step).is_some() {
                    return Err(twice());
                }
            }
        }
        Ok(part_of)
    }

    /// The steps that add to each coordinate of the result.
    fn added_by(&self) -> Result<Vec<Vec<u64>>, InstrError> {
        let (axis, buffer) = (self.axis, self.sum.added);
        let mut added_by: Vec<Vec<u64>> = vec![Vec::new(); self.extents[1] as usize];
        for (step, owned) in (0..).zip(self.adds.iter()) {
            let beyond = || InstrError::Twice { axis, buffer, step, owned };
            for at in self.inside(owned, self.extents[1]).ok_or_else(beyond)? {
                let steps = &mut added_by[at as usize];
                let is_same =
                    |other: &&u64| self.colours == 0 || *other % self.colours == step % self.colours;
                if let Some(&other) = steps.iter().find(is_same) {
                    return Err(InstrError::Colour { axis, buffer, step, other, coordinate: at });
                }
                steps.push(step);
            }
        }
        match added_by.iter().position(Vec::is_empty) {
            None => Ok(added_by),
            Some(at) => Err(InstrError::Hole { axis, buffer, coordinate: at as i64 }),
        }
    }

    /// The coordinates of an interval, if all are inside an extent.
    fn inside(&self, owned: Interval, extent: i64) -> Option<std::ops::Range<i64>> {
        let is_inside = owned.is_empty() || (0 <= owned.start && owned.end <= extent);
        is_inside.then_some(owned.start..owned.end)
    }
}
