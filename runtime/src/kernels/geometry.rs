//! Addresses in a view, and the pixels of a tile that lie outside the tensor.

use crate::memory::View;
use crate::program::{Interval, Region};

/// Where channel `c` of pixel `(y, x)` lies.
#[inline(always)]
pub(super) fn element(view: &View, c: i64, y: i64, x: i64) -> *mut f32 {
    channel(view, pixel(view, 0, y, x), c)
}

/// Where the first channel of block `block` of pixel `(y, x)` lies.
#[inline(always)]
pub(super) fn pixel(view: &View, block: i64, y: i64, x: i64) -> *mut f32 {
    column(view, block, x).wrapping_offset((view.slot(y) * view.row_stride) as isize)
}

/// Where the first channel of block `block` of column `x` lies in the row of slot 0.
#[inline(always)]
pub(super) fn column(view: &View, block: i64, x: i64) -> *mut f32 {
    view.ptr.wrapping_offset((block * view.block_stride + (x - view.x0) * view.lanes) as isize)
}

/// Where channel `c` lies, given where channel 0 of the same pixel does.
#[inline(always)]
pub(super) fn channel(view: &View, zero: *mut f32, c: i64) -> *mut f32 {
    let shift = view.lanes.trailing_zeros();
    zero.wrapping_offset(((c >> shift) * view.block_stride + (c & (view.lanes - 1))) as isize)
}

/// Number of blocks of channels.
#[inline(always)]
pub(super) fn blocks(view: &View) -> i64 {
    (view.channels + view.lanes - 1) / view.lanes
}

/// The integers of an interval.
#[inline(always)]
pub(super) fn each(i: Interval) -> std::ops::Range<i64> {
    i.start..i.end
}

/// Fills all channels of the pixels that lie outside the tensor with the buffer's `outside`, if it has one.
///
/// # Safety
///
/// `view` is valid for writing what it covers.
#[inline(always)]
pub(super) unsafe fn fill_outside(view: &View) {
    let Some(value) = view.outside else { return };
    for_each_outside(view, |y, x| {
        for block in 0..blocks(view) {
            let row = pixel(view, block, y, x.start);
            for i in 0..(x.len() * view.lanes) as usize {
                // SAFETY: `y` and `x` are covered by the view.
                unsafe { row.add(i).write(value) };
            }
        }
    });
}

/// The same for the channels `channels` alone.
///
/// # Safety
///
/// `view` is valid for writing what it covers; it has the channels.
#[inline(always)]
pub(super) unsafe fn fill_outside_channels(view: &View, channels: std::ops::Range<i64>) {
    let Some(value) = view.outside else { return };
    for_each_outside(view, |y, x| {
        for c in channels.clone() {
            let row = element(view, c, y, x.start);
            for i in 0..x.len() {
                // SAFETY: `y` and `x` are covered by the view, and it has channel `c`.
                unsafe { row.offset((i * view.lanes) as isize).write(value) };
            }
        }
    });
}

/// Calls `f` with stretches of rows that together are the computed pixels which are not valid.
#[inline(always)]
fn for_each_outside(view: &View, mut f: impl FnMut(i64, Interval)) {
    let Region { y: rows, x: cols } = view.computed;
    for y in each(rows) {
        if view.valid.is_empty() || !each(view.valid.y).contains(&y) {
            f(y, cols);
        } else {
            f(y, Interval::new(cols.start, view.valid.x.start));
            f(y, Interval::new(view.valid.x.end, cols.end));
        }
    }
}
