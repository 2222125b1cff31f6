//! Reductions over all of space.

use serde::Deserialize;

use super::{Definition, Meaning, Operation};

/// The exact mean over all pixels, by grains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Mean;

/// No attributes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct None {}

pub(super) fn global_avg_pool(op: &Operation<'_>) -> Option<Definition> {
    let None {} = op.attrs()?;
    Some(Definition::Apply(Meaning::Mean(Mean)))
}
