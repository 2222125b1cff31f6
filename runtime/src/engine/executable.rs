//! Programs made ready to run.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::bindings::Tensors;
use super::device::Device;
use super::kernels;
use super::run::{self, Control};
use super::section::PreparedSection;
use super::stats::ProcessMemory;
use super::worker::{Shared, Worker, sram_bytes};
use super::{ArrayView, ArrayViewMut, EngineError, Input, Output, RunStats, SectionStats};
use crate::kernels::Isa;
use crate::program::Program;
use crate::program::verify::{Limits, verify};

/// Who runs the instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Hand-written kernels for the processor at hand.
    #[default]
    Native,
    /// Code compiled at load, simple enough to be believed by reading: the reference.
    Jit,
}

/// How to run a program. Whatever is chosen, the bits are the same.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who runs the instructions.
    pub engine: EngineKind,
    /// Which of the native kernels; the best that the processor runs if not given.
    pub isa: Option<Isa>,
    /// Workers; 0 stands for as many as the system offers.
    pub threads: usize,
    /// Whether each buffer lies between guard pages and is filled with NaNs before each tile, so that a stray access faults and
    /// a value that is read before it is written shows. Slow.
    pub checked: bool,
    /// Whether to measure the time of each instruction.
    pub profile: bool,
    /// What a program may ask for; anything if not given.
    pub limits: Option<Limits>,
    /// Folder of the temporary files for tensors that memory has no room for; the system's if not given.
    pub spill: Option<PathBuf>,
}

const UNLIMITED: Limits = Limits { sram_bytes: u64::MAX, device_bytes: u64::MAX, work: None };

/// A verified program with all the memory that running it takes.
pub struct Executable {
    program: Arc<Program>,
    sections: Vec<PreparedSection>,
    device: Device,
    workers: Vec<Worker>,
    checked: bool,
    scratch_bytes: u64,
    /// Growth of anonymous memory during load and runs.
    anonymous_bytes: u64,
}

impl Executable {
    /// Verifies the program, prepares its instructions, allocates, and packs the weights.
    pub fn load(program: impl Into<Arc<Program>>, options: &Options) -> Result<Self, EngineError> {
        let program = program.into();
        let before = ProcessMemory::now();
        verify(&program, &options.limits.unwrap_or(UNLIMITED))?;

        let isa = options.isa.unwrap_or_else(Isa::detect);
        if !isa.is_available() {
            return Err(EngineError::Isa(isa));
        }
        let mut kernels = kernels::prepare(&program, options.engine, isa)?.into_iter();
        let sections: Vec<_> =
            program.sections.iter().map(|s| PreparedSection::new(&program, s, &mut kernels)).collect();
        let device = Device::new(&program, options.checked, options.spill.as_deref())?;
        let scratch = sections.iter().map(PreparedSection::scratch).max().unwrap_or(0);
        let worker = || Worker::new(&program, &sections, options.checked, options.profile);
        let workers = (0..threads(options)).map(|_| worker()).collect::<Result<_, _>>()?;

        let anonymous_bytes = ProcessMemory::now().anonymous.saturating_sub(before.anonymous);
        let scratch_bytes = scratch as u64 * 4;
        Ok(Self {
            program,
            sections,
            device,
            workers,
            checked: options.checked,
            scratch_bytes,
            anonymous_bytes,
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Gives the weights other values, which stand in `data` where they stand in the program's own. The program itself, as
    /// [`Self::program`] shows it, stays as it is.
    ///
    /// # Errors
    ///
    /// If values are missing; the weights then have anything.
    pub fn set_weights(&mut self, data: &[u8]) -> Result<(), EngineError> {
        self.device.set_weights(&self.program, data)
    }

    /// Runs the program once: reads the inputs and writes the outputs, all of them, each given once under its name.
    ///
    /// After an error the outputs hold anything.
    pub fn run(
        &mut self,
        inputs: &[(&str, ArrayView<'_>)],
        outputs: &mut [(&str, ArrayViewMut<'_>)],
        control: &Control<'_>,
    ) -> Result<RunStats, EngineError> {
        let inputs: Vec<_> = inputs.iter().map(|(name, array)| (*name, Input::Array(*array))).collect();
        let outputs = outputs.iter_mut().map(|(name, array)| {
            (*name, Output::Array(ArrayViewMut { dims: array.dims, data: &mut *array.data }))
        });
        self.run_windows(&inputs, &mut outputs.collect::<Vec<_>>(), control)
    }

    /// As [`Self::run`], where inputs may be read and outputs be written window by window.
    pub fn run_windows<'a>(
        &'a mut self,
        inputs: &[(&str, Input<'a>)],
        outputs: &mut [(&str, Output<'a>)],
        control: &Control<'_>,
    ) -> Result<RunStats, EngineError> {
        let before = ProcessMemory::now();
        let start = Instant::now();
        let mut tensors: Tensors<'a> = self.device.tensors().clone();
        tensors.bind(&self.program, inputs, outputs)?;
        let window = self.sections.iter().zip(&self.program.sections);
        let window = window.map(|(prepared, s)| prepared.window_len(s, &tensors)).max().unwrap_or(0);
        for worker in &mut self.workers {
            worker.reset();
            worker.reserve_window(window)?;
        }
        let shared = Shared {
            program: &self.program,
            sections: &self.sections,
            device: &self.device,
            tensors: &tensors,
            checked: self.checked,
        };
        // SAFETY: `load` verified the program; inputs and outputs are bound to slices of their sizes, borrowed for this call,
        // the rest to device memory, which `self`, borrowed mutably, has to itself.
        let (times, threads) = unsafe { run::run(shared, &mut self.workers, control) }?;
        let nanoseconds = start.elapsed().as_nanos() as u64;

        let after = ProcessMemory::now();
        self.anonymous_bytes += after.anonymous.saturating_sub(before.anonymous);
        Ok(self.stats(nanoseconds, threads, &times, after))
    }

    fn stats(&self, nanoseconds: u64, threads: usize, times: &[u64], memory: ProcessMemory) -> RunStats {
        let sections: Vec<_> = (0..self.sections.len()).map(|s| self.section_stats(s, times[s])).collect();
        RunStats {
            nanoseconds,
            threads,
            planned_sram_bytes: self.program.sram_bytes,
            peak_sram_bytes: sections.iter().map(|s| s.sram_bytes).max().unwrap_or(0),
            scratch_bytes: self.scratch_bytes,
            planned_device_bytes: self.program.device_bytes,
            peak_device_bytes: self.device.bytes(),
            peak_rss_bytes: memory.peak_rss,
            measured_anonymous_bytes: self.anonymous_bytes,
            sections,
        }
    }

    fn section_stats(&self, s: usize, nanoseconds: u64) -> SectionStats {
        let section = &self.program.sections[s];
        let mut instructions = Vec::new();
        for worker in &self.workers {
            let times = worker.times(s);
            instructions.resize(times.len(), 0);
            instructions.iter_mut().zip(times).for_each(|(sum, time)| *sum += time);
        }
        SectionStats {
            name: section.name.clone(),
            tiles: self.sections[s].tiles,
            nanoseconds,
            sram_bytes: sram_bytes(section, &self.sections[s]),
            instructions,
        }
    }
}

fn threads(options: &Options) -> usize {
    match options.threads {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        n => n,
    }
}
