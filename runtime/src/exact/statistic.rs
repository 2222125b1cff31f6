//! From what was gathered over space to a statistic.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::superaccumulator::{LIMBS, round_total};
use super::{largest, single};
use crate::program::AccumulatorKind;
use crate::program::instr::Statistic;

/// Words of an accumulator for an image and channel.
pub(crate) const fn words(kind: AccumulatorKind) -> usize {
    kind.bytes() as usize / size_of::<AtomicI64>()
}

/// A statistic of channels taken together, of which an accumulator of `kind` has gathered `channels` over `pixels` each.
///
/// The formulas are those of the crate's documentation. The statistic is one that `kind` gives.
pub(crate) fn statistic(
    statistic: Statistic,
    kind: AccumulatorKind,
    channels: &[AtomicI64],
    pixels: f64,
) -> f32 {
    let words = words(kind);
    if kind == AccumulatorKind::Products {
        return single::round_total(channels.chunks_exact(words));
    }
    let count = pixels * (channels.len() / words) as f64;
    let total = |first: usize| round_total(channels.chunks_exact(words).map(|c| &c[first..first + LIMBS]));
    match statistic {
        Statistic::Sum => total(0) as f32,
        Statistic::Mean => (total(0) / count) as f32,
        Statistic::MeanRest => {
            let mean = total(0) / count;
            (mean - f64::from(mean as f32)) as f32
        }
        Statistic::Variance => variance(total(0), total(LIMBS), count),
        Statistic::Max => {
            let keys = channels.iter().map(|word| word.load(Relaxed));
            largest::value(keys.max().unwrap_or(largest::NOTHING))
        }
    }
}

/// `E[x²] − E[x]²`, which rounding may leave below 0 where all values are about the same; NaN stays.
fn variance(sum: f64, squares: f64, count: f64) -> f32 {
    let mean = sum / count;
    let variance = squares / count - mean * mean;
    (if variance < 0.0 { 0.0 } else { variance }) as f32
}

#[cfg(test)]
mod tests {
    use super::super::superaccumulator::add;
    use super::*;

    /// Channels that have gathered the values, a grain each.
    fn gathered(kind: AccumulatorKind, channels: &[&[f32]]) -> Vec<AtomicI64> {
        let mut all = Vec::new();
        for values in channels {
            let words: Vec<_> = (0..words(kind)).map(|_| AtomicI64::new(0)).collect();
            for &value in *values {
                let value = f64::from(value);
                match kind {
                    AccumulatorKind::Sum => add(&words, value),
                    AccumulatorKind::Moments => {
                        add(&words[..LIMBS], value);
                        add(&words[LIMBS..], value * value);
                    }
                    AccumulatorKind::Max => {
                        let bits = largest::ordered(value as f32);
                        words[0].fetch_max(largest::key_of_bits(bits), Relaxed);
                    }
                    AccumulatorKind::Products => single::add(&words, value),
                }
            }
            all.extend(words);
        }
        all
    }

    fn of(which: Statistic, channels: &[&[f32]]) -> f32 {
        let words = gathered(which.kind(), channels);
        statistic(which, which.kind(), &words, channels[0].len() as f64)
    }

    #[test]
    fn a_mean_is_rounded_to_f64_and_then_to_f32_and_the_rest_is_what_that_takes() {
        let values = [1.0, 0.0, 0.0];
        assert_eq!(of(Statistic::Mean, &[&values]), 1.0f32 / 3.0);
        assert_eq!(of(Statistic::MeanRest, &[&values]), (1.0 / 3.0 - f64::from(1.0f32 / 3.0)) as f32);
        assert_eq!(of(Statistic::MeanRest, &[&[4.0, 2.0]]), 0.0);
        assert_eq!(of(Statistic::Sum, &[&[1e8, 1.0, -1e8]]), 1.0);
    }

    #[test]
    fn a_small_variance_about_a_large_mean_is_right() {
        let mut rng = fastrand::Rng::with_seed(7);
        let values: Vec<f32> = (0..4096).map(|_| 1e4 + rng.f32()).collect();
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 4096.0;
        let want = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / 4096.0;
        let found = of(Statistic::Variance, &[&values]);
        assert!((f64::from(found) / want - 1.0).abs() < 1e-6, "{found} is not {want}");
        assert_eq!(of(Statistic::Variance, &[&[0.1; 1000]]), 0.0, "all the same");
    }

    #[test]
    fn channels_of_a_group_are_one_population() {
        let (a, b) = ([1e30f32, 1.0], [-1e30f32, 2.0]);
        assert_eq!(of(Statistic::Sum, &[&a, &b]), 3.0, "exactly");
        assert_eq!(of(Statistic::Mean, &[&a, &b]), 0.75);
        assert_eq!(of(Statistic::Variance, &[&[1.0, 1.0], &[3.0, 3.0]]), 1.0);
        assert_eq!(of(Statistic::Max, &[&[1.0, -1.0], &[-3.0, 2.5]]), 2.5);
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for (odd, mean) in [(f32::NAN, f32::NAN), (f32::INFINITY, f32::INFINITY)] {
            let values = [1.0, odd, 2.0];
            assert_eq!(of(Statistic::Mean, &[&values]).is_nan(), mean.is_nan());
            assert!(of(Statistic::Variance, &[&values]).is_nan());
            assert!(of(Statistic::MeanRest, &[&values]).is_nan());
        }
        assert_eq!(of(Statistic::Mean, &[&[1.0, f32::INFINITY]]), f32::INFINITY);
    }
}
