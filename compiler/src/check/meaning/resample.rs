//! Resampling, and channels to space and back.

use std::ops::Range;

use serde::Deserialize;
use zellige_runtime::program::instr::{self, Coordinate};

use super::{Definition, Meaning, Operation};
use crate::base::Dim;

/// Interpolation along both axes: output `o` lies at `(o · num + offset) / den` among the pixels of the operand, and taps beyond
/// its border are the border's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Resize {
    filter: Filter,
    at: [Position; 2],
}

/// What is computed of the pixels around a coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Filter {
    Nearest,
    Linear,
    Cubic,
}

impl Filter {
    pub(super) fn of_instr(filter: instr::Filter) -> Self {
        match filter {
            instr::Filter::Nearest => Self::Nearest,
            instr::Filter::Linear => Self::Linear,
            instr::Filter::Cubic => Self::Cubic,
        }
    }

    /// The taps, counted from the pixel at or before a coordinate.
    pub(super) fn taps(self) -> Range<i64> {
        match self {
            Self::Nearest => 0..1,
            Self::Linear => 0..2,
            Self::Cubic => -1..3,
        }
    }
}

/// `(o · num + offset) / den` in lowest terms, the denominator positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Position {
    pub(super) num: i64,
    offset: i64,
    pub(super) den: i64,
}

impl Position {
    fn new(num: i128, offset: i128, den: i128) -> Option<Self> {
        let divisor = gcd(gcd(num.abs(), offset.abs()), den.abs());
        let lowest = |v: i128| i64::try_from(v.checked_div(divisor)?).ok();
        let position = Self { num: lowest(num)?, offset: lowest(offset)?, den: lowest(den)? };
        (position.den > 0 && position.num >= 0).then_some(position)
    }

    pub(super) fn of_instr(at: Coordinate) -> Option<Self> {
        Self::new(at.num.into(), at.offset.into(), at.den.into())
    }

    /// The pixel at or before output `o`.
    pub(super) fn before(self, o: i64) -> i64 {
        let exact = i128::from(o) * i128::from(self.num) + i128::from(self.offset);
        i64::try_from(exact.div_euclid(i128::from(self.den))).unwrap_or(i64::MAX / 2)
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Resize {
    /// `None` if coordinates are none.
    pub(in super::super) fn of_instr(filter: instr::Filter, at: [Coordinate; 2]) -> Option<Self> {
        let filter = Filter::of_instr(filter);
        Some(Self { filter, at: [Position::of_instr(at[0])?, Position::of_instr(at[1])?] })
    }

    pub(super) fn sources(&self, axis: usize, o: i64, size: i64, found: &mut Vec<i64>) {
        let before = self.at[axis].before(o);
        found.extend(self.filter.taps().map(|k| (before + k).clamp(0, size - 1)));
    }

    /// Most taps.
    pub(super) const WIDTH: i64 = 4;
}

/// `out[c, y, x] = in[c·r² + (y mod r)·r + x mod r, ⌊y/r⌋, ⌊x/r⌋]`, or backwards: `out[c·r² + i·r + j, y, x] = in[c, y·r + i,
/// x·r + j]` for `0 ≤ i, j < r`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Shuffle {
    factor: i64,
    backwards: bool,
}

/// Largest factor of a graph.
const LARGEST: u32 = 256;

impl Shuffle {
    /// `None` if no graph has such a factor.
    pub(in super::super) fn new(factor: u32, backwards: bool) -> Option<Self> {
        (1..=LARGEST).contains(&factor).then_some(Self { factor: factor.into(), backwards })
    }

    pub(super) fn sources(&self, o: i64, found: &mut Vec<i64>) {
        if self.backwards {
            found.extend((0..self.factor).map(|i| o * self.factor + i));
        } else {
            found.push(o.div_euclid(self.factor));
        }
    }

    pub(super) fn width(&self) -> i64 {
        if self.backwards { self.factor } else { 1 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpsampleAttrs {
    scale: Option<[f64; 2]>,
    size: Option<[Dim; 2]>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    align_corners: bool,
    #[serde(default)]
    coordinates: Coordinates,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    #[default]
    Nearest,
    NearestExact,
    Bilinear,
    Bicubic,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Coordinates {
    #[default]
    HalfPixel,
    Asymmetric,
}

impl UpsampleAttrs {
    pub(super) fn filter(&self) -> Filter {
        match self.mode {
            Mode::Nearest | Mode::NearestExact => Filter::Nearest,
            Mode::Bilinear => Filter::Linear,
            Mode::Bicubic => Filter::Cubic,
        }
    }
}

/// Where outputs lie along an axis.
pub(super) fn position(attrs: &UpsampleAttrs, axis: usize, inputs: u64, outputs: u64) -> Option<Position> {
    if attrs.scale.is_some() == attrs.size.is_some() {
        return None;
    }
    let (inputs, outputs) = (i128::from(inputs), i128::from(outputs));
    if attrs.align_corners {
        // Both ends meet; a single output lies at the first pixel.
        return if outputs > 1 { Position::new(inputs - 1, 0, outputs - 1) } else { Position::new(0, 0, 1) };
    }
    // As many outputs for so many inputs.
    let (outputs, inputs) = match attrs.scale {
        Some(scale) => ratio(scale[axis])?,
        None => (outputs, inputs),
    };
    match (attrs.mode, attrs.coordinates) {
        // The centre of the output, (o + 1/2) · inputs/outputs, rounded down.
        (Mode::NearestExact, _) => Position::new(2 * inputs, inputs, 2 * outputs),
        (Mode::Nearest, _) | (_, Coordinates::Asymmetric) => Position::new(inputs, 0, outputs),
        // The centre of the output, less that of pixel 0.
        (_, Coordinates::HalfPixel) => Position::new(2 * inputs, inputs - outputs, 2 * outputs),
    }
}

pub(super) fn upsample(op: &Operation<'_>) -> Option<Definition> {
    let attrs: UpsampleAttrs = op.attrs()?;
    let input = op.inputs.first()?;
    let at = |axis: usize| position(&attrs, axis, input[2 + axis], op.output[2 + axis]);
    Some(Definition::Apply(Meaning::Resize(Resize { filter: attrs.filter(), at: [at(0)?, at(1)?] })))
}

/// Numerator and denominator of a float as it is.
fn ratio(value: f64) -> Option<(i128, i128)> {
    if !(value.is_finite() && value > 0.0) {
        return None;
    }
    let (mut num, mut den) = (value, 1i128);
    // Doubling is exact; what a graph allows is whole after at most 60 times.
    while num.fract() != 0.0 {
        (num, den) = (num * 2.0, den.checked_mul(2)?);
    }
    (num < 1e18).then_some((num as i128, den))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShuffleAttrs {
    factor: u32,
}

pub(super) fn pixel_shuffle(op: &Operation<'_>) -> Option<Definition> {
    shuffle(op, false)
}

pub(super) fn pixel_unshuffle(op: &Operation<'_>) -> Option<Definition> {
    shuffle(op, true)
}

fn shuffle(op: &Operation<'_>, backwards: bool) -> Option<Definition> {
    let attrs: ShuffleAttrs = op.attrs()?;
    Some(Definition::Apply(Meaning::Shuffle(Shuffle::new(attrs.factor, backwards)?)))
}
