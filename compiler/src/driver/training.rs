//! A model with its training section: from its text to programs that compute the loss and its gradients.

use std::path::Path;

use zellige_grammar::{Code, Diagnostic, SourceFile, ast, parse_model, suggest};

use super::source::{lowered, read_text};
use super::{CompileOptions, Failure, Given, Kind, Model, Parameters};
use crate::base::ValueId;
use crate::front::{self, LOSS, Training};
use crate::ir::Graph;
use crate::passes::{self, Wanted};

/// The pass in whose place gradients are added.
const REPLACED: &str = "fold-batch-norm";

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

impl Trainee {
    /// Reads a model file that has a training section.
    ///
    /// # Errors
    ///
    /// If it is not such a file.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Self::of(source(path)?, path)
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
        let model = Model { graph: training.graph.clone(), source, path: path.to_owned(), warnings };
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

    /// The graph of the loss and its gradients, of the bound graph of the training.
    ///
    /// # Errors
    ///
    /// If there is no input of a name that is asked for, or an op has no gradient.
    pub fn gradients(
        &self,
        bound: &Graph,
        asked: &Asked,
        options: &CompileOptions,
    ) -> Result<Graph, Failure> {
        let graph = self.model.before(REPLACED, &self.loss(bound), options)?;
        let params = graph.params.iter().filter(|(_, param)| !asked.frozen.contains(&param.name));
        let wanted = Wanted {
            params: params.map(|(id, _)| id).collect(),
            inputs: asked.inputs.iter().map(|name| input(&graph, name)).collect::<Result<_, _>>()?,
        };
        let loss = graph.outputs.first().map(|output| output.value);
        let loss = loss.ok_or_else(|| Diagnostic::error(Code::E0225, "the training has no loss"))?;
        passes::differentiate(&graph, loss, &wanted).map_err(|d| Failure::new(d, &self.model.source))
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

/// A training section for a model of this text.
fn mean_squared_error(model: &ast::Model, text: &str) -> String {
    let ty = |decl: &ast::TensorDecl| decl.ty.span.text(text);
    let name = |decl: &ast::TensorDecl| decl.name.value.clone();
    let inputs: Vec<_> = model.outputs.iter().map(|o| format!("{}_target: {}", name(o), ty(o))).collect();
    let losses: Vec<_> =
        model.outputs.iter().map(|o| format!("    loss mse({0}, {0}_target);\n", name(o))).collect();
    format!("\ntrain({}) {{\n{}    optimizer sgd(lr: 1e-3);\n}}\n", inputs.join(", "), losses.concat())
}
