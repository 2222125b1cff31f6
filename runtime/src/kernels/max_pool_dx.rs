//! The gradient of maxima over windows: for each pixel, the windows that it is in are gone through again.

use super::Body;
use super::geometry::{blocks, channel, column, each, element, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::instr::{AxisId, MaxPoolDx, Window};
use crate::program::{BufferId, Interval};

/// [`MaxPoolDx`], ready to run.
pub(super) struct MaxPoolDxKernel {
    dst: BufferId,
    x: BufferId,
    dy: BufferId,
    window: Window,
}

/// The three operands of a tile.
struct Views<'a> {
    dst: &'a View,
    x: &'a View,
    dy: &'a View,
}

impl MaxPoolDxKernel {
    pub(super) fn new(instr: &MaxPoolDx) -> Self {
        Self { dst: instr.dst, x: instr.x, dy: instr.dy, window: instr.window }
    }

    /// Along one axis, the windows that may hold input `i`.
    #[inline(always)]
    fn windows(&self, axis: AxisId, i: i64, within: Interval) -> Interval {
        self.window.transposed_need(axis, Interval::new(i, i + 1)).intersect(within)
    }

    /// Whether tap positions of window `o` along an axis meet input `i`.
    #[inline(always)]
    fn holds(&self, axis: usize, o: i64, i: i64) -> bool {
        let behind = i - (o * i64::from(self.window.stride[axis]) - self.window.pad[axis]);
        behind % i64::from(self.window.dilation[axis]).max(1) == 0
    }

    /// One pixel of `L` channels that lie side by side: what it gets, added to `acc`.
    ///
    /// # Safety
    ///
    /// `x` and `dy` are where channels of column 0 begin in the operands' slot 0, or would; the operands have the windows and
    /// their taps.
    #[inline(always)]
    unsafe fn pixel<const L: usize>(
        &self,
        views: &Views<'_>,
        [x, dy]: [*const f32; 2],
        [row, col]: [i64; 2],
    ) -> [f32; L] {
        let mut acc = [0.0; L];
        for oy in each(self.windows(AxisId::Y, row, views.dy.extent.y)) {
            if !self.holds(0, oy, row) {
                continue;
            }
            for ox in each(self.windows(AxisId::X, col, views.dy.extent.x)) {
                if !self.holds(1, ox, col) {
                    continue;
                }
                // SAFETY: the caller's promise.
                let (gets, gradient) = unsafe {
                    let offset = views.dy.slot(oy) * views.dy.row_stride + ox * views.dy.lanes;
                    let gradient = dy.wrapping_offset(offset as isize).cast::<[f32; L]>().read();
                    (self.is_maximum::<L>(views.x, x, [oy, ox], [row, col]), gradient)
                };
                for lane in 0..L {
                    acc[lane] = if gets[lane] { acc[lane] + gradient[lane] } else { acc[lane] };
                }
            }
        }
        acc
    }

    /// For each channel whether the maximum of window `(oy, ox)` is at a pixel.
    ///
    /// # Safety
    ///
    /// As for [`Self::pixel`].
    #[inline(always)]
    unsafe fn is_maximum<const L: usize>(
        &self,
        view: &View,
        from: *const f32,
        [oy, ox]: [i64; 2],
        at: [i64; 2],
    ) -> [bool; L] {
        let [dy, dx] = self.window.dilation.map(i64::from);
        let (y0, rows) = self.window.taps(0, oy, view.extent.y);
        let (x0, cols) = self.window.taps(1, ox, view.extent.x);
        let (mut largest, mut here) = ([0.0; L], [false; L]);
        let mut is_first = true;
        for ky in each(rows) {
            let y = y0 + ky * dy;
            let row = view.slot(y) * view.row_stride;
            for kx in each(cols) {
                let x = x0 + kx * dx;
                // SAFETY: the caller's promise.
                let values = unsafe {
                    from.wrapping_offset((row + x * view.lanes) as isize).cast::<[f32; L]>().read()
                };
                let is_here = [y, x] == at;
                for lane in 0..L {
                    let v = values[lane];
                    let wins = is_first || v > largest[lane] || v.is_nan();
                    largest[lane] = if wins { v } else { largest[lane] };
                    here[lane] = if wins { is_here } else { here[lane] };
                }
                is_first = false;
            }
        }
        here
    }
}

impl Body for MaxPoolDxKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S, tile: &Tile<'_>, _: &mut [f32]) {
        let [dst, x, dy] = [self.dst, self.x, self.dy].map(|b| &tile.views[b.index()]);
        let views = Views { dst, x, dy };
        let blocked = [dst, x, dy].iter().all(|view| view.lanes == LANES as i64);
        for row in each(dst.valid.y) {
            // SAFETY: verified geometry: the operands have the windows and their taps inside their extents, `dst` its valid part. A
            // block has `LANES` channels, side by side.
            unsafe {
                if blocked {
                    for block in 0..blocks(dst) {
                        let from = [x, dy].map(|view| column(view, block, 0).cast_const());
                        for col in each(dst.valid.x) {
                            let sums = self.pixel::<LANES>(&views, from, [row, col]);
                            pixel(dst, block, row, col).cast::<[f32; LANES]>().write(sums);
                        }
                    }
                } else {
                    for c in 0..dst.channels {
                        let from = [x, dy].map(|view| channel(view, column(view, 0, 0), c).cast_const());
                        for col in each(dst.valid.x) {
                            let [sum] = self.pixel::<1>(&views, from, [row, col]);
                            *element(views.dst, c, row, col) = sum;
                        }
                    }
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}
