//! `zellige verify`: tiled against untiled, bit for bit.

use std::path::PathBuf;

use clap::Args;
use zellige_compiler::driver::{CompileOptions, Failure, Model, Opened, engine_failure};
use zellige_compiler::passes::RANDOM_KEY;
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{EngineKind, Executable, Options};
use zellige_runtime::io::{Array, Format};
use zellige_runtime::program::{Program, Role};
use zellige_runtime::random::Key;

use crate::borders::{InputFile, Sink, Source};
use crate::difference::{Arrays, difference};
use crate::execute;
use crate::options::{Binding, Compiling, GradientWish, NamedFile, Running, Step, assign, named_file};
use crate::output::{self, MessageFormat, Outcome, count};
use crate::run::{input_files, prepare, tensor_names};
use crate::windows::Request;

/// Run tiled, run untiled on the reference engine, and compare bit for bit; up to rounding with `--grad rmw`
#[derive(Args)]
pub(crate) struct Verify {
    /// Model (.zlg or .zir)
    model: PathBuf,
    /// Input: .png, .jpg or .npy
    #[arg(short, long, value_name = "[NAME=]FILE", value_parser = named_file)]
    input: Vec<NamedFile>,
    /// Compare this many windows of each output only, each computed from the part of the inputs that it depends on: for images
    /// too large to be run untiled
    #[arg(long, value_name = "N", value_parser = windows)]
    windows: Option<u32>,
    /// Keep the output of the tiled run, as .npy
    #[arg(short, long, value_name = "[NAME=]FILE", value_parser = named_file, requires = "windows")]
    output: Vec<NamedFile>,
    #[command(flatten)]
    step: Step,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    running: Running,
}

impl Verify {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let opened = messages.open_step(&self.model, self.step.train)?;
        let Opened::Model(model) = &opened else {
            return Err(Diagnostic::error(Code::E0005, "`verify` takes a model or a graph").into());
        };
        let reference = self.reference()?;
        match self.windows {
            Some(count) => self.in_windows(&opened, model, &reference, count),
            None => {
                let model = model.clone();
                self.whole(opened, &model, &reference)
            }
        }
    }

    /// Compares windows of a run that is too large to be repeated untiled.
    fn in_windows(
        &self,
        opened: &Opened,
        model: &Model,
        reference: &CompileOptions,
        count: u32,
    ) -> Result<Outcome, Failure> {
        let contradiction = if self.adds_up() {
            Some("`--windows` and `--grad rmw` contradict each other")
        } else if self.step.train {
            Some("`--windows` is for outputs of a model: gradients depend on all pixels")
        } else {
            None
        };
        if let Some(message) = contradiction {
            return Err(Diagnostic::error(Code::E0004, message).into());
        }
        let (inputs, outputs) = (input_files(opened, &self.input)?, self.outputs(opened)?);
        let Self { binding, compiling, running, .. } = self;
        Request { model, inputs, outputs, binding, compiling, running, count }.verify(reference)
    }

    /// Compares all values.
    fn whole(&self, opened: Opened, model: &Model, reference: &CompileOptions) -> Result<Outcome, Failure> {
        let prepared = prepare(opened, &self.input, &self.binding, &self.compiling)?;
        let graph = model.bind(&crate::options::given(&prepared.inputs)?, &self.binding.bindings()?)?;
        let (untiled, _) = model.compile(&graph, reference)?;

        let tiles: u64 = prepared.program.sections.iter().map(|s| s.images * s.y.steps * s.x.steps).sum();
        let sections = prepared.program.sections.len();
        let native = self.running.options(self.compiling.threads, &prepared.program.machine);
        let jit = Options { engine: EngineKind::Jit, threads: 1, ..Options::default() };
        let native = Options { spill: self.compiling.spill.clone(), ..native };
        let read = |file: &InputFile| Ok((file.name.clone(), Source::Array(file.read()?)));
        let mut inputs = prepared.inputs.iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
        inputs.extend(random_key(&prepared.program, self.compiling.seed.unwrap_or(0)));
        let Some((tiled, program)) = outputs(prepared.program, &native, &inputs)? else {
            return Ok(Outcome::Interrupted);
        };
        let Some((untiled, _)) = outputs(untiled, &jit, &inputs)? else {
            return Ok(Outcome::Interrupted);
        };
        let tolerance = self.adds_up().then_some(ROUNDING);
        if let Some(first) = difference(&tiled, &untiled, tolerance) {
            output::say(&format!("{}\n", first.describe(&program)))?;
            return Ok(Outcome::Different);
        }
        let how = match tolerance {
            Some(tolerance) => format!("equal within {tolerance:e} of the largest"),
            None => "identical".to_owned(),
        };
        let values: usize = tiled.iter().map(|(_, a)| a.data.len()).sum();
        output::say(&format!(
            "{how}: {} in {} ({} in {})\n",
            count(values as u64, "value"),
            count(tiled.len() as u64, "output"),
            count(tiles, "tile"),
            count(sections as u64, "section"),
        ))?;
        Ok(Outcome::Done)
    }

    /// Whether sums depend on the tiling, up to rounding.
    fn adds_up(&self) -> bool {
        self.compiling.grad == GradientWish::Rmw
    }

    /// How the reference is compiled.
    fn reference(&self) -> Result<CompileOptions, Failure> {
        Ok(CompileOptions {
            untiled: true,
            tile: None,
            sram: None,
            memory: Some(u64::MAX),
            cut_after: Vec::new(),
            plan: None,
            ..self.compiling.options()?
        })
    }

    /// The array files that outputs are kept in.
    fn outputs(&self, opened: &Opened) -> Result<Vec<(String, PathBuf)>, Failure> {
        if self.output.is_empty() {
            return Ok(Vec::new());
        }
        let outputs = assign(&self.output, &tensor_names(opened, Role::Output), "output")?;
        for (_, path) in &outputs {
            if Format::of(path).ok() != Some(Format::Npy) {
                let message = format!("cannot keep an output in `{}`", path.display());
                return Err(Diagnostic::error(Code::E0005, message)
                    .hint("its name should end in .npy")
                    .into());
            }
            output::probe(path)?;
        }
        Ok(outputs)
    }
}

fn windows(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "a number of windows is 1 or more".to_owned())
}

/// What another order of additions may change, of the largest value of an output.
const ROUNDING: f32 = 1e-5;

/// The key by which a step of a training drops values, where the program has it for an input: that of the first step.
fn random_key(program: &Program, seed: u64) -> Option<(String, Source)> {
    let tensor = program.tensors.iter().find(|t| t.role == Role::Input && t.name == RANDOM_KEY)?;
    let data = Key::of_dropout(seed, 0).numbers().to_vec();
    Some((tensor.name.clone(), Source::Array(Array { dims: tensor.dims, data })))
}

fn outputs(
    program: Program,
    options: &Options,
    inputs: &[(String, Source)],
) -> Result<Option<(Arrays, Program)>, Failure> {
    let mut executable = Executable::load(program, options).map_err(|e| engine_failure(&e))?;
    let mut sinks = execute::output_arrays(executable.program())?;
    let done = execute::run(&mut executable, inputs, &mut sinks)?.is_some();
    let array = |(name, sink)| if let Sink::Array(array) = sink { Some((name, array)) } else { None };
    Ok(done.then(|| (sinks.into_iter().filter_map(array).collect(), executable.program().clone())))
}
