//! From the digits of an exact sum to the nearest value: what sums of f64 and of f32 have in common.
//!
//! A sum is an integer in units of the smallest denormal of its type, so that a significand's position is its encoded exponent.

/// Bits of a digit.
pub(super) const DIGIT_BITS: u32 = 32;
pub(super) const DIGIT_MASK: i64 = (1 << DIGIT_BITS) - 1;

const NAN: i64 = 1;
const PLUS_INFINITY: i64 = 2;
const MINUS_INFINITY: i64 = 4;

/// What a value that is not finite leaves in the last word of a sum.
pub(super) fn flag(value: f64) -> i64 {
    match value {
        f64::INFINITY => PLUS_INFINITY,
        f64::NEG_INFINITY => MINUS_INFINITY,
        _ => NAN,
    }
}

/// What such values make of a sum, if there are any: NaN of a NaN or infinities of both signs.
pub(super) fn flagged(flags: i64) -> Option<f64> {
    let [nan, plus, minus] = [NAN, PLUS_INFINITY, MINUS_INFINITY].map(|flag| flags & flag != 0);
    match (plus, minus) {
        _ if nan => Some(f64::NAN),
        (true, true) => Some(f64::NAN),
        (true, false) => Some(f64::INFINITY),
        (false, true) => Some(f64::NEG_INFINITY),
        (false, false) => None,
    }
}

/// Digits that carries can reach beyond those of a sum: totals of as many sums as there can be channels are below 2¹²⁸ units of
/// the last digit.
const CARRIES: usize = 4;

/// A sum of `DIGITS` digits with its carries propagated: digits in `0..2³²`, and room for the last carries.
pub(super) struct Magnitude<const DIGITS: usize> {
    digits: [u32; DIGITS],
    carries: [u32; CARRIES],
}

/// Whether a sum is negative, and its magnitude.
pub(super) fn magnitude<const DIGITS: usize>(digits: &[i128; DIGITS]) -> (bool, Magnitude<DIGITS>) {
    match Magnitude::of(|i| digits[i]) {
        (magnitude, false) => (false, magnitude),
        (_, true) => (true, Magnitude::of(|i| -digits[i]).0),
    }
}

impl<const DIGITS: usize> Magnitude<DIGITS> {
    /// The sum, and whether it is negative (then it is given modulo the width of all digits).
    fn of(digit: impl Fn(usize) -> i128) -> (Self, bool) {
        let mut carry = 0i128;
        let mut next = |digit: i128| {
            carry += digit;
            let low = carry as u32;
            carry >>= DIGIT_BITS;
            low
        };
        let digits = std::array::from_fn(|i| next(digit(i)));
        let carries = [0; CARRIES].map(&mut next);
        (Self { digits, carries }, carry < 0)
    }

    /// The encoding of the nearest value, ties to even, of a type whose significands have `fraction_bits` stored bits.
    pub(super) fn round(&self, fraction_bits: u32, infinity: u64) -> u64 {
        let Some(top) = (0..DIGITS + CARRIES).rev().find(|&i| self.digit(i) != 0) else { return 0 };
        let length = top as u32 * DIGIT_BITS + self.digit(top).ilog2() + 1;
        // Bits that do not fit the significand; where there are none, the integer is the encoding, denormals included.
        let excess = length.saturating_sub(fraction_bits + 1);
        let significand = self.bits_from(excess);
        if excess == 0 {
            return significand;
        }
        let half = self.bits_from(excess - 1) & 1 == 1;
        let up = half && (significand & 1 == 1 || self.any_below(excess - 1));
        // The hidden bit adds one to the exponent, and so does a carry out of the significand.
        let bits = (u64::from(excess) << fraction_bits) + significand + u64::from(up);
        bits.min(infinity)
    }

    fn digit(&self, i: usize) -> u32 {
        self.digits.iter().chain(&self.carries).nth(i).copied().unwrap_or(0)
    }

    /// The 64 bits from `position` on.
    fn bits_from(&self, position: u32) -> u64 {
        let first = (position / DIGIT_BITS) as usize;
        let digit = |i: usize| u128::from(self.digit(first + i));
        let window = digit(0) | digit(1) << DIGIT_BITS | digit(2) << (2 * DIGIT_BITS);
        (window >> (position % DIGIT_BITS)) as u64
    }

    /// Whether one of the bits below `position` is set.
    fn any_below(&self, position: u32) -> bool {
        let whole = (position / DIGIT_BITS) as usize;
        let part = self.digit(whole) & ((1 << (position % DIGIT_BITS)) - 1);
        part != 0 || (0..whole).any(|i| self.digit(i) != 0)
    }
}
