//! The bodies of `zellige_tests::fuzz`, run for a moment on what is damaged at random.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use zellige_compiler::base::{Shape, TensorType};
use zellige_compiler::driver::CompileOptions;
use zellige_compiler::ir::{Graph, Output, text};
use zellige_compiler::ops::{Args, find};
use zellige_compiler::passes::Module;
use zellige_grammar::{Code, Span};
use zellige_runtime::io::Format;
use zellige_runtime::program::{Data, Program, format};
use zellige_tests::fuzz::{self, Reached, seeds};
use zellige_tests::run;
use zellige_tests::{mutate, parallel, plans};

/// A case takes no longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// Damaged programs, half of them as bytes and half as trees.
const PROGRAMS: usize = 20_000;
/// Damaged texts, half of them models and half IR.
const TEXTS: usize = 20_000;
/// Damaged files of each format.
const FILES: usize = 2_000;

/// Runs a body on case after case; counts how far they got.
fn all(
    cases: usize,
    body: impl Fn(&mut Rng) -> (String, Box<dyn FnOnce() -> Reached>) + Sync,
) -> BTreeMap<Reached, usize> {
    let results = parallel::map(cases, |case| {
        let (input, run) = body(&mut Rng::with_seed(case as u64));
        let start = Instant::now();
        let reached = catch_unwind(AssertUnwindSafe(run)).map_err(|_| format!("case {case}: {input}"));
        if start.elapsed() > PATIENCE {
            Err(format!("case {case} takes {:?}: {input}", start.elapsed()))
        } else {
            reached
        }
    });
    let failures: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).map(String::as_str).collect();
    let first = failures.first().unwrap_or(&"");
    assert!(failures.is_empty(), "{} cases panic or take too long, the first is {first}", failures.len());
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

#[test]
fn programs_damaged_as_bytes() {
    let originals: Vec<Vec<u8>> = seeds::programs().iter().map(seeds::bytes_of).collect();
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
    let originals: Vec<(Value, Vec<u8>)> = seeds::programs().into_iter().filter_map(tree).collect();
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
            fuzz::program(&seeds::bytes_of(&program), seed)
        };
        (input, Box::new(run))
    });
    spread(&reached, cases);
}

#[test]
fn models_damaged_as_text() {
    let texts = seeds::models();
    assert!(texts.len() > 4);
    let options = fuzz::compile_options();
    let reached = all(TEXTS / 2, |rng| {
        let text = mutate::text(&texts[rng.usize(0..texts.len())], &texts, rng);
        // Planning takes longer than all the rest.
        let options = (rng.u8(0..8) == 0).then(|| options.clone());
        (text.clone(), Box::new(move || fuzz::model(&text, options.as_ref())))
    });
    spread(&reached, TEXTS / 2);
}

#[test]
fn ir_damaged_as_text() {
    let texts = seeds::ir();
    assert!(texts.len() > 10);
    let options = fuzz::compile_options();
    let cases = TEXTS - TEXTS / 2;
    let reached = all(cases, |rng| {
        let text = mutate::text(&texts[rng.usize(0..texts.len())], &texts, rng);
        let options = options.clone();
        (text.clone(), Box::new(move || fuzz::ir(&text, &options)))
    });
    spread(&reached, cases);
}

/// Files are damaged in all formats that are read.
#[test]
fn files_damaged_as_bytes() {
    for format in [Format::Png, Format::Jpeg, Format::Npy] {
        let originals = seeds::arrays(format);
        assert!(!originals.is_empty());
        let reached = all(FILES, |rng| {
            let bytes = mutate::bytes(&originals[rng.usize(0..originals.len())], &originals, rng);
            (format!("{format}, {} bytes", bytes.len()), Box::new(move || fuzz::array(format, &bytes)))
        });
        assert!(reached.len() > 1, "{format}: {reached:?}");
    }
    let originals = seeds::safetensors();
    let reached = all(FILES, |rng| {
        let bytes = mutate::bytes(&originals[rng.usize(0..originals.len())], &originals, rng);
        (format!("{} bytes", bytes.len()), Box::new(move || fuzz::safetensors(&bytes)))
    });
    assert!(reached.len() > 1, "{reached:?}");
}

/// Plans are compared by `lossless.rs`; here the fuzz target's own body runs.
#[test]
fn models_and_plans() {
    all(20, |rng| {
        let seeds = [rng.u64(..), rng.u64(..)];
        (format!("{seeds:?}"), Box::new(move || fuzz::lossless(seeds)))
    });
}

/// What mutators make is not all refused.
#[test]
fn mutators_keep_most_of_what_they_are_given() {
    let programs: Vec<Vec<u8>> = seeds::programs().iter().map(seeds::bytes_of).collect();
    let kept = (0..200u32).filter(|&seed| {
        let mutated = fuzz::mutators::program(&programs[seed as usize % programs.len()], seed);
        mutated.is_some_and(|bytes| format::read(&bytes, |_| Ok(Data::default())).is_ok())
    });
    assert!(kept.count() > 100);
    assert_eq!(fuzz::mutators::program(b"no program", 1), None);
    let text = fuzz::mutators::text(seeds::models()[0].as_bytes(), 1).expect("it is text");
    assert!(std::str::from_utf8(&text).is_ok());
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
