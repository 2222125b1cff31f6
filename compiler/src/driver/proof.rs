//! Checking a program against the graph and the weights that it carries.

use zellige_runtime::io::safetensors::Safetensors;
use zellige_runtime::program::Program;

use super::{Failure, graph_of};
use crate::check::{self, CheckError, Proof};

/// The proof that a program computes its graph, or why there is none. Where its weights are a safetensors file, every parameter
/// must be the one of its name there.
///
/// # Errors
///
/// The program carries no graph that can be read.
pub fn prove(program: &Program) -> Result<Result<Proof, CheckError>, Failure> {
    let graph = graph_of(program)?;
    let file = Safetensors::new(program.data.clone()).ok();
    let offset = |name: &str| file.as_ref()?.tensors().get(name).map(|info| info.offset);
    Ok(check::check(program, &graph, file.as_ref().map(|_| &offset as check::Layout<'_>)))
}
