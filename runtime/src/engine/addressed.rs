//! Loads that find their elements elsewhere than at their own coordinates.

use super::transfer::{copy, element, fill_outside};
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
            Addressing::Wrapped { shift } => wrapped(dst, src, shift),
            Addressing::Reshaped => copy::<false>(dst, &reshaped(src, dst), dst.valid, [0; 2]),
        }
    }
    if let Some(value) = dst.outside {
        // SAFETY: `dst` may be written.
        unsafe { fill_outside(dst, value) };
    }
}

/// The planar tensor `src` with the channels and the extent of `like`.
fn reshaped(src: &View, like: &View) -> View {
    let row_stride = like.extent.x.len();
    View {
        channels: like.channels,
        block_stride: like.extent.y.len() * row_stride,
        row_stride,
        computed: like.extent,
        valid: like.extent,
        extent: like.extent,
        ..*src
    }
}

/// `dst[c, y, x] = src[c, x, y]`, block by block.
///
/// # Safety
///
/// As for [`load`]: `src` covers `dst.valid` with its rows and columns swapped.
unsafe fn transposed(dst: &View, src: &View) {
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

/// `dst[c, y, x] = src[c, (y + shift.y) mod H, (x + shift.x) mod W]`: a rectangle for each way of wrapping.
///
/// # Safety
///
/// As for [`load`].
unsafe fn wrapped(dst: &View, src: &View, [down, right]: [i64; 2]) {
    for (y, down) in unwrapped(dst.valid.y, down, src.extent.y.len()) {
        for (x, right) in unwrapped(dst.valid.x, right, src.extent.x.len()) {
            // SAFETY: the rectangle is in `dst.valid`, and where it is shifted to in `src`.
            unsafe { copy::<false>(dst, src, Region { y, x }, [down, right]) };
        }
    }
}

/// The parts of an interval between which `(i + shift) mod extent` jumps, with the shift that it amounts to in each.
fn unwrapped(all: Interval, shift: i64, extent: i64) -> impl Iterator<Item = (Interval, i64)> {
    let turn = move |i: i64| (i + shift).div_euclid(extent);
    let turns = if all.is_empty() { 0..0 } else { turn(all.start)..turn(all.end - 1) + 1 };
    turns.map(move |turn| {
        let start = turn * extent - shift;
        (Interval::new(start, start + extent).intersect(all), shift - turn * extent)
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

    #[test]
    fn wrapped_parts_lie_in_the_extent_and_cover_all() {
        for extent in 1..6 {
            for shift in -7..8 {
                for start in -3..4 {
                    for end in start..9 {
                        let all = Interval::new(start, end);
                        let mut next = start;
                        for (part, by) in unwrapped(all, shift, extent) {
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
}
