//! `zellige run`: from images to images.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use zellige_compiler::driver::{Failure, Opened, engine_failure, io_failure};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::Executable;
use zellige_runtime::io::{self, Array, Channels, Format, ReadOptions};
use zellige_runtime::program::{Program, Role};

use crate::execute;
use crate::options::{Binding, Compiling, NamedFile, Running, assign, given, named_file};
use crate::output::{self, Outcome};
use crate::stats::{Compiled, Stats};

/// Run a model or a program on images or arrays
#[derive(Args)]
pub(crate) struct Run {
    /// Model (.zlg, .zir) or program (.zlp)
    model: PathBuf,
    /// Input: .png, .jpg or .npy
    #[arg(short, long, value_name = "[NAME=]FILE", value_parser = named_file)]
    input: Vec<NamedFile>,
    /// Output: .png or .npy
    #[arg(short, long, value_name = "[NAME=]FILE", value_parser = named_file)]
    output: Vec<NamedFile>,
    /// Write figures of the run as JSON; `-` for standard output
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    running: Running,
}

/// A program, the arrays that go into it, and how it came about.
pub(crate) struct Prepared {
    /// The program.
    pub(crate) program: Program,
    /// Inputs by name.
    pub(crate) inputs: Vec<(String, Array)>,
    /// Time and plan of the compilation.
    pub(crate) compiled: Compiled,
}

impl Run {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let opened = Opened::open(&self.model)?;
        let outputs = assign(&self.output, &tensor_names(&opened, Role::Output), "output")?;
        for (_, path) in &outputs {
            writable(path)?;
        }
        let prepared = prepare(opened, &self.input, &self.binding, &self.compiling)?;
        let threads = self.compiling.threads.or(Some(prepared.program.machine.units)).filter(|&t| t <= 256);
        let start = Instant::now();
        let mut executable = Executable::load(prepared.program, &self.running.options(threads))
            .map_err(|e| engine_failure(&e))?;
        let load_ms = start.elapsed().as_secs_f64() * 1e3;
        let mut arrays = execute::output_arrays(executable.program())?;
        let Some(run) = execute::run(&mut executable, &prepared.inputs, &mut arrays)? else {
            return Ok(Outcome::Interrupted);
        };
        for (name, path) in &outputs {
            let array = arrays.iter().find(|(n, _)| n == name).map(|(_, a)| a);
            let array = array
                .ok_or_else(|| Diagnostic::error(Code::E0901, format!("output `{name}` was not computed")))?;
            io::write(path, array).map_err(|e| output::unwritable(path, &e))?;
        }
        if let Some(path) = &self.stats {
            let stats = Stats::new(&prepared.compiled, load_ms, std::slice::from_ref(&run));
            output::save(path, format!("{}\n", stats.json()).as_bytes())?;
        }
        Ok(Outcome::Done)
    }
}

/// Names of inputs or outputs of what was opened.
pub(crate) fn tensor_names(opened: &Opened, role: Role) -> Vec<String> {
    match opened {
        Opened::Model(model) if role == Role::Input => {
            model.graph.inputs.iter().map(|&v| model.graph.values[v].name.clone()).collect()
        }
        Opened::Model(model) => model.graph.outputs.iter().map(|o| o.name.clone()).collect(),
        Opened::Ir(..) => Vec::new(),
        Opened::Program(program) => execute::names(program, role),
    }
}

/// Reads the inputs and compiles for their sizes, unless it is a program already.
pub(crate) fn prepare(
    opened: Opened,
    inputs: &[NamedFile],
    binding: &Binding,
    compiling: &Compiling,
) -> Result<Prepared, Failure> {
    let names = tensor_names(&opened, Role::Input);
    let options = compiling.options()?;
    let files = assign(inputs, &names, "input")?;
    let arrays = files.into_iter().map(|(name, path)| {
        let channels = wanted_channels(&opened, &name);
        let options = ReadOptions { channels, ..ReadOptions::default() };
        io::read(&path, &options).map(|a| (name, a)).map_err(|e| io_failure(&e, false))
    });
    let inputs = arrays.collect::<Result<Vec<_>, Failure>>()?;
    match opened {
        Opened::Model(model) => {
            let start = Instant::now();
            let graph = model.bind(&given(&inputs), &binding.bindings()?)?;
            let (program, report) = model.compile(&graph, &options)?;
            let compiled = Compiled { compile_ms: start.elapsed().as_secs_f64() * 1e3, report: Some(report) };
            Ok(Prepared { program, inputs, compiled })
        }
        Opened::Program(program) => {
            Ok(Prepared { program: *program, inputs, compiled: Compiled { compile_ms: 0.0, report: None } })
        }
        Opened::Ir(module, _) => {
            let message = format!("IR at the {} level is not run as it is", module.level());
            Err(Diagnostic::error(Code::E0612, message)
                .hint("`zellige compile` makes a program of it")
                .into())
        }
    }
}

/// A model with one input channel gets grey images.
fn wanted_channels(opened: &Opened, input: &str) -> Channels {
    let one = match opened {
        Opened::Model(model) => model.graph.inputs.iter().any(|&v| {
            let value = &model.graph.values[v];
            value.name == input && value.ty.shape.c.constant() == Some(1)
        }),
        Opened::Program(program) => {
            program.tensors.iter().any(|t| t.name == input && t.role == Role::Input && t.dims.c == 1)
        }
        Opened::Ir(..) => false,
    };
    if one { Channels::Grey } else { Channels::Rgb }
}

/// That a file of this name can be written, said before the work and not after it.
fn writable(path: &Path) -> Result<(), Failure> {
    match Format::of(path) {
        Ok(Format::Jpeg) => {
            let message = format!("{}: JPEG files are read, not written", path.display());
            return Err(Diagnostic::error(Code::E0509, message).hint("write .png or .npy").into());
        }
        Ok(_) => {}
        Err(error) => return Err(io_failure(&error, true)),
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        Ok(())
    } else {
        Err(Diagnostic::error(Code::E0002, format!("{}: the folder does not exist", path.display())).into())
    }
}
