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
//! Where the planner cuts a graph that goes backward as well, it asks for the same at its cuts ([`at_cuts`]): what the backward
//! pass reads of an earlier section can be computed again from what is at that section's boundary, and the planner takes whichever
//! of the two plans is modelled to be faster. What is stored for the forward pass in any case is computed again where it lies in a file,
//! from which it takes longer to load.

mod weighing;

use std::collections::{BTreeSet, HashMap, HashSet};

use zellige_grammar::Diagnostic;

use super::canonicalize::without_dead_ops;
use super::{Module, Options, section_cut};
use crate::analysis::stages::Stages;
use crate::base::{OpId, ValueId};
use crate::ir::{Def, Direction, Graph, Materialize, Node, Origin, Output, Target};
use crate::ops::Placement;

/// Smaller tensors are kept, unless it is asked for: they cost nothing.
const SMALL_BYTES: u64 = 1 << 16;

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
    /// What has been, with the stage that does.
    repeated: HashSet<(ValueId, usize)>,
    consumers: HashMap<ValueId, Vec<OpId>>,
    /// Whether boundary tensors have to go to files.
    spills: bool,
    /// Tensors that are in device memory after their stage.
    kept: HashSet<ValueId>,
    new: Graph,
    values: HashMap<ValueId, ValueId>,
    /// What stands for a value, the first of those that are the same, in a later stage.
    again: HashMap<(ValueId, usize), ValueId>,
}

impl<'a> Rewrite<'a> {
    fn of(old: &'a Graph, options: &'a Options, stages: Stages, at: At) -> Self {
        let new = old.without_values();
        let repeats = old.repeats();
        let repeated = old.ops.iter().filter_map(|(op, node)| {
            let first = repeats.get(&node.output)?;
            Some((*first, stages.of_op(op)))
        });
        let repeated = repeated.collect();
        let mut rewrite = Self {
            old,
            target: &options.target,
            wish: options.materialize,
            at,
            stages,
            repeated,
            repeats,
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
                Def::Input | Def::Constant(_) => self.new.add_given(value),
                Def::Op(op) => self.op(*op, &value.name),
            };
            self.values.insert(id, moved);
        }
        let output = |o: &Output| Output { value: self.values[&o.value], ..o.clone() };
        self.new.outputs = self.old.outputs.iter().map(output).collect();
        self.new
    }

    /// Adds an op, with what of its inputs is computed again before it; what is there already as something computed again is that.
    fn op(&mut self, op: OpId, name: &str) -> ValueId {
        let stage = self.stages.of_op(op);
        let node = &self.old.ops[op];
        if let Some(again) = self.own(node.output, stage) {
            return again;
        }
        for &input in &node.inputs {
            let is_open = self.reads_late(input, stage) && self.own(input, stage).is_none();
            if is_open && self.is_asked(node, input) {
                match self.cheaper_again(input, stage) {
                    Some(ops) => ops.into_iter().for_each(|op| self.add_again(op, stage, node.direction)),
                    None => {
                        self.kept.insert(input);
                    }
                }
            }
        }
        let value = self.push(node, name, stage, node.direction);
        if let Some(&first) = self.repeats.get(&node.output) {
            self.again.insert((first, stage), value);
        }
        value
    }

    fn push(&mut self, node: &Node, name: &str, stage: usize, direction: Direction) -> ValueId {
        let stands = |v: &ValueId| self.own(*v, stage).unwrap_or_else(|| self.values[v]);
        let inputs = node.inputs.iter().map(stands).collect();
        let ty = self.old.values[node.output].ty.clone();
        let origin = Origin { direction, ..node.origin() };
        self.new.push_op(name, node.op.clone(), inputs, node.params.clone(), ty, origin)
    }

    /// Adds an op once more, for one of the given direction.
    fn add_again(&mut self, op: OpId, stage: usize, direction: Direction) {
        let node = &self.old.ops[op];
        let first = self.first(node.output);
        let name = format!("{}.again", self.old.values[first].name);
        let value = self.push(node, &name, stage, direction);
        self.again.insert((first, stage), value);
    }

    /// Whether a value read in a stage is made in an earlier one.
    fn reads_late(&self, value: ValueId, stage: usize) -> bool {
        self.old.producer(value).is_some_and(|maker| self.stages.of_op(maker) < stage)
    }

    /// Whether an op may have an input computed again.
    fn is_asked(&self, node: &Node, input: ValueId) -> bool {
        let direction = |value| self.old.producer(value).map(|op| self.old.ops[op].direction);
        !reads_whole(node)
            && (self.at == At::ForcedCuts
                || (node.direction == Direction::Backward
                    && direction(self.first(input)) == Some(Direction::Forward)))
    }

    /// The value that a value has been computed again from, or itself.
    fn first(&self, value: ValueId) -> ValueId {
        *self.repeats.get(&value).unwrap_or(&value)
    }

    /// What a stage has computed again for a value.
    fn own(&self, value: ValueId, stage: usize) -> Option<ValueId> {
        self.again.get(&(self.first(value), stage)).copied()
    }

    /// Whether a value is read in a later stage than the one that makes it.
    fn crosses(&self, value: ValueId) -> bool {
        let readers = self.consumers.get(&value).map_or(&[][..], Vec::as_slice);
        readers.iter().any(|&reader| self.reads_late(value, self.stages.of_op(reader)))
    }

    /// Whether nothing says yet where a stage has a value from.
    fn is_open(&self, value: ValueId, stage: usize) -> bool {
        !self.is_there(value) && self.own(value, stage).is_none()
    }

    /// Whether a value is in device memory in any case.
    fn is_there(&self, value: ValueId) -> bool {
        let Some(maker) = self.old.producer(value) else { return true };
        let readers = self.consumers.get(&value).map_or(&[][..], Vec::as_slice);
        self.kept.contains(&value)
            || self.old.is_output(value)
            || self.is_little(value, maker)
            || readers.iter().any(|op| reads_whole(&self.old.ops[*op]))
            || (self.at == At::ChosenCuts && self.is_handed_on(value, maker))
    }

    /// Whether a value is kept without a thought: what a reduction gives, and what is small.
    fn is_little(&self, value: ValueId, maker: OpId) -> bool {
        self.old.ops[maker].op.placement() == Placement::Reduce
            || (self.wish.is_none() && self.bytes(value) <= SMALL_BYTES)
    }

    /// Whether the forward pass reads a value in a later stage than the one that makes it.
    fn is_handed_on(&self, value: ValueId, maker: OpId) -> bool {
        let stage = self.stages.of_op(maker);
        let mut readers = self.consumers.get(&value).into_iter().flatten();
        readers.any(|&op| self.old.ops[op].direction == Direction::Forward && self.stages.of_op(op) > stage)
    }

    /// The ops that compute a value again in a stage, from what is there.
    fn ops_again(&self, value: ValueId, stage: usize) -> Vec<OpId> {
        let mut ops = BTreeSet::new();
        let mut stack = vec![value];
        while let Some(next) = stack.pop() {
            if let Some(op) = self.old.producer(next)
                && (next == value || self.is_open(next, stage))
                && ops.insert(op)
            {
                stack.extend(&self.old.ops[op].inputs);
            }
        }
        ops.into_iter().collect()
    }

    fn bytes(&self, value: ValueId) -> u64 {
        let sizes = self.old.sizes(value).unwrap_or([0; 4]);
        sizes.iter().fold(4, |bytes: u64, &size| bytes.saturating_mul(size))
    }
}

/// Whether an op must find its input whole in device memory.
fn reads_whole(node: &Node) -> bool {
    matches!(node.op.placement(), Placement::Boundary(_))
}
