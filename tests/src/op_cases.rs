//! Cases for every op with what PyTorch computes for them: `tests/data/ops`, made by `tests/python/op_cases`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use zellige_compiler::front;
use zellige_compiler::ir::Graph;
use zellige_grammar::{has_errors, parse_model};
use zellige_runtime::io::Array;
use zellige_runtime::program::Dims;

use crate::parameters::Parameter;
use crate::run::{Arrays, describe};

/// How far values may be off, as part of the output's largest.
const TOLERANCE: f64 = 2e-5;
/// How far gradients may be off, likewise.
pub(crate) const GRADIENT_TOLERANCE: f64 = 5e-5;
/// Folders of the files, one file for each op.
const OUTPUTS: &str = "ops";
const GRADIENTS: &str = "gradients";
/// What arithmetic treats apart; one of these stands in a quarter of the places of odd values.
const ODD: [f32; 8] = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-42, -1e-42, 1.0];

/// A model of one call, and what it gives.
#[derive(Clone, Debug, Deserialize)]
pub struct OpCase {
    /// The model's text.
    pub model: String,
    inputs: Vec<Drawn>,
    parameters: Vec<Drawn>,
    output: Expected,
}

/// A tensor whose values are drawn from the case's seed and its name.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Drawn {
    pub(crate) name: String,
    pub(crate) shape: Vec<u64>,
    low: f64,
    high: f64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Uniform,
    Whole,
    Odd,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Expected {
    shape: [u64; 4],
    /// The largest finite magnitude.
    largest: f64,
    /// The sum over all finite values with signs drawn at random: it shows values that are not where they should be.
    sum: f64,
    /// All values, or some at positions that are spread over the output.
    #[serde(deserialize_with = "numbers")]
    values: Vec<f64>,
}

/// Ops that there are cases of.
pub fn ops() -> Vec<String> {
    names(OUTPUTS)
}

/// The cases of an op; none where there is no file.
pub fn read(op: &str) -> Vec<OpCase> {
    cases(OUTPUTS, op)
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

fn names(of: &str) -> Vec<String> {
    let entries = fs::read_dir(folder(of)).expect("the data is in the repository");
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    let name = |path: PathBuf| path.file_stem().and_then(|n| n.to_str()).map(str::to_owned);
    let mut ops: Vec<String> = paths.filter_map(name).collect();
    ops.sort();
    ops
}

fn cases<T: DeserializeOwned>(of: &str, op: &str) -> Vec<T> {
    match fs::read_to_string(folder(of).join(format!("{op}.json"))) {
        Ok(text) => serde_json::from_str(&text).unwrap_or_else(|e| panic!("{of}/{op}.json: {e}")),
        Err(_) => Vec::new(),
    }
}

/// A model of one call, and its gradients.
#[derive(Clone, Debug, Deserialize)]
pub struct GradientCase {
    /// The model's text.
    pub model: String,
    inputs: Vec<Drawn>,
    parameters: Vec<Drawn>,
    gradients: Vec<Gradient>,
}

#[derive(Clone, Debug, Deserialize)]
struct Gradient {
    name: String,
    #[serde(flatten)]
    expected: Expected,
}

/// Ops that there are cases of gradients of.
pub fn gradient_ops() -> Vec<String> {
    names(GRADIENTS)
}

/// The cases of an op's gradient; none where there is no file.
pub fn gradients(op: &str) -> Vec<GradientCase> {
    cases(GRADIENTS, op)
}

impl OpCase {
    /// The graph of the model.
    pub fn graph(&self) -> Result<Graph, String> {
        graph(&self.model)
    }

    /// The inputs of case `number` of an op.
    pub fn inputs(&self, op: &str, number: usize) -> Arrays {
        inputs(&self.inputs, op, number)
    }

    /// The parameters of case `number` of an op.
    pub fn parameters(&self, op: &str, number: usize) -> Vec<Parameter> {
        parameters(&self.parameters, op, number)
    }

    /// Whether an output is the one that is expected, within the tolerance.
    pub fn compare(&self, found: &Array) -> Result<(), String> {
        self.output.compare(found, TOLERANCE)
    }
}

impl GradientCase {
    /// The graph of the model.
    pub fn graph(&self) -> Result<Graph, String> {
        graph(&self.model)
    }

    /// The inputs of case `number`, and the last one of the differentiated graph: the gradient of the output.
    pub fn inputs(&self, seed: &str, number: usize, differentiated: &Graph) -> Arrays {
        let mut all = inputs(&self.inputs, seed, number);
        let dy = differentiated.inputs.last().and_then(|&dy| differentiated.sizes(dy));
        let shape = dy.expect("a graph that is differentiated is bound").to_vec();
        let dy = Drawn { name: "dy".to_owned(), shape, low: -1.0, high: 1.0, kind: Kind::Uniform };
        all.extend(inputs(&[dy], seed, number));
        all
    }

    /// The parameters of case `number`.
    pub fn parameters(&self, seed: &str, number: usize) -> Vec<Parameter> {
        parameters(&self.parameters, seed, number)
    }

    /// Whether the gradients are those that are expected, within the tolerance.
    pub fn compare(&self, found: &Arrays) -> Result<(), String> {
        for Gradient { name, expected } in &self.gradients {
            let is_input = self.inputs.iter().any(|input| input.name == *name);
            let output = if is_input { format!("d.{name}") } else { format!("op.{name}") };
            let (_, array) = found
                .iter()
                .find(|(found, _)| *found == output)
                .ok_or_else(|| format!("there is no gradient of `{name}`"))?;
            let compared = expected.compare(array, GRADIENT_TOLERANCE);
            compared.map_err(|e| format!("gradient of `{name}`: {e}"))?;
        }
        Ok(())
    }
}

/// The graph of a model's text.
pub fn graph(model: &str) -> Result<Graph, String> {
    let (file, mut diagnostics) = parse_model(model);
    let graph = file.and_then(|file| {
        let (graph, more) = front::lower_model(&file);
        diagnostics.extend(more);
        graph
    });
    graph.filter(|_| !has_errors(&diagnostics)).ok_or_else(|| describe(&diagnostics))
}

fn inputs(drawn: &[Drawn], op: &str, number: usize) -> Arrays {
    let array = |drawn: &Drawn| {
        let [n, c, h, w] = drawn.shape[..] else { panic!("{op}: an input has four dimensions") };
        let data = drawn.values(&format!("{op}/{number}/{}", drawn.name));
        (drawn.name.clone(), Array { dims: Dims { n, c, h, w }, data })
    };
    drawn.iter().map(array).collect()
}

fn parameters(drawn: &[Drawn], op: &str, number: usize) -> Vec<Parameter> {
    let parameter = |drawn: &Drawn| Parameter {
        name: format!("op.{}", drawn.name),
        dims: drawn.shape.clone(),
        values: drawn.values(&format!("{op}/{number}/{}", drawn.name)),
    };
    drawn.iter().map(parameter).collect()
}

impl Expected {
    /// Whether an array is this one, within a tolerance.
    pub(crate) fn compare(&self, found: &Array, tolerance: f64) -> Result<(), String> {
        let (dims, count) = (found.dims, found.data.len());
        if [dims.n, dims.c, dims.h, dims.w] != self.shape {
            return Err(format!("the output is {dims:?}, expected {:?}", self.shape));
        }
        let step = if count > self.values.len() { 7919 } else { 1 };
        for (i, &value) in self.values.iter().enumerate() {
            let at = i * step % count;
            let found = f64::from(found.data[at]);
            if !agree(found, value, tolerance * self.largest) {
                return Err(format!(
                    "value {at} is {found}, expected {value}; the largest is {}",
                    self.largest
                ));
            }
        }
        let signs = splitmix(0).map(|bits| if bits >> 63 == 0 { 1.0 } else { -1.0 });
        let finite = found.data.iter().map(|&v| if v.is_finite() { f64::from(v) } else { 0.0 });
        let sum = finite.zip(signs).map(|(v, sign)| v * sign).sum::<f64>();
        if !agree(sum, self.sum, tolerance * self.largest * count as f64) {
            return Err(format!("the sum with signs is {sum}, expected {}", self.sum));
        }
        Ok(())
    }
}

impl Drawn {
    /// As `Values.draw` of tests/python/op_cases/case.py, bit for bit.
    pub(crate) fn values(&self, seed: &str) -> Vec<f32> {
        let value = |bits: u64| {
            let share = (bits >> 40) as f64 / f64::from(1 << 24);
            let value = self.low + (self.high - self.low) * share;
            match self.kind {
                Kind::Whole => value.floor() as f32,
                Kind::Odd if bits >> 3 & 3 == 0 => ODD[(bits & 7) as usize],
                Kind::Uniform | Kind::Odd => value as f32,
            }
        };
        let count = self.shape.iter().product::<u64>() as usize;
        splitmix(fnv(seed)).take(count).map(value).collect()
    }
}

/// Whether two are the same infinity, both NaN, or numbers not further apart.
fn agree(found: f64, expected: f64, distance: f64) -> bool {
    found == expected || found.is_nan() && expected.is_nan() || (found - expected).abs() <= distance
}

/// Numbers, those that JSON has none for as text.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Finite(f64),
        Text(String),
    }
    let value = |number| match number {
        Number::Finite(value) => Ok(value),
        Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
    };
    Vec::deserialize(deserializer)?.into_iter().map(value).collect()
}

/// FNV-1a.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The numbers that SplitMix64 gives from a state.
fn splitmix(mut state: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    })
}
