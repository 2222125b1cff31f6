//! Direct convolution: what [`super::conv`] and [`super::conv_transpose`] share.
//!
//! The pixels of a *span* read their inputs at a constant distance through the same taps: for a convolution those are the
//! pixels of a row, for a transposed one those of a row and phase.

use super::elementwise::{Elementwise, is_relu};
use super::geometry::{blocks, column, each, fill_outside, pixel};
use super::register_tile::{self, Job, Outputs, Tap};
use super::simd::{LANES, Simd};
use crate::memory::Tile;
use crate::program::instr::Epilogue;
use crate::program::{BufferId, Interval, Program, Region, Section, WeightId};

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
    /// Whether the epilogue is a ReLU, applied in registers.
    relu: bool,
    /// Any other epilogue.
    epilogue: Option<Elementwise>,
}

impl Direct {
    pub(super) fn new(program: &Program, section: &Section, operands: Operands<'_>) -> Option<Self> {
        let Operands { dst, src, weight, bias, kernel, groups, epilogue } = operands;
        let groups = (groups > 0).then_some(groups as usize)?;
        let channels = |b: BufferId| usize::try_from(section.buffers.get(b.index())?.channels).ok();
        let relu = epilogue.is_some_and(|e| is_relu(program, e));
        let epilogue = match epilogue.filter(|_| !relu) {
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
            relu,
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
        for group in 0..self.groups {
            let (mut block, blocks) = (0, self.outputs.div_ceil(LANES));
            // Blocks of outputs outside, rows inside: a pass over the tile finds its weights in the L2 cache.
            while block < blocks {
                let count = S::BLOCKS.min(blocks - block);
                let outputs = outputs(self, tile, group, block, count);
                for y in each(dst.valid.y) {
                    spans.for_each_span(y, dst.valid.x, |span| {
                        // SAFETY: the caller's promise.
                        unsafe {
                            match count {
                                2 => self.span::<S, 2>(simd, tile, group, &outputs, y, span),
                                _ => self.span::<S, 1>(simd, tile, group, &outputs, y, span),
                            }
                        }
                    });
                    if let (true, Some(epilogue)) = (self.aligned(), &self.epilogue) {
                        let row = Region { y: Interval::new(y, y + 1), x: dst.valid.x };
                        let end = outputs.first + outputs.count as i64;
                        let blocks = outputs.first / dst.lanes..(end + dst.lanes - 1) / dst.lanes;
                        // SAFETY: the caller's promise; the row is complete in these blocks.
                        unsafe { epilogue.run(simd, tile, scratch, blocks, row) };
                    }
                }
                block += count;
            }
        }
        // SAFETY: the caller's promise; all channels are complete.
        unsafe {
            if let (false, Some(epilogue)) = (self.aligned(), &self.epilogue) {
                epilogue.run(simd, tile, scratch, 0..blocks(dst), dst.valid);
            }
            fill_outside(dst);
        }
    }

    /// Whether blocks of 16 outputs of the groups are blocks of 16 channels of the result.
    fn aligned(&self) -> bool {
        self.groups == 1 || self.outputs.is_multiple_of(LANES)
    }

    /// # Safety
    ///
    /// As for [`Self::run`]; `OB` is the number of blocks of `outputs`.
    #[inline(always)]
    unsafe fn span<S: Simd, const OB: usize>(
        &self,
        simd: S,
        tile: &Tile<'_>,
        group: usize,
        outputs: &Outputs,
        y: i64,
        span: Span<'_>,
    ) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let job = Job {
            taps: span.taps,
            all_taps: self.taps,
            inputs: self.inputs,
            first_input: (group * self.inputs) as i64,
            src,
            row: span.from[0],
            src_step: (span.from_step * src.lanes) as isize,
            outputs,
            relu: self.relu,
            dst,
            dst_step: (span.to_step * dst.lanes) as isize,
        };
        let from = column(src, 0, span.from[1]);
        let to = pixel(dst, 0, y, span.to);
        // SAFETY: the caller's promise.
        unsafe { register_tile::pixels::<S, OB>(simd, &job, from, to, span.count) };
    }
}

/// `count` blocks of the outputs of a group, from `block` on.
fn outputs(direct: &Direct, tile: &Tile<'_>, group: usize, block: usize, count: usize) -> Outputs {
    let weights_stride = direct.inputs * direct.taps * LANES;
    let at = group * direct.outputs.div_ceil(LANES) + block;
    Outputs {
        first: (group * direct.outputs + block * LANES) as i64,
        count: (direct.outputs - block * LANES).min(count * LANES),
        whole: direct.aligned() && tile.views[direct.dst.index()].lanes == LANES as i64,
        weights: tile.weights[direct.weight.index()].wrapping_add(at * weights_stride),
        weights_stride,
        bias: direct.bias.map(|b| tile.weights[b.index()].wrapping_add(at * LANES)),
    }
}
