//! Values dropped at random.

use serde::Deserialize;

use super::{Definition, Meaning, Operation};

/// `out[n, c, y, x] = in[n, c, y, x] · m`, with m a function of the key, which is the second operand, of the stream and of
/// `[n, c, y, x]`: 0 for `dropped` of 2²⁴ numbers, the scale of these bits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Dropout {
    stream: [u32; 2],
    dropped: u32,
    scale: u32,
}

const NUMBERS: f64 = 16_777_216.0;

impl Dropout {
    pub(in super::super) fn new(stream: [u32; 2], dropped: u32, scale: f32) -> Self {
        Self { stream, dropped, scale: scale.to_bits() }
    }

    pub(super) fn sources(operand: usize, o: i64, found: &mut Vec<i64>) {
        found.push(if operand == 0 { o } else { 0 });
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    p: f64,
    stream: [u32; 2],
}

pub(super) fn dropped(op: &Operation<'_>) -> Option<Definition> {
    let Attrs { p, stream } = op.attrs()?;
    let &[x, key] = op.inputs else { return None };
    if key != [1, 4, 1, 1] || x != op.output || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let scale = if p == 1.0 { 0.0 } else { 1.0 / (1.0 - p) };
    let meaning = Dropout::new(stream, (p * NUMBERS).round() as u32, scale as f32);
    Some(Definition::Apply(Meaning::Dropout(meaning)))
}
