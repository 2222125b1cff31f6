//! Concatenation over channels, cropping, padding, and tensors read in another order: values moved as they are.

use serde::Deserialize;
use serde_json::Value;
use zellige_runtime::program::instr::{Addressing, Folding};

use super::{Beyond, Definition, Meaning, Operation};
use crate::base::Dim;

/// `out[c, y, x] = in[c, y + by.y, x + by.x]`, and as the border says where that lies outside the extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Shift {
    by: [i64; 2],
    border: Border,
}

/// What stands for a pixel outside the extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Border {
    /// It is never asked for.
    Never,
    /// A number, by its bits.
    Number(u32),
    /// The pixel mirrored at the first or the last one.
    Mirrored,
    /// The nearest pixel.
    Clamped,
}

/// Farther than any image reaches.
const FARTHEST: i64 = 1 << 40;

impl Shift {
    /// From a tensor of `from` rows and columns to one of `to`; `None` where it moves beyond all bounds.
    pub(in super::super) fn new(by: [i64; 2], border: Border, from: [u64; 2], to: [u64; 2]) -> Option<Self> {
        if by.iter().any(|b| b.abs() > FARTHEST) || from.iter().chain(&to).any(|&s| s > FARTHEST as u64) {
            return None;
        }
        let inside = |i: usize| by[i] >= 0 && to[i] as i64 + by[i] <= from[i] as i64;
        let never = inside(0) && inside(1);
        Some(Self { by, border: if never { Border::Never } else { border } })
    }

    pub(super) fn sources(&self, axis: usize, o: i64, size: i64, found: &mut Vec<i64>) {
        let (i, last) = (o + self.by[axis], size - 1);
        found.push(match self.border {
            Border::Mirrored if i < 0 => -i,
            Border::Mirrored if i > last => 2 * last - i,
            Border::Clamped => i.clamp(0, last),
            Border::Mirrored | Border::Never | Border::Number(_) => i,
        });
    }

    pub(super) fn beyond(&self) -> Beyond {
        match self.border {
            Border::Number(_) => Beyond::Skipped,
            Border::Never | Border::Mirrored | Border::Clamped => Beyond::Never,
        }
    }
}

impl Border {
    /// Of a copy.
    pub(in super::super) fn of_copy(outside: f32, fold: Option<Folding>) -> Self {
        match fold {
            None => Self::Number(outside.to_bits()),
            Some(Folding::Mirrored) => Self::Mirrored,
            Some(Folding::Clamped) => Self::Clamped,
        }
    }
}

/// All of a tensor, in another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Rearranged {
    /// `out[c, y, x] = in[c, x, y]`
    Transposed,
    /// `out[c, y, x] = in[c, (y + by.y) mod H, (x + by.x) mod W]`, by less than the extent.
    Wrapped([i64; 2]),
    /// The same values in raster order.
    Reshaped,
}

impl Rearranged {
    /// Of a load from a tensor of `from` rows and columns.
    pub(in super::super) fn of_load(addressing: Addressing, from: [u64; 2]) -> Option<Self> {
        Some(match addressing {
            Addressing::Transposed => Self::Transposed,
            Addressing::Wrapped { shift } => Self::wrapped(shift, from)?,
            Addressing::Reshaped => Self::Reshaped,
            Addressing::Owned => return None,
        })
    }

    fn wrapped(by: [i64; 2], from: [u64; 2]) -> Option<Self> {
        let wrap = |i: usize| by[i].checked_rem_euclid(i64::try_from(from[i]).ok()?);
        Some(Self::Wrapped([wrap(0)?, wrap(1)?]))
    }

    /// Whether any coordinate of the operand may be read for any of the result.
    pub(super) fn reads_all(self) -> bool {
        !matches!(self, Self::Wrapped(_))
    }

    pub(super) fn sources(self, axis: usize, o: i64, size: i64, found: &mut Vec<i64>) {
        match self {
            Self::Wrapped(by) => found.push((o + by[axis]).rem_euclid(size)),
            Self::Transposed | Self::Reshaped => found.extend(0..size),
        }
    }
}

pub(super) fn concat(op: &Operation<'_>) -> Option<Definition> {
    op.no_attrs()?;
    Some(Definition::Channels(op.inputs.iter().enumerate().map(|(i, sizes)| (i, 0, sizes[1])).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the far sides are in the size of the result")]
struct CropAttrs {
    top: Dim,
    left: Dim,
    bottom: Dim,
    right: Dim,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the far sides are in the size of the result")]
struct PadAttrs {
    top: Dim,
    left: Dim,
    bottom: Dim,
    right: Dim,
    #[serde(default)]
    mode: Mode,
    /// A number, or the text of one that JSON has no number for.
    #[serde(default)]
    value: Option<Value>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Zero,
    Reflect,
    Replicate,
    Circular,
}

pub(super) fn crop(op: &Operation<'_>) -> Option<Definition> {
    let sides: CropAttrs = op.attrs()?;
    shifted(op, [sides.top.constant()?, sides.left.constant()?], Border::Never)
}

pub(super) fn pad(op: &Operation<'_>) -> Option<Definition> {
    let attrs: PadAttrs = op.attrs()?;
    let by = [-attrs.top.constant()?, -attrs.left.constant()?];
    match attrs.mode {
        Mode::Zero => shifted(op, by, Border::Number(number(attrs.value.as_ref())?.to_bits())),
        Mode::Reflect => shifted(op, by, Border::Mirrored),
        Mode::Replicate => shifted(op, by, Border::Clamped),
        Mode::Circular => {
            let from = plane(op.inputs.first()?);
            Some(Definition::Apply(Meaning::Rearranged(Rearranged::wrapped(by, from)?)))
        }
    }
}

fn number(value: Option<&Value>) -> Option<f32> {
    match value {
        None => Some(0.0),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_f64().map(|v| v as f32),
    }
}

fn plane(sizes: &[u64; 4]) -> [u64; 2] {
    [sizes[2], sizes[3]]
}

fn shifted(op: &Operation<'_>, by: [i64; 2], border: Border) -> Option<Definition> {
    let input = op.inputs.first()?;
    if by == [0, 0] && plane(input) == plane(&op.output) {
        return Some(Definition::Channels(vec![(0, 0, input[1])]));
    }
    let shift = Shift::new(by, border, plane(input), plane(&op.output))?;
    Some(Definition::Apply(Meaning::Shift(shift)))
}

pub(super) fn transpose(op: &Operation<'_>) -> Option<Definition> {
    op.no_attrs()?;
    Some(Definition::Apply(Meaning::Rearranged(Rearranged::Transposed)))
}

/// What it is reshaped to is the size of the result.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the size of the result, which is compared itself")]
struct ReshapeAttrs {
    shape: [Dim; 3],
}

pub(super) fn reshape(op: &Operation<'_>) -> Option<Definition> {
    let _: ReshapeAttrs = op.attrs()?;
    reshaped(op)
}

pub(super) fn flatten(op: &Operation<'_>) -> Option<Definition> {
    op.no_attrs()?;
    reshaped(op)
}

fn reshaped(op: &Operation<'_>) -> Option<Definition> {
    let elements = |s: &[u64; 4]| s.iter().try_fold(1u64, |n, d| n.checked_mul(*d));
    let input = op.inputs.first()?;
    let fits = input[0] == op.output[0] && elements(input)? == elements(&op.output)?;
    fits.then_some(Definition::Apply(Meaning::Rearranged(Rearranged::Reshaped)))
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
