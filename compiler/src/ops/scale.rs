//! The factor of a resampling: a float, taken for the number that it is exactly.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ArgError, ShapeError};
use crate::base::Dim;

/// Factors whose numerators, times any coordinate, fit the integers of a program.
const RANGE: [f64; 2] = [1.0 / 256.0, 4096.0];

/// Largest term of a ratio that symbolic sizes are multiplied with.
const LARGEST_TERM: i64 = 1 << 20;

/// Outputs per input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale(pub(super) f64);

impl Scale {
    pub(super) fn check(self) -> Result<(), ArgError> {
        let [low, high] = RANGE;
        if (low..=high).contains(&self.0) {
            Ok(())
        } else {
            Err(ArgError::new("scale", format!("is between 1/256 and {high}, found {}", self.0)))
        }
    }

    /// The size of `size` inputs: PyTorch's `⌊size · scale⌋`, the product rounded to f64. For a size that is not known yet the
    /// scale is the decimal fraction that it is written as.
    pub(super) fn size(self, size: &Dim) -> Result<Dim, ShapeError> {
        if let Some(size) = size.constant() {
            return Ok(((size as f64 * self.0).floor() as i64).into());
        }
        let (num, den) = self.decimal().ok_or_else(|| {
            ShapeError::of_input(
                0,
                format!("the size {size} is not known, and {} has too many digits for it", self.0),
            )
            .hint("give `size`, or a scale with a few digits")
        })?;
        Ok(size.times(num).floor_div(den))
    }

    /// Numerator and denominator of exactly this number; both positive, the denominator a power of two.
    pub(super) fn ratio(self) -> (i64, i64) {
        let bits = self.0.to_bits();
        // Numbers in range are normal: a 53-bit integer times a power of two.
        let (mantissa, exponent) = ((bits & ((1 << 52) - 1)) | (1 << 52), (bits >> 52) as i32 - 1075);
        let zeros = mantissa.trailing_zeros();
        let (odd, exponent) = ((mantissa >> zeros) as i64, exponent + zeros as i32);
        if exponent >= 0 { (odd << exponent, 1) } else { (odd, 1 << -exponent) }
    }

    /// Numerator and denominator of the shortest decimal fraction that reads as this number, where both are small.
    fn decimal(self) -> Option<(i64, i64)> {
        let text = self.0.to_string();
        let (whole, digits) = text.split_once('.').unwrap_or((&text, ""));
        let num: i64 = format!("{whole}{digits}").parse().ok()?;
        let den = 10i64.checked_pow(digits.len() as u32)?;
        let divisor = gcd(num, den);
        let (num, den) = (num / divisor, den / divisor);
        (num <= LARGEST_TERM && den <= LARGEST_TERM).then_some((num, den))
    }
}

/// The greatest common divisor of numbers that are not negative.
pub(super) fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Serialize for Scale {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 { s.serialize_i64(self.0 as i64) } else { s.serialize_f64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        f64::deserialize(d).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_exact() {
        assert_eq!(Scale(2.0).ratio(), (2, 1));
        assert_eq!(Scale(4096.0).ratio(), (4096, 1));
        assert_eq!(Scale(0.75).ratio(), (3, 4));
        assert_eq!(Scale(1.0 / 256.0).ratio(), (1, 256));
        assert_eq!(Scale(0.1).ratio(), (3602879701896397, 1 << 55));
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..1000 {
            let most = RANGE[rng.usize(0..2)];
            let scale = RANGE[0] + rng.f64() * (most - RANGE[0]);
            let (num, den) = Scale(scale).ratio();
            assert_eq!(num as f64 / den as f64, scale);
            assert!(num < 1 << 53 && den <= 1 << 60);
        }
    }

    #[test]
    fn sizes_are_pytorchs() {
        let size = |n: i64, scale| Scale(scale).size(&n.into()).unwrap().constant().unwrap();
        // 10 times the f64 1.7 is below 17, and rounds to it.
        assert_eq!([size(10, 1.7), size(100, 0.29), size(7, 0.5), size(1, 0.3)], [17, 28, 3, 0]);
        let h = Dim::symbol("H");
        assert_eq!(Scale(1.7).size(&h).unwrap().to_string(), "(17*H)/10");
        assert_eq!(Scale(2.0).size(&h).unwrap(), h.times(2));
        assert!(Scale(0.123456789).size(&h).is_err());
    }
}
