//! The steps of a training.

use std::sync::atomic::{AtomicBool, Ordering};

use zellige_compiler::driver::{Failure, Found, Optimization, Trainer};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::curve::{Log, Row};
use zellige_runtime::dataset::{Kept, Sample};
use zellige_runtime::engine::{Control, Input};
use zellige_runtime::optimizer::Accumulated;
use zellige_runtime::random::Key;

use super::bars::{Bar, Bars};
use super::checkpoints::Checkpoints;
use super::divergence::{check_found, check_parameters};
use super::examples::Examples;
use super::log_failure;
use crate::borders::Source;
use crate::interrupt;

/// A training in progress.
pub(super) struct Session {
    pub(super) trainer: Trainer,
    pub(super) optimization: Optimization,
    pub(super) examples: Examples,
    pub(super) validation: Option<Examples>,
    /// Images of both.
    pub(super) kept: Kept,
    pub(super) checkpoints: Checkpoints,
    pub(super) log: Log,
    /// All rows of the log.
    pub(super) rows: Vec<Row>,
    pub(super) every: Every,
}

/// Numbers of steps between two of a kind.
pub(super) struct Every {
    pub(super) validation: u64,
    pub(super) checkpoint: u64,
}

impl Session {
    /// Does the steps that are not done yet; whether that were all. Who is interrupted finishes the step, not its validation, and leaves
    /// a checkpoint.
    pub(super) fn run(&mut self, done: u64, steps: u64) -> Result<bool, Failure> {
        let mut ended = Ok(());
        let finished = interrupt::watched(|stop| {
            let mut bars = Bars::new(done, steps, stop);
            ended = self.steps(done, steps, stop, &mut bars);
            bars.clear();
        });
        ended?;
        Ok(finished.is_some())
    }

    fn steps(
        &mut self,
        done: u64,
        steps: u64,
        stop: &AtomicBool,
        bars: &mut Bars<'_>,
    ) -> Result<(), Failure> {
        let stopped = || stop.load(Ordering::SeqCst);
        for number in done..steps {
            bars.begin();
            let last = number + 1 == steps;
            let mut row = self.step(number, bars)?;
            // The step is done, whatever may be wrong with the images that it is validated on.
            let mut validated = Ok(());
            if !stopped() && (last || (number + 1).is_multiple_of(self.every.validation)) {
                validated = self.validate(stop, bars).map(|loss| row.validation = loss);
            }
            row.seconds = bars.seconds();
            self.log.append(&row).map_err(|e| log_failure(&e))?;
            bars.end(&row);
            self.rows.push(row);
            let stopped = stopped();
            let ends = stopped || last || validated.is_err();
            if ends || (number + 1).is_multiple_of(self.every.checkpoint) {
                self.checkpoints.save(number + 1, &self.trainer, &self.optimization)?;
            }
            validated?;
            if stopped {
                break;
            }
        }
        Ok(())
    }

    /// The means of loss and gradients over all examples of the step, and what the optimizer makes of them.
    fn step(&mut self, number: u64, bars: &Bars<'_>) -> Result<Row, Failure> {
        let batches = self.trainer.trainee().training.accumulate;
        let (mut gradients, mut losses, mut epoch) = (Accumulated::default(), Vec::new(), 0);
        for batch in 0..batches {
            let samples = self.examples.batch(number * batches + batch)?;
            epoch = samples.iter().map(|sample| sample.epoch).max().unwrap_or(epoch);
            let together = if self.trainer.is_joint() { samples.len().max(1) } else { 1 };
            let random = Key::of_dropout(self.examples.seed(), number * batches + batch);
            let runs = samples.chunks(together);
            let (first, all) = (batch * runs.len() as u64, batches * runs.len() as u64);
            for (run, samples) in (first..).zip(runs) {
                let found = self.gradients(number + 1, samples, random, &bars.of("run", run, all))?;
                gradients.add(&found.gradients.iter().map(Vec::as_slice).collect::<Vec<_>>());
                losses.push(found.loss);
            }
        }
        let stepped = self.optimization.step(number, self.trainer.parameters_mut(), gradients.take());
        check_parameters(number + 1, self.trainer.parameters())?;
        Ok(Row {
            step: number + 1,
            epoch,
            loss: mean(&losses),
            lr: stepped.rate,
            gradient_norm: stepped.norm,
            seconds: 0.0,
            validation: None,
        })
    }

    /// Loss and gradients of samples that are one step, which running averages follow.
    fn gradients(
        &mut self,
        step: u64,
        samples: &[Sample],
        random: Key,
        bar: &Bar<'_>,
    ) -> Result<Found, Failure> {
        let sizes: Vec<_> = samples.iter().map(|sample| self.examples.sizes(sample)).collect();
        let program = self.trainer.program(&sizes)?;
        self.kept.set_room(self.trainer.room(&program));
        let load = |sample| self.examples.load(sample, program.report.streamed, &mut self.kept);
        let loaded = samples.iter().map(load).collect::<Result<Vec<_>, _>>()?;
        let images: Vec<_> = loaded.iter().map(|inputs| views(inputs)).collect();
        let images: Vec<_> = images.iter().map(Vec::as_slice).collect();
        let found = bar.during(|progress| {
            let control = Control { cancel: None, progress: Some(progress) };
            self.trainer.gradients(&program, &images, random, &mut [], &control)
        });
        let found = found?.ok_or_else(cancelled)?;
        let files = samples.iter().map(|sample| self.examples.files(sample));
        let batch: Vec<_> = files.zip(loaded.iter().map(Vec::as_slice)).collect();
        check_found(step, &found, &program, self.trainer.parameters(), &batch)?;
        self.trainer.follow(&program, &found);
        Ok(found)
    }

    /// The mean loss of whole images; `None` if there are none, or the user stopped it.
    fn validate(&mut self, stop: &AtomicBool, bars: &Bars<'_>) -> Result<Option<f32>, Failure> {
        let Some(examples) = &self.validation else { return Ok(None) };
        let mut losses = Vec::new();
        let images = examples.whole();
        let all = images.len() as u64;
        for (image, sample) in (0..).zip(images) {
            let bar = bars.of("validation image", image, all);
            let program = self.trainer.loss_program(&examples.sizes(&sample))?;
            self.kept.set_room(self.trainer.room(&program));
            let inputs = examples.load(&sample, program.report.streamed, &mut self.kept)?;
            let loss = bar.during(|progress| {
                let control = Control { cancel: Some(stop), progress: Some(progress) };
                self.trainer.loss(&program, &views(&inputs), &control)
            });
            match loss? {
                Some(loss) => losses.push(loss),
                None => return Ok(None),
            }
        }
        Ok(Some(mean(&losses)))
    }
}

fn views(inputs: &[(String, Source)]) -> Vec<(&str, Input<'_>)> {
    inputs.iter().map(|(name, source)| (name.as_str(), source.input())).collect()
}

fn cancelled() -> Failure {
    Diagnostic::error(Code::E0901, "a step was cancelled").into()
}

fn mean(losses: &[f32]) -> f32 {
    let sum: f64 = losses.iter().map(|&loss| f64::from(loss)).sum();
    (sum / losses.len() as f64) as f32
}
