//! Invariant 15: what a section says of the forward tensors that it needs is so: those kept are read, those computed again are.

use std::collections::HashMap;

use super::{Sections, SectionsFound};
use crate::base::ValueId;
use crate::ir::{Materialize, Section};
use crate::ops::Placement;

/// A tensor that is had otherwise than it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaterializedError {
    /// Kept, and not read.
    #[error("`{0}` is kept for it, and it reads no tiles of it")]
    Kept(String),
    /// To be computed again, and not.
    #[error("`{0}` is to be computed again, and no op does")]
    Recomputed(String),
}

pub(super) fn check(ir: &Sections, found: &mut SectionsFound) {
    let repeats = ir.graph.repeats();
    for (index, section) in ir.sections.iter().enumerate() {
        for (&value, &how) in &section.materialized {
            if let Err(error) = check_tensor(ir, section, &repeats, value, how) {
                found.push(Some(index), error);
            }
        }
    }
}

fn check_tensor(
    ir: &Sections,
    section: &Section,
    repeats: &HashMap<ValueId, ValueId>,
    value: ValueId,
    how: Materialize,
) -> Result<(), MaterializedError> {
    let name = || ir.graph.values[value].name.clone();
    match how {
        Materialize::Keep | Materialize::Tiles => {
            let by_tiles = section.ops.iter().map(|&op| &ir.graph.ops[op]);
            let mut by_tiles = by_tiles.filter(|n| !matches!(n.op.placement(), Placement::Boundary(_)));
            let is_read = by_tiles.any(|node| node.inputs.contains(&value));
            let is_made = ir.graph.producer(value).is_some_and(|op| !section.ops.contains(&op));
            if is_read && is_made { Ok(()) } else { Err(MaterializedError::Kept(name())) }
        }
        Materialize::Recompute => {
            let again = |&op: &_| repeats.get(&ir.graph.ops[op].output) == Some(&value);
            if section.ops.iter().any(again) { Ok(()) } else { Err(MaterializedError::Recomputed(name())) }
        }
    }
}
