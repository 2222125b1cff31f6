//! A training whose numbers are no longer finite ends: all that would follow is NaN, and the last checkpoint is from before.

use std::path::Path;

use zellige_compiler::driver::{Failure, Found, Parameter, Parameters, TrainingProgram};
use zellige_grammar::{Code, Diagnostic};

/// Files that are named, at most.
const MOST_FILES: usize = 4;

/// That loss and gradients of a step are finite, of images from these files.
pub(super) fn check_found(
    step: u64,
    found: &Found,
    program: &TrainingProgram,
    parameters: &Parameters,
    files: &[&Path],
) -> Result<(), Failure> {
    let message = if found.loss.is_finite() {
        let mut gradients = program.trained.iter().zip(&found.gradients);
        let Some((&of, _)) = gradients.find(|(_, values)| !are_finite(values)) else { return Ok(()) };
        format!("the gradient of `{}` is not finite in step {step}", parameters.all()[of].name)
    } else {
        format!("the loss is {} in step {step}", found.loss)
    };
    let named: Vec<_> = files.iter().take(MOST_FILES).map(|file| format!("`{}`", file.display())).collect();
    let more = match files.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(diverged(message).note(format!("on {}{more}", named.join(", "))).into())
}

/// That the parameters are finite after a step.
pub(super) fn check_parameters(step: u64, parameters: &Parameters) -> Result<(), Failure> {
    let infinite = |parameter: &&Parameter| !are_finite(&parameter.values);
    match parameters.all().iter().find(infinite) {
        Some(parameter) => {
            Err(diverged(format!("`{}` is not finite after step {step}", parameter.name)).into())
        }
        None => Ok(()),
    }
}

fn are_finite(values: &[f32]) -> bool {
    values.iter().all(|value| value.is_finite())
}

fn diverged(message: String) -> Diagnostic {
    Diagnostic::error(Code::E0909, message)
        .hint("a smaller `lr`, `clip` or a `warmup` may keep it finite, if the data are")
}
