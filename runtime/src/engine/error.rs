//! Why a program cannot be loaded or run.

use std::fmt;
use std::io;

use crate::io::IoError;
use crate::jit::JitError;
use crate::kernels::Isa;
use crate::program::Dims;
use crate::program::verify::VerifyError;
use crate::weights::PackError;

/// Why a program cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The program is not safe to run.
    #[error("the program is malformed: {0}")]
    Verify(Box<VerifyError>),
    /// Instructions that the processor does not have.
    #[error("this processor does not run {0} code")]
    Isa(Isa),
    /// An instruction could not be compiled.
    #[error("{0}")]
    Compile(String),
    /// A parameter does not fit its layout.
    #[error(transparent)]
    Weights(#[from] PackError),
    /// The system gives no such memory.
    #[error("no memory for {what} ({bytes} bytes)")]
    Memory {
        /// What it was for.
        what: &'static str,
        /// How much was wanted.
        bytes: u64,
        /// What the system says.
        source: io::Error,
    },
    /// A tensor of the program that the caller does not give.
    #[error("{side} `{name}` of the program is missing")]
    Missing {
        /// Input or output.
        side: Side,
        /// Its name.
        name: String,
    },
    /// A name that the program does not know.
    #[error("the program has no {side} `{name}`; it has {}", list(known))]
    Unknown {
        /// Input or output.
        side: Side,
        /// The name given.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A name given twice.
    #[error("{side} `{name}` is given twice")]
    Twice {
        /// Input or output.
        side: Side,
        /// The name.
        name: String,
    },
    /// A program is for one set of sizes.
    #[error("{side} `{name}` is {}, but the program is compiled for {}", shape(found), shape(expected))]
    Size {
        /// Input or output.
        side: Side,
        /// Its name.
        name: String,
        /// The program's.
        expected: Dims,
        /// The caller's.
        found: Dims,
    },
    /// A slice that does not hold the array that it claims to be.
    #[error("{side} `{name}` is {}, but its slice holds {found} values", shape(dims))]
    Length {
        /// Input or output.
        side: Side,
        /// Its name.
        name: String,
        /// The shape claimed.
        dims: Dims,
        /// Values in the slice.
        found: usize,
    },
    /// An input could not be read, or an output not written.
    #[error(transparent)]
    Window(IoError),
    /// A temporary file for a tensor that memory has no room for.
    #[error("a temporary file for a section boundary: {0}")]
    Spill(io::Error),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A bug of the engine: one of its workers panicked.
    #[error("internal error in section `{section}`: {message}")]
    Panic {
        /// The section that was running.
        section: String,
        /// What the panic says.
        message: String,
    },
}

impl From<VerifyError> for EngineError {
    fn from(error: VerifyError) -> Self {
        Self::Verify(Box::new(error))
    }
}

impl From<JitError> for EngineError {
    fn from(error: JitError) -> Self {
        Self::Compile(error.to_string())
    }
}

/// Which side of a program a tensor is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Given by the caller.
    Input,
    /// Written for the caller.
    Output,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}

fn shape(dims: &Dims) -> String {
    format!("f32[{}, {}, {}, {}]", dims.n, dims.c, dims.h, dims.w)
}

fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
    if quoted.is_empty() { "none".to_owned() } else { quoted.join(", ") }
}
