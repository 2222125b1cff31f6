//! The bodies of `zellige_tests::fuzz`, run for a moment on what is damaged at random.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fastrand::Rng;
use serde_json::Value;
use zellige_compiler::base::{Shape, TensorType};
use zellige_compiler::driver::CompileOptions;
use zellige_compiler::ir::{Graph, Output, text};
use zellige_compiler::ops::{Args, find};
use zellige_compiler::passes::{Module, Options, PIPELINE};
use zellige_grammar::{Code, Span};
use zellige_runtime::program::{Data, Program, format, sample};
use zellige_tests::fuzz::{self, Reached};
use zellige_tests::run::{self, describe};
use zellige_tests::{mutate, parallel, plans, random};

/// Damaged programs, half of them as bytes and half as trees.
const PROGRAMS: usize = 20_000;
/// Damaged texts, half of them models and half IR.
const TEXTS: usize = 20_000;

/// Runs a body on case after case; counts how far they got.
fn all(
    cases: usize,
    body: impl Fn(&mut Rng) -> (String, Box<dyn FnOnce() -> Reached>) + Sync,
) -> BTreeMap<Reached, usize> {
    let results = parallel::map(cases, |case| {
        let (input, run) = body(&mut Rng::with_seed(case as u64));
        catch_unwind(AssertUnwindSafe(run)).map_err(|_| format!("case {case}: {input}"))
    });
    let failures: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} cases panic, the first is {}", failures.len(), failures[0]);
    let mut reached = BTreeMap::new();
    for result in results.into_iter().flatten() {
        *reached.entry(result).or_default() += 1;
    }
    eprintln!("{reached:?}");
    reached
}

/// It is no use if nothing gets through, or if everything does.
fn spread(reached: &BTreeMap<Reached, usize>, cases: usize) {
    let done = reached.get(&Reached::Done).copied().unwrap_or(0);
    assert!((cases / 20..cases - cases / 20).contains(&done), "{done} of {cases} get through: {reached:?}");
}

/// Small programs with values for their weights.
fn programs() -> Vec<Program> {
    let mut programs = vec![sample::two_sections(), sample::every_instruction(), sample::whole_axes()];
    for seed in 0..40 {
        let graph = random::model(seed);
        let canonical = run::canonical(&graph).expect("random models are legal");
        let elements: u64 =
            graph.values.ids().filter_map(|v| graph.sizes(v)).map(|s| s.iter().product::<u64>()).sum();
        if elements < 30_000 {
            let plan = plans::plan(&canonical, &mut Rng::with_seed(seed));
            programs.push(run::compile(&graph, &plan.compile).unwrap_or_else(|d| panic!("{}", describe(&d))));
        }
    }
    programs
}

fn bytes_of(program: &Program) -> Vec<u8> {
    let mut bytes = Vec::new();
    format::write(program, &mut bytes, format::Weights::Embedded).expect("memory takes all that is written");
    bytes
}

#[test]
fn programs_damaged_as_bytes() {
    let originals: Vec<Vec<u8>> = programs().iter().map(bytes_of).collect();
    let reached = all(PROGRAMS / 2, |rng| {
        let mut bytes = mutate::bytes(&originals[rng.usize(0..originals.len())], &originals, rng);
        if rng.u8(0..16) > 0 {
            format::repair_checksums(&mut bytes);
        }
        let seed = rng.u64(..);
        (format!("{} bytes", bytes.len()), Box::new(move || fuzz::program(&bytes, seed)))
    });
    spread(&reached, PROGRAMS / 2);
}

#[test]
fn programs_damaged_as_trees() {
    // Numbers that are not finite are nothing in JSON: programs that have any do not read back.
    let tree = |program: Program| {
        let tree = serde_json::to_value(&program).ok()?;
        let same = serde_json::from_value::<Program>(tree.clone()).is_ok();
        same.then(|| (tree, program.data.bytes().to_vec()))
    };
    let originals: Vec<(Value, Vec<u8>)> = programs().into_iter().filter_map(tree).collect();
    assert!(originals.len() > 10);
    let cases = PROGRAMS - PROGRAMS / 2;
    let reached = all(cases, |rng| {
        let (original, data) = &originals[rng.usize(0..originals.len())];
        let (tree, data, seed) = (mutate::tree(original, rng), data.clone(), rng.u64(..));
        let program = serde_json::from_value::<Program>(tree);
        let input =
            program.as_ref().map_or_else(|e| e.to_string(), |p| text::print(&Module::Program(p.clone())));
        let run = move || {
            let Ok(mut program) = program else { return Reached::Refused };
            program.data = Data::new(data);
            fuzz::program(&bytes_of(&program), seed)
        };
        (input, Box::new(run))
    });
    spread(&reached, cases);
}

fn options() -> Options {
    let compile = CompileOptions { sram: Some(1 << 20), memory: Some(1 << 30), ..plans::reference().compile };
    Options { untiled: false, ..compile.for_passes() }
}

/// Files of the repository that end in `extension`, in order.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

#[test]
fn models_damaged_as_text() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let mut paths = Vec::new();
    files(&root.join("examples"), "zlg", &mut paths);
    files(&root.join("tests/data"), "zlg", &mut paths);
    let texts: Vec<String> = paths.iter().map(|p| fs::read_to_string(p).expect("it was listed")).collect();
    assert!(texts.len() > 4);
    let options = options();
    let reached = all(TEXTS / 2, |rng| {
        let text = mutate::text(&texts[rng.usize(0..texts.len())], &texts, rng);
        // Planning takes longer than all the rest.
        let options = (rng.u8(0..8) == 0).then(|| options.clone());
        (text.clone(), Box::new(move || fuzz::model(&text, options.as_ref())))
    });
    spread(&reached, TEXTS / 2);
}

/// Small graphs after some of the passes.
fn modules() -> Vec<String> {
    let mut texts = Vec::new();
    for seed in 0..40 {
        let graph = random::model(seed);
        let printed = text::print_graph(&graph);
        if printed.len() > 8000 {
            continue;
        }
        texts.push(printed);
        let canonical = run::canonical(&graph).expect("random models are legal");
        let options = plans::plan(&canonical, &mut Rng::with_seed(seed)).compile.for_passes();
        let mut module = Module::Graph(graph);
        for pass in PIPELINE {
            module = (pass.run)(module, &options).unwrap_or_else(|d| panic!("{}", describe(&d)));
            if seed % PIPELINE.len() as u64 == 0 || pass.name == "section-cut" || pass.name == "lower" {
                texts.push(text::print(&module));
            }
        }
    }
    texts
}

#[test]
fn ir_damaged_as_text() {
    let texts = modules();
    assert!(texts.len() > 10);
    let options = options();
    let cases = TEXTS - TEXTS / 2;
    let reached = all(cases, |rng| {
        let text = mutate::text(&texts[rng.usize(0..texts.len())], &texts, rng);
        let options = options.clone();
        (text.clone(), Box::new(move || fuzz::ir(&text, &options)))
    });
    spread(&reached, cases);
}

/// Found by hand: step tables of a billion steps took all memory.
#[test]
fn more_steps_than_there_may_be_are_refused() {
    let mut graph = Graph::default();
    let ty = TensorType::f32(Shape::new(1, 1, (1 << 31) - 1, 8));
    let x = graph.add_input("x", ty.clone());
    let relu = (find("relu").expect("it is an op").build)(&Args::default()).expect("it has no arguments");
    let value = graph.add_op("y", relu, vec![x], "y", Span::default()).expect("it takes any shape");
    graph.outputs.push(Output { name: "y".to_owned(), value, ty });
    let options = CompileOptions {
        tile: Some([1, 8]),
        memory: Some(u64::MAX),
        untiled: false,
        ..plans::reference().compile
    };
    let refused = run::compile(&graph, &options).expect_err("two billion steps are too many");
    assert_eq!(refused[0].code, Code::E0704);
}
