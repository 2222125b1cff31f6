//! What can be wrong with a program, and where.

use super::{
    AxisError, BlocksError, DefinednessError, FlowError, HazardError, InstrError, MemoryError, TableError,
    instr,
};
use crate::program::{Section, Tensor, TensorId};

/// Why a program is not run. Sections and instructions are counted from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VerifyError {
    /// An entry of a table makes no sense by itself.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The operands of an instruction do not fit.
    #[error("section {section} `{name}`, instruction {instr} ({mnemonic}): {error}")]
    Instruction {
        /// Section.
        section: usize,
        /// Its name.
        name: String,
        /// Instruction of its body.
        instr: usize,
        /// What it is.
        mnemonic: &'static str,
        /// What is wrong.
        error: Box<InstrError>,
    },
    /// A reduction at a section's end does not fit.
    #[error("section {section} `{name}`, reduction {reduce}: {error}")]
    End {
        /// Section.
        section: usize,
        /// Its name.
        name: String,
        /// Reduction of its end.
        reduce: usize,
        /// What is wrong.
        error: Box<InstrError>,
    },
    /// A step table is wrong, or a buffer does not hold what is read of it.
    #[error("section {section} `{name}`: {error}")]
    Axis {
        /// Section.
        section: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        error: AxisError,
    },
    /// Something is read that is not there.
    #[error("section {section} `{name}`: {error}")]
    Definedness {
        /// Section.
        section: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        error: DefinednessError,
    },
    /// The queues may run into each other.
    #[error("section {section} `{name}`: {error}")]
    Hazard {
        /// Section.
        section: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        error: HazardError,
    },
    /// A tensor is kept in blocks that are not what tiles load.
    #[error("{tensor} `{name}`: {error}")]
    Blocks {
        /// The tensor.
        tensor: TensorId,
        /// Its name.
        name: String,
        /// What is wrong.
        error: BlocksError,
    },
    /// Sections do not hand over as they should.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// Something lies where it must not.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// More work than is allowed.
    #[error("the program does {work} element operations; {limit} are allowed")]
    Work {
        /// What it would do.
        work: u64,
        /// The limit.
        limit: u64,
    },
}

impl VerifyError {
    pub(super) fn instruction(section: usize, at: &Section, instr: usize, error: InstrError) -> Self {
        let mnemonic = instr::rule(&at.body[instr].instr).mnemonic();
        Self::Instruction { section, name: at.name.clone(), instr, mnemonic, error: Box::new(error) }
    }

    pub(super) fn end(section: usize, at: &Section, reduce: usize, error: InstrError) -> Self {
        Self::End { section, name: at.name.clone(), reduce, error: Box::new(error) }
    }

    pub(super) fn axis(section: usize, at: &Section, error: AxisError) -> Self {
        Self::Axis { section, name: at.name.clone(), error }
    }

    pub(super) fn blocks(tensor: TensorId, of: &Tensor, error: BlocksError) -> Self {
        Self::Blocks { tensor, name: of.name.clone(), error }
    }

    pub(super) fn definedness(section: usize, at: &Section, error: DefinednessError) -> Self {
        Self::Definedness { section, name: at.name.clone(), error }
    }

    pub(super) fn hazard(section: usize, at: &Section, error: HazardError) -> Self {
        Self::Hazard { section, name: at.name.clone(), error }
    }
}
