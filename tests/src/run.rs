//! Compiling graphs and running programs.

use std::path::Path;

use serde_json::json;
use zellige_compiler::base::TensorType;
use zellige_compiler::check::{CheckError, Proof};
use zellige_compiler::driver::{CompileOptions, Model, Pipeline, prove};
use zellige_compiler::ir::Graph;
use zellige_compiler::ops;
use zellige_compiler::passes::{Module, PIPELINE, Wanted, differentiate};
use zellige_grammar::{Code, Diagnostic, SourceFile, Span};
use zellige_runtime::engine::{ArrayView, ArrayViewMut, Control, EngineError, Executable, Options, RunStats};
use zellige_runtime::io::Array;
use zellige_runtime::machine::Machine;
use zellige_runtime::program::{Program, Role};

/// Named arrays.
pub type Arrays = Vec<(String, Array)>;

/// The program for a bound graph, proved to compute it.
pub fn compile(graph: &Graph, options: &CompileOptions) -> Result<Program, Vec<Diagnostic>> {
    let model = Model::of(graph.clone(), SourceFile::default(), Path::new(""));
    let (program, _) = model.compile(graph, options).map_err(|failure| failure.diagnostics)?;
    match check(&program) {
        Ok(_) => Ok(program),
        Err(error) => Err(vec![Diagnostic::error(Code::E0904, error.to_string())]),
    }
}

/// The proof that a program computes the graph that it carries.
pub fn check(program: &Program) -> Result<Proof, CheckError> {
    prove(program).expect("a program carries its graph")
}

/// Whether the module after each pass keeps the invariants of its level, and its text parses back to it.
pub fn verify_each_pass(graph: &Graph, options: &CompileOptions) -> Result<(), Vec<Diagnostic>> {
    let pipeline = Pipeline {
        passes: PIPELINE.iter().collect(),
        options: &options.for_passes(),
        verify_each: true,
        after: &mut |_, _| {},
    };
    pipeline.run(Module::Graph(graph.clone())).map(|_| ())
}

/// The graph as the planner sees it.
pub fn canonical(graph: &Graph) -> Result<Graph, Vec<Diagnostic>> {
    before("recompute", graph)
}

/// The graph as it is differentiated.
pub fn expanded(graph: &Graph) -> Result<Graph, Vec<Diagnostic>> {
    before("fold-batch-norm", graph)
}

/// The gradients of the sum of a graph's first output, each element of it times that of another input `dy`: those of all parameters
/// and inputs.
pub fn differentiated(graph: &Graph) -> Result<Graph, String> {
    let mut graph = expanded(graph).map_err(|d| describe(&d))?;
    let y = graph.outputs[0].value;
    let shape = graph.values[y].ty.shape.clone();
    let inputs = graph.inputs.clone();
    let dy = graph.add_input("dy", TensorType::f32(shape));
    let mul = (ops::find("mul").expect("an op").parse)(json!({})).expect("it has no attributes");
    let loss = graph.add_op("product", mul, vec![y, dy], "", Span::default()).map_err(|e| e.to_string())?;
    let wanted = Wanted { params: graph.params.ids().collect(), inputs };
    differentiate(&graph, loss, &wanted).map_err(|d| describe(&d))
}

/// The graph as a pass finds it.
fn before(name: &str, graph: &Graph) -> Result<Graph, Vec<Diagnostic>> {
    let options = CompileOptions::new(Machine::builtin("tiny").expect("`tiny` is built in")).for_passes();
    let mut graph = graph.clone();
    for pass in PIPELINE.iter().take_while(|pass| pass.name != name) {
        graph = match (pass.run)(Module::Graph(graph), &options)? {
            Module::Graph(graph) => graph,
            other => unreachable!("`{}` gives a graph, not {}", pass.name, other.level()),
        };
    }
    Ok(graph)
}

/// The outputs of a program, in its order.
pub fn run(program: Program, options: &Options, inputs: &Arrays) -> Result<(Arrays, RunStats), EngineError> {
    let mut executable = Executable::load(program, options)?;
    let outputs = executable.program().tensors.iter().filter(|t| t.role == Role::Output);
    let mut outputs: Arrays = outputs
        .map(|t| {
            let array = Array::zeros(t.dims, u64::MAX).expect("outputs of tests are small");
            (t.name.clone(), array)
        })
        .collect();
    let inputs: Vec<_> =
        inputs.iter().map(|(n, a)| (n.as_str(), ArrayView { dims: a.dims, data: &a.data })).collect();
    let mut views: Vec<_> = outputs
        .iter_mut()
        .map(|(n, a)| (n.as_str(), ArrayViewMut { dims: a.dims, data: &mut a.data }))
        .collect();
    let stats = executable.run(&inputs, &mut views, &Control::default())?;
    Ok((outputs, stats))
}

/// Where two runs' outputs differ first, in words; `None` if they are the same bit for bit.
pub fn difference(found: &Arrays, expected: &Arrays) -> Option<String> {
    if found.iter().map(|(name, a)| (name, a.dims)).ne(expected.iter().map(|(name, a)| (name, a.dims))) {
        return Some("the outputs differ in name or shape".to_owned());
    }
    found.iter().zip(expected).find_map(|((name, a), (_, b))| {
        let differ = |i: &usize| a.data[*i].to_bits() != b.data[*i].to_bits();
        let first = (0..a.data.len()).find(differ)?;
        let count = (0..a.data.len()).filter(differ).count();
        let (d, n) = (a.dims, first as u64);
        let at = [n / (d.c * d.h * d.w), n / (d.h * d.w) % d.c, n / d.w % d.h, n % d.w];
        let (x, y) = (a.data[first], b.data[first]);
        Some(format!(
            "{count} of {} values of `{name}` differ, first at {at:?}: found {x:?} ({:08x}), expected {y:?} ({:08x})",
            a.data.len(),
            x.to_bits(),
            y.to_bits()
        ))
    })
}

/// Diagnostics in words.
pub fn describe(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<_> =
        diagnostics.iter().map(|d| format!("{}: {} {:?}", d.code.id(), d.message, d.hints)).collect();
    lines.join("\n")
}
