//! Linear and cubic resampling, rows first: a row of the source is resampled along x once, and kept for as long as outputs may
//! need it.

use super::Body;
use super::geometry::{blocks, each, element, fill_outside, pixel};
use super::nearest::{clamped, sources};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::instr::{Coordinate, Filter, Resize};
use crate::program::{BufferId, Section};

/// [`Resize`] with interpolation, ready to run.
pub(super) struct ResizeKernel {
    dst: BufferId,
    src: BufferId,
    filter: Filter,
    coordinates: [Coordinate; 2],
    /// Columns of the buffer that is written.
    cols: usize,
}

impl ResizeKernel {
    pub(super) fn new(section: &Section, instr: &Resize) -> Self {
        let cols = section.buffers[instr.dst.index()].cols as usize;
        Self { dst: instr.dst, src: instr.src, filter: instr.filter, coordinates: instr.coordinates, cols }
    }

    fn taps(&self) -> usize {
        self.filter.taps().len() as usize
    }

    /// One tile, with `T` taps.
    ///
    /// # Safety
    ///
    /// As for [`Body::run`].
    #[inline(always)]
    unsafe fn tile<S: Simd, const T: usize>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let (weights, rows) = scratch.split_at_mut(T * self.cols);
        let weights = weights.as_chunks_mut::<T>().0;
        for ((_, rest), weights) in sources(dst.valid.x, self.coordinates[1]).zip(weights.iter_mut()) {
            *weights = self.weights(self.coordinates[1].fraction(rest));
        }
        let mut pass = Pass { resize: self, simd, dst, src, weights, rows };
        // SAFETY: the caller's promise.
        unsafe {
            match (dst.lanes == src.lanes, dst.lanes) {
                (true, 16) => (0..blocks(dst)).for_each(|b| pass.unit::<16>(pixel, b)),
                (true, 8) => (0..blocks(dst)).for_each(|b| pass.unit::<8>(pixel, b)),
                (true, 4) => (0..blocks(dst)).for_each(|b| pass.unit::<4>(pixel, b)),
                _ => (0..dst.channels).for_each(|c| pass.unit::<1>(element, c)),
            }
        }
    }

    /// The weights of the taps, as in the canonical order.
    #[inline(always)]
    fn weights<const T: usize>(&self, f: f32) -> [f32; T] {
        let g = 1.0 - f;
        let inner = |t: f32| 1.25f32.mul_add(t, -2.25).mul_add(t * t, 1.0);
        let cubic = [-0.75 * f * g * g, inner(f), inner(g), -0.75 * g * f * f];
        let linear = [g, f];
        std::array::from_fn(|k| if T == 2 { linear[k % 2] } else { cubic[k % 4] })
    }
}

impl Body for ResizeKernel {
    /// The weights of each column, and a row for each tap.
    fn scratch(&self) -> usize {
        self.taps() * self.cols * (1 + LANES)
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.taps() == 2 {
                self.tile::<S, 2>(simd, tile, scratch);
            } else {
                self.tile::<S, 4>(simd, tile, scratch);
            }
            fill_outside(&tile.views[self.dst.index()]);
        }
    }
}

/// What all channels of a tile share.
struct Pass<'a, S, const T: usize> {
    resize: &'a ResizeKernel,
    simd: S,
    dst: &'a View,
    src: &'a View,
    /// Of each column written.
    weights: &'a [[f32; T]],
    /// Rows of the source, resampled along x: row `y` in place `y mod T`.
    rows: &'a mut [f32],
}

impl<S: Simd, const T: usize> Pass<'_, S, T> {
    /// `L` channels that lie side by side in both views; `address(view, unit, y, x)` is where those of a pixel are.
    ///
    /// # Safety
    ///
    /// `dst` has its valid part and `src` what that needs; if `L` is not 1, both have `L` lanes.
    #[inline(always)]
    unsafe fn unit<const L: usize>(&mut self, address: impl Fn(&View, i64, i64, i64) -> *mut f32, unit: i64) {
        let (dst, src, first) = (self.dst, self.src, self.resize.filter.taps().start);
        let along = self.resize.coordinates[0];
        let mut held = [None; T];
        for y in each(dst.valid.y) {
            let (at, rest) = along.split(y);
            let weights = self.resize.weights::<T>(along.fraction(rest));
            // `T` neighbouring rows, and each in a place of its own.
            let from: [i64; T] = std::array::from_fn(|k| clamped(at + first + k as i64, src.extent.y));
            for row in from {
                let place = row.rem_euclid(T as i64) as usize;
                if held[place] != Some(row) {
                    // SAFETY: the caller's promise.
                    unsafe { self.along_x::<L>(place, address(src, unit, row, 0)) };
                    held[place] = Some(row);
                }
            }
            let places = from.map(|row| row.rem_euclid(T as i64) as usize);
            // SAFETY: the caller's promise.
            unsafe { self.along_y::<L>(places, weights, address(dst, unit, y, dst.valid.x.start)) };
        }
    }

    /// Resamples a row of the source, whose pixel 0 lies (or would lie) at `from`.
    ///
    /// # Safety
    ///
    /// The row has what the valid columns of `dst` need.
    #[inline(always)]
    unsafe fn along_x<const L: usize>(&mut self, place: usize, from: *const f32) {
        let (lanes, extent) = (self.src.lanes, self.src.extent.x);
        let first = self.resize.filter.taps().start;
        let row = &mut self.rows[place * self.resize.cols * LANES..][..self.weights.len() * L];
        let columns = sources(self.dst.valid.x, self.resize.coordinates[1]);
        for (((at, _), weights), to) in columns.zip(self.weights).zip(row.as_chunks_mut::<L>().0) {
            let tap = |k: usize| {
                let x = clamped(at + first + k as i64, extent);
                from.wrapping_offset((x * lanes) as isize)
            };
            // SAFETY: the caller's promise, for each tap.
            unsafe {
                if L == LANES {
                    let (simd, to) = (self.simd, to.as_mut_ptr());
                    let mut acc = simd.mul(simd.splat(weights[0]), simd.load(tap(0)));
                    for k in 1..T {
                        acc = simd.fma(simd.splat(weights[k]), simd.load(tap(k)), acc);
                    }
                    simd.store(to, acc);
                } else {
                    let mut acc = (*tap(0).cast::<[f32; L]>()).map(|v| weights[0] * v);
                    for k in 1..T {
                        let values = &*tap(k).cast::<[f32; L]>();
                        for (acc, v) in acc.iter_mut().zip(values) {
                            *acc = weights[k].mul_add(*v, *acc);
                        }
                    }
                    *to = acc;
                }
            }
        }
    }

    /// Weighs the rows at `places` into the row of the destination that begins at `to`.
    ///
    /// # Safety
    ///
    /// `to` is valid for writing the valid columns.
    #[inline(always)]
    unsafe fn along_y<const L: usize>(&self, places: [usize; T], weights: [f32; T], to: *mut f32) {
        let count = self.dst.valid.x.len() as usize * L;
        let rows = places.map(|place| &self.rows[place * self.resize.cols * LANES..][..count]);
        let step = if L == 1 { self.dst.lanes as usize } else { 1 };
        let whole = if step == 1 { count - count % LANES } else { 0 };
        let simd = self.simd;
        let splat = weights.map(|w| simd.splat(w));
        for i in (0..whole).step_by(LANES) {
            // SAFETY: `i + LANES` is at most `count`, the length of each row, and `to` takes as many.
            unsafe {
                let mut acc = simd.mul(splat[0], simd.load(rows[0].as_ptr().add(i)));
                for k in 1..T {
                    acc = simd.fma(splat[k], simd.load(rows[k].as_ptr().add(i)), acc);
                }
                simd.store(to.add(i), acc);
            }
        }
        for i in whole..count {
            let mut acc = weights[0] * rows[0][i];
            for k in 1..T {
                acc = weights[k].mul_add(rows[k][i], acc);
            }
            // SAFETY: the caller's promise: elements of a row lie `step` apart.
            unsafe { *to.add(i * step) = acc };
        }
    }
}
