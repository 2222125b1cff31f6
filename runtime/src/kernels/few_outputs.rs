//! Convolution with very few output channels, as last layers are: sixteen outputs side by side would mostly be padding, so
//! that pixels are lanes instead.
//!
//! The source's rows are brought into planes (channel by channel) in scratch, each once, into a ring as high as the kernel
//! reaches. A vector is 16 neighbouring pixels of one output channel; a weight is broadcast.

use super::Body;
use super::elementwise::Elementwise;
use super::geometry::{blocks, each, element, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::instr::{Conv2d, Window};
use crate::program::{Buffer, BufferId, Interval, Program, Region, Section, WeightId};

/// Most output channels.
const MAX_OUTPUTS: u64 = 4;

/// Most f32s of the ring: 512 KiB, to stay in the L2 cache.
const MAX_RING: usize = 1 << 17;

/// [`Conv2d`] with few outputs, ready to run.
pub(super) struct FewOutputs {
    dst: BufferId,
    src: BufferId,
    weight: WeightId,
    bias: Option<WeightId>,
    window: Window,
    inputs: usize,
    outputs: usize,
    ring: Ring,
    epilogue: Option<Elementwise>,
}

/// Rows of the source, channel by channel: row `y` in slot `y mod rows`.
#[derive(Clone, Copy)]
struct Ring {
    rows: usize,
    /// f32s of a row of one channel; a vector more than the pixels need, since the last pixels may be few.
    cols: usize,
    channels: usize,
}

impl Ring {
    fn len(&self) -> Option<usize> {
        self.rows.checked_mul(self.cols)?.checked_mul(self.channels)
    }

    /// Where channel `c` of row `y` begins.
    #[inline(always)]
    fn row(&self, y: i64, c: usize) -> usize {
        (y.rem_euclid(self.rows as i64) as usize * self.channels + c) * self.cols
    }
}

impl FewOutputs {
    /// `None` where the convolution is of another kind.
    pub(super) fn new(program: &Program, section: &Section, conv: &Conv2d) -> Option<Self> {
        let (dst, src) = (section.buffers.get(conv.dst.index())?, section.buffers.get(conv.src.index())?);
        let fits = conv.groups == 1
            && dst.channels <= MAX_OUTPUTS
            && src.lanes as usize == LANES
            && conv.window.stride[1] == 1;
        let ring = fits.then(|| ring(&conv.window, src, dst)).flatten()?;
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
            ring,
            epilogue,
        })
    }

    /// Brings row `y` of the source into the ring, from column `x` on as many as the valid part of the result reads.
    ///
    /// # Safety
    ///
    /// The source has the row and the columns; `ring` is as long as [`Ring::len`] says.
    #[inline(always)]
    unsafe fn unpack<S: Simd>(&self, simd: S, src: &View, [y, x]: [i64; 2], count: usize, ring: &mut [f32]) {
        for block in 0..blocks(src) {
            let from = pixel(src, block, y, x);
            let rows = &mut ring[self.ring.row(y, block as usize * LANES)..][..LANES * self.ring.cols];
            let whole = count / LANES * LANES;
            for i in (0..whole).step_by(LANES) {
                // SAFETY: the caller's promise; the ring's channels are whole blocks.
                unsafe {
                    let to = rows.as_mut_ptr().add(i);
                    simd.transpose(from.add(i * LANES), LANES, to, self.ring.cols);
                }
            }
            for (lane, row) in rows.chunks_exact_mut(self.ring.cols).enumerate() {
                for (i, v) in row.iter_mut().enumerate().take(count).skip(whole) {
                    // SAFETY: the caller's promise.
                    *v = unsafe { *from.add(i * LANES + lane) };
                }
            }
        }
    }
}

impl FewOutputs {
    /// Row `y` of the result.
    ///
    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`]; the result has `OUT` channels, and the ring holds the row's inputs.
    #[inline(always)]
    unsafe fn row<S: Simd, const OUT: usize>(&self, simd: S, tile: &Tile<'_>, y: i64, ring: &[f32]) {
        let valid = tile.views[self.dst.index()].valid.x.len() as usize;
        let mut x = 0;
        // SAFETY: the caller's promise; rows of the ring are longer than the pixels by the vectors of a strip.
        unsafe {
            while S::PIXELS == 14 && x + 4 * LANES <= valid {
                self.strip::<S, OUT, 4>(simd, tile, y, x, ring);
                x += 4 * LANES;
            }
            while x < valid {
                self.strip::<S, OUT, 1>(simd, tile, y, x, ring);
                x += LANES;
            }
        }
    }

    /// `VECTORS` × 16 pixels, from the `x`th valid one on.
    ///
    /// # Safety
    ///
    /// As for [`Self::row`].
    #[inline(always)]
    unsafe fn strip<S: Simd, const OUT: usize, const VECTORS: usize>(
        &self,
        simd: S,
        tile: &Tile<'_>,
        y: i64,
        x: usize,
        ring: &[f32],
    ) {
        let Window { kernel, stride, dilation, pad } = self.window;
        let [kh, kw] = kernel.map(|k| k as usize);
        let weights = tile.weights[self.weight.index()];
        let first_row = y * i64::from(stride[0]) - pad[0];
        let mut acc = [[simd.splat(0.0); VECTORS]; OUT];
        if let Some(bias) = self.bias {
            for (o, acc) in acc.iter_mut().enumerate() {
                // SAFETY: the bias holds a block of 16.
                *acc = [simd.splat(unsafe { *tile.weights[bias.index()].add(o) }); VECTORS];
            }
        }
        for first in (0..self.inputs).step_by(LANES) {
            let inputs = LANES.min(self.inputs - first);
            let mut weights = weights.wrapping_add(first * kh * kw * LANES);
            for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                let row = self.ring.row(first_row + ky as i64 * i64::from(dilation[0]), first);
                let from = ring[row + x + kx * dilation[1] as usize..].as_ptr();
                for i in 0..inputs {
                    // SAFETY: the ring has the channel's row, and the weights 16 values a tap and channel.
                    unsafe {
                        let from = from.wrapping_add(i * self.ring.cols);
                        let mut v = [simd.splat(0.0); VECTORS];
                        for (n, v) in v.iter_mut().enumerate() {
                            *v = simd.load(from.add(n * LANES));
                        }
                        for (o, acc) in acc.iter_mut().enumerate() {
                            let w = simd.splat(*weights.add(o));
                            for (acc, &v) in acc.iter_mut().zip(&v) {
                                *acc = simd.fma(v, w, *acc);
                            }
                        }
                    }
                    weights = weights.wrapping_add(LANES);
                }
            }
        }
        let dst = &tile.views[self.dst.index()];
        for (o, acc) in acc.iter().enumerate() {
            for (n, &v) in acc.iter().enumerate() {
                let x = x + n * LANES;
                let to = element(dst, o as i64, y, dst.valid.x.start + x as i64);
                let count = LANES.min(dst.valid.x.len() as usize - x);
                // SAFETY: the result has the channel and `count` pixels from there on.
                unsafe { scatter(simd, v, to, dst.lanes as usize, count) };
            }
        }
    }
}

/// Writes the first `count` lanes, `step` f32s apart.
///
/// # Safety
///
/// `to` is valid for writing them.
#[inline(always)]
unsafe fn scatter<S: Simd>(simd: S, v: S::V, to: *mut f32, step: usize, count: usize) {
    // SAFETY: the caller's promise; a vector is 16 f32s.
    unsafe {
        if step == 1 && count == LANES {
            return simd.store(to, v);
        }
        let mut values = [0.0f32; LANES];
        simd.store(values.as_mut_ptr(), v);
        for (i, &value) in values[..count].iter().enumerate() {
            *to.add(i * step) = value;
        }
    }
}

impl Body for FewOutputs {
    fn scratch(&self) -> usize {
        self.ring.len().unwrap_or(0) + self.epilogue.as_ref().map_or(0, Elementwise::scratch)
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let (ring, scratch) = scratch.split_at_mut(self.ring.len().unwrap_or(0));
        let x = dst.valid.x.start - self.window.pad[1];
        let reach = (self.window.kernel[1] as usize - 1) * self.window.dilation[1] as usize;
        let mut next = i64::MIN;
        for y in each(if dst.valid.is_empty() { Interval::default() } else { dst.valid.y }) {
            let first = y * i64::from(self.window.stride[0]) - self.window.pad[0];
            let end = first + self.ring.rows as i64;
            for from in next.max(first)..end {
                // SAFETY: the caller's promise: the source has what the valid part of the result needs.
                unsafe { self.unpack(simd, src, [from, x], dst.valid.x.len() as usize + reach, ring) };
            }
            next = end;
            // SAFETY: the caller's promise; the ring holds the last rows.
            unsafe {
                match self.outputs {
                    1 => self.row::<S, 1>(simd, tile, y, ring),
                    2 => self.row::<S, 2>(simd, tile, y, ring),
                    3 => self.row::<S, 3>(simd, tile, y, ring),
                    _ => self.row::<S, 4>(simd, tile, y, ring),
                }
                if let Some(epilogue) = &self.epilogue {
                    let row = Region { y: Interval::new(y, y + 1), x: dst.valid.x };
                    epilogue.run(simd, tile, scratch, 0..blocks(dst), row);
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}

/// The ring for a window, if it is small enough.
fn ring(window: &Window, src: &Buffer, dst: &Buffer) -> Option<Ring> {
    let reach = |axis: usize| {
        (window.kernel[axis] as usize).checked_sub(1)?.checked_mul(window.dilation[axis] as usize)
    };
    let ring = Ring {
        rows: reach(0)? + 1,
        cols: usize::try_from(dst.cols).ok()?.checked_add(reach(1)?)?.checked_add(4 * LANES)?,
        channels: usize::try_from(src.channels).ok()?.checked_next_multiple_of(LANES)?,
    };
    (ring.len()? <= MAX_RING).then_some(ring)
}
