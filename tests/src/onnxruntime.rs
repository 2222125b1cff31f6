//! Random models whose outputs onnxruntime has computed, and what is kept of those.
//!
//! The models themselves are not kept: they are drawn from the seeds again, of the ops that there were when the data was made.
//! Whoever changes the generator makes the data anew:
//!
//! ```text
//! cargo run -p zellige-tests --release --bin export-models -- DIR
//! python tests/python/random_models.py DIR tests/data/onnxruntime/expected.json
//! ```

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zellige_compiler::ir::Graph;
use zellige_compiler::ir::text::graph_to_json;
use zellige_compiler::ops;
use zellige_runtime::io::Array;
use zellige_runtime::io::safetensors::{self, Values};

use crate::parameters::{self, Parameter};
use crate::random;
use crate::run::Arrays;

/// Seeds of the models.
pub const MODELS: u64 = 200;
/// Most values that are kept of an output.
const SAMPLES: usize = 64;

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Expected {
    /// Ops that the models are drawn of.
    pub ops: Vec<String>,
    /// The models in order of their seeds.
    pub models: Vec<ExpectedModel>,
}

/// What is kept of a model.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExpectedModel {
    /// Hash of the model, by which it is known that it was this one.
    pub model: String,
    /// Its outputs in order.
    pub outputs: Vec<ExpectedOutput>,
}

/// What is kept of an output.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExpectedOutput {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: [u64; 4],
    /// The largest magnitude.
    pub largest: f64,
    /// The mean of all magnitudes.
    pub mean: f64,
    /// The values at [`positions`].
    pub values: Vec<f32>,
}

/// Where the file is.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/onnxruntime/expected.json")
}

/// Which of `len` values are kept.
pub fn positions(len: usize) -> impl Iterator<Item = usize> {
    (0..SAMPLES.min(len)).map(move |i| i * 7919 % len)
}

/// A model with all that its outputs depend on.
#[derive(Debug)]
pub struct Case {
    /// The model.
    pub graph: Graph,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its inputs.
    pub inputs: Arrays,
}

impl Case {
    /// Of a seed, of the given ops.
    pub fn new(seed: u64, ops: &[String]) -> Self {
        let graph = random::model_of(seed, ops);
        let (parameters, inputs) = (parameters::draw(&graph, seed), parameters::inputs(&graph, seed));
        Self { graph, parameters, inputs }
    }

    /// The hash of the model, its parameters and its inputs.
    pub fn hash(&self) -> String {
        let mut hash = Fnv::default();
        hash.add(graph_to_json(&self.graph).to_string().as_bytes());
        let parameters = self.parameters.iter().flat_map(|p| &p.values);
        for value in parameters.chain(self.inputs.iter().flat_map(|(_, a)| &a.data)) {
            hash.add(&value.to_le_bytes());
        }
        format!("{:016x}", hash.0)
    }

    /// Writes the graph as JSON, the parameters, and the inputs.
    fn write(&self, dir: &Path) -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("graph.json"), graph_to_json(&self.graph).to_string())?;
        fs::write(dir.join("hash"), self.hash())?;
        parameters::write(&self.parameters, &dir.join("weights.safetensors"))?;
        let shape = |array: &Array| [array.dims.n, array.dims.c, array.dims.h, array.dims.w];
        let shapes: Vec<_> = self.inputs.iter().map(|(_, array)| shape(array)).collect();
        let tensors: Vec<_> = self
            .inputs
            .iter()
            .zip(&shapes)
            .map(|((name, array), shape)| Values { name, shape, values: &array.data })
            .collect();
        Ok(safetensors::write(&dir.join("inputs.safetensors"), &tensors)?)
    }
}

/// Writes all models, a folder each, and the ops that they are drawn of.
pub fn export(dir: &Path) -> Result<(), Box<dyn Error>> {
    let names: Vec<_> = ops::all().filter(|def| !def.internal).map(|def| def.name.to_owned()).collect();
    fs::create_dir_all(dir)?;
    fs::write(dir.join("ops.json"), serde_json::to_string(&names)?)?;
    (0..MODELS).try_for_each(|seed| Case::new(seed, &names).write(&dir.join(format!("{seed:03}"))))
}

/// FNV-1a.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3));
    }
}
