//! How far a training is, on standard error, if that is a terminal.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use zellige_runtime::curve::Row;
use zellige_runtime::engine::Progress;

use crate::execute;

/// A bar of the steps, and below it one of the tiles of what runs, where that takes a while.
pub(super) struct Bars<'a> {
    /// Whether the user wants it to stop.
    stop: &'a AtomicBool,
    all: MultiProgress,
    steps: ProgressBar,
    /// When the step began.
    start: Instant,
}

impl<'a> Bars<'a> {
    /// After `done` of `steps`.
    pub(super) fn new(done: u64, steps: u64, stop: &'a AtomicBool) -> Self {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} steps  {msg}  {left}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("left", left);
        let all = MultiProgress::new();
        let bar = all.add(ProgressBar::new(steps).with_style(style));
        bar.set_position(done);
        // What was done before says nothing about the time that steps take.
        bar.reset_eta();
        Self { stop, all, steps: bar, start: Instant::now() }
    }

    /// A step begins.
    pub(super) fn begin(&mut self) {
        self.start = Instant::now();
    }

    /// Seconds of the step so far.
    pub(super) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// A step is done.
    pub(super) fn end(&self, row: &Row) {
        let validation = row.validation.map_or(String::new(), |loss| format!(", validation {loss:.6}"));
        self.steps.set_message(format!("loss {:.6}{validation}", row.loss));
        self.steps.set_position(row.step);
    }

    /// All steps are done, or as many as will be.
    pub(super) fn clear(&self) {
        self.steps.finish_and_clear();
    }

    /// Of number `run` of `all` runs of a kind.
    pub(super) fn of(&self, kind: &str, run: u64, all: u64) -> Bar<'_> {
        Bar { bars: self, what: format!("{kind} {} of {all}, ", run + 1) }
    }
}

/// The bar of a run.
pub(super) struct Bar<'a> {
    bars: &'a Bars<'a>,
    what: String,
}

impl Bar<'_> {
    /// Does the run, which says how far it is.
    pub(super) fn during<T>(&self, run: impl FnOnce(&dyn Fn(Progress)) -> T) -> T {
        let appear = |bar: &ProgressBar| {
            self.bars.all.add(bar.clone());
            self.bars.steps.tick();
        };
        execute::with_bar(self.bars.start, &self.what, appear, |progress| {
            run(&|p| {
                if self.bars.stop.load(Ordering::SeqCst) {
                    self.bars.steps.set_message("stops after this step, at once if asked again");
                }
                progress(p);
            })
        })
    }
}

/// How long the steps will still take, once one of them has said how long that is.
fn left(state: &ProgressState, out: &mut dyn Write) {
    if state.per_sec() > 0.0 {
        // Nobody is left to be told if a bar cannot be drawn.
        let _ = write!(out, "{:#} left", HumanDuration(state.eta()));
    }
}
