//! Memory of a run: views of tile buffers and device tensors, and the arenas that they lie in.

mod arena;
mod kernel;
mod view;

pub use arena::Arena;
pub(crate) use arena::GuardedArena;
pub(crate) use kernel::{Kernel, Tile};
pub(crate) use view::View;
