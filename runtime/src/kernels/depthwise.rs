//! Depthwise convolution: one input and one output channel a group, so that channels can be lanes.

use super::Body;
use super::elementwise::Elementwise;
use super::geometry::{blocks, column, each, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::Tile;
use crate::program::instr::{Conv2d, Window};
use crate::program::{BufferId, Interval, Program, Region, Section, WeightId};

/// Pixels of a register tile.
const PIXELS: usize = 4;

/// [`Conv2d`] of as many groups as channels, ready to run.
pub(super) struct Depthwise {
    dst: BufferId,
    src: BufferId,
    weight: WeightId,
    bias: Option<WeightId>,
    window: Window,
    /// Taps of the kernel.
    taps: usize,
    epilogue: Option<Elementwise>,
}

impl Depthwise {
    /// `None` where the convolution is of another kind, or its buffers are not in blocks of 16.
    pub(super) fn new(program: &Program, section: &Section, conv: &Conv2d) -> Option<Self> {
        let (dst, src) = (section.buffers.get(conv.dst.index())?, section.buffers.get(conv.src.index())?);
        let channels = u64::from(conv.groups);
        let fits = [dst, src].iter().all(|b| b.channels == channels && b.lanes as usize == LANES);
        if !fits || channels < 2 {
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
            taps: (conv.window.kernel[0] as usize).checked_mul(conv.window.kernel[1] as usize)?,
            epilogue,
        })
    }

    /// Brings the bias and the weights of a block of channels side by side: a vector for the bias, one a tap.
    ///
    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`]; `vectors` holds them.
    #[inline(always)]
    unsafe fn gather(&self, tile: &Tile<'_>, block: i64, vectors: &mut [f32]) {
        let first = block as usize * LANES;
        let channels = LANES.min(tile.views[self.dst.index()].channels as usize - first);
        vectors.fill(0.0);
        for lane in 0..channels {
            // A group by itself is padded to a block of 16 outputs.
            let group = first + lane;
            // SAFETY: the weight has the group, and the bias its block.
            unsafe {
                if let Some(bias) = self.bias {
                    vectors[lane] = *tile.weights[bias.index()].add(group * LANES);
                }
                for tap in 0..self.taps {
                    vectors[(tap + 1) * LANES + lane] =
                        *tile.weights[self.weight.index()].add((group * self.taps + tap) * LANES);
                }
            }
        }
    }

    /// `PX` pixels of a block of channels.
    ///
    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`]; the pixels from `(y, x)` on are valid, and `vectors` is what
    /// [`Self::gather`] left for the block.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const PX: usize>(
        &self,
        simd: S,
        tile: &Tile<'_>,
        block: i64,
        [y, x]: [i64; 2],
        vectors: &[f32],
    ) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let Window { kernel, stride, dilation, pad } = self.window;
        let step = (i64::from(stride[1]) * src.lanes) as isize;
        let (first, dx) = (y * i64::from(stride[0]) - pad[0], i64::from(dilation[1]) * src.lanes);
        let from = column(src, block, x * i64::from(stride[1]) - pad[1]);
        // SAFETY: verified geometry: the source has the taps of all the pixels, the result has the pixels, and
        // `vectors` has one vector more than there are taps.
        unsafe {
            let mut weight = vectors.as_ptr();
            let mut acc = [simd.load(weight); PX];
            for ky in 0..i64::from(kernel[0]) {
                let row = src.slot(first + ky * i64::from(dilation[0])) * src.row_stride;
                for kx in 0..i64::from(kernel[1]) {
                    weight = weight.add(LANES);
                    let w = simd.load(weight);
                    let from = from.wrapping_offset((row + kx * dx) as isize);
                    for (px, acc) in acc.iter_mut().enumerate() {
                        *acc = simd.fma(simd.load(from.wrapping_offset(px as isize * step)), w, *acc);
                    }
                }
            }
            let to = pixel(dst, block, y, x);
            for (px, &acc) in acc.iter().enumerate() {
                simd.store(to.add(px * LANES), acc);
            }
        }
    }
}

impl Body for Depthwise {
    fn scratch(&self) -> usize {
        (self.taps + 1) * LANES + self.epilogue.as_ref().map_or(0, Elementwise::scratch)
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        let dst = &tile.views[self.dst.index()];
        let (vectors, scratch) = scratch.split_at_mut((self.taps + 1) * LANES);
        for block in 0..blocks(dst) {
            // SAFETY: the caller's promise.
            unsafe { self.gather(tile, block, vectors) };
            for y in each(dst.valid.y) {
                let Interval { start: mut x, end } = dst.valid.x;
                // SAFETY: the caller's promise; the row is complete in this block when the epilogue runs.
                unsafe {
                    while end - x >= PIXELS as i64 {
                        self.pixels::<S, PIXELS>(simd, tile, block, [y, x], vectors);
                        x += PIXELS as i64;
                    }
                    while x < end {
                        self.pixels::<S, 1>(simd, tile, block, [y, x], vectors);
                        x += 1;
                    }
                    if let Some(epilogue) = &self.epilogue {
                        let row = Region { y: Interval::new(y, y + 1), x: dst.valid.x };
                        epilogue.run(simd, tile, scratch, block..block + 1, row);
                    }
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}
