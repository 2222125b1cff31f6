//! Random trainings: a model, a loss of its outputs, and the gradients of some of its parameters and inputs.

use zellige_compiler::base::{Shape, TensorType};
use zellige_compiler::ir::{Def, Graph, Output};
use zellige_compiler::ops::ArgValue;
use zellige_compiler::passes::{Wanted, differentiate};
use zellige_grammar::{Code, Diagnostic};

use super::{Draw, Drawn, all_names};
use crate::run::{describe, expanded};

const LOSSES: [&str; 5] = ["mse", "l1", "bce_with_logits", "dice", "cross_entropy"];

/// The gradients of a loss of the model of a seed, or of another one where there are none: a graph that computes the loss, gradients
/// of some parameters and inputs, and now and then an output of the model.
pub fn gradients(seed: u64) -> Graph {
    (0..).find_map(|attempt| drawn(seed | attempt << 40)).expect("there is no end of models")
}

/// `None` where what is wanted has no gradient, or does not matter to the loss.
fn drawn(seed: u64) -> Option<Graph> {
    let mut draw = Draw::model(seed, &all_names());
    let loss = draw.loss_of_outputs()?;
    let of_model = draw.graph.outputs.clone();
    let ty = draw.graph.values[loss.id].ty.clone();
    draw.graph.outputs.push(Output { name: "loss".to_owned(), value: loss.id, ty });
    let expanded = expanded(&draw.graph).unwrap_or_else(|d| panic!("{}", describe(&d)));
    let loss = expanded.outputs.last()?.value;
    let wanted = draw.wanted(&expanded);
    let mut graph = match differentiate(&expanded, loss, &wanted) {
        Ok(graph) => graph,
        Err(problems) if problems.iter().all(is_expected) => return None,
        Err(problems) => panic!("model of seed {seed}: {}", describe(&problems)),
    };
    for output in of_model {
        if draw.chance(30) {
            keep(&mut graph, &expanded, &output.name);
        }
    }
    Some(graph)
}

fn is_expected(problem: &Diagnostic) -> bool {
    [Code::E0708, Code::E0709].contains(&problem.code)
}

/// Makes an output of the model an output of its gradients' graph too, if it is computed there.
fn keep(graph: &mut Graph, model: &Graph, name: &str) {
    let Some(output) = model.outputs.iter().find(|output| output.name == name) else { return };
    let name_of_value = &model.values[output.value].name;
    let Some((value, kept)) = graph.values.iter().find(|(_, value)| value.name == *name_of_value) else {
        return;
    };
    let ty = TensorType::f32(kept.ty.shape.clone());
    if matches!(kept.def, Def::Op(_)) && !graph.is_output(value) {
        graph.outputs.push(Output { name: name.to_owned(), value, ty });
    }
}

impl Draw {
    /// The sum of what each output costs.
    fn loss_of_outputs(&mut self) -> Option<Drawn> {
        let outputs: Vec<_> = self.graph.outputs.iter().map(|output| output.value).collect();
        let mut sum = None;
        for id in outputs {
            let y = self.values.iter().copied().find(|value| value.id == id)?;
            let cost = self.cost(y)?;
            sum = Some(match sum {
                Some(sum) => self.op("add", &[], &[sum, cost], 1.0)?,
                None => cost,
            });
        }
        sum
    }

    /// A loss, or the sum of all values, each times a number that is an input.
    fn cost(&mut self, y: Drawn) -> Option<Drawn> {
        let sizes = self.sizes(y);
        let [n, c, h, w] = sizes.map(|size| size as i64);
        let name = format!("t{}", self.graph.inputs.len());
        let id = self.graph.add_input(&name, TensorType::f32(Shape::new(n, c, h, w)));
        let target = Drawn { id, magnitude: 1.0 };
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
