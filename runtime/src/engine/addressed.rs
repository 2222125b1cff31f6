//! Loads that find their elements elsewhere than at their own coordinates.

use super::transfer::{Plain, copy, element, fill_outside, fill_row};
use crate::memory::View;
use crate::program::instr::Addressing;
use crate::program::{Interval, Region};

/// Rows and columns that are transposed at a time: their lines of either view stay in the first cache level.
const BLOCK: i64 = 16;

/// Fills the buffer `dst` with its tile of what `addressing` makes of the tensor `src`: its valid part is copied, the rest
/// becomes `dst.outside`, if there is such a value.
///
/// # Safety
///
/// Both views describe memory that may be written and read as far as their computed regions go, `src` has the elements that
/// the addressing finds for `dst.valid`, and nobody else writes either at the same time.
pub(super) unsafe fn load(dst: &View, src: &View, addressing: Addressing) {
    // SAFETY: the caller's promise.
    unsafe {
        match addressing {
            Addressing::Transposed => transposed(dst, src),
            Addressing::Wrapped { shift } => {
                for (part, by) in unwrapped(dst.valid, shift, src.extent) {
                    copy::<Plain>(dst, src, part, by);
                }
            }
            Addressing::Reshaped => copy::<Plain>(dst, &reshaped(src, dst), dst.valid, [0; 2]),
            Addressing::Owned => {
                zero(dst, dst.valid);
                copy::<Plain>(dst, src, dst.owned, [0; 2]);
            }
        }
        fill(dst);
    }
}

/// Writes `view.outside`, if there is such a value, wherever the view lies outside the extent.
///
/// # Safety
///
/// The view may be written as far as its computed region goes.
pub(super) unsafe fn fill(view: &View) {
    if let Some(value) = view.outside {
        // SAFETY: the caller's promise.
        unsafe { fill_outside(view, value) };
    }
}

/// Writes zeros into a region.
///
/// # Safety
///
/// The view may be written there.
pub(super) unsafe fn zero(view: &View, region: Region) {
    for c in (0..view.channels).step_by(view.lanes as usize) {
        for y in region.y.start..region.y.end {
            // SAFETY: the caller's promise.
            unsafe { fill_row(view, c, y, region.x, 0.0) };
        }
    }
}

/// The planar tensor `src` with the channels and the extent of `like`.
pub(super) fn reshaped(src: &View, like: &View) -> View {
    let Region { y, x } = like.extent;
    let size = [y.len() as u64, x.len() as u64];
    let mut view = View { ptr: src.ptr, ..View::new(like.channels as u64, 1, size, like.extent) };
    view.place_rows(y, y, Interval::default());
    view.place_columns(x, Interval::default());
    view
}

/// `dst[c, y, x] = src[c, x, y]`, block by block.
///
/// # Safety
///
/// As for [`load`]: `src` covers `dst.valid` with its rows and columns swapped.
pub(super) unsafe fn transposed(dst: &View, src: &View) {
    for y in parts(dst.valid.y, BLOCK) {
        for x in parts(dst.valid.x, BLOCK) {
            for c in 0..dst.channels {
                for row in y.start..y.end {
                    for column in x.start..x.end {
                        // SAFETY: `(row, column)` is in `dst.valid`, and `src` has the pixel `(column, row)`.
                        unsafe { *element(dst, c, row, column) = *element(src, c, column, row) };
                    }
                }
            }
        }
    }
}

/// A region in rectangles between which `(y + shift.y) mod H` or `(x + shift.x) mod W` jumps, with the shift that they
/// amount to in each, of an extent of H × W pixels.
pub(super) fn unwrapped(
    all: Region,
    [down, right]: [i64; 2],
    extent: Region,
) -> impl Iterator<Item = (Region, [i64; 2])> {
    unwrapped_axis(all.y, down, extent.y.len()).flat_map(move |(y, down)| {
        unwrapped_axis(all.x, right, extent.x.len()).map(move |(x, right)| (Region { y, x }, [down, right]))
    })
}

/// The same along one axis.
fn unwrapped_axis(all: Interval, shift: i64, extent: i64) -> impl Iterator<Item = (Interval, i64)> {
    let turn = move |i: i64| (i + shift).div_euclid(extent);
    let turns = if all.is_empty() { 0..0 } else { turn(all.start)..turn(all.end - 1) + 1 };
    turns.map(move |turn| {
        let start = turn * extent - shift;
        (Interval::new(start, start + extent).intersect(all), shift - turn * extent)
    })
}

/// The elements `first..first + count` in raster order (channels, rows, columns), as parts of rows of an extent.
pub(super) fn raster(extent: Region, first: i64, count: i64) -> impl Iterator<Item = (u64, Region)> {
    let (rows, cols) = (extent.y.len(), extent.x.len());
    (first / cols..(first + count + cols - 1) / cols).map(move |line| {
        let x = Interval::new(first - line * cols, first + count - line * cols);
        let y = Interval::new(line % rows, line % rows + 1);
        ((line / rows) as u64, Region { y, x: x.intersect(Interval::new(0, cols)) })
    })
}

/// An interval in parts of `length`, the last of which may be shorter.
fn parts(all: Interval, length: i64) -> impl Iterator<Item = Interval> {
    (all.start..all.end)
        .step_by(length as usize)
        .map(move |start| Interval::new(start, (start + length).min(all.end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory with the view that lies in it.
    struct Image {
        values: Vec<f32>,
        view: View,
    }

    fn image(channels: i64, lanes: i64, computed: Region, extent: Region) -> Image {
        let size = [computed.y.len() as u64, computed.x.len() as u64];
        let mut view = View::new(channels as u64, lanes as u32, size, extent);
        let blocks = (channels as u64).div_ceil(lanes as u64) as i64;
        let mut values = vec![-7.0; (blocks * view.block_stride) as usize];
        view.ptr = values.as_mut_ptr();
        view.place_rows(computed.y, computed.y, Interval::default());
        view.place_columns(computed.x, Interval::default());
        Image { values, view }
    }

    fn get(i: &Image, c: i64, y: i64, x: i64) -> f32 {
        // SAFETY: tests ask for covered elements only.
        unsafe { *element(&i.view, c, y, x) }
    }

    fn whole(rows: i64, cols: i64) -> Region {
        Region { y: Interval::new(0, rows), x: Interval::new(0, cols) }
    }

    /// A tensor whose elements are their numbers in raster order.
    fn tensor([channels, rows, cols]: [i64; 3], lanes: i64) -> Image {
        let image = image(channels, lanes, whole(rows, cols), whole(rows, cols));
        for i in 0..channels * rows * cols {
            // SAFETY: the element is in the tensor.
            unsafe {
                *element(&image.view, i / (rows * cols), i / cols % rows, i % cols) = i as f32;
            }
        }
        image
    }

    /// The number of the element that goes to `(c, y, x)` of a buffer of `rows` × `cols` pixels.
    fn expected(
        addressing: Addressing,
        [_, h, w]: [i64; 3],
        [rows, cols]: [i64; 2],
        [c, y, x]: [i64; 3],
    ) -> i64 {
        match addressing {
            Addressing::Transposed => (c * h + x) * w + y,
            Addressing::Wrapped { shift: [down, right] } => {
                (c * h + (y + down + 100 * h) % h) * w + (x + right + 100 * w) % w
            }
            Addressing::Reshaped => (c * rows + y) * cols + x,
            Addressing::Owned => (c * h + y) * w + x,
        }
    }

    #[test]
    fn elements_are_found_where_the_addressing_says() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let from = [rng.i64(1..40), rng.i64(1..24), rng.i64(1..24)];
            let [c, h, w] = from;
            let (addressing, [channels, rows, cols]) = match rng.u8(0..3) {
                0 => (Addressing::Transposed, [c, w, h]),
                1 => {
                    let shift = [rng.i64(-30..30), rng.i64(-30..30)];
                    (Addressing::Wrapped { shift }, [c, rng.i64(1..60), rng.i64(1..60)])
                }
                _ => (Addressing::Reshaped, [[h, w, c], [c * w, 1, h], [1, c, h * w]][rng.usize(0..3)]),
            };
            let lanes = || [1, 2, 4, 8, 16];
            let src_lanes = if addressing.is_planar() { 1 } else { lanes()[rng.usize(0..5)] };
            let src = tensor(from, src_lanes);
            let mut tile = |extent: i64| {
                let start = rng.i64(-3..extent + 1);
                Interval::new(start, start + rng.i64(1..extent + 4))
            };
            let computed = Region { y: tile(rows), x: tile(cols) };
            let extent = whole(rows, cols);
            let mut dst = image(channels, lanes()[rng.usize(0..5)], computed, extent);
            dst.view.outside = Some(-1.0);
            // SAFETY: both views are over vectors of their sizes.
            unsafe { load(&dst.view, &src.view, addressing) };
            for c in 0..channels {
                for y in computed.y.start..computed.y.end {
                    for x in computed.x.start..computed.x.end {
                        let inside = (0..rows).contains(&y) && (0..cols).contains(&x);
                        let want = if inside {
                            expected(addressing, from, [rows, cols], [c, y, x]) as f32
                        } else {
                            -1.0
                        };
                        let found = get(&dst, c, y, x);
                        assert_eq!(found, want, "{addressing:?} of {from:?}: {c} {y} {x} of {rows} {cols}");
                    }
                }
            }
            assert!(src.values.iter().all(|v| *v >= -7.0));
        }
    }

    #[test]
    fn wrapped_parts_lie_in_the_extent_and_cover_all() {
        for extent in 1..6 {
            for shift in -7..8 {
                for start in -3..4 {
                    for end in start..9 {
                        let all = Interval::new(start, end);
                        let mut next = start;
                        for (part, by) in unwrapped_axis(all, shift, extent) {
                            assert_eq!(part.start, next);
                            for i in part.start..part.end {
                                assert_eq!(i + by, (i + shift).rem_euclid(extent));
                            }
                            next = part.end;
                        }
                        assert_eq!(next, end);
                    }
                }
            }
        }
    }
    #[test]
    fn raster_parts_are_the_elements_in_order() {
        let extent = whole(3, 5);
        for first in 0..40 {
            for count in 1..20 {
                let parts = raster(extent, first, count);
                let elements = parts.flat_map(|(c, Region { y, x })| {
                    assert_eq!(y.len(), 1);
                    (x.start..x.end).map(move |x| (c as i64 * 3 + y.start) * 5 + x)
                });
                assert!(elements.eq(first..first + count));
            }
        }
    }
}
