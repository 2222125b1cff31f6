//! Giving a program the values of its parameters: from a safetensors file, or from a seed; and what follows from those.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use zellige_grammar::{Code, Diagnostic, suggest};
use zellige_runtime::io::IoError;
use zellige_runtime::io::safetensors::{Dtype, Safetensors};
use zellige_runtime::program::{Data, Program, Source, Weight};

use super::CompileOptions;
use super::failure::unreadable;
use super::source::graph_of;
use crate::base::ParamId;
use crate::ir::{Derived, Graph, Param};
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
            give(program, Data::new(values), |name| offsets.get(name).copied())
        }
    }
}

/// Gives a program the values of the stored parameters, each from the offset on that `offset_of` knows, and those of derived ones.
///
/// Where there are derived ones, the program gets a copy of what it needs.
pub fn give(
    program: &mut Program,
    data: Data,
    offset_of: impl Fn(&str) -> Option<u64>,
) -> Result<(), Vec<Diagnostic>> {
    let is_stored = |w: &Weight| matches!(w.source, Source::Inline(_)) || offset_of(&w.name).is_some();
    if !program.weights.iter().all(is_stored) {
        return derive(program, &data, offset_of);
    }
    for weight in &mut program.weights {
        if let (Source::Offset(offset), Some(found)) = (&mut weight.source, offset_of(&weight.name)) {
            *offset = found;
        }
    }
    program.data = data;
    Ok(())
}

/// As [`give`], for a program with derived parameters.
fn derive(
    program: &mut Program,
    data: &Data,
    offset_of: impl Fn(&str) -> Option<u64>,
) -> Result<(), Vec<Diagnostic>> {
    let graph = graph_of(program).map_err(|failure| failure.diagnostics)?;
    let by_name: HashMap<&str, ParamId> = graph.params.iter().map(|(id, p)| (p.name.as_str(), id)).collect();
    let stored = |param: &Param| values_at(data, offset_of(&param.name)?, &param.dims);
    let values = |name: &str| -> Option<Vec<f32>> {
        let param = &graph.params[*by_name.get(name)?];
        let Some(Derived { formula, sources }) = &param.derived else { return stored(param) };
        let sources = sources.iter().map(|&s| stored(&graph.params[s])).collect::<Option<Vec<_>>>()?;
        formula.values(&param.dims, &sources.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let mut bytes: Vec<u8> = Vec::new();
    let mut offsets: HashMap<String, u64> = HashMap::new();
    for weight in &mut program.weights {
        let Source::Offset(offset) = &mut weight.source else { continue };
        *offset = match offsets.get(&weight.name) {
            Some(&known) => known,
            None => {
                let values = values(&weight.name).ok_or_else(|| vec![no_values(&weight.name)])?;
                let at = bytes.len() as u64;
                bytes.extend(values.into_iter().flat_map(f32::to_le_bytes));
                offsets.insert(weight.name.clone(), at);
                at
            }
        };
    }
    program.data = Data::new(bytes);
    Ok(())
}

/// The values of a parameter of some shape; `None` if the data is too short.
fn values_at(data: &Data, offset: u64, dims: &[u64]) -> Option<Vec<f32>> {
    let bytes = dims.iter().try_fold(4u64, |bytes, dim| bytes.checked_mul(*dim))?;
    let range = usize::try_from(offset).ok()?..usize::try_from(offset.checked_add(bytes)?).ok()?;
    let words = data.bytes().get(range)?.as_chunks::<4>().0;
    Some(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
}

fn no_values(name: &str) -> Diagnostic {
    Diagnostic::error(
        Code::E0610,
        format!("the program has a weight `{name}`, and its graph does not say what it is"),
    )
}

fn from_file(program: &mut Program, graph: &Graph, path: &Path) -> Result<(), Vec<Diagnostic>> {
    let file = Safetensors::open(path).map_err(|e| vec![unusable(path, &e)])?;
    check(graph, &file, path)?;
    give(program, file.data().clone(), |name| file.tensors().get(name).map(|info| info.offset))
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
    let params: HashSet<&str> = graph.params.iter().map(|(_, p)| p.name.as_str()).collect();
    let unused = || file.tensors().keys().filter(|k| !params.contains(k.as_str()) && !is_counter(k, &params));
    for (_, param) in graph.params.iter().filter(|(_, p)| p.derived.is_none()) {
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

/// Whether an entry of a PyTorch state dict counts the batches that running statistics are of: inference does not need it.
fn is_counter(key: &str, params: &HashSet<&str>) -> bool {
    let norm = key.strip_suffix(".num_batches_tracked");
    norm.is_some_and(|norm| params.contains(format!("{norm}.running_mean").as_str()))
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
            for (param, init) in started(graph, id, spec.init) {
                if let Entry::Vacant(offset) = offsets.entry(param.name.as_str()) {
                    offset.insert(bytes.len() as u64);
                    add_initial(param, init, seed, &mut bytes);
                }
            }
        }
    }
    (bytes, offsets)
}

/// What starts by itself of a parameter that would start as `init` says: it, or the stored ones that it follows from.
fn started(graph: &Graph, id: ParamId, init: Init) -> Vec<(&Param, Init)> {
    let param = &graph.params[id];
    let Some(Derived { formula, sources }) = &param.derived else { return vec![(param, init)] };
    sources.iter().map(|&s| &graph.params[s]).zip(formula.initial(sources.len(), init)).collect()
}

fn add_initial(param: &Param, init: Init, seed: u64, bytes: &mut Vec<u8>) {
    let mut rng = fastrand::Rng::with_seed(seed ^ hash(&param.name));
    for _ in 0..param.dims.iter().product::<u64>() {
        let value = match init {
            Init::Constant(value) => value,
            Init::Uniform(bound) => (rng.f32() * 2.0 - 1.0) * bound,
        };
        bytes.extend_from_slice(&value.to_le_bytes());
    }
}

/// FNV-1a: a hash that is the same everywhere and for ever.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_batches_stand_beside_running_statistics() {
        let params = HashSet::from(["bn.weight", "bn.running_mean", "conv.weight"]);
        assert!(is_counter("bn.num_batches_tracked", &params));
        assert!(!is_counter("conv.num_batches_tracked", &params));
        assert!(!is_counter("bn.running_mean", &params));
    }
}
