//! `zellige compile`: from a model to a program file, or to IR.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use zellige_compiler::driver::{
    CompileOptions, Failure, Opened, Pipeline, attach, graph_of, io_failure, passes_named,
};
use zellige_compiler::ir::{Graph, Level, Module, text};
use zellige_compiler::passes::Pass;
use zellige_grammar::{Code, Diagnostic, SourceFile};
use zellige_runtime::io::{IoError, write_atomically};
use zellige_runtime::program::Program;
use zellige_runtime::program::format::{self, FormatError, Weights};

use crate::options::{Binding, Compiling, Step};
use crate::output::{self, MessageFormat, Outcome};

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
    #[arg(long, conflicts_with_all = ["emit", "stop_after"])]
    reference_weights: bool,
    #[command(flatten)]
    step: Step,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
}

/// A level of the IR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    /// The graph, canonicalized
    Graph,
    /// Sections, all passes done
    Sections,
    /// Instructions as text
    Program,
}

/// What there is before the passes run.
struct Start {
    module: Module,
    source: SourceFile,
    /// The graph of a model, with all its parameters; `canonicalize` drops those that nothing reads.
    graph: Option<Graph>,
}

impl Compile {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        for name in self.dump_after.iter().filter(|n| *n != "all") {
            passes_named(Some(std::slice::from_ref(name)), None)?;
        }
        let ir = self.emit.is_some() || self.stop_after.is_some();
        let (extension, what) = if ir { ("zir", "IR") } else { ("zlp", "a program") };
        if self.output != Path::new("-") {
            output::check_extension(&self.output, extension, what)?;
        }
        let options = self.compiling.options()?;
        let Start { module, source, graph } = self.start(messages)?;
        let module = self.run_passes(module, &options).map_err(|d| Failure::new(d, &source))?;
        match module {
            Module::Program(program) if !ir => {
                let graph = graph.map_or_else(|| graph_of(&program), Ok)?;
                let mut program = program;
                attach(&mut program, &graph, &self.model, &options).map_err(|d| Failure::new(d, &source))?;
                self.write(&program, &graph, &options)?;
            }
            module => output::save(&self.output, text::print(&module).as_bytes())?,
        }
        Ok(Outcome::Done)
    }

    fn start(&self, messages: MessageFormat) -> Result<Start, Failure> {
        match messages.open_step(&self.model, self.step.train)? {
            Opened::Model(model) => {
                let graph = model.bind(&Vec::new(), &self.binding.bindings()?)?;
                let parameters = Some(model.with_all_parameters(&graph).clone());
                Ok(Start { module: Module::Graph(graph), source: model.source, graph: parameters })
            }
            Opened::Ir(module, source) => {
                self.compiling.refuse_planned(&module, &self.binding)?;
                Ok(Start { module: *module, source, graph: None })
            }
            Opened::Program(_) => {
                let message = format!("`{}` is a program, and compiled already", self.model.display());
                Err(Diagnostic::error(Code::E0005, message).into())
            }
        }
    }

    fn run_passes(&self, start: Module, options: &CompileOptions) -> Result<Module, Vec<Diagnostic>> {
        let passes = self.passes(start.level())?;
        let mut dumps = String::new();
        let mut after = |pass: &Pass, module: &Module| {
            if self.dump_after.iter().any(|n| n == "all" || n == pass.name) {
                dumps.push_str(&format!("// after {}\n{}", pass.name, text::print(module)));
            }
        };
        let for_passes = options.for_passes();
        let pipeline =
            Pipeline { passes, options: &for_passes, verify_each: self.verify_each, after: &mut after };
        let module = pipeline.run(start);
        // What was asked for is shown though a later pass fails; nobody is left to be told if standard error is closed.
        let _ = std::io::stderr().write_all(dumps.as_bytes());
        module
    }

    /// The passes from the level at hand to the one that is wanted.
    fn passes(&self, level: Level) -> Result<Vec<&'static Pass>, Vec<Diagnostic>> {
        let stop = match self.emit {
            Some(Emit::Graph) => Some("canonicalize"),
            Some(Emit::Sections) => Some("allocate"),
            Some(Emit::Program) | None => self.stop_after.as_deref(),
        };
        let wanted = passes_named(None, stop).map_err(|d| vec![d])?;
        let left: Vec<_> = wanted.into_iter().filter(|p| p.level as u8 >= level as u8).collect();
        match stop {
            Some(stop) if left.is_empty() => {
                let message = format!("the file holds {level} IR, which is past pass `{stop}`");
                Err(vec![Diagnostic::error(Code::E0612, message)])
            }
            _ => Ok(left),
        }
    }

    fn write(&self, program: &Program, graph: &Graph, options: &CompileOptions) -> Result<(), Failure> {
        let name = match self.reference_weights {
            true => Some(self.weights_beside(program, graph, options)?),
            false => None,
        };
        let weights = name.as_deref().map_or(Weights::Embedded, Weights::File);
        let write = |mut out: &mut dyn Write| {
            format::write(program, &mut out, weights).map_err(|e| match e {
                FormatError::Io(e) => IoError::from(e),
                other => IoError::Malformed(other.to_string()),
            })
        };
        if self.output == Path::new("-") {
            let mut bytes = Vec::new();
            write(&mut bytes).map_err(|e| io_failure(&e, true))?;
            return output::save(&self.output, &bytes);
        }
        write_atomically(&self.output, |file| write(file)).map_err(|e| io_failure(&e, true))
    }

    /// Name of the weights file, which stands beside the program that is to be written.
    fn weights_beside(
        &self,
        program: &Program,
        graph: &Graph,
        options: &CompileOptions,
    ) -> Result<String, Failure> {
        let given = options.weights.as_ref().and_then(|p| p.file_name()?.to_str().map(str::to_owned));
        let name = given.or_else(|| graph.weights.clone()).ok_or_else(|| {
            Diagnostic::error(Code::E0004, "`--reference-weights` needs a weights file to refer to")
                .hint("the model names none; give one with `--weights FILE`")
        })?;
        if graph_of(program)?.params.iter().any(|(_, p)| p.derived.is_some()) {
            let message =
                "the program has weights that stand in no file: batch normalisations are folded into them";
            return Err(Diagnostic::error(Code::E0004, message)
                .hint("leave out `--reference-weights`, and the program carries its weights")
                .into());
        }
        let beside = self.output.with_file_name(&name);
        let length = std::fs::metadata(&beside).map(|m| m.len()).ok();
        if self.output != Path::new("-") && length != Some(program.data.bytes().len() as u64) {
            let message =
                format!("the weights file `{name}` does not stand beside `{}`", self.output.display());
            return Err(Diagnostic::error(Code::E0004, message)
                .hint("with `--reference-weights` it must; without, the program carries the weights")
                .into());
        }
        Ok(name)
    }
}
