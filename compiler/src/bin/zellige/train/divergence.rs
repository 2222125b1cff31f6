//! A training whose numbers are no longer finite ends: all that would follow is NaN, and the last checkpoint is from before.

use std::path::PathBuf;

use zellige_compiler::driver::{Failure, Found, Parameter, Parameters, TrainingProgram};
use zellige_grammar::{Code, Diagnostic};

use crate::borders::Source;

/// Files that are named, at most.
const MOST_FILES: usize = 4;

/// Files of an example, and what was read of each.
type Example<'a> = (&'a [PathBuf], &'a [(String, Source)]);

/// That loss and gradients of a step are finite, of these examples.
pub(super) fn check_found(
    step: u64,
    found: &Found,
    program: &TrainingProgram,
    parameters: &Parameters,
    batch: &[Example<'_>],
) -> Result<(), Failure> {
    let message = if found.loss.is_finite() {
        let mut gradients = program.trained.iter().zip(&found.gradients);
        let Some((&of, _)) = gradients.find(|(_, values)| !are_finite(values)) else { return Ok(()) };
        format!("the gradient of `{}` is not finite in step {step}", parameters.all()[of].name)
    } else {
        format!("the loss is {} in step {step}", found.loss)
    };
    if let Some(file) = batch.iter().find_map(not_finite) {
        let note = format!("`{}` has values that are not finite", file.display());
        return Err(Diagnostic::error(Code::E0909, message).note(note).into());
    }
    let first = batch.iter().filter_map(|(files, _)| files.first());
    let named: Vec<_> = first.take(MOST_FILES).map(|file| format!("`{}`", file.display())).collect();
    let more = match batch.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(diverged(message).note(format!("on {}{more}", named.join(", "))).into())
}

/// The file of an example with a value that is not finite, of those that were read as a whole.
fn not_finite<'a>((files, inputs): &Example<'a>) -> Option<&'a PathBuf> {
    let read = files.iter().zip(inputs.iter());
    let mut infinite =
        read.filter(|(_, (_, source))| matches!(source, Source::Array(a) if !are_finite(&a.data)));
    infinite.next().map(|(file, _)| file)
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
