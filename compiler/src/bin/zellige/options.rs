//! Options that several subcommands have, each with its help and how it is read.

use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use zellige_compiler::base::Bindings;
use zellige_compiler::driver::{CompileOptions, Failure, Given, unreadable};
use zellige_compiler::ir::{Gradient, Level, Materialize, Module, Overlap, Padding};
use zellige_compiler::passes::KeptPlan;
use zellige_grammar::{Code, Diagnostic, SourceFile, Span};
use zellige_runtime::engine::{EngineKind, Isa};
use zellige_runtime::machine::{Machine, MachineError, parse_size};

use crate::borders::InputFile;

/// Most workers that may be asked for.
const MOST_THREADS: u32 = 1024;

/// How to compile.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Compile options")]
pub(crate) struct Compiling {
    /// Machine to plan for: host, tiny, sn10, sn40l or a .toml file; `host`, the one at hand, if not given
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) machine: Option<String>,
    /// SRAM of a worker, such as 512KiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) sram: Option<u64>,
    /// Device memory for tensors and weights, such as 2GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<u64>,
    /// Folder of the temporary files for what device memory has no room for; the system's if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) spill: Option<PathBuf>,
    /// Target tile of every section, such as 64x128
    #[arg(long, value_name = "HxW", value_parser = tile)]
    pub(crate) tile: Option<[u64; 2]>,
    /// Cut after the op that makes this value or has these parameters; may be given several times
    #[arg(long, value_name = "OP")]
    pub(crate) cut_after: Vec<String>,
    /// One tile a section, cuts only where they must be
    #[arg(long)]
    pub(crate) untiled: bool,
    /// How the overlap of tiles is had: `recompute` halos, or `reuse` rows in rings
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    pub(crate) overlap: OverlapWish,
    /// What becomes of tensors that are needed on both sides of a forced cut: `keep` them, or `recompute`
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    pub(crate) materialize: MaterializeWish,
    /// Where padding goes: `post`, before tiling, so that tiles have one size; `pre`, to each tile at each layer
    #[arg(long, value_enum, value_name = "WHERE", default_value = "post")]
    pub(crate) padding: PaddingWish,
    /// How gradients that tiles share are had: `halo`, each tile reads with overlap; `rmw`, tiles are added up in memory
    #[arg(long, value_enum, value_name = "HOW", default_value = "halo")]
    pub(crate) grad: GradientWish,
    /// Sections from this file, as `dump --stage sections --format json` writes it, instead of the planner's
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Workers; as many as the machine has units if not given
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<u32>,
    /// Weights, instead of the file that the model names
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Seed of the initial values of parameters, where no file gives them, and of what a training draws; 0 if not given
    #[arg(long, value_name = "N", value_parser = seed)]
    pub(crate) seed: Option<u64>,
}

/// Sizes of symbols.
#[derive(Args, Clone, Debug)]
pub(crate) struct Binding {
    /// Sizes of symbols, such as H=512,W=512
    #[arg(long, value_name = "NAME=SIZE", value_delimiter = ',', value_parser = binding)]
    pub(crate) bind: Vec<(String, i64)>,
}

/// Of what.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Of a step of the model's training, which gives the loss and its gradients, instead of the model
    #[arg(long)]
    pub(crate) train: bool,
}

/// How to run.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Run options")]
pub(crate) struct Running {
    /// Who runs the instructions
    #[arg(long, value_enum, value_name = "ENGINE", default_value = "native")]
    pub(crate) engine: Engine,
    /// Which native kernels: avx512, avx2 or portable; the best that the processor has if not given
    #[arg(long, value_name = "ISA")]
    pub(crate) isa: Option<Isa>,
    /// Guard pages around every buffer, which is filled with NaN before each tile: slow
    #[arg(long)]
    pub(crate) checked: bool,
}

/// `--overlap`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverlapWish {
    /// Whichever is modelled to be faster, section by section
    Auto,
    /// Each tile computes its halo
    Recompute,
    /// Rows are kept for the tiles below
    Reuse,
}

/// `--materialize`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MaterializeWish {
    /// Whichever is modelled to be faster, tensor by tensor
    Auto,
    /// In device memory, or in a file
    Keep,
    /// There, with a block for each tile behind the cut, as far as forward tensors reach backward sections
    Tiles,
    /// Computed again
    Recompute,
}

/// `--padding`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PaddingWish {
    /// Moved to the inputs of the section: tiles of one size
    Post,
    /// Added to each tile at each layer: smaller tiles at the border
    Pre,
}

/// `--grad`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GradientWish {
    /// The same bits for every tiling
    Halo,
    /// In the order of the tiles' colours: the same up to rounding
    Rmw,
}

/// `--engine`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Kernels written by hand
    Native,
    /// Code compiled from the definitions of the ops: the reference
    Jit,
}

impl Compiling {
    /// For the compiler. What contradicts each other is refused.
    pub(crate) fn options(&self) -> Result<CompileOptions, Failure> {
        let contradictions = [
            (self.untiled && self.tile.is_some(), "--untiled", "--tile"),
            (self.untiled && self.sram.is_some(), "--untiled", "--sram"),
            (self.untiled && self.overlap == OverlapWish::Reuse, "--untiled", "--overlap reuse"),
            (
                self.untiled && self.materialize == MaterializeWish::Recompute,
                "--untiled",
                "--materialize recompute",
            ),
            (self.untiled && self.materialize == MaterializeWish::Tiles, "--untiled", "--materialize tiles"),
            (self.plan.is_some() && self.tile.is_some(), "--plan", "--tile"),
            (self.plan.is_some() && self.untiled, "--plan", "--untiled"),
            (self.plan.is_some() && !self.cut_after.is_empty(), "--plan", "--cut-after"),
            (self.plan.is_some() && self.overlap != OverlapWish::Auto, "--plan", "--overlap"),
            (self.plan.is_some() && self.grad != GradientWish::Halo, "--plan", "--grad"),
            (self.plan.is_some() && self.padding != PaddingWish::Post, "--plan", "--padding"),
            (self.weights.is_some() && self.seed.is_some(), "--weights", "--seed"),
        ];
        if let Some((_, a, b)) = contradictions.into_iter().find(|c| c.0) {
            let message = format!("`{a}` and `{b}` contradict each other");
            return Err(Diagnostic::error(Code::E0004, message).into());
        }
        Ok(CompileOptions {
            sram: self.sram,
            memory: self.memory,
            threads: self.threads,
            tile: self.tile,
            untiled: self.untiled,
            cut_after: self.cut_after.clone(),
            materialize: match self.materialize {
                MaterializeWish::Auto => None,
                MaterializeWish::Keep => Some(Materialize::Keep),
                MaterializeWish::Tiles => Some(Materialize::Tiles),
                MaterializeWish::Recompute => Some(Materialize::Recompute),
            },
            overlap: match self.overlap {
                OverlapWish::Auto => None,
                OverlapWish::Recompute => Some(Overlap::Recompute),
                OverlapWish::Reuse => Some(Overlap::Reuse),
            },
            padding: match self.padding {
                PaddingWish::Post => Padding::Post,
                PaddingWish::Pre => Padding::Pre,
            },
            gradient: match self.grad {
                GradientWish::Halo => Gradient::Halo,
                GradientWish::Rmw => Gradient::Rmw,
            },
            plan: self.plan.as_deref().map(kept_plan).transpose()?,
            weights: self.weights.clone(),
            seed: self.seed.unwrap_or(0),
            ..CompileOptions::new(machine(self.machine.as_deref().unwrap_or("host"))?)
        })
    }

    /// Refuses what has no say any more where sections are cut, or instructions written.
    pub(crate) fn refuse_planned(&self, module: &Module, binding: &Binding) -> Result<(), Failure> {
        let tile_settled = match module {
            Module::Graph(_) => return Ok(()),
            Module::Sections(ir) => ir.sections.iter().all(|s| s.tile.is_some()),
            Module::Program(_) => true,
        };
        let given = self
            .plan_options(tile_settled)
            .chain([("--threads", self.threads.is_some()), ("--bind", !binding.bind.is_empty())]);
        refuse(given, &format!("the {} of the file are planned already", plural(module.level())))
    }

    /// Refuses what a program has settled: all but the number of threads.
    pub(crate) fn refuse_compiled(&self, binding: &Binding) -> Result<(), Failure> {
        let more = [
            ("--weights", self.weights.is_some()),
            ("--seed", self.seed.is_some()),
            ("--bind", !binding.bind.is_empty()),
        ];
        refuse(self.plan_options(true).chain(more), "the program is compiled already")
    }

    /// Options that a plan comes from, and whether they are given.
    fn plan_options(&self, with_tile: bool) -> impl Iterator<Item = (&'static str, bool)> {
        let options = [
            ("--machine", self.machine.is_some()),
            ("--sram", self.sram.is_some()),
            ("--memory", self.memory.is_some()),
            ("--tile", with_tile && self.tile.is_some()),
            ("--cut-after", !self.cut_after.is_empty()),
            ("--untiled", self.untiled),
            ("--overlap", self.overlap != OverlapWish::Auto),
            ("--materialize", self.materialize != MaterializeWish::Auto),
            ("--padding", self.padding != PaddingWish::Post),
            ("--grad", self.grad != GradientWish::Halo),
            ("--plan", self.plan.is_some()),
        ];
        options.into_iter()
    }
}

fn refuse(options: impl IntoIterator<Item = (&'static str, bool)>, why: &str) -> Result<(), Failure> {
    match options.into_iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            Err(Diagnostic::error(Code::E0004, format!("`{name}` has no effect here: {why}")).into())
        }
        None => Ok(()),
    }
}

fn plural(level: Level) -> &'static str {
    match level {
        Level::Graph | Level::Sections => "sections",
        Level::Program => "instructions",
    }
}

fn kept_plan(path: &Path) -> Result<KeptPlan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))?;
    KeptPlan::parse(&text).map_err(|d| d.note(format!("in `{}`", path.display())).into())
}

fn machine(name: &str) -> Result<Machine, Failure> {
    Machine::load(name).map_err(|error| match error {
        MachineError::Read { path, source } => unreadable(&path, &source).into(),
        MachineError::Toml { message, span, .. } => {
            let source = SourceFile::new(name, std::fs::read_to_string(name).unwrap_or_default());
            let diagnostic = Diagnostic::error(Code::E0706, message);
            let label = span.map(|s| Span::new(s.start as u32, s.end as u32));
            let diagnostic = label.map_or(diagnostic.clone(), |span| diagnostic.label(span, ""));
            Failure::new(vec![diagnostic], &source)
        }
        MachineError::Value { .. } => {
            Diagnostic::error(Code::E0706, format!("machine `{name}`: {error}")).into()
        }
        MachineError::Unknown { .. } => Diagnostic::error(Code::E0706, error.to_string()).into(),
    })
}

impl Binding {
    /// As the compiler takes them.
    pub(crate) fn bindings(&self) -> Result<Bindings, Failure> {
        let mut bindings = Bindings::default();
        for (name, value) in &self.bind {
            if bindings.insert(name.clone(), *value).is_some_and(|old| old != *value) {
                return Err(
                    Diagnostic::error(Code::E0508, format!("`--bind` gives `{name}` two sizes")).into()
                );
            }
        }
        Ok(bindings)
    }
}

impl Running {
    /// For the engine: the workers asked for, or those of the machine as far as there are processors.
    pub(crate) fn options(
        &self,
        threads: Option<u32>,
        machine: &Machine,
    ) -> zellige_runtime::engine::Options {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = threads.map_or((machine.units as usize).clamp(1, processors), |n| n as usize);
        zellige_runtime::engine::Options {
            spill: None,
            engine: match self.engine {
                Engine::Native => EngineKind::Native,
                Engine::Jit => EngineKind::Jit,
            },
            isa: self.isa,
            threads,
            checked: self.checked,
            profile: false,
            limits: None,
        }
    }
}

/// A `NAME=FILE` argument; the name may be left out.
#[derive(Clone, Debug)]
pub(crate) struct NamedFile {
    /// Which input or output.
    pub(crate) name: Option<String>,
    /// The file.
    pub(crate) path: PathBuf,
}

/// Reads `NAME=FILE` or `FILE`.
pub(crate) fn named_file(text: &str) -> Result<NamedFile, String> {
    let is_name = |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    Ok(match text.split_once('=') {
        Some((name, path)) if is_name(name) => NamedFile { name: Some(name.to_owned()), path: path.into() },
        _ => NamedFile { name: None, path: text.into() },
    })
}

/// Pairs names with files: a file without a name goes to the only tensor there is.
pub(crate) fn assign(
    files: &[NamedFile],
    names: &[String],
    side: &str,
) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut assigned: Vec<(String, PathBuf)> = Vec::new();
    let list = format!("`{}`", names.join("`, `"));
    for file in files {
        let name = match (&file.name, names) {
            (Some(name), _) if names.contains(name) => name.clone(),
            (Some(name), _) => {
                let hint = zellige_grammar::suggest::did_you_mean(name, names.iter().map(String::as_str));
                let message = format!("the model has no {side} `{name}`; it has {list}");
                return Err(Diagnostic::error(Code::E0507, message).maybe_hint(hint).into());
            }
            (None, [name]) => name.clone(),
            (None, _) => {
                let message =
                    format!("it is not clear which {side} `{}` is; there are {list}", file.path.display());
                let hint = format!(
                    "say which, as in `{}={}`",
                    names.first().map_or("", String::as_str),
                    file.path.display()
                );
                return Err(Diagnostic::error(Code::E0504, message).hint(hint).into());
            }
        };
        if assigned.iter().any(|(n, _)| *n == name) {
            return Err(Diagnostic::error(Code::E0004, format!("{side} `{name}` is given twice")).into());
        }
        assigned.push((name, file.path.clone()));
    }
    if let Some(name) = names.iter().find(|n| assigned.iter().all(|(a, _)| a != *n)) {
        let letter = if side == "input" { "-i" } else { "-o" };
        let message = format!("no file is given for {side} `{name}`");
        let hint = format!("give it with `{letter} {name}=FILE`");
        return Err(Diagnostic::error(Code::E0504, message).hint(hint).into());
    }
    Ok(assigned)
}

/// Sizes of inputs by name.
pub(crate) fn given(inputs: &[InputFile]) -> Result<Given, Failure> {
    inputs.iter().map(|file| Ok((file.name.clone(), file.sizes()?))).collect()
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text)
        .filter(|&s| s > 0)
        .ok_or_else(|| "a size is a number of bytes such as 4096, 512KiB, 2MiB or 1GiB".to_owned())
}

fn threads(text: &str) -> Result<u32, String> {
    let count = text.parse::<u32>().ok().filter(|n| (1..=MOST_THREADS).contains(n));
    count.ok_or_else(|| format!("there are 1 to {MOST_THREADS} workers"))
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

/// A number of things, of which there is one at least.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "this is a whole number, 1 or more".to_owned())
}

/// A number of runs.
pub(crate) fn repeat(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "a number of runs is 1 or more".to_owned())
}

/// Rows and columns.
pub(crate) fn tile(text: &str) -> Result<[u64; 2], String> {
    let side = |s: &str| s.parse::<u64>().ok().filter(|&v| v > 0);
    text.split_once('x')
        .and_then(|(h, w)| Some([side(h)?, side(w)?]))
        .ok_or_else(|| "this is rows x columns, such as 64x128".to_owned())
}

fn binding(text: &str) -> Result<(String, i64), String> {
    text.split_once('=')
        .and_then(|(name, value)| Some((name.to_owned(), value.parse::<i64>().ok().filter(|&v| v > 0)?)))
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| "a binding is a symbol and a size, such as H=512".to_owned())
}
