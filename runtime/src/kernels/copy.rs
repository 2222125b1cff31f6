//! Copies between buffers.

use super::Body;
use super::geometry::{each, element, fill_outside_channels, pixel};
use super::simd::Simd;
use crate::memory::{Tile, View};
use crate::program::instr::Copy;
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
        // The part of a row that the source has; before and after it lies `outside`.
        let inside = src.extent.x.shift(-self.shift[1]).intersect(dst.valid.x);
        for y in each(dst.valid.y) {
            let from = y + self.shift[0];
            let inside = if each(src.extent.y).contains(&from) && !inside.is_empty() {
                inside
            } else {
                Interval::new(dst.valid.x.end, dst.valid.x.end)
            };
            let before = Interval::new(dst.valid.x.start, inside.start);
            let after = Interval::new(inside.end, dst.valid.x.end);
            // SAFETY: verified geometry: `dst` has its valid part and the channels, `src` the part inside its extent.
            unsafe {
                for block in 0..whole {
                    let at = |x| pixel(dst, self.channel / dst.lanes + block, y, x);
                    fill(at(before.start), before.len() * dst.lanes, 1, self.outside);
                    if !inside.is_empty() {
                        let from =
                            pixel(src, self.from / src.lanes + block, from, inside.start + self.shift[1]);
                        from.copy_to_nonoverlapping(at(inside.start), (inside.len() * dst.lanes) as usize);
                    }
                    fill(at(after.start), after.len() * dst.lanes, 1, self.outside);
                }
                for c in whole * src.lanes..self.channels {
                    let at = |x| element(dst, self.channel + c, y, x);
                    fill(at(before.start), before.len(), dst.lanes, self.outside);
                    let from = element(src, self.from + c, from, inside.start + self.shift[1]);
                    let to = at(inside.start);
                    for i in 0..inside.len() {
                        *to.offset((i * dst.lanes) as isize) = *from.offset((i * src.lanes) as isize);
                    }
                    fill(at(after.start), after.len(), dst.lanes, self.outside);
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside_channels(dst, self.channel..self.channel + self.channels) };
    }
}

/// # Safety
///
/// `to` is valid for writing `count` elements, `step` apart.
#[inline(always)]
unsafe fn fill(to: *mut f32, count: i64, step: i64, value: f32) {
    for i in 0..count {
        // SAFETY: the caller's promise.
        unsafe { *to.offset((i * step) as isize) = value };
    }
}
