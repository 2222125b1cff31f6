//! Channels to space.

use super::Body;
use super::geometry::{each, element, fill_outside};
use super::simd::Simd;
use crate::memory::Tile;
use crate::program::BufferId;
use crate::program::instr::PixelShuffle;

/// [`PixelShuffle`], ready to run.
pub(super) struct PixelShuffleKernel {
    dst: BufferId,
    src: BufferId,
    factor: i64,
}

impl PixelShuffleKernel {
    pub(super) fn new(instr: &PixelShuffle) -> Self {
        Self { dst: instr.dst, src: instr.src, factor: i64::from(instr.factor.max(1)) }
    }
}

impl Body for PixelShuffleKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (dst, src, r) = (&tile.views[self.dst.index()], &tile.views[self.src.index()], self.factor);
        let (rows, cols) = (each(dst.valid.y), dst.valid.x);
        for (y, c) in rows.flat_map(|y| (0..dst.channels).map(move |c| (y, c))) {
            // The columns of one phase lie side by side in one channel of the source.
            for x in cols.start..cols.end.min(cols.start + r) {
                let count = (cols.end - x + r - 1) / r;
                let phase = y.rem_euclid(r) * r + x.rem_euclid(r);
                let from = element(src, c * r * r + phase, y.div_euclid(r), x.div_euclid(r));
                let to = element(dst, c, y, x);
                for i in 0..count {
                    // SAFETY: verified geometry: `dst` has the columns `x + i·r`, `src` those that they come from.
                    unsafe {
                        *to.offset((i * r * dst.lanes) as isize) = *from.offset((i * src.lanes) as isize)
                    };
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}
