//! Random trainings: a model, a loss of its outputs, and the gradients of some of its parameters and inputs.

use std::collections::HashMap;

use zellige_compiler::base::{Shape, TensorType, ValueId};
use zellige_compiler::ir::{Def, Graph, Output};
use zellige_compiler::ops::ArgValue;
use zellige_compiler::passes::{Wanted, differentiate, training_step};
use zellige_grammar::{Code, Diagnostic};

use super::resized::resized;
use super::{Draw, Drawn, all_names};
use crate::run::{describe, expanded};

const LOSSES: [&str; 5] = ["mse", "l1", "bce_with_logits", "dice", "cross_entropy"];
/// Name of the loss among the outputs.
const LOSS: &str = "loss";

/// The outputs that inputs are targets of, which have their sizes.
pub(super) type Targets = HashMap<ValueId, ValueId>;

/// The gradients of a loss of the model of a seed, or of another one where there are none: a graph that computes the loss, gradients
/// of some parameters and inputs, and now and then an output of the model. Some are those of a batch, in training mode.
pub fn gradients(seed: u64) -> Graph {
    (0..).find_map(|attempt| drawn(seed | attempt << 40)).expect("there is no end of models")
}

/// `None` where what is wanted has no gradient, or does not matter to the loss.
fn drawn(seed: u64) -> Option<Graph> {
    let mut draw = Draw::model(seed, &all_names());
    let model = draw.graph.outputs.clone();
    let mut targets = Targets::new();
    let loss = draw.loss_of_outputs(&mut targets)?.id;
    let ty = draw.graph.values[loss].ty.clone();
    draw.graph.outputs.push(Output { name: LOSS.to_owned(), value: loss, ty });
    let found = if draw.chance(40) { draw.of_a_batch(&targets, loss) } else { draw.of_an_image() };
    let mut graph = match found {
        Ok(graph) => graph,
        Err(problems) if problems.iter().all(is_expected) => return None,
        Err(problems) => panic!("model of seed {seed}: {}", describe(&problems)),
    };
    for output in model {
        if draw.chance(30) {
            keep(&mut graph, &draw.graph.values[output.value].name, output.name);
        }
    }
    Some(graph)
}

fn is_expected(problem: &Diagnostic) -> bool {
    [Code::E0506, Code::E0708, Code::E0709].contains(&problem.code)
}

/// Makes a value of the model an output of its gradients' graph too, if it is computed there; in a batch that of the first image.
fn keep(graph: &mut Graph, value: &str, name: String) {
    let of_first = format!("{value}.0");
    let is_it = |found: &str| found == value || found == of_first;
    let Some((value, kept)) = graph.values.iter().find(|(_, value)| is_it(&value.name)) else { return };
    let ty = TensorType::f32(kept.ty.shape.clone());
    if matches!(kept.def, Def::Op(_)) && !graph.is_output(value) {
        graph.outputs.push(Output { name, value, ty });
    }
}

impl Draw {
    /// The gradients as the graph stands there.
    fn of_an_image(&mut self) -> Result<Graph, Vec<Diagnostic>> {
        let graph = expanded(&self.graph)?;
        let loss = graph.outputs.iter().find(|output| output.name == LOSS).expect("it is an output").value;
        let wanted = self.wanted(&graph);
        differentiate(&graph, loss, &wanted)
    }

    /// The gradients of a training step over one to three images, of unequal size where the ops take them.
    fn of_a_batch(&mut self, targets: &Targets, loss: ValueId) -> Result<Graph, Vec<Diagnostic>> {
        let mut images = vec![self.graph.clone()];
        for _ in 0..self.rng.usize(0..3) {
            let factor = 0.4 + 0.7 * self.rng.f64();
            images.push(resized(&self.graph, targets, factor).unwrap_or_else(|| self.graph.clone()));
        }
        let are_frozen = self.chance(20);
        let step = training_step(&images, loss, &|_| are_frozen)?;
        let wanted = self.wanted(&step.graph);
        step.differentiate(&wanted)
    }

    /// The sum of what each output costs.
    fn loss_of_outputs(&mut self, targets: &mut Targets) -> Option<Drawn> {
        let outputs: Vec<_> = self.graph.outputs.iter().map(|output| output.value).collect();
        let mut sum = None;
        for id in outputs {
            let mut y = self.values.iter().copied().find(|value| value.id == id)?;
            if self.chance(25) {
                // Which is another op in training.
                y = self.op("batch_norm", &[], &[y], y.magnitude)?;
            }
            let target = self.target(y, targets);
            let cost = self.cost(y, target)?;
            sum = Some(match sum {
                Some(sum) => self.op("add", &[], &[sum, cost], 1.0)?,
                None => cost,
            });
        }
        sum
    }

    /// An input of the sizes of an output.
    fn target(&mut self, y: Drawn, targets: &mut Targets) -> Drawn {
        let [n, c, h, w] = self.sizes(y).map(|size| size as i64);
        let name = format!("t{}", self.graph.inputs.len());
        let id = self.graph.add_input(&name, TensorType::f32(Shape::new(n, c, h, w)));
        targets.insert(id, y.id);
        Drawn { id, magnitude: 1.0 }
    }

    /// A loss, or the sum of all values, each times its target.
    fn cost(&mut self, y: Drawn, target: Drawn) -> Option<Drawn> {
        if self.chance(50) {
            let name = LOSSES[self.rng.usize(0..LOSSES.len())];
            return self.loss_of(name, y, target);
        }
        let product = self.op("mul", &[], &[y, target], y.magnitude)?;
        let axes = ArgValue::List([1, 2, 3].map(ArgValue::Int).to_vec());
        self.op("sum", &[("axes", axes)], &[product], 1.0)
    }

    /// All parameters or some, and mostly no inputs.
    fn wanted(&mut self, graph: &Graph) -> Wanted {
        let percent = if self.chance(60) { 100 } else { 40 };
        let params = graph.params.ids().filter(|_| self.chance(percent)).collect();
        let percent = [0, 0, 50, 100][self.rng.usize(0..4)];
        let inputs = graph.inputs.iter().copied().filter(|_| self.chance(percent)).collect();
        Wanted { params, inputs }
    }
}
