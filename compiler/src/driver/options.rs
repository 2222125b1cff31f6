//! How to compile.

use std::path::PathBuf;

use zellige_runtime::machine::Machine;

use crate::ir::{Gradient, Materialize, Overlap, Padding, Target};
use crate::passes::{self, KeptPlan};

/// How to compile: the compile options of the command line.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// The machine.
    pub machine: Machine,
    /// Bytes of SRAM a worker, instead of the machine's.
    pub sram: Option<u64>,
    /// Bytes of device memory, instead of the machine's.
    pub memory: Option<u64>,
    /// Workers, instead of the machine's units.
    pub threads: Option<u32>,
    /// Target tile of every section.
    pub tile: Option<[u64; 2]>,
    /// One tile a section.
    pub untiled: bool,
    /// Ops after which to cut.
    pub cut_after: Vec<String>,
    /// What becomes of tensors that are needed on both sides of a forced cut; chosen for each where nothing is said.
    pub materialize: Option<Materialize>,
    /// How overlaps are had in every section; chosen for each where nothing is said.
    pub overlap: Option<Overlap>,
    /// Where padding goes.
    pub padding: Padding,
    /// How the overlap of gradients is had.
    pub gradient: Gradient,
    /// Sections from a file, instead of the planner's.
    pub plan: Option<KeptPlan>,
    /// Weights, instead of the model's file.
    pub weights: Option<PathBuf>,
    /// Seed of parameters that no file gives.
    pub seed: u64,
}

impl CompileOptions {
    /// The defaults on a machine.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            sram: None,
            memory: None,
            threads: None,
            tile: None,
            untiled: false,
            cut_after: Vec::new(),
            materialize: None,
            overlap: None,
            padding: Padding::Post,
            gradient: Gradient::Halo,
            plan: None,
            weights: None,
            seed: 0,
        }
    }

    /// Bytes of device memory.
    pub fn memory_budget(&self) -> u64 {
        self.memory.unwrap_or(self.machine.memory)
    }

    /// What the passes are told.
    pub fn for_passes(&self) -> passes::Options {
        let target = Target {
            machine: self.machine.clone(),
            sram: self.sram.unwrap_or(self.machine.sram),
            memory: self.memory_budget(),
            threads: self.threads.unwrap_or(self.machine.units),
        };
        passes::Options {
            target,
            tile: self.tile,
            untiled: self.untiled,
            cut_after: self.cut_after.clone(),
            materialize: self.materialize,
            overlap: self.overlap,
            padding: self.padding,
            gradient: self.gradient,
            plan: self.plan.clone(),
        }
    }
}
