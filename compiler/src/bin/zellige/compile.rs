//! `zellige compile`: from a model to a program file, or to IR.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use zellige_compiler::driver::{Failure, Opened, Pipeline, attach, graph_of, passes_named};
use zellige_compiler::ir::{Module, text};
use zellige_compiler::passes::Pass;
use zellige_grammar::{Code, Diagnostic, SourceFile};
use zellige_runtime::io::{IoError, write_atomically};
use zellige_runtime::program::format::{self, Weights};

use crate::options::{Binding, Compiling};
use crate::output::{self, Outcome};

/// Compile a model into a program, or stop at a level of the IR
#[derive(Args)]
pub(crate) struct Compile {
    /// Model (.zlg) or IR (.zir)
    model: PathBuf,
    /// File to write: .zlp, or .zir with --emit or --stop-after; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Write IR at this level instead of a program file
    #[arg(long, value_enum, value_name = "LEVEL")]
    emit: Option<Emit>,
    /// Stop after this pass and write the IR
    #[arg(long, value_name = "PASS", conflicts_with = "emit")]
    stop_after: Option<String>,
    /// Print the IR after this pass, or after each with `all`, on standard error
    #[arg(long, value_name = "PASS|all")]
    dump_after: Vec<String>,
    /// Verify the IR, print it and parse it back after each pass
    #[arg(long)]
    verify_each: bool,
    /// Leave the weights in their file, which must stand beside the program
    #[arg(long)]
    reference_weights: bool,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
}

/// A level of the IR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    /// The graph, canonicalized.
    Graph,
    /// Sections, all passes done.
    Sections,
    /// Instructions as text.
    Program,
}

impl Compile {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        for name in self.dump_after.iter().filter(|n| *n != "all") {
            passes_named(Some(std::slice::from_ref(name)), None)?;
        }
        let options = self.compiling.options()?;
        let (start, source, model) = match Opened::open(&self.model)? {
            Opened::Model(model) => {
                let graph = model.bind(&Vec::new(), &self.binding.bindings()?)?;
                (Module::Graph(graph.clone()), model.source.clone(), Some((graph, model.path.clone())))
            }
            Opened::Ir(module, source) => (*module, source, None),
            Opened::Program(_) => {
                return Err(Diagnostic::error(Code::E0005, "a program is compiled already").into());
            }
        };
        let passes = self.passes(&start)?;
        let mut dumps = String::new();
        let mut after = |pass: &Pass, module: &Module| {
            if self.dump_after.iter().any(|n| n == "all" || n == pass.name) {
                dumps.push_str(&format!("// after {}\n{}", pass.name, text::print(module)));
            }
        };
        let for_passes = options.for_passes();
        let pipeline =
            Pipeline { passes, options: &for_passes, verify_each: self.verify_each, after: &mut after };
        let module = pipeline.run(start).map_err(|d| Failure::new(d, &source));
        eprint!("{dumps}");
        self.write(module?, model, &options, &source)
    }

    /// The passes from the level at hand to the one that is wanted.
    fn passes(&self, start: &Module) -> Result<Vec<&'static Pass>, Failure> {
        let stop = match (self.emit, &self.stop_after) {
            (Some(Emit::Graph), _) => Some("canonicalize"),
            (Some(Emit::Sections), _) => Some("allocate"),
            (_, stop) => stop.as_deref(),
        };
        let level = start.level();
        let wanted = passes_named(None, stop)?;
        Ok(wanted.into_iter().filter(|p| p.level as u8 >= level as u8).collect())
    }

    fn write(
        &self,
        module: Module,
        model: Option<(zellige_compiler::ir::Graph, PathBuf)>,
        options: &zellige_compiler::driver::CompileOptions,
        source: &SourceFile,
    ) -> Result<Outcome, Failure> {
        let mut program = match module {
            Module::Program(program) if self.emit.is_none() && self.stop_after.is_none() => program,
            other => {
                output::save(&self.output, text::print(&other).as_bytes())?;
                return Ok(Outcome::Done);
            }
        };
        let graph = match model {
            Some((graph, path)) => {
                attach(&mut program, &graph, &path, options).map_err(|d| Failure::new(d, source))?;
                graph
            }
            None => {
                let graph = graph_of(&program).map_err(|d| Failure::new(d, source))?;
                attach(&mut program, &graph, &self.model, options).map_err(|d| Failure::new(d, source))?;
                graph
            }
        };
        let name = options
            .weights
            .as_ref()
            .and_then(|p| p.file_name()?.to_str().map(str::to_owned))
            .or(graph.weights);
        let weights = match (&name, self.reference_weights) {
            (Some(name), true) => Weights::File(name),
            (None, true) => {
                return Err(Diagnostic::error(
                    Code::E0004,
                    "`--reference-weights` needs a weights file to refer to",
                )
                .into());
            }
            _ => Weights::Embedded,
        };
        let written = write_atomically(&self.output, |file| {
            format::write(&program, file, weights).map_err(|e| match e {
                format::FormatError::Io(e) => IoError::from(e),
                other => IoError::Malformed(other.to_string()),
            })
        });
        written.map_err(|e| output::unwritable(&self.output, &e))?;
        Ok(Outcome::Done)
    }
}
