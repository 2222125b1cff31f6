//! Steps along one axis, coordinate by coordinate: every coordinate that an instruction reads is in the buffer at that moment,
//! and what lies outside an extent is what the operation wants there.

use zellige_runtime::program::instr::AxisId;
use zellige_runtime::program::{Axis, Buffer, BufferId, BufferSteps, Interval, Section};

use super::effect::{Effect, Reach, Reading};
use super::error::{CheckError, InstrError, SectionError};
use super::meaning::Beyond;

/// Farther than any image reaches.
const FARTHEST: i64 = 1 << 40;
/// Most rows of a ring.
const MOST_SLOTS: u64 = 1 << 26;

/// What one axis of a section came to.
pub(super) struct Walked {
    /// For each instruction and each of its reads, whether it read rows that an earlier step left.
    pub(super) reaches_back: Vec<Vec<bool>>,
    /// Coordinates that were looked at.
    pub(super) coordinates: u64,
}

/// A section along one axis.
pub(super) struct Walk<'a> {
    section: &'a Section,
    axis: AxisId,
    table: &'a Axis,
    effects: &'a [Effect],
    /// What each buffer holds.
    rows: Vec<Rows>,
    walked: Walked,
    /// Scratch.
    sources: Vec<i64>,
}

/// Which coordinates a buffer holds along an axis.
struct Rows {
    /// What is written in this step.
    computed: Interval,
    /// Of a ring along y: for each of its slots the row that lies there.
    slots: Option<Vec<Option<i64>>>,
}

impl Rows {
    fn holds(&self, at: i64) -> bool {
        match &self.slots {
            Some(slots) => slots[slot(at, slots.len())] == Some(at),
            None => self.computed.start <= at && at < self.computed.end,
        }
    }

    /// An interval that says roughly what is held, for messages.
    fn hull(&self) -> Interval {
        let Some(slots) = &self.slots else { return self.computed };
        let rows = || slots.iter().copied().flatten();
        match (rows().min(), rows().max()) {
            (Some(first), Some(last)) => Interval::new(first, last + 1),
            _ => Interval::default(),
        }
    }
}

fn slot(row: i64, slots: usize) -> usize {
    row.rem_euclid(slots.max(1) as i64) as usize
}

/// Why a proof ends early.
pub(super) enum Stop {
    At(usize, InstrError),
    Section(SectionError),
    TooLong,
}

impl Stop {
    /// Of a section with its index.
    pub(super) fn error(self, section: &Section, index: usize, effects: &[Effect]) -> CheckError {
        match self {
            Self::At(instr, error) => super::at(section, index, instr, effects[instr].mnemonic, error),
            Self::Section(error) => CheckError::Section { section: index, name: section.name.clone(), error },
            Self::TooLong => CheckError::TooLong,
        }
    }
}

/// Walks along both axes; `index` is the section's, `budget` the number of coordinates that may still be looked at.
pub(super) fn walk(
    section: &Section,
    index: usize,
    effects: &[Effect],
    budget: &mut u64,
) -> Result<Walked, CheckError> {
    let mut walked = Walked { reaches_back: Vec::new(), coordinates: 0 };
    for axis in [AxisId::X, AxisId::Y] {
        let one = Walk::new(section, axis, effects).and_then(|w| w.run(budget));
        let one = one.map_err(|stop| stop.error(section, index, effects))?;
        walked = Walked { coordinates: walked.coordinates + one.coordinates, ..one };
    }
    Ok(walked)
}

impl<'a> Walk<'a> {
    fn new(section: &'a Section, axis: AxisId, effects: &'a [Effect]) -> Result<Self, Stop> {
        let table = match axis {
            AxisId::Y => &section.y,
            AxisId::X => &section.x,
        };
        let fits = |b: &BufferSteps| {
            b.computed.len() == table.steps && (b.owned.is_empty() || b.owned.len() == table.steps)
        };
        if table.buffers.len() != section.buffers.len() || !table.buffers.iter().all(fits) {
            return Err(Stop::Section(SectionError::Tables { axis }));
        }
        let mut rows = Vec::with_capacity(section.buffers.len());
        for (i, buffer) in section.buffers.iter().enumerate() {
            let sizes = [buffer.extent[0], buffer.extent[1], buffer.rows, buffer.cols];
            if sizes.iter().any(|s| !(1..=FARTHEST as u64).contains(s)) {
                return Err(Stop::Section(SectionError::Coordinates { buffer: BufferId(i as u32) }));
            }
            let keeps = is_ring(buffer) && axis == AxisId::Y;
            if keeps && buffer.rows > MOST_SLOTS {
                return Err(Stop::TooLong);
            }
            let slots = keeps.then(|| vec![None; buffer.rows as usize]);
            rows.push(Rows { computed: Interval::default(), slots });
        }
        let reaches_back = effects.iter().map(|e| vec![false; e.reads.len()]).collect();
        let walked = Walked { reaches_back, coordinates: 0 };
        Ok(Self { section, axis, table, effects, rows, walked, sources: Vec::new() })
    }

    fn run(mut self, budget: &mut u64) -> Result<Walked, Stop> {
        for step in 0..self.table.steps {
            self.look(self.section.buffers.len() as u64 + 1, budget)?;
            for b in 0..self.section.buffers.len() {
                self.enter(step, BufferId(b as u32)).map_err(Stop::Section)?;
            }
            let effects = self.effects;
            for (instr, effect) in effects.iter().enumerate() {
                let out = self.outputs(step, effect);
                for (r, read) in effect.reads.iter().enumerate() {
                    let coordinates = (out.len() as u64).saturating_mul(self.width(read));
                    self.look(coordinates, budget)?;
                    self.walked.coordinates += coordinates;
                    self.read(step, instr, r, read, out).map_err(|e| Stop::At(instr, e))?;
                }
                if let Some(dst) = effect.written() {
                    self.write(dst);
                }
            }
        }
        for (instr, effect) in self.effects.iter().enumerate().filter(|(_, e)| e.is_partitioned()) {
            if let Some((buffer, grain)) = effect.exported() {
                self.partition(buffer, grain[self.axis.index()]).map_err(|e| Stop::At(instr, e))?;
            }
        }
        Ok(self.walked)
    }

    /// Takes what is about to be looked at from the budget.
    fn look(&self, coordinates: u64, budget: &mut u64) -> Result<(), Stop> {
        *budget = budget.checked_sub(coordinates).ok_or(Stop::TooLong)?;
        Ok(())
    }

    /// Most coordinates that are read for one of the result.
    fn width(&self, reading: &Reading) -> u64 {
        match &reading.reach {
            Reach::Same => 1,
            Reach::Of(meaning, _) => meaning.width(self.axis.index(), self.extent(reading.buffer)) as u64,
        }
    }

    /// Moves a buffer to its place at `step`.
    fn enter(&mut self, step: u64, buffer: BufferId) -> Result<(), SectionError> {
        let axis = self.axis;
        let computed = self.table.buffers[buffer.index()].computed.get(step);
        let room = {
            let buffer = &self.section.buffers[buffer.index()];
            [buffer.rows, buffer.cols][axis.index()]
        };
        if computed.start < -FARTHEST || computed.end > FARTHEST || computed.start > computed.end {
            return Err(SectionError::Coordinates { buffer });
        }
        if computed.len() as u64 > room {
            return Err(SectionError::Room { axis, step, buffer, computed, room });
        }
        self.rows[buffer.index()].computed = computed;
        Ok(())
    }

    /// Coordinates of the result of an instruction that it computes from what it reads.
    fn outputs(&self, step: u64, effect: &Effect) -> Interval {
        match (effect.written(), effect.exported()) {
            (Some(dst), _) => self.rows[dst.index()].computed.intersect(Interval::new(0, self.extent(dst))),
            (None, Some((src, _))) => self.table.buffers[src.index()].owned.get(step),
            (None, None) => Interval::default(),
        }
    }

    fn write(&mut self, dst: BufferId) {
        let rows = &mut self.rows[dst.index()];
        if let Some(slots) = &mut rows.slots {
            let n = slots.len();
            for row in rows.computed.start..rows.computed.end {
                slots[slot(row, n)] = Some(row);
            }
        }
    }

    fn read(
        &mut self,
        step: u64,
        instr: usize,
        nth: usize,
        reading: &Reading,
        out: Interval,
    ) -> Result<(), InstrError> {
        let (axis, buffer) = (self.axis, reading.buffer);
        let extent = self.extent(buffer);
        let beyond = match &reading.reach {
            Reach::Same => Beyond::Never,
            Reach::Of(meaning, _) => meaning.beyond(),
        };
        let rows = &self.rows[buffer.index()];
        let mut back = false;
        for output in out.start..out.end {
            self.sources.clear();
            match &reading.reach {
                Reach::Same => self.sources.push(if extent == 1 { 0 } else { output }),
                Reach::Of(meaning, operand) => {
                    meaning.sources(*operand, axis.index(), output, extent, &mut self.sources);
                }
            }
            for &source_at in &self.sources {
                let inside = 0 <= source_at && source_at < extent;
                if !inside {
                    let held = self.section.buffers[buffer.index()].outside;
                    let wanted = match beyond {
                        Beyond::Skipped => continue,
                        Beyond::Never => None,
                        Beyond::Reads(bits) => Some(bits),
                    };
                    if wanted.is_none() || held.map(f32::to_bits) != wanted {
                        let (extent, wanted) = (extent as u64, wanted.map(f32::from_bits));
                        return Err(InstrError::Outside {
                            axis,
                            step,
                            output,
                            source_at,
                            buffer,
                            extent,
                            held,
                            wanted,
                        });
                    }
                }
                if !rows.holds(source_at) {
                    let held = rows.hull();
                    return Err(InstrError::Uncovered { axis, step, output, source_at, buffer, held });
                }
                back |= rows.slots.is_some()
                    && !(rows.computed.start <= source_at && source_at < rows.computed.end);
            }
        }
        self.walked.reaches_back[instr][nth] |= back;
        Ok(())
    }

    /// The owned intervals of a buffer are its whole extent, each coordinate once, in pieces of whole grains.
    fn partition(&self, buffer: BufferId, grain: i64) -> Result<(), InstrError> {
        let (axis, extent) = (self.axis, self.extent(buffer));
        let owned = &self.table.buffers[buffer.index()].owned;
        let mut parts: Vec<(Interval, u64)> =
            (0..).zip(owned.iter()).map(|(step, o)| (o, step)).filter(|(o, _)| !o.is_empty()).collect();
        parts.sort_unstable_by_key(|(o, _)| o.start);
        let mut next = 0;
        for (owned, step) in parts {
            if owned.start < next || owned.end > extent {
                return Err(InstrError::Twice { axis, buffer, step, owned });
            }
            if owned.start > next {
                break;
            }
            if owned.end % grain != 0 && owned.end != extent {
                return Err(InstrError::Grain { axis, buffer, step, owned, grain });
            }
            next = owned.end;
        }
        if next == extent { Ok(()) } else { Err(InstrError::Hole { axis, buffer, coordinate: next }) }
    }

    fn extent(&self, buffer: BufferId) -> i64 {
        self.section.buffers[buffer.index()].extent[self.axis.index()] as i64
    }
}

/// Whether a buffer keeps its rows from one y-step to the next.
pub(super) fn is_ring(buffer: &Buffer) -> bool {
    buffer.ring
}
