//! Exact sums of f64 values in fixed point.
//!
//! A sum is an integer multiple of 2⁻¹⁰⁷⁴, the smallest denormal, held in 66 digits of 32 bits: digit `i` stands for multiples of
//! `2^(32·i − 1074)`, and 66 of them reach past 2¹⁰²⁴. Each digit has an i64 to itself. A value's significand, shifted into place,
//! touches three neighbouring digits by less than 2³² each, so that 2³¹ − 1 values can be added before any digit can overflow, and
//! no carry is propagated until the sum is rounded. Since nothing but integers is ever added, the order is immaterial, and workers
//! may add to the same sum concurrently without a lock.
//!
//! NaN and infinities set flags of a last word, and decide the rounded result as a sum of f64 values would.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::magnitude::{DIGIT_BITS, DIGIT_MASK, flag, flagged, magnitude};
use crate::program::{EXACT_SUM_BYTES, MAX_SUMMANDS};

/// Digits of a sum.
const DIGITS: usize = 66;
/// Words of a sum: its digits, and the flags.
pub const LIMBS: usize = DIGITS + 1;
/// Bytes of a sum.
pub const BYTES_PER_SUM: u64 = (LIMBS * size_of::<AtomicI64>()) as u64;
const _: () = assert!(BYTES_PER_SUM == EXACT_SUM_BYTES);
/// Values that may be added to one sum.
pub const MAX_VALUES: u64 = MAX_SUMMANDS;
const _: () = assert!(MAX_VALUES <= (i64::MAX / DIGIT_MASK) as u64);

/// Stored bits of an f64's significand.
const FRACTION_BITS: u32 = 52;

/// Makes the sum zero.
///
/// # Panics
///
/// If `sum` has fewer than [`LIMBS`] words.
pub fn clear(sum: &[AtomicI64]) {
    sum[..LIMBS].iter().for_each(|limb| limb.store(0, Relaxed));
}

/// Adds a value; others may be adding too.
///
/// # Panics
///
/// If `sum` has fewer than [`LIMBS`] words.
pub fn add(sum: &[AtomicI64], value: f64) {
    match Parts::of(value) {
        Parts::Finite { digit, pieces } => {
            for (limb, piece) in sum[digit..digit + 3].iter().zip(pieces) {
                limb.fetch_add(piece, Relaxed);
            }
        }
        Parts::Flag(flag) => {
            sum[LIMBS - 1].fetch_or(flag, Relaxed);
        }
    }
}

/// The sum, rounded to nearest even, once no one is adding: +0 where it is zero, an infinity where it is too large; NaN if a NaN
/// or infinities of both signs were added.
///
/// # Panics
///
/// If `sum` has fewer than [`LIMBS`] words.
pub fn round(sum: &[AtomicI64]) -> f64 {
    round_total([sum])
}

/// The total of some sums, as [`round`] gives that of one: nothing is rounded before the end.
///
/// # Panics
///
/// If one of the sums has fewer than [`LIMBS`] words.
pub fn round_total<'a>(sums: impl IntoIterator<Item = &'a [AtomicI64]>) -> f64 {
    let mut digits = [0i128; DIGITS];
    let mut flags = 0;
    for sum in sums {
        let (limbs, flag) = (&sum[..DIGITS], &sum[LIMBS - 1]);
        for (digit, limb) in digits.iter_mut().zip(limbs) {
            *digit += i128::from(limb.load(Relaxed));
        }
        flags |= flag.load(Relaxed);
    }
    round_digits(&digits, flags)
}

/// A sum that one thread gathers before it adds it to a shared one: the values of a tile cost few atomic additions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local([i64; LIMBS]);

impl Local {
    pub(crate) const ZERO: Self = Self([0; LIMBS]);

    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        match Parts::of(value) {
            Parts::Finite { digit, pieces } => {
                for (limb, piece) in self.0[digit..digit + 3].iter_mut().zip(pieces) {
                    *limb += piece;
                }
            }
            Parts::Flag(flag) => self.0[LIMBS - 1] |= flag,
        }
    }

    /// Adds all that was gathered to `sum`.
    pub(crate) fn add_to(&self, sum: &[AtomicI64]) {
        let (digits, flags) = (&self.0[..DIGITS], self.0[LIMBS - 1]);
        for (limb, &digit) in sum.iter().zip(digits).filter(|(_, digit)| **digit != 0) {
            limb.fetch_add(digit, Relaxed);
        }
        if flags != 0 {
            sum[LIMBS - 1].fetch_or(flags, Relaxed);
        }
    }
}

/// What a value adds to a sum.
enum Parts {
    /// To the digits from `digit` on.
    Finite {
        digit: usize,
        pieces: [i64; 3],
    },
    Flag(i64),
}

impl Parts {
    fn of(value: f64) -> Self {
        if !value.is_finite() {
            return Self::Flag(flag(value));
        }
        let bits = value.to_bits();
        let exponent = (bits >> FRACTION_BITS & 0x7ff) as u32;
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        let hidden = u64::from(exponent != 0) << FRACTION_BITS;
        // Position of the significand's last bit, in units of 2⁻¹⁰⁷⁴: at most 2045.
        let position = exponent.max(1) - 1;
        let shifted = i128::from(fraction | hidden) << (position % DIGIT_BITS);
        let piece = |i: u32| (shifted >> (i * DIGIT_BITS)) as i64 & DIGIT_MASK;
        let sign = if value.is_sign_negative() { -1 } else { 1 };
        Self::Finite {
            digit: (position / DIGIT_BITS) as usize,
            pieces: [sign * piece(0), sign * piece(1), sign * piece(2)],
        }
    }
}

fn round_digits(digits: &[i128; DIGITS], flags: i64) -> f64 {
    flagged(flags).unwrap_or_else(|| {
        let (negative, magnitude) = magnitude(digits);
        let value = f64::from_bits(magnitude.round(FRACTION_BITS, f64::INFINITY.to_bits()));
        if negative { -value } else { value }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum() -> Vec<AtomicI64> {
        std::iter::repeat_with(|| AtomicI64::new(0)).take(LIMBS).collect()
    }

    fn sum_of(values: &[f64]) -> f64 {
        let sum = sum();
        values.iter().for_each(|&v| add(&sum, v));
        round(&sum)
    }

    /// An exact reference that shares nothing with the accumulator: a sign and a list of bits of a fixed-point number, added and
    /// subtracted bit by bit, rounded by looking for the f64 with the least distance.
    mod reference {
        use std::cmp::Ordering;

        /// Units of 2⁻¹⁰⁷⁴, little-endian bits.
        #[derive(Clone)]
        pub(super) struct Fixed {
            negative: bool,
            bits: Vec<bool>,
        }

        const BITS: usize = 2200;

        pub(super) fn of(value: f64) -> Fixed {
            let bits = value.to_bits();
            let (exponent, mut significand) = ((bits >> 52 & 0x7ff) as usize, bits & ((1 << 52) - 1));
            if exponent > 0 {
                significand += 1 << 52;
            }
            let mut fixed = vec![false; BITS];
            for i in 0..53 {
                fixed[i + exponent.max(1) - 1] = significand >> i & 1 == 1;
            }
            Fixed { negative: value.is_sign_negative(), bits: fixed }
        }

        fn compare(a: &[bool], b: &[bool]) -> Ordering {
            a.iter().rev().cmp(b.iter().rev())
        }

        fn plus(a: &[bool], b: &[bool]) -> Vec<bool> {
            let mut carry = false;
            let digit = |(&x, &y): (&bool, &bool)| {
                let n = u8::from(x) + u8::from(y) + u8::from(carry);
                carry = n > 1;
                n % 2 == 1
            };
            a.iter().zip(b).map(digit).collect()
        }

        fn minus(a: &[bool], b: &[bool]) -> Vec<bool> {
            let inverse: Vec<_> = b.iter().map(|x| !x).collect();
            let mut one = vec![false; BITS];
            one[0] = true;
            plus(&plus(a, &inverse), &one)
        }

        pub(super) fn add(a: &Fixed, b: &Fixed) -> Fixed {
            if a.negative == b.negative {
                return Fixed { negative: a.negative, bits: plus(&a.bits, &b.bits) };
            }
            match compare(&a.bits, &b.bits) {
                Ordering::Less => Fixed { negative: b.negative, bits: minus(&b.bits, &a.bits) },
                _ => Fixed { negative: a.negative, bits: minus(&a.bits, &b.bits) },
            }
        }

        /// The magnitude's nearest f64 by bisection over the encodings, which are in order of magnitude.
        pub(super) fn round(a: &Fixed) -> f64 {
            let (mut low, mut high) = (0u64, f64::MAX.to_bits() + 1);
            while low + 1 < high {
                let middle = u64::midpoint(low, high);
                match compare(&of(f64::from_bits(middle)).bits, &a.bits) {
                    Ordering::Greater => high = middle,
                    _ => low = middle,
                }
            }
            // 2¹⁰²⁴, where there is no encoding above, is the one that infinity continues.
            let above = if high > f64::MAX.to_bits() {
                let ulp = minus(&of(f64::MAX).bits, &of(f64::from_bits(f64::MAX.to_bits() - 1)).bits);
                plus(&of(f64::MAX).bits, &ulp)
            } else {
                of(f64::from_bits(high)).bits
            };
            let (down, up) = (minus(&a.bits, &of(f64::from_bits(low)).bits), minus(&above, &a.bits));
            let nearest = match compare(&down, &up) {
                Ordering::Less => low,
                Ordering::Greater => high,
                Ordering::Equal => low + low % 2,
            };
            let value = f64::from_bits(nearest);
            if a.negative && value != 0.0 { -value } else { value }
        }
    }

    fn exact(values: &[f64]) -> f64 {
        let zero = reference::of(0.0);
        reference::round(&values.iter().fold(zero, |sum, &v| reference::add(&sum, &reference::of(v))))
    }

    fn assert_exact(values: &[f64]) {
        let (got, want) = (sum_of(values), exact(values));
        assert_eq!(got.to_bits(), want.to_bits(), "{values:?}: {got:e}, not {want:e}");
    }

    fn any_finite(rng: &mut fastrand::Rng) -> f64 {
        std::iter::repeat_with(|| f64::from_bits(rng.u64(..))).find(|v| v.is_finite()).unwrap()
    }

    #[test]
    fn single_values_come_back() {
        let mut rng = fastrand::Rng::with_seed(1);
        let edges = [f64::MIN_POSITIVE, f64::MAX, f64::MIN, 5e-324, -5e-324, f64::MIN_POSITIVE - 5e-324, 1.0];
        for value in edges.into_iter().chain((0..20_000).map(|_| any_finite(&mut rng))) {
            assert_eq!(sum_of(&[value]).to_bits(), value.to_bits(), "{value:e}");
        }
        assert_eq!(sum_of(&[-0.0]).to_bits(), 0);
        assert_eq!(sum_of(&[]).to_bits(), 0);
    }

    #[test]
    fn sums_are_rounded_correctly() {
        let mut rng = fastrand::Rng::with_seed(2);
        for _ in 0..60 {
            let n = rng.usize(2..6);
            assert_exact(&(0..n).map(|_| any_finite(&mut rng)).collect::<Vec<_>>());
        }
        // Near each other: carries, cancellation, ties.
        for _ in 0..150 {
            let scale = 2f64.powi(rng.i32(-1060..960));
            let n = rng.usize(2..8);
            let mut values: Vec<_> =
                (0..n).map(|_| (rng.f64() - 0.5) * scale * 2f64.powi(rng.i32(-60..60))).collect();
            if rng.bool() {
                values.push(-values[0]);
            }
            assert_exact(&values);
        }
    }

    #[test]
    fn ties_go_to_even() {
        let half = f64::EPSILON / 2.0;
        for values in [
            &[1.0, half][..],
            &[1.0, half, 5e-324],
            &[1.0, half, -5e-324],
            &[1.0 + f64::EPSILON, half],
            &[-1.0, -half],
            &[-1.0 - f64::EPSILON, -half],
            &[2.0 - f64::EPSILON, half],
            &[f64::MIN_POSITIVE, -5e-324],
            &[f64::MIN_POSITIVE - 5e-324, 5e-324],
            &[f64::MAX, f64::MAX * (half / 2.0)],
            &[f64::MAX, f64::MAX, -f64::MAX],
        ] {
            assert_exact(values);
        }
    }

    #[test]
    fn overflow_is_of_the_sum_not_of_a_partial_sum() {
        let half_ulp = 2f64.powi(970);
        assert_eq!(sum_of(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum_of(&[f64::MIN, f64::MIN]), f64::NEG_INFINITY);
        assert_eq!(sum_of(&[f64::MAX, half_ulp]), f64::INFINITY);
        assert_eq!(sum_of(&[f64::MAX, half_ulp, -5e-324]), f64::MAX);
        assert_eq!(sum_of(&[f64::MAX; 1000]), f64::INFINITY);
    }

    #[test]
    fn flags_decide() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        assert_eq!(sum_of(&[1.0, inf, f64::MIN]), inf);
        assert_eq!(sum_of(&[-inf, f64::MAX]), -inf);
        assert!(sum_of(&[inf, -inf]).is_nan());
        assert!(sum_of(&[nan]).is_nan());
        assert!(sum_of(&[inf, -nan]).is_nan());
    }

    #[test]
    fn digits_have_room_for_all_values() {
        // As if MAX_VALUES values that are all ones had been added: each piece at its largest.
        let most = i128::from(MAX_VALUES as i64 * DIGIT_MASK);
        // Of one sum, and of as many as there can be channels.
        for digits in [[most; DIGITS], [most << 40; DIGITS]] {
            assert_eq!(round_digits(&digits, 0), f64::INFINITY);
            assert_eq!(round_digits(&digits.map(|digit| -digit), 0), f64::NEG_INFINITY);
        }
        let mut few = [0; DIGITS];
        few[33] = i128::from(MAX_VALUES) * 3;
        few[34] = -1;
        let want = (MAX_VALUES as f64 * 3.0 - 2f64.powi(32)) * 2f64.powi(33 * 32 - 1074);
        assert_eq!(round_digits(&few, 0), want);
    }

    #[test]
    fn a_total_is_rounded_once() {
        let sums: Vec<_> = [1e300, 1.0, -1e300, 2f64.powi(-80)]
            .map(|value| {
                let sum = sum();
                add(&sum, value);
                sum
            })
            .into();
        assert_eq!(round_total(sums.iter().map(Vec::as_slice)), 1.0);
        assert_eq!(round_total(sums[2..].iter().map(Vec::as_slice)), -1e300);
        assert_eq!(round_total([]), 0.0);
    }

    #[test]
    fn order_and_threads_do_not_matter() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut values: Vec<_> =
            (0..40_000).map(|_| (rng.f64() - 0.5) * 2f64.powi(rng.i32(-300..300))).collect();
        let want = sum_of(&values);
        rng.shuffle(&mut values);
        assert_eq!(sum_of(&values).to_bits(), want.to_bits());

        let shared = sum();
        std::thread::scope(|scope| {
            for (i, part) in values.chunks(10_000).enumerate() {
                let shared = &shared;
                scope.spawn(move || {
                    if i % 2 == 0 {
                        part.iter().for_each(|&v| add(shared, v));
                    } else {
                        let mut local = Local::ZERO;
                        part.iter().for_each(|&v| local.add(v));
                        local.add_to(shared);
                    }
                });
            }
        });
        assert_eq!(round(&shared).to_bits(), want.to_bits());
        clear(&shared);
        assert_eq!(round(&shared).to_bits(), 0);
    }
}
