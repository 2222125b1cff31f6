//! What grains add up to: plain loops over the lanes, which the compiler turns into vectors.

use crate::memory::View;
use crate::program::{Interval, Region};

use super::grains::GRAIN;
use super::largest::ordered;

/// Sums of a grain, one a lane.
pub(super) struct Partial<const LANES: usize> {
    /// `acc = +0`, then `acc = acc + v` in raster order.
    pub(super) sum: [f64; LANES],
    /// The same of the squares, which are exact in f64; zeros where nobody asks for them.
    pub(super) squares: [f64; LANES],
}

/// Sums of `GRAINS` neighbouring grains: of the pixels of `region` in turns of [`GRAIN`] columns. One after the other, sums of few
/// lanes would wait for each other.
///
/// # Safety
///
/// The view has `LANES` lanes and addresses `region` of `block`, which is `GRAINS` whole grains wide, or `GRAINS` is 1.
#[inline(always)]
pub(super) unsafe fn partials<const LANES: usize, const GRAINS: usize, const SQUARES: bool>(
    view: &View,
    block: i64,
    region: Region,
) -> [Partial<LANES>; GRAINS] {
    let mut sum = [[0.0; LANES]; GRAINS];
    let mut squares = [[0.0; LANES]; GRAINS];
    let width = if GRAINS == 1 { region.x.len() } else { GRAIN } as usize;
    for y in region.y.start..region.y.end {
        // SAFETY: the caller's promise.
        let row = unsafe { row::<LANES>(view, block, y, region.x) };
        for k in 0..width {
            for grain in 0..GRAINS {
                let pixel = &row[grain * width + k];
                for lane in 0..LANES {
                    let value = f64::from(pixel[lane]);
                    sum[grain][lane] += value;
                    if SQUARES {
                        squares[grain][lane] += value * value;
                    }
                }
            }
        }
    }
    std::array::from_fn(|grain| Partial { sum: sum[grain], squares: squares[grain] })
}

/// The largest values of `region`, one a lane, as [`ordered`] bits; `u32::MAX` stands for a NaN.
///
/// # Safety
///
/// The view has `LANES` lanes and addresses `region` of `block`.
#[inline(always)]
pub(super) unsafe fn maxima<const LANES: usize>(view: &View, block: i64, region: Region) -> [u32; LANES] {
    let mut largest = [0; LANES];
    for y in region.y.start..region.y.end {
        // SAFETY: the caller's promise.
        for pixel in unsafe { row::<LANES>(view, block, y, region.x) } {
            for lane in 0..LANES {
                let value = pixel[lane];
                // No number has these bits: those of +∞ are smaller.
                let bits = if value.is_nan() { u32::MAX } else { ordered(value) };
                largest[lane] = largest[lane].max(bits);
            }
        }
    }
    largest
}

/// Pixels of a row of a block.
///
/// # Safety
///
/// The view has `LANES` lanes and addresses the pixels.
#[inline(always)]
unsafe fn row<'a, const LANES: usize>(view: &View, block: i64, y: i64, x: Interval) -> &'a [[f32; LANES]] {
    let offset =
        block * view.block_stride + view.slot(y) * view.row_stride + (x.start - view.x0) * LANES as i64;
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(view.ptr.offset(offset as isize).cast(), x.len() as usize) }
}
