//! Linear and cubic resampling, columns first: a row of the source is resampled along x once, and kept for as long as outputs
//! may need it. Scratch is what every section has of it, so that a tile is done some columns at a time.

use super::Body;
use super::geometry::{blocks, each, element, fill_outside, pixel};
use super::nearest::{clamped, sources};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View, scratch_bytes};
use crate::program::instr::{Coordinate, Filter, Resize};
use crate::program::{BufferId, Interval};

/// f32s of scratch: weights and rows.
const SCRATCH: usize = scratch_bytes(0, 0) as usize / 4;

/// [`Resize`] with interpolation, ready to run.
pub(super) struct ResizeKernel {
    dst: BufferId,
    src: BufferId,
    filter: Filter,
    coordinates: [Coordinate; 2],
}

impl ResizeKernel {
    pub(super) fn new(instr: &Resize) -> Self {
        Self { dst: instr.dst, src: instr.src, filter: instr.filter, coordinates: instr.coordinates }
    }

    /// One tile, with `T` taps.
    ///
    /// # Safety
    ///
    /// As for [`Body::run`].
    #[inline(always)]
    unsafe fn tile<S: Simd, const T: usize>(&self, simd: S, views: [&View; 2], scratch: &mut [f32]) {
        let [dst, src] = views;
        // SAFETY: the caller's promise; views of the same lanes have as many blocks.
        unsafe {
            match (dst.lanes == src.lanes, dst.lanes) {
                (true, 16) => self.units::<S, T, 16>(simd, views, scratch, blocks(dst), pixel),
                (true, 8) => self.units::<S, T, 8>(simd, views, scratch, blocks(dst), pixel),
                (true, 4) => self.units::<S, T, 4>(simd, views, scratch, blocks(dst), pixel),
                _ => self.units::<S, T, 1>(simd, views, scratch, dst.channels, element),
            }
        }
    }

    /// `L` channels that lie side by side in both views are a unit; `address(view, unit, y, x)` is where those of a pixel are.
    ///
    /// # Safety
    ///
    /// `dst` has its valid part and `src` what that needs; if `L` is not 1, both have `L` lanes.
    #[inline(always)]
    unsafe fn units<S: Simd, const T: usize, const L: usize>(
        &self,
        simd: S,
        [dst, src]: [&View; 2],
        scratch: &mut [f32],
        units: i64,
        address: impl Fn(&View, i64, i64, i64) -> *mut f32,
    ) {
        let most = SCRATCH / (T * (1 + L));
        let (weights, rows) = scratch.split_at_mut(T * most);
        let weights = weights.as_chunks_mut::<T>().0;
        let mut start = dst.valid.x.start;
        while start < dst.valid.x.end {
            let cols = Interval::new(start, dst.valid.x.end.min(start + most as i64));
            let at = self.coordinates[1];
            for ((_, rest), weights) in sources(cols, at).zip(weights.iter_mut()) {
                *weights = self.weights(at.fraction(rest));
            }
            let weights = &weights[..cols.len() as usize];
            let mut columns = Columns { resize: self, simd, dst, src, cols, weights, rows };
            for unit in 0..units {
                // SAFETY: the caller's promise.
                unsafe { columns.unit::<L>(&address, unit) };
            }
            start = cols.end;
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
    fn scratch(&self) -> usize {
        SCRATCH
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        // SAFETY: the caller's promise.
        unsafe {
            if self.filter == Filter::Linear {
                self.tile::<S, 2>(simd, [dst, src], scratch);
            } else {
                self.tile::<S, 4>(simd, [dst, src], scratch);
            }
            fill_outside(dst);
        }
    }
}

/// Some columns of a tile.
struct Columns<'a, S, const T: usize> {
    resize: &'a ResizeKernel,
    simd: S,
    dst: &'a View,
    src: &'a View,
    cols: Interval,
    /// Of each column.
    weights: &'a [[f32; T]],
    /// `T` rows of the source, resampled along x.
    rows: &'a mut [f32],
}

impl<S: Simd, const T: usize> Columns<'_, S, T> {
    /// Resamples a unit of channels.
    ///
    /// # Safety
    ///
    /// As for [`ResizeKernel::units`].
    #[inline(always)]
    unsafe fn unit<const L: usize>(&mut self, address: impl Fn(&View, i64, i64, i64) -> *mut f32, unit: i64) {
        let (dst, src, first) = (self.dst, self.src, self.resize.filter.taps().start);
        let along = self.resize.coordinates[0];
        let mut held = [None; T];
        for ((at, rest), y) in sources(dst.valid.y, along).zip(each(dst.valid.y)) {
            let weights = self.resize.weights::<T>(along.fraction(rest));
            // Neighbouring rows, at most `T` of them: each has a place of its own.
            let from: [i64; T] = std::array::from_fn(|k| clamped(at + first + k as i64, src.extent.y));
            let places = from.map(|row| row.rem_euclid(T as i64) as usize);
            for (row, place) in from.into_iter().zip(places) {
                if held[place] != Some(row) {
                    // SAFETY: the caller's promise.
                    unsafe { self.along_x::<L>(place, address(src, unit, row, 0)) };
                    held[place] = Some(row);
                }
            }
            // SAFETY: the caller's promise.
            unsafe { self.along_y::<L>(places, weights, address(dst, unit, y, self.cols.start)) };
        }
    }

    /// Resamples a row of the source, whose pixel 0 lies (or would lie) at `from`.
    ///
    /// # Safety
    ///
    /// The row has what the columns need.
    #[inline(always)]
    unsafe fn along_x<const L: usize>(&mut self, place: usize, from: *const f32) {
        let (lanes, extent) = (self.src.lanes, self.src.extent.x);
        let (first, count) = (self.resize.filter.taps().start, self.weights.len() * L);
        let row = &mut self.rows[place * count..][..count];
        let columns = sources(self.cols, self.resize.coordinates[1]);
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
                    for (k, &weight) in weights.iter().enumerate().skip(1) {
                        acc = simd.fma(simd.splat(weight), simd.load(tap(k)), acc);
                    }
                    simd.store(to, acc);
                } else {
                    let mut acc = (*tap(0).cast::<[f32; L]>()).map(|v| weights[0] * v);
                    for (k, weight) in weights.iter().enumerate().skip(1) {
                        let values = &*tap(k).cast::<[f32; L]>();
                        for (acc, v) in acc.iter_mut().zip(values) {
                            *acc = weight.mul_add(*v, *acc);
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
    /// `to` is valid for writing the columns.
    #[inline(always)]
    unsafe fn along_y<const L: usize>(&self, places: [usize; T], weights: [f32; T], to: *mut f32) {
        let count = self.weights.len() * L;
        let rows = places.map(|place| &self.rows[place * count..][..count]);
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
        let mut i = whole;
        while i < count {
            let mut acc = weights[0] * rows[0][i];
            for k in 1..T {
                acc = weights[k].mul_add(rows[k][i], acc);
            }
            // SAFETY: the caller's promise: elements of a row lie `step` apart.
            unsafe { *to.add(i * step) = acc };
            i += 1;
        }
    }
}
