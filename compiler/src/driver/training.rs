//! A model with its training section: from its text to programs that compute the loss and its gradients.

use std::path::Path;

use zellige_grammar::{Code, Diagnostic, SourceFile, ast, parse_model, suggest};

use super::source::{lowered, read_text};
use super::{CompileOptions, Failure, Given, Kind, Model, Parameters};
use crate::base::ValueId;
use crate::front::{self, LOSS, Training};
use crate::ir::Graph;
use crate::ops::Classes;
use crate::passes::{self, RunningAverage, Wanted};

/// A model and how it is trained.
#[derive(Clone, Debug)]
pub struct Trainee {
    /// The model, with the training's inputs and its loss.
    pub model: Model,
    /// What the training section says.
    pub training: Training,
}

/// Which gradients are asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Parameters that are left as they are, by their paths.
    pub frozen: Vec<String>,
    /// Inputs of which gradients are wanted, by their names.
    pub inputs: Vec<String>,
}

/// What a step of a training computes.
#[derive(Clone, Debug)]
pub struct Differentiated {
    /// Its outputs are the loss, gradients, and what averages follow.
    pub graph: Graph,
    /// Parameters that follow averages.
    pub averages: Vec<RunningAverage>,
}

impl Trainee {
    /// Reads a model file that has a training section.
    ///
    /// # Errors
    ///
    /// If it is not such a file.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Self::of(source(path)?, path)
    }

    /// The model in whose place a step of its training is compiled: its graphs, once they are bound, are those of the loss and its gradients.
    pub fn differentiated(self) -> Model {
        Model { differentiated: true, ..self.model }
    }

    /// Reads a model file; where it has no training section, each output is compared with a target of its shape by `mse`, and
    /// plain `sgd` follows the gradients.
    ///
    /// # Errors
    ///
    /// If it is not a model file.
    pub fn open_any(path: &Path) -> Result<Self, Failure> {
        let mut source = source(path)?;
        if let (Some(file), _) = parse_model(&source.text)
            && let (Some(model), None) = (file.models().next(), file.trains().next())
        {
            let section = mean_squared_error(model, &source.text);
            source = SourceFile::new(source.name, source.text + &section);
        }
        Self::of(source, path)
    }

    fn of(source: SourceFile, path: &Path) -> Result<Self, Failure> {
        let (training, source, warnings) = lowered(source, front::lower_training)?;
        let graph = training.graph.clone();
        let model = Model { graph, source, path: path.to_owned(), warnings, differentiated: false };
        Ok(Self { model, training })
    }

    /// The sizes of the inputs of a bound graph, in its order.
    pub fn sizes(&self, bound: &Graph) -> Given {
        let sizes = |&input: &ValueId| {
            let value = &bound.values[input];
            let sizes = value.ty.shape.dims().map(|dim| dim.constant().unwrap_or(0).unsigned_abs());
            (value.name.clone(), sizes)
        };
        bound.inputs.iter().map(sizes).collect()
    }

    /// The classes whose numbers an input holds, as each op that reads it has them.
    pub fn classes(&self, input: ValueId) -> Vec<Classes> {
        let graph = &self.model.graph;
        let readers = graph.ops.iter().flat_map(|(_, node)| {
            let places = (0..node.inputs.len()).filter(|&at| node.inputs[at] == input);
            places.filter_map(|at| node.op.classes(at, &graph.shapes(&node.inputs)))
        });
        readers.collect()
    }

    /// The parameters that training begins with.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn parameters(&self, options: &CompileOptions) -> Result<Parameters, Failure> {
        let Model { graph, path, source, .. } = &self.model;
        Parameters::read(graph, path, options).map_err(|d| Failure::new(d, source))
    }

    /// The graph of the loss alone, of the bound graph of the training.
    pub fn loss(&self, bound: &Graph) -> Graph {
        let mut graph = bound.clone();
        graph.outputs.retain(|output| output.name == LOSS);
        graph
    }

    /// Whether some op is something else in training, as a batch norm, which sees all images of a batch, and as dropout: a batch is then
    /// one step.
    pub fn is_joint(&self, asked: &Asked) -> bool {
        let graph = &self.model.graph;
        graph.ops.iter().any(|(_, node)| {
            let frozen: Vec<bool> =
                node.params.iter().map(|&p| asked.frozen.contains(&graph.params[p].name)).collect();
            node.op.training(&frozen).is_some()
        })
    }
}

impl Model {
    /// The graph of the loss and its gradients in training, of the graphs of the training bound to the sizes of each image.
    ///
    /// # Errors
    ///
    /// If there is no input of a name that is asked for, an op has no gradient, or the images cannot be trained on together.
    pub fn gradients(&self, images: &[Graph], asked: &Asked) -> Result<Differentiated, Failure> {
        let fail = |d: Vec<Diagnostic>| Failure::new(d, &self.source);
        let loss = images.first().and_then(|bound| bound.outputs.iter().find(|output| output.name == LOSS));
        let loss = loss.ok_or_else(|| Diagnostic::error(Code::E0225, "the training has no loss"))?.value;
        let frozen = |name: &str| asked.frozen.iter().any(|frozen| frozen == name);
        let step = passes::training_step(images, loss, &frozen).map_err(fail)?;
        let is_param = |name: &&String| step.graph.params.iter().any(|(_, p)| is_gradient(&p.name, name));
        if let Some(name) = asked.inputs.iter().find(is_param) {
            return Err(same_name(name).into());
        }
        let params = step.graph.params.iter().filter(|(_, param)| !frozen(&param.name));
        let wanted = Wanted {
            params: params.map(|(id, _)| id).collect(),
            inputs: asked.inputs.iter().map(|name| input(&step.graph, name)).collect::<Result<_, _>>()?,
        };
        let graph = step.differentiate(&wanted).map_err(fail)?;
        Ok(Differentiated { graph, averages: step.averages })
    }
}

/// The text of a model file.
fn source(path: &Path) -> Result<SourceFile, Failure> {
    match Kind::of(path)? {
        Kind::Model => read_text(path),
        Kind::Ir | Kind::Program => {
            let message = format!("`{}` has no training section", path.display());
            Err(Diagnostic::error(Code::E0220, message).hint("model files, .zlg, have them").into())
        }
    }
}

fn input(graph: &Graph, name: &str) -> Result<ValueId, Diagnostic> {
    let named = |id: &&ValueId| graph.values[**id].name == name;
    graph.inputs.iter().find(named).copied().ok_or_else(|| {
        let names = graph.inputs.iter().map(|&id| graph.values[id].name.as_str());
        let hint = suggest::did_you_mean(name, names);
        Diagnostic::error(Code::E0507, format!("the training has no input `{name}`")).maybe_hint(hint)
    })
}

/// Whether that is what the gradient of an input is called.
fn is_gradient(path: &str, input: &str) -> bool {
    path.strip_prefix("d.") == Some(input)
}

fn same_name(input: &str) -> Diagnostic {
    let message = format!("the gradient of input `{input}` would have the name of parameter `d.{input}`");
    Diagnostic::error(Code::E0507, message).hint("call the input or the op otherwise")
}

/// A training section for a model of this text.
fn mean_squared_error(model: &ast::Model, text: &str) -> String {
    let ty = |decl: &ast::TensorDecl| decl.ty.span.text(text);
    let name = |decl: &ast::TensorDecl| decl.name.value.clone();
    let inputs: Vec<_> = model.outputs.iter().map(|o| format!("{}_target: {}", name(o), ty(o))).collect();
    let losses: Vec<_> =
        model.outputs.iter().map(|o| format!("    loss mse({0}, {0}_target);\n", name(o))).collect();
    format!("\ntrain({}) {{\n{}    optimizer sgd(lr: 1e-3);\n}}\n", inputs.join(", "), losses.concat())
}
