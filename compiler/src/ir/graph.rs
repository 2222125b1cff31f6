//! The graph level: ops over values in SSA form.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use zellige_grammar::Span;
use zellige_runtime::program::instr::AxisId;

use super::computations::Computations;
use super::names::Names;
use crate::base::{Arena, Bindings, Dim, Id, OpId, ParamId, Shape, TensorType, ValueId};
use crate::ops::{Formula, Op, Placement, Requirement, Requirements, ShapeError, Sizes};

/// A network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Name of the model.
    pub name: String,
    /// File that the parameters come from, beside the model.
    pub weights: Option<String>,
    /// Tensors: inputs, constants and outputs of ops, each defined before it is used.
    pub values: Arena<ValueId, Value>,
    /// Operations in topological order.
    pub ops: Arena<OpId, Node>,
    /// Parameters.
    pub params: Arena<ParamId, Param>,
    /// Inputs in the order of their declaration.
    pub inputs: Vec<ValueId>,
    /// Outputs in the order of their declaration.
    pub outputs: Vec<Output>,
    /// Quotients in declared types that must be whole.
    pub exact: Vec<Exact>,
    /// Where the declarations were written.
    pub spans: Box<Spans>,
    /// Index of the values' names, kept by the graph itself.
    pub names: Box<Names>,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Its name, unique in the graph.
    pub name: String,
    /// Its type; the element type matters at inputs only.
    pub ty: TensorType,
    /// Where it comes from.
    pub def: Def,
}

/// Where a tensor comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Def {
    /// The caller.
    Input,
    /// The model text; planar values.
    Constant(Arc<[f32]>),
    /// An op.
    Op(OpId),
}

/// An operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Arc<dyn Op>,
    /// Tensors read.
    pub inputs: Vec<ValueId>,
    /// Parameters read.
    pub params: Vec<ParamId>,
    /// Tensor defined.
    pub output: ValueId,
    /// Where it was written.
    pub span: Span,
    /// Which pass through the network it is part of.
    pub direction: Direction,
}

/// Equality does not look at spans.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        *self.op == *other.op
            && self.inputs == other.inputs
            && self.params == other.params
            && self.output == other.output
            && self.direction == other.direction
    }
}

impl Node {
    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        Origin { span: self.span, direction: self.direction }
    }
}

/// A pass through the network. Ops of the forward pass stand before those of the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From inputs to outputs and the loss.
    #[default]
    Forward,
    /// From the loss to the gradients, with what is computed again for them.
    Backward,
}

/// Where an op comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// Where it was written.
    pub span: Span,
    /// Which pass through the network it is part of.
    pub direction: Direction,
}

/// The text of a model asks for the forward pass.
impl From<Span> for Origin {
    fn from(span: Span) -> Self {
        Self { span, direction: Direction::Forward }
    }
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its path, unique in the graph.
    pub name: String,
    /// Its shape.
    pub dims: Vec<u64>,
    /// What it follows from; others are stored, and given with the weights.
    pub derived: Option<Derived>,
}

/// What a parameter that is not stored follows from.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    /// How.
    pub formula: Formula,
    /// Stored parameters, defined before it.
    pub sources: Vec<ParamId>,
}

impl Param {
    /// One that is stored.
    pub fn stored(name: impl Into<String>, dims: Vec<u64>) -> Self {
        Self { name: name.into(), dims, derived: None }
    }
}

/// An output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What is given out.
    pub value: ValueId,
    /// Its declared type.
    pub ty: TensorType,
}

/// A declared quotient that must be whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Exact {
    /// What is divided.
    pub dividend: Dim,
    /// By what.
    pub divisor: i64,
}

/// Where the declarations of a graph were written, as far as that is known. It plays no part in comparing graphs.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    /// Of inputs.
    pub inputs: HashMap<ValueId, Span>,
    /// Of outputs, by their names.
    pub outputs: HashMap<String, Span>,
    /// Of quotients, in the order of [`Graph::exact`].
    pub exact: Vec<Span>,
}

impl PartialEq for Spans {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Why an op cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Its inputs do not fit.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A parameter of that path is there already.
    #[error("parameter `{0}` occurs twice")]
    Duplicate(String),
}

impl Graph {
    /// A graph with the same name, parameters and quotients, and no values yet: what passes begin to rebuild a graph with.
    pub fn without_values(&self) -> Self {
        Self {
            name: self.name.clone(),
            weights: self.weights.clone(),
            params: self.params.clone(),
            exact: self.exact.clone(),
            ..Self::default()
        }
    }

    /// Adds an input.
    pub fn add_input(&mut self, name: &str, ty: TensorType) -> ValueId {
        let id = self.define(name, ty, Def::Input);
        self.inputs.push(id);
        id
    }

    /// Adds an input or a constant like one of another graph.
    pub fn add_given(&mut self, value: &Value) -> ValueId {
        let id = self.define(&value.name, value.ty.clone(), value.def.clone());
        if value.def == Def::Input {
            self.inputs.push(id);
        }
        id
    }

    /// Adds a constant; `data` is planar and as long as the shape says.
    pub fn add_constant(&mut self, name: &str, shape: Shape, data: Vec<f32>) -> ValueId {
        self.define(name, TensorType::f32(shape), Def::Constant(data.into()))
    }

    /// Adds an op whose parameters are called `path.suffix`; its output gets the name `name`, or one like it.
    pub fn add_op(
        &mut self,
        name: &str,
        op: Arc<dyn Op>,
        inputs: Vec<ValueId>,
        path: &str,
        span: Span,
    ) -> Result<ValueId, GraphError> {
        let shapes = self.shapes(&inputs);
        let shape = op.infer(&shapes, &mut Requirements::default())?;
        let specs = op.params(&shapes)?;
        let names: Vec<_> = specs.iter().map(|s| format!("{path}.{}", s.suffix)).collect();
        if let Some(name) = names.iter().find(|n| self.params.iter().any(|(_, p)| p.name == **n)) {
            return Err(GraphError::Duplicate(name.clone()));
        }
        let params = names.into_iter().zip(specs);
        let params = params.map(|(name, spec)| self.params.push(Param::stored(name, spec.dims))).collect();
        Ok(self.push_op(name, op, inputs, params, TensorType::f32(shape), span.into()))
    }

    /// Gives a value another name, which nothing has.
    pub fn rename(&mut self, value: ValueId, name: &str) {
        self.values[value].name = name.to_owned();
        self.names.take(name);
    }

    /// Adds an op as it is; what it is given has been checked, or [`super::verify`] will.
    pub fn push_op(
        &mut self,
        name: &str,
        op: Arc<dyn Op>,
        inputs: Vec<ValueId>,
        params: Vec<ParamId>,
        ty: TensorType,
        origin: Origin,
    ) -> ValueId {
        let Origin { span, direction } = origin;
        let id = OpId::from_index(self.ops.len());
        let output = self.define(name, ty, Def::Op(id));
        self.ops.push(Node { op, inputs, params, output, span, direction });
        output
    }

    fn define(&mut self, name: &str, ty: TensorType, def: Def) -> ValueId {
        let name = self.names.free(name, &self.values);
        self.values.push(Value { name, ty, def })
    }

    /// Shapes of some values.
    pub fn shapes(&self, values: &[ValueId]) -> Vec<Shape> {
        values.iter().map(|&v| self.values[v].ty.shape.clone()).collect()
    }

    /// Sizes of a value whose symbols are all bound.
    pub fn sizes(&self, value: ValueId) -> Option<Sizes> {
        self.values[value].ty.shape.sizes()
    }

    /// How many images an op goes over: those of its output, or of what it reduces.
    pub fn images(&self, op: OpId) -> &Dim {
        let node = &self.ops[op];
        let over = match node.op.placement() {
            Placement::Reduce => node.inputs.last().copied().unwrap_or(node.output),
            Placement::Tile | Placement::Boundary(_) => node.output,
        };
        &self.values[over].ty.shape.n
    }

    /// The op that defines a value.
    pub fn producer(&self, value: ValueId) -> Option<OpId> {
        match self.values[value].def {
            Def::Op(op) => Some(op),
            Def::Input | Def::Constant(_) => None,
        }
    }

    /// Takes a parameter of another graph over, with what it follows from; `taken` has those that were.
    pub fn take_param(
        &mut self,
        from: &Self,
        param: ParamId,
        taken: &mut HashMap<ParamId, ParamId>,
    ) -> ParamId {
        if let Some(&id) = taken.get(&param) {
            return id;
        }
        let mut copy = from.params[param].clone();
        if let Some(derived) = &mut copy.derived {
            for source in &mut derived.sources {
                *source = self.take_param(from, *source, taken);
            }
        }
        let id = self.params.push(copy);
        taken.insert(param, id);
        id
    }

    /// For every value, the ops that read it, in order, each once.
    pub fn consumers(&self) -> HashMap<ValueId, Vec<OpId>> {
        let mut consumers: HashMap<_, Vec<OpId>> = HashMap::new();
        for (id, node) in self.ops.iter() {
            for &input in &node.inputs {
                let list = consumers.entry(input).or_default();
                if list.last() != Some(&id) {
                    list.push(id);
                }
            }
        }
        consumers
    }

    /// For each value that an op computes again, the one that was computed first.
    pub fn repeats(&self) -> HashMap<ValueId, ValueId> {
        let mut repeats: HashMap<ValueId, ValueId> = HashMap::new();
        let mut computations = Computations::default();
        for (op, node) in self.ops.iter() {
            let inputs: Vec<ValueId> = node.inputs.iter().map(|v| *repeats.get(v).unwrap_or(v)).collect();
            if let Some(twin) = computations.twin(self, op, inputs) {
                repeats.insert(node.output, self.ops[twin].output);
            }
        }
        repeats
    }

    /// Whether a value is an output of the graph.
    pub fn is_output(&self, value: ValueId) -> bool {
        self.outputs.iter().any(|o| o.value == value)
    }

    /// Which input of an op is cut into tiles where what they contribute to its output is added up in memory; `None` where that is
    /// not possible or nothing overlaps. An output of the graph is the caller's, and need not be readable.
    pub fn added_up(&self, op: OpId) -> Option<usize> {
        let node = self.ops.get(op)?;
        let input = node.op.adds_up()?;
        let sizes = node.inputs.iter().map(|&v| self.sizes(v)).collect::<Option<Vec<Sizes>>>()?;
        let overlaps = |axis: AxisId| {
            let extent = i64::try_from(sizes[input][2 + axis.index()]).unwrap_or(i64::MAX);
            node.op.access(input, axis, &sizes).overlaps(extent)
        };
        let once = node.inputs.iter().filter(|v| **v == node.inputs[input]).count() == 1;
        (once && !self.is_output(node.output) && AxisId::BOTH.into_iter().any(overlaps)).then_some(input)
    }

    /// Symbols of the inputs' types, in order of appearance.
    pub fn symbols(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for &input in &self.inputs {
            for name in self.values[input].ty.shape.dims().iter().flat_map(|d| d.symbols()) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// Where a value was written: an input's declaration, or the op.
    pub fn span_of(&self, value: ValueId) -> Option<Span> {
        match self.producer(value) {
            Some(op) => Some(self.ops[op].span),
            None => self.spans.inputs.get(&value).copied(),
        }
    }

    /// All that sizes must satisfy, with the place that asks for it.
    pub fn requirements(&self) -> Vec<(Option<Span>, Requirement)> {
        let mut all = Vec::new();
        for (i, exact) in self.exact.iter().enumerate() {
            let mut open = Requirements::default();
            let quotient = exact.dividend.floor_div(exact.divisor);
            let because =
                format!("{quotient} is a size of the model, and sizes are divided without remainder");
            if open.multiple(&exact.dividend, exact.divisor, because).is_ok() {
                all.extend(open.open.into_iter().map(|r| (self.spans.exact.get(i).copied(), r)));
            }
        }
        for (_, node) in self.ops.iter() {
            let mut open = Requirements::default();
            if node.op.infer(&self.shapes(&node.inputs), &mut open).is_ok() {
                all.extend(open.open.into_iter().map(|r| (Some(node.span), r)));
            }
        }
        for output in &self.outputs {
            let mut open = Requirements::default();
            let found = &self.values[output.value].ty.shape;
            for (declared, found) in output.ty.shape.dims().into_iter().zip(found.dims()) {
                let because = format!("output `{}` is declared {}", output.name, output.ty);
                if open.equal(declared, found, because).is_err() {
                    break;
                }
            }
            let declared = self.spans.outputs.get(&output.name).copied();
            let span = declared.or_else(|| self.span_of(output.value));
            all.extend(open.open.into_iter().map(|r| (span, r)));
        }
        all
    }

    /// The graph with symbols replaced, types inferred anew. Requirements are the caller's to check first.
    pub fn bind(&self, bindings: &Bindings) -> Result<Self, ShapeError> {
        let mut bound = self.clone();
        bound.exact.clear();
        let order: Vec<ValueId> = bound.values.ids().collect();
        for id in order {
            let shape = match bound.values[id].def {
                Def::Op(op) => {
                    let node = &mut bound.ops[op];
                    if let Some(op) = node.op.substitute(bindings) {
                        node.op = op;
                    }
                    let node = &bound.ops[op];
                    node.op.infer(&bound.shapes(&node.inputs), &mut Requirements::default())?
                }
                Def::Input | Def::Constant(_) => bound.values[id].ty.shape.substitute(bindings),
            };
            bound.values[id].ty.shape = shape;
        }
        for output in &mut bound.outputs {
            output.ty.shape = output.ty.shape.substitute(bindings);
        }
        Ok(bound)
    }

    /// Whether all sizes are known.
    pub fn is_bound(&self) -> bool {
        self.values.iter().all(|(_, v)| v.ty.shape.sizes().is_some())
    }
}
