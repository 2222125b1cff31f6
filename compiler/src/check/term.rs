//! Terms: what a tensor is, as a function of the network's inputs and parameters, each function once.
//!
//! A term stands for a function from coordinates (image, channel, row, column) to binary32 values. Along an axis on which its
//! size is 1 it is the same everywhere, so that operands that an elementwise expression repeats need no term of their own.
//! Terms are interned: what is built in the same way has the same id, and having the same id means being the same function,
//! bit for bit. Nothing is rewritten but what is exact by definition: selections of channels compose, and one that selects
//! everything is its source.

use std::collections::HashMap;
use std::sync::Arc;

use zellige_runtime::program::BufferId;
use zellige_runtime::scalar::{Binary, Compare, Expr, Node, Unary};

use super::meaning::Meaning;
use crate::base::ParamId;
use crate::ops::Sizes;

/// A term of [`Terms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TermId(u32);

/// How a term is built.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Term {
    /// A number, by its bits.
    Number(u32),
    /// A constant of more than one element: its shape and the bits of its values, planar.
    Constant(Sizes, Arc<[u32]>),
    /// An input of the graph, by its position.
    Input(usize, Sizes),
    /// A parameter; as an operand of an expression one value a channel.
    Parameter(ParamId, u64),
    /// A primitive of one operand.
    Unary(Unary, TermId),
    /// A primitive of two operands.
    Binary(Binary, TermId, TermId),
    /// `a · b + c`, rounded once.
    Fma(TermId, TermId, TermId),
    /// `if a ? b { yes } else { no }`
    Select(Compare, [TermId; 4]),
    /// Channels of other terms, one after the other.
    Channels(Vec<Channels>),
    /// An operation that is not elementwise.
    Apply(Apply),
    /// What a tile contributes to a term.
    Part(Part),
}

/// What each tile contributes to a term that is their sum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part {
    /// The sum.
    pub(super) of: TermId,
    /// The buffer whose owned parts tell tiles apart.
    pub(super) cut: BufferId,
    /// The operation that gives it of the part of an operand, and which operand that is; if there is none, it is the tile's own part, and zeros
    /// beside.
    pub(super) by: Option<(Meaning, usize)>,
}

/// An operation on terms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Apply {
    /// Which.
    pub(super) meaning: Meaning,
    /// Of what.
    pub(super) inputs: Vec<TermId>,
    /// With which parameters.
    pub(super) params: Vec<TermId>,
    /// Size of the result.
    pub(super) sizes: Sizes,
}

/// Channels `from..to` of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Channels {
    /// The term.
    pub(super) of: TermId,
    /// First channel.
    pub(super) from: u64,
    /// One past the last.
    pub(super) to: u64,
}

/// All terms.
#[derive(Debug, Default)]
pub(super) struct Terms {
    terms: Vec<(Term, Sizes)>,
    ids: HashMap<Term, TermId>,
}

impl Terms {
    /// How the term is built.
    pub(super) fn get(&self, id: TermId) -> &Term {
        &self.terms[id.0 as usize].0
    }

    /// Its size, broadcast axes included.
    pub(super) fn sizes(&self, id: TermId) -> Sizes {
        self.terms[id.0 as usize].1
    }

    /// Number of terms: those below it were there before those at or above it.
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// Whether the term was among the first `n`.
    pub(super) fn is_among(&self, id: TermId, n: usize) -> bool {
        (id.0 as usize) < n
    }

    /// The first `n` terms.
    pub(super) fn ids(&self, n: usize) -> impl Iterator<Item = TermId> {
        (0..n.min(self.terms.len()) as u32).map(TermId)
    }

    fn intern(&mut self, term: Term, sizes: Sizes) -> TermId {
        if let Some(&id) = self.ids.get(&term) {
            return id;
        }
        let id = TermId(self.terms.len() as u32);
        self.terms.push((term.clone(), sizes));
        self.ids.insert(term, id);
        id
    }

    pub(super) fn number(&mut self, value: f32) -> TermId {
        self.intern(Term::Number(value.to_bits()), [1; 4])
    }

    /// `values` are planar, as many as `sizes` says.
    pub(super) fn constant(&mut self, sizes: Sizes, values: &[f32]) -> TermId {
        match values {
            [one] => self.number(*one),
            _ => self.intern(Term::Constant(sizes, values.iter().map(|v| v.to_bits()).collect()), sizes),
        }
    }

    pub(super) fn input(&mut self, position: usize, sizes: Sizes) -> TermId {
        self.intern(Term::Input(position, sizes), sizes)
    }

    pub(super) fn parameter(&mut self, id: ParamId, elements: u64) -> TermId {
        self.intern(Term::Parameter(id, elements), [1, elements, 1, 1])
    }

    pub(super) fn apply(&mut self, apply: Apply) -> TermId {
        let sizes = apply.sizes;
        self.intern(Term::Apply(apply), sizes)
    }

    pub(super) fn part(&mut self, part: Part) -> TermId {
        let sizes = self.sizes(part.of);
        self.intern(Term::Part(part), sizes)
    }

    /// What a term is a part of; itself if it is none.
    pub(super) fn whole(&self, id: TermId) -> TermId {
        match self.get(id) {
            Term::Part(part) => part.of,
            _ => id,
        }
    }

    /// The value of an expression whose inputs are `inputs`; `None` if one is missing, or sizes do not go together.
    pub(super) fn expression(&mut self, expr: &Expr, inputs: &[TermId]) -> Option<TermId> {
        let mut at: Vec<TermId> = Vec::with_capacity(expr.nodes().len());
        for &node in expr.nodes() {
            let of = |r: u32| at[r as usize];
            let term = match node {
                Node::Input(i) => {
                    at.push(*inputs.get(i as usize)?);
                    continue;
                }
                Node::Const(value) => Term::Number(value.to_bits()),
                Node::Unary(op, a) => Term::Unary(op, of(a)),
                Node::Binary(op, a, b) => Term::Binary(op, of(a), of(b)),
                Node::Fma(a, b, c) => Term::Fma(of(a), of(b), of(c)),
                Node::Select(op, a, b, yes, no) => Term::Select(op, [of(a), of(b), of(yes), of(no)]),
            };
            let sizes = node.operands().try_fold([1; 4], |s, r| broadcast(s, self.sizes(of(r))))?;
            at.push(self.intern(term, sizes));
        }
        at.last().copied()
    }

    /// Selected channels, one after the other; `None` if there are none, or the terms differ in more than channels.
    pub(super) fn channels(&mut self, parts: &[Channels]) -> Option<TermId> {
        let mut flat: Vec<Channels> = Vec::with_capacity(parts.len());
        for part in parts {
            self.flatten(*part, &mut flat);
        }
        let [n, _, h, w] = self.sizes(flat.first()?.of);
        let total = flat.iter().map(|p| p.to - p.from).sum();
        if let [Channels { of, from: 0, to }] = flat[..]
            && self.sizes(of)[1] == to
        {
            return Some(of);
        }
        let fits = |p: &Channels| {
            let [pn, _, ph, pw] = self.sizes(p.of);
            [pn, ph, pw] == [n, h, w]
        };
        flat.iter().all(fits).then(|| self.intern(Term::Channels(flat), [n, total, h, w]))
    }

    /// Adds a part, taken apart where it selects from a selection, and joined to the one before where it goes on.
    fn flatten(&self, part: Channels, flat: &mut Vec<Channels>) {
        if let Term::Channels(inner) = self.get(part.of) {
            let mut start = 0;
            for p in inner {
                let end = start + (p.to - p.from);
                let (from, to) = (part.from.max(start), part.to.min(end));
                if from < to {
                    self.flatten(
                        Channels { of: p.of, from: p.from + from - start, to: p.from + to - start },
                        flat,
                    );
                }
                start = end;
            }
            return;
        }
        match flat.last_mut() {
            Some(last) if last.of == part.of && last.to == part.from => last.to = part.to,
            _ => flat.push(part),
        }
    }
}

/// The size of what two operands give together: each axis of one, or of both.
pub(super) fn broadcast(a: Sizes, b: Sizes) -> Option<Sizes> {
    let mut sizes = a;
    for (s, other) in sizes.iter_mut().zip(b) {
        match (*s, other) {
            (x, y) if x == y => {}
            (1, y) => *s = y,
            (_, 1) => {}
            _ => return None,
        }
    }
    Some(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zellige_runtime::scalar::Builder;

    #[test]
    fn selections_of_channels_compose() {
        let mut terms = Terms::default();
        let a = terms.input(0, [1, 4, 8, 8]);
        let b = terms.input(1, [1, 3, 8, 8]);
        let part = |of, from, to| Channels { of, from, to };
        let both = terms.channels(&[part(a, 0, 4), part(b, 0, 3)]).expect("they fit");
        assert_eq!(terms.sizes(both), [1, 7, 8, 8]);
        let again = terms.channels(&[part(both, 0, 2), part(both, 2, 7)]);
        assert_eq!(again, Some(both));
        assert_eq!(terms.channels(&[part(both, 0, 4)]), Some(a));
        assert_eq!(terms.channels(&[part(both, 4, 7)]), Some(b));
        let small = terms.input(2, [1, 3, 4, 8]);
        assert_eq!(terms.channels(&[part(a, 0, 4), part(small, 0, 3)]), None);
    }

    #[test]
    fn expressions_are_the_same_however_they_are_split() {
        let mut terms = Terms::default();
        let (x, y) = (terms.input(0, [1, 4, 8, 8]), terms.input(1, [1, 4, 1, 1]));
        let mut whole = Builder::new();
        let (a, b) = (whole.input(0), whole.input(1));
        let sum = whole.binary(Binary::Add, a, b);
        let root = whole.unary(Unary::Sqrt, sum);
        let whole = whole.finish(root).expect("it is short");
        let mut first = Builder::new();
        let (a, b) = (first.input(1), first.input(0));
        let sum = first.binary(Binary::Add, a, b);
        let first = first.finish(sum).expect("it is short");
        let mut second = Builder::new();
        let a = second.input(0);
        let root = second.unary(Unary::Sqrt, a);
        let second = second.finish(root).expect("it is short");

        let at_once = terms.expression(&whole, &[x, y]);
        let sum = terms.expression(&first, &[y, x]).expect("sizes go together");
        assert_eq!(terms.expression(&second, &[sum]), at_once);
        assert_ne!(terms.expression(&whole, &[y, x]), at_once);
        assert_eq!(terms.expression(&whole, &[x]), None);
    }
}
