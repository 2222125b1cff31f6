//! The graph of a training step: a network in training mode, for a batch of images that may differ in size.
//!
//! ```text
//! before: %y = batch_norm %x @n.weight …;   %l = mse %y %target;                          for each size of image
//! after:  %y.0, %y.1 = … %x.0, %x.1;   %l.0 = mse %y.0 %target.0;   %l.1 = mse %y.1 %target.1;
//!         output loss (%l.0 + %l.1) / 2;   output n.running_mean.batch …;   output n.running_var.batch …;
//! ```
//!
//! It comes before `canonicalize` and gives a canonical graph, which is differentiated next. The graph stands there once for each image,
//! with the same parameters. Ops for which training is something else are asked for it ([`Op::training`]), all images at
//! once; between them one image comes after the other. The loss is `(((l₀ + l₁) + …) + l_last) / images` in f32, that of a single image
//! as it is.

use std::collections::HashMap;
use std::sync::Arc;

use zellige_grammar::{Code, Diagnostic};

use super::canonicalize::{expand::Expansion, simplified};
use super::differentiate::{Wanted, beside};
use crate::base::{Id, OpId, ParamId, Shape, TensorType, ValueId};
use crate::ir::{Def, Graph, Node, Origin, Output};
use crate::ops::{Averaged, Builder, Op, TrainingBuilder, TrainingSite, added, divided};

/// Name of the input that random bits follow from: `f32[1, 4, 1, 1]`.
pub const RANDOM_KEY: &str = "dropout.key";

/// A network in training mode.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingStep {
    /// What it computes, in simple ops. The inputs of image k are called `NAME.k`, those of a single image `NAME`; [`RANDOM_KEY`]
    /// comes last where there is one. Its outputs are the loss, and what running averages follow.
    pub graph: Graph,
    /// The loss.
    pub loss: ValueId,
    /// Parameters that follow averages.
    pub averages: Vec<RunningAverage>,
}

/// A parameter that follows what each step finds.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningAverage {
    /// Path of the parameter, which has one value a channel.
    pub param: String,
    /// Output of the step, `[1, c, 1, 1]`: the path and `.batch`, which ends no parameter's path.
    pub output: String,
    /// Weight of what the step has found.
    pub momentum: f64,
}

impl TrainingStep {
    /// The graph that computes the loss, its gradients (see [`differentiate`](fn@super::differentiate)), and what running averages follow.
    ///
    /// # Errors
    ///
    /// If an op that stands between has no gradient.
    pub fn differentiate(&self, wanted: &Wanted) -> Result<Graph, Vec<Diagnostic>> {
        beside(&self.graph, self.loss, wanted, &self.graph.outputs[1..])
    }
}

/// The step of a training, given its graph bound to the sizes of each image of the batch, where the loss is value `loss`.
/// Parameters that `frozen` says so of are fixed: batch norms keep their running statistics.
///
/// # Errors
///
/// If sizes are not known, if there is no image, or if an op cannot be trained with such sizes.
pub fn training_step(
    images: &[Graph],
    loss: ValueId,
    frozen: &dyn Fn(&str) -> bool,
) -> Result<TrainingStep, Vec<Diagnostic>> {
    let first = check(images).map_err(|problem| vec![problem])?;
    let mut batch = Batch::of(images);
    batch.inputs(first);
    batch.constants(first);
    let trained = |op: &OpId| first.ops[*op].op.training(&frozen_params(first, *op, frozen)).is_some();
    let ops: Vec<OpId> = first.ops.ids().collect();
    for run in ops.chunk_by(|a, b| !trained(a) && !trained(b)) {
        match *run {
            [op] if trained(&op) => {
                let frozen = frozen_params(first, op, frozen);
                batch.train(op, &frozen).map_err(|problem| vec![problem])?;
            }
            _ => batch.images_in_turn(run),
        }
    }
    Ok(batch.finish(loss))
}

/// The first image's graph, if there is one step of all.
fn check(images: &[Graph]) -> Result<&Graph, Diagnostic> {
    let [first, others @ ..] = images else {
        return Err(Diagnostic::error(Code::E0506, "a batch has at least one image"));
    };
    if let Some(graph) = images.iter().find(|graph| !graph.is_bound()) {
        return Err(super::section_cut::unbound(graph));
    }
    let alike =
        |a: &Node, b: &Node| a.inputs == b.inputs && a.params == b.params && a.op.name() == b.op.name();
    let same = |other: &Graph| {
        other.values.len() == first.values.len()
            && other.ops.len() == first.ops.len()
            && other.inputs == first.inputs
            && other.params == first.params
            && other.ops.iter().zip(first.ops.iter()).all(|((_, a), (_, b))| alike(a, b))
    };
    if others.iter().all(same) {
        Ok(first)
    } else {
        Err(Diagnostic::error(Code::E0506, "the images of a batch are for different networks"))
    }
}

/// Of an op's parameters, which are frozen.
fn frozen_params(graph: &Graph, op: OpId, frozen: &dyn Fn(&str) -> bool) -> Vec<bool> {
    graph.ops[op].params.iter().map(|&param| frozen(&graph.params[param].name)).collect()
}

/// The graph of a step in the making.
struct Batch<'a> {
    images: &'a [Graph],
    graph: Graph,
    /// Of each image, where its values are.
    values: Vec<HashMap<ValueId, ValueId>>,
    random_key: Option<ValueId>,
    averages: Vec<Averaged>,
}

impl<'a> Batch<'a> {
    fn of(images: &'a [Graph]) -> Self {
        let first = images.first().cloned().unwrap_or_default();
        let graph =
            Graph { name: first.name, weights: first.weights, params: first.params, ..Graph::default() };
        let values = vec![HashMap::new(); images.len()];
        Self { images, graph, values, random_key: None, averages: Vec::new() }
    }

    /// The name of an image's value.
    fn name(&self, image: usize, value: ValueId) -> String {
        let name = &self.images[image].values[value].name;
        if self.images.len() == 1 { name.clone() } else { format!("{name}.{image}") }
    }

    /// All inputs, before anything else can take their names.
    fn inputs(&mut self, first: &Graph) {
        for image in 0..self.images.len() {
            for &input in &first.inputs {
                let (name, ty) = (self.name(image, input), self.images[image].values[input].ty.clone());
                let moved = self.graph.add_input(&name, ty);
                self.values[image].insert(input, moved);
            }
        }
    }

    /// Constants, which do not depend on the image.
    fn constants(&mut self, first: &Graph) {
        for (id, value) in first.values.iter() {
            if matches!(value.def, Def::Constant(_)) {
                let shared = self.graph.add_given(value);
                self.values.iter_mut().for_each(|values| {
                    values.insert(id, shared);
                });
            }
        }
    }

    /// Ops that are in training what they are elsewhere.
    fn images_in_turn(&mut self, ops: &[OpId]) {
        for (image, graph) in self.images.iter().enumerate() {
            for &op in ops {
                let node = &graph.ops[op];
                let name = self.name(image, node.output);
                let inputs: Vec<ValueId> = node.inputs.iter().map(|v| self.values[image][v]).collect();
                let mut expansion = Expansion { graph: &mut self.graph, name: &name, origin: node.origin() };
                let output = expansion.node(node, &inputs, &graph.values[node.output].ty);
                self.values[image].insert(node.output, output);
            }
        }
    }

    /// An op that sees all images.
    fn train(&mut self, op: OpId, frozen: &[bool]) -> Result<(), Diagnostic> {
        let node = &self.images[0].ops[op];
        let Some(training) = node.op.training(frozen) else { return Ok(()) };
        let inputs: Vec<Vec<ValueId>> =
            self.values.iter().map(|values| node.inputs.iter().map(|v| values[v]).collect()).collect();
        let before = self.graph.values.len();
        let name = &self.images[0].values[node.output].name;
        let expansion = Expansion { graph: &mut self.graph, name, origin: node.origin() };
        let mut builder = Training { expansion, random_key: &mut self.random_key };
        let at = TrainingSite { inputs: &inputs, params: &node.params, number: op.index() as u32 };
        let trained = training.train(&mut builder, &at).map_err(|error| {
            Diagnostic::error(Code::E0506, error.message).label(node.span, "here").maybe_hint(error.hint)
        })?;
        for (image, output) in trained.outputs.into_iter().enumerate() {
            if output.index() >= before {
                let name = self.name(image, node.output);
                self.graph.rename(output, &name);
            }
            self.values[image].insert(node.output, output);
        }
        self.averages.extend(trained.averages);
        Ok(())
    }

    fn finish(mut self, loss: ValueId) -> TrainingStep {
        let losses: Vec<ValueId> = self.values.iter().map(|values| values[&loss]).collect();
        let mut builder = Expansion { graph: &mut self.graph, name: "loss", origin: Origin::default() };
        let total = losses.iter().copied().reduce(|sum, loss| added(&mut builder, sum, loss)).unwrap_or(loss);
        let mean = divided(&mut builder, total, losses.len() as f64);
        let mut averages = Vec::new();
        self.output("loss", mean);
        for Averaged { param, value, momentum } in std::mem::take(&mut self.averages) {
            let param = self.graph.params[param].name.clone();
            let output = format!("{param}.batch");
            self.output(&output, value);
            averages.push(RunningAverage { param, output, momentum });
        }
        let graph = simplified(&self.graph);
        let loss = graph.outputs[0].value;
        TrainingStep { graph, loss, averages }
    }

    fn output(&mut self, name: &str, value: ValueId) {
        let ty = TensorType::f32(self.graph.values[value].ty.shape.clone());
        self.graph.outputs.push(Output { name: name.to_owned(), value, ty });
    }
}

/// What ops in training are built with.
struct Training<'a> {
    expansion: Expansion<'a>,
    random_key: &'a mut Option<ValueId>,
}

impl Builder for Training<'_> {
    fn op(&mut self, op: Arc<dyn Op>, inputs: &[ValueId], params: &[ParamId]) -> ValueId {
        self.expansion.op(op, inputs, params)
    }

    fn constant(&mut self, shape: Shape, data: Vec<f32>) -> ValueId {
        self.expansion.constant(shape, data)
    }

    fn number(&self, value: ValueId) -> Option<f32> {
        self.expansion.number(value)
    }

    fn given_to(&self, op: &(dyn Op + 'static), value: ValueId) -> Option<ValueId> {
        self.expansion.given_to(op, value)
    }

    fn shape(&self, value: ValueId) -> Shape {
        self.expansion.shape(value)
    }
}

impl TrainingBuilder for Training<'_> {
    fn random_key(&mut self) -> ValueId {
        *self.random_key.get_or_insert_with(|| {
            self.expansion.graph.add_input(RANDOM_KEY, TensorType::f32(Shape::new(1, 4, 1, 1)))
        })
    }
}

#[cfg(test)]
mod tests;
