//! Memory of a run: views of tile buffers and device tensors, and the arenas that they lie in.

mod arena;
mod kernel;
mod view;

pub use arena::Arena;
pub(crate) use arena::GuardedArena;
pub(crate) use kernel::{Gathered, Kernel, Tile};
pub(crate) use view::View;

/// Bytes of scratch that the weight gradient of a convolution wants beside its tile buffers: a grain of a block of either operand.
pub const PRODUCTS_SCRATCH_BYTES: u64 = 2 * 8 * 32 * 16 * 4;

/// Bytes of scratch that any other kernel wants beside its tile buffers, where the longest expression has `nodes` nodes and
/// `operands` operands: expressions are evaluated in chunks of 256 elements, one chunk a node and operand.
pub const fn scratch_bytes(nodes: usize, operands: usize) -> u64 {
    (nodes as u64 + operands as u64 + 4) * 256 * 4
}
