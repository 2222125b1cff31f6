//! Which ops become one instruction: an op that takes an epilogue, or an elementwise one, with the elementwise ops that follow.

use std::collections::{HashMap, HashSet};

use zellige_runtime::program::instr::Addressing;
use zellige_runtime::scalar::{Builder, Expr, MAX_NODES, Ref};

use crate::base::{OpId, ParamId, ValueId};
use crate::ir::{Def, Graph};
use crate::ops::Placement;

/// Most operands of an expression that several ops share.
const MAX_OPERANDS: usize = 8;

/// Most nodes of an expression that several ops share.
const MOST_SHARED_NODES: usize = MAX_NODES / 2;

/// Ops that one instruction computes.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The ops in order; the first is the instruction's, or elementwise itself.
    pub ops: Vec<OpId>,
    /// The elementwise part.
    pub tail: Option<Tail>,
    /// What the instruction writes.
    pub output: ValueId,
    /// Tensors whose tiles the instruction reads, each once.
    pub reads: Vec<ValueId>,
}

/// The elementwise part of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// Its expression. Where the first op is not elementwise, input 0 is that op's value and the operands follow.
    pub expr: Expr,
    /// What it reads.
    pub operands: Vec<TailOperand>,
}

/// An operand of a fused expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TailOperand {
    /// A tensor.
    Value(ValueId),
    /// A parameter with one value a channel.
    Param(ParamId),
    /// A constant with one value a channel.
    Constant(ValueId),
}

impl Group {
    /// Whether the first op is elementwise, so that the whole group is its tail.
    pub fn is_elementwise(&self, graph: &Graph) -> bool {
        graph.ops[self.ops[0]].op.expression().is_some()
    }

    /// The tensor of device memory that the instruction loads, if that is what it does.
    pub fn loads(&self, graph: &Graph) -> Option<ValueId> {
        let first = self.ops[0];
        addressing(graph, first).and_then(|_| graph.ops[first].inputs.first().copied())
    }

    /// Of ops with the elementwise part that they have together.
    fn new(graph: &Graph, ops: Vec<OpId>, tail: Option<Tail>, output: ValueId) -> Self {
        let mut group = Self { ops, tail, output, reads: Vec::new() };
        if group.loads(graph).is_some() {
            return group;
        }
        let first = if group.is_elementwise(graph) { &[][..] } else { &graph.ops[group.ops[0]].inputs };
        let operands = group.tail.iter().flat_map(|t| &t.operands).filter_map(|o| match o {
            TailOperand::Value(value) => Some(*value),
            TailOperand::Param(_) | TailOperand::Constant(_) => None,
        });
        let mut seen = HashSet::new();
        group.reads = first.iter().copied().chain(operands).filter(|&v| seen.insert(v)).collect();
        group
    }
}

/// Whether an op reads a constant as part of its expression: a number, or one number a channel.
pub fn is_inlined(graph: &Graph, value: ValueId, op: OpId) -> bool {
    let node = &graph.ops[op];
    let (shape, output) = (&graph.values[value].ty.shape, &graph.values[node.output].ty.shape);
    let one = |d: &crate::base::Dim| d.constant() == Some(1);
    matches!(graph.values[value].def, Def::Constant(_))
        && node.op.expression().is_some()
        && one(&shape.n)
        && one(&shape.h)
        && one(&shape.w)
        && (one(&shape.c) || shape.c == output.c)
}

/// The groups of some ops that stand in topological order. Their order is topological again.
pub fn groups(graph: &Graph, ops: &[OpId]) -> Vec<Group> {
    let members: HashSet<OpId> = ops.iter().copied().collect();
    let consumers = graph.consumers();
    let private = |value: ValueId| {
        let readers = consumers.get(&value).map_or(&[][..], Vec::as_slice);
        readers.len() == 1 && members.contains(&readers[0]) && !graph.is_output(value)
    };
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of: HashMap<ValueId, usize> = HashMap::new();
    for &op in ops {
        let node = &graph.ops[op];
        let host =
            if node.op.expression().is_some() { host(graph, op, &groups, &group_of, private) } else { None };
        let extended = host.and_then(|at| extend(graph, &groups[at], op).map(|group| (at, group)));
        if let Some((at, group)) = extended {
            // The group now runs where its last op stood: after everything that its tail reads.
            groups.remove(at);
            for index in group_of.values_mut().filter(|i| **i > at) {
                *index -= 1;
            }
            groups.push(group);
        } else {
            groups.push(Group::new(graph, vec![op], tail(graph, &[op]), node.output));
        }
        group_of.insert(node.output, groups.len() - 1);
    }
    groups
}

/// The latest group whose output only this op reads, and which an epilogue can be added to.
fn host(
    graph: &Graph,
    op: OpId,
    groups: &[Group],
    group_of: &HashMap<ValueId, usize>,
    private: impl Fn(ValueId) -> bool,
) -> Option<usize> {
    let node = &graph.ops[op];
    let same_shape = |v: ValueId| graph.values[v].ty.shape == graph.values[node.output].ty.shape;
    let fits = |&at: &usize| {
        let first = &graph.ops[groups[at].ops[0]].op;
        first.takes_epilogue() || first.expression().is_some()
    };
    let inputs = node.inputs.iter().filter(|&&v| private(v) && same_shape(v));
    inputs.filter_map(|v| group_of.get(v).copied()).filter(fits).max()
}

fn extend(graph: &Graph, group: &Group, op: OpId) -> Option<Group> {
    let ops = [group.ops.as_slice(), &[op]].concat();
    let tail = tail(graph, &ops)?;
    Some(Group::new(graph, ops, Some(tail), graph.ops[op].output))
}

/// The elementwise ops among `ops` as one expression; `None` if there are none, or it gets too large.
fn tail(graph: &Graph, ops: &[OpId]) -> Option<Tail> {
    let mut fused = Fused { builder: Builder::new(), refs: HashMap::new(), operands: Vec::new(), first: 0 };
    let mut result = None;
    for &op in ops {
        let node = &graph.ops[op];
        let value = match node.op.expression() {
            Some(expr) => {
                let inputs: Vec<Ref> = fused.inputs(graph, op);
                fused.builder.inline(&expr, &inputs)
            }
            None => {
                fused.first = 1;
                fused.builder.input(0)
            }
        };
        fused.refs.insert(node.output, value);
        result = Some(value);
    }
    let elementwise = ops.iter().filter(|&&op| graph.ops[op].op.expression().is_some()).count();
    let expr = fused.builder.finish(result?).ok()?;
    let is_small =
        fused.operands.len() <= MAX_OPERANDS && (elementwise == 1 || expr.nodes().len() <= MOST_SHARED_NODES);
    // An op by itself is an instruction, however large it is.
    (elementwise > 0 && (is_small || ops.len() == 1)).then_some(Tail { expr, operands: fused.operands })
}

/// An expression in the making.
struct Fused {
    builder: Builder,
    /// Values that the group itself computes.
    refs: HashMap<ValueId, Ref>,
    operands: Vec<TailOperand>,
    /// Number of the first operand.
    first: u32,
}

impl Fused {
    fn inputs(&mut self, graph: &Graph, op: OpId) -> Vec<Ref> {
        let node = &graph.ops[op];
        let mut inputs: Vec<Ref> = node.inputs.iter().map(|&v| self.value(graph, v, op)).collect();
        inputs.extend(node.params.iter().map(|&p| self.operand(TailOperand::Param(p))));
        inputs
    }

    fn value(&mut self, graph: &Graph, value: ValueId, op: OpId) -> Ref {
        if let Some(&r) = self.refs.get(&value) {
            return r;
        }
        match &graph.values[value].def {
            Def::Constant(data) if is_inlined(graph, value, op) => match **data {
                [number] => self.builder.constant(number),
                _ => self.operand(TailOperand::Constant(value)),
            },
            _ => self.operand(TailOperand::Value(value)),
        }
    }

    fn operand(&mut self, operand: TailOperand) -> Ref {
        let at = self.operands.iter().position(|o| *o == operand).unwrap_or_else(|| {
            self.operands.push(operand);
            self.operands.len() - 1
        });
        self.builder.input(self.first + at as u32)
    }
}

/// How an op addresses its input in device memory, if it must find it there.
pub fn addressing(graph: &Graph, op: OpId) -> Option<Addressing> {
    match graph.ops[op].op.placement() {
        Placement::Boundary(addressing) => Some(addressing),
        Placement::Tile | Placement::Reduce => None,
    }
}

/// Whether an op is a reduction over space.
pub fn is_reduction(graph: &Graph, op: OpId) -> bool {
    graph.ops[op].op.placement() == Placement::Reduce
}
