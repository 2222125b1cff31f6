//! Loading a program into an engine and running it, with a progress bar.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zellige_compiler::driver::{Failure, engine_failure};
use zellige_runtime::engine::{Control, EngineError, Executable, Progress, RunStats};
use zellige_runtime::program::{Program, Role};

use crate::borders::{Sink, Source, outputs};
use crate::interrupt;

/// How long a run may take before its progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Names of a program's inputs or outputs.
pub(crate) fn names(program: &Program, role: Role) -> Vec<String> {
    program.tensors.iter().filter(|t| t.role == role).map(|t| t.name.clone()).collect()
}

/// Arrays of zeros for a program's outputs.
pub(crate) fn output_arrays(program: &Program) -> Result<Vec<(String, Sink)>, Failure> {
    outputs(program).map(|t| Sink::in_memory(t).map(|sink| (t.name.clone(), sink))).collect()
}

/// Runs a program once; `None` if the user stopped it.
pub(crate) fn run(
    executable: &mut Executable,
    inputs: &[(String, Source)],
    outputs: &mut [(String, Sink)],
) -> Result<Option<RunStats>, Failure> {
    let inputs: Vec<_> = inputs.iter().map(|(name, source)| (name.as_str(), source.input())).collect();
    let mut outputs: Vec<_> = outputs.iter_mut().map(|(name, sink)| (name.as_str(), sink.output())).collect();
    match shown(|control| executable.run_windows(&inputs, &mut outputs, control)) {
        None | Some(Err(EngineError::Cancelled)) => Ok(None),
        Some(Ok(stats)) => Ok(Some(stats)),
        Some(Err(error)) => Err(engine_failure(&error)),
    }
}

/// Does work that the user can stop, and sees progress; `None` if it was stopped.
pub(crate) fn shown<T>(work: impl FnOnce(&Control<'_>) -> T) -> Option<T> {
    let appear = |bar: &ProgressBar| bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(4));
    with_bar(Instant::now(), "", appear, |progress| {
        interrupt::watched(|cancel| work(&Control { cancel: Some(cancel), progress: Some(progress) }))
    })
}

/// Does work that says how many tiles are done: `what`, and that, is on a bar, which `appear` is to show if the work is not done a
/// while after `start`.
pub(crate) fn with_bar<T>(
    start: Instant,
    what: &str,
    appear: impl Fn(&ProgressBar),
    work: impl FnOnce(&dyn Fn(Progress)) -> T,
) -> T {
    let (bar, appeared) = (progress_bar(), Cell::new(false));
    let show = |p: Progress| {
        bar.set_length(p.tiles);
        bar.set_position(p.tiles_done);
        bar.set_message(format!("{what}section {} of {}", p.section + 1, p.sections));
        if start.elapsed() >= PATIENCE && !appeared.replace(true) {
            appear(&bar);
        }
    };
    let done = work(&show);
    bar.finish_and_clear();
    done
}

/// A bar that draws nothing yet.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} tiles  {msg}  {eta} left");
    ProgressBar::hidden().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
