//! Adds what a tile owns of a tensor to the accumulators of its channels.

use std::sync::atomic::AtomicI64;

use super::grains::grains;
use super::superaccumulator::{LIMBS, Local};
use crate::memory::View;
use crate::program::Region;

/// Most channels side by side.
const MAX_LANES: usize = 16;

/// Adds every grain of the owned region to the sums of its channels: `sums` holds [`LIMBS`] words a channel.
///
/// Within a grain an f64 sum in raster order; across grains exactly. Others may be adding to the same sums.
///
/// # Safety
///
/// The view addresses initialised memory that nobody writes meanwhile, and what it owns lies in what it covers.
///
/// # Panics
///
/// If `sums` is too short.
pub(crate) unsafe fn accumulate(view: &View, sums: &[AtomicI64]) {
    // SAFETY: the caller's promise; each lane count is the view's.
    unsafe {
        match view.lanes {
            1 => accumulate_lanes::<1>(view, sums),
            2 => accumulate_lanes::<2>(view, sums),
            4 => accumulate_lanes::<4>(view, sums),
            8 => accumulate_lanes::<8>(view, sums),
            _ => accumulate_lanes::<MAX_LANES>(view, sums),
        }
    }
}

/// As [`accumulate`], for a view of `LANES` lanes.
unsafe fn accumulate_lanes<const LANES: usize>(view: &View, sums: &[AtomicI64]) {
    let sums = &sums[..view.channels as usize * LIMBS];
    for (block, sums) in sums.chunks(LANES * LIMBS).enumerate() {
        // A tile's grains are gathered here, so that workers seldom meet on the shared words.
        let mut local = [Local::ZERO; LANES];
        for grain in grains(view.owned) {
            // SAFETY: the caller's promise; the grain is part of what is owned, and the block one of the view's.
            let partial = unsafe { grain_sum::<LANES>(view, block as i64, grain) };
            local.iter_mut().zip(partial).for_each(|(sum, value)| sum.add(value));
        }
        // The last block may have fewer channels than lanes.
        for (sum, local) in sums.chunks(LIMBS).zip(&local) {
            local.add_to(sum);
        }
    }
}

/// Sums of a grain, one a lane: `acc = +0`, then `acc = acc + v` in raster order.
///
/// # Safety
///
/// The view has `LANES` lanes and addresses `grain` of `block`.
#[inline]
unsafe fn grain_sum<const LANES: usize>(view: &View, block: i64, grain: Region) -> [f64; LANES] {
    let mut sum = [0.0; LANES];
    for y in grain.y.start..grain.y.end {
        let offset = block * view.block_stride
            + view.slot(y) * view.row_stride
            + (grain.x.start - view.x0) * LANES as i64;
        // SAFETY: the view addresses this row of the block from the grain's first pixel to its last.
        let row = unsafe {
            std::slice::from_raw_parts(view.ptr.offset(offset as isize), grain.x.len() as usize * LANES)
        };
        for pixel in row.as_chunks::<LANES>().0 {
            for (sum, &value) in sum.iter_mut().zip(pixel) {
                *sum += f64::from(value);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::superaccumulator::{add, round};
    use super::*;
    use crate::program::Interval;

    const EXTENT: Region = Region { y: Interval::new(0, 43), x: Interval::new(0, 37) };

    fn value(c: i64, y: i64, x: i64) -> f32 {
        let mut rng = fastrand::Rng::with_seed((c * 1_000_003 + y * 1009 + x) as u64);
        (rng.f32() - 0.5) * 2f32.powi(rng.i32(-20..20))
    }

    /// A tile that covers some more than it owns, on all sides.
    fn tile(channels: i64, lanes: i64, owned: Region) -> (Vec<f32>, View) {
        let grow = |i: Interval| Interval::new(i.start - 3, i.end + 2);
        let computed = Region { y: grow(owned.y), x: grow(owned.x) };
        let (rows, cols) = (computed.y.len(), computed.x.len());
        let blocks = (channels + lanes - 1) / lanes;
        let mut data = vec![f32::NAN; (blocks * rows * cols * lanes) as usize];
        let mut view = View::new(channels as u64, lanes as u32, [rows as u64, cols as u64], EXTENT);
        view.ptr = data.as_mut_ptr();
        view.place_rows(computed.y, computed.y, owned.y);
        view.place_columns(computed.x, owned.x);
        for c in 0..channels {
            for y in owned.y.start..owned.y.end {
                for x in owned.x.start..owned.x.end {
                    let at = c / lanes * view.block_stride
                        + y.rem_euclid(rows) * view.row_stride
                        + (x - computed.x.start) * lanes
                        + c % lanes;
                    data[at as usize] = value(c, y, x);
                }
            }
        }
        (data, view)
    }

    fn sums(channels: i64) -> Vec<AtomicI64> {
        std::iter::repeat_with(|| AtomicI64::new(0)).take(channels as usize * LIMBS).collect()
    }

    /// By the definition: cells of 8 × 8 in f64, then exactly.
    fn by_definition(c: i64) -> f64 {
        let total = sums(1);
        for y in (0..EXTENT.y.end).step_by(8) {
            for x in (0..EXTENT.x.end).step_by(8) {
                let mut partial = 0.0;
                for y in y..(y + 8).min(EXTENT.y.end) {
                    for x in x..(x + 8).min(EXTENT.x.end) {
                        partial += f64::from(value(c, y, x));
                    }
                }
                add(&total, partial);
            }
        }
        round(&total)
    }

    #[test]
    fn every_cut_along_grains_gives_the_same_bits() {
        let channels = 19;
        let want: Vec<_> = (0..channels).map(|c| by_definition(c).to_bits()).collect();
        let cuts = [&[0, 43][..], &[0, 16, 43], &[0, 8, 32, 40, 43]];
        for lanes in [1, 2, 4, 8, 16] {
            for rows in cuts {
                for cols in [&[0, 37][..], &[0, 8, 24, 37]] {
                    let total = sums(channels);
                    for y in rows.windows(2) {
                        for x in cols.windows(2) {
                            let owned = Region { y: Interval::new(y[0], y[1]), x: Interval::new(x[0], x[1]) };
                            let (_data, view) = tile(channels, lanes, owned);
                            // SAFETY: the view addresses `_data`, which covers what it owns.
                            unsafe { accumulate(&view, &total) };
                        }
                    }
                    let got: Vec<_> = total.chunks(LIMBS).map(|sum| round(sum).to_bits()).collect();
                    assert_eq!(got, want, "{lanes} lanes, rows cut at {rows:?}, columns at {cols:?}");
                }
            }
        }
    }

    #[test]
    fn a_tile_that_owns_nothing_adds_nothing() {
        let total = sums(16);
        let (_data, mut view) = tile(16, 16, Region { y: Interval::new(8, 16), x: Interval::new(8, 16) });
        view.owned.x.end = 8;
        // SAFETY: nothing is owned, so nothing is read.
        unsafe { accumulate(&view, &total) };
        assert!(total.iter().all(|limb| limb.load(std::sync::atomic::Ordering::Relaxed) == 0));
    }
}
