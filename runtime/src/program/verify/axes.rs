//! Step tables: every buffer covers what is read of it, at every step of each axis.

use super::MAX_COORDINATE;
use super::instr::{Rule, rule};
use crate::program::instr::{AxisId, Read};
use crate::program::{Axis, Buffer, BufferId, Interval, Section};

/// What is wrong along one axis. Steps and instructions are counted from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AxisError {
    /// No steps, or more than there are pixels.
    #[error("{steps} steps of {axis}, not between 1 and the largest extent, {largest}")]
    Steps {
        /// y or x.
        axis: AxisId,
        /// Number of steps.
        steps: u64,
        /// Largest extent of the section's tensors.
        largest: u64,
    },
    /// More steps than can be looked at.
    #[error("the step tables are too long to be verified")]
    TooLong,
    /// A table that is not one interval a step.
    #[error("{buffer}: {found} {table} intervals of {axis} for {steps} steps")]
    Length {
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// Computed or owned.
        table: &'static str,
        /// Steps of the axis.
        steps: u64,
        /// Intervals of the table.
        found: u64,
    },
    /// A computed interval that is longer than the buffer.
    #[error("{buffer}, step {step} of {axis}: computes {computed}, and there is room for {room}")]
    Size {
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        computed: Interval,
        /// Rows or columns of the buffer.
        room: u64,
    },
    /// Rows of a ring that do not follow those of the step before.
    #[error("{buffer}, step {step} of y: computes {computed} of a ring that was computed up to {frontier}")]
    Gap {
        /// The ring.
        buffer: BufferId,
        /// The step.
        step: u64,
        /// What the table says.
        computed: Interval,
        /// End of what was computed in the step before.
        frontier: i64,
    },
    /// Coordinates beyond all images.
    #[error("{buffer}, step {step} of {axis}: {interval} is out of all bounds")]
    Coordinate {
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        interval: Interval,
    },
    /// An owned interval that is not there to be owned.
    #[error(
        "{buffer}, step {step} of {axis}: owns {owned}, outside the extent or of what it holds ({valid})"
    )]
    NotComputed {
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// The part of what is held inside the extent.
        valid: Interval,
    },
    /// Owned intervals that overlap, descend, or leave out what has to be stored.
    #[error(
        "{buffer}, step {step} of {axis}: owns {owned}, but steps before own everything below {frontier}"
    )]
    Partition {
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// End of the last owned interval before.
        frontier: i64,
    },
    /// Owned intervals that are added up and do not ascend.
    #[error("{buffer}, step {step} of {axis}: owns {owned}, and the step before {before}; they must ascend")]
    Descending {
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// What it says of the step before.
        before: Interval,
    },
    /// Two steps of one colour that would store the same at once.
    #[error("{buffer}, step {step} of {axis}: owns {owned}, and step {other}, of the same colour, {shared}")]
    Colour {
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the table says.
        owned: Interval,
        /// A step before it.
        other: u64,
        /// What that one owns.
        shared: Interval,
    },
    /// A last row or column that nobody owns.
    #[error("{buffer}: the steps of {axis} own everything below {frontier} of {extent}")]
    Incomplete {
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// End of the last owned interval.
        frontier: i64,
        /// Extent of its tensor.
        extent: u64,
    },
    /// A grain that two tiles would share.
    #[error(
        "instruction {instr}, step {step} of {axis}: {owned} of {buffer} does not end between grains of {grain}"
    )]
    Grain {
        /// The instruction.
        instr: usize,
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What is owned.
        owned: Interval,
        /// Length of a grain.
        grain: i64,
    },
    /// A read past the end of a buffer.
    #[error("instruction {instr}, step {step} of {axis}: reads {need} of {buffer}, which holds {held}")]
    Uncovered {
        /// The instruction.
        instr: usize,
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What is read.
        need: Interval,
        /// What there is.
        held: Interval,
    },
    /// A read of pixels outside the extent that do not hold what the instruction wants there.
    #[error(
        "instruction {instr}, step {step} of {axis}: reads {need} of {buffer}, whose tensor ends at {extent} {held}"
    )]
    Padding {
        /// The instruction.
        instr: usize,
        /// The buffer.
        buffer: BufferId,
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What is read.
        need: Interval,
        /// Extent of the tensor.
        extent: u64,
        /// What is outside, and what should be.
        held: Outside,
    },
}

/// What a buffer holds outside its tensor's extent, and what an instruction wants there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outside {
    /// What is there, if it is defined.
    pub held: Option<f32>,
    /// What should be there, if the instruction may read there at all.
    pub wanted: Option<f32>,
}

impl std::fmt::Display for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.held, self.wanted) {
            (_, None) => f.write_str("and beyond which it must not read"),
            (Some(held), Some(wanted)) => write!(f, "and holds {held:?} beyond, not {wanted:?}"),
            (None, Some(wanted)) => write!(f, "and holds anything beyond, not {wanted:?}"),
        }
    }
}

impl Outside {
    fn agree(self) -> bool {
        self.wanted.is_some() && self.held.map(f32::to_bits) == self.wanted.map(f32::to_bits)
    }
}

/// Checks both axes; `budget` is what may still be looked at.
pub(super) fn check(section: &Section, budget: &mut u64) -> Result<(), AxisError> {
    for axis in AxisId::BOTH {
        AxisCheck::new(section, axis).check(budget)?;
    }
    Ok(())
}

/// The section along one axis.
struct AxisCheck<'a> {
    axis: AxisId,
    table: &'a Axis,
    buffers: &'a [Buffer],
    body: Vec<Operand<'a>>,
    /// Which buffers leave the section: they own their whole extent.
    exported: Vec<bool>,
    /// Which of them leave otherwise than by being added up: their owned intervals are disjoint.
    partitioned: Vec<bool>,
    colours: u64,
}

/// An instruction, and whose interval its reads derive from.
struct Operand<'a> {
    rule: &'a dyn Rule,
    /// The valid part of this buffer is written, or its owned part exported.
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    Written(BufferId),
    Exported(BufferId),
}

/// Where the buffers are at the step at hand.
struct Place {
    computed: Vec<Interval>,
    held: Vec<Interval>,
    owned: Vec<Interval>,
    /// End of the last owned interval.
    frontier: Vec<i64>,
}

impl<'a> AxisCheck<'a> {
    fn new(section: &'a Section, axis: AxisId) -> Self {
        let mut exported = vec![false; section.buffers.len()];
        let mut partitioned = exported.clone();
        let mut body = Vec::with_capacity(section.body.len());
        for scheduled in &section.body {
            let rule = rule(&scheduled.instr);
            if let Some(buffer) = rule.exports() {
                exported[buffer.index()] = true;
                partitioned[buffer.index()] |= !rule.adds_up();
            }
            let target = rule.writes().map(Target::Written).or(rule.exports().map(Target::Exported));
            body.extend(target.map(|target| Operand { rule, target }));
        }
        let table = [&section.y, &section.x][axis.index()];
        let colours = section.colours[axis.index()];
        Self { axis, table, buffers: &section.buffers, body, exported, partitioned, colours }
    }

    fn check(&self, budget: &mut u64) -> Result<(), AxisError> {
        self.check_lengths()?;
        let places = self.table.steps.saturating_mul((self.buffers.len() + self.body.len()) as u64);
        *budget = budget.checked_sub(places).ok_or(AxisError::TooLong)?;

        let none = vec![Interval::default(); self.buffers.len()];
        let mut place = Place {
            computed: none.clone(),
            held: none.clone(),
            owned: none,
            frontier: vec![0; self.buffers.len()],
        };
        for step in 0..self.table.steps {
            for index in 0..self.buffers.len() {
                self.enter(&mut place, step, BufferId(index as u32))?;
            }
            for (instr, operand) in self.body.iter().enumerate() {
                self.check_reads(&place, step, instr, operand)?;
            }
        }
        self.check_complete(&place)
    }

    fn check_lengths(&self) -> Result<(), AxisError> {
        let (axis, steps) = (self.axis, self.table.steps);
        let largest = self.buffers.iter().map(|b| b.extent[axis.index()]).max().unwrap_or(0);
        if steps == 0 || steps > largest {
            return Err(AxisError::Steps { axis, steps, largest });
        }
        for (index, entry) in self.table.buffers.iter().enumerate() {
            let buffer = BufferId(index as u32);
            let length = |table, found| Err(AxisError::Length { buffer, axis, table, steps, found });
            if entry.computed.len() != steps {
                return length("computed", entry.computed.len());
            }
            let owned = entry.owned.len();
            if owned != steps && (owned != 0 || self.exported[index]) {
                return length("owned", owned);
            }
        }
        Ok(())
    }

    /// Moves a buffer to its place at `step`.
    fn enter(&self, place: &mut Place, step: u64, buffer: BufferId) -> Result<(), AxisError> {
        let (axis, index) = (self.axis, buffer.index());
        let entry = &self.table.buffers[index];
        let (computed, owned) = (entry.computed.get(step), entry.owned.get(step));
        for interval in [computed, owned] {
            if interval.start < -MAX_COORDINATE
                || interval.end > MAX_COORDINATE
                || interval.start > interval.end
            {
                return Err(AxisError::Coordinate { buffer, axis, step, interval });
            }
        }
        let room = self.size(buffer);
        if computed.len() as u64 > room {
            return Err(AxisError::Size { buffer, axis, step, computed, room });
        }
        let held = self.held(place, step, buffer, computed)?;
        let is_sum = self.exported[index] && !self.partitioned[index];
        if is_sum {
            self.check_colour(step, buffer, owned)?;
        }
        if !owned.is_empty() {
            let valid = held.intersect(self.extent(buffer));
            if !valid.contains(owned) {
                return Err(AxisError::NotComputed { buffer, axis, step, owned, valid });
            }
            let frontier = place.frontier[index];
            let overlaps = owned.start < frontier && !is_sum;
            if overlaps || (owned.start > frontier && self.exported[index]) {
                return Err(AxisError::Partition { buffer, axis, step, owned, frontier });
            }
            place.frontier[index] = owned.end.max(frontier);
        }
        place.computed[index] = computed;
        place.held[index] = held;
        place.owned[index] = owned;
        Ok(())
    }

    /// Of what is added up: intervals ascend, and those of a colour are disjoint. So a step shares elements with fewer than
    /// `colours` steps on either side, among which [`crate::program::owned_first`] finds the first.
    fn check_colour(&self, step: u64, buffer: BufferId, owned: Interval) -> Result<(), AxisError> {
        let axis = self.axis;
        let of = |step: u64| self.table.buffers[buffer.index()].owned.get(step);
        if let Some(before) = step.checked_sub(1).map(of)
            && (owned.start < before.start || owned.end < before.end)
        {
            return Err(AxisError::Descending { buffer, axis, step, owned, before });
        }
        if let Some(other) = step.checked_sub(self.colours)
            && of(other).end > owned.start
        {
            return Err(AxisError::Colour { buffer, axis, step, owned, other, shared: of(other) });
        }
        Ok(())
    }

    /// What a buffer holds at `step`, once it has got `computed`.
    fn held(
        &self,
        place: &Place,
        step: u64,
        buffer: BufferId,
        computed: Interval,
    ) -> Result<Interval, AxisError> {
        let of = &self.buffers[buffer.index()];
        if self.axis == AxisId::X {
            return Ok(computed);
        }
        let frontier = place.computed[buffer.index()].end;
        if of.ring && step > 0 && computed.start != frontier {
            return Err(AxisError::Gap { buffer, step, computed, frontier });
        }
        Ok(of.held(&self.table.buffers[buffer.index()], step))
    }

    fn check_reads(
        &self,
        place: &Place,
        step: u64,
        instr: usize,
        operand: &Operand<'_>,
    ) -> Result<(), AxisError> {
        let out = match operand.target {
            Target::Written(buffer) => place.computed[buffer.index()].intersect(self.extent(buffer)),
            Target::Exported(buffer) => {
                let owned = place.owned[buffer.index()];
                self.check_grain(step, instr, operand.rule.grain(self.axis), buffer, owned)?;
                owned
            }
        };
        if out.is_empty() {
            return Ok(());
        }
        operand
            .rule
            .reads(self.axis, out)
            .into_iter()
            .try_for_each(|read| self.check_read(place, step, instr, operand.rule, read))
    }

    fn check_grain(
        &self,
        step: u64,
        instr: usize,
        grain: i64,
        buffer: BufferId,
        owned: Interval,
    ) -> Result<(), AxisError> {
        let whole = owned.end % grain == 0 || owned.end == self.extent(buffer).end;
        if whole || owned.is_empty() {
            return Ok(());
        }
        Err(AxisError::Grain { instr, buffer, axis: self.axis, step, owned, grain })
    }

    fn check_read(
        &self,
        place: &Place,
        step: u64,
        instr: usize,
        rule: &dyn Rule,
        read: Read,
    ) -> Result<(), AxisError> {
        let (axis, buffer) = (self.axis, read.buffer);
        let extent = self.extent(buffer);
        let need = if read.broadcast && extent.len() == 1 {
            extent
        } else if let Some(fold) = read.fold {
            fold.hull(read.interval, extent)
        } else if read.masked {
            read.interval.intersect(extent)
        } else {
            read.interval
        };
        let held = place.held[buffer.index()];
        if !held.contains(need) {
            return Err(AxisError::Uncovered { instr, buffer, axis, step, need, held });
        }
        let held = Outside { held: self.buffers[buffer.index()].outside, wanted: rule.padding() };
        if !extent.contains(need) && !held.agree() {
            let extent = extent.end as u64;
            return Err(AxisError::Padding { instr, buffer, axis, step, need, extent, held });
        }
        Ok(())
    }

    fn check_complete(&self, place: &Place) -> Result<(), AxisError> {
        for (index, buffer) in self.buffers.iter().enumerate() {
            let (frontier, extent) = (place.frontier[index], buffer.extent[self.axis.index()]);
            if self.exported[index] && frontier as u64 != extent {
                let buffer = BufferId(index as u32);
                return Err(AxisError::Incomplete { buffer, axis: self.axis, frontier, extent });
            }
        }
        Ok(())
    }

    fn extent(&self, buffer: BufferId) -> Interval {
        Interval::new(0, self.buffers[buffer.index()].extent[self.axis.index()] as i64)
    }

    fn size(&self, buffer: BufferId) -> u64 {
        let buffer = &self.buffers[buffer.index()];
        [buffer.rows, buffer.cols][self.axis.index()]
    }
}
