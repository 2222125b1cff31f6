//! `zellige train`: weights that follow the gradients of a loss on a folder of examples.

mod bars;
mod checkpoints;
mod divergence;
mod examples;
mod session;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use zellige_compiler::driver::{Failure, Parameter, Trainee, Trainer, io_failure};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::curve::{self, Log, LogError, Row};
use zellige_runtime::dataset::{Kept, Sampling};
use zellige_runtime::io::safetensors;

use crate::options::{Compiling, Running, count, tile};
use crate::output::{self, MessageFormat, Outcome};
use crate::training::Training;
use checkpoints::Checkpoints;
use examples::Examples;
use session::{Every, Session};

/// Train a model on pairs of images and targets
#[derive(Args)]
pub(crate) struct Train {
    /// Model (.zlg) with a training section
    model: PathBuf,
    /// Folder with a folder for each input of the model and of its training; files of one stem belong together
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Number of steps, those before a resumed checkpoint included
    #[arg(long, value_name = "N", value_parser = count)]
    steps: u64,
    /// File for the weights: .safetensors
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Examples a step; the loss is the mean of theirs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count)]
    batch: u64,
    /// Rows and columns of the model's first input that an example has, at a random place; all of them if not given
    #[arg(long, value_name = "HxW", value_parser = tile)]
    crop: Option<[u64; 2]>,
    /// How examples are varied at random
    #[arg(long, value_enum, value_name = "HOW", value_delimiter = ',')]
    augment: Vec<Augment>,
    /// Folder like that of --data, on whose whole images the loss is measured
    #[arg(long, value_name = "DIR")]
    validate: Option<PathBuf>,
    /// Steps between measurements of --validate
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = count)]
    validate_every: u64,
    /// Go on from the checkpoint, or begin where there is none
    #[arg(long)]
    resume: bool,
    /// Checkpoint file; beside the output, with the extension .checkpoint.safetensors, if not given
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Steps between checkpoints
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = count)]
    checkpoint_every: u64,
    /// File with a line a step; beside the output, with the extension .csv, if not given
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// File for the curve of the loss; beside the output, with the extension .svg, if not given
    #[arg(long, value_name = "FILE")]
    curve: Option<PathBuf>,
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    running: Running,
}

/// `--augment`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Augment {
    /// Half of them upside down, half of them left to right
    Flips,
    /// Turned by quarters; by halves where a crop is not square
    Turns,
}

/// Files that a training writes.
struct Files {
    weights: PathBuf,
    checkpoint: PathBuf,
    log: PathBuf,
    curve: PathBuf,
}

impl Train {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let files = self.files()?;
        let trainee = Trainee::open(&self.model)?;
        let examples = Examples::open(&trainee, &self.data, self.sampling())?;
        let validation = self.validate.as_ref();
        let validation =
            validation.map(|dir| Examples::open(&trainee, dir, Sampling::default())).transpose()?;
        let title = trainee.model.graph.name.clone();
        let mut trainer =
            self.training.trainer(trainee, Vec::new(), &self.compiling, &self.running, messages)?;
        let first = trainer.program(&examples.first_step(trainer.is_joint())?)?;
        let mut optimization = trainer.optimization(&first)?;
        plan_for_largest(&mut trainer, &examples, validation.as_ref())?;
        let checkpoints =
            Checkpoints::new(files.checkpoint.clone(), self.resume, &trainer, &self.training, &examples)?;
        let done = checkpoints.restore(&mut trainer, &mut optimization, self.steps)?;
        let (log, rows) = Log::resume(&files.log, done).map_err(|e| log_failure(&e))?;
        let every = Every { validation: self.validate_every, checkpoint: self.checkpoint_every };
        let kept = Kept::default();
        let mut session =
            Session { trainer, optimization, examples, validation, kept, checkpoints, log, rows, every };
        let finished = session.run(done, self.steps);
        // Also of what has failed: it shows how that came.
        save_curve(&files.curve, &title, &session.rows)?;
        if !finished? {
            return Ok(Outcome::Paused { steps: session.rows.last().map_or(done, |row| row.step) });
        }
        let tensors: Vec<_> = session.trainer.parameters().all().iter().map(Parameter::tensor).collect();
        safetensors::write(&files.weights, &tensors).map_err(|e| io_failure(&e, true))?;
        output::say(&summary(&session.rows))?;
        Ok(Outcome::Done)
    }

    fn sampling(&self) -> Sampling {
        Sampling {
            seed: self.compiling.seed.unwrap_or(0),
            batch: self.batch,
            crop: self.crop,
            flips: self.augment.contains(&Augment::Flips),
            turns: self.augment.contains(&Augment::Turns),
        }
    }

    /// Where everything goes. That it can be written is said before the work and not after it.
    fn files(&self) -> Result<Files, Failure> {
        output::check_extension(&self.output, "safetensors", "weights")?;
        let beside = |given: &Option<PathBuf>, extension: &str| {
            given.clone().unwrap_or_else(|| self.output.with_extension(extension))
        };
        let files = Files {
            weights: self.output.clone(),
            checkpoint: beside(&self.checkpoint, "checkpoint.safetensors"),
            log: beside(&self.log, "csv"),
            curve: beside(&self.curve, "svg"),
        };
        output::check_extension(&files.curve, "svg", "a curve")?;
        let paths = [&files.weights, &files.checkpoint, &files.log, &files.curve];
        for (i, path) in paths.iter().enumerate() {
            output::probe(path)?;
            if paths[..i].contains(path) {
                let message = format!("two things would be written to `{}`", path.display());
                return Err(Diagnostic::error(Code::E0004, message).into());
            }
        }
        Ok(files)
    }
}

/// That there are plans for the largest images is said before the first step, and not when it is their turn. (Of those that are one step
/// with others nobody knows with which before.)
fn plan_for_largest(
    trainer: &mut Trainer,
    examples: &Examples,
    validation: Option<&Examples>,
) -> Result<(), Failure> {
    if !trainer.is_joint() {
        examples.with_largest(|sizes| trainer.program(&[sizes]))?;
    }
    if let Some(validation) = validation {
        validation.with_largest(|sizes| trainer.loss_program(&sizes))?;
    }
    Ok(())
}

/// What a training has come to.
fn summary(rows: &[Row]) -> String {
    let Some(last) = rows.last() else { return String::new() };
    let validation = rows.iter().rev().find_map(|row| Some((row.step, row.validation?)));
    let validation =
        validation.map_or(String::new(), |(step, loss)| format!(", validation {loss} after step {step}"));
    format!("step {}: loss {}{validation}\n", last.step, last.loss)
}

fn save_curve(path: &Path, title: &str, rows: &[Row]) -> Result<(), Failure> {
    output::save(path, curve::svg(title, rows).as_bytes())
}

fn log_failure(error: &LogError) -> Failure {
    match error {
        LogError::Io(e) => io_failure(e, true),
        LogError::Foreign(_) | LogError::Line { .. } => {
            Diagnostic::error(Code::E0512, error.to_string()).into()
        }
    }
}
