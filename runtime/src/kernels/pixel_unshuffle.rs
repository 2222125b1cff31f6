//! Space to channels.

use super::Body;
use super::geometry::{each, element, fill_outside};
use super::simd::Simd;
use crate::memory::Tile;
use crate::program::BufferId;
use crate::program::instr::PixelUnshuffle;

/// [`PixelUnshuffle`], ready to run.
pub(super) struct PixelUnshuffleKernel {
    dst: BufferId,
    src: BufferId,
    factor: i64,
}

impl PixelUnshuffleKernel {
    pub(super) fn new(instr: &PixelUnshuffle) -> Self {
        Self { dst: instr.dst, src: instr.src, factor: i64::from(instr.factor.max(1)) }
    }
}

impl Body for PixelUnshuffleKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (dst, src, r) = (&tile.views[self.dst.index()], &tile.views[self.src.index()], self.factor);
        let cols = dst.valid.x;
        for (y, c) in each(dst.valid.y).flat_map(|y| (0..dst.channels).map(move |c| (y, c))) {
            let (row, col) = (c % (r * r) / r, c % r);
            let from = element(src, c / (r * r), y * r + row, cols.start * r + col);
            let to = element(dst, c, y, cols.start);
            for i in 0..cols.len() {
                // SAFETY: verified geometry: `dst` has its valid columns, `src` those that they come from.
                unsafe { *to.offset((i * dst.lanes) as isize) = *from.offset((i * r * src.lanes) as isize) };
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}
