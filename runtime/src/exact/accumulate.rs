//! Adds what a tile owns of a tensor to the accumulators of its channels.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::grains::{GRAIN, cells};
use super::largest;
use super::partial::{Partial, maxima, partials};
use super::statistic::words;
use super::superaccumulator::{LIMBS, Local};
use crate::memory::View;
use crate::program::{AccumulatorKind, Interval, Region};

/// Gathers every grain of the owned region in `gathered`: so many words a channel as [`words`] says.
///
/// Sums are f64 in raster order within a grain, and exact across grains. Others may be adding to the same words.
///
/// # Safety
///
/// The view addresses initialised memory that nobody writes meanwhile, and what it owns lies in what it covers.
///
/// # Panics
///
/// If `gathered` is too short.
pub(crate) unsafe fn accumulate(view: &View, kind: AccumulatorKind, gathered: &[AtomicI64]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2; the rest is the caller's promise.
        return unsafe { with_avx2(view, kind, gathered) };
    }
    // SAFETY: the caller's promise.
    unsafe { with_any(view, kind, gathered) }
}

/// As [`accumulate`]: the same code for wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn with_avx2(view: &View, kind: AccumulatorKind, gathered: &[AtomicI64]) {
    // SAFETY: the caller's promise.
    unsafe { with_any(view, kind, gathered) }
}

#[inline(always)]
unsafe fn with_any(view: &View, kind: AccumulatorKind, gathered: &[AtomicI64]) {
    // SAFETY: the caller's promise; each lane count is the view's.
    unsafe {
        match view.lanes {
            1 => of_kind::<1, 8>(view, kind, gathered),
            2 => of_kind::<2, 4>(view, kind, gathered),
            4 => of_kind::<4, 4>(view, kind, gathered),
            8 => of_kind::<8, 2>(view, kind, gathered),
            _ => of_kind::<16, 1>(view, kind, gathered),
        }
    }
}

/// As [`accumulate`], for a view of `LANES` lanes, `GRAINS` grains at a time.
#[inline(always)]
unsafe fn of_kind<const LANES: usize, const GRAINS: usize>(
    view: &View,
    kind: AccumulatorKind,
    gathered: &[AtomicI64],
) {
    if view.owned.is_empty() {
        return;
    }
    let gathered = &gathered[..view.channels as usize * words(kind)];
    for (block, channels) in gathered.chunks(LANES * words(kind)).enumerate() {
        let block = block as i64;
        // SAFETY: the caller's promise; the block is one of the view's.
        unsafe {
            match kind {
                AccumulatorKind::Sum => sums::<LANES, GRAINS, false>(view, block, channels),
                AccumulatorKind::Moments => sums::<LANES, GRAINS, true>(view, block, channels),
                AccumulatorKind::Max => largest_values::<LANES>(view, block, channels),
                // Of pairs of tensors, which the verifier leaves to another instruction.
                AccumulatorKind::Products => {}
            }
        }
    }
}

/// The largest value that each channel of a block has in what the tile owns.
///
/// # Safety
///
/// As for [`accumulate`], for a view of `LANES` lanes.
#[inline(always)]
unsafe fn largest_values<const LANES: usize>(view: &View, block: i64, channels: &[AtomicI64]) {
    // SAFETY: the caller's promise.
    let maxima = unsafe { maxima::<LANES>(view, block, view.owned) };
    // The last block may have fewer channels than lanes.
    for (word, bits) in channels.iter().zip(maxima) {
        word.fetch_max(largest::key_of_bits(bits), Relaxed);
    }
}

/// The sums of each channel of a block, with those of squares if `SQUARES`.
///
/// # Safety
///
/// As for [`accumulate`], for a view of `LANES` lanes.
#[inline(always)]
unsafe fn sums<const LANES: usize, const GRAINS: usize, const SQUARES: bool>(
    view: &View,
    block: i64,
    channels: &[AtomicI64],
) {
    // A tile's grains are gathered here, so that workers seldom meet on the shared words.
    let mut local = Gathered::<LANES>::ZERO;
    for y in cells(view.owned.y) {
        let mut x = view.owned.x;
        while !x.is_empty() {
            let several = Interval::new(x.start, x.start + GRAINS as i64 * GRAIN);
            if GRAINS > 1 && x.start % GRAIN == 0 && several.end <= x.end {
                // SAFETY: the caller's promise; these are whole grains of what is owned.
                let of = unsafe { partials::<LANES, GRAINS, SQUARES>(view, block, Region { y, x: several }) };
                of.iter().for_each(|partial| local.add::<SQUARES>(partial));
                x.start = several.end;
            } else {
                let end = (x.start.div_euclid(GRAIN) + 1) * GRAIN;
                let one = Interval::new(x.start, end.min(x.end));
                // SAFETY: the caller's promise; this is one grain of what is owned.
                let [partial] = unsafe { partials::<LANES, 1, SQUARES>(view, block, Region { y, x: one }) };
                local.add::<SQUARES>(&partial);
                x.start = one.end;
            }
        }
    }
    local.add_to::<SQUARES>(channels);
}

/// Exact sums of a block that one thread gathers, of values and of squares.
struct Gathered<const LANES: usize> {
    sum: [Local; LANES],
    squares: [Local; LANES],
}

impl<const LANES: usize> Gathered<LANES> {
    const ZERO: Self = Self { sum: [Local::ZERO; LANES], squares: [Local::ZERO; LANES] };

    fn add<const SQUARES: bool>(&mut self, partial: &Partial<LANES>) {
        for lane in 0..LANES {
            self.sum[lane].add(partial.sum[lane]);
            if SQUARES {
                self.squares[lane].add(partial.squares[lane]);
            }
        }
    }

    /// Adds to the words of the channels. The last block may have fewer channels than lanes.
    fn add_to<const SQUARES: bool>(&self, channels: &[AtomicI64]) {
        let words = if SQUARES { 2 * LIMBS } else { LIMBS };
        for (lane, channel) in channels.chunks_exact(words).enumerate() {
            self.sum[lane].add_to(&channel[..LIMBS]);
            if SQUARES {
                self.squares[lane].add_to(&channel[LIMBS..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::superaccumulator::{add, round};
    use super::*;

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

    fn zeros(words: usize) -> Vec<AtomicI64> {
        std::iter::repeat_with(|| AtomicI64::new(0)).take(words).collect()
    }

    /// By the definition: cells of 8 × 8 in f64, then exactly; the sum, and the sum of squares.
    fn sums_by_definition(c: i64) -> [f64; 2] {
        let totals = [zeros(LIMBS), zeros(LIMBS)];
        for y in (0..EXTENT.y.end).step_by(8) {
            for x in (0..EXTENT.x.end).step_by(8) {
                let mut partials = [0.0; 2];
                for y in y..(y + 8).min(EXTENT.y.end) {
                    for x in x..(x + 8).min(EXTENT.x.end) {
                        let v = f64::from(value(c, y, x));
                        partials[0] += v;
                        partials[1] += v * v;
                    }
                }
                totals.iter().zip(partials).for_each(|(total, partial)| add(total, partial));
            }
        }
        totals.map(|total| round(&total))
    }

    fn largest_by_definition(c: i64) -> f32 {
        let pixels = (0..EXTENT.y.end).flat_map(|y| (0..EXTENT.x.end).map(move |x| value(c, y, x)));
        pixels.fold(f32::NEG_INFINITY, f32::max)
    }

    /// All that tiles with the given cuts gather.
    fn gathered(kind: AccumulatorKind, channels: i64, lanes: i64, cuts: [&[i64]; 2]) -> Vec<AtomicI64> {
        let all = zeros(channels as usize * words(kind));
        for y in cuts[0].windows(2) {
            for x in cuts[1].windows(2) {
                let owned = Region { y: Interval::new(y[0], y[1]), x: Interval::new(x[0], x[1]) };
                let (_data, view) = tile(channels, lanes, owned);
                // SAFETY: the view addresses `_data`, which covers what it owns.
                unsafe { accumulate(&view, kind, &all) };
            }
        }
        all
    }

    #[test]
    fn every_cut_along_grains_gives_the_same_bits() {
        let channels = 19;
        let want: Vec<_> = (0..channels).map(|c| sums_by_definition(c).map(f64::to_bits)).collect();
        let largest: Vec<_> = (0..channels).map(|c| largest_by_definition(c).to_bits()).collect();
        let cuts = [&[0, 43][..], &[0, 16, 43], &[0, 8, 32, 40, 43]];
        for lanes in [1, 2, 4, 8, 16] {
            for rows in cuts {
                for cols in [&[0, 37][..], &[0, 8, 24, 37]] {
                    let of = |kind| gathered(kind, channels, lanes, [rows, cols]);
                    let context = format!("{lanes} lanes, rows cut at {rows:?}, columns at {cols:?}");
                    let bits = |sum: &[AtomicI64]| round(sum).to_bits();
                    let sums: Vec<_> = of(AccumulatorKind::Sum).chunks(LIMBS).map(bits).collect();
                    assert!(sums.iter().eq(want.iter().map(|w| &w[0])), "{context}");
                    let moments = of(AccumulatorKind::Moments);
                    let moments: Vec<_> =
                        moments.chunks(2 * LIMBS).map(|c| [bits(c), bits(&c[LIMBS..])]).collect();
                    assert_eq!(moments, want, "{context}");
                    let maxima = of(AccumulatorKind::Max);
                    let maxima = maxima.iter().map(|key| largest::value(key.load(Relaxed)).to_bits());
                    assert!(maxima.eq(largest.iter().copied()), "{context}");
                }
            }
        }
    }

    #[test]
    fn the_portable_code_gives_the_same_bits() {
        for kind in [AccumulatorKind::Sum, AccumulatorKind::Moments, AccumulatorKind::Max] {
            let (_data, view) = tile(19, 16, EXTENT);
            let [best, portable] = [0; 2].map(|_| zeros(19 * words(kind)));
            // SAFETY: the view addresses `_data`, which covers what it owns.
            unsafe {
                accumulate(&view, kind, &best);
                with_any(&view, kind, &portable);
            }
            let words = |all: &[AtomicI64]| all.iter().map(|w| w.load(Relaxed)).collect::<Vec<_>>();
            assert_eq!(words(&best), words(&portable));
        }
    }

    #[test]
    fn a_nan_is_the_largest_and_plus_zero_is_larger_than_minus_zero() {
        let owned = Region { y: Interval::new(0, 8), x: Interval::new(0, 8) };
        let largest = |values: &[f32]| {
            let (mut data, view) = tile(1, 1, owned);
            let all = zeros(1);
            data.fill(f32::NEG_INFINITY);
            for (i, value) in values.iter().enumerate() {
                data[(view.slot(0) * view.row_stride + 3) as usize + i] = *value;
            }
            // SAFETY: the view addresses `data`, which covers what it owns.
            unsafe { accumulate(&view, AccumulatorKind::Max, &all) };
            largest::value(all[0].load(Relaxed))
        };
        assert!(largest(&[1.0, -f32::NAN, f32::INFINITY]).is_nan());
        assert_eq!(largest(&[-0.0, 0.0, -0.0]).to_bits(), 0);
        assert_eq!(largest(&[-0.0, -1.0]).to_bits(), (-0f32).to_bits());
        assert_eq!(largest(&[-3.0, -1e-45]), -1e-45);
        assert_eq!(largest(&[]), f32::NEG_INFINITY);
    }

    #[test]
    fn a_tile_that_owns_nothing_adds_nothing() {
        for kind in [AccumulatorKind::Sum, AccumulatorKind::Moments, AccumulatorKind::Max] {
            let total = zeros(16 * words(kind));
            let (_data, mut view) = tile(16, 16, Region { y: Interval::new(8, 16), x: Interval::new(8, 16) });
            view.owned.x.end = 8;
            // SAFETY: nothing is owned, so nothing is read.
            unsafe { accumulate(&view, kind, &total) };
            assert!(total.iter().all(|limb| limb.load(Relaxed) == 0));
        }
    }
}
