//! Training steps on batches with what PyTorch computes for them: `tests/data/training/batches.json`, made by
//! `tests/python/batches.py`.

use serde::Deserialize;
use zellige_compiler::base::Bindings;
use zellige_compiler::front::{Training, bind, lower_training};
use zellige_compiler::ir::Graph;
use zellige_compiler::ops::Sizes;
use zellige_compiler::passes::{TrainingStep, Wanted, training_step};
use zellige_grammar::{has_errors, parse_model};
use zellige_runtime::io::Array;
use zellige_runtime::optimizer::running_average;
use zellige_runtime::program::Dims;

use crate::op_cases::{Drawn, Expected, GRADIENT_TOLERANCE};
use crate::parameters::Parameter;
use crate::run::{Arrays, describe};

/// A step of a training, and what it gives.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchCase {
    /// The text of model and training.
    pub model: String,
    inputs: Vec<Drawn>,
    parameters: Vec<Drawn>,
    /// First parts of the paths of what is frozen.
    frozen: Vec<String>,
    outputs: Vec<Named>,
    /// Running statistics after the step.
    running: Vec<Named>,
}

#[derive(Clone, Debug, Deserialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    expected: Expected,
}

/// All cases.
pub fn cases() -> Vec<BatchCase> {
    serde_json::from_str(include_str!("../data/training/batches.json")).expect("it is made by the script")
}

/// The training of a text.
pub fn training(text: &str) -> Result<Training, String> {
    let (file, mut problems) = parse_model(text);
    let training = file.and_then(|file| {
        let (training, more) = lower_training(&file);
        problems.extend(more);
        training
    });
    training.filter(|_| !has_errors(&problems)).ok_or_else(|| describe(&problems))
}

/// The step of a training for images of these sizes.
pub fn step(
    training: &Training,
    sizes: &[Sizes],
    frozen: &dyn Fn(&str) -> bool,
) -> Result<TrainingStep, String> {
    let image = &training.graph.values[training.graph.inputs[0]].name;
    let bound = |sizes: &Sizes| {
        let graph = bind(&training.graph, &[(image.clone(), *sizes)], &Bindings::default());
        graph.map(|(graph, _)| graph).map_err(|d| describe(&d))
    };
    let images: Vec<Graph> = sizes.iter().map(bound).collect::<Result<_, _>>()?;
    training_step(&images, training.loss, frozen).map_err(|d| describe(&d))
}

/// The gradients of a step by all that can have one, random bits apart.
pub fn differentiated(step: &TrainingStep, frozen: &dyn Fn(&str) -> bool) -> Result<Graph, String> {
    let graph = &step.graph;
    let params = graph.params.iter().filter(|(_, p)| !frozen(&p.name)).map(|(id, _)| id).collect();
    let inputs =
        graph.inputs.iter().copied().filter(|&v| graph.values[v].name.starts_with("image")).collect();
    step.differentiate(&Wanted { params, inputs }).map_err(|d| describe(&d))
}

impl BatchCase {
    /// The step, and the graph of its gradients.
    pub fn step(&self) -> Result<(TrainingStep, Graph), String> {
        let frozen = |path: &str| self.frozen.iter().any(|name| path.split('.').next() == Some(name));
        let images = self.inputs.iter().filter(|input| input.name.starts_with("image"));
        let sizes: Vec<Sizes> =
            images.map(|input| input.shape.clone().try_into().expect("an image has four sizes")).collect();
        let step = step(&training(&self.model)?, &sizes, &frozen)?;
        let graph = differentiated(&step, &frozen)?;
        Ok((step, graph))
    }

    /// The inputs of case `number`.
    pub fn inputs(&self, number: usize) -> Arrays {
        let array = |drawn: &Drawn| {
            let [n, c, h, w] = drawn.shape[..] else { panic!("an input has four dimensions") };
            let data = drawn.values(&format!("batch/{number}/{}", drawn.name));
            (drawn.name.clone(), Array { dims: Dims { n, c, h, w }, data })
        };
        self.inputs.iter().map(array).collect()
    }

    /// The parameters of case `number`.
    pub fn parameters(&self, number: usize) -> Vec<Parameter> {
        let parameter = |drawn: &Drawn| Parameter {
            name: drawn.name.clone(),
            dims: drawn.shape.clone(),
            values: drawn.values(&format!("batch/{number}/{}", drawn.name)),
        };
        self.parameters.iter().map(parameter).collect()
    }

    /// Whether loss, gradients and running statistics of case `number` are those that are expected.
    pub fn compare(&self, number: usize, step: &TrainingStep, found: &Arrays) -> Result<(), String> {
        let output = |name: &str| {
            let output = found.iter().find(|(found, _)| found == name).map(|(_, array)| array);
            output.ok_or_else(|| format!("there is no output `{name}`"))
        };
        for Named { name, expected } in &self.outputs {
            let compared = expected.compare(output(name)?, GRADIENT_TOLERANCE);
            compared.map_err(|e| format!("`{name}`: {e}"))?;
        }
        let averages: Vec<&str> = step.averages.iter().map(|average| average.param.as_str()).collect();
        if averages != self.running.iter().map(|running| running.name.as_str()).collect::<Vec<_>>() {
            return Err(format!("running averages are {averages:?}"));
        }
        for (average, Named { name, expected }) in step.averages.iter().zip(&self.running) {
            let found = output(&average.output)?;
            let parameters = self.parameters(number);
            let mut running =
                parameters.into_iter().find(|p| p.name == *name).ok_or("there is no such parameter")?.values;
            running_average(&mut running, &found.data, average.momentum);
            let running = Array { dims: found.dims, data: running };
            let compared = expected.compare(&running, GRADIENT_TOLERANCE);
            compared.map_err(|e| format!("`{name}` after the step: {e}"))?;
        }
        Ok(())
    }
}
