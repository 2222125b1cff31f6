//! Resampling by whole pixels: [`Resize`] with [`Filter::Nearest`].

use super::Body;
use super::geometry::{blocks, each, element, fill_outside, pixel};
use super::simd::Simd;
use crate::memory::{Tile, View};
use crate::program::instr::{Coordinate, Filter, Resize};
use crate::program::{BufferId, Interval};

/// [`Resize`] without interpolation, ready to run.
pub(super) struct NearestKernel {
    dst: BufferId,
    src: BufferId,
    coordinates: [Coordinate; 2],
}

impl NearestKernel {
    /// `None` if there is something to interpolate.
    pub(super) fn new(instr: &Resize) -> Option<Self> {
        let nearest = Self { dst: instr.dst, src: instr.src, coordinates: instr.coordinates };
        (instr.filter == Filter::Nearest).then_some(nearest)
    }
}

impl Body for NearestKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let [rows, cols] = self.coordinates;
        for y in each(dst.valid.y) {
            let from = clamped(rows.floor(y), src.extent.y);
            // SAFETY: the caller's promise: `src` has what the valid part of `dst` needs.
            unsafe {
                match (dst.lanes == src.lanes, dst.lanes) {
                    (true, 16) => pixels::<16>(dst, src, y, from, cols),
                    (true, 8) => pixels::<8>(dst, src, y, from, cols),
                    (true, 4) => pixels::<4>(dst, src, y, from, cols),
                    _ => elements(dst, src, y, from, cols),
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
unsafe fn pixels<const LANES: usize>(dst: &View, src: &View, y: i64, from: i64, cols: Coordinate) {
    for block in 0..blocks(dst) {
        let row = pixel(src, block, from, 0).cast::<[f32; LANES]>();
        let mut to = pixel(dst, block, y, dst.valid.x.start).cast::<[f32; LANES]>();
        for (x, _) in sources(dst.valid.x, cols) {
            let x = clamped(x, src.extent.x);
            // SAFETY: the caller's promise.
            unsafe { *to = *row.wrapping_offset(x as isize) };
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
unsafe fn elements(dst: &View, src: &View, y: i64, from: i64, cols: Coordinate) {
    for c in 0..dst.channels {
        let row = element(src, c, from, 0);
        let mut to = element(dst, c, y, dst.valid.x.start);
        for (x, _) in sources(dst.valid.x, cols) {
            let x = clamped(x, src.extent.x);
            // SAFETY: the caller's promise.
            unsafe { *to = *row.wrapping_offset((x * src.lanes) as isize) };
            to = to.wrapping_offset(dst.lanes as isize);
        }
    }
}

/// The coordinate, or the border that it lies beyond. Verified extents are not empty.
#[inline(always)]
pub(super) fn clamped(i: i64, extent: Interval) -> i64 {
    i.min(extent.end - 1).max(extent.start)
}

/// [`Coordinate::split`] of each integer of `out`, without divisions but the first.
#[inline(always)]
pub(super) fn sources(out: Interval, at: Coordinate) -> impl Iterator<Item = (i64, i64)> {
    let (whole, part) = (at.num / at.den, at.num % at.den);
    let (mut source, mut rest) = at.split(out.start);
    each(out).map(move |_| {
        let now = (source, rest);
        (source, rest) = (source + whole, rest + part);
        if rest >= at.den {
            (source, rest) = (source + 1, rest - at.den);
        }
        now
    })
}
