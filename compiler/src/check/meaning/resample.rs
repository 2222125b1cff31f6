//! Nearest-neighbour resampling, and channels to space.

use serde::Deserialize;

use super::{Definition, Meaning, Operation};

/// `out[o] = in[⌊o · num / den⌋]` along each axis; the ratio is in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Nearest {
    num: [i64; 2],
    den: [i64; 2],
}

impl Nearest {
    /// From numerators and denominators, rows first; `None` if one is not positive.
    pub(in super::super) fn new(num: [u32; 2], den: [u32; 2]) -> Option<Self> {
        let (num, den) = (num.map(i64::from), den.map(i64::from));
        if num.iter().chain(&den).any(|v| *v < 1) {
            return None;
        }
        let divisors = [0, 1].map(|i| gcd(num[i], den[i]));
        Some(Self { num: [0, 1].map(|i| num[i] / divisors[i]), den: [0, 1].map(|i| den[i] / divisors[i]) })
    }

    pub(super) fn sources(&self, axis: usize, o: i64, found: &mut Vec<i64>) {
        found.push((o * self.num[axis]).div_euclid(self.den[axis]));
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `out[c, y, x] = in[c·r² + (y mod r)·r + x mod r, ⌊y/r⌋, ⌊x/r⌋]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Shuffle {
    factor: i64,
}

impl Shuffle {
    /// `None` if the factor is not positive.
    pub(in super::super) fn new(factor: u32) -> Option<Self> {
        (factor > 0).then_some(Self { factor: factor.into() })
    }

    pub(super) fn sources(&self, o: i64, found: &mut Vec<i64>) {
        found.push(o.div_euclid(self.factor));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpsampleAttrs {
    scale: [u32; 2],
}

pub(super) fn upsample(op: &Operation<'_>) -> Option<Definition> {
    let attrs: UpsampleAttrs = op.attrs()?;
    Some(Definition::Apply(Meaning::Nearest(Nearest::new([1; 2], attrs.scale)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShuffleAttrs {
    factor: u32,
}

pub(super) fn pixel_shuffle(op: &Operation<'_>) -> Option<Definition> {
    let attrs: ShuffleAttrs = op.attrs()?;
    Some(Definition::Apply(Meaning::Shuffle(Shuffle::new(attrs.factor)?)))
}
