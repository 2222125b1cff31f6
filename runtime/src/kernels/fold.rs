//! Reductions along one axis.

use super::Body;
use super::geometry::{blocks, each, element, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::BufferId;
use crate::program::instr::{Along, Fold, FoldKind};

/// [`Fold`], ready to run.
pub(super) struct FoldKernel {
    dst: BufferId,
    src: BufferId,
    along: Along,
    kind: FoldKind,
    length: i64,
}

impl FoldKernel {
    pub(super) fn new(fold: &Fold) -> Self {
        Self { dst: fold.dst, src: fold.src, along: fold.along, kind: fold.kind, length: fold.length as i64 }
    }

    /// # Safety
    ///
    /// As for [`Body::run`].
    #[inline(always)]
    unsafe fn fold<C: Chains>(&self, simd: impl Simd, dst: &View, src: &View) {
        // SAFETY: the caller's promise; the layouts are asked for here.
        unsafe {
            match self.along {
                Along::Channels if src.lanes == LANES as i64 => self.transposed::<C>(simd, dst, src),
                Along::Channels => self.over_channels::<C>(dst, src),
                Along::Rows if src.lanes == dst.lanes => self.down_columns::<C>(dst, src),
                Along::Columns if src.lanes == LANES as i64 && dst.lanes == LANES as i64 => {
                    self.along_rows::<C>(dst, src);
                }
                Along::Rows | Along::Columns => self.one_by_one::<C>(dst, src),
            }
        }
    }

    /// Over channels in blocks of 16: pixels become lanes.
    ///
    /// # Safety
    ///
    /// As for [`Body::run`]; the source has 16 lanes.
    #[inline(always)]
    unsafe fn transposed<C: Chains>(&self, simd: impl Simd, dst: &View, src: &View) {
        let (mut pixels, mut channels) = ([0.0; LANES * LANES], [0.0; LANES * LANES]);
        for_each_chunk(dst, |y, x, count| {
            let mut chains = C::start();
            for block in 0..blocks(src) {
                let mut from = pixel(src, block, y, x).cast_const();
                // SAFETY: the source has `count` pixels from there on; both squares hold 16 × 16 values.
                unsafe {
                    if count < LANES {
                        pixels.as_mut_ptr().copy_from_nonoverlapping(from, count * LANES);
                        from = pixels.as_ptr();
                    }
                    simd.transpose(from, LANES, channels.as_mut_ptr(), LANES);
                }
                let first = block * LANES as i64;
                let here = (self.length - first).min(LANES as i64) as usize;
                for (c, values) in channels.as_chunks().0.iter().enumerate().take(here) {
                    chains.step(first + c as i64, values);
                }
            }
            // SAFETY: the result has `count` pixels from there on.
            unsafe { scatter(&chains.finish(self.length), count, element(dst, 0, y, x), dst.lanes) };
        });
    }

    /// Over channels, whatever the layout.
    ///
    /// # Safety
    ///
    /// As for [`Body::run`].
    #[inline(always)]
    unsafe fn over_channels<C: Chains>(&self, dst: &View, src: &View) {
        for_each_chunk(dst, |y, x, count| {
            let mut chains = C::start();
            for c in 0..self.length {
                // SAFETY: the source has the channel, and `count` pixels from there on.
                let values = unsafe { gather(element(src, c, y, x), count, src.lanes) };
                chains.step(c, &values);
            }
            // SAFETY: the result has `count` pixels from there on.
            unsafe { scatter(&chains.finish(self.length), count, element(dst, 0, y, x), dst.lanes) };
        });
    }

    /// Down the columns, with pixels and channels as they lie.
    ///
    /// # Safety
    ///
    /// As for [`Body::run`]; both have the same lanes.
    #[inline(always)]
    unsafe fn down_columns<C: Chains>(&self, dst: &View, src: &View) {
        if dst.valid.is_empty() {
            return;
        }
        let (x, total) = (dst.valid.x.start, (dst.valid.x.len() * dst.lanes) as usize);
        for block in 0..blocks(dst) {
            for start in (0..total).step_by(LANES) {
                let count = LANES.min(total - start);
                let mut chains = C::start();
                for y in 0..self.length {
                    // SAFETY: so much of the row is there, in the source and in the result.
                    let values = unsafe { gather(pixel(src, block, y, x).add(start), count, 1) };
                    chains.step(y, &values);
                }
                let values = chains.finish(self.length);
                // SAFETY: as above.
                unsafe { scatter(&values, count, pixel(dst, block, 0, x).add(start), 1) };
            }
        }
    }

    /// Along the rows, with channels as they lie.
    ///
    /// # Safety
    ///
    /// As for [`Body::run`]; both have 16 lanes.
    #[inline(always)]
    unsafe fn along_rows<C: Chains>(&self, dst: &View, src: &View) {
        if dst.valid.is_empty() {
            return;
        }
        for (block, y) in (0..blocks(dst)).flat_map(|b| each(dst.valid.y).map(move |y| (b, y))) {
            let (mut chains, row) = (C::start(), pixel(src, block, y, 0));
            for x in 0..self.length {
                // SAFETY: the source has the row, and 16 channels of each pixel.
                let values = unsafe { gather(row.offset(x as isize * LANES as isize), LANES, 1) };
                chains.step(x, &values);
            }
            // SAFETY: the result has the pixel.
            unsafe { scatter(&chains.finish(self.length), LANES, pixel(dst, block, y, 0), 1) };
        }
    }

    /// Along a spatial axis, whatever the layout: up to 16 results of a channel at a time, which lie across the axis.
    ///
    /// # Safety
    ///
    /// As for [`Body::run`].
    #[inline(always)]
    unsafe fn one_by_one<C: Chains>(&self, dst: &View, src: &View) {
        let rows = self.along == Along::Rows;
        if dst.valid.is_empty() {
            return;
        }
        let across = if rows { dst.valid.x } else { dst.valid.y };
        for (c, first) in (0..dst.channels).flat_map(|c| each(across).step_by(LANES).map(move |o| (c, o))) {
            let results = first..across.end.min(first + LANES as i64);
            let mut chains = C::start();
            for i in 0..self.length {
                let mut values = [0.0; LANES];
                for (value, o) in values.iter_mut().zip(results.clone()) {
                    let (y, x) = if rows { (i, o) } else { (o, i) };
                    // SAFETY: the source has the whole axis of every result.
                    *value = unsafe { *element(src, c, y, x) };
                }
                chains.step(i, &values);
            }
            for (value, o) in chains.finish(self.length).into_iter().zip(results) {
                let (y, x) = if rows { (0, o) } else { (o, 0) };
                // SAFETY: the result is valid there.
                unsafe { *element(dst, c, y, x) = value };
            }
        }
    }
}

impl Body for FoldKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        // SAFETY: verified geometry: the source has the whole axis for each valid result.
        unsafe {
            match self.kind {
                FoldKind::Sum => self.fold::<Sums>(simd, dst, src),
                FoldKind::Mean => self.fold::<Means>(simd, dst, src),
                FoldKind::MeanSquare => self.fold::<MeanSquares>(simd, dst, src),
                FoldKind::Max => self.fold::<Maxima>(simd, dst, src),
                FoldKind::Argmax => self.fold::<Positions>(simd, dst, src),
            }
            fill_outside(dst);
        }
    }
}

/// Calls `f` with the first pixel of each stretch of a valid row, 16 pixels or what is left, and its length.
#[inline(always)]
fn for_each_chunk(dst: &View, mut f: impl FnMut(i64, i64, usize)) {
    if dst.valid.is_empty() {
        return;
    }
    for y in each(dst.valid.y) {
        for x in each(dst.valid.x).step_by(LANES) {
            f(y, x, LANES.min((dst.valid.x.end - x) as usize));
        }
    }
}

/// `count` values, `stride` apart.
///
/// # Safety
///
/// `from` is valid for reading them.
#[inline(always)]
unsafe fn gather(from: *const f32, count: usize, stride: i64) -> [f32; LANES] {
    if count == LANES && stride == 1 {
        // SAFETY: the caller's promise.
        return unsafe { *from.cast() };
    }
    let mut values = [0.0; LANES];
    for (i, value) in values.iter_mut().enumerate().take(count) {
        // SAFETY: the caller's promise.
        *value = unsafe { *from.offset(i as isize * stride as isize) };
    }
    values
}

/// The first `count` values to places `stride` apart.
///
/// # Safety
///
/// `to` is valid for writing them.
#[inline(always)]
unsafe fn scatter(values: &[f32; LANES], count: usize, to: *mut f32, stride: i64) {
    for (i, value) in values.iter().enumerate().take(count) {
        // SAFETY: the caller's promise.
        unsafe { *to.offset(i as isize * stride as isize) = *value };
    }
}

/// 16 folds side by side.
trait Chains {
    fn start() -> Self;
    /// The values number `i` of each.
    fn step(&mut self, i: i64, values: &[f32; LANES]);
    /// The results, after `length` steps.
    fn finish(self, length: i64) -> [f32; LANES];
}

struct Sums([f64; LANES]);

impl Chains for Sums {
    #[inline(always)]
    fn start() -> Self {
        Self([0.0; LANES])
    }

    #[inline(always)]
    fn step(&mut self, _: i64, values: &[f32; LANES]) {
        for (acc, &v) in self.0.iter_mut().zip(values) {
            *acc += f64::from(v);
        }
    }

    #[inline(always)]
    fn finish(self, _: i64) -> [f32; LANES] {
        self.0.map(|acc| acc as f32)
    }
}

struct Means(Sums);

impl Chains for Means {
    #[inline(always)]
    fn start() -> Self {
        Self(Sums::start())
    }

    #[inline(always)]
    fn step(&mut self, i: i64, values: &[f32; LANES]) {
        self.0.step(i, values);
    }

    #[inline(always)]
    fn finish(self, length: i64) -> [f32; LANES] {
        self.0.0.map(|acc| (acc / length as f64) as f32)
    }
}

struct MeanSquares(Means);

impl Chains for MeanSquares {
    #[inline(always)]
    fn start() -> Self {
        Self(Means::start())
    }

    #[inline(always)]
    fn step(&mut self, _: i64, values: &[f32; LANES]) {
        for (acc, &v) in self.0.0.0.iter_mut().zip(values) {
            *acc += f64::from(v) * f64::from(v);
        }
    }

    #[inline(always)]
    fn finish(self, length: i64) -> [f32; LANES] {
        self.0.finish(length)
    }
}

struct Maxima([f32; LANES]);

impl Chains for Maxima {
    #[inline(always)]
    fn start() -> Self {
        Self([f32::NEG_INFINITY; LANES])
    }

    #[inline(always)]
    fn step(&mut self, _: i64, values: &[f32; LANES]) {
        for (acc, &v) in self.0.iter_mut().zip(values) {
            *acc = if v > *acc || v.is_nan() { v } else { *acc };
        }
    }

    #[inline(always)]
    fn finish(self, _: i64) -> [f32; LANES] {
        self.0
    }
}

struct Positions {
    best: [f32; LANES],
    at: [f32; LANES],
}

impl Chains for Positions {
    #[inline(always)]
    fn start() -> Self {
        Self { best: [0.0; LANES], at: [0.0; LANES] }
    }

    #[inline(always)]
    fn step(&mut self, i: i64, values: &[f32; LANES]) {
        if i == 0 {
            self.best = *values;
        }
        for ((best, at), &v) in self.best.iter_mut().zip(&mut self.at).zip(values) {
            let take = v > *best || (v.is_nan() && !best.is_nan());
            *best = if take { v } else { *best };
            *at = if take { i as f32 } else { *at };
        }
    }

    #[inline(always)]
    fn finish(self, _: i64) -> [f32; LANES] {
        self.at
    }
}
