//! Every op against PyTorch, untiled on the JIT and tiled on the kernels; and the tables of ops in the documentation.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fastrand::Rng;
use zellige_compiler::driver::CompileOptions;
use zellige_compiler::ir::Graph;
use zellige_compiler::ops::{self, OpDef};
use zellige_runtime::engine::EngineKind;
use zellige_tests::op_cases::{self, OpCase};
use zellige_tests::plans::{self, Plan};
use zellige_tests::run::{self, Arrays, describe};
use zellige_tests::{parallel, parameters};

/// Fewest cases of an op.
const CASES: usize = 20;

#[test]
fn every_op_agrees_with_pytorch() {
    let cases: Vec<(&str, usize, OpCase)> = of_the_language()
        .flat_map(|def| op_cases::read(def.name).into_iter().enumerate().map(move |(i, c)| (def.name, i, c)))
        .collect();
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    parallel::check_all(
        &cases,
        |(op, number, case)| format!("{op} {number}, {}", case.model),
        |(op, number, case)| check(op, *number, case, dir.path()),
    );
    println!("{} cases", cases.len());
}

#[test]
fn every_op_has_cases() {
    let few = |def: &OpDef| op_cases::read(def.name).len() < CASES;
    let few: Vec<_> = of_the_language().filter(few).map(|def| def.name).collect();
    assert!(few.is_empty(), "ops with fewer than {CASES} cases: {few:?}");
    let unknown: Vec<_> = op_cases::ops().into_iter().filter(|op| ops::find(op).is_none()).collect();
    assert!(unknown.is_empty(), "there are cases of ops that do not exist: {unknown:?}");
}

/// The tables of docs/language.md have a row for each op: its first cell begins with calls such as `relu(x)`, more of them
/// without operands.
#[test]
fn the_documentation_names_all_ops() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language.md");
    let text = fs::read_to_string(path).expect("the documentation is in the repository");
    let (_, section) = text.split_once("\n## Ops\n").expect("there is a section on ops");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let calls = cells.flat_map(|cell| cell.split(['`', ',']));
    let names = calls.map(|call| call.split('(').next().unwrap_or_default().trim());
    let named: BTreeSet<&str> = names.filter(|name| is_name(name)).collect();
    let all: BTreeSet<&str> = of_the_language().map(|def| def.name).collect();
    let missing: Vec<_> = all.difference(&named).collect();
    let unknown: Vec<_> = named.difference(&all).filter(|name| name.len() > 1).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}, unknown: {unknown:?}");
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn of_the_language() -> impl Iterator<Item = OpDef> {
    ops::all().filter(|def| !def.internal)
}

fn check(op: &str, number: usize, case: &OpCase, dir: &Path) -> Result<(), String> {
    let graph = case.graph()?;
    let weights = dir.join(format!("{op}-{number}.safetensors"));
    parameters::write(&case.parameters(op, number), &weights).map_err(|e| e.to_string())?;
    let inputs = case.inputs(op, number);
    let outputs = |plan: &Plan| {
        let options = CompileOptions { weights: Some(weights.clone()), ..plan.compile.clone() };
        outputs(&graph, &options, plan, &inputs).map_err(|e| format!("{e}\n    {plan}"))
    };
    let untiled = outputs(&plans::reference())?;
    case.compare(&untiled[0].1)?;

    let canonical = run::canonical(&graph).map_err(|d| describe(&d))?;
    let mut plan = plans::plan(&canonical, &mut Rng::with_seed(number as u64));
    plan.run.engine = EngineKind::Native;
    let tiled = outputs(&plan)?;
    run::difference(&tiled, &untiled).map_or(Ok(()), |d| Err(format!("tiled: {d}\n    {plan}")))
}

fn outputs(graph: &Graph, options: &CompileOptions, plan: &Plan, inputs: &Arrays) -> Result<Arrays, String> {
    let program = run::compile(graph, options).map_err(|d| describe(&d))?;
    run::run(program, &plan.run, inputs).map(|(outputs, _)| outputs).map_err(|e| e.to_string())
}
