//! Pooling over windows.

use super::Body;
use super::geometry::{blocks, channel, column, each, element, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::instr::{Pool, PoolKind, Window};
use crate::program::{BufferId, Interval, Region};

/// [`Pool`], ready to run.
pub(super) struct PoolKernel {
    dst: BufferId,
    src: BufferId,
    kind: PoolKind,
    window: Window,
}

impl PoolKernel {
    pub(super) fn new(instr: &Pool) -> Self {
        Self { dst: instr.dst, src: instr.src, kind: instr.kind, window: instr.window }
    }

    /// Number of taps that the definition divides by.
    #[inline(always)]
    fn count(&self, extent: Region, y: i64, x: i64) -> f32 {
        let PoolKind::Average { margin: [top, left, bottom, right] } = self.kind else { return 1.0 };
        let wide =
            |i: Interval, a: i64, b: i64| Interval::new(i.start.saturating_sub(a), i.end.saturating_add(b));
        let rows = self.window.taps(0, y, wide(extent.y, top, bottom)).1;
        let cols = self.window.taps(1, x, wide(extent.x, left, right)).1;
        (rows.len() * cols.len()) as f32
    }

    /// Calls `f` with the offset in the source, from the first column of slot 0 on, of each tap inside the tensor.
    #[inline(always)]
    fn for_each_tap(&self, src: &View, y: i64, x: i64, mut f: impl FnMut(isize)) {
        let [dy, dx] = self.window.dilation.map(i64::from);
        let (y0, rows) = self.window.taps(0, y, src.extent.y);
        let (x0, cols) = self.window.taps(1, x, src.extent.x);
        for ky in each(rows) {
            let row = src.slot(y0 + ky * dy) * src.row_stride;
            for kx in each(cols) {
                f((row + (x0 + kx * dx - src.x0) * src.lanes) as isize);
            }
        }
    }

    /// One pixel of a block of 16 channels.
    ///
    /// # Safety
    ///
    /// `from` is where the block of the source begins, and the source has the taps.
    #[inline(always)]
    unsafe fn block<S: Simd>(&self, simd: S, src: &View, from: *const f32, y: i64, x: i64) -> S::V {
        // SAFETY: the caller's promise.
        let load = |offset| unsafe { simd.load(from.offset(offset)) };
        if let PoolKind::Max = self.kind {
            let mut acc = simd.splat(f32::NEG_INFINITY);
            self.for_each_tap(src, y, x, |offset| acc = simd.max_nan(acc, load(offset)));
            acc
        } else {
            let mut acc = simd.splat(0.0);
            self.for_each_tap(src, y, x, |offset| acc = simd.add(acc, load(offset)));
            simd.div(acc, simd.splat(self.count(src.extent, y, x)))
        }
    }

    /// One element.
    ///
    /// # Safety
    ///
    /// `from` is where the channel of the source begins, and the source has the taps.
    #[inline(always)]
    unsafe fn element(&self, src: &View, from: *const f32, y: i64, x: i64) -> f32 {
        // SAFETY: the caller's promise.
        let load = |offset| unsafe { *from.offset(offset) };
        if let PoolKind::Max = self.kind {
            let mut acc = f32::NEG_INFINITY;
            self.for_each_tap(src, y, x, |offset| {
                let v = load(offset);
                acc = if v > acc || v.is_nan() { v } else { acc };
            });
            acc
        } else {
            let mut acc = 0.0;
            self.for_each_tap(src, y, x, |offset| acc += load(offset));
            acc / self.count(src.extent, y, x)
        }
    }
}

impl Body for PoolKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let blocked = dst.lanes == LANES as i64 && src.lanes == LANES as i64;
        for y in each(dst.valid.y) {
            // SAFETY: verified geometry: `src` has the taps inside its extent, `dst` its valid part.
            unsafe {
                if blocked {
                    for block in 0..blocks(dst) {
                        let from = column(src, block, src.x0);
                        for x in each(dst.valid.x) {
                            simd.store(pixel(dst, block, y, x), self.block(simd, src, from, y, x));
                        }
                    }
                } else {
                    for c in 0..dst.channels {
                        let from = channel(src, column(src, 0, src.x0), c);
                        for x in each(dst.valid.x) {
                            *element(dst, c, y, x) = self.element(src, from, y, x);
                        }
                    }
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}
