//! Values of inputs and parameters, drawn from a seed.

use std::error::Error;
use std::path::Path;

use zellige_compiler::base::ValueId;
use zellige_compiler::driver::{Parameters, give};
use zellige_compiler::ir::Graph;
use zellige_compiler::ops::Init;
use zellige_runtime::io::Array;
use zellige_runtime::io::safetensors;
use zellige_runtime::program::{Dims, Program};

pub use zellige_compiler::driver::Parameter;

/// Values for all parameters of a graph. They have the magnitude of the initial ones, but no two are the same, so that it
/// shows if one is taken for another.
pub fn draw(graph: &Graph, seed: u64) -> Vec<Parameter> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut parameters = Vec::new();
    for (_, node) in graph.ops.iter() {
        let specs = node.op.params(&graph.shapes(&node.inputs)).unwrap_or_default();
        for (&id, spec) in node.params.iter().zip(specs) {
            let mut value = || match spec.init {
                Init::Uniform(bound) => (rng.f32() * 2.0 - 1.0) * bound,
                Init::Constant(value) => value * (0.5 + rng.f32()),
            };
            let values = (0..spec.dims.iter().product::<u64>()).map(|_| value()).collect();
            parameters.push(Parameter { name: graph.params[id].name.clone(), dims: spec.dims, values });
        }
    }
    parameters
}

/// Writes parameters as a safetensors file.
pub fn write(parameters: &[Parameter], path: &Path) -> Result<(), Box<dyn Error>> {
    let tensors: Vec<_> = parameters.iter().map(Parameter::tensor).collect();
    Ok(safetensors::write(path, &tensors)?)
}

/// Gives a program the values of its parameters.
pub fn attach(program: &mut Program, parameters: &[Parameter]) {
    let parameters: Parameters = parameters.iter().cloned().collect();
    let given = give(program, parameters.data(), |name| parameters.offset(name));
    given.expect("all parameters of the graph have values");
}

/// Values in ±1 for all inputs of a graph.
pub fn inputs(graph: &Graph, seed: u64) -> Vec<(String, Array)> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x1297);
    let mut array = |value: ValueId| {
        let [n, c, h, w] = graph.sizes(value).expect("random models have known sizes");
        let data = (0..n * c * h * w).map(|_| rng.f32() * 2.0 - 1.0).collect();
        (graph.values[value].name.clone(), Array { dims: Dims { n, c, h, w }, data })
    };
    graph.inputs.iter().map(|&v| array(v)).collect()
}

/// Some of the values replaced by what arithmetic treats apart: infinities, NaNs of either sign, zeros, subnormals, extremes.
pub fn make_odd(inputs: &mut [(String, Array)], seed: u64) {
    const ODD: [f32; 10] = [
        0.0,
        -0.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::from_bits(0xffc1_2345),
        f32::MAX,
        f32::MIN,
        1e-42,
        -1e-42,
    ];
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0dd);
    for (_, array) in inputs {
        for _ in 0..rng.usize(1..=8) {
            let at = rng.usize(0..array.data.len());
            array.data[at] = ODD[rng.usize(0..ODD.len())];
        }
    }
}
