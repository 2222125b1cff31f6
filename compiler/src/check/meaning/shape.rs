//! Concatenation over channels, cropping and padding: values moved as they are.

use serde::Deserialize;

use super::{Definition, Meaning, Operation};
use crate::base::Dim;

/// `out[c, y, x] = in[c, y + by.y, x + by.x]`, and a number of its own where that lies outside the extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Shift {
    by: [i64; 2],
    /// Bits of the number; `None` where it is never needed.
    outside: Option<u32>,
}

/// Farther than any image reaches.
const FARTHEST: i64 = 1 << 40;

impl Shift {
    /// From a tensor of `from` rows and columns to one of `to`; `None` where it moves beyond all bounds.
    pub(in super::super) fn new(by: [i64; 2], outside: f32, from: [u64; 2], to: [u64; 2]) -> Option<Self> {
        if by.iter().any(|b| b.abs() > FARTHEST) || from.iter().chain(&to).any(|&s| s > FARTHEST as u64) {
            return None;
        }
        let inside = |i: usize| by[i] >= 0 && to[i] as i64 + by[i] <= from[i] as i64;
        let never = inside(0) && inside(1);
        Some(Self { by, outside: (!never).then_some(outside.to_bits()) })
    }

    pub(super) fn sources(&self, axis: usize, o: i64, found: &mut Vec<i64>) {
        found.push(o + self.by[axis]);
    }
}

pub(super) fn concat(op: &Operation<'_>) -> Option<Definition> {
    op.no_attrs()?;
    Some(Definition::Channels(op.inputs.iter().enumerate().map(|(i, sizes)| (i, 0, sizes[1])).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the far sides are in the size of the result")]
struct Sides {
    top: Dim,
    left: Dim,
    bottom: Dim,
    right: Dim,
}

impl Sides {
    fn leading(&self) -> Option<[i64; 2]> {
        Some([self.top.constant()?, self.left.constant()?])
    }
}

pub(super) fn crop(op: &Operation<'_>) -> Option<Definition> {
    let sides: Sides = op.attrs()?;
    shifted(op, sides.leading()?)
}

pub(super) fn pad(op: &Operation<'_>) -> Option<Definition> {
    let sides: Sides = op.attrs()?;
    shifted(op, sides.leading()?.map(|p| -p))
}

fn shifted(op: &Operation<'_>, by: [i64; 2]) -> Option<Definition> {
    let plane = |s: &[u64; 4]| [s[2], s[3]];
    let input = op.inputs.first()?;
    if by == [0, 0] && plane(input) == plane(&op.output) {
        return Some(Definition::Channels(vec![(0, 0, input[1])]));
    }
    let shift = Shift::new(by, 0.0, plane(input), plane(&op.output))?;
    Some(Definition::Apply(Meaning::Shift(shift)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SliceAttrs {
    from: u64,
    to: u64,
}

pub(super) fn slice(op: &Operation<'_>) -> Option<Definition> {
    let SliceAttrs { from, to } = op.attrs()?;
    let channels = op.inputs.first()?[1];
    (from < to && to <= channels).then(|| Definition::Channels(vec![(0, from, to)]))
}
