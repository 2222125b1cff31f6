//! Arguments of ops.

use indexmap::IndexMap;
use zellige_compiler::ops::{ArgKind, ArgSpec, ArgValue};

use super::Draw;

pub(super) fn pair([y, x]: [i64; 2]) -> ArgValue {
    ArgValue::List(vec![ArgValue::Int(y), ArgValue::Int(x)])
}

/// `(top: …, left: …, bottom: …, right: …)`
pub(super) fn sides(sides: [i64; 4]) -> ArgValue {
    let names = ["top", "left", "bottom", "right"].map(str::to_owned);
    ArgValue::Group(IndexMap::from_iter(names.into_iter().zip(sides.map(ArgValue::Int))))
}

/// The four sides as arguments of their own.
pub(super) fn each_side([top, left, bottom, right]: [i64; 4]) -> [(&'static str, ArgValue); 4] {
    [("top", top), ("left", left), ("bottom", bottom), ("right", right)].map(|(n, v)| (n, ArgValue::Int(v)))
}

impl Draw {
    /// A number for both axes, or one for each.
    pub(super) fn pair(&mut self, mut one: impl FnMut(&mut Self) -> i64) -> [i64; 2] {
        let y = one(self);
        [y, if self.chance(70) { y } else { one(self) }]
    }

    /// Padding up to `most` along each axis, in each of the forms in which it can be written.
    pub(super) fn padding(&mut self, most: [i64; 2]) -> ArgValue {
        let [y, x] = most.map(|m| self.rng.i64(0..=m));
        match self.rng.u8(0..4) {
            0 => ArgValue::Int(y.min(x)),
            1 => pair([y, x]),
            _ => sides([y, x, self.rng.i64(0..=most[0]), self.rng.i64(0..=most[1])]),
        }
    }

    /// An argument by its signature alone; `None` to leave it out.
    pub(super) fn argument(&mut self, spec: &ArgSpec) -> Option<ArgValue> {
        if !spec.required && self.chance(30) {
            return None;
        }
        Some(match spec.kind {
            ArgKind::Int => ArgValue::Int(self.rng.i64(1..=4)),
            ArgKind::Float => ArgValue::Float(f64::from(self.number())),
            ArgKind::Bool => ArgValue::Bool(self.rng.bool()),
            ArgKind::Word(words) => ArgValue::Text(words[self.rng.usize(0..words.len())].to_owned()),
            ArgKind::Pair => pair(self.pair(|d| d.rng.i64(1..=3))),
            ArgKind::Sides => self.padding([1, 1]),
            ArgKind::Size => ArgValue::Int(self.rng.i64(0..=4)),
            ArgKind::Shape => ArgValue::List(vec![ArgValue::Int(-1), ArgValue::Int(1), ArgValue::Int(1)]),
            ArgKind::Axes => ArgValue::List(vec![ArgValue::Int(2), ArgValue::Int(3)]),
            ArgKind::Sizes => pair(self.pair(|d| d.rng.i64(1..=40))),
            ArgKind::Scale => ArgValue::Float(0.3 + 2.0 * self.rng.f64()),
            ArgKind::Numbers => ArgValue::Float(f64::from(self.number().abs())),
        })
    }

    /// A number that activations may have as an argument, mostly positive.
    fn number(&mut self) -> f32 {
        let sign = if self.chance(20) { -1.0 } else { 1.0 };
        sign * (0.05 + 2.0 * self.rng.f32())
    }
}
