//! Giving a program the values of its parameters: from a safetensors file, or from a seed; and what follows from those.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use zellige_grammar::{Code, Diagnostic, suggest};
use zellige_runtime::checkpoint;
use zellige_runtime::io::IoError;
use zellige_runtime::io::safetensors::{Dtype, Safetensors};
use zellige_runtime::program::{Data, Program, Source, Weight};

use super::failure::unreadable;
use super::source::graph_of;
use super::{CompileOptions, Parameters};
use crate::base::ParamId;
use crate::ir::{Derived, Graph, Param};

/// Most weights of a file that are said not to fit.
const MOST_DIAGNOSTICS: usize = 8;

/// Gives the program its weights: those of `--weights`, of the file that the model names (beside it), or initial values.
pub fn attach(
    program: &mut Program,
    graph: &Graph,
    model: &Path,
    options: &CompileOptions,
) -> Result<(), Vec<Diagnostic>> {
    match weights_file(graph, model, options) {
        Some(path) => {
            let file = open(graph, &path)?;
            give(program, file.data().clone(), |name| file.tensors().get(name).map(|info| info.offset))
        }
        None => {
            let parameters = Parameters::initial(graph, options.seed);
            give(program, parameters.data(), |name| parameters.offset(name))
        }
    }
}

/// The file that the weights are in, if there is one.
pub(super) fn weights_file(graph: &Graph, model: &Path, options: &CompileOptions) -> Option<PathBuf> {
    let beside = |name: &String| model.parent().unwrap_or(Path::new("")).join(name);
    options.weights.clone().or_else(|| graph.weights.as_ref().map(beside))
}

/// Gives a program the values of the stored parameters, each from the offset on that `offset_of` knows, and those of derived ones.
///
/// Where there are derived ones, the program gets a copy of what it needs.
pub fn give(
    program: &mut Program,
    data: Data,
    offset_of: impl Fn(&str) -> Option<u64>,
) -> Result<(), Vec<Diagnostic>> {
    if has_derived(program, &offset_of) {
        let (data, offsets) = derive(program, &data, offset_of)?;
        place(program, data, |name| offsets.get(name).copied());
    } else {
        place(program, data, offset_of);
    }
    Ok(())
}

/// What [`give`] would have the program's data be.
pub(super) fn data_for(program: &Program, parameters: &Parameters) -> Result<Data, Vec<Diagnostic>> {
    let (data, offset_of) = (parameters.data(), |name: &str| parameters.offset(name));
    if has_derived(program, offset_of) {
        return derive(program, &data, offset_of).map(|(data, _)| data);
    }
    Ok(data)
}

fn has_derived(program: &Program, offset_of: impl Fn(&str) -> Option<u64>) -> bool {
    let is_stored = |w: &Weight| matches!(w.source, Source::Inline(_)) || offset_of(&w.name).is_some();
    !program.weights.iter().all(is_stored)
}

fn place(program: &mut Program, data: Data, offset_of: impl Fn(&str) -> Option<u64>) {
    for weight in &mut program.weights {
        if let (Source::Offset(offset), Some(found)) = (&mut weight.source, offset_of(&weight.name)) {
            *offset = found;
        }
    }
    program.data = data;
}

/// The values of all of a program's parameters, stored and derived, in its order, and where each begins.
fn derive(
    program: &Program,
    data: &Data,
    offset_of: impl Fn(&str) -> Option<u64>,
) -> Result<(Data, HashMap<String, u64>), Vec<Diagnostic>> {
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
    for weight in program.weights.iter().filter(|w| matches!(w.source, Source::Offset(_))) {
        if let Entry::Vacant(offset) = offsets.entry(weight.name.clone()) {
            let values = values(&weight.name).ok_or_else(|| vec![no_values(&weight.name)])?;
            offset.insert(bytes.len() as u64);
            bytes.extend(values.into_iter().flat_map(f32::to_le_bytes));
        }
    }
    Ok((Data::new(bytes), offsets))
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

/// Opens a file that has the parameters of the graph, and nothing else but what a checkpoint has besides.
pub(super) fn open(graph: &Graph, path: &Path) -> Result<Safetensors, Vec<Diagnostic>> {
    let file = checkpoint::parameters_of(Safetensors::open(path).map_err(|e| vec![unusable(path, &e)])?);
    check(graph, &file, path)?;
    Ok(file)
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
    let more = diagnostics.len().saturating_sub(MOST_DIAGNOSTICS);
    diagnostics.truncate(MOST_DIAGNOSTICS);
    if more > 0
        && let Some(last) = diagnostics.pop()
    {
        let note = format!("{more} more of its weights do not fit: it seems to be of another model");
        diagnostics.push(last.note(note));
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
