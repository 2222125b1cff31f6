//! The passes: a file each, named as on the command line. [`PIPELINE`] is the compiler's table of contents.

mod allocate;
mod canonicalize;
mod conform;
mod continue_circularly;
mod differentiate;
mod fold_batch_norm;
mod lower;
mod materialize;
mod overlap;
mod pad;
mod recompute;
mod repeated;
mod section_cut;
mod tile;
mod training_step;

use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::machine::format_size;

use crate::analysis::geometry::MAX_STEPS;
use crate::analysis::planner::Alternatives;
use crate::base::OpId;
use crate::ir::{Gradient, Graph, Materialize, Overlap, Padding, Sections, Target};

pub use crate::ir::{Level, Module};
pub use conform::KeptPlan;
pub use differentiate::{Wanted, differentiate};
pub use training_step::{RANDOM_KEY, RunningAverage, TrainingStep, training_step};

/// What the caller asks of the pipeline.
#[derive(Clone, Debug)]
pub struct Options {
    /// Machine and budgets.
    pub target: Target,
    /// Target tile of every section.
    pub tile: Option<[u64; 2]>,
    /// One tile a section, cuts only where they must be.
    pub untiled: bool,
    /// Values (or parameters' paths) after whose ops to cut.
    pub cut_after: Vec<String>,
    /// What becomes of tensors that are needed on both sides of a forced cut; whichever is modelled to be faster where nothing is
    /// said.
    pub materialize: Option<Materialize>,
    /// How overlaps are had in every section; the planner chooses where nothing is said.
    pub overlap: Option<Overlap>,
    /// Where padding goes.
    pub padding: Padding,
    /// How the overlap of gradients is had.
    pub gradient: Gradient,
    /// Sections from a file, instead of the planner's.
    pub plan: Option<KeptPlan>,
}

/// What a pass does to a module.
pub type Run = fn(Module, &Options) -> Result<Module, Vec<Diagnostic>>;

/// A pass.
pub struct Pass {
    /// Name on the command line.
    pub name: &'static str,
    /// One line for help and documentation.
    pub doc: &'static str,
    /// The level that it takes.
    pub level: Level,
    /// What it does.
    pub run: Run,
}

/// All passes in the order in which the compiler runs them.
pub const PIPELINE: &[Pass] = &[
    Pass {
        name: "canonicalize",
        doc: "Expands ops into simpler ones, drops what nothing reads or what changes nothing, joins equal ones.",
        level: Level::Graph,
        run: canonicalize::run,
    },
    Pass {
        name: "fold-batch-norm",
        doc: "Puts batch normalisations into the parameters of the convolutions before them, or makes scales and shifts of them.",
        level: Level::Graph,
        run: fold_batch_norm::run,
    },
    Pass {
        name: "continue-circularly",
        doc: "Moves circular padding to the inputs of ops that do the same to every pixel.",
        level: Level::Graph,
        run: continue_circularly::run,
    },
    Pass {
        name: "recompute",
        doc: "Decides which tensors that are needed on both sides of a forced cut are computed again behind it.",
        level: Level::Graph,
        run: recompute::run,
    },
    Pass {
        name: "section-cut",
        doc: "Cuts the graph into sections and chooses each one's target tile.",
        level: Level::Graph,
        run: section_cut::run,
    },
    Pass {
        name: "tile",
        doc: "Derives every tensor's tiling from the target tile by reverse traversal.",
        level: Level::Sections,
        run: tile::run,
    },
    Pass {
        name: "pad",
        doc: "Moves all padding of a section to its inputs, and marks what intermediates must zero out.",
        level: Level::Sections,
        run: pad::run,
    },
    Pass {
        name: "overlap",
        doc: "Settles how the overlap of neighbouring tiles is had, and where tiles are stored.",
        level: Level::Sections,
        run: overlap::run,
    },
    Pass {
        name: "materialize",
        doc: "Settles how tensors of the forward pass reach the ops of the backward pass: kept whole, tile by tile, or computed again.",
        level: Level::Sections,
        run: materialize::run,
    },
    Pass {
        name: "allocate",
        doc: "Places tile buffers in SRAM and tensors in device memory, within the budgets.",
        level: Level::Sections,
        run: allocate::run,
    },
    Pass {
        name: "lower",
        doc: "Writes the instructions and their tokens.",
        level: Level::Sections,
        run: lower::run,
    },
];

/// The pass of that name.
pub fn find(name: &str) -> Option<&'static Pass> {
    PIPELINE.iter().find(|p| p.name == name)
}

/// The module as sections, for passes that take those.
fn sections(module: Module, pass: &str) -> Result<Sections, Vec<Diagnostic>> {
    match module {
        Module::Sections(sections) => Ok(sections),
        other => Err(vec![wrong_level(pass, Level::Sections, other.level())]),
    }
}

/// The module as a graph, for passes that take one.
pub(crate) fn graph(module: Module, pass: &str) -> Result<Graph, Vec<Diagnostic>> {
    match module {
        Module::Graph(graph) => Ok(graph),
        other => Err(vec![wrong_level(pass, Level::Graph, other.level())]),
    }
}

fn wrong_level(pass: &str, wanted: Level, found: Level) -> Diagnostic {
    let hint = (found == Level::Graph).then(|| "run pass `section-cut` first".to_owned());
    Diagnostic::error(Code::E0612, format!("pass `{pass}` takes the {wanted} level, found the {found} level"))
        .maybe_hint(hint)
}

/// The op that makes the value of that name, or whose parameters have that path.
fn op_called(graph: &Graph, name: &str) -> Option<OpId> {
    let is = |op: OpId| {
        let node = &graph.ops[op];
        let mut paths = node.params.iter().map(|&p| graph.params[p].name.as_str());
        graph.values[node.output].name == name
            || paths.any(|path| path.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    };
    graph.ops.ids().find(|&op| is(op))
}

/// Whether tiles of a size cut an extent into more steps than there may be.
fn too_many_steps(extent: [u64; 2], tile: [u64; 2]) -> bool {
    (0..2).any(|axis| extent[axis].div_ceil(tile[axis].max(1)) > MAX_STEPS)
}

fn invalid_tile(name: &str, [h, w]: [u64; 2], [rows, cols]: [u64; 2]) -> Diagnostic {
    let message =
        format!("tiles of {rows} x {cols} cut the {h} x {w} pixels of `{name}` into too many steps");
    Diagnostic::error(Code::E0704, message)
        .hint(format!("there may be {MAX_STEPS} along an axis; ask for larger tiles"))
}

/// For passes that look at what an earlier pass has decided.
fn missing(section: &str, what: &str, pass: &str) -> Vec<Diagnostic> {
    let message = format!("section `{section}` has no {what}");
    vec![Diagnostic::error(Code::E0612, message).hint(format!("run pass `{pass}` first"))]
}

/// A number of bytes as messages have it: exact, so that it may be given back as an option.
fn bytes(n: u64) -> String {
    let size = format_size(n);
    if size.bytes().all(|b| b.is_ascii_digit()) { format!("{size} bytes") } else { size }
}

impl Options {
    /// The smallest SRAM and device memory that a plan for a bound graph can do with; `None` if there is no plan at all,
    /// or it is given.
    pub fn smallest_budgets(&self, graph: &Graph) -> Option<[u64; 2]> {
        section_cut::smallest_budgets(graph, self)
    }

    /// What else there was for each section of a plan, and what its cuts are for.
    pub fn alternatives(&self, ir: &Sections) -> Vec<Alternatives> {
        section_cut::alternatives(ir, self)
    }
}

#[cfg(test)]
mod tests;
