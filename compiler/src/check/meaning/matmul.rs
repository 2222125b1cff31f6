//! Products of matrices.

use super::{Definition, Meaning, Operation};

/// `out[c, y, x] = Σ a[c, y, k] · b[c, k, x]` over `0 ≤ k < inner`, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Matmul {
    pub(in super::super) inner: u64,
}

impl Matmul {
    pub(super) fn sources(&self, operand: usize, axis: usize, o: i64, size: i64, found: &mut Vec<i64>) {
        // Rows of the first operand and columns of the second are the result's.
        if operand == axis { found.push(o) } else { found.extend(0..size) }
    }
}

pub(super) fn matmul(op: &Operation<'_>) -> Option<Definition> {
    op.no_attrs()?;
    let &[a, b] = op.inputs else { return None };
    (a[3] == b[2]).then_some(Definition::Apply(Meaning::Matmul(Matmul { inner: a[3] })))
}
