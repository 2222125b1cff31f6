//! Resampling: interpolation between pixels, and pixel shuffle both ways.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval};

/// Where an output lies among the source's pixels: output `o` at `(o · num + offset) / den`, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinate {
    /// Numerator of the source pixels per output pixel.
    pub num: i64,
    /// Numerator of where output 0 lies.
    pub offset: i64,
    /// Denominator of both, positive.
    pub den: i64,
}

impl Coordinate {
    /// The pixel at or before output `o`, and the numerator of how far behind it that is: `0 ≤ rest < den`.
    pub fn split(self, o: i64) -> (i64, i64) {
        let at = i128::from(o) * i128::from(self.num) + i128::from(self.offset);
        let den = i128::from(self.den.max(1));
        let (whole, rest) = (at.div_euclid(den), at.rem_euclid(den));
        let whole = i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX });
        // A remainder is less than what divides.
        (whole, rest as i64)
    }

    /// The pixel at or before output `o`.
    pub fn floor(self, o: i64) -> i64 {
        self.split(o).0
    }

    /// The first output that does not lie before `pixel`; a limit of 64 bits if all do, or none.
    pub fn first_at(self, pixel: i64) -> i64 {
        let (num, den) = (i128::from(self.num), i128::from(self.den.max(1)));
        let beyond = i128::from(pixel) * den - i128::from(self.offset);
        if num <= 0 {
            return if beyond <= 0 { i64::MIN } else { i64::MAX };
        }
        let output = -(-beyond).div_euclid(num);
        i64::try_from(output).unwrap_or(if output < 0 { i64::MIN } else { i64::MAX })
    }

    /// `rest / den` rounded once, for `0 ≤ rest < den`.
    pub fn fraction(self, rest: i64) -> f32 {
        const EXACT: i64 = 1 << 24;
        if self.den <= EXACT {
            // Both are exact, and the quotient is rounded once.
            return rest as f32 / self.den as f32;
        }
        if rest == 0 {
            return 0.0;
        }
        // A quotient of more than 64 bits; one that is not exact gets a last bit that keeps it off every tie.
        let (rest, den) = (rest as u128, self.den as u128);
        let shift = rest.leading_zeros();
        let (quotient, more) = ((rest << shift) / den, (rest << shift) % den != 0);
        let rounded = (quotient | u128::from(more)) as f32;
        (f64::from(rounded) * (-f64::from(shift)).exp2()) as f32
    }
}

/// How values between pixels are made of those around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The pixel at or before the coordinate.
    Nearest,
    /// A straight line between two pixels.
    Linear,
    /// A cubic convolution over four pixels, with A = −0.75.
    Cubic,
}

impl Filter {
    /// The taps along an axis, counted from the pixel at or before the coordinate.
    pub fn taps(self) -> Interval {
        match self {
            Self::Nearest => Interval::new(0, 1),
            Self::Linear => Interval::new(0, 2),
            Self::Cubic => Interval::new(-1, 3),
        }
    }
}

/// Interpolation along both axes. Taps outside the extent are those at its border.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resize {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// What is computed of the pixels around a coordinate.
    pub filter: Filter,
    /// Where outputs lie, `[y, x]`.
    pub coordinates: [Coordinate; 2],
}

impl Instruction for Resize {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let (at, taps) = (self.coordinates[axis.index()], self.filter.taps());
        let (first, last) = (at.floor(out.start), at.floor(out.end.saturating_sub(1)));
        let need = Interval::new(first.saturating_add(taps.start), last.saturating_add(taps.end));
        vec![Read { masked: true, ..Read::new(self.src, need) }]
    }
}

/// `dst[c, y, x] = src[c·r² + (y mod r)·r + x mod r, ⌊y/r⌋, ⌊x/r⌋]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelShuffle {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// r.
    pub factor: u32,
}

impl Instruction for PixelShuffle {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, _: AxisId, out: Interval) -> Vec<Read> {
        let r = i64::from(self.factor.max(1));
        let need =
            Interval::new(out.start.div_euclid(r), out.end.saturating_sub(1).div_euclid(r).saturating_add(1));
        vec![Read::new(self.src, need)]
    }
}

/// `dst[c·r² + i·r + j, y, x] = src[c, y·r + i, x·r + j]` for `0 ≤ i, j < r`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelUnshuffle {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// r.
    pub factor: u32,
}

impl Instruction for PixelUnshuffle {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, _: AxisId, out: Interval) -> Vec<Read> {
        let r = i64::from(self.factor.max(1));
        let need = Interval::new(out.start.saturating_mul(r), out.end.saturating_mul(r));
        vec![Read::new(self.src, need)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether no f32 is nearer to `rest / den` than `found`, with ties to even, by integers.
    fn is_nearest(found: f32, rest: i64, den: i64) -> bool {
        // In units of 2^-60 over `den`.
        let scaled = |v: f32| (f64::from(v) * 2f64.powi(60)) as i128 * i128::from(den);
        let (exact, at) = (i128::from(rest) << 60, scaled(found));
        let below = scaled(if found == 0.0 { 0.0 } else { f32::from_bits(found.to_bits() - 1) });
        let above = scaled(f32::from_bits(found.to_bits() + 1));
        let even = found.to_bits().is_multiple_of(2);
        let (low, high) = (below + at, at + above);
        let inside = low < 2 * exact && 2 * exact < high;
        inside || (even && (2 * exact == low || 2 * exact == high))
    }

    #[test]
    fn fractions_are_rounded_once() {
        let mut rng = fastrand::Rng::with_seed(1);
        for i in 0..20_000 {
            let bits = rng.u32(1..57);
            let den = rng.i64(1..1 << bits);
            let rest = if i % 3 == 0 { den - 1 - rng.i64(0..den.min(9)) } else { rng.i64(0..den) };
            let found = Coordinate { num: 1, offset: 0, den }.fraction(rest);
            // Numbers below 2^-35 have bits that the integers here do not reach.
            if rest == 0 || found > 2f32.powi(-35) {
                assert!(is_nearest(found, rest, den), "{rest} / {den} is not {found:e}");
            }
        }
        // Between two f32s, and a trifle beyond: by way of f64 both would be a tie.
        let den = 1 << 56;
        let tie = (1 << 55) + (1 << 31);
        let half = Coordinate { num: 1, offset: 0, den };
        assert_eq!(half.fraction(tie).to_bits(), 0.5f32.to_bits());
        assert_eq!(half.fraction(tie + 1).to_bits(), 0.5f32.to_bits() + 1);
    }

    #[test]
    fn coordinates_split_exactly() {
        let at = Coordinate { num: 1 << 61, offset: -(1 << 60), den: 3 };
        for o in [-(1i64 << 40), -1, 0, 1, 7, 1 << 40] {
            let (whole, rest) = (at.split(o), i128::from(o) * (1 << 61) - (1 << 60));
            if i64::try_from(rest / 3).is_ok() {
                assert_eq!(i128::from(whole.0) * 3 + i128::from(whole.1), rest);
            }
        }
        let half = Coordinate { num: 2, offset: -1, den: 4 };
        assert_eq!([0, 1, 2, 3].map(|o| half.split(o)), [(-1, 3), (0, 1), (0, 3), (1, 1)]);
    }
}
