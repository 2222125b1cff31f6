//! `section-cut`: cuts the graph into sections and chooses each one's target tile and how its overlaps are had.
//!
//! ```text
//! before: %m = global_avg_pool %x;   %y = mul %x %m;
//! after:  section s0 (tile: [8, 64], overlap: reuse) { … %x, %m }   section s1 (tile: [128, 64], overlap: recompute) { %y }
//! ```
//!
//! Cuts are forced where an op reads the result of a reduction, or a tensor that it must find whole in device memory
//! (reshapes, transposition, circular padding); elsewhere the planner weighs recomputed halos against traffic
//! ([`crate::analysis::planner`]). Where the tensors at boundaries do not fit the memory budget, inputs and outputs are streamed and
//! the largest boundary tensors spilled to files, or a plan that reckons with files, or the one with the smallest tensors is taken,
//! whichever is modelled to be faster.
//!
//! With `--grad rmw`, an op that gives the gradient of an input of which windows overlap is a section by itself, whose tiles are parts of
//! the gradient that it reads, and are added up in memory. Whoever reads the sum, a weight gradient above all, finds it complete. What
//! is an output of the graph is computed with halos all the same: the caller may take it as it is written, and not give it back.

use indexmap::IndexMap;
use zellige_grammar::{Code, Diagnostic};

use super::{Module, Options, bytes, recompute};
use crate::analysis::cost::file_seconds;
use crate::analysis::device::{self, DevicePlan};
use crate::analysis::planner::{self, Alternatives, Choice, Known, Objective, PlanError, Wishes};
use crate::base::OpId;
use crate::ir::{Graph, Section, Sections};

pub(super) fn run(module: Module, options: &Options) -> Result<Module, Vec<Diagnostic>> {
    let graph = super::graph(module, "section-cut")?;
    if !graph.is_bound() {
        return Err(vec![unbound(&graph)]);
    }
    check_folded(&graph)?;
    if let Some(plan) = &options.plan {
        return Ok(Module::Sections(plan.cut(graph, options.target.clone())?));
    }
    check_tile(&graph, options)?;
    let (graph, planned) = planned(graph, options)?;
    let sections = planned.choices.into_iter().enumerate().map(|(i, choice)| Section {
        name: format!("s{i}"),
        ops: choice.ops,
        tile: Some(choice.tile),
        overlap: Some(choice.overlap),
        padding: options.padding,
        gradient: choice.gradient,
        colours: None,
        grid: None,
        tensors: IndexMap::new(),
        materialized: IndexMap::new(),
        sram_bytes: None,
    });
    let sections = sections.collect();
    Ok(Module::Sections(Sections { graph, target: options.target.clone(), sections, device: None }))
}

/// Whether each op has an instruction.
fn check_folded(graph: &Graph) -> Result<(), Vec<Diagnostic>> {
    match graph.ops.iter().find(|(_, node)| node.op.channel_scaling().is_some()) {
        Some((_, node)) => {
            let message = format!(
                "`{}` is a `{}`, which is to be folded",
                graph.values[node.output].name,
                node.op.name()
            );
            let problem = Diagnostic::error(Code::E0612, message).label(node.span, "here");
            Err(vec![problem.hint("run pass `fold-batch-norm` first")])
        }
        None => Ok(()),
    }
}

/// Whether the tile asked for cuts no tensor into more steps than there may be.
fn check_tile(graph: &Graph, options: &Options) -> Result<(), Vec<Diagnostic>> {
    let Some(tile) = options.tile.filter(|_| !options.untiled) else { return Ok(()) };
    for (_, node) in graph.ops.iter() {
        let [.., h, w] = graph.sizes(node.output).unwrap_or([1; 4]);
        if super::too_many_steps([h, w], tile) {
            let name = &graph.values[node.output].name;
            return Err(vec![super::invalid_tile(name, [h, w], tile).label(node.span, "computed here")]);
        }
    }
    Ok(())
}

pub(super) fn unbound(graph: &Graph) -> Diagnostic {
    let names = graph.symbols().join("`, `");
    Diagnostic::error(Code::E0505, format!("sections are cut for known sizes, and `{names}` are not bound"))
        .hint("give them with `--bind`, such as `--bind H=512,W=512`")
}

/// A plan that fits.
struct Planned {
    choices: Vec<Choice>,
    /// Modelled time.
    seconds: f64,
}

/// The graph with its plan. Where tensors of the forward pass can be computed again behind the cuts, it is planned a second time with
/// them, and whichever is modelled to be faster is taken, or whichever was asked for.
fn planned(graph: Graph, options: &Options) -> Result<(Graph, Planned), Vec<Diagnostic>> {
    let mut known = Known::default();
    let first = plan(&graph, options, &mut known)?;
    let again = recompute::at_cuts(&graph, &ops(&first.choices), options).and_then(|again| {
        let second = plan(&again, options, &mut known).ok()?;
        let is_better = options.materialize.is_some() || second.seconds < first.seconds;
        is_better.then_some((again, second))
    });
    Ok(again.unwrap_or((graph, first)))
}

fn plan(graph: &Graph, options: &Options, known: &mut Known) -> Result<Planned, Vec<Diagnostic>> {
    let wishes = Wishes { cut_after: cut_after(graph, &options.cut_after)?, ..without_cuts(options) };
    let mut choices = |objective| {
        planner::plan(graph, &options.target, &wishes, objective, known)
            .map_err(|e| vec![refuse_sram(graph, options, &e)])
    };
    let memory = options.target.memory;
    let fast = choices(Objective::Time)?;
    let of_fast = device_plan(graph, &fast, memory)?;
    if of_fast.total() <= memory && of_fast.spilled_bytes() == 0 {
        return Ok(Planned::of(graph, fast, &of_fast));
    }
    let mut of = |objective| -> Result<_, Vec<Diagnostic>> {
        let choices = choices(objective)?;
        let device = device_plan(graph, &choices, memory)?;
        Ok((choices, device))
    };
    let plans = [(fast, of_fast), of(Objective::Files)?, of(Objective::Memory)?];
    let fitting = plans.iter().filter(|(_, device)| device.total() <= memory);
    let planned = fitting.map(|(choices, device)| Planned::of(graph, choices.clone(), device));
    if let Some(fastest) = planned.min_by(|a, b| a.seconds.total_cmp(&b.seconds)) {
        return Ok(fastest);
    }
    let [.., (small, _)] = &plans;
    let needed = device_plan(graph, small, 0)?.total();
    let message = format!(
        "the tensors in device memory take {}, and `--memory` is {}",
        bytes(needed),
        bytes(options.target.memory)
    );
    Err(vec![
        Diagnostic::error(Code::E0702, message)
            .hint(format!("the smallest that would do is `--memory {needed}`"))
            .note("packed weights and accumulators count; larger tensors would lie in files"),
    ])
}

/// What the options fix, with the cuts after ops that there are.
fn wishes(graph: &Graph, options: &Options) -> Wishes {
    let cut_after = cut_after(graph, &options.cut_after).unwrap_or_default();
    Wishes { cut_after, ..without_cuts(options) }
}

fn without_cuts(options: &Options) -> Wishes {
    Wishes {
        tile: options.tile,
        untiled: options.untiled,
        cut_after: Vec::new(),
        overlap: options.overlap,
        padding: options.padding,
        gradient: options.gradient,
    }
}

impl Planned {
    fn of(graph: &Graph, choices: Vec<Choice>, device: &DevicePlan) -> Self {
        Self { seconds: seconds(graph, &choices, device), choices }
    }
}

/// Modelled time, with what writing and reading spilled tensors takes.
fn seconds(graph: &Graph, choices: &[Choice], device: &DevicePlan) -> f64 {
    let modelled: f64 = choices.iter().map(|c| c.cost.seconds).sum();
    modelled + file_seconds(device.file_bytes(graph, &ops(choices)), 0.0)
}

/// The ops of each section.
fn ops(choices: &[Choice]) -> Vec<&[OpId]> {
    choices.iter().map(|c| c.ops.as_slice()).collect()
}

fn device_plan(graph: &Graph, choices: &[Choice], memory: u64) -> Result<DevicePlan, Vec<Diagnostic>> {
    device::plan(graph, &ops(choices), &[], memory).ok_or_else(|| {
        vec![Diagnostic::error(Code::E0702, "the tensors in device memory take more than 2^64 bytes")]
    })
}

fn refuse_sram(graph: &Graph, options: &Options, error: &PlanError) -> Diagnostic {
    let PlanError::Sram { op, needed } = *error;
    let node = &graph.ops[op];
    let (name, given) = (&graph.values[node.output].name, bytes(options.target.sram));
    let what = match options.tile {
        Some([h, w]) => format!("a tile of {h}x{w}"),
        None => "the smallest tile".to_owned(),
    };
    Diagnostic::error(
        Code::E0701,
        format!("{what} of `{name}` takes {}, and a worker's SRAM is {given}", bytes(needed)),
    )
    .label(node.span, "computed here")
    .hint(format!("the smallest that would do is `--sram {needed}`"))
}

/// The ops that `--cut-after` names.
fn cut_after(graph: &Graph, names: &[String]) -> Result<Vec<OpId>, Vec<Diagnostic>> {
    let find = |name: &String| {
        super::op_called(graph, name).ok_or_else(|| {
            let known = graph.ops.iter().map(|(_, n)| graph.values[n.output].name.as_str());
            let closest = zellige_grammar::suggest::did_you_mean(name, known);
            let hint =
                closest.unwrap_or_else(|| "`zellige dump --stage graph` shows how ops are called".to_owned());
            vec![Diagnostic::error(Code::E0707, format!("no op is called `{name}`")).hint(hint)]
        })
    };
    names.iter().map(find).collect()
}

/// Whether some plan can do with the SRAM there is, whatever its cuts besides those that are asked for.
pub(super) fn fits_sram(graph: &Graph, options: &Options) -> bool {
    planner::fits_sram(graph, &options.target, &wishes(graph, options))
}

/// The smallest SRAM a worker (as found with the smallest tiles, op by op), and the device memory of the plan with the
/// smallest boundary tensors.
pub(super) fn smallest_budgets(graph: &Graph, options: &Options) -> Option<[u64; 2]> {
    if options.plan.is_some() {
        return None;
    }
    let wishes = wishes(graph, options);
    let sram = planner::smallest_sram(graph, &options.target, &wishes);
    let small =
        planner::plan(graph, &options.target, &wishes, Objective::Memory, &mut Known::default()).ok()?;
    // Where nothing has to be in memory, any budget will do.
    Some([sram, device_plan(graph, &small, 0).ok()?.total().max(1)])
}

/// What else there was, with the tiles, strategies and cuts that the options fix.
pub(super) fn alternatives(ir: &Sections, options: &Options) -> Vec<Alternatives> {
    planner::alternatives(ir, &wishes(&ir.graph, options))
}
