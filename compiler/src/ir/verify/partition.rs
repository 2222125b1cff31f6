//! Invariants 7 and 8: sizes are known, every op runs once and after what it reads, and no section reads what it has yet to sum,
//! or must find in device memory.

use std::collections::{HashMap, HashSet};

use super::{Section, Sections, SectionsFound};
use crate::base::{Id, OpId, ValueId};
use crate::ir::Node;
use crate::ops::Placement;

/// Ops that cannot run as they are grouped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// A size that depends on a symbol.
    #[error("`{0}` has a size that is not known")]
    Unbound(String),
    /// Two sections of one name.
    #[error("another section has the same name")]
    Name,
    /// A section of nothing.
    #[error("it has no ops")]
    Empty,
    /// An id that is in no arena.
    #[error("op number {0} does not exist")]
    Missing(usize),
    /// An op in two places.
    #[error("`{0}` is computed twice")]
    Twice(String),
    /// An op in no place.
    #[error("`{0}` is computed in no section")]
    Nowhere(String),
    /// An op before what it reads.
    #[error("`{user}` is computed before `{operand}`, which it reads")]
    Order {
        /// Computed too early.
        user: String,
        /// Read.
        operand: String,
    },
    /// A sum that is read before it is complete.
    #[error("`{user}` reads `{operand}`, which is complete only when the section has ended")]
    Reduction {
        /// Reads it.
        user: String,
        /// The sum.
        operand: String,
    },
    /// A tensor that must lie whole in device memory before it is read.
    #[error("`{user}` reads `{operand}` in device memory, and the section has yet to make it")]
    Boundary {
        /// Reads it.
        user: String,
        /// The tensor.
        operand: String,
    },
    /// Tiles of different numbers of images.
    #[error("`{value}` has {found} images, and the section {expected}")]
    Images {
        /// The tensor.
        value: String,
        /// Of the section.
        expected: u64,
        /// Of the tensor.
        found: u64,
    },
    /// A section whose results nobody wants.
    #[error("nothing that it computes is needed outside")]
    Useless,
}

pub(super) fn check(ir: &Sections, found: &mut SectionsFound) {
    let graph = &ir.graph;
    for (_, value) in graph.values.iter().filter(|(_, v)| v.ty.shape.sizes().is_none()) {
        found.push(None, PartitionError::Unbound(value.name.clone()));
    }
    let mut names = HashSet::new();
    for (index, section) in ir.sections.iter().enumerate() {
        if !names.insert(section.name.as_str()) {
            found.push(Some(index), PartitionError::Name);
        }
        if section.ops.is_empty() {
            found.push(Some(index), PartitionError::Empty);
        }
        for op in section.ops.iter().filter(|op| graph.ops.get(**op).is_none()) {
            found.push(Some(index), PartitionError::Missing(op.index()));
        }
    }
    if found.list.is_empty() {
        check_order(ir, found);
    }
    if found.list.is_empty() {
        let readers = graph.consumers();
        for (index, section) in ir.sections.iter().enumerate() {
            check_section(ir, index, section, &readers, found);
        }
    }
}

fn name(ir: &Sections, value: ValueId) -> String {
    ir.graph.values[value].name.clone()
}

fn check_order(ir: &Sections, found: &mut SectionsFound) {
    let graph = &ir.graph;
    let mut done = HashSet::new();
    for (index, section) in ir.sections.iter().enumerate() {
        for &op in &section.ops {
            let node = &graph.ops[op];
            let early =
                node.inputs.iter().filter(|v| graph.producer(**v).is_some_and(|p| !done.contains(&p)));
            for &operand in early {
                let (user, operand) = (name(ir, node.output), name(ir, operand));
                found.push(Some(index), PartitionError::Order { user, operand });
            }
            if !done.insert(op) {
                found.push(Some(index), PartitionError::Twice(name(ir, node.output)));
            }
        }
    }
    for (op, node) in graph.ops.iter() {
        if !done.contains(&op) {
            found.push(None, PartitionError::Nowhere(name(ir, node.output)));
        }
    }
}

fn check_section(
    ir: &Sections,
    index: usize,
    section: &Section,
    readers: &HashMap<ValueId, Vec<OpId>>,
    found: &mut SectionsFound,
) {
    let graph = &ir.graph;
    let members: HashSet<OpId> = section.ops.iter().copied().collect();
    let images = |value: ValueId| graph.sizes(value).map_or(0, |s| s[0]);
    // A reduction runs for the images of what it sums.
    let counted = |node: &Node| match (node.op.placement(), node.inputs.last()) {
        (Placement::Reduce, Some(&summed)) => summed,
        _ => node.output,
    };
    let expected = images(counted(&graph.ops[section.ops[0]]));
    let mut useful = false;
    for &op in &section.ops {
        let node = &graph.ops[op];
        for &operand in &node.inputs {
            let maker = graph.producer(operand).filter(|p| members.contains(p));
            if maker.is_some_and(|p| graph.ops[p].op.placement() == Placement::Reduce) {
                let (user, operand) = (name(ir, node.output), name(ir, operand));
                found.push(Some(index), PartitionError::Reduction { user, operand });
            }
            if maker.is_some() && matches!(node.op.placement(), Placement::Boundary(_)) {
                let (user, operand) = (name(ir, node.output), name(ir, operand));
                found.push(Some(index), PartitionError::Boundary { user, operand });
            }
            // A tensor of one image serves all images; a sum is over its own.
            let repeated = images(operand) == 1 && node.op.placement() != Placement::Reduce;
            if images(operand) != expected && !repeated {
                let (value, found_images) = (name(ir, operand), images(operand));
                found.push(Some(index), PartitionError::Images { value, expected, found: found_images });
            }
        }
        if node.op.placement() != Placement::Reduce && images(node.output) != expected {
            let (value, found_images) = (name(ir, node.output), images(node.output));
            found.push(Some(index), PartitionError::Images { value, expected, found: found_images });
        }
        let outside = readers.get(&node.output).is_some_and(|r| r.iter().any(|r| !members.contains(r)));
        useful |= outside || graph.is_output(node.output) || node.op.placement() == Placement::Reduce;
    }
    if !useful {
        found.push(Some(index), PartitionError::Useless);
    }
}
