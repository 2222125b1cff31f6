//! Holds the invariants that the crate's documentation lists, a file per group, in the same order.
//!
//! Passes index arenas and add sizes without looking back. Whatever comes from outside, a `.zir` text above all, therefore
//! goes through here first; tests go through here after each pass. A group is checked only if those before it hold, since
//! it relies on them; within a group every violation is found.
//!
//! The checks of the sections level share no code with the analyses that fill it in: what a tile must cover, for one, is
//! enumerated over the ops' access relations.

mod borders;
mod buffers;
mod cover;
mod device;
mod materialized;
mod names;
mod order;
mod padding;
mod params;
mod partition;
mod steps;
mod sums;
mod tensors;
mod types;
mod wiring;

use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::program::Program;
use zellige_runtime::program::verify::{Limits, verify_structure};

use super::{Graph, Module, Section, Sections};
use crate::base::OpId;

pub use borders::BorderError;
pub use buffers::BufferError;
pub use cover::CoverError;
#[cfg(test)]
pub(crate) use cover::reads as reads_of;
pub use device::DeviceError;
pub use materialized::MaterializedError;
pub use names::NameError;
pub use order::OrderError;
pub use padding::PaddingError;
pub use params::ParamError;
pub use partition::PartitionError;
pub use steps::StepsError;
pub use sums::SumError;
pub use tensors::TensorsError;
pub use types::TypeError;
use wiring::Wiring;

/// Largest extent along an axis: beyond it nothing is meant.
pub const MAX_EXTENT: u64 = 1 << 31;
/// Tensors have fewer elements.
pub const MAX_ELEMENTS: u64 = 1 << 48;
/// Most violations that are reported.
const MOST: usize = 100;

/// Something wrong with a graph.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct GraphViolation {
    /// The op that takes part, if one does.
    pub op: Option<OpId>,
    /// What is wrong.
    pub error: GraphFault,
}

/// What can be wrong with a graph.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GraphFault {
    /// Names.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Definitions and uses.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Types and sizes.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// Parameters.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// Inputs, outputs and declared sizes.
    #[error(transparent)]
    Border(#[from] BorderError),
}

/// Something wrong with sections.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{error}", .section.as_ref().map(|s| format!("section `{s}`: ")).unwrap_or_default())]
pub struct SectionsViolation {
    /// Name of the section that takes part, if one does.
    pub section: Option<String>,
    /// What is wrong.
    pub error: SectionsFault,
}

/// What can be wrong with sections.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SectionsFault {
    /// The graph itself.
    #[error(transparent)]
    Graph(#[from] GraphViolation),
    /// Which op runs where.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// Which tensors a section has.
    #[error(transparent)]
    Tensors(#[from] TensorsError),
    /// Step tables.
    #[error(transparent)]
    Steps(#[from] StepsError),
    /// What tiles hold.
    #[error(transparent)]
    Cover(#[from] CoverError),
    /// Padding and zero-out.
    #[error(transparent)]
    Padding(#[from] PaddingError),
    /// Tiles that are added up.
    #[error(transparent)]
    Sum(#[from] SumError),
    /// SRAM.
    #[error(transparent)]
    Buffer(#[from] BufferError),
    /// What is kept, and what is computed again.
    #[error(transparent)]
    Materialized(#[from] MaterializedError),
    /// Device memory.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// The violations of one group.
#[derive(Debug)]
struct Found<P, E> {
    list: Vec<(Option<P>, E)>,
}

impl<P, E> Default for Found<P, E> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<P, E> Found<P, E> {
    fn push(&mut self, place: Option<P>, error: impl Into<E>) {
        if self.list.len() < MOST {
            self.list.push((place, error.into()));
        }
    }
}

type GraphFound = Found<OpId, GraphFault>;
type SectionsFound = Found<usize, SectionsFault>;
/// A check of one section, whose index is given.
type SectionCheck = fn(&Section, &Wiring, &mut SectionsFound, &Sections, usize);

/// What is wrong with a graph: all violations of the first group that has any.
pub fn graph_violations(graph: &Graph) -> Vec<GraphViolation> {
    let groups: [fn(&Graph, &mut GraphFound); 5] =
        [names::check, order::check, types::check, params::check, borders::check];
    for check in groups {
        let mut found = GraphFound::default();
        check(graph, &mut found);
        if !found.list.is_empty() {
            return found.list.into_iter().map(|(op, error)| GraphViolation { op, error }).collect();
        }
    }
    Vec::new()
}

/// What is wrong with sections, their graph first: all violations of the first group that has any.
pub fn sections_violations(ir: &Sections) -> Vec<SectionsViolation> {
    let of_graph = graph_violations(&ir.graph);
    if !of_graph.is_empty() {
        let moved = |v: GraphViolation| SectionsViolation { section: None, error: v.into() };
        return of_graph.into_iter().map(moved).collect();
    }
    check_sections(ir).err().unwrap_or_default()
}

fn check_sections(ir: &Sections) -> Result<(), Vec<SectionsViolation>> {
    settle(ir, partition::check)?;
    let wirings: Vec<Wiring> = ir.sections.iter().map(|s| Wiring::of(ir, s)).collect();
    let groups: [SectionCheck; 6] =
        [tensors::check, steps::check, cover::check, sums::check, padding::check, buffers::check];
    for check in groups {
        settle(ir, |ir, found| {
            for (index, (section, wiring)) in ir.sections.iter().zip(&wirings).enumerate() {
                check(section, wiring, found, ir, index);
            }
        })?;
    }
    settle(ir, materialized::check)?;
    settle(ir, device::check)
}

/// Runs the checks of one group.
fn settle(
    ir: &Sections,
    check: impl FnOnce(&Sections, &mut SectionsFound),
) -> Result<(), Vec<SectionsViolation>> {
    let mut found = SectionsFound::default();
    check(ir, &mut found);
    if found.list.is_empty() {
        return Ok(());
    }
    let named = |(at, error): (Option<usize>, SectionsFault)| SectionsViolation {
        section: at.and_then(|i| ir.sections.get(i)).map(|s| s.name.clone()),
        error,
    };
    Err(found.list.into_iter().map(named).collect())
}

/// Checks a graph.
///
/// # Errors
///
/// The [`graph_violations`] as diagnostics, E0608; they point at ops, whose places the graph knows.
pub fn verify_graph(graph: &Graph) -> Result<(), Vec<Diagnostic>> {
    refuse(graph_violations(graph).iter().map(|v| graph_diagnostic(graph, v)).collect())
}

/// Checks sections.
///
/// # Errors
///
/// The [`sections_violations`] as diagnostics, E0608 and E0609.
pub fn verify_sections(ir: &Sections) -> Result<(), Vec<Diagnostic>> {
    refuse(sections_violations(ir).iter().map(|v| sections_diagnostic(&ir.graph, v)).collect())
}

/// Checks a program, but for the values of its weights, which come from elsewhere.
///
/// # Errors
///
/// The first violation as a diagnostic, E0610.
pub fn verify_program(program: &Program) -> Result<(), Vec<Diagnostic>> {
    let limits = Limits { sram_bytes: u64::MAX, device_bytes: u64::MAX, work: None };
    verify_structure(program, &limits).map_err(|e| vec![Diagnostic::error(Code::E0610, e.to_string())])
}

/// Checks a module of any level.
///
/// # Errors
///
/// What is wrong, as diagnostics.
pub fn verify(module: &Module) -> Result<(), Vec<Diagnostic>> {
    match module {
        Module::Graph(graph) => verify_graph(graph),
        Module::Sections(ir) => verify_sections(ir),
        Module::Program(program) => verify_program(program),
    }
}

fn refuse(problems: Vec<Diagnostic>) -> Result<(), Vec<Diagnostic>> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// E0608 for a violation.
pub fn graph_diagnostic(graph: &Graph, violation: &GraphViolation) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::E0608, violation.to_string());
    match violation.op.and_then(|op| graph.ops.get(op)).map(|node| node.span) {
        Some(span) if !span.is_empty() => diagnostic.label(span, "here"),
        _ => diagnostic,
    }
}

/// E0608 or E0609 for a violation.
pub fn sections_diagnostic(graph: &Graph, violation: &SectionsViolation) -> Diagnostic {
    match &violation.error {
        SectionsFault::Graph(of_graph) => graph_diagnostic(graph, of_graph),
        _ => Diagnostic::error(Code::E0609, violation.to_string()),
    }
}

#[cfg(test)]
mod tests;
