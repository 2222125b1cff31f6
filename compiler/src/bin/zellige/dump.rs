//! `zellige dump`: a model or a program at some level, to be looked at.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use zellige_compiler::driver::{Failure, Opened, Pipeline, graph_of, passes_named};
use zellige_compiler::ir::{Module, text};
use zellige_grammar::{Code, Diagnostic};

use crate::options::{Binding, Compiling};
use crate::output::{self, Outcome};

/// Print a model, IR or program: text that parses back, JSON, or Graphviz
#[derive(Args)]
pub(crate) struct Dump {
    /// Model (.zlg), IR (.zir) or program (.zlp)
    file: PathBuf,
    /// Level to show; what the file holds if not given
    #[arg(long, value_enum, value_name = "LEVEL")]
    stage: Option<Stage>,
    /// How to show it
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// File to write; standard output if not given
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Ops over values.
    Graph,
    /// Ops in sections.
    Sections,
    /// Instructions.
    Program,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// IR text.
    Text,
    /// JSON; of the sections, the graph metadata.
    Json,
    /// Graphviz.
    Dot,
}

impl Dump {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let module = self.module()?;
        let shown = match self.format {
            Format::Text => text::print(&module),
            Format::Json => format!("{:#}\n", text::to_json(&module)),
            Format::Dot => text::to_dot(&module).ok_or_else(|| {
                Diagnostic::error(Code::E0004, "a program has no graph to draw; use `--stage graph`")
            })?,
        };
        output::save(&self.output, shown.as_bytes())?;
        Ok(Outcome::Done)
    }

    fn module(&self) -> Result<Module, Failure> {
        match Opened::open(&self.file)? {
            Opened::Program(program) => match self.stage {
                None | Some(Stage::Program) => Ok(Module::Program(*program)),
                Some(Stage::Graph) => {
                    Ok(Module::Graph(graph_of(&program).map_err(|d| Failure::new(d, &Default::default()))?))
                }
                Some(Stage::Sections) => {
                    Err(Diagnostic::error(Code::E0612, "a program does not carry its sections").into())
                }
            },
            Opened::Ir(module, source) => {
                let passes = match (self.stage, module.level()) {
                    (Some(Stage::Program), zellige_compiler::ir::Level::Sections) => {
                        let all = passes_named(None, None)?;
                        all.into_iter().filter(|p| p.level == module.level()).collect()
                    }
                    _ => Vec::new(),
                };
                let options = self.compiling.options()?.for_passes();
                let pipeline =
                    Pipeline { passes, options: &options, verify_each: false, after: &mut |_, _| {} };
                pipeline.run(*module).map_err(|d| Failure::new(d, &source))
            }
            Opened::Model(model) => {
                let bindings = self.binding.bindings()?;
                let stage = self.stage.unwrap_or(Stage::Graph);
                if stage == Stage::Graph && bindings.is_empty() {
                    return Ok(Module::Graph(model.graph));
                }
                let graph = model.bind(&Vec::new(), &bindings)?;
                let options = self.compiling.options()?;
                match stage {
                    Stage::Graph => Ok(Module::Graph(graph)),
                    Stage::Sections => Ok(Module::Sections(model.plan(&graph, &options)?.0)),
                    Stage::Program => Ok(Module::Program(model.compile(&graph, &options)?.0)),
                }
            }
        }
    }
}
