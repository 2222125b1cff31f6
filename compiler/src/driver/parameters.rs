//! The values of a network's parameters: from a file, or those that training begins with.

use std::collections::HashMap;
use std::path::Path;

use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::io::safetensors::Values;
use zellige_runtime::program::Data;

use super::CompileOptions;
use super::weights::{open, weights_file};
use crate::base::ParamId;
use crate::ir::{Derived, Graph, Param};
use crate::ops::Init;

/// A parameter with its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its path.
    pub name: String,
    /// Its shape.
    pub dims: Vec<u64>,
    /// Its values.
    pub values: Vec<f32>,
}

impl Parameter {
    /// As a tensor of a file.
    pub fn tensor(&self) -> Values<'_> {
        Values { name: &self.name, shape: &self.dims, values: &self.values }
    }
}

/// All parameters that are stored, in the order of the graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    all: Vec<Parameter>,
    /// Where each begins among the bytes of all.
    offsets: HashMap<String, u64>,
}

impl Parameters {
    /// Those of `--weights`, of the file that the model names (beside it), or initial values.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is not of this graph.
    pub fn read(graph: &Graph, model: &Path, options: &CompileOptions) -> Result<Self, Vec<Diagnostic>> {
        let Some(path) = weights_file(graph, model, options) else {
            return Ok(Self::initial(graph, options.seed));
        };
        let file = open(graph, &path)?;
        let stored = graph.params.iter().map(|(_, param)| param).filter(|param| param.derived.is_none());
        let read = |param: &Param| {
            let values = file.values(&param.name);
            let values = values.map_err(|e| vec![Diagnostic::error(Code::E0401, e.to_string())])?;
            Ok(Parameter { name: param.name.clone(), dims: param.dims.clone(), values })
        };
        stored.map(read).collect()
    }

    /// Initial values. They depend on the seed and the parameter's name alone, so that adding a layer leaves the others as they are.
    pub fn initial(graph: &Graph, seed: u64) -> Self {
        let mut inits = HashMap::new();
        for (_, node) in graph.ops.iter() {
            let specs = node.op.params(&graph.shapes(&node.inputs)).unwrap_or_default();
            for (&id, spec) in node.params.iter().zip(specs) {
                for (id, init) in started(graph, id, spec.init) {
                    inits.entry(id).or_insert(init);
                }
            }
        }
        let started = graph.params.iter().filter_map(|(id, param)| {
            let values = initial_values(&param.name, &param.dims, *inits.get(&id)?, seed);
            Some(Parameter { name: param.name.clone(), dims: param.dims.clone(), values })
        });
        started.collect()
    }

    /// All of them.
    pub fn all(&self) -> &[Parameter] {
        &self.all
    }

    /// All of them, to be changed: the values, not their number.
    pub fn all_mut(&mut self) -> &mut [Parameter] {
        &mut self.all
    }

    /// Which one has this path.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|p| p.name == name)
    }

    /// The values of all, one after the other.
    pub fn data(&self) -> Data {
        let values = self.all.iter().flat_map(|p| &p.values);
        Data::new(values.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
    }

    /// Where the values of a parameter begin in [`Self::data`].
    pub fn offset(&self, name: &str) -> Option<u64> {
        self.offsets.get(name).copied()
    }
}

impl FromIterator<Parameter> for Parameters {
    fn from_iter<T: IntoIterator<Item = Parameter>>(parameters: T) -> Self {
        let all: Vec<_> = parameters.into_iter().collect();
        let mut end = 0;
        let offset = |parameter: &Parameter| {
            let begin = end;
            end += 4 * parameter.values.len() as u64;
            (parameter.name.clone(), begin)
        };
        let offsets = all.iter().map(offset).collect();
        Self { all, offsets }
    }
}

/// What starts by itself of a parameter that would start as `init` says: it, or the stored ones that it follows from.
fn started(graph: &Graph, id: ParamId, init: Init) -> Vec<(ParamId, Init)> {
    let Some(Derived { formula, sources }) = &graph.params[id].derived else { return vec![(id, init)] };
    sources.iter().copied().zip(formula.initial(sources.len(), init)).collect()
}

fn initial_values(name: &str, dims: &[u64], init: Init, seed: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed ^ hash(name));
    let value = |_| match init {
        Init::Constant(value) => value,
        Init::Uniform(bound) => (rng.f32() * 2.0 - 1.0) * bound,
    };
    (0..dims.iter().product::<u64>()).map(value).collect()
}

/// FNV-1a: a hash that is the same everywhere and for ever.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}
