//! Invariant 9: where a section has tilings, they are those of its tensors, in order, and say truly what each tensor is.

use zellige_runtime::program::instr::AxisId;

use super::wiring::{Wire, WireRead, Wiring};
use super::{Graph, Section, Sections, SectionsFound};
use crate::base::AxisMap;
use crate::ir::{Reader, Role, Tiling};

/// A tiling of what is not there, or not what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorsError {
    /// Others than the section's tensors.
    #[error("it has tilings of `{}`, and its tensors are `{}`", .found.join("`, `"), .expected.join("`, `"))]
    Tensors {
        /// By the graph.
        expected: Vec<String>,
        /// There.
        found: Vec<String>,
    },
    /// Another role.
    #[error("`{tensor}` is {found:?}, and should be {expected:?}")]
    Role {
        /// The tensor.
        tensor: String,
        /// By the graph.
        expected: Role,
        /// There.
        found: Role,
    },
    /// Summed or not.
    #[error("`reduced` of `{0}` should be {1}")]
    Reduced(String, bool),
    /// Another extent.
    #[error("the extent of `{tensor}` is {found:?}, and should be {expected:?}")]
    Extent {
        /// The tensor.
        tensor: String,
        /// By the graph.
        expected: [u64; 2],
        /// There.
        found: [u64; 2],
    },
    /// Other readers.
    #[error("the readers of `{0}` are not those of the graph")]
    Readers(String),
    /// No anchor, or several, or one of which nothing leaves.
    #[error(
        "one tensor is the anchor, and leaves the section; {marked} are marked so, and {leaving} of them leave"
    )]
    Anchors {
        /// Tensors that are marked.
        marked: usize,
        /// Those of them that leave the section.
        leaving: usize,
    },
    /// Tilings without what they follow from.
    #[error("it has tilings, but no {0}")]
    Missing(&'static str),
    /// Something that later passes decide, before tilings.
    #[error("it has {0}, but no tilings")]
    Early(&'static str),
}

pub(super) fn check(
    section: &Section,
    wiring: &Wiring,
    found: &mut SectionsFound,
    ir: &Sections,
    index: usize,
) {
    let graph = &ir.graph;
    if section.tensors.is_empty() {
        let decided = [("a grid", section.grid.is_some()), ("a size in SRAM", section.sram_bytes.is_some())];
        for (what, _) in decided.into_iter().filter(|(_, there)| *there) {
            found.push(Some(index), TensorsError::Early(what));
        }
        return;
    }
    for (what, there) in [("target tile", section.tile.is_some()), ("grid", section.grid.is_some())] {
        if !there {
            found.push(Some(index), TensorsError::Missing(what));
        }
    }
    if !section.tensors.keys().eq(wiring.tensors.iter().map(|w| &w.value)) {
        let name =
            |value: &crate::base::ValueId| graph.values.get(*value).map_or("?", |v| &v.name).to_owned();
        let expected = wiring.tensors.iter().map(|w| name(&w.value)).collect();
        let there = section.tensors.keys().map(name).collect();
        found.push(Some(index), TensorsError::Tensors { expected, found: there });
        return;
    }
    for (wire, tiling) in wiring.tensors.iter().zip(section.tensors.values()) {
        check_tensor(graph, wire, tiling, index, found);
    }
    let is_leaving = |(w, t): &(&Wire, &Tiling)| t.anchor && w.leaves();
    let leaving = wiring.tensors.iter().zip(section.tensors.values()).filter(is_leaving).count();
    let marked = section.tensors.values().filter(|t| t.anchor).count();
    if leaving != 1 || marked != 1 {
        found.push(Some(index), TensorsError::Anchors { marked, leaving });
    }
}

fn check_tensor(graph: &Graph, wire: &Wire, tiling: &Tiling, index: usize, found: &mut SectionsFound) {
    let tensor = || graph.values[wire.value].name.clone();
    let at = Some(index);
    if tiling.role != wire.role() {
        let error = TensorsError::Role { tensor: tensor(), expected: wire.role(), found: tiling.role };
        found.push(at, error);
    }
    if tiling.reduced != wire.reduced {
        found.push(at, TensorsError::Reduced(tensor(), wire.reduced));
    }
    let expected = [wire.sizes[2], wire.sizes[3]];
    if tiling.extent != expected {
        found.push(at, TensorsError::Extent { tensor: tensor(), expected, found: tiling.extent });
    }
    if !tiling.readers.iter().eq(wire.reads.iter().map(|r| reader(graph, r)).collect::<Vec<_>>().iter()) {
        found.push(at, TensorsError::Readers(tensor()));
    }
}

fn reader(graph: &Graph, read: &WireRead) -> Reader {
    let side = |axis: AxisId| match read.maps[axis.index()] {
        AxisMap::Window { kernel, stride, .. } | AxisMap::Transposed { kernel, stride, .. } => {
            [kernel, stride]
        }
        _ => [1, 1],
    };
    let [[ky, sy], [kx, sx]] = AxisId::BOTH.map(side);
    Reader { op: graph.ops[read.op].op.name().to_owned(), kernel: [ky, kx], stride: [sy, sx] }
}
