//! `differentiate`: adds to a graph the gradients of a loss, in reverse order of its ops.
//!
//! ```text
//! before: %y = conv2d %x @c.weight @c.bias;   %m = spatial_mean %y;
//! after:  %d.m = … ;   %dw = conv2d.dw %x %d.m;   %db = spatial_sum %d.m;   output loss %m;   output c.weight %dw;   output c.bias %db;
//! ```
//!
//! It comes after `canonicalize`, and in the place of `fold-batch-norm`: a batch normalisation with fixed statistics becomes an
//! elementwise op of its own parameters. The gradient ops are ordinary ones, so that the passes after it need not know of them.
//!
//! Several contributions to the gradient of one tensor or parameter are added from that of its last reader to that of its first, and for one
//! reader in the order of its inputs: `((last + …) + first)`. The gradient of a loss of several elements is that of their sum.

use std::collections::{HashMap, HashSet};

use zellige_grammar::{Code, Diagnostic, Span};

use super::canonicalize::{expand::Expansion, simplified};
use super::section_cut::unbound;
use crate::base::{OpId, ParamId, Shape, TensorType, ValueId};
use crate::ir::{Def, Direction, Graph, Node, Origin, Output};
use crate::ops::{Builder, Differentiable, Gradients, added, repeat, repeated_like};

/// What gradients are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of these parameters.
    pub params: Vec<ParamId>,
    /// Of these inputs of the graph.
    pub inputs: Vec<ValueId>,
}

/// The graph that computes a loss and its gradients, and nothing else.
///
/// Its outputs are `loss`, a gradient for each parameter that is wanted, named by its path, and for each input `d.` and its name;
/// none where the loss does not depend on it. The gradient of weights `[first, second, kh, kw]` is
/// `[first, second · kh · kw, 1, 1]`, that of a parameter with one value a channel `[1, c, 1, 1]`.
///
/// # Errors
///
/// If sizes are not known, an op that stands between has no gradient, or something is wanted and the loss depends on none of it.
pub fn differentiate(graph: &Graph, loss: ValueId, wanted: &Wanted) -> Result<Graph, Vec<Diagnostic>> {
    beside(graph, loss, wanted, &[])
}

/// As [`differentiate`], with further outputs of the graph behind.
pub(super) fn beside(
    graph: &Graph,
    loss: ValueId,
    wanted: &Wanted,
    others: &[Output],
) -> Result<Graph, Vec<Diagnostic>> {
    if !graph.is_bound() {
        return Err(vec![unbound(graph)]);
    }
    let mut reverse = Reverse::of(graph, wanted);
    reverse.seed(loss);
    let without: Vec<_> = graph.ops.ids().rev().filter_map(|op| reverse.op(op).err()).collect();
    if !without.is_empty() {
        return Err(without.into_iter().rev().collect());
    }
    let mut graph = reverse.outputs(loss, wanted);
    let is_wanted = !wanted.params.is_empty() || !wanted.inputs.is_empty();
    if is_wanted && graph.outputs.len() == 1 {
        return Err(vec![independent()]);
    }
    graph.outputs.extend_from_slice(others);
    let mut graph = simplified(&graph);
    separate_outputs(&mut graph);
    Ok(graph)
}

/// Gradients on their way from the loss to what is wanted.
struct Reverse {
    /// The graph with what was added so far.
    graph: Graph,
    /// Values that depend on what is wanted.
    dependent: HashSet<ValueId>,
    /// The gradient of each value, as far as its readers have been seen.
    values: HashMap<ValueId, ValueId>,
    params: HashMap<ParamId, ValueId>,
}

impl Reverse {
    fn of(graph: &Graph, wanted: &Wanted) -> Self {
        let mut graph = graph.clone();
        for (_, node) in graph.ops.iter_mut() {
            if let Some(op) = node.op.unfolded() {
                node.op = op;
            }
        }
        let mut dependent: HashSet<ValueId> = wanted.inputs.iter().copied().collect();
        for (_, node) in graph.ops.iter() {
            let by_params = node.params.iter().any(|p| wanted.params.contains(p));
            if by_params || node.inputs.iter().any(|v| dependent.contains(v)) {
                dependent.insert(node.output);
            }
        }
        Self { graph, dependent, values: HashMap::new(), params: HashMap::new() }
    }

    fn builder<'a>(&'a mut self, name: &'a str, span: Span) -> Expansion<'a> {
        Expansion { graph: &mut self.graph, name, origin: backward(span) }
    }

    /// The loss grows by 1 with each of its elements.
    fn seed(&mut self, loss: ValueId) {
        let name = format!("d.{}", self.graph.values[loss].name);
        let one = self.builder(&name, Span::default()).constant(Shape::new(1, 1, 1, 1), vec![1.0]);
        self.values.insert(loss, one);
    }

    /// From the gradient of an op's output to those of its inputs and parameters.
    fn op(&mut self, op: OpId) -> Result<(), Diagnostic> {
        let node = self.graph.ops[op].clone();
        let Some(&repeated) = self.values.get(&node.output).filter(|_| self.dependent.contains(&node.output))
        else {
            return Ok(());
        };
        let name = format!("d.{}", self.graph.values[node.output].name);
        let wanted: Vec<bool> = node.inputs.iter().map(|v| self.dependent.contains(v)).collect();
        let mut builder = self.builder(&name, node.span);
        let gradient = repeated_like(&mut builder, repeated, node.output);
        let at = Differentiable {
            inputs: &node.inputs,
            params: &node.params,
            output: node.output,
            gradient,
            repeated,
            wanted: &wanted,
        };
        let gradients = node.op.gradient(&mut builder, &at);
        let gradients = gradients.ok_or_else(|| self.without_gradient(&node))?;
        self.pass_on(&node, &name, &wanted, gradients);
        Ok(())
    }

    fn pass_on(&mut self, node: &Node, name: &str, wanted: &[bool], gradients: Gradients) {
        let inputs = node.inputs.iter().zip(wanted).zip(gradients.inputs);
        for (&input, gradient) in
            inputs.filter_map(|((input, wanted), g)| Some((input, g.filter(|_| *wanted)?)))
        {
            let sum = match self.values.get(&input).copied() {
                Some(sum) => added(&mut self.builder(name, node.span), sum, gradient),
                None => gradient,
            };
            self.values.insert(input, sum);
        }
        let params = node.params.iter().zip(gradients.params);
        for (&param, gradient) in params.filter_map(|(param, gradient)| Some((param, gradient?))) {
            let sum = match self.params.get(&param).copied() {
                Some(sum) => added(&mut self.builder(name, node.span), sum, gradient),
                None => gradient,
            };
            self.params.insert(param, sum);
        }
    }

    fn without_gradient(&self, node: &Node) -> Diagnostic {
        let (value, op) = (&self.graph.values[node.output].name, node.op.name());
        let message = format!("the loss depends on `{value}` through a `{op}`, which has no gradient");
        Diagnostic::error(Code::E0708, message)
            .label(node.span, "here")
            .hint("train only what comes after it, or put another op in its place")
    }

    /// The graph with its outputs, which are all that it had to give.
    fn outputs(mut self, loss: ValueId, wanted: &Wanted) -> Graph {
        let mut outputs = vec![("loss".to_owned(), loss)];
        for param in &wanted.params {
            let gradient = self.params.get(param).copied();
            outputs.extend(gradient.map(|value| (self.graph.params[*param].name.clone(), value)));
        }
        for &input in &wanted.inputs {
            let Some(&gradient) = self.values.get(&input) else { continue };
            let name = format!("d.{}", self.graph.values[input].name);
            let gradient = repeated_like(&mut self.builder(&name, Span::default()), gradient, input);
            outputs.push((name, gradient));
        }
        let output = |(name, value): (String, ValueId)| {
            let ty = TensorType::f32(self.graph.values[value].ty.shape.clone());
            Output { name, value, ty }
        };
        self.graph.outputs = outputs.into_iter().map(output).collect();
        self.graph
    }
}

/// The origin of an op that gradients take.
fn backward(span: Span) -> Origin {
    Origin { span, direction: Direction::Backward }
}

fn independent() -> Diagnostic {
    let message =
        "the loss depends on nothing of what gradients are asked of, or changes with it in steps alone";
    Diagnostic::error(Code::E0709, message).hint("train parameters that the loss depends on")
}

/// Copies what stands for several outputs, or what no op computes: each output is the result of an op, and of no other output.
fn separate_outputs(graph: &mut Graph) {
    let mut seen = HashSet::new();
    for i in 0..graph.outputs.len() {
        let Output { name, value, .. } = graph.outputs[i].clone();
        if !matches!(graph.values[value].def, Def::Op(_)) || !seen.insert(value) {
            let mut builder = Expansion { graph, name: &name, origin: backward(Span::default()) };
            let copy = repeat(&mut builder, value, value);
            seen.insert(copy);
            graph.outputs[i].value = copy;
        }
    }
}

#[cfg(test)]
mod tests;
