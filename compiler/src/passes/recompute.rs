//! `recompute`: decides of each tensor that is needed on both sides of a forced cut whether it is kept in device memory or
//! computed again behind the cut.
//!
//! ```text
//! before: %a = conv2d %x;   %m = global_avg_pool %a;   %y = mul %a %m;
//! after:  %a = conv2d %x;   %m = global_avg_pool %a;   %a.again = conv2d %x;   %y = mul %a.again %m;
//! ```
//!
//! A statistic over space is complete when its section ends; what it is applied to has passed by then. Keeping that tensor costs
//! the time to store and load it, and memory; computing it again costs the arithmetic from the nearest tensors on that are there in any
//! case. Whichever is modelled to take less time is taken. Values computed again have the same bits, so no output changes.
//!
//! Where the planner cuts a graph that goes backward as well, it asks for the same at its cuts ([`at_cuts`]): what only the backward
//! pass reads of an earlier section can be computed again from what is at that section's boundary, and the planner takes whichever
//! of the two plans is modelled to be faster.

use std::collections::{HashMap, HashSet};

use zellige_grammar::Diagnostic;

use super::canonicalize::without_dead_ops;
use super::{Module, Options, section_cut};
use crate::analysis::cost::{self, HALO};
use crate::analysis::stages::Stages;
use crate::analysis::work::op_flops;
use crate::base::{OpId, ValueId};
use crate::ir::{Def, Direction, Graph, Materialize, Node, Origin, Output, Target};
use crate::ops::Placement;

/// Smaller tensors are kept, unless it is asked for: they cost nothing.
const SMALL_BYTES: u64 = 1 << 16;
/// Recomputing must be so many times as fast: the rest of the section takes SRAM and time for it as well.
const MARGIN: f64 = 1.5;

pub(super) fn run(module: Module, options: &Options) -> Result<Module, Vec<Diagnostic>> {
    let graph = super::graph(module, "recompute")?;
    let may_recompute = matches!(options.materialize, None | Some(Materialize::Recompute));
    if options.untiled || options.plan.is_some() || !may_recompute || !graph.is_bound() {
        return Ok(Module::Graph(graph));
    }
    let rewritten = Rewrite::of(&graph, options, Stages::of(&graph), At::ForcedCuts).graph();
    let unchanged = rewritten.ops.len() == graph.ops.len();
    let fits = || section_cut::fits_sram(&rewritten, options);
    // What is modelled to be faster must not be what makes a plan impossible.
    let taken = !unchanged && (options.materialize.is_some() || fits());
    Ok(Module::Graph(if taken { rewritten } else { graph }))
}

/// The graph in which backward ops behind the cuts between sections of the given ops have tensors of the forward pass computed again;
/// `None` where nothing is to be.
pub(super) fn at_cuts(graph: &Graph, sections: &[&[OpId]], options: &Options) -> Option<Graph> {
    let may_recompute = matches!(options.materialize, None | Some(Materialize::Recompute));
    if options.untiled || !may_recompute || !goes_backward(graph) {
        return None;
    }
    let stages = Stages::of_sections(sections.iter().copied());
    let rewritten = Rewrite::of(graph, options, stages, At::ChosenCuts).graph();
    let is_changed = rewritten.ops.len() > graph.ops.len();
    // What was computed for the backward pass alone, or again for a reader that has its own now, is not read any more.
    is_changed.then(|| without_dead_ops(&rewritten))
}

fn goes_backward(graph: &Graph) -> bool {
    graph.ops.iter().any(|(_, node)| node.direction == Direction::Backward)
}

/// Which cuts tensors are computed again behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Those that there must be, for ops of either direction.
    ForcedCuts,
    /// Those of a plan, for ops of the backward pass, with what the forward pass hands over there anyway.
    ChosenCuts,
}

/// The graph with some tensors computed again, in the making.
struct Rewrite<'a> {
    old: &'a Graph,
    target: &'a Target,
    wish: Option<Materialize>,
    at: At,
    stages: Stages,
    /// What has been computed again in the graph already.
    repeats: HashMap<ValueId, ValueId>,
    consumers: HashMap<ValueId, Vec<OpId>>,
    /// Whether boundary tensors have to go to files.
    spills: bool,
    /// Tensors that are in device memory after their stage.
    kept: HashSet<ValueId>,
    new: Graph,
    values: HashMap<ValueId, ValueId>,
    /// What stands for a value in a later stage.
    again: HashMap<(ValueId, usize), ValueId>,
}

impl<'a> Rewrite<'a> {
    fn of(old: &'a Graph, options: &'a Options, stages: Stages, at: At) -> Self {
        let new = old.without_values();
        let mut rewrite = Self {
            old,
            target: &options.target,
            wish: options.materialize,
            at,
            stages,
            repeats: old.repeats(),
            consumers: old.consumers(),
            spills: false,
            kept: HashSet::new(),
            new,
            values: HashMap::new(),
            again: HashMap::new(),
        };
        let crossing = old.values.ids().filter(|&v| rewrite.crosses(v)).map(|v| rewrite.bytes(v));
        let borders = old.inputs.iter().copied().chain(old.outputs.iter().map(|o| o.value));
        let total = crossing.chain(borders.map(|v| rewrite.bytes(v))).fold(0, u64::saturating_add);
        rewrite.spills = total > options.target.memory;
        rewrite
    }

    fn graph(mut self) -> Graph {
        for (id, value) in self.old.values.iter() {
            let moved = match &value.def {
                Def::Input => self.new.add_input(&value.name, value.ty.clone()),
                Def::Constant(data) => {
                    self.new.add_constant(&value.name, value.ty.shape.clone(), data.to_vec())
                }
                Def::Op(op) => self.op(*op, &value.name),
            };
            self.values.insert(id, moved);
        }
        let output = |o: &Output| Output { value: self.values[&o.value], ..o.clone() };
        self.new.outputs = self.old.outputs.iter().map(output).collect();
        self.new
    }

    /// Adds an op, with what of its inputs is computed again before it.
    fn op(&mut self, op: OpId, name: &str) -> ValueId {
        let stage = self.stages.of_op(op);
        let node = &self.old.ops[op];
        for &input in &node.inputs {
            if self.reads_late(input, stage) && self.is_open(input, stage) && self.is_asked(node, input) {
                match self.cheaper_again(input, stage) {
                    Some(ops) => ops.into_iter().for_each(|op| self.add_again(op, stage, node.direction)),
                    None => {
                        self.kept.insert(input);
                    }
                }
            }
        }
        self.push(node, name, stage, node.direction)
    }

    fn push(&mut self, node: &Node, name: &str, stage: usize, direction: Direction) -> ValueId {
        let stands = |v: &ValueId| self.again.get(&(*v, stage)).unwrap_or(&self.values[v]);
        let inputs = node.inputs.iter().map(|v| *stands(v)).collect();
        let ty = self.old.values[node.output].ty.clone();
        let origin = Origin { direction, ..node.origin() };
        self.new.push_op(name, node.op.clone(), inputs, node.params.clone(), ty, origin)
    }

    /// Adds an op once more, for one of the given direction.
    fn add_again(&mut self, op: OpId, stage: usize, direction: Direction) {
        let node = &self.old.ops[op];
        let name = format!("{}.again", self.old.values[self.first(node.output)].name);
        let value = self.push(node, &name, stage, direction);
        self.again.insert((node.output, stage), value);
    }

    /// Whether a value read in a stage is made in an earlier one.
    fn reads_late(&self, value: ValueId, stage: usize) -> bool {
        self.old.producer(value).is_some_and(|maker| self.stages.of_op(maker) < stage)
    }

    /// Whether an op may have an input computed again.
    fn is_asked(&self, node: &Node, input: ValueId) -> bool {
        let direction = |value| self.old.producer(value).map(|op| self.old.ops[op].direction);
        self.at == At::ForcedCuts
            || (node.direction == Direction::Backward
                && direction(self.first(input)) == Some(Direction::Forward))
    }

    /// The value that a value has been computed again from, or itself.
    fn first(&self, value: ValueId) -> ValueId {
        *self.repeats.get(&value).unwrap_or(&value)
    }

    /// Whether a value is read in a later stage than the one that makes it.
    fn crosses(&self, value: ValueId) -> bool {
        let readers = self.consumers.get(&value).map_or(&[][..], Vec::as_slice);
        readers.iter().any(|&reader| self.reads_late(value, self.stages.of_op(reader)))
    }

    /// Whether nothing says yet where a stage has a value from.
    fn is_open(&self, value: ValueId, stage: usize) -> bool {
        !self.is_there(value) && !self.again.contains_key(&(value, stage))
    }

    /// Whether a value is in device memory in any case.
    fn is_there(&self, value: ValueId) -> bool {
        let Some(maker) = self.old.producer(value) else { return true };
        let readers = self.consumers.get(&value).map_or(&[][..], Vec::as_slice);
        let whole = |op: &OpId| matches!(self.old.ops[*op].op.placement(), Placement::Boundary(_));
        self.kept.contains(&value)
            || self.old.is_output(value)
            || self.old.ops[maker].op.placement() == Placement::Reduce
            || (self.wish.is_none() && self.bytes(value) <= SMALL_BYTES)
            || readers.iter().any(whole)
            || (self.at == At::ChosenCuts && self.is_handed_on(value, maker))
    }

    /// Whether the forward pass reads a value in a later stage than the one that makes it.
    fn is_handed_on(&self, value: ValueId, maker: OpId) -> bool {
        let stage = self.stages.of_op(maker);
        let mut readers = self.consumers.get(&value).into_iter().flatten();
        readers.any(|&op| self.old.ops[op].direction == Direction::Forward && self.stages.of_op(op) > stage)
    }

    /// The ops that compute a value again, in order, if that is what is wanted or modelled to be cheaper.
    fn cheaper_again(&self, value: ValueId, stage: usize) -> Option<Vec<OpId>> {
        let ops = self.ops_again(value, stage);
        if self.wish == Some(Materialize::Recompute) {
            return Some(ops);
        }
        let flops: f64 = ops.iter().map(|&op| op_flops(self.old, op) * self.pixels(op)).sum();
        let (machine, threads) = (&self.target.machine, self.target.threads);
        let again = HALO * cost::arithmetic_seconds(machine, threads, flops);
        let kept = cost::kept_seconds(machine, threads, self.bytes(value) as f64, self.spills);
        (again * MARGIN < kept).then_some(ops)
    }

    /// The ops that compute a value again in a stage, from what is there.
    fn ops_again(&self, value: ValueId, stage: usize) -> Vec<OpId> {
        let mut ops = Vec::new();
        let mut stack = vec![value];
        while let Some(value) = stack.pop() {
            if let Some(op) = self.old.producer(value).filter(|op| !ops.contains(op))
                && self.is_open(value, stage)
            {
                ops.push(op);
                stack.extend(&self.old.ops[op].inputs);
            }
        }
        ops.sort_unstable();
        ops
    }

    fn pixels(&self, op: OpId) -> f64 {
        let [n, _, h, w] = self.old.sizes(self.old.ops[op].output).unwrap_or([0; 4]);
        n as f64 * h as f64 * w as f64
    }

    fn bytes(&self, value: ValueId) -> u64 {
        let sizes = self.old.sizes(value).unwrap_or([0; 4]);
        sizes.iter().fold(4, |bytes: u64, &size| bytes.saturating_mul(size))
    }
}
