//! Giving a program the values of its parameters: from a safetensors file, or from a seed.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use zellige_grammar::{Code, Diagnostic, suggest};
use zellige_runtime::io::IoError;
use zellige_runtime::io::safetensors::{Dtype, Safetensors};
use zellige_runtime::program::{Data, Program, Source};

use super::CompileOptions;
use super::failure::unreadable;
use crate::ir::Graph;
use crate::ops::Init;

/// Gives the program its weights: those of `--weights`, of the file that the model names (beside it), or initial values.
pub fn attach(
    program: &mut Program,
    graph: &Graph,
    model: &Path,
    options: &CompileOptions,
) -> Result<(), Vec<Diagnostic>> {
    let beside = |name: &String| model.parent().unwrap_or(Path::new("")).join(name);
    match options.weights.clone().or_else(|| graph.weights.as_ref().map(beside)) {
        Some(path) => from_file(program, graph, &path),
        None => {
            let (values, offsets) = initial(graph, options.seed);
            point_to(program, |name| offsets.get(name).copied());
            program.data = Data::new(values);
            Ok(())
        }
    }
}

/// Points the program's parameters to where their values are.
fn point_to(program: &mut Program, offset_of: impl Fn(&str) -> Option<u64>) {
    for weight in &mut program.weights {
        if let (Source::Offset(offset), Some(found)) = (&mut weight.source, offset_of(&weight.name)) {
            *offset = found;
        }
    }
}

fn from_file(program: &mut Program, graph: &Graph, path: &Path) -> Result<(), Vec<Diagnostic>> {
    let file = Safetensors::open(path).map_err(|e| vec![unusable(path, &e)])?;
    check(graph, &file, path)?;
    point_to(program, |name| file.tensors().get(name).map(|info| info.offset));
    program.data = file.data().clone();
    Ok(())
}

fn unusable(path: &Path, error: &IoError) -> Diagnostic {
    let inner = if let IoError::File { error, .. } = error { &**error } else { error };
    match inner {
        // Mapping one fails as if it were a strange device.
        IoError::Os(_) if path.is_dir() => unreadable(path, &io::ErrorKind::IsADirectory.into()),
        IoError::Os(e) => unreadable(path, e),
        other => {
            let message = format!("`{}` is not a usable weights file: {other}", path.display());
            Diagnostic::error(Code::E0405, message)
                .hint("weights are safetensors; `zellige explain E0405` says how to convert others")
        }
    }
}

/// Each parameter of the graph is in the file, of its shape and type, and nothing else is.
fn check(graph: &Graph, file: &Safetensors, path: &Path) -> Result<(), Vec<Diagnostic>> {
    let name = path.display();
    let mut diagnostics = Vec::new();
    let unused = || file.tensors().keys().filter(|k| graph.params.iter().all(|(_, p)| p.name != **k));
    for (_, param) in graph.params.iter() {
        let Some(info) = file.tensors().get(&param.name) else {
            let hint = suggest::did_you_mean(&param.name, unused().map(String::as_str));
            let message = format!("`{name}` has no weight `{}` {}", param.name, shape(&param.dims));
            diagnostics.push(Diagnostic::error(Code::E0401, message).maybe_hint(hint));
            continue;
        };
        if info.shape != param.dims {
            let message = format!(
                "weight `{}` in `{name}` has the shape {}, and the model wants {}",
                param.name,
                shape(&info.shape),
                shape(&param.dims)
            );
            diagnostics.push(Diagnostic::error(Code::E0403, message));
        } else if info.dtype != Dtype::F32 {
            let message =
                format!("weight `{}` in `{name}` is {}, and the model wants F32", param.name, info.dtype);
            diagnostics.push(Diagnostic::error(Code::E0404, message));
        }
    }
    for key in unused() {
        let missing =
            graph.params.iter().map(|(_, p)| p.name.as_str()).filter(|p| !file.tensors().contains_key(*p));
        let hint = suggest::did_you_mean(key, missing);
        let message = format!("`{name}` has a weight `{key}` that the model does not use");
        diagnostics.push(Diagnostic::error(Code::E0402, message).maybe_hint(hint));
    }
    if diagnostics.is_empty() { Ok(()) } else { Err(diagnostics) }
}

fn shape(dims: &[u64]) -> String {
    let dims: Vec<_> = dims.iter().map(ToString::to_string).collect();
    format!("[{}]", dims.join(", "))
}

/// Initial values of all parameters, and the offsets at which they begin: a program has only those of ops that are not dropped.
/// They depend on the seed and the parameter's name alone, so that adding a layer leaves the others as they are.
fn initial(graph: &Graph, seed: u64) -> (Vec<u8>, HashMap<&str, u64>) {
    let mut bytes = Vec::new();
    let mut offsets = HashMap::new();
    for (_, node) in graph.ops.iter() {
        let specs = node.op.params(&graph.shapes(&node.inputs)).unwrap_or_default();
        for (&id, spec) in node.params.iter().zip(specs) {
            let name = &graph.params[id].name;
            offsets.insert(name.as_str(), bytes.len() as u64);
            let mut rng = fastrand::Rng::with_seed(seed ^ hash(name));
            for _ in 0..spec.dims.iter().product::<u64>() {
                let value = match spec.init {
                    Init::Constant(value) => value,
                    Init::Uniform(bound) => (rng.f32() * 2.0 - 1.0) * bound,
                };
                bytes.extend_from_slice(&value.to_le_bytes());
            }
        }
    }
    (bytes, offsets)
}

/// FNV-1a: a hash that is the same everywhere and for ever.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}
