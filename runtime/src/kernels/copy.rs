//! Copies between buffers.

use super::Body;
use super::geometry::{each, element, fill_outside_channels, pixel};
use super::simd::Simd;
use crate::memory::{Tile, View};
use crate::program::instr::{Copy, Folding};
use crate::program::{BufferId, Interval};

/// [`Copy`], ready to run.
pub(super) struct CopyKernel {
    dst: BufferId,
    src: BufferId,
    channel: i64,
    from: i64,
    channels: i64,
    shift: [i64; 2],
    outside: f32,
    fold: Option<Folding>,
}

impl CopyKernel {
    pub(super) fn new(instr: &Copy) -> Self {
        Self {
            dst: instr.dst,
            src: instr.src,
            channel: instr.channel as i64,
            from: instr.from as i64,
            channels: instr.channels as i64,
            shift: instr.shift,
            outside: instr.outside,
            fold: instr.fold,
        }
    }

    /// How many blocks of the source go to blocks of the destination as they are, which keep no other channel.
    fn whole_blocks(&self, dst: &View, src: &View) -> i64 {
        if dst.lanes != src.lanes || self.channel % dst.lanes != 0 || self.from % src.lanes != 0 {
            0
        } else if self.channel + self.channels == dst.channels {
            (self.channels + src.lanes - 1) / src.lanes
        } else {
            self.channels / src.lanes
        }
    }
}

impl Body for CopyKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let whole = self.whole_blocks(dst, src);
        for y in each(dst.valid.y) {
            let row = Row::new(self, dst, src, y);
            // SAFETY: verified geometry: `dst` has its valid part and the channels, `src` the part inside its extent that
            // the row copies or folds to. A whole block has `lanes` values a pixel, a channel has one.
            unsafe {
                for block in 0..whole {
                    let to = |x| pixel(dst, self.channel / dst.lanes + block, y, x);
                    let from = |y, x| pixel(src, self.from / src.lanes + block, y, x);
                    row.copy([dst.lanes, src.lanes], dst.lanes, to, from);
                }
                for c in whole * src.lanes..self.channels {
                    let to = |x| element(dst, self.channel + c, y, x);
                    let from = |y, x| element(src, self.from + c, y, x);
                    row.copy([dst.lanes, src.lanes], 1, to, from);
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside_channels(dst, self.channel..self.channel + self.channels) };
    }
}

/// A row of the valid part of the destination, and where its pixels come from.
struct Row {
    /// The row of the source; none where the whole row is `outside`.
    from: Option<i64>,
    /// Columns before those that the source has, those, and those after.
    before: Interval,
    inside: Interval,
    after: Interval,
    /// From destination to source columns.
    shift: i64,
    /// Columns of the source.
    extent: i64,
    outside: f32,
    fold: Option<Folding>,
}

impl Row {
    #[inline(always)]
    fn new(copy: &CopyKernel, dst: &View, src: &View, y: i64) -> Self {
        let (all, [down, shift]) = (dst.valid.x, copy.shift);
        let from = match copy.fold {
            Some(fold) => Some(fold.inside(y + down, src.extent.y.end)),
            None => Some(y + down).filter(|from| each(src.extent.y).contains(from)),
        };
        let has = src.extent.x.shift(-shift).intersect(all);
        let inside = if from.is_some() && !has.is_empty() { has } else { Interval::new(all.end, all.end) };
        Self {
            from,
            before: Interval::new(all.start, inside.start),
            inside,
            after: Interval::new(inside.end, all.end),
            shift,
            extent: src.extent.x.end,
            outside: copy.outside,
            fold: copy.fold,
        }
    }

    /// Writes the row: `width` values a pixel, side by side; pixels are `steps` apart in destination and source.
    ///
    /// # Safety
    ///
    /// `to(x)` is valid for writing the pixels from `x` to the row's end, and `from(y, x)` for reading those of the source.
    #[inline(always)]
    unsafe fn copy(
        &self,
        [to_step, from_step]: [i64; 2],
        width: i64,
        to: impl Fn(i64) -> *mut f32,
        from: impl Fn(i64, i64) -> *mut f32,
    ) {
        for part in [self.before, self.after] {
            let first = to(part.start);
            for i in 0..part.len() {
                let pixel = first.wrapping_offset((i * to_step) as isize);
                // SAFETY: the caller's promise.
                unsafe {
                    match self.fold.zip(self.from) {
                        Some((fold, y)) => {
                            let x = fold.inside(part.start + i + self.shift, self.extent);
                            from(y, x).copy_to_nonoverlapping(pixel, width as usize);
                        }
                        None => fill(pixel, width, self.outside),
                    }
                }
            }
        }
        let Some(y) = self.from.filter(|_| !self.inside.is_empty()) else { return };
        let (first, source) = (to(self.inside.start), from(y, self.inside.start + self.shift));
        // SAFETY: the caller's promise.
        unsafe {
            if width == to_step && width == from_step {
                source.copy_to_nonoverlapping(first, (self.inside.len() * width) as usize);
            } else {
                for i in 0..self.inside.len() {
                    *first.offset((i * to_step) as isize) = *source.offset((i * from_step) as isize);
                }
            }
        }
    }
}

/// # Safety
///
/// `to` is valid for writing `count` elements.
#[inline(always)]
unsafe fn fill(to: *mut f32, count: i64, value: f32) {
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe { *to.offset(i as isize) = value };
    }
}
