//! `zellige run`: from images to images.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use zellige_compiler::driver::{Failure, Opened, engine_failure, io_failure};
use zellige_compiler::ir::Module;
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{Executable, Options};
use zellige_runtime::io::{Channels, Format, IoError, NewFile, ReadOptions};
use zellige_runtime::program::{Dims, Element, Program, Role, Tensor};

use crate::borders::{self, InputFile, Sink};
use crate::execute;
use crate::options::{Binding, Compiling, NamedFile, Running, assign, given, named_file};
use crate::output::{self, MessageFormat, Outcome};
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
    /// Files of the inputs.
    pub(crate) inputs: Vec<InputFile>,
    /// Time and plan of the compilation.
    pub(crate) compiled: Compiled,
}

impl Run {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let opened = messages.open(&self.model)?;
        let outputs = self.outputs(&opened)?;
        let prepared = prepare(opened, &self.input, &self.binding, &self.compiling)?;
        for (name, path) in &outputs {
            fits(&prepared.program, name, path)?;
        }
        let options = self.running.options(self.compiling.threads, &prepared.program.machine);
        let options = Options { spill: self.compiling.spill.clone(), ..options };
        let spill = self.compiling.spill.as_deref();
        let open = |file: &InputFile| Ok((file.name.clone(), file.open(&prepared.program, spill)?));
        let inputs = prepared.inputs.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
        let start = Instant::now();
        let mut executable = Executable::load(prepared.program, &options).map_err(|e| engine_failure(&e))?;
        let load_ms = start.elapsed().as_secs_f64() * 1e3;
        let mut sinks = sinks(executable.program(), &outputs, spill)?;
        let Some(run) = execute::run(&mut executable, &inputs, &mut sinks)? else {
            return Ok(Outcome::Interrupted);
        };
        let sinks = sinks.into_iter().zip(borders::outputs(executable.program()));
        write_all(sinks, &outputs).map_err(|e| io_failure(&e, true))?;
        if let Some(path) = &self.stats {
            let stats = Stats::new(&prepared.compiled, load_ms, std::slice::from_ref(&run));
            output::save(path, format!("{}\n", stats.json()).as_bytes())?;
        }
        Ok(Outcome::Done)
    }

    /// The files that outputs go to. That they can be written is said before the work and not after it.
    fn outputs(&self, opened: &Opened) -> Result<Vec<(String, PathBuf)>, Failure> {
        if let Opened::Ir(module, _) = opened {
            return Err(not_run(module));
        }
        let outputs = assign(&self.output, &tensor_names(opened, Role::Output), "output")?;
        for (i, (name, path)) in outputs.iter().enumerate() {
            writable(path)?;
            if let Some((other, _)) = outputs[..i].iter().find(|(_, p)| p == path) {
                let message = format!("outputs `{other}` and `{name}` go to one file, `{}`", path.display());
                return Err(Diagnostic::error(Code::E0004, message).into());
            }
        }
        if let Some(path) = &self.stats {
            output::probe(path)?;
        }
        Ok(outputs)
    }
}

/// Writes the outputs that have a file: none appears before all are complete.
fn write_all<'p>(
    sinks: impl Iterator<Item = ((String, Sink), &'p Tensor)>,
    outputs: &[(String, PathBuf)],
) -> Result<(), IoError> {
    let staged = sinks.filter_map(|((name, sink), tensor)| {
        let (_, path) = outputs.iter().find(|(n, _)| *n == name)?;
        Some(sink.stage(tensor, path))
    });
    staged.collect::<Result<Vec<_>, _>>()?.into_iter().try_for_each(NewFile::commit)
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
    let options = compiling.options()?;
    if matches!(opened, Opened::Program(_)) {
        compiling.refuse_compiled(binding)?;
    }
    let inputs = input_files(&opened, inputs)?;
    match opened {
        Opened::Model(model) => {
            let start = Instant::now();
            let graph = model.bind(&given(&inputs)?, &binding.bindings()?)?;
            let (program, report) = model.compile(&graph, &options)?;
            Ok(Prepared { program, inputs, compiled: Compiled::since(start, report) })
        }
        Opened::Program(program) => Ok(Prepared { program: *program, inputs, compiled: Compiled::before() }),
        Opened::Ir(module, _) => Err(not_run(&module)),
    }
}

/// The files of the inputs, and how each is read.
pub(crate) fn input_files(opened: &Opened, inputs: &[NamedFile]) -> Result<Vec<InputFile>, Failure> {
    let files = assign(inputs, &tensor_names(opened, Role::Input), "input")?;
    let files = files.into_iter().map(|(name, path)| {
        let options = read_options(opened, &name);
        InputFile { name, path, options }
    });
    Ok(files.collect())
}

/// How the file of an input is read.
pub(crate) fn read_options(opened: &Opened, input: &str) -> ReadOptions {
    let whole = wants_whole_numbers(opened, input);
    ReadOptions { channels: wanted_channels(opened, input), whole, ..ReadOptions::default() }
}

/// The failure to run IR below the graph.
pub(crate) fn not_run(module: &Module) -> Failure {
    let message = format!("IR at the {} level is not run as it is", module.level());
    Diagnostic::error(Code::E0612, message).hint("`zellige compile` makes a program of it").into()
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

/// Whether an input is declared to have whole numbers, which an image is not scaled for.
fn wants_whole_numbers(opened: &Opened, input: &str) -> bool {
    match opened {
        Opened::Model(model) => model.graph.inputs.iter().any(|&v| {
            let value = &model.graph.values[v];
            value.name == input && value.ty.element != zellige_compiler::base::Element::F32
        }),
        Opened::Program(program) => program
            .tensors
            .iter()
            .any(|t| t.name == input && t.role == Role::Input && t.element != Element::F32),
        Opened::Ir(..) => false,
    }
}

/// What each output goes to.
fn sinks(
    program: &Program,
    files: &[(String, PathBuf)],
    spill: Option<&Path>,
) -> Result<Vec<(String, Sink)>, Failure> {
    let sink = |tensor: &Tensor| {
        let sink = match files.iter().find(|(name, _)| *name == tensor.name) {
            Some((_, path)) => Sink::create(program, tensor, path, spill),
            None => Sink::in_memory(tensor),
        };
        sink.map(|sink| (tensor.name.clone(), sink))
    };
    borders::outputs(program).map(sink).collect()
}

/// That a file of this name can be written.
fn writable(path: &Path) -> Result<(), Failure> {
    match Format::of(path) {
        Ok(Format::Jpeg) => {
            let message = format!("cannot write `{}`: JPEG files are read, not written", path.display());
            return Err(Diagnostic::error(Code::E0509, message).hint("write .png or .npy").into());
        }
        Ok(Format::Png | Format::Npy) => {}
        Err(error) => return Err(io_failure(&error.in_file(path), true)),
    }
    output::probe(path)
}

/// That the format of an output's file takes arrays of its shape.
fn fits(program: &Program, name: &str, path: &Path) -> Result<(), Failure> {
    let tensor = program.tensors.iter().find(|t| t.role == Role::Output && t.name == name);
    let image = |d: &Dims| d.n == 1 && (d.c == 1 || d.c == 3);
    match tensor {
        Some(t) if Format::of(path).ok() == Some(Format::Png) && !image(&t.dims) => {
            let Dims { n, c, h, w } = t.dims;
            let message = format!("output `{name}` is f32[{n}, {c}, {h}, {w}], which is no image");
            Err(Diagnostic::error(Code::E0503, message)
                .hint("PNG takes one image of 1 or 3 channels; write .npy")
                .into())
        }
        Some(t) if Format::of(path).ok() == Some(Format::Png) && t.element == Element::U16 => {
            let message = format!("output `{name}` is u16, and PNG files are written with 8 bits");
            Err(Diagnostic::error(Code::E0509, message).hint("write .npy").into())
        }
        _ => Ok(()),
    }
}
