//! Products of matrices. A row of the result is channels and columns as they lie in a block; so many of them as registers hold are
//! summed at a time.

use super::Body;
use super::geometry::{blocks, each, element, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::BufferId;
use crate::program::instr::Matmul;

/// Vectors of sums at a time.
const WIDE: usize = 4;

/// [`Matmul`], ready to run.
pub(super) struct MatmulKernel {
    dst: BufferId,
    a: BufferId,
    b: BufferId,
    inner: i64,
}

impl MatmulKernel {
    pub(super) fn new(matmul: &Matmul) -> Self {
        Self { dst: matmul.dst, a: matmul.a, b: matmul.b, inner: matmul.inner as i64 }
    }

    /// Calls `f` with the stretches that the valid part of the result is made of.
    #[inline(always)]
    fn for_each_stretch(dst: &View, mut f: impl FnMut(Stretch)) {
        if dst.valid.is_empty() {
            return;
        }
        let total = dst.valid.x.len() * dst.lanes;
        for (block, y) in (0..blocks(dst)).flat_map(|b| each(dst.valid.y).map(move |y| (b, y))) {
            let mut start = 0;
            while start < total {
                let left = (total - start) as usize;
                let count = if left >= WIDE * LANES { WIDE * LANES } else { left.min(LANES) };
                f(Stretch { block, y, x: dst.valid.x.start, start: start as usize, count });
                start += count as i64;
            }
        }
    }
}

/// Elements of a row of a block of the result, which lie side by side: `WIDE` vectors, one, or less than one.
#[derive(Clone, Copy)]
struct Stretch {
    block: i64,
    y: i64,
    /// Column of the row's first element.
    x: i64,
    /// First element, counted in the row.
    start: usize,
    count: usize,
}

impl Stretch {
    /// Channel and column of its element `i`.
    #[inline(always)]
    fn at(self, lanes: i64, i: usize) -> (i64, i64) {
        let i = (self.start + i) as i64;
        (self.block * lanes + i % lanes, self.x + i / lanes)
    }
}

/// The left operand, and the result's layout.
#[derive(Clone, Copy)]
struct Left<'a> {
    view: &'a View,
    lanes: i64,
    channels: i64,
}

impl Left<'_> {
    /// One value for each lane of a vector of `stretch`, at column `k`; vectors hold whole pixels.
    ///
    /// # Safety
    ///
    /// The operand has the row of the stretch, and the column.
    #[inline(always)]
    unsafe fn load<S: Simd>(self, simd: S, stretch: Stretch, k: i64) -> S::V {
        let Stretch { block, y, .. } = stretch;
        // SAFETY: the caller's promise; lanes past the last channel are not read unless they are there.
        unsafe {
            if self.view.channels == 1 || self.lanes == 1 {
                let c = if self.view.channels == 1 { 0 } else { block };
                return simd.splat(*element(self.view, c, y, k));
            }
            if self.view.lanes == LANES as i64 && self.lanes == LANES as i64 {
                return simd.load(pixel(self.view, block, y, k));
            }
            let mut values = [0.0; LANES];
            for (i, value) in values.iter_mut().enumerate() {
                let (c, _) = stretch.at(self.lanes, i);
                if c < self.channels {
                    *value = *element(self.view, c, y, k);
                }
            }
            simd.load(values.as_ptr())
        }
    }
}

/// The right operand, and the result's layout.
#[derive(Clone, Copy)]
struct Right<'a> {
    view: &'a View,
    lanes: i64,
    channels: i64,
    /// Whether it is laid out as the result is.
    alike: bool,
}

impl Right<'_> {
    /// Vector `v` of a stretch, at row `k`.
    ///
    /// # Safety
    ///
    /// The operand has the columns of the stretch, and the row.
    #[inline(always)]
    unsafe fn load<S: Simd>(self, simd: S, stretch: Stretch, v: usize, k: i64) -> S::V {
        let first = v * LANES;
        // SAFETY: the caller's promise; lanes past the last channel are not read unless they are there.
        unsafe {
            if self.alike && stretch.count >= LANES {
                return simd.load(pixel(self.view, stretch.block, k, stretch.x).add(stretch.start + first));
            }
            let mut values = [0.0; LANES];
            for (i, value) in values.iter_mut().enumerate().take(stretch.count - first) {
                let (c, x) = stretch.at(self.lanes, first + i);
                if c < self.channels {
                    *value = *element(self.view, if self.view.channels == 1 { 0 } else { c }, k, x);
                }
            }
            simd.load(values.as_ptr())
        }
    }
}

impl Body for MatmulKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, _: &mut [f32]) {
        let [dst, a, b] = [self.dst, self.a, self.b].map(|id| &tile.views[id.index()]);
        let (lanes, channels) = (dst.lanes, dst.channels);
        let left = Left { view: a, lanes, channels };
        let alike = b.lanes == lanes && b.channels == channels;
        let right = Right { view: b, lanes, channels, alike };
        Self::for_each_stretch(dst, |stretch| {
            let out = pixel(dst, stretch.block, stretch.y, stretch.x).wrapping_add(stretch.start);
            // SAFETY: verified geometry: the operands have what the valid part needs; a stretch lies in it.
            unsafe {
                if stretch.count == WIDE * LANES {
                    let sums = product::<S, WIDE>(simd, self.inner, stretch, left, right);
                    for (v, sum) in sums.into_iter().enumerate() {
                        simd.store(out.add(v * LANES), sum);
                    }
                } else {
                    let [sum] = product::<S, 1>(simd, self.inner, stretch, left, right);
                    let mut values = [0.0; LANES];
                    simd.store(values.as_mut_ptr(), sum);
                    out.copy_from_nonoverlapping(values.as_ptr(), stretch.count);
                }
            }
        });
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}

/// `N` vectors of sums.
///
/// # Safety
///
/// The operands have what the stretch needs.
#[inline(always)]
unsafe fn product<S: Simd, const N: usize>(
    simd: S,
    inner: i64,
    stretch: Stretch,
    left: Left<'_>,
    right: Right<'_>,
) -> [S::V; N] {
    let mut sums = [simd.splat(0.0); N];
    for k in 0..inner {
        // SAFETY: the caller's promise.
        let a = unsafe { left.load(simd, stretch, k) };
        for (v, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let b = unsafe { right.load(simd, stretch, v, k) };
            *sum = simd.fma(a, b, *sum);
        }
    }
    sums
}
