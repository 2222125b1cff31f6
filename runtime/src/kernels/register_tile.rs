//! The inner loops of direct convolution.
//!
//! A register tile is some pixels × one or two blocks of 16 output channels; an input value is broadcast and multiplied with
//! the weights of the blocks, which lie side by side.

use super::geometry::channel;
use super::simd::{LANES, Simd, Vectorize};
use crate::memory::View;

/// A tap of the kernel that takes part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    /// Rows and columns from the pixel's first input to the tap's.
    pub(super) offset: [i64; 2],
    /// Position in the kernel, in raster order.
    pub(super) index: usize,
}

/// One or two blocks of 16 output channels of a group.
pub(super) struct Outputs {
    /// First channel.
    pub(super) first: i64,
    /// Number of channels.
    pub(super) count: usize,
    /// Whether they are whole blocks of the result, in its own lanes.
    pub(super) whole: bool,
    pub(super) weights: *const f32,
    /// f32s from the weights of a block to those of the next.
    pub(super) weights_stride: usize,
    pub(super) bias: Option<*const f32>,
}

/// What all pixels of a span share.
pub(super) struct Job<'a> {
    /// The taps that take part, in raster order.
    pub(super) taps: &'a [Tap],
    /// Number of taps of the kernel.
    pub(super) all_taps: usize,
    /// Input channels of the group.
    pub(super) inputs: usize,
    /// The group's first input channel.
    pub(super) first_input: i64,
    pub(super) src: &'a View,
    /// Row of the pixels' first inputs.
    pub(super) row: i64,
    /// f32s from a pixel's input to the next one's.
    pub(super) src_step: isize,
    pub(super) outputs: &'a Outputs,
    /// Whether the result is `max(+0, sum)`.
    pub(super) relu: bool,
    pub(super) dst: &'a View,
    /// f32s from a pixel's output to the next one's.
    pub(super) dst_step: isize,
}

/// Computes `count` pixels. `from` is where channel 0 of the first one's first input would lie in the row of slot 0, `to` where
/// channel 0 of its output lies.
///
/// # Safety
///
/// The views are valid for reading what the taps of the pixels need and for writing the pixels; weights and bias are
/// packed for `OB` blocks of outputs.
#[inline(always)]
pub(super) unsafe fn pixels<S: Simd, const OB: usize>(
    simd: S,
    job: &Job<'_>,
    from: *mut f32,
    to: *mut f32,
    count: i64,
) {
    // Blocks of 16 inputs of the group are blocks of the source.
    let blocked = job.src.lanes == LANES as i64 && job.first_input % LANES as i64 == 0;
    match job.src_step {
        16 if blocked => tiles::<S, OB, 16>(simd, job, from, to, count),
        32 if blocked => tiles::<S, OB, 32>(simd, job, from, to, count),
        1 => tiles::<S, OB, 1>(simd, job, from, to, count),
        4 => tiles::<S, OB, 4>(simd, job, from, to, count),
        _ => tiles::<S, OB, 0>(simd, job, from, to, count),
    }
}

/// Cuts pixels into register tiles, as large as the instruction set has registers for.
#[inline(always)]
fn tiles<S: Simd, const OB: usize, const STEP: usize>(
    simd: S,
    job: &Job<'_>,
    mut from: *mut f32,
    mut to: *mut f32,
    mut count: i64,
) {
    macro_rules! tiles {
        ($px:literal) => {
            while count >= $px {
                simd.vectorize(RegisterTile::<$px, OB, STEP> { job, from, to });
                from = from.wrapping_offset($px * job.src_step);
                to = to.wrapping_offset($px * job.dst_step);
                count -= $px;
            }
        };
    }
    if S::PIXELS == 14 {
        tiles!(14);
        tiles!(8);
    }
    if S::PIXELS == 6 {
        tiles!(6);
    }
    tiles!(4);
    tiles!(2);
    tiles!(1);
}

/// `PX` pixels × `OB` blocks of 16 outputs. `STEP` is the distance of the pixels in the source where that is one of the
/// usual ones, and 0 otherwise; from 16 on it says that blocks of 16 inputs are blocks of the source. Only [`pixels`], by
/// way of [`tiles`], makes one.
struct RegisterTile<'a, const PX: usize, const OB: usize, const STEP: usize> {
    job: &'a Job<'a>,
    from: *mut f32,
    to: *mut f32,
}

impl<const PX: usize, const OB: usize, const STEP: usize> Vectorize for RegisterTile<'_, PX, OB, STEP> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // SAFETY: the promise to `pixels`.
        unsafe {
            let mut acc = self.accumulate(simd);
            if self.job.relu {
                for v in acc.as_flattened_mut() {
                    *v = simd.max(simd.splat(0.0), *v);
                }
            }
            if self.job.outputs.whole {
                self.store(simd, &acc);
            } else {
                self.scatter(simd, &acc);
            }
        }
    }
}

impl<const PX: usize, const OB: usize, const STEP: usize> RegisterTile<'_, PX, OB, STEP> {
    /// The sums, in canonical order.
    ///
    /// # Safety
    ///
    /// As for [`pixels`].
    #[inline(always)]
    unsafe fn accumulate<S: Simd>(&self, simd: S) -> [[S::V; OB]; PX] {
        let Job { src, outputs, .. } = *self.job;
        let mut start = [simd.splat(0.0); OB];
        if let Some(bias) = outputs.bias {
            for (ob, v) in start.iter_mut().enumerate() {
                // SAFETY: the bias holds whole blocks of 16.
                *v = unsafe { simd.load(bias.add(ob * LANES)) };
            }
        }
        let mut acc = [start; PX];
        let mut first = 0;
        while first < self.job.inputs {
            let inputs = LANES.min(self.job.inputs - first);
            let weights = outputs.weights.wrapping_add(first * self.job.all_taps * LANES);
            let first_input = self.job.first_input + first as i64;
            for tap in self.job.taps {
                let offset =
                    src.slot(self.job.row + tap.offset[0]) * src.row_stride + tap.offset[1] * src.lanes;
                let from = self.from.wrapping_offset(offset as isize);
                let block = from.wrapping_offset((first_input / LANES as i64 * src.block_stride) as isize);
                let weights = weights.wrapping_add(tap.index * inputs * LANES);
                for i in 0..inputs {
                    let from = match STEP {
                        16.. => block.wrapping_add(i),
                        _ => channel(src, from, first_input + i as i64),
                    };
                    // SAFETY: verified geometry: the source has the inputs of all taps of all pixels, and the weights
                    // hold 16 values a tap and channel.
                    unsafe { self.multiply(simd, &mut acc, from, weights.wrapping_add(i * LANES)) };
                }
            }
            first += LANES;
        }
        acc
    }

    /// Adds one channel of one tap to the sums.
    ///
    /// # Safety
    ///
    /// `from` is valid for reading the channel's value of each pixel, `weights` for reading 16 values of each block.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(
        &self,
        simd: S,
        acc: &mut [[S::V; OB]; PX],
        from: *const f32,
        weights: *const f32,
    ) {
        let step = if STEP == 0 { self.job.src_step } else { STEP as isize };
        let mut w = [simd.splat(0.0); OB];
        for (ob, w) in w.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *w = unsafe { simd.load(weights.add(ob * self.job.outputs.weights_stride)) };
        }
        for (px, acc) in acc.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let v = simd.splat(unsafe { *from.offset(px as isize * step) });
            for (acc, &w) in acc.iter_mut().zip(&w) {
                *acc = simd.fma(v, w, *acc);
            }
        }
    }

    /// To whole blocks of the result.
    ///
    /// # Safety
    ///
    /// As for [`pixels`]; the outputs are whole blocks of the result.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, simd: S, acc: &[[S::V; OB]; PX]) {
        let Job { dst, outputs, dst_step, .. } = *self.job;
        let to = channel(dst, self.to, outputs.first);
        for (px, acc) in acc.iter().enumerate() {
            for (ob, &v) in acc.iter().enumerate() {
                let offset = px as isize * dst_step + ob as isize * dst.block_stride as isize;
                // SAFETY: verified geometry: the result has the pixels, and all lanes of its blocks.
                unsafe { simd.store(to.offset(offset), v) };
            }
        }
    }

    /// Channel by channel.
    ///
    /// # Safety
    ///
    /// As for [`pixels`].
    #[inline(always)]
    unsafe fn scatter<S: Simd>(&self, simd: S, acc: &[[S::V; OB]; PX]) {
        let Job { dst, outputs, dst_step, .. } = *self.job;
        for (px, acc) in acc.iter().enumerate() {
            let to = self.to.wrapping_offset(px as isize * dst_step);
            for (ob, &v) in acc.iter().enumerate() {
                let mut values = [0.0f32; LANES];
                // SAFETY: a vector is 16 f32s.
                unsafe { simd.store(values.as_mut_ptr(), v) };
                let lanes = LANES.min(outputs.count - ob * LANES);
                for (lane, &value) in values[..lanes].iter().enumerate() {
                    let to = channel(dst, to, outputs.first + (ob * LANES + lane) as i64);
                    // SAFETY: verified geometry: the result has the pixel and the channel.
                    unsafe { *to = value };
                }
            }
        }
    }
}
