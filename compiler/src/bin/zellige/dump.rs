//! `zellige dump`: a model or a program at some level, to be looked at.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use zellige_compiler::draw;
use zellige_compiler::driver::{Failure, Model, Opened, Pipeline, graph_of, passes_named};
use zellige_compiler::ir::{Level, Module, text};
use zellige_grammar::{Code, Diagnostic, SourceFile};
use zellige_runtime::program::Program;

use crate::options::{Binding, Compiling, Step};
use crate::output::{self, MessageFormat, Outcome};

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
    step: Step,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Ops over values
    Graph,
    /// Ops in sections
    Sections,
    /// Instructions
    Program,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// IR text
    Text,
    /// JSON; of the sections, the graph metadata
    Json,
    /// Graphviz
    Dot,
    /// Picture
    Svg,
    /// Page with the picture, the sections, the tiling of each tensor, and memory over time
    Html,
}

impl Dump {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let module = self.module(messages)?;
        let shown = match self.format {
            Format::Text => text::print(&module),
            Format::Json => format!("{:#}\n", text::to_json(&module)),
            Format::Dot => text::to_dot(&module).ok_or_else(nothing_to_draw)?,
            Format::Svg => draw::svg(&module).ok_or_else(nothing_to_draw)?,
            Format::Html => draw::html(&module).ok_or_else(nothing_to_draw)?,
        };
        output::save(&self.output, shown.as_bytes())?;
        Ok(Outcome::Done)
    }

    fn module(&self, messages: MessageFormat) -> Result<Module, Failure> {
        match messages.open_step(&self.file, self.step.train)? {
            Opened::Program(program) => {
                self.compiling.refuse_compiled(&self.binding)?;
                self.of_program(*program)
            }
            Opened::Ir(module, source) => {
                self.compiling.refuse_planned(&module, &self.binding)?;
                self.of_ir(*module, &source)
            }
            Opened::Model(model) => self.of_model(*model),
        }
    }

    fn of_program(&self, program: Program) -> Result<Module, Failure> {
        match self.stage {
            None | Some(Stage::Program) => Ok(Module::Program(program)),
            Some(Stage::Graph) => Ok(Module::Graph(graph_of(&program)?)),
            Some(Stage::Sections) => {
                let message = "a program does not carry its sections; it carries its graph";
                Err(Diagnostic::error(Code::E0612, message).into())
            }
        }
    }

    fn of_ir(&self, module: Module, source: &SourceFile) -> Result<Module, Failure> {
        match (self.stage, module) {
            (_, Module::Program(program)) => self.of_program(program),
            (Some(Stage::Graph), Module::Sections(sections)) => Ok(Module::Graph(sections.graph)),
            (Some(Stage::Program), module) => {
                let mut passes = passes_named(None, None)?;
                passes.retain(|p| p.level == Level::Sections);
                let options = self.compiling.options()?.for_passes();
                let pipeline =
                    Pipeline { passes, options: &options, verify_each: false, after: &mut |_, _| {} };
                pipeline.run(module).map_err(|d| Failure::new(d, source))
            }
            (_, module) => Ok(module),
        }
    }

    fn of_model(&self, model: Model) -> Result<Module, Failure> {
        let bindings = self.binding.bindings()?;
        let options = self.compiling.options()?;
        let stage = self.stage.unwrap_or(Stage::Graph);
        if stage == Stage::Graph && bindings.is_empty() && !self.step.train {
            return Ok(Module::Graph(model.graph));
        }
        let graph = model.bind(&Vec::new(), &bindings)?;
        Ok(match stage {
            Stage::Graph => Module::Graph(graph),
            Stage::Sections => Module::Sections(model.plan(&graph, &options)?.0),
            Stage::Program => Module::Program(model.compile(&graph, &options)?.0),
        })
    }
}

fn nothing_to_draw() -> Diagnostic {
    let message = "a program has no graph to draw; use `--stage graph`";
    Diagnostic::error(Code::E0004, message)
}
