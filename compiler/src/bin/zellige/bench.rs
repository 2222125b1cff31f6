//! `zellige bench`: how long a model takes.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use zellige_compiler::driver::{Failure, Opened, Trainee, engine_failure};
use zellige_compiler::passes::RANDOM_KEY;
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{Executable, Options, RunStats};
use zellige_runtime::io::Array;
use zellige_runtime::program::{Program, Role};
use zellige_runtime::random::Key;

use crate::borders::Source;
use crate::execute;
use crate::grad::gradients;
use crate::options::{Binding, Compiling, Running, repeat};
use crate::output::{self, MessageFormat, Outcome};
use crate::run::not_run;
use crate::stats::{Compiled, Stats};
use crate::training::Training;

/// Time a model on random input
#[derive(Args)]
pub(crate) struct Bench {
    /// Model (.zlg, .zir) or program (.zlp)
    model: PathBuf,
    /// Number of timed runs, after one that is not
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = repeat)]
    repeat: u32,
    /// Time training steps: loss, gradients and optimizer; of a model without a training section with `mse` and `sgd`
    #[arg(long)]
    train: bool,
    /// One JSON object on the last line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    running: Running,
}

/// Runs that were timed.
struct Timed {
    compiled: Compiled,
    load_ms: f64,
    runs: Vec<RunStats>,
}

impl Bench {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let timed = if self.train { self.steps(messages)? } else { self.runs(messages)? };
        let Some(Timed { compiled, load_ms, runs }) = timed else { return Ok(Outcome::Interrupted) };
        let stats = Stats::new(&compiled, load_ms, &runs);
        if self.json {
            output::say(&format!("{}\n", stats.json()))?;
        } else {
            output::say(&summary(&stats, &compiled))?;
        }
        Ok(Outcome::Done)
    }

    /// Times runs; `None` if the user stopped them.
    fn runs(&self, messages: MessageFormat) -> Result<Option<Timed>, Failure> {
        let (program, compiled) = self.program(messages)?;
        let inputs = random_inputs(&program)?;
        let options = self.running.options(self.compiling.threads, &program.machine);
        let options = Options { spill: self.compiling.spill.clone(), ..options };
        let start = Instant::now();
        let mut executable = Executable::load(program, &options).map_err(|e| engine_failure(&e))?;
        let load_ms = start.elapsed().as_secs_f64() * 1e3;
        let mut outputs = execute::output_arrays(executable.program())?;
        let mut runs = Vec::new();
        for i in 0..=self.repeat {
            match execute::run(&mut executable, &inputs, &mut outputs)? {
                Some(stats) if i > 0 => runs.push(stats),
                Some(_) => {}
                None => return Ok(None),
            }
        }
        Ok(Some(Timed { compiled, load_ms, runs }))
    }

    /// Times steps of a training; `None` if the user stopped them.
    fn steps(&self, messages: MessageFormat) -> Result<Option<Timed>, Failure> {
        let trainee = Trainee::open_any(&self.model)?;
        let bound = trainee.model.bind(&Vec::new(), &self.binding.bindings()?)?;
        let sizes = [trainee.sizes(&bound)];
        let mut trainer =
            self.training.trainer(trainee, Vec::new(), &self.compiling, &self.running, messages)?;
        let start = Instant::now();
        let program = trainer.program(&sizes)?;
        let compiled = Compiled::since(start, program.report.clone());
        let mut inputs = random_inputs(&program.program)?;
        inputs.retain(|(name, _)| name != RANDOM_KEY);
        let mut optimization = trainer.optimization(&program)?;
        let mut runs = Vec::new();
        for number in 0..=u64::from(self.repeat) {
            let start = Instant::now();
            let random = Key::of_dropout(0, number);
            let Some(found) = gradients(&mut trainer, &program, &inputs, random, &mut [])? else {
                return Ok(None);
            };
            optimization.step(number, trainer.parameters_mut(), found.gradients);
            let nanoseconds = start.elapsed().as_nanos() as u64;
            if number > 0 {
                runs.push(RunStats { nanoseconds, ..found.stats });
            }
        }
        Ok(Some(Timed { compiled, load_ms: 0.0, runs }))
    }

    fn program(&self, messages: MessageFormat) -> Result<(Program, Compiled), Failure> {
        match messages.open(&self.model)? {
            Opened::Program(program) => {
                self.compiling.refuse_compiled(&self.binding)?;
                Ok((*program, Compiled::before()))
            }
            Opened::Model(model) => {
                let options = self.compiling.options()?;
                let start = Instant::now();
                let graph = model.bind(&Vec::new(), &self.binding.bindings()?)?;
                let (program, report) = model.compile(&graph, &options)?;
                Ok((program, Compiled::since(start, report)))
            }
            Opened::Ir(module, _) => Err(not_run(&module)),
        }
    }
}

/// Uniform in 0..1, the same every time.
fn random_inputs(program: &Program) -> Result<Vec<(String, Source)>, Failure> {
    let mut rng = fastrand::Rng::with_seed(1);
    let inputs = program.tensors.iter().filter(|t| t.role == Role::Input);
    inputs
        .map(|t| {
            let mut array = Array::zeros(t.dims, u64::MAX)
                .map_err(|e| Failure::from(Diagnostic::error(Code::E0906, e.to_string())))?;
            array.data.iter_mut().for_each(|v| *v = rng.f32());
            Ok((t.name.clone(), Source::Array(array)))
        })
        .collect()
}

fn summary(stats: &Stats<'_>, compiled: &Compiled) -> String {
    let ms = stats.run_ms();
    let rate = compiled.report.as_ref().map_or(String::new(), |r| {
        format!(", {:.1} GFLOP/s, recompute ratio {:.3}", r.flops / ms / 1e6, r.recompute_ratio)
    });
    format!("{ms:.2} ms{rate}\n")
}
