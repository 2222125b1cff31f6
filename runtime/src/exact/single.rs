//! Exact sums of f32 values in fixed point.
//!
//! As [`superaccumulator`](super::superaccumulator), with the range of f32: a sum is an integer multiple of 2⁻¹⁴⁹, the smallest
//! denormal, held in 10 digits of 32 bits, which reach past 2¹⁶⁰. What is added need not be an f32: any f64 that is a sum of some
//! will do, and what rounding takes from such a sum.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::magnitude::{DIGIT_BITS, DIGIT_MASK, flag, flagged, magnitude};
use crate::program::{EXACT_SINGLE_SUM_BYTES, MAX_SUMMANDS};

/// Digits of a sum.
const DIGITS: usize = 10;
/// Words of a sum: its digits, and the flags.
pub const LIMBS: usize = DIGITS + 1;
/// Bytes of a sum.
pub const BYTES_PER_SUM: u64 = (LIMBS * size_of::<AtomicI64>()) as u64;
const _: () = assert!(BYTES_PER_SUM == EXACT_SINGLE_SUM_BYTES);
const _: () = assert!(MAX_SUMMANDS <= (i64::MAX / DIGIT_MASK) as u64);

/// Stored bits of the significands of f64 and f32.
const F64_FRACTION_BITS: u32 = 52;
const F32_FRACTION_BITS: u32 = 23;
/// Biased exponent of an f64 whose significand is a multiple of 2⁻¹⁴⁹.
const UNIT_EXPONENT: u32 = 1023 + F64_FRACTION_BITS - 149;
/// The last digit that a significand may begin in.
const LAST: usize = DIGITS - 3;

/// Adds a value; others may be adding too. Up to [`MAX_SUMMANDS`] values may be added.
///
/// A finite value is a multiple of 2⁻¹⁴⁹ and less than 2¹⁵⁹ in magnitude, as all sums of so many f32s are.
///
/// # Panics
///
/// If `sum` has fewer than [`LIMBS`] words.
pub fn add(sum: &[AtomicI64], value: f64) {
    let (digits, flags) = (&sum[..DIGITS], &sum[DIGITS]);
    if !value.is_finite() {
        flags.fetch_or(flag(value), Relaxed);
        return;
    }
    if value == 0.0 {
        return;
    }
    let bits = value.to_bits();
    let exponent = (bits >> F64_FRACTION_BITS & 0x7ff) as u32;
    let significand = bits & ((1 << F64_FRACTION_BITS) - 1) | 1 << F64_FRACTION_BITS;
    // In units of 2⁻¹⁴⁹: bits of the significand below are zeros.
    let (significand, position) = match exponent.checked_sub(UNIT_EXPONENT) {
        Some(position) => (significand, position),
        None => (significand.checked_shr(UNIT_EXPONENT - exponent).unwrap_or(0), 0),
    };
    let digit = ((position / DIGIT_BITS) as usize).min(LAST);
    let shifted = i128::from(significand) << (position % DIGIT_BITS);
    let sign = if value < 0.0 { -1 } else { 1 };
    for (i, digit) in digits[digit..digit + 3].iter().enumerate() {
        let piece = (shifted >> (i as u32 * DIGIT_BITS)) as i64 & DIGIT_MASK;
        if piece != 0 {
            digit.fetch_add(sign * piece, Relaxed);
        }
    }
}

/// The total of some sums, rounded to nearest even once, when no one is adding: +0 where it is zero, an infinity where it is too
/// large; NaN if a NaN or infinities of both signs were added.
///
/// # Panics
///
/// If one of the sums has fewer than [`LIMBS`] words.
pub fn round_total<'a>(sums: impl IntoIterator<Item = &'a [AtomicI64]>) -> f32 {
    let mut digits = [0i128; DIGITS];
    let mut flags = 0;
    for sum in sums {
        for (digit, limb) in digits.iter_mut().zip(&sum[..DIGITS]) {
            *digit += i128::from(limb.load(Relaxed));
        }
        flags |= sum[DIGITS].load(Relaxed);
    }
    if let Some(value) = flagged(flags) {
        return value as f32;
    }
    let (negative, magnitude) = magnitude(&digits);
    // No encoding is longer than that of infinity.
    let value = f32::from_bits(magnitude.round(F32_FRACTION_BITS, f32::INFINITY.to_bits().into()) as u32);
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::super::superaccumulator;
    use super::*;

    fn words(n: usize) -> Vec<AtomicI64> {
        std::iter::repeat_with(|| AtomicI64::new(0)).take(n).collect()
    }

    fn sum_of(values: &[f32]) -> f32 {
        let sum = words(LIMBS);
        values.iter().for_each(|&v| add(&sum, v.into()));
        round_total([&sum[..]])
    }

    /// The exact sum as a number of 2⁻¹⁴⁹ in 320 bits, found bit by bit, and the nearest f32 by bisection over the encodings.
    mod reference {
        const WORDS: usize = 10;
        type Wide = [u32; WORDS];

        fn of(value: f32) -> Wide {
            let bits = value.abs().to_bits();
            let (exponent, fraction) = (bits >> 23, bits & 0x7f_ffff);
            let significand = if exponent > 0 { fraction | 1 << 23 } else { fraction };
            let mut wide = [0; WORDS];
            for i in (0..24).filter(|i| significand >> i & 1 == 1) {
                let at = i + exponent.max(1) as usize - 1;
                wide[at / 32] |= 1 << (at % 32);
            }
            wide
        }

        fn plus(a: Wide, b: Wide) -> Wide {
            let mut carry = 0;
            std::array::from_fn(|i| {
                let sum = u64::from(a[i]) + u64::from(b[i]) + carry;
                carry = sum >> 32;
                sum as u32
            })
        }

        fn minus(a: Wide, b: Wide) -> Wide {
            let mut one = [0; WORDS];
            one[0] = 1;
            plus(plus(a, b.map(|w| !w)), one)
        }

        fn less(a: Wide, b: Wide) -> bool {
            a.iter().rev().lt(b.iter().rev())
        }

        pub(super) fn sum(values: &[f32]) -> f32 {
            let of_sign = |negative: bool| {
                let some = values.iter().filter(|v| v.is_sign_negative() == negative);
                some.fold([0; WORDS], |sum, &v| plus(sum, of(v)))
            };
            let (plus_sum, minus_sum) = (of_sign(false), of_sign(true));
            let negative = less(plus_sum, minus_sum);
            let total = if negative { minus(minus_sum, plus_sum) } else { minus(plus_sum, minus_sum) };
            let (mut low, mut high) = (0, f32::INFINITY.to_bits());
            while low + 1 < high {
                let middle = u32::midpoint(low, high);
                if less(total, of(f32::from_bits(middle))) { high = middle } else { low = middle }
            }
            // The encoding of infinity stands for 2¹²⁸.
            let (down, up) = (minus(total, of(f32::from_bits(low))), of_bits(high));
            let nearest = if !less(total, up) {
                high
            } else {
                let up = minus(up, total);
                match (less(down, up), less(up, down)) {
                    (true, _) => low,
                    (_, true) => high,
                    _ => low + low % 2,
                }
            };
            let value = f32::from_bits(nearest);
            if negative { -value } else { value }
        }

        /// As `of`, with the encoding of infinity for 2¹²⁸.
        fn of_bits(bits: u32) -> Wide {
            if bits < f32::INFINITY.to_bits() {
                return of(f32::from_bits(bits));
            }
            let mut wide = [0; WORDS];
            wide[277 / 32] |= 1 << (277 % 32);
            wide
        }
    }

    fn assert_exact(values: &[f32]) {
        let (got, want) = (sum_of(values), reference::sum(values));
        assert_eq!(got.to_bits(), want.to_bits(), "{values:?}: {got:e}, not {want:e}");
    }

    fn any_finite(rng: &mut fastrand::Rng) -> f32 {
        std::iter::repeat_with(|| f32::from_bits(rng.u32(..))).find(|v| v.is_finite()).unwrap()
    }

    #[test]
    fn single_values_come_back() {
        let mut rng = fastrand::Rng::with_seed(1);
        let edges = [f32::MIN_POSITIVE, f32::MAX, f32::MIN, 1e-45, -1e-45, f32::MIN_POSITIVE - 1e-45, 1.0];
        for value in edges.into_iter().chain((0..20_000).map(|_| any_finite(&mut rng))) {
            assert_eq!(sum_of(&[value]).to_bits(), value.to_bits(), "{value:e}");
        }
        assert_eq!(sum_of(&[-0.0]).to_bits(), 0);
        assert_eq!(sum_of(&[]).to_bits(), 0);
    }

    #[test]
    fn sums_are_rounded_correctly() {
        let mut rng = fastrand::Rng::with_seed(2);
        for _ in 0..3000 {
            let n = rng.usize(2..8);
            assert_exact(&(0..n).map(|_| any_finite(&mut rng)).collect::<Vec<_>>());
            // Near each other: carries, cancellation, ties, denormals.
            let scale = 2f32.powi(rng.i32(-149..100));
            let mut values: Vec<_> =
                (0..n).map(|_| (rng.f32() - 0.5) * scale * 2f32.powi(rng.i32(-26..26))).collect();
            if rng.bool() {
                values.push(-values[0]);
            }
            assert_exact(&values);
        }
        let (ulp, max) = (f32::EPSILON, f32::MAX);
        for values in [
            &[1.0, ulp / 2.0][..],
            &[1.0, ulp / 2.0, 1e-45],
            &[1.0, ulp / 2.0, -1e-45],
            &[1.0 + ulp, ulp / 2.0],
            &[-1.0 - ulp, -ulp / 2.0],
            &[max, max, -max],
            &[max, max],
            &[max, max * ulp / 4.0],
            &[max, max * ulp / 4.0, -1e-45],
            &[f32::MIN_POSITIVE, -1e-45],
            &[max, -max, 1e-45],
        ] {
            assert_exact(values);
        }
    }

    #[test]
    fn the_sum_is_rounded_to_f32_once() {
        // Rounded to f64 first, the last bit would be lost and the tie go to even, down.
        assert_eq!(sum_of(&[1.0, f32::EPSILON / 2.0, 1e-30]), 1.0 + f32::EPSILON);
    }

    #[test]
    fn flags_decide() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        assert_eq!(sum_of(&[1.0, inf, f32::MIN]), inf);
        assert_eq!(sum_of(&[-inf, f32::MAX]), -inf);
        assert!(sum_of(&[inf, -inf]).is_nan());
        assert!(sum_of(&[nan, inf]).is_nan());
    }

    #[test]
    fn digits_have_room_for_all_values() {
        let sum = words(LIMBS);
        // The largest sum, and each digit as if MAX_SUMMANDS values that are all ones had been added.
        add(&sum, 2f64.powi(159) * (1.0 - f64::EPSILON));
        assert_eq!(round_total([&sum[..]]), f32::INFINITY);
        add(&sum, -(2f64.powi(159) * (1.0 - f64::EPSILON)));
        assert_eq!(round_total([&sum[..]]).to_bits(), 0);
        sum[..DIGITS].iter().for_each(|d| d.store(MAX_SUMMANDS as i64 * DIGIT_MASK, Relaxed));
        assert_eq!(round_total([&sum[..]]), f32::INFINITY);
    }

    #[test]
    fn sums_of_f32_in_f64_may_be_added() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..2000 {
            let sum = words(LIMBS);
            let wide = words(superaccumulator::LIMBS);
            for _ in 0..rng.usize(1..20) {
                let range = 2f64.powi(rng.i32(-170..140));
                // A multiple of 2⁻¹⁴⁹.
                let value = ((rng.f64() - 0.5) * range * 2f64.powi(149)).round() * 2f64.powi(-149);
                add(&sum, value);
                superaccumulator::add(&wide, value);
            }
            let want = superaccumulator::round(&wide);
            // Rounding twice is rounding once but for ties.
            if f64::from(want as f32) == want || (want.to_bits() & 0x1fff_ffff) != 0x1000_0000 {
                assert_eq!(round_total([&sum[..]]).to_bits(), (want as f32).to_bits(), "{want:e}");
            }
        }
    }
}
