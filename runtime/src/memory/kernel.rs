//! What an engine runs for one instruction on one tile: the interface that native kernels and compiled code share.

use std::ptr;
use std::sync::atomic::AtomicI64;

use super::View;

/// The operands of a section's instructions for one tile.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a> {
    /// One view a buffer of the section, indexed by `BufferId`.
    pub(crate) views: &'a [View],
    /// Packed weights, indexed by `WeightId`; each 64-byte aligned.
    pub(crate) weights: &'a [*const f32],
    /// What is gathered, indexed by `AccumulatorId`.
    pub(crate) gathered: &'a [Gathered],
    /// Which image it is a tile of.
    pub(crate) image: u64,
}

/// Where an accumulator of products gathers them. Of other accumulators both are null.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Gathered {
    /// The words of its exact sums, which all workers share.
    pub(crate) words: *const AtomicI64,
    /// The worker's running sums, laid out as [`crate::program::Running`] says; null if it has none.
    pub(crate) running: *mut f64,
}

impl Gathered {
    /// Of an accumulator that no kernel adds to.
    pub(crate) const NONE: Self = Self { words: ptr::null(), running: ptr::null_mut() };
}

/// An instruction made ready to run, once, when a program is loaded.
pub(crate) trait Kernel: Send + Sync {
    /// f32s of scratch that `run` wants.
    fn scratch(&self) -> usize {
        0
    }

    /// Computes the valid part of the tile of the buffer that the instruction writes, and fills the rest with the buffer's
    /// `outside`, if it has one; or gathers what it is to gather of the tile. Allocates nothing.
    ///
    /// # Safety
    ///
    /// The program was verified, and `tile` holds the views of one of its tiles, over buffers that no other thread uses.
    unsafe fn run(&self, tile: &Tile<'_>, scratch: &mut [f32]);
}
