//! Direct convolution: what [`super::conv`] and [`super::conv_transpose`] share.
//!
//! A register tile is some pixels × one or two blocks of 16 output channels; an input value is broadcast and multiplied with
//! the weights of the blocks, which lie side by side. Pixels of a *span* read their inputs at a constant distance through
//! the same taps: for a convolution those are the pixels of a row, for a transposed one those of a row and phase.

use super::elementwise::Elementwise;
use super::geometry::{each, fill_outside, pixel};
use super::simd::{LANES, Simd, Vectorize};
use crate::memory::{Tile, View};
use crate::program::instr::Epilogue;
use crate::program::{BufferId, Interval, Program, Region, Section, WeightId};

/// A tap of the kernel that takes part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    /// Rows and columns from the pixel's first input to the tap's.
    pub(super) offset: [i64; 2],
    /// Position in the kernel, in raster order.
    pub(super) index: usize,
}

/// Pixels of one row of the result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    /// In raster order.
    pub(super) taps: &'a [Tap],
    /// The first pixel's row and column of the source, before a tap's offset.
    pub(super) from: [i64; 2],
    /// Columns of the source from a pixel to the next.
    pub(super) from_step: i64,
    /// The first pixel's column of the result.
    pub(super) to: i64,
    /// Columns of the result from a pixel to the next.
    pub(super) to_step: i64,
    /// Number of pixels.
    pub(super) count: i64,
}

/// How the rows of a result come apart into spans.
pub(super) trait Spans {
    /// Calls `f` with spans that together are the columns `x` of row `y`.
    fn for_each_span(&self, y: i64, x: Interval, f: impl FnMut(Span<'_>));
}

/// The operands of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands<'a> {
    pub(super) dst: BufferId,
    pub(super) src: BufferId,
    pub(super) weight: WeightId,
    pub(super) bias: Option<WeightId>,
    pub(super) kernel: [u32; 2],
    pub(super) groups: u32,
    pub(super) epilogue: Option<&'a Epilogue>,
}

/// A direct convolution, but for its geometry.
pub(super) struct Direct {
    dst: BufferId,
    src: BufferId,
    weight: WeightId,
    bias: Option<WeightId>,
    /// Taps of the whole kernel.
    taps: usize,
    groups: usize,
    /// Input channels of a group.
    inputs: usize,
    /// Output channels of a group.
    outputs: usize,
    epilogue: Option<Elementwise>,
}

impl Direct {
    pub(super) fn new(program: &Program, section: &Section, operands: Operands<'_>) -> Option<Self> {
        let Operands { dst, src, weight, bias, kernel, groups, epilogue } = operands;
        let groups = (groups > 0).then_some(groups as usize)?;
        let channels = |b: BufferId| usize::try_from(section.buffers.get(b.index())?.channels).ok();
        let epilogue = match epilogue {
            Some(epilogue) => Some(Elementwise::epilogue(program, section, dst, epilogue)?),
            None => None,
        };
        Some(Self {
            dst,
            src,
            weight,
            bias,
            taps: kernel[0] as usize * kernel[1] as usize,
            groups,
            inputs: channels(src)? / groups,
            outputs: channels(dst)? / groups,
            epilogue,
        })
    }

    pub(super) fn scratch(&self) -> usize {
        self.epilogue.as_ref().map_or(0, Elementwise::scratch)
    }

    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`], with spans in the order of the instruction's definition.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(
        &self,
        simd: S,
        tile: &Tile<'_>,
        scratch: &mut [f32],
        spans: &impl Spans,
    ) {
        let dst = &tile.views[self.dst.index()];
        let blocks = self.outputs.div_ceil(LANES);
        // Whether blocks of 16 outputs of the groups are blocks of 16 channels of the result.
        let aligned = self.groups == 1 || self.outputs.is_multiple_of(LANES);
        for group in 0..self.groups {
            let mut block = 0;
            // Blocks of outputs outside, rows inside: a pass over the tile finds its weights in the L2 cache.
            while block < blocks {
                let wide = S::BLOCKS == 2 && blocks - block >= 2;
                let outputs = Outputs::new(self, tile, group, block, if wide { 2 } else { 1 });
                for y in each(dst.valid.y) {
                    // SAFETY: the caller's promise.
                    spans.for_each_span(y, dst.valid.x, |span| unsafe {
                        if wide {
                            self.span::<S, 2>(simd, tile, &outputs, y, span);
                        } else {
                            self.span::<S, 1>(simd, tile, &outputs, y, span);
                        }
                    });
                    if let (true, Some(epilogue)) = (aligned, &self.epilogue) {
                        let row = Region { y: Interval::new(y, y + 1), x: dst.valid.x };
                        let end = outputs.first + outputs.count as i64;
                        let blocks = outputs.first / dst.lanes..(end + dst.lanes - 1) / dst.lanes;
                        // SAFETY: the caller's promise; the row is complete in these blocks.
                        unsafe { epilogue.run(simd, tile, scratch, blocks, row) };
                    }
                }
                block += if wide { 2 } else { 1 };
            }
        }
        // SAFETY: the caller's promise; all channels are complete.
        unsafe {
            if let (false, Some(epilogue)) = (aligned, &self.epilogue) {
                epilogue.run(simd, tile, scratch, 0..super::geometry::blocks(dst), dst.valid);
            }
            fill_outside(dst);
        }
    }

    /// # Safety
    ///
    /// As for [`Self::run`]; `OB` is the number of blocks of `outputs`.
    #[inline(always)]
    unsafe fn span<S: Simd, const OB: usize>(
        &self,
        simd: S,
        tile: &Tile<'_>,
        outputs: &Outputs,
        y: i64,
        span: Span<'_>,
    ) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let job = Job {
            taps: span.taps,
            all_taps: self.taps,
            inputs: self.inputs,
            first_input: outputs.group as i64 * self.inputs as i64,
            src,
            src_step: (span.from_step * src.lanes) as isize,
            outputs,
            dst,
            dst_step: (span.to_step * dst.lanes) as isize,
        };
        let from = pixel(src, 0, span.from[0], span.from[1]);
        let to = pixel(dst, 0, y, span.to);
        let dense = src.lanes == LANES as i64 && job.first_input % LANES as i64 == 0;
        // SAFETY: the caller's promise.
        unsafe {
            match job.src_step {
                16 if dense => pixels::<S, OB, 16>(simd, &job, from, to, span.count),
                32 if dense => pixels::<S, OB, 32>(simd, &job, from, to, span.count),
                _ => pixels::<S, OB, 0>(simd, &job, from, to, span.count),
            }
        }
    }
}

/// One or two blocks of 16 output channels of a group.
struct Outputs {
    group: usize,
    /// First channel.
    first: i64,
    /// Number of channels.
    count: usize,
    /// Whether they are whole blocks of the result, in its own lanes.
    whole: bool,
    weights: *const f32,
    /// f32s from the weights of a block to those of the next.
    weights_stride: usize,
    bias: Option<*const f32>,
}

impl Outputs {
    fn new(direct: &Direct, tile: &Tile<'_>, group: usize, block: usize, blocks: usize) -> Self {
        let weights_stride = direct.inputs * direct.taps * LANES;
        let at = group * direct.outputs.div_ceil(LANES) + block;
        let first = (group * direct.outputs + block * LANES) as i64;
        let lanes = LANES as i64;
        Self {
            group,
            first,
            count: (direct.outputs - block * LANES).min(blocks * LANES),
            whole: first % lanes == 0
                && (direct.groups == 1 || direct.outputs.is_multiple_of(LANES))
                && tile.views[direct.dst.index()].lanes == lanes,
            weights: tile.weights[direct.weight.index()].wrapping_add(at * weights_stride),
            weights_stride,
            bias: direct.bias.map(|b| tile.weights[b.index()].wrapping_add(at * LANES)),
        }
    }
}

/// What all pixels of a span share.
struct Job<'a> {
    taps: &'a [Tap],
    all_taps: usize,
    inputs: usize,
    first_input: i64,
    src: &'a View,
    src_step: isize,
    outputs: &'a Outputs,
    dst: &'a View,
    dst_step: isize,
}

/// Cuts a span into register tiles.
///
/// # Safety
///
/// As for [`Direct::run`]; `from` and `to` are the first pixel's place in the first block.
#[inline(always)]
unsafe fn pixels<S: Simd, const OB: usize, const STEP: usize>(
    simd: S,
    job: &Job<'_>,
    mut from: *const f32,
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

/// `PX` pixels × `OB` blocks of 16 outputs. `STEP` is the distance of the pixels in the source where it is known and the
/// blocks of 16 inputs are blocks of the source, and 0 otherwise. Only [`pixels`] makes one.
struct RegisterTile<'a, const PX: usize, const OB: usize, const STEP: usize> {
    job: &'a Job<'a>,
    from: *const f32,
    to: *mut f32,
}

impl<const PX: usize, const OB: usize, const STEP: usize> Vectorize for RegisterTile<'_, PX, OB, STEP> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // SAFETY: the promise to `pixels`.
        unsafe {
            let acc = self.accumulate(simd);
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
        let job = self.job;
        let mut acc = [[simd.splat(0.0); OB]; PX];
        if let Some(bias) = job.outputs.bias {
            for ob in 0..OB {
                // SAFETY: the bias holds whole blocks of 16.
                let bias = unsafe { simd.load(bias.add(ob * LANES)) };
                for acc in &mut acc {
                    acc[ob] = bias;
                }
            }
        }
        let step = if STEP == 0 { job.src_step } else { STEP as isize };
        let mut first = 0;
        while first < job.inputs {
            let inputs = LANES.min(job.inputs - first);
            let weights = job.outputs.weights.wrapping_add(first * job.all_taps * LANES);
            for tap in job.taps {
                let offset = tap.offset[0] * job.src.row_stride + tap.offset[1] * job.src.lanes;
                let from = self.from.wrapping_offset(offset as isize);
                let dense = from.wrapping_offset(
                    (job.first_input as isize + first as isize) / 16 * job.src.block_stride as isize,
                );
                let mut weights = weights.wrapping_add(tap.index * inputs * LANES);
                for i in 0..inputs {
                    let from = if STEP == 0 {
                        channel(job.src, from, job.first_input + (first + i) as i64)
                    } else {
                        dense.wrapping_add(i)
                    };
                    let mut w = [simd.splat(0.0); OB];
                    for ob in 0..OB {
                        // SAFETY: the weights hold, for each block of outputs, 16 values a channel and tap.
                        w[ob] = unsafe { simd.load(weights.add(ob * job.outputs.weights_stride)) };
                    }
                    for px in 0..PX {
                        // SAFETY: verified geometry: the source has the inputs of all taps of all pixels.
                        let v = simd.splat(unsafe { *from.offset(px as isize * step) });
                        for ob in 0..OB {
                            acc[px][ob] = simd.fma(v, w[ob], acc[px][ob]);
                        }
                    }
                    weights = weights.wrapping_add(LANES);
                }
            }
            first += LANES;
        }
        acc
    }

    /// To whole blocks of the result.
    ///
    /// # Safety
    ///
    /// As for [`pixels`]; the outputs are whole blocks of the result.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, simd: S, acc: &[[S::V; OB]; PX]) {
        let to = channel(self.job.dst, self.to, self.job.outputs.first).cast_mut();
        for px in 0..PX {
            for ob in 0..OB {
                let offset =
                    px as isize * self.job.dst_step + ob as isize * self.job.dst.block_stride as isize;
                // SAFETY: verified geometry: the result has the pixels, and all lanes of its blocks.
                unsafe { simd.store(to.offset(offset), acc[px][ob]) };
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
        let Job { dst, outputs, .. } = *self.job;
        for ob in 0..OB {
            let mut values = [[0.0f32; LANES]; PX];
            for px in 0..PX {
                // SAFETY: a vector is 16 f32s.
                unsafe { simd.store(values[px].as_mut_ptr(), acc[px][ob]) };
            }
            for lane in 0..LANES.min(outputs.count - ob * LANES) {
                let to = channel(dst, self.to, outputs.first + (ob * LANES + lane) as i64).cast_mut();
                for px in 0..PX {
                    // SAFETY: verified geometry: the result has the pixels and the channel.
                    unsafe { *to.offset(px as isize * self.job.dst_step) = values[px][lane] };
                }
            }
        }
    }
}

/// Where channel `c` lies, given where channel 0 of the same pixel does.
#[inline(always)]
fn channel(view: &View, zero: *const f32, c: i64) -> *const f32 {
    let shift = view.lanes.trailing_zeros();
    zero.wrapping_offset(((c >> shift) * view.block_stride + (c & (view.lanes - 1))) as isize)
}
