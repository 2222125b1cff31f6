//! Opening what the user names: a model, an IR file, or a program.

use std::path::{Path, PathBuf};

use zellige_grammar::{Code, Diagnostic, SourceFile, ast, has_errors, parse_model};
use zellige_runtime::program::{Program, format};

use super::failure::{program_failure, unreadable};
use super::{Asked, CompileOptions, Failure, Pipeline, Report, attach, passes_named};
use crate::base::Bindings;
use crate::front;
use crate::ir::{Graph, Module, Sections, text};
use crate::passes::{self, PIPELINE, Pass};

/// The first pass that looks at machine and budgets.
const FIRST_PLANNING: &str = "recompute";

/// What kind of file a name says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `.zlg`
    Model,
    /// `.zir`
    Ir,
    /// `.zlp`
    Program,
}

impl Kind {
    /// By the extension.
    pub fn of(path: &Path) -> Result<Self, Diagnostic> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("zlg") => Ok(Self::Model),
            Some("zir") => Ok(Self::Ir),
            Some("zlp") => Ok(Self::Program),
            _ => {
                let message = format!("`{}` is neither a model nor an IR file nor a program", path.display());
                Err(Diagnostic::error(Code::E0005, message).hint("their names end in .zlg, .zir and .zlp"))
            }
        }
    }
}

/// A file that has been read.
#[derive(Debug)]
pub enum Opened {
    /// A graph, its sizes perhaps still open.
    Model(Box<Model>),
    /// IR further down than the graph.
    Ir(Box<Module>, SourceFile),
    /// A program with its weights.
    Program(Box<Program>),
}

/// A graph with its text.
#[derive(Clone, Debug)]
pub struct Model {
    /// The graph.
    pub graph: Graph,
    /// The text that spans point into.
    pub source: SourceFile,
    /// The file, beside which weights are looked for.
    pub path: PathBuf,
    /// Warnings about the text.
    pub warnings: Vec<Diagnostic>,
    /// Whether a step of its training stands in its place.
    pub(super) differentiated: bool,
}

/// Names of inputs with the sizes that are given for them.
pub type Given = Vec<(String, [u64; 4])>;

impl Opened {
    /// Reads a file of any kind.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        match Kind::of(path)? {
            Kind::Program => Ok(Self::Program(Box::new(open_program(path)?))),
            Kind::Model => Ok(Self::Model(Box::new(open_model(path)?))),
            Kind::Ir => open_ir(path),
        }
    }
}

fn open_program(path: &Path) -> Result<Program, Failure> {
    format::open(path).map_err(|e| program_failure(path, &e))
}

pub(super) fn read_text(path: &Path) -> Result<SourceFile, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(SourceFile::new(path.display().to_string(), text)),
        Err(error) => Err(unreadable(path, &error).into()),
    }
}

fn open_model(path: &Path) -> Result<Model, Failure> {
    let (graph, source, warnings) = lowered(read_text(path)?, front::lower_model)?;
    Ok(Model { warnings, ..Model::of(graph, source, path) })
}

/// What `lower` makes of the file of a model, its text, and warnings about it.
pub(super) fn lowered<T>(
    source: SourceFile,
    lower: fn(&ast::File) -> (Option<T>, Vec<Diagnostic>),
) -> Result<(T, SourceFile, Vec<Diagnostic>), Failure> {
    let (file, mut diagnostics) = parse_model(&source.text);
    // Where there are mistakes, what did parse is looked at all the same: one run reports all of them.
    let (made, more) = file.as_ref().map(lower).unwrap_or_default();
    diagnostics.extend(more);
    match made {
        Some(made) if !has_errors(&diagnostics) => Ok((made, source, diagnostics)),
        _ => Err(Failure::new(diagnostics, &source)),
    }
}

fn open_ir(path: &Path) -> Result<Opened, Failure> {
    let source = read_text(path)?;
    let module = text::parse(&source.text).map_err(|d| Failure::new(d, &source))?;
    Ok(match module {
        Module::Graph(graph) => Opened::Model(Box::new(Model::of(graph, source, path))),
        other => Opened::Ir(Box::new(other), source),
    })
}

impl Model {
    /// A graph, its text and its file.
    pub fn of(graph: Graph, source: SourceFile, path: &Path) -> Self {
        Self { graph, source, path: path.to_owned(), warnings: Vec::new(), differentiated: false }
    }

    /// The graph for inputs of the given sizes.
    pub fn bind(&self, given: &Given, explicit: &Bindings) -> Result<Graph, Failure> {
        let bound = front::bind(&self.graph, given, explicit);
        let (bound, _) = bound.map_err(|d| Failure::new(d, &self.source))?;
        if self.differentiated {
            return self.gradients(&[bound], &Asked::default()).map(|of_step| of_step.graph);
        }
        Ok(bound)
    }

    /// The graph whose parameters are those of the weights file, for a bound graph.
    pub fn with_all_parameters<'g>(&'g self, bound: &'g Graph) -> &'g Graph {
        if self.differentiated { &self.graph } else { bound }
    }

    /// The program for a bound graph, with weights, and what its plan comes to.
    pub fn compile(&self, graph: &Graph, options: &CompileOptions) -> Result<(Program, Report), Failure> {
        self.compile_part(graph, self.with_all_parameters(graph), options)
    }

    /// The bound graph as the passes leave it that do not cut it yet.
    pub fn simplify(&self, graph: &Graph, options: &CompileOptions) -> Result<Graph, Failure> {
        let fail = |d: Vec<Diagnostic>| Failure::new(d, &self.source);
        let for_passes = CompileOptions { cut_after: Vec::new(), ..options.clone() }.for_passes();
        let passes = PIPELINE.iter().take_while(|p| p.name != FIRST_PLANNING).collect();
        let pipeline = Pipeline { passes, options: &for_passes, verify_each: false, after: &mut |_, _| {} };
        let module = pipeline.run(Module::Graph(graph.clone())).map_err(fail)?;
        passes::graph(module, FIRST_PLANNING).map_err(fail)
    }

    /// As [`Self::compile`], for a part of the bound graph `whole`, whose parameters it has.
    pub fn compile_part(
        &self,
        graph: &Graph,
        whole: &Graph,
        options: &CompileOptions,
    ) -> Result<(Program, Report), Failure> {
        let (mut program, report) = self.program(graph, options)?;
        attach(&mut program, whole, &self.path, options).map_err(|d| Failure::new(d, &self.source))?;
        Ok((program, report))
    }

    /// The program for a bound graph, without weights, and what its plan comes to.
    pub(super) fn program(
        &self,
        graph: &Graph,
        options: &CompileOptions,
    ) -> Result<(Program, Report), Failure> {
        let mut report = None;
        let mut after = |_: &Pass, module: &Module| {
            if let Module::Sections(sections) = module {
                report = Report::of(sections);
            }
        };
        let for_passes = options.for_passes();
        let pipeline = Pipeline {
            passes: PIPELINE.iter().collect(),
            options: &for_passes,
            verify_each: false,
            after: &mut after,
        };
        let module = pipeline.run(Module::Graph(graph.clone())).map_err(|d| Failure::new(d, &self.source))?;
        match (module, report) {
            (Module::Program(program), Some(report)) => Ok((program, report)),
            _ => Err(Diagnostic::error(Code::E0612, "the pipeline does not end in a program").into()),
        }
    }

    /// The sections for a bound graph, all of them planned, and what they come to.
    pub fn plan(&self, graph: &Graph, options: &CompileOptions) -> Result<(Sections, Report), Failure> {
        let fail = |d: Vec<Diagnostic>| Failure::new(d, &self.source);
        let for_passes = options.for_passes();
        let pipeline = Pipeline {
            passes: passes_named(None, Some("allocate"))?,
            options: &for_passes,
            verify_each: false,
            after: &mut |_, _| {},
        };
        match pipeline.run(Module::Graph(graph.clone())).map_err(fail)? {
            Module::Sections(sections) => {
                let report = Report::of(&sections);
                let unplanned = || Diagnostic::error(Code::E0609, "the sections are not planned").into();
                report.map(|r| (sections, r)).ok_or_else(unplanned)
            }
            other => {
                Err(Diagnostic::error(Code::E0612, format!("the plan ends at the {} level", other.level()))
                    .into())
            }
        }
    }
}

/// The graph that a program carries.
pub fn graph_of(program: &Program) -> Result<Graph, Failure> {
    let source = SourceFile::new("the program's graph", program.graph.as_str());
    match text::parse(&source.text).map_err(|d| Failure::new(d, &source))? {
        Module::Graph(graph) => Ok(graph),
        other => {
            let message = format!("the program carries its {}, not its graph", other.level());
            Err(Diagnostic::error(Code::E0610, message).into())
        }
    }
}
