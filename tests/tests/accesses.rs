//! What ops say that they read is held against what they mean: one that says nothing is taken for elementwise, and must not get away with it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use zellige_compiler::base::{AxisMap, OpId, Shape};
use zellige_compiler::check::{CheckError, OpError, check};
use zellige_compiler::ir::{Graph, Module, text};
use zellige_compiler::ops::{self, Op, Outside, Placement, Requirements, ShapeError, Sizes};
use zellige_compiler::passes::training_step;
use zellige_runtime::program::Program;
use zellige_runtime::program::instr::AxisId;
use zellige_runtime::scalar::Expr;
use zellige_tests::op_cases::{self, gradient_ops, gradients};
use zellige_tests::run::{self, describe};
use zellige_tests::{batches, parallel, plans};

/// Cases of an op that are looked at.
const CASES: usize = 6;

/// An op that has forgotten to say what it reads.
#[derive(Debug)]
struct Forgetful(Arc<dyn Op>);

impl Op for Forgetful {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn attrs(&self) -> Value {
        self.0.attrs()
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        self.0.infer(inputs, requirements)
    }

    fn outside(&self, input: usize) -> Outside {
        self.0.outside(input)
    }

    fn placement(&self) -> Placement {
        self.0.placement()
    }

    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64 {
        self.0.flops(inputs, output)
    }

    fn expression(&self) -> Option<Expr> {
        self.0.expression()
    }
}

/// Names of ops, as far as they were met.
#[derive(Default)]
struct Met {
    all: BTreeSet<&'static str>,
    /// Those that read otherwise than an elementwise op.
    of_their_own: BTreeSet<&'static str>,
    /// Those of them that were refused without what they say.
    refused: BTreeSet<&'static str>,
}

#[test]
fn ops_that_do_not_say_what_they_read_are_refused() {
    let forward = ops::all().flat_map(|def| op_cases::read(def.name).into_iter().take(CASES));
    let forward = forward.map(|case| case.graph());
    let backward = gradient_ops().into_iter().flat_map(|op| gradients(&op).into_iter().take(CASES));
    let backward = backward.map(|case| run::differentiated(&case.graph()?));
    let steps = batches::cases().into_iter().map(|case| case.step().map(|(_, graph)| graph));
    let graphs = forward.chain(backward).chain(steps).chain([dropout()]).collect::<Result<Vec<Graph>, _>>();
    let graphs = graphs.unwrap_or_else(|error| panic!("{error}"));
    let met = Mutex::new(Met::default());
    parallel::check_all(&graphs, |graph| graph.name.clone(), |graph| meet(graph, &met));
    let Met { all, of_their_own, refused } = met.into_inner().expect("no thread has panicked");
    println!("{} ops, of which {} read in their own way", all.len(), of_their_own.len());
    let missed: Vec<_> = of_their_own.difference(&refused).collect();
    assert!(missed.is_empty(), "taken for elementwise: {missed:?}");
    // Others may be made of simpler ones.
    let internal = ops::all().filter(|def| def.internal).map(|def| def.name);
    let unmet: Vec<_> = internal.filter(|name| !all.contains(name)).collect();
    assert!(unmet.is_empty(), "in no case: {unmet:?}");
}

/// Dropout as it is in training.
fn dropout() -> Result<Graph, String> {
    let text = "model m(x: f32[1, 3, 7, 5]) -> (y: f32[1, 3, 7, 5]) { return dropout(x, p: 0.5); }";
    let graph = op_cases::graph(text)?;
    let y = graph.outputs[0].value;
    training_step(&[graph], y, &|_| false).map(|step| step.graph).map_err(|d| describe(&d))
}

/// Holds each op of a graph by itself against what it means, without what it says that it reads.
fn meet(graph: &Graph, met: &Mutex<Met>) -> Result<(), String> {
    let program = run::compile(graph, &plans::reference().compile).map_err(|d| describe(&d))?;
    let Ok(Module::Graph(graph)) = text::parse(&program.graph) else {
        return Err("there is no graph".into());
    };
    for op in graph.ops.ids() {
        let name = graph.ops[op].op.name();
        let own = reads_in_its_own_way(&graph, op);
        let error = own.then(|| without_access(&program, &graph, op)).flatten();
        if let Some(other) = error.as_ref().filter(|error| !is_about_reading(error)) {
            return Err(format!("{name}: {other}"));
        }
        let mut met = met.lock().map_err(|e| e.to_string())?;
        met.all.insert(name);
        if own {
            met.of_their_own.insert(name);
        }
        if error.is_some() {
            met.refused.insert(name);
        }
    }
    Ok(())
}

fn reads_in_its_own_way(graph: &Graph, op: OpId) -> bool {
    let node = &graph.ops[op];
    let inputs: Vec<Sizes> = node.inputs.iter().filter_map(|&v| graph.sizes(v)).collect();
    let maps = |op: &dyn Op| -> Vec<AxisMap> {
        let each = (0..inputs.len()).flat_map(|i| AxisId::BOTH.map(|axis| (i, axis)));
        each.map(|(i, axis)| op.access(i, axis, &inputs)).collect()
    };
    maps(&*node.op) != maps(&Forgetful(node.op.clone()))
}

/// What `check` says of a program that was right, if an op of its graph says nothing of what it reads.
fn without_access(program: &Program, graph: &Graph, op: OpId) -> Option<CheckError> {
    let mut graph = graph.clone();
    graph.ops[op].op = Arc::new(Forgetful(graph.ops[op].op.clone()));
    check(program, &graph, None).err()
}

fn is_about_reading(error: &CheckError) -> bool {
    matches!(error, CheckError::Op { error: OpError::Access { .. } | OpError::Outside { .. }, .. })
}
