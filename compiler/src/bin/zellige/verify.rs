//! `zellige verify`: tiled against untiled, bit for bit.

use std::path::PathBuf;

use clap::Args;
use zellige_compiler::driver::{CompileOptions, Failure, Opened, engine_failure};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{EngineKind, Executable, Options};
use zellige_runtime::io::Array;
use zellige_runtime::program::{Program, Role};

use crate::execute;
use crate::options::{Binding, Compiling, NamedFile, Running, named_file};
use crate::output::{self, Outcome};
use crate::run::prepare;

/// Run tiled, run untiled on the reference engine, and compare bit for bit
#[derive(Args)]
pub(crate) struct Verify {
    /// Model (.zlg or .zir)
    model: PathBuf,
    /// Input: .png, .jpg or .npy
    #[arg(short, long, value_name = "[NAME=]FILE", value_parser = named_file)]
    input: Vec<NamedFile>,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    running: Running,
}

impl Verify {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let opened = Opened::open(&self.model)?;
        let Opened::Model(model) = &opened else {
            return Err(Diagnostic::error(Code::E0005, "`verify` takes a model or a graph").into());
        };
        let reference = CompileOptions {
            untiled: true,
            tile: None,
            sram: None,
            memory: Some(u64::MAX),
            cut_after: Vec::new(),
            ..self.compiling.options()?
        };
        let model = model.clone();
        let prepared = prepare(opened, &self.input, &self.binding, &self.compiling)?;
        let graph = model.bind(&crate::options::given(&prepared.inputs), &self.binding.bindings()?)?;
        let (untiled, _) = model.compile(&graph, &reference)?;

        let tiles: u64 = prepared.program.sections.iter().map(|s| s.images * s.y.steps * s.x.steps).sum();
        let sections = prepared.program.sections.len();
        let threads = self.compiling.threads.or(Some(prepared.program.machine.units)).filter(|&t| t <= 256);
        let jit = Options { engine: EngineKind::Jit, threads: 1, ..Options::default() };
        let Some((tiled, program)) =
            outputs(prepared.program, &self.running.options(threads), &prepared.inputs)?
        else {
            return Ok(Outcome::Interrupted);
        };
        let Some((untiled, _)) = outputs(untiled, &jit, &prepared.inputs)? else {
            return Ok(Outcome::Interrupted);
        };
        match difference(&tiled, &untiled) {
            None => {
                let values: usize = tiled.iter().map(|(_, a)| a.data.len()).sum();
                output::say(&format!(
                    "identical: {values} values in {} outputs ({tiles} tiles in {sections} sections)\n",
                    tiled.len()
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

type Arrays = Vec<(String, Array)>;

fn outputs(
    program: Program,
    options: &Options,
    inputs: &Arrays,
) -> Result<Option<(Arrays, Program)>, Failure> {
    let mut executable = Executable::load(program, options).map_err(|e| engine_failure(&e))?;
    let mut arrays = execute::output_arrays(executable.program())?;
    let done = execute::run(&mut executable, inputs, &mut arrays)?.is_some();
    Ok(done.then(|| (arrays, executable.program().clone())))
}

/// The first value that differs.
struct Difference {
    output: String,
    /// Image, channel, row, column.
    at: [u64; 4],
    tiled: f32,
    untiled: f32,
}

fn difference(tiled: &Arrays, untiled: &Arrays) -> Option<Difference> {
    tiled.iter().zip(untiled).find_map(|((name, a), (_, b))| {
        let i = a.data.iter().zip(&b.data).position(|(x, y)| x.to_bits() != y.to_bits())?;
        let (d, n) = (a.dims, i as u64);
        let at = [n / (d.c * d.h * d.w), n / (d.h * d.w) % d.c, n / d.w % d.h, n % d.w];
        Some(Difference { output: name.clone(), at, tiled: a.data[i], untiled: b.data[i] })
    })
}

impl Difference {
    /// With the section and the tile that wrote the value.
    fn describe(&self, program: &Program) -> String {
        let [n, c, y, x] = self.at;
        let home = program.sections.iter().find_map(|s| {
            let buffer = s.buffers.iter().position(|b| self.is_of(b.name.as_str(), program))?;
            let step = |axis: &zellige_runtime::program::Axis, at: u64| {
                axis.buffers[buffer].owned.iter().position(|o| o.start <= at as i64 && (at as i64) < o.end)
            };
            Some((s.name.clone(), step(&s.y, y)?, step(&s.x, x)?))
        });
        let home = home.map_or(String::new(), |(s, i, j)| format!(", tile ({i}, {j}) of section {s}"));
        format!(
            "different: output `{}` at [{n}, {c}, {y}, {x}]: tiled {:?} ({:08x}), untiled {:?} ({:08x}){home}",
            self.output,
            self.tiled,
            self.tiled.to_bits(),
            self.untiled,
            self.untiled.to_bits()
        )
    }

    fn is_of(&self, buffer: &str, program: &Program) -> bool {
        let stored = |s: &zellige_runtime::program::Section| {
            s.body.iter().any(|i| match &i.instr {
                zellige_runtime::program::Instr::Store(store) => {
                    let tensor = &program.tensors[store.dst.index()];
                    tensor.role == Role::Output
                        && tensor.name == self.output
                        && s.buffers[store.src.index()].name == buffer
                }
                _ => false,
            })
        };
        program.sections.iter().any(stored)
    }
}
