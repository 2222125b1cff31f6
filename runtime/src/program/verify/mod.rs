//! Proves that a program is safe to run.
//!
//! A program file may come from anywhere. Engines address memory by its numbers without looking back, on many threads, in
//! loops whose bounds it gives; so before any engine runs it, this module shows that
//!
//! 1. every read and write falls inside the buffer, device tensor, weight or accumulator that the instruction names,
//! 2. nothing is read that was not written before, and no two things that are alive share memory,
//! 3. no loop is longer than the extents that it addresses, and
//! 4. memory, and on request work, stay within [`Limits`].
//!
//! It does not show that the program computes what its graph says; that is for the compiler's `check`.
//!
//! # Why this suffices
//!
//! *What runs.* For each section, for each image, y-step and x-step, the body; the tiles of a section in any order, on any
//! number of workers, each with an SRAM of its own, but where there are rings those of a strip (one image and x-step) in
//! the order of their y-steps on one worker, and where there are colours one colour after the other; then the section's `end`; then the next section. On a unit, a body's
//! instructions run on three queues that are ahead of one another as far as tokens allow.
//!
//! *Sizes* (`tables`). Every id is in its table, every size is positive, and sizes in bytes do not overflow. Coordinates are
//! at most 2⁴⁰ in magnitude and what instructions multiply them by at most 2²², so that what engines compute from them, a
//! product and a few sums, is exact in 64 bits; and so are the intervals of [`Instruction::reads`], which saturate.
//!
//! *Places* (`axes`). An element of a buffer is addressed by its distance from the start of the computed interval, per axis.
//! For each step of each axis the computed interval is no longer than the buffer is high (or wide), and so is what it holds of rows:
//! those just computed and, of a ring, those computed before, which follow each other without a gap, down to the last
//! `rows` of them. So no two rows that are held share a slot, and what is held of a ring was written in the same strip,
//! which one worker runs in order. For each instruction, [`Instruction::reads`] gives what it reads of each
//! operand in order to compute the valid part of what it writes, and that is shown to lie inside what the operand holds. Regions are products of intervals, and what an instruction reads along one axis does not depend on the other:
//! therefore what holds for each y-step and each x-step holds for each tile, and there are far fewer steps than tiles.
//! Owned intervals are disjoint, inside the extent and inside what is held, so stores of different tiles write
//! different elements, all inside the device tensor, whose extent is the buffer's; where something leaves the section
//! they make up the whole extent, so every element is written. Steps are no more than the longest extent.
//! Of what is added up in device memory, owned intervals may overlap, but ascend and leave no gap, and steps of one colour share nothing:
//! tiles of one colour write different elements, and what a tile reads was written by a tile of an earlier colour, before a barrier.
//!
//! *Shapes* (`instr`, a file per family). Channels, groups, weights, packings and operands fit one another.
//!
//! *Definedness* (`definedness`). In body order, every buffer that an instruction reads has been written, all its channels, by an
//! earlier instruction of the same tile, and nothing that shares bytes with it was written since. A ring's bytes are its own, so that
//! this holds for the rows of the steps before as well. A write defines the
//! valid part and, where the buffer says what lies outside, the rest; `axes` showed that nobody reads the rest otherwise.
//! So a strip, run in order, is safe on any worker, whatever its SRAM held before.
//!
//! *Queues* (`hazards`). Each queue runs its instructions in order. Two instructions of different queues that touch the same
//! bytes, one of them writing, are ordered by a chain of tokens, within a tile and from one tile to the next. Farther
//! tiles follow: if `a` of one tile comes before `b` of the next, it comes before `b` of all later ones, since each queue
//! is in order. Waiting never points forward in the body, so order is acyclic and no queue waits for ever. Hence whatever
//! the queues do, every instruction sees the bytes that it would see in body order.
//!
//! *Sections* (`flow`). A tensor is stored once, in an earlier section than any that loads it; within a section, strips do not
//! communicate, and can run in any order. An accumulator is filled by one instruction and rounded by that section's end.
//!
//! *Memory* (`memory`). Buffers lie inside a worker's SRAM, and so do running sums, which share no byte with anything: they are
//! touched by the one instruction that fills their accumulator, on one queue, and by the engine between sections. Weights, accumulators and composites lie inside the device arena,
//! disjoint but for composites of which one is last used before the section that stores the other.
//!
//! *Work* (`work`). Element operations are a closed formula over the numbers above.

mod axes;
mod blocks;
mod definedness;
mod error;
mod flow;
mod hazards;
mod instr;
mod memory;
mod scope;
mod tables;
mod work;

pub use axes::AxisError;
pub use blocks::BlocksError;
pub use definedness::DefinednessError;
pub use error::VerifyError;
pub use flow::FlowError;
pub use hazards::HazardError;
pub use instr::InstrError;
pub use memory::MemoryError;
pub use scope::LookupError;
pub use tables::{EntryError, TableError};

#[cfg(doc)]
use super::instr::Instruction;
use super::{Program, TensorId};
use crate::machine::Machine;
use scope::Scope;

/// Largest magnitude of a coordinate, and largest extent: far beyond any image, and far from overflow.
const MAX_COORDINATE: i64 = 1 << 40;
/// Largest stride, dilation and the like.
const MAX_ATTRIBUTE: i64 = 1 << 20;
/// Most buffers of a section.
const MAX_BUFFERS: usize = 1 << 12;
/// Most instructions of a section.
const MAX_INSTRUCTIONS: usize = 1 << 16;
/// Most places (steps × buffers and instructions, of all sections and axes) that are looked at: seconds of verification.
const MAX_PLACES: u64 = 1 << 29;

/// What a program may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of SRAM a worker.
    pub sram_bytes: u64,
    /// Bytes of device memory, the caller's inputs and outputs apart.
    pub device_bytes: u64,
    /// Element operations of a run: multiply-adds, taps, expression nodes and copies of single elements.
    pub work: Option<u64>,
}

impl Limits {
    /// What a machine has, and any amount of work.
    pub fn of(machine: &Machine) -> Self {
        Self { sram_bytes: machine.sram, device_bytes: machine.memory, work: None }
    }
}

/// A program that was verified. There is no other way to get one than [`verify`].
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    program: &'a Program,
    work: u64,
}

impl<'a> Verified<'a> {
    /// The program.
    pub fn program(self) -> &'a Program {
        self.program
    }

    /// Element operations of a run, as [`Limits::work`] counts them; the largest number if they are more.
    pub fn work(self) -> u64 {
        self.work
    }
}

/// Proves that running `program`, by any engine and on any number of threads, is safe and stays within `limits`.
///
/// # Errors
///
/// The first violation, always the same for the same program.
pub fn verify<'a>(program: &'a Program, limits: &Limits) -> Result<Verified<'a>, VerifyError> {
    let work = prove(program, limits, Some(program.data.bytes().len() as u64))?;
    Ok(Verified { program, work })
}

/// As [`verify`], but takes it that the values of all weights are there: for programs that were read as text, which have none.
///
/// # Errors
///
/// The first violation, always the same for the same program.
pub fn verify_structure(program: &Program, limits: &Limits) -> Result<(), VerifyError> {
    prove(program, limits, None).map(|_| ())
}

/// The work of a program; `data` is the number of bytes that weights may lie in, if it matters.
fn prove(program: &Program, limits: &Limits, data: Option<u64>) -> Result<u64, VerifyError> {
    tables::check(program, data)?;
    for (index, section) in program.sections.iter().enumerate() {
        let scope = Scope { program, section };
        let within = |instr: usize, error| VerifyError::instruction(index, section, instr, error);
        for (i, scheduled) in section.body.iter().enumerate() {
            instr::check(&scope, &scheduled.instr).map_err(|e| within(i, e))?;
        }
        for (i, reduce) in section.end.iter().enumerate() {
            instr::check_reduce(&scope, reduce).map_err(|e| VerifyError::end(index, section, i, e))?;
        }
    }
    let mut budget = MAX_PLACES;
    for (index, section) in program.sections.iter().enumerate() {
        axes::check(section, &mut budget).map_err(|e| VerifyError::axis(index, section, e))?;
        definedness::check(section).map_err(|e| VerifyError::definedness(index, section, e))?;
        hazards::check(section).map_err(|e| VerifyError::hazard(index, section, e))?;
    }
    for (index, tensor) in program.tensors.iter().enumerate() {
        let id = TensorId(index as u32);
        blocks::check(program, id, tensor).map_err(|e| VerifyError::blocks(id, tensor, e))?;
    }
    let lives = flow::check(program)?;
    memory::check(program, limits, &lives)?;
    work::check(program, limits)
}

#[cfg(test)]
mod tests;
