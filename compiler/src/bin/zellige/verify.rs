//! `zellige verify`: tiled against untiled, bit for bit.

use std::path::PathBuf;

use clap::Args;
use zellige_compiler::driver::{CompileOptions, Failure, Opened, engine_failure};
use zellige_compiler::passes::RANDOM_KEY;
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{EngineKind, Executable, Options};
use zellige_runtime::io::{Array, Format};
use zellige_runtime::program::{Axis, Instr, Program, Role, Section};
use zellige_runtime::random::Key;

use crate::borders::{InputFile, Sink, Source};
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
        let adds_up = self.compiling.grad == GradientWish::Rmw;
        if adds_up && self.windows.is_some() {
            let message = "`--windows` and `--grad rmw` contradict each other";
            return Err(Diagnostic::error(Code::E0004, message).into());
        }
        if let Some(count) = self.windows {
            if self.step.train {
                let message = "`--windows` is for outputs of a model: gradients depend on all pixels";
                return Err(Diagnostic::error(Code::E0004, message).into());
            }
            let (inputs, outputs) = (input_files(&opened, &self.input)?, self.outputs(&opened)?);
            let Self { binding, compiling, running, .. } = self;
            return Request { model, inputs, outputs, binding, compiling, running, count }.verify(&reference);
        }
        let model = model.clone();
        let prepared = prepare(opened, &self.input, &self.binding, &self.compiling)?;
        let graph = model.bind(&crate::options::given(&prepared.inputs)?, &self.binding.bindings()?)?;
        let (untiled, _) = model.compile(&graph, &reference)?;

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
        let tolerance = if adds_up { Some(ROUNDING) } else { None };
        match difference(&tiled, &untiled, tolerance) {
            None => {
                let values: usize = tiled.iter().map(|(_, a)| a.data.len()).sum();
                let outputs = tiled.len();
                let how = if adds_up {
                    format!("equal within {ROUNDING:e} of the largest")
                } else {
                    "identical".to_owned()
                };
                output::say(&format!(
                    "{how}: {} in {} ({} in {})\n",
                    count(values as u64, "value"),
                    count(outputs as u64, "output"),
                    count(tiles, "tile"),
                    count(sections as u64, "section"),
                ))?;
                Ok(Outcome::Done)
            }
            Some(first) => {
                output::say(&format!("{}\n", first.describe(&program)))?;
                Ok(Outcome::Different)
            }
        }
    }
}

impl Verify {
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
/// Where summands cancel, as those of a bias before a batch norm, rounding is all that is left of them. An output may change by as much as
/// if its largest value were this share of the largest of all that change.
const CANCELLED: f32 = 1e-2;

type Arrays = Vec<(String, Array)>;

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

/// The first value that differs.
pub(crate) struct Difference {
    pub(crate) output: String,
    /// Image, channel, row, column.
    pub(crate) at: [u64; 4],
    pub(crate) tiled: f32,
    pub(crate) untiled: f32,
}

/// The first difference; with a tolerance, the first beyond so much of an output's largest value.
fn difference(tiled: &Arrays, untiled: &Arrays, tolerance: Option<f32>) -> Option<Difference> {
    let differ = |(x, y): (&f32, &f32)| x.to_bits() != y.to_bits();
    let changed: Vec<(&String, &Array, &Array)> = tiled
        .iter()
        .zip(untiled)
        .map(|((name, a), (_, b))| (name, a, b))
        .filter(|(_, a, b)| a.data.iter().zip(&b.data).any(differ))
        .collect();
    let most = changed.iter().map(|(.., b)| largest(b)).fold(0f32, f32::max);
    changed.into_iter().find_map(|(name, a, b)| {
        let allowed = tolerance.map(|t| t * largest(b).max(CANCELLED * most));
        let is_near = |x: f32, y: f32| allowed.is_some_and(|allowed| (x - y).abs() <= allowed);
        let is_far = |(x, y): (&f32, &f32)| differ((x, y)) && !is_near(*x, *y);
        let i = a.data.iter().zip(&b.data).position(is_far)?;
        let (d, n) = (a.dims, i as u64);
        let at = [n / (d.c * d.h * d.w), n / (d.h * d.w) % d.c, n / d.w % d.h, n % d.w];
        Some(Difference { output: name.clone(), at, tiled: a.data[i], untiled: b.data[i] })
    })
}

fn largest(array: &Array) -> f32 {
    array.data.iter().fold(0f32, |most, value| most.max(value.abs()))
}

impl Difference {
    /// With the section and the tile that wrote the value.
    pub(crate) fn describe(&self, program: &Program) -> String {
        let [n, c, y, x] = self.at;
        let home = program.sections.iter().find_map(|s| self.tile(program, s)).unwrap_or_default();
        format!(
            "different: output `{}` at [{n}, {c}, {y}, {x}]: tiled {:?} ({:08x}), untiled {:?} ({:08x}){home}",
            self.output,
            self.tiled,
            self.tiled.to_bits(),
            self.untiled,
            self.untiled.to_bits()
        )
    }

    /// The tile of a section that stores the value, in words.
    fn tile(&self, program: &Program, section: &Section) -> Option<String> {
        let buffer = section.body.iter().find_map(|i| match &i.instr {
            Instr::Store(store) => {
                let tensor = &program.tensors[store.dst.index()];
                let home = tensor.role == Role::Output && tensor.name == self.output;
                home.then_some(store.src.index())
            }
            _ => None,
        })?;
        let step = |axis: &Axis, at: u64| {
            axis.buffers[buffer].owned.iter().position(|o| o.start <= at as i64 && (at as i64) < o.end)
        };
        let (row, column) = (step(&section.y, self.at[2])?, step(&section.x, self.at[3])?);
        Some(format!(", tile ({row}, {column}) of section {}", section.name))
    }
}
