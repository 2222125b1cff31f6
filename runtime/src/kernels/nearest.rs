//! Nearest-neighbour resampling.

use super::Body;
use super::geometry::{blocks, each, element, fill_outside, pixel};
use super::simd::Simd;
use crate::memory::{Tile, View};
use crate::program::instr::{Nearest, Ratio};
use crate::program::{BufferId, Interval};

/// [`Nearest`], ready to run.
pub(super) struct NearestKernel {
    dst: BufferId,
    src: BufferId,
    ratio: [Ratio; 2],
}

impl NearestKernel {
    pub(super) fn new(instr: &Nearest) -> Self {
        Self { dst: instr.dst, src: instr.src, ratio: instr.ratio }
    }
}

impl Body for NearestKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        for y in each(dst.valid.y) {
            let from = self.ratio[0].floor(y);
            // SAFETY: the caller's promise: `src` has what the valid part of `dst` needs.
            unsafe {
                match (dst.lanes == src.lanes, dst.lanes) {
                    (true, 16) => pixels::<16>(dst, src, y, from, self.ratio[1]),
                    (true, 8) => pixels::<8>(dst, src, y, from, self.ratio[1]),
                    (true, 4) => pixels::<4>(dst, src, y, from, self.ratio[1]),
                    _ => elements(dst, src, y, from, self.ratio[1]),
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}

/// One row, whole pixels of a block at a time.
///
/// # Safety
///
/// The views have the rows and `LANES` lanes; `src` has the columns that those of `dst` come from.
#[inline(always)]
unsafe fn pixels<const LANES: usize>(dst: &View, src: &View, y: i64, from: i64, ratio: Ratio) {
    for block in 0..blocks(dst) {
        let row = pixel(src, block, from, src.x0).cast::<[f32; LANES]>();
        let mut to = pixel(dst, block, y, dst.valid.x.start).cast::<[f32; LANES]>();
        for x in sources(dst.valid.x, ratio) {
            // SAFETY: the caller's promise.
            unsafe { *to = *row.offset((x - src.x0) as isize) };
            to = to.wrapping_add(1);
        }
    }
}

/// One row, element by element.
///
/// # Safety
///
/// The views have the rows; `src` has the columns that those of `dst` come from.
#[inline(always)]
unsafe fn elements(dst: &View, src: &View, y: i64, from: i64, ratio: Ratio) {
    for c in 0..dst.channels {
        let row = element(src, c, from, src.x0);
        let mut to = element(dst, c, y, dst.valid.x.start);
        for x in sources(dst.valid.x, ratio) {
            // SAFETY: the caller's promise.
            unsafe { *to = *row.offset(((x - src.x0) * src.lanes) as isize) };
            to = to.wrapping_offset(dst.lanes as isize);
        }
    }
}

/// [`Ratio::floor`] of each integer of `out`, without divisions but the first.
#[inline(always)]
fn sources(out: Interval, ratio: Ratio) -> impl Iterator<Item = i64> {
    let (num, den) = (i64::from(ratio.num), i64::from(ratio.den.max(1)));
    let (whole, part) = (num / den, num % den);
    let mut source = ratio.floor(out.start);
    // The numerator of what `source` leaves over; less than `den`.
    let mut rest = (i128::from(out.start) * i128::from(num)).rem_euclid(i128::from(den)) as i64;
    each(out).map(move |_| {
        let now = source;
        (source, rest) = (source + whole, rest + part);
        if rest >= den {
            (source, rest) = (source + 1, rest - den);
        }
        now
    })
}
