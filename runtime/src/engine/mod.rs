//! Running programs.
//!
//! An [`Executable`] is a verified program with all memory that it will use: device memory (composites, packed weights,
//! accumulators) and, for each worker, SRAM with the tile buffers. A run binds the caller's inputs and outputs and lets the
//! workers take tiles by turns, section after section. Which worker runs which tile, and when, changes no bit: tiles of a
//! section write disjoint parts of their outputs, and sums over all tiles are exact.
//!
//! Who runs instructions on a tile is the engine's choice: `native` kernels, or code compiled at load (`jit`).

mod addressed;
mod allocation;
mod array;
mod bindings;
mod device;
mod error;
mod executable;
mod kernels;
mod products;
mod reduce;
mod run;
mod section;
mod spill;
mod staging;
mod stats;
#[cfg(test)]
mod tests;
mod transfer;
mod worker;

pub use crate::kernels::{Isa, UnknownIsa};
pub use array::{ArrayView, ArrayViewMut, Input, Output};
pub use error::{EngineError, Side};
pub use executable::{EngineKind, Executable, Options};
pub use run::{Control, Progress};
pub use stats::{RunStats, SectionStats};
