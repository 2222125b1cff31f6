//! `check`: it accepts what is right, whether the pipeline makes such programs or not, and refutes what computes something else.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fastrand::Rng;
use safetensors::tensor::{Dtype, TensorView};
use zellige_compiler::base::Bindings;
use zellige_compiler::driver::{CompileOptions, Opened};
use zellige_compiler::ir::{Graph, text};
use zellige_runtime::engine::{Isa, Options};
use zellige_runtime::io::safetensors::Safetensors;
use zellige_runtime::machine::Machine;
use zellige_runtime::program::verify::{self, Limits};
use zellige_runtime::program::{Data, Program, Source};
use zellige_tests::faults::Faults;
use zellige_tests::run::{self, Arrays, describe};
use zellige_tests::variants::{self, VARIANTS, in_order};
use zellige_tests::{parallel, parameters, plans, random};

/// Random programs of one kind.
struct Programs {
    /// Their seeds; `ZELLIGE_MODELS` asks for more, or for others.
    models: Range<u64>,
    /// The graph of a seed.
    draw: fn(u64) -> Graph,
    /// Instructions that half of the faults are put into, where there are any.
    instructions: &'static [&'static str],
}

const FORWARD: Programs = Programs { models: 0..120, draw: random::model, instructions: &[] };
const BACKWARD: Programs =
    Programs { models: 0..48, draw: random::gradients, instructions: &["conv_dw", "adjoint", "max_pool_dx"] };
/// Faults put into a model's program, and of them most that are run.
const FAULTS: usize = 160;
const RUNS: usize = 20;

/// A program and what it computes.
struct Case {
    graph: Graph,
    program: Program,
    inputs: Arrays,
    outputs: Arrays,
    work: u64,
}

impl Case {
    fn of(graph: Graph, seed: u64) -> Result<Self, String> {
        let canonical = run::canonical(&graph).map_err(|d| describe(&d))?;
        let plan = plans::plan(&canonical, &mut Rng::with_seed(seed ^ 0xc4ec));
        let mut program = run::compile(&graph, &plan.compile).map_err(|d| describe(&d))?;
        parameters::attach(&mut program, &parameters::draw(&graph, seed));
        name_weights(&mut program);
        let mut rng = Rng::with_seed(seed ^ 0x41c);
        if rng.bool() {
            program = variants::kept(&program, &mut rng).unwrap_or(program);
        }
        if rng.bool() {
            // Instructions that read what they should not find it in larger tiles, and are run.
            program = variants::enlarged(&program, &mut rng).unwrap_or(program);
        }
        in_order(&mut program);
        let inputs = parameters::inputs(&graph, seed);
        let outputs = outputs(&program, &inputs)?;
        let work = verify::verify(&program, &LIMITS).map_err(|e| e.to_string())?.work();
        Ok(Self { graph, program, inputs, outputs, work })
    }

    fn report(&self, seed: u64, what: &str) -> String {
        format!("model of seed {seed}: {what}\n{}", text::print_graph(&self.graph))
    }
}

/// Makes a safetensors file of the values of a program's parameters, which says which of them is which.
fn name_weights(program: &mut Program) {
    let values: BTreeMap<&str, TensorView<'_>> = program
        .weights
        .iter()
        .filter_map(|w| {
            let Source::Offset(offset) = w.source else { return None };
            let bytes = offset as usize..(offset + 4 * w.elements()?) as usize;
            let shape = w.dims.iter().map(|d| *d as usize).collect();
            let view = TensorView::new(Dtype::F32, shape, &program.data.bytes()[bytes]);
            Some((w.name.as_str(), view.expect("as many values as the shape says")))
        })
        .collect();
    let file = safetensors::serialize(values, None).expect("names are unique");
    let file = Safetensors::new(Data::new(file)).expect("it has just been made");
    for weight in &mut program.weights {
        if let Source::Offset(offset) = &mut weight.source {
            *offset = file.tensors()[&weight.name].offset;
        }
    }
    program.data = file.data().clone();
}

/// Whatever a variant takes.
const LIMITS: Limits = Limits { sram_bytes: u64::MAX, device_bytes: u64::MAX, work: None };

fn outputs(program: &Program, inputs: &Arrays) -> Result<Arrays, String> {
    let options = Options { isa: Isa::available().last().copied(), threads: 1, ..Options::default() };
    let run = || run::run(program.clone(), &options, inputs).map(|(o, _)| o).map_err(|e| e.to_string());
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("panics".to_owned()))
}

impl Programs {
    fn seeds(&self) -> Vec<u64> {
        let Ok(range) = std::env::var("ZELLIGE_MODELS") else { return self.models.clone().collect() };
        let number = |text: &str| text.parse().expect("ZELLIGE_MODELS is a range such as 1000..2000");
        let (from, to) = range.split_once("..").expect("ZELLIGE_MODELS is a range such as 1000..2000");
        (number(from)..number(to)).collect()
    }

    fn case(&self, seed: u64) -> Result<Case, String> {
        Case::of((self.draw)(seed), seed)
    }
}

/// What became of the faults of a kind.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// That the runtime's verifier refuses, and what is refused is refuted.
    refused_refuted: u32,
    /// That the runtime's verifier refuses for other reasons: bytes, tokens, lanes.
    refused_accepted: u32,
    /// That change an output; all of them refuted.
    changed: u32,
    /// That change none, and are refuted.
    harmless_refuted: u32,
    /// That change none, and are accepted.
    harmless_accepted: u32,
}

impl Tally {
    fn plus(self, other: &Self) -> Self {
        Self {
            refused_refuted: self.refused_refuted + other.refused_refuted,
            refused_accepted: self.refused_accepted + other.refused_accepted,
            changed: self.changed + other.changed,
            harmless_refuted: self.harmless_refuted + other.harmless_refuted,
            harmless_accepted: self.harmless_accepted + other.harmless_accepted,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refused_refuted, refused_accepted, changed, harmless_refuted, harmless_accepted } = self;
        write!(
            f,
            "{refused_refuted:6} {refused_accepted:6}; {changed:6}; {harmless_refuted:6} {harmless_accepted:6}"
        )
    }
}

#[test]
fn faults_that_change_an_output_are_refuted() {
    let [kinds, changed] = faults_are_refuted(&FORWARD);
    assert!(kinds >= 12 && changed >= 500, "{changed} faults of {kinds} kinds change an output");
}

#[test]
fn faults_that_change_a_gradient_are_refuted() {
    let [kinds, changed] = faults_are_refuted(&BACKWARD);
    assert!(kinds >= 12 && changed >= 300, "{changed} faults of {kinds} kinds change a gradient");
}

/// How many kinds of faults change an output, and how many faults.
fn faults_are_refuted(programs: &Programs) -> [u32; 2] {
    let seeds = programs.seeds();
    let tallies = Mutex::new(BTreeMap::<String, Tally>::new());
    let missed = parallel::map(seeds.len(), |i| put_faults(programs, seeds[i], &tallies));
    let tallies = tallies.into_inner().expect("no case panics while it holds the lock");
    println!(
        "fault: not run (refuted, accepted); outputs change (refuted); outputs stay (refuted, accepted)"
    );
    for (kind, t) in &tallies {
        println!("{kind:32} {t}");
    }
    let all = tallies.values().fold(Tally::default(), |all, t| all.plus(t));
    println!("{:32} {all}", "all");
    let missed: Vec<String> = missed.into_iter().flatten().collect();
    assert!(missed.is_empty(), "{} faults were missed:\n{}", missed.len(), missed.join("\n"));
    [tallies.values().filter(|t| t.changed > 0).count() as u32, all.changed]
}

/// Faults that were not found.
fn put_faults(programs: &Programs, seed: u64, tallies: &Mutex<BTreeMap<String, Tally>>) -> Vec<String> {
    let case = match programs.case(seed) {
        Ok(case) => case,
        Err(error) => return vec![format!("model of seed {seed}: {error}")],
    };
    let Some(faults) = Faults::of(&case.program) else { return Vec::new() };
    let within = faults.within(programs.instructions);
    let mut rng = Rng::with_seed(seed);
    let mut missed = Vec::new();
    let mut runs = 0;
    for i in 0..FAULTS {
        if runs == RUNS {
            break;
        }
        let faults = within.as_ref().filter(|_| i % 2 == 0).unwrap_or(&faults);
        let Some((kind, mut program)) = faults.draw(&mut rng) else { continue };
        program.data = case.program.data.clone();
        let check = run::check(&program);
        let limits = Limits { work: Some(4 * case.work + 1_000_000), ..LIMITS };
        let found = match verify::verify(&program, &limits) {
            Ok(_) => {
                runs += 1;
                outputs(&program, &case.inputs)
            }
            Err(error) => Err(error.to_string()),
        };
        let difference = found.map(|found| run::difference(&found, &case.outputs));
        let mut tallies = tallies.lock().expect("no case panics while it holds the lock");
        let tally = tallies.entry(kind.to_owned()).or_default();
        match (difference, check) {
            (Err(_), Err(_)) => tally.refused_refuted += 1,
            (Err(_), Ok(_)) => tally.refused_accepted += 1,
            (Ok(Some(_)), Err(_)) => tally.changed += 1,
            (Ok(Some(difference)), Ok(_)) => missed.push(case.report(seed, &format!("{kind}: {difference}"))),
            (Ok(None), Err(_)) => tally.harmless_refuted += 1,
            (Ok(None), Ok(_)) => tally.harmless_accepted += 1,
        }
    }
    missed
}

#[test]
fn programs_that_the_pipeline_never_makes_are_accepted() {
    variants_are_accepted(&FORWARD, VARIANTS.len() - 1);
}

#[test]
fn backward_programs_that_the_pipeline_never_makes_are_accepted() {
    variants_are_accepted(&BACKWARD, VARIANTS.len());
}

fn variants_are_accepted(programs: &Programs, kinds: usize) {
    let seeds = programs.seeds();
    let results = parallel::map(seeds.len(), |i| vary(programs, seeds[i]));
    let failures: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} models:\n{}", failures.len(), failures.join("\n"));
    let mut counts = BTreeMap::<&str, u32>::new();
    for name in results.iter().flatten().flatten() {
        *counts.entry(name).or_default() += 1;
    }
    println!("{counts:?}");
    assert!(counts.len() == kinds && counts.values().sum::<u32>() >= 100, "{counts:?}");
}

/// The variants of a program that are different, and that check accepts.
fn vary(programs: &Programs, seed: u64) -> Result<Vec<&'static str>, String> {
    let case = programs.case(seed)?;
    let mut rng = Rng::with_seed(seed);
    let mut done = Vec::new();
    for variant in VARIANTS {
        let Some(program) = (variant.apply)(&case.program, &mut rng).filter(|p| *p != case.program) else {
            continue;
        };
        let fail = |error: String| case.report(seed, &format!("{}: {error}", variant.name));
        verify::verify(&program, &LIMITS).map_err(|e| fail(format!("not even verified: {e}")))?;
        run::check(&program).map_err(|e| fail(e.to_string()))?;
        let found = outputs(&program, &case.inputs).map_err(fail)?;
        if let Some(difference) = run::difference(&found, &case.outputs) {
            return Err(fail(difference));
        }
        done.push(variant.name);
    }
    Ok(done)
}

#[test]
fn a_hundred_thousand_rows_and_columns_are_checked_at_once() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/stack8/stack8.zlg");
    let Opened::Model(model) = Opened::open(path.as_ref()).expect("it is an example") else {
        panic!("{path} is a model")
    };
    let sizes = ["H", "W"].map(|symbol| (symbol.to_owned(), 100_000));
    let graph = model.bind(&Vec::new(), &Bindings::from_iter(sizes)).expect("it takes any size");
    let machine = Machine::builtin("tiny").expect("`tiny` is built in");
    let options =
        CompileOptions { sram: Some(1 << 20), memory: Some(u64::MAX), ..CompileOptions::new(machine) };
    let (program, _) = model.compile(&graph, &options).expect("it fits");
    let start = Instant::now();
    let proof = run::check(&program).expect("the pipeline is right");
    let taken = start.elapsed();
    println!("{proof:?} in {taken:?}");
    assert!(taken < Duration::from_secs(2), "{taken:?}");
}
