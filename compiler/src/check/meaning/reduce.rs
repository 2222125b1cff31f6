//! Reductions over all of space.

use super::{Definition, Meaning, Operation};

/// The exact mean over all pixels, by grains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Mean;

pub(super) fn global_avg_pool(op: &Operation<'_>) -> Option<Definition> {
    op.no_attrs()?;
    Some(Definition::Apply(Meaning::Mean(Mean)))
}
