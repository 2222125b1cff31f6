//! Which code runs an instruction.

use super::{EngineError, EngineKind};
use crate::kernels::{self, Isa};
use crate::memory::Kernel;
use crate::program::{Instr, Program, Section};

/// Makes instructions ready, as the engine at hand does.
pub(super) struct Kernels<'a> {
    program: &'a Program,
    engine: EngineKind,
    isa: Isa,
}
