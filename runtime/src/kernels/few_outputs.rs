//! Convolution with very few output channels, as last layers are: sixteen outputs side by side would mostly be padding, so
//! that pixels are lanes instead.
//!
//! A vector is 16 neighbouring pixels of one output channel; a weight is broadcast. A strip of some rows and vectors takes
//! one row of one block of the source's channels after the other, transposed in scratch, and uses it for all of its rows.

use super::Body;
use super::elementwise::Elementwise;
use super::geometry::{blocks, element, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, scratch_bytes};
use crate::program::instr::{Conv2d, Window};
use crate::program::{BufferId, Interval, Program, Region, Section, WeightId};

/// Most output channels.
const MAX_OUTPUTS: u64 = 4;

/// Most vectors of a strip.
const MAX_VECTORS: usize = 2;

/// [`Conv2d`] with few outputs, ready to run.
pub(super) struct FewOutputs {
    dst: BufferId,
    src: BufferId,
    weight: WeightId,
    bias: Option<WeightId>,
    window: Window,
    inputs: usize,
    outputs: usize,
    /// f32s of one channel of a strip's row.
    cols: usize,
    epilogue: Option<Elementwise>,
}

/// Where a strip begins: a row of the result, and a number of columns past the first valid one.
#[derive(Clone, Copy)]
struct Corner {
    y: i64,
    x: usize,
}

impl FewOutputs {
    /// `None` where the convolution is of another kind, or its rows do not fit the scratch that is planned for.
    pub(super) fn new(program: &Program, section: &Section, conv: &Conv2d) -> Option<Self> {
        let (dst, src) = (section.buffers.get(conv.dst.index())?, section.buffers.get(conv.src.index())?);
        let Window { kernel, stride, dilation, .. } = conv.window;
        let reach = (kernel[1] as usize).checked_sub(1)?.checked_mul(dilation[1] as usize)?;
        let cols = reach.checked_add(MAX_VECTORS * LANES)?;
        let taps = (kernel[0] as usize).checked_mul(kernel[1] as usize)?;
        // Plans count the scratch of the shortest expression, and a block of 16 × 16 weights.
        let planned = scratch_bytes(0, 0) / 4 + (taps as u64).checked_mul(256)?;
        let fits = conv.groups == 1
            && dst.channels <= MAX_OUTPUTS
            && src.lanes as usize == LANES
            && stride[1] == 1
            && kernel[0] > 0
            && dilation[0] > 0
            && (cols as u64).checked_mul(LANES as u64)? <= planned;
        if !fits {
            return None;
        }
        let epilogue = match &conv.epilogue {
            Some(epilogue) => Some(Elementwise::epilogue(program, section, conv.dst, epilogue)?),
            None => None,
        };
        Some(Self {
            dst: conv.dst,
            src: conv.src,
            weight: conv.weight,
            bias: conv.bias,
            window: conv.window,
            inputs: usize::try_from(src.channels).ok()?,
            outputs: usize::try_from(dst.channels).ok()?,
            cols,
            epilogue,
        })
    }

    /// Columns that a kernel reaches past its first one.
    fn reach(&self) -> usize {
        (self.window.kernel[1] as usize - 1) * self.window.dilation[1] as usize
    }

    /// Rows of a strip from `y` on, for `OUT` channels.
    ///
    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`]; the result has the channels and the rows.
    #[inline(always)]
    unsafe fn rows<S: Simd, const OUT: usize, const ROWS: usize>(
        &self,
        simd: S,
        tile: &Tile<'_>,
        y: i64,
        scratch: &mut [f32],
    ) {
        let valid = tile.views[self.dst.index()].valid.x.len() as usize;
        let mut x = 0;
        while x < valid {
            let corner = Corner { y, x };
            // SAFETY: the caller's promise.
            unsafe {
                if S::PIXELS == 14 {
                    self.strip::<S, OUT, ROWS, MAX_VECTORS>(simd, tile, corner, scratch);
                    x += MAX_VECTORS * LANES;
                } else {
                    self.strip::<S, OUT, ROWS, 1>(simd, tile, corner, scratch);
                    x += LANES;
                }
            }
        }
    }

    /// `ROWS` rows × `VECTORS` × 16 pixels, fewer where the valid part ends.
    ///
    /// # Safety
    ///
    /// As for [`Self::rows`].
    #[inline(always)]
    unsafe fn strip<S: Simd, const OUT: usize, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        tile: &Tile<'_>,
        corner: Corner,
        scratch: &mut [f32],
    ) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let [kh, kw] = self.window.kernel.map(|k| k as usize);
        let [sy, dy] = [self.window.stride[0], self.window.dilation[0]].map(|n| n as usize);
        let first_y = corner.y * sy as i64 - self.window.pad[0];
        let first_x = dst.valid.x.start + corner.x as i64 - self.window.pad[1];
        let pixels = (VECTORS * LANES).min(dst.valid.x.len() as usize - corner.x);
        let mut acc = [[[simd.splat(0.0); VECTORS]; OUT]; ROWS];
        if let Some(bias) = self.bias {
            for (o, v) in (0..OUT).cycle().zip(acc.as_flattened_mut()) {
                // SAFETY: the bias holds a block of 16.
                *v = [simd.splat(unsafe { *tile.weights[bias.index()].add(o) }); VECTORS];
            }
        }
        for first in (0..self.inputs).step_by(LANES) {
            let inputs = LANES.min(self.inputs - first);
            let weights = tile.weights[self.weight.index()].wrapping_add(first * kh * kw * LANES);
            for below in 0..(ROWS - 1) * sy + (kh - 1) * dy + 1 {
                // The kernel row with which a row of the strip sees this row of the source.
                let tap = |row: usize| {
                    let t = below.checked_sub(row * sy)?;
                    (t % dy == 0 && t / dy < kh).then_some(t / dy)
                };
                if (0..ROWS).all(|row| tap(row).is_none()) {
                    continue;
                }
                let from = pixel(src, (first / LANES) as i64, first_y + below as i64, first_x);
                // SAFETY: verified geometry: the source has the row, which a tap needs, and its columns.
                unsafe { self.transpose(simd, from, pixels + self.reach(), scratch) };
                for (row, acc) in acc.iter_mut().enumerate() {
                    let Some(ky) = tap(row) else { continue };
                    let weights = weights.wrapping_add(ky * kw * inputs * LANES);
                    // SAFETY: the scratch holds the row's channels, and the weights 16 values a tap and channel.
                    unsafe { self.multiply(simd, acc, inputs, weights, scratch) };
                }
            }
        }
        for (row, acc) in acc.iter().enumerate() {
            for (o, acc) in acc.iter().enumerate() {
                let to = element(dst, o as i64, corner.y + row as i64, dst.valid.x.start + corner.x as i64);
                // SAFETY: the result has the channel and so many pixels of the row.
                unsafe { scatter(simd, acc, to, dst.lanes as usize, pixels) };
            }
        }
    }

    /// Adds the taps of one row of the kernel for a block of channels.
    ///
    /// # Safety
    ///
    /// `row` is what [`Self::transpose`] left; `weights` is valid for reading 16 values a tap and channel.
    #[inline(always)]
    unsafe fn multiply<S: Simd, const OUT: usize, const VECTORS: usize>(
        &self,
        simd: S,
        acc: &mut [[S::V; VECTORS]; OUT],
        inputs: usize,
        mut weights: *const f32,
        row: &[f32],
    ) {
        let mut sums = *acc;
        for kx in 0..self.window.kernel[1] as usize {
            let mut from = row.as_ptr().wrapping_add(kx * self.window.dilation[1] as usize);
            for _ in 0..inputs {
                let mut v = [simd.splat(0.0); VECTORS];
                for (n, v) in v.iter_mut().enumerate() {
                    // SAFETY: a channel of the row is as long as the vectors and the kernel's reach.
                    *v = unsafe { simd.load(from.add(n * LANES)) };
                }
                for (o, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: the caller's promise.
                    let w = simd.splat(unsafe { *weights.add(o) });
                    for (sum, &v) in sums.iter_mut().zip(&v) {
                        *sum = simd.fma(v, w, *sum);
                    }
                }
                from = from.wrapping_add(self.cols);
                weights = weights.wrapping_add(LANES);
            }
        }
        *acc = sums;
    }

    /// Brings `count` pixels of a block of the source into `row`, channel by channel.
    ///
    /// # Safety
    ///
    /// `from` is valid for reading the pixels; they are at most [`Self::cols`], and `row` is 16 times as long.
    #[inline(always)]
    unsafe fn transpose<S: Simd>(&self, simd: S, from: *const f32, count: usize, row: &mut [f32]) {
        let to = row.as_mut_ptr();
        let whole = count / LANES * LANES;
        // SAFETY: the caller's promise.
        unsafe {
            for i in (0..whole).step_by(LANES) {
                simd.transpose(from.add(i * LANES), LANES, to.add(i), self.cols);
            }
            for i in whole..count {
                for lane in 0..LANES {
                    *to.add(lane * self.cols + i) = *from.add(i * LANES + lane);
                }
            }
        }
    }
}

/// Writes the first `count` lanes of some vectors, `step` f32s apart.
///
/// # Safety
///
/// `to` is valid for writing them.
#[inline(always)]
unsafe fn scatter<S: Simd>(simd: S, vectors: &[S::V], to: *mut f32, step: usize, count: usize) {
    for (n, &v) in vectors.iter().enumerate() {
        let to = to.wrapping_add(n * LANES * step);
        let count = count.saturating_sub(n * LANES).min(LANES);
        // SAFETY: the caller's promise; a vector is 16 f32s.
        unsafe {
            if step == 1 && count == LANES {
                simd.store(to, v);
                continue;
            }
            let mut values = [0.0f32; LANES];
            simd.store(values.as_mut_ptr(), v);
            for (i, &value) in values[..count].iter().enumerate() {
                *to.add(i * step) = value;
            }
        }
    }
}

impl FewOutputs {
    /// The valid part of the result, for `OUT` channels.
    ///
    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`]; the result has the channels.
    #[inline(always)]
    unsafe fn all<S: Simd, const OUT: usize>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        let dst = &tile.views[self.dst.index()];
        let Interval { start: mut y, end } = dst.valid.y;
        while y < end {
            // As many rows as registers hold.
            let many = if S::PIXELS == 14 { 3 } else { 2 };
            let rows = if end - y >= many { many } else { 1 };
            // SAFETY: the caller's promise; the rows are complete when the epilogue runs.
            unsafe {
                match rows {
                    3 => self.rows::<S, OUT, 3>(simd, tile, y, scratch),
                    2 => self.rows::<S, OUT, 2>(simd, tile, y, scratch),
                    _ => self.rows::<S, OUT, 1>(simd, tile, y, scratch),
                }
                if let Some(epilogue) = &self.epilogue {
                    let region = Region { y: Interval::new(y, y + rows), x: dst.valid.x };
                    epilogue.run(simd, tile, scratch, 0..blocks(dst), region);
                }
            }
            y += rows;
        }
    }
}

impl Body for FewOutputs {
    /// Rows of the source and the epilogue's values take turns.
    fn scratch(&self) -> usize {
        (self.cols * LANES).max(self.epilogue.as_ref().map_or(0, Elementwise::scratch))
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        let dst = &tile.views[self.dst.index()];
        // SAFETY: the caller's promise.
        unsafe {
            match self.outputs {
                _ if dst.valid.is_empty() => {}
                1 => self.all::<S, 1>(simd, tile, scratch),
                2 => self.all::<S, 2>(simd, tile, scratch),
                3 => self.all::<S, 3>(simd, tile, scratch),
                _ => self.all::<S, 4>(simd, tile, scratch),
            }
            fill_outside(dst);
        }
    }
}
