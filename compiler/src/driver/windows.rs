//! Checking a run that cannot be repeated: windows of its outputs, computed by networks for the parts of the inputs that they
//! depend on.
//!
//! Statistics over space depend on all of the image. They become outputs of the network that runs ([`Observed`]), and inputs
//! of those for windows ([`Cropped`]).

use std::collections::HashMap;

use zellige_runtime::program::Region;
use zellige_runtime::program::instr::AxisId;

use crate::analysis::crop::{self, Ranges};
use crate::analysis::fusion::is_reduction;
use crate::base::{Element, OpId, Shape, TensorType, ValueId};
use crate::ir::{Def, Graph, Node, Output};
use crate::ops::Requirements;

/// A statistic over space: where a run gives it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// Its tensor in the graph, and input of a [`Cropped`].
    pub value: String,
    /// The output of an [`Observed`].
    pub output: String,
}

/// A graph that gives out its statistics over space.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The graph: its outputs, then those that were added.
    pub graph: Graph,
    /// All of its statistics.
    pub statistics: Vec<Statistic>,
}

impl Observed {
    /// Of a graph whose ops are simple: a norm that is still to be expanded has no statistic of its own.
    pub fn of(mut graph: Graph) -> Self {
        let values: Vec<_> = graph.ops.ids().filter(|&op| is_reduction(&graph, op)).collect();
        let statistics = values.into_iter().map(|op| observe(&mut graph, op)).collect();
        Self { graph, statistics }
    }
}

/// The output that gives a statistic, which is added if there is none.
fn observe(graph: &mut Graph, op: OpId) -> Statistic {
    let value = graph.ops[op].output;
    let name = graph.values[value].name.clone();
    let given = |o: &&Output| o.value == value && o.ty.element == Element::F32;
    if let Some(output) = graph.outputs.iter().find(given) {
        return Statistic { value: name, output: output.name.clone() };
    }
    let taken = |n: &str| graph.outputs.iter().any(|o| o.name == n) || is_input(graph, n);
    let mut output = format!("statistic_{}", graph.outputs.len());
    while taken(&output) {
        output.push('_');
    }
    let ty = TensorType::f32(graph.values[value].ty.shape.clone());
    graph.outputs.push(Output { name: output.clone(), value, ty });
    Statistic { value: name, output }
}

fn is_input(graph: &Graph, name: &str) -> bool {
    graph.inputs.iter().any(|&v| graph.values[v].name == name)
}

/// A graph for a part of the inputs, whose only output has a window of one of the whole's.
#[derive(Clone, Debug)]
pub struct Cropped {
    /// The graph. Statistics over space are inputs of it, named as their tensors.
    pub graph: Graph,
    /// Which part of each input it takes; of statistics all.
    pub inputs: Vec<(String, Region)>,
    /// Which part of the output it gives: the window, and what came with it, whose values may differ.
    pub output: Region,
}

impl Cropped {
    /// For the pixels `window` of output `output`, of a bound graph of simple ops. `None` if that output is itself a statistic.
    pub fn new(graph: &Graph, output: &Output, window: Region) -> Option<Self> {
        let is_statistic = graph.producer(output.value).is_some_and(|op| is_reduction(graph, op));
        if is_statistic {
            return None;
        }
        let cut = crop::ranges(graph, output.value, window).and_then(|r| build(graph, output, &r));
        cut.or_else(|| build(graph, output, &crop::everything(graph, output.value)?))
    }
}

/// The part of a graph; `None` if an op does something else there than in the whole.
fn build(graph: &Graph, output: &Output, ranges: &Ranges) -> Option<Cropped> {
    let mut part = Part { whole: graph, ranges, graph: Graph::default(), values: HashMap::new() };
    part.graph.name.clone_from(&graph.name);
    part.graph.params = graph.params.clone();
    let ops = crop::cone(graph, output.value);
    for (id, value) in graph.values.iter().filter(|(id, _)| ranges.contains_key(id)) {
        match &value.def {
            Def::Constant(_) => {
                let constant = part.graph.add_given(value);
                part.values.insert(id, constant);
            }
            Def::Op(op) if ops.contains(op) => {}
            Def::Input | Def::Op(_) => part.add_input(id)?,
        }
    }
    for op in ops {
        part.add_op(&graph.ops[op])?;
    }
    let value = *part.values.get(&output.value)?;
    let ty = TensorType { element: output.ty.element, shape: part.shape(output.value)? };
    part.graph.outputs.push(Output { name: output.name.clone(), value, ty });
    let name = |v: &ValueId| graph.values.iter().find(|(id, _)| part.values.get(id) == Some(v));
    let inputs = part.graph.inputs.iter().map(|v| name(v).map(|(id, v)| (v.name.clone(), ranges[&id])));
    Some(Cropped {
        inputs: inputs.collect::<Option<_>>()?,
        output: *ranges.get(&output.value)?,
        graph: part.graph,
    })
}

/// A part in the making.
struct Part<'g> {
    whole: &'g Graph,
    ranges: &'g Ranges,
    graph: Graph,
    /// Values of the whole in the part.
    values: HashMap<ValueId, ValueId>,
}

impl Part<'_> {
    fn add_input(&mut self, value: ValueId) -> Option<()> {
        let ty = TensorType { shape: self.shape(value)?, ..self.whole.values[value].ty.clone() };
        let input = self.graph.add_input(&self.whole.values[value].name, ty);
        self.values.insert(value, input);
        Some(())
    }

    fn add_op(&mut self, node: &Node) -> Option<()> {
        let shape = self.shape(node.output)?;
        let [_, _, rows, columns] = shape.sizes()?;
        let op = node.op.resized([rows, columns]).unwrap_or_else(|| node.op.clone());
        let inputs = node.inputs.iter().map(|v| self.values.get(v).copied()).collect::<Option<Vec<_>>>()?;
        let inferred = op.infer(&self.graph.shapes(&inputs), &mut Requirements::default()).ok()?;
        if inferred != shape {
            return None;
        }
        let sizes_in = |graph: &Graph, values: &[ValueId]| {
            values.iter().map(|&v| graph.sizes(v)).collect::<Option<Vec<_>>>()
        };
        let (here, there) = (sizes_in(&self.graph, &inputs)?, sizes_in(self.whole, &node.inputs)?);
        let same = |(i, axis)| op.access(i, axis, &here) == node.op.access(i, axis, &there);
        if !(0..inputs.len()).flat_map(|i| AxisId::BOTH.map(|axis| (i, axis))).all(same) {
            return None;
        }
        let name = &self.whole.values[node.output].name;
        let ty = TensorType::f32(shape);
        let value = self.graph.push_op(name, op, inputs, node.params.clone(), ty, node.origin());
        self.values.insert(node.output, value);
        Some(())
    }

    /// Shape of a value's part.
    fn shape(&self, value: ValueId) -> Option<Shape> {
        let range = self.ranges.get(&value)?;
        let shape = self.whole.values[value].ty.shape.clone();
        Some(Shape { h: range.y.len().into(), w: range.x.len().into(), ..shape })
    }
}
