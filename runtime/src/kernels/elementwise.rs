//! Expressions over tiles: elementwise instructions, and the tails of the others.

use std::ops::Range;

use super::expression::{CHUNK_LEN, Compiled, Stream};
use super::geometry::{each, element, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::instr::{Epilogue, Operand};
use crate::program::{BufferId, ExprId, Program, Region, Section, WeightId};
use crate::scalar::{Binary, Node};

/// Most operands of an expression; others are left to compiled code.
const MAX_OPERANDS: usize = 16;

/// How an operand becomes vectors that match those of the result.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// One value a channel.
    Channels(WeightId),
    /// Laid out as the result is: read in place.
    Direct(BufferId),
    /// Laid out as the result is, with one column that is repeated.
    Column(BufferId),
    /// Any other: put together element by element.
    Gather(BufferId),
}

/// An expression and its operands, ready to fill a buffer.
#[derive(Debug)]
pub(super) struct Elementwise {
    dst: BufferId,
    sources: Vec<Source>,
    expression: Compiled,
}

impl Elementwise {
    /// `dst = expr(operands)`
    pub(super) fn map(
        program: &Program,
        section: &Section,
        dst: BufferId,
        operands: &[Operand],
        expr: ExprId,
    ) -> Option<Self> {
        let sources = operands.iter().map(|&o| source(section, dst, o)).collect::<Option<Vec<_>>>()?;
        Self::new(program, dst, sources, expr)
    }

    /// `dst = expr(dst, operands)`
    pub(super) fn epilogue(
        program: &Program,
        section: &Section,
        dst: BufferId,
        epilogue: &Epilogue,
    ) -> Option<Self> {
        let mut sources = vec![Source::Direct(dst)];
        for &operand in &epilogue.operands {
            sources.push(source(section, dst, operand)?);
        }
        Self::new(program, dst, sources, epilogue.expr)
    }

    fn new(program: &Program, dst: BufferId, sources: Vec<Source>, expr: ExprId) -> Option<Self> {
        let expr = program.expressions.get(expr.index())?;
        let fits = expr.inputs() <= sources.len() && sources.len() <= MAX_OPERANDS;
        fits.then(|| Self { dst, sources, expression: Compiled::new(expr) })
    }

    /// f32s of scratch.
    pub(super) fn scratch(&self) -> usize {
        self.expression.scratch() + (self.sources.len() + 1) * CHUNK_LEN
    }

    /// Computes the pixels `region` of the blocks of channels `blocks`.
    ///
    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`]; the region lies in the valid part of the result, and `scratch` is as long as
    /// [`Self::scratch`] says.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(
        &self,
        simd: S,
        tile: &Tile<'_>,
        scratch: &mut [f32],
        blocks: Range<i64>,
        region: Region,
    ) {
        if region.is_empty() {
            return;
        }
        let (chunks, scratch) = scratch.split_at_mut((self.sources.len() + 1) * CHUNK_LEN);
        self.expression.prepare(scratch);
        let dst = &tile.views[self.dst.index()];
        let total = (region.x.len() * dst.lanes) as usize;
        let chunk_of = |chunks: &mut [f32], i: usize| chunks.as_mut_ptr().wrapping_add(i * CHUNK_LEN);
        let mut streams = [Stream::NONE; MAX_OPERANDS];
        for (block, y) in blocks.flat_map(|b| each(region.y).map(move |y| (b, y))) {
            for (i, &source) in self.sources.iter().enumerate() {
                let pattern = &mut chunks[i * CHUNK_LEN..][..LANES];
                // SAFETY: a block of channels of a weight, or of a pixel of the operand; both are `lanes` long.
                unsafe {
                    match source {
                        Source::Channels(w) => {
                            repeat(
                                tile.weights[w.index()].offset((block * dst.lanes) as isize),
                                dst,
                                pattern,
                            );
                        }
                        Source::Column(b) => {
                            let view = &tile.views[b.index()];
                            repeat(pixel(view, block, row(view, y), 0), dst, pattern);
                        }
                        Source::Direct(_) | Source::Gather(_) => continue,
                    }
                }
                streams[i] = Stream { ptr: pattern.as_ptr(), stride: 0 };
            }
            let out = pixel(dst, block, y, region.x.start);
            for start in (0..total).step_by(CHUNK_LEN) {
                let len = CHUNK_LEN.min(total - start);
                let whole = len.is_multiple_of(LANES);
                for (i, &source) in self.sources.iter().enumerate() {
                    let chunk = chunk_of(chunks, i);
                    let mut ptr = chunk.cast_const();
                    // SAFETY: `len` elements from `start` lie in the row, and in the chunk.
                    unsafe {
                        match source {
                            Source::Channels(_) | Source::Column(_) => continue,
                            Source::Direct(b) => {
                                let view = &tile.views[b.index()];
                                let from = pixel(view, block, row(view, y), region.x.start).add(start);
                                if whole {
                                    ptr = from;
                                } else {
                                    std::ptr::copy_nonoverlapping(from, chunk, len);
                                }
                            }
                            Source::Gather(b) => {
                                let x = region.x.start + start as i64 / dst.lanes;
                                let chunk = std::slice::from_raw_parts_mut(chunk, len);
                                gather(&tile.views[b.index()], dst, block, y, x, chunk);
                            }
                        }
                    }
                    streams[i] = Stream { ptr, stride: LANES };
                }
                let out = out.wrapping_add(start);
                let to = if whole { out } else { chunk_of(chunks, self.sources.len()) };
                // SAFETY: the streams hold so many vectors; so do the row and the chunk.
                unsafe {
                    self.expression.evaluate(simd, &streams, to, len.div_ceil(LANES), scratch);
                    if !whole {
                        std::ptr::copy_nonoverlapping(to, out, len);
                    }
                }
            }
        }
    }
}

/// Whether an epilogue is `max(+0, value)`, which kernels apply before they store.
pub(super) fn is_relu(program: &Program, epilogue: &Epilogue) -> bool {
    let Some(expr) = program.expressions.get(epilogue.expr.index()) else { return false };
    let nodes = expr.nodes();
    let Some(&Node::Binary(Binary::Max, zero, value)) = nodes.last() else { return false };
    let is_zero = |node: Node| matches!(node, Node::Const(c) if c.to_bits() == 0);
    is_zero(nodes[zero as usize]) && nodes[value as usize] == Node::Input(0)
}

/// How operand `operand` of an expression over `dst` is read; `None` if it does not fit.
fn source(section: &Section, dst: BufferId, operand: Operand) -> Option<Source> {
    let b = match operand {
        Operand::Channels(w) => return Some(Source::Channels(w)),
        Operand::Buffer(b) => b,
    };
    let (from, to) = (section.buffers.get(b.index())?, section.buffers.get(dst.index())?);
    Some(if from.lanes != to.lanes || from.channels != to.channels {
        Source::Gather(b)
    } else if from.extent[1] == 1 {
        Source::Column(b)
    } else {
        Source::Direct(b)
    })
}

/// The row of an operand that serves row `y` of the result.
#[inline(always)]
fn row(view: &View, y: i64) -> i64 {
    if view.extent.y.len() == 1 { 0 } else { y }
}

/// Fills a vector with a block of channels, over and over.
///
/// # Safety
///
/// `from` is valid for reading a block of channels of `dst`.
#[inline(always)]
unsafe fn repeat(from: *const f32, dst: &View, pattern: &mut [f32]) {
    for (i, v) in pattern.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *v = unsafe { *from.add(i & (dst.lanes as usize - 1)) };
    }
}

/// Puts the operand's values for the pixels from `(y, x)` on together, as a row of a block of `dst` holds them.
///
/// # Safety
///
/// `view` is valid for reading what the result's elements need.
#[inline(always)]
unsafe fn gather(view: &View, dst: &View, block: i64, y: i64, x: i64, chunk: &mut [f32]) {
    let (y, step) = (row(view, y), if view.extent.x.len() == 1 { 0 } else { view.lanes });
    let x = if step == 0 { 0 } else { x };
    let lanes = dst.lanes as usize;
    for lane in 0..lanes {
        let c = block * dst.lanes + lane as i64;
        if c >= dst.channels {
            break;
        }
        let from = element(view, if view.channels == 1 { 0 } else { c }, y, x);
        for (i, v) in chunk[lane..].iter_mut().step_by(lanes).enumerate() {
            // SAFETY: the operand has the channel, and the pixel or the only one that stands for it.
            *v = unsafe { *from.offset(i as isize * step as isize) };
        }
    }
}
