//! The compiled artefact: tile-level instructions over buffers with static offsets, and the step tables that say where
//! each buffer lies in its tensor.
//!
//! A program is data. [`verify`] proves that running it reads and writes inside its buffers only; [`mod@format`] is its
//! binary form. As text it is printed by way of serde.

mod colours;
pub mod format;
mod ids;
pub mod instr;
mod region;
#[doc(hidden)]
pub mod sample;
mod section;
mod sizes;
mod steps;
mod tensor;
pub mod verify;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::scalar::Expr;

pub use colours::{MAX_COLOURS, owned_first};
pub use ids::{AccumulatorId, BufferId, ExprId, TensorId, Token, WeightId};
pub use instr::Instr;
pub use region::{Interval, Region};
pub use section::{Axis, Buffer, BufferSteps, Place, Queue, Running, Scheduled, Section};
pub use sizes::{EXACT_SINGLE_SUM_BYTES, EXACT_SUM_BYTES, MAX_SUMMANDS};
pub use steps::Steps;
pub use tensor::{
    Accumulator, AccumulatorKind, Blocks, Data, Dims, Element, Packing, Role, Source, Tensor, Weight,
};

/// Which arithmetic the instructions are defined by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numerics {
    /// Direct sums in the canonical order of the crate's documentation.
    Strict,
}

/// A compiled network for one set of sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Name of the model.
    pub name: String,
    /// The arithmetic.
    pub numerics: Numerics,
    /// The machine that it was planned for.
    pub machine: Machine,
    /// The graph that it implements, as `.zir` text.
    pub graph: String,
    /// Bytes of SRAM a worker needs: tile buffers, and one block of weights.
    pub sram_bytes: u64,
    /// Bytes of device memory: composites, packed weights and accumulators; inputs and outputs are the caller's.
    pub device_bytes: u64,
    /// Whether inputs and outputs are meant to be read and written window by window, since memory has no room for them.
    #[serde(default)]
    pub streamed: bool,
    /// Tensors in device memory.
    pub tensors: Vec<Tensor>,
    /// Parameters and constants.
    pub weights: Vec<Weight>,
    /// What is gathered over space.
    pub accumulators: Vec<Accumulator>,
    /// Expressions of the elementwise instructions and epilogues.
    pub expressions: Vec<Expr>,
    /// Run one after the other.
    pub sections: Vec<Section>,
    /// The values of the weights; not part of the text.
    #[serde(skip)]
    pub data: Data,
}
