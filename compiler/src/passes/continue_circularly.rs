//! `continue-circularly`: has ops compute what circular padding repeats, instead of reading it from memory.
//!
//! ```text
//! before: %p = pad %x (1, circular);   %a = conv2d %p;   %q = pad %a (1, circular);   %b = conv2d %q;
//! after:  %p = pad %x (2, circular);   %a = conv2d %p;                                %b = conv2d %a;
//! ```
//!
//! Circular padding reads pixels at the opposite border, which no tile has at hand: its input must lie whole in memory, and there is a
//! cut. But an op that does the same to every pixel of what is continued circularly gives what is continued circularly, bit for bit. So
//! the padding of an op's output moves to its inputs, up to where an op is of another kind; all between can be one section.
//!
//! Each op then computes a rim as wide as all windows behind it reach. That is nothing beside a large image, and the padding stays where
//! the rim would be more than a part ([`LARGEST_RIM`]) of the tensor.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zellige_grammar::Diagnostic;
use zellige_runtime::program::instr::AxisId;

use super::{Module, Options};
use crate::base::{OpId, Shape, TensorType, ValueId};
use crate::ir::{Def, Gradient, Graph, Node, Origin, Output};
use crate::ops::{Op, Placement, Requirements, Sizes, cropped, padded_circularly};

/// Rows and columns beside a tensor: top, left, bottom, right.
type Rim = [i64; 4];

/// As much of a tensor, one part in so many, its rim may add.
const LARGEST_RIM: u128 = 8;

pub(super) fn run(module: Module, options: &Options) -> Result<Module, Vec<Diagnostic>> {
    let graph = super::graph(module, "continue-circularly")?;
    // Where tiles are added up, their order at the border is not that of the pixels that it repeats.
    if options.untiled || options.gradient == Gradient::Rmw || !graph.is_bound() {
        return Ok(Module::Graph(graph));
    }
    let asked = Asked::of(&graph);
    let continued = (!asked.ops.is_empty()).then(|| Rewrite::of(&graph, &asked).graph());
    // A plan may have been kept from a run without this pass.
    let suits = |continued: &Graph| match &options.plan {
        Some(plan) => plan.is_of(continued) || !plan.is_of(&graph),
        None => true,
    };
    Ok(Module::Graph(continued.filter(suits).unwrap_or(graph)))
}

/// What ops are asked to compute beside their outputs.
#[derive(Default)]
struct Asked {
    /// The rim of each value, as far as its readers want one.
    rims: HashMap<ValueId, Rim>,
    /// Ops that compute it; other values are padded.
    ops: HashMap<OpId, Wider>,
}

/// An op that computes a rim as well.
struct Wider {
    op: Arc<dyn Op>,
    /// What it reads instead of its inputs: values with their rims.
    inputs: Vec<(ValueId, Rim)>,
}

impl Asked {
    /// Of ops that save a cut by it.
    fn of(graph: &Graph) -> Self {
        let all = Self::among(graph, |_| true);
        let padded = graph.ops.iter().filter(|(_, node)| node.op.pads_circularly().is_some());
        let mut in_memory: HashSet<ValueId> = padded.map(|(_, node)| node.inputs[0]).collect();
        in_memory.extend(&graph.inputs);
        let mut saving: HashSet<OpId> = HashSet::new();
        for id in graph.ops.ids() {
            let computed = |value| graph.producer(value).is_some_and(|op| saving.contains(&op));
            let is_had = |&(value, rim): &(ValueId, Rim)| {
                rim == Rim::default() || in_memory.contains(&value) || computed(value)
            };
            // Another tensor that has to lie in memory is no better than the output.
            if all.ops.get(&id).is_some_and(|wider| wider.inputs.iter().all(is_had)) {
                saving.insert(id);
            }
        }
        Self::among(graph, |op| saving.contains(&op))
    }

    fn among(graph: &Graph, may: impl Fn(OpId) -> bool) -> Self {
        let mut asked = Self::default();
        for (id, node) in graph.ops.iter().rev() {
            if let Some(rim) = node.op.pads_circularly() {
                asked.ask(node.inputs[0], rim);
            } else if let Some(&rim) = asked.rims.get(&node.output).filter(|_| may(id))
                && let Some(wider) = wider(graph, node, rim)
                && wider.inputs.iter().all(|&(value, rim)| asked.affords(graph, value, rim))
            {
                wider.inputs.iter().for_each(|&(value, rim)| asked.ask(value, rim));
                asked.ops.insert(id, wider);
            }
        }
        asked
    }

    fn ask(&mut self, value: ValueId, rim: Rim) {
        let asked = self.rims.entry(value).or_default();
        *asked = larger(*asked, rim);
    }

    /// Whether a value's rim remains small with another one that is asked for.
    fn affords(&self, graph: &Graph, value: ValueId, rim: Rim) -> bool {
        let rim = larger(self.rims.get(&value).copied().unwrap_or_default(), rim);
        let pixels = |rim| {
            let [_, _, h, w] = with_rim(graph, value, rim).sizes()?;
            Some(u128::from(h) * u128::from(w))
        };
        let (wide, bare) = (pixels(rim), pixels(Rim::default()));
        wide.zip(bare).is_some_and(|(wide, bare)| (wide - bare) * LARGEST_RIM <= bare)
    }

    /// The rim that a value's op computes.
    fn computed(&self, graph: &Graph, value: ValueId) -> Option<Rim> {
        let op = graph.producer(value)?;
        self.ops.contains_key(&op).then(|| self.rims[&value])
    }
}

/// The op that computes a rim beside its output, continued circularly; `None` where it does not do the same everywhere to what goes
/// on like that.
fn wider(graph: &Graph, node: &Node, rim: Rim) -> Option<Wider> {
    if node.op.placement() != Placement::Tile || node.op.depends_on_place() {
        return None;
    }
    let output = graph.sizes(node.output)?;
    let sizes: Vec<Sizes> = node.inputs.iter().map(|&v| graph.sizes(v)).collect::<Option<_>>()?;
    let source = |i: usize| source(graph, node, i, &sizes, output, rim);
    let inputs: Vec<(ValueId, Rim)> = (0..sizes.len()).map(source).collect::<Option<_>>()?;
    let wide = with_rim(graph, node.output, rim);
    let [.., h, w] = wide.sizes()?;
    let op = node.op.resized([h, w]).unwrap_or_else(|| node.op.clone());
    let shapes: Vec<Shape> = inputs.iter().map(|&(value, rim)| with_rim(graph, value, rim)).collect();
    let fits = op.infer(&shapes, &mut Requirements::default()).is_ok_and(|shape| shape == wide);
    fits.then_some(Wider { op, inputs })
}

/// What an op that computes a rim reads instead of one of its inputs.
fn source(
    graph: &Graph,
    node: &Node,
    input: usize,
    sizes: &[Sizes],
    output: Sizes,
    rim: Rim,
) -> Option<(ValueId, Rim)> {
    let value = node.inputs[input];
    if sizes[input][2..] == [1, 1] && output[2..] != [1, 1] {
        return Some((value, Rim::default()));
    }
    let (of, padding) = padding(graph, value).unwrap_or((value, Rim::default()));
    let same_period =
        graph.sizes(of)?[2..] == output[2..] && !matches!(graph.values[of].def, Def::Constant(_));
    // Windows that leave what is continued find something else there.
    let inside = AxisId::BOTH.into_iter().all(|axis| {
        let i = axis.index();
        let reach = node.op.access(input, axis, sizes).reach();
        reach.is_some_and(|reach| *reach.start() >= 0 && *reach.end() <= padding[i] + padding[2 + i])
    });
    (same_period && inside).then(|| (of, sum(padding, rim)))
}

/// What a value continues circularly, and how far.
fn padding(graph: &Graph, value: ValueId) -> Option<(ValueId, Rim)> {
    let node = &graph.ops[graph.producer(value)?];
    Some((node.inputs[0], node.op.pads_circularly()?))
}

fn larger(a: Rim, b: Rim) -> Rim {
    [0, 1, 2, 3].map(|side| a[side].max(b[side]))
}

fn sum(a: Rim, b: Rim) -> Rim {
    [0, 1, 2, 3].map(|side| a[side] + b[side])
}

/// The shape of a value and its rim.
fn with_rim(graph: &Graph, value: ValueId, [top, left, bottom, right]: Rim) -> Shape {
    let shape = &graph.values[value].ty.shape;
    Shape { h: shape.h.plus(top + bottom), w: shape.w.plus(left + right), ..shape.clone() }
}

/// The graph with rims, in the making.
struct Rewrite<'a> {
    old: &'a Graph,
    asked: &'a Asked,
    /// Values that are read as they are, or given out.
    read: HashSet<ValueId>,
    new: Graph,
    /// What stands for a value with a rim, and for the value itself with one of no width.
    values: HashMap<(ValueId, Rim), ValueId>,
}

impl<'a> Rewrite<'a> {
    fn of(old: &'a Graph, asked: &'a Asked) -> Self {
        let as_they_are = old.ops.iter().filter(|(id, _)| !asked.ops.contains_key(id));
        let inputs = as_they_are.filter(|(_, node)| node.op.pads_circularly().is_none());
        let read = inputs.flat_map(|(_, node)| node.inputs.iter().copied());
        let read = read.chain(old.outputs.iter().map(|o| o.value)).collect();
        Self { old, asked, read, new: old.without_values(), values: HashMap::new() }
    }

    fn graph(mut self) -> Graph {
        for (id, value) in self.old.values.iter() {
            let moved = match &value.def {
                Def::Input | Def::Constant(_) => self.new.add_given(value),
                Def::Op(op) => match self.op(*op, &value.name) {
                    Some(value) => value,
                    None => continue,
                },
            };
            self.values.insert((id, Rim::default()), moved);
        }
        let output = |o: &Output| Output { value: self.values[&(o.value, Rim::default())], ..o.clone() };
        self.new.outputs = self.old.outputs.iter().map(output).collect();
        self.new
    }

    /// Adds an op, and gives what stands for its output, if anybody reads that.
    fn op(&mut self, id: OpId, name: &str) -> Option<ValueId> {
        let node = &self.old.ops[id];
        let is_read = self.read.contains(&node.output);
        if let Some(wider) = self.asked.ops.get(&id) {
            let wide_name = if is_read { format!("{name}.wide") } else { name.to_owned() };
            let inputs =
                wider.inputs.iter().map(|&(v, rim)| self.with_rim(v, rim, node.origin(), None)).collect();
            let wide = self.push(&wide_name, wider.op.clone(), inputs, node);
            self.values.insert((node.output, self.asked.rims[&node.output]), wide);
            return is_read.then(|| self.with_rim(node.output, Rim::default(), node.origin(), Some(name)));
        }
        if let Some(rim) = node.op.pads_circularly() {
            return is_read.then(|| self.with_rim(node.inputs[0], rim, node.origin(), Some(name)));
        }
        let inputs = node.inputs.iter().map(|v| self.values[&(*v, Rim::default())]).collect();
        Some(self.push(name, node.op.clone(), inputs, node))
    }

    /// A value with a rim: a part of what its op computes, or what pads it.
    fn with_rim(&mut self, value: ValueId, rim: Rim, origin: Origin, name: Option<&str>) -> ValueId {
        if let Some(&found) = self.values.get(&(value, rim)) {
            return found;
        }
        let (op, from) = match self.asked.computed(self.old, value) {
            Some(wide) => (cropped([0, 1, 2, 3].map(|side| wide[side] - rim[side])), wide),
            None => (padded_circularly(rim), Rim::default()),
        };
        let named = || format!("{}.wide", self.old.values[value].name);
        let name = name.map_or_else(named, str::to_owned);
        let from = self.values[&(value, from)];
        let shape = op.infer(&self.new.shapes(&[from]), &mut Requirements::default());
        let shape = shape.expect("a rim is no wider than the tensor, and part of what is computed");
        let made = self.new.push_op(&name, op, vec![from], Vec::new(), TensorType::f32(shape), origin);
        self.values.insert((value, rim), made);
        made
    }

    fn push(&mut self, name: &str, op: Arc<dyn Op>, inputs: Vec<ValueId>, node: &Node) -> ValueId {
        let shape = op.infer(&self.new.shapes(&inputs), &mut Requirements::default());
        let shape = shape.expect("an op that does the same everywhere takes more of its inputs");
        self.new.push_op(name, op, inputs, node.params.clone(), TensorType::f32(shape), node.origin())
    }
}
