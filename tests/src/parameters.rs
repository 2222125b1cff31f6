//! Values of inputs and parameters, drawn from a seed.

use zellige_compiler::base::ValueId;
use zellige_compiler::ir::Graph;
use zellige_compiler::ops::Init;
use zellige_runtime::io::Array;
use zellige_runtime::program::{Data, Dims, Program, Source};

/// A parameter with its values.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its path.
    pub name: String,
    /// Its shape.
    pub dims: Vec<u64>,
    /// Its values.
    pub values: Vec<f32>,
}

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

/// Gives a program the values of its parameters.
pub fn attach(program: &mut Program, parameters: &[Parameter]) {
    for weight in &mut program.weights {
        let Source::Offset(offset) = &mut weight.source else { continue };
        let before = parameters.iter().take_while(|p| p.name != weight.name);
        *offset = before.map(|p| p.values.len() as u64 * 4).sum();
    }
    let values = parameters.iter().flat_map(|p| &p.values);
    program.data = Data::new(values.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
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
