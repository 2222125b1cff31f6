//! Checkpoints of a training: where they are, and of what training.

use std::path::PathBuf;

use zellige_compiler::driver::{Failure, Optimization, Trainer, io_failure};
use zellige_compiler::ir::{Module, text};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::checkpoint::{
    self, CheckpointError, Configuration, Declared, Mismatch, Parameter, fingerprint,
};
use zellige_runtime::io::IoError;

use super::examples::Examples;
use crate::training::Training;

/// What to do about a checkpoint of another training.
const SAME: &str =
    "`--resume` goes on with what was begun; `--weights` begins another training with a checkpoint's weights";

/// What to do about a file that is no checkpoint.
const DAMAGED: &str = "remove it to begin again, or name another with `--checkpoint`";

/// The checkpoint file of a training, and what is noted in it.
pub(super) struct Checkpoints {
    path: PathBuf,
    resume: bool,
    seed: u64,
    configuration: Configuration,
}

impl Checkpoints {
    /// Refuses to begin where another training has left a checkpoint.
    pub(super) fn new(
        path: PathBuf,
        resume: bool,
        trainer: &Trainer,
        training: &Training,
        examples: &Examples,
    ) -> Result<Self, Failure> {
        if !resume && path.exists() {
            let message = format!("`{}` is there already, the checkpoint of a training", path.display());
            let hint = "`--resume` goes on from there; remove it to begin again";
            return Err(Diagnostic::error(Code::E0406, message).hint(hint).into());
        }
        let configuration = configuration(trainer, training, examples)?;
        Ok(Self { path, resume, seed: examples.seed(), configuration })
    }

    /// Number of steps done, of so many, which is that of the checkpoint if there is one.
    pub(super) fn restore(
        &self,
        trainer: &mut Trainer,
        optimization: &mut Optimization,
        steps: u64,
    ) -> Result<u64, Failure> {
        if !self.resume || !self.path.exists() {
            return Ok(0);
        }
        let trained = optimization.trained();
        let all = trainer.parameters().all().iter().enumerate();
        let declared: Vec<_> = all
            .map(|(i, p)| Declared { name: &p.name, dims: &p.dims, trained: trained.contains(&i) })
            .collect();
        let optimizer = trainer.trainee().training.optimizer()?;
        let found = checkpoint::read(&self.path, &self.configuration, optimizer, &declared);
        let found = found.map_err(|e| checkpoint_failure(&e, false))?;
        if found.seed != self.seed {
            let (is, wanted) = (found.seed, self.seed);
            let message =
                format!("the checkpoint is of another run: its seed is {is}, and this run's is {wanted}");
            return Err(Diagnostic::error(Code::E0406, message).hint(SAME).into());
        }
        if found.step > steps {
            let message = format!("the checkpoint is that of step {}, and `--steps` is {steps}", found.step);
            let hint = "`--steps` counts those before the checkpoint";
            return Err(Diagnostic::error(Code::E0406, message).hint(hint).into());
        }
        let parameters = trainer.parameters_mut().all_mut();
        parameters.iter_mut().zip(found.values).for_each(|(p, values)| p.values = values);
        optimization.restore(found.states.into_iter().flatten().collect());
        Ok(found.step)
    }

    /// Writes what there is after so many steps.
    pub(super) fn save(
        &self,
        steps: u64,
        trainer: &Trainer,
        optimization: &Optimization,
    ) -> Result<(), Failure> {
        let all = trainer.parameters().all().iter().enumerate();
        let parameters: Vec<_> = all
            .map(|(i, p)| Parameter {
                name: &p.name,
                dims: &p.dims,
                values: &p.values,
                state: optimization.state(i),
            })
            .collect();
        let written = checkpoint::write(&self.path, steps, self.seed, &self.configuration, &parameters);
        written.map_err(|e| checkpoint_failure(&e, true))
    }
}

/// What makes up a training, besides its seed: trainings of other configurations do not continue each other.
fn configuration(
    trainer: &Trainer,
    training: &Training,
    examples: &Examples,
) -> Result<Configuration, Failure> {
    let section = &trainer.trainee().training;
    let graph = text::print(&Module::Graph(trainer.trainee().model.graph.clone()));
    let clip = section.clip.map_or_else(|| "none".to_owned(), |norm| format!("{norm:?}"));
    let entries = [
        ("model", fingerprint(graph.as_bytes())),
        ("optimizer", section.optimizer()?.to_string()),
        ("schedule", section.schedule.to_string()),
        ("accumulate", section.accumulate.to_string()),
        ("clip", clip),
        ("freeze", training.freeze.join(", ")),
    ];
    let entries = entries.into_iter().chain(examples.summary());
    Ok(entries.map(|(name, value)| (name.to_owned(), value)).collect())
}

fn checkpoint_failure(error: &CheckpointError, writing: bool) -> Failure {
    match error {
        CheckpointError::File(e) if writing || is_of_the_system(e) => io_failure(e, writing),
        CheckpointError::File(_) | CheckpointError::Mismatch { .. } => {
            let differs =
                matches!(error, CheckpointError::Mismatch { mismatch: Mismatch::Configuration { .. }, .. });
            let hint = if differs { SAME } else { DAMAGED };
            Diagnostic::error(Code::E0406, error.to_string()).hint(hint).into()
        }
    }
}

/// Whether the file could not be read at all.
fn is_of_the_system(error: &IoError) -> bool {
    match error {
        IoError::File { error, .. } => is_of_the_system(error),
        other => matches!(other, IoError::Os(_)),
    }
}
