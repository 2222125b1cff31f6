//! Gradients that are added up in memory: the same from run to run, on every engine and any number of threads, proved, and those of
//! `--grad halo` up to rounding.

use fastrand::Rng;
use zellige_compiler::ir::{Gradient, Graph, Overlap};
use zellige_runtime::engine::{EngineKind, Isa, Options};
use zellige_runtime::program::instr::{Addressing, Store};
use zellige_runtime::program::verify::{Limits, verify};
use zellige_runtime::program::{BufferSteps, Instr, Interval, Program, Section, Steps};
use zellige_tests::faults::Faults;
use zellige_tests::op_cases;
use zellige_tests::plans::{self, Plan};
use zellige_tests::run::{self, Arrays, describe};
use zellige_tests::{parallel, parameters};

/// What adding in another order may change, of the largest value of a tensor.
const TOLERANCE: f32 = 1e-5;
/// `ZELLIGE_MODELS` asks for more, or for others, `ZELLIGE_PLANS` for more plans of each.
const NETWORKS: std::ops::Range<u64> = 0..50;
const PLANS: u64 = 5;

/// Networks by hand: what is sampled by windows of every kind, wider and narrower than their stride, and smaller than a kernel.
const NETWORKS_BY_HAND: &[&str] = &[
    r#"model stack(x: f32[1, 3, 29, 34]) -> (y: f32[1, 5, 29, 34]) {
        return conv2d(x, out: 8, kernel: 3, pad: 1, name: "a") |> relu
            |> conv2d(out: 8, kernel: 3, pad: 1, name: "b") |> relu |> conv2d(out: 5, kernel: 5, pad: 2, name: "c");
    }"#,
    r#"model strided(x: f32[2, 3, 37, 26]) -> (y: f32[2, 8, 8, 9]) {
        let a = conv2d(x, out: 8, kernel: 3, pad: 1, name: "a") |> silu;
        let b = conv2d(a, out: 16, kernel: [5, 3], stride: 2, pad: (top: 2, left: 0, bottom: 1, right: 2), name: "b");
        return conv2d(b, out: 8, kernel: 3, stride: [2, 1], dilation: [2, 2], pad: [1, 0], name: "c");
    }"#,
    r#"model grouped(x: f32[1, 6, 23, 21]) -> (y: f32[1, 12, 23, 21]) {
        let a = conv2d(x, out: 12, kernel: 3, pad: 1, groups: 3, name: "a") |> gelu;
        return conv2d(a, out: 12, kernel: 5, pad: 2, groups: 12, name: "b") |> conv2d(out: 12, kernel: 3, pad: 1, name: "c");
    }"#,
    r#"model transposed(x: f32[1, 4, 9, 11]) -> (y: f32[1, 6, 21, 24]) {
        let a = conv2d(x, out: 8, kernel: 3, pad: 1, name: "a") |> relu;
        let b = conv_transpose2d(a, out: 8, kernel: 4, stride: 2, pad: 1, name: "b");
        return conv_transpose2d(b, out: 6, kernel: [4, 5], name: "c", pad: [0, 1]);
    }"#,
    r#"model pooled(x: f32[2, 5, 31, 27]) -> (y: f32[2, 5, 31, 27]) {
        let a = conv2d(x, out: 5, kernel: 3, pad: 1, name: "a");
        let b = max_pool2d(a, kernel: 3, stride: 2, pad: 1) |> avg_pool2d(kernel: 3, stride: 1, pad: 1, count_include_pad: false);
        let c = upsample(b, size: [31, 27], mode: "bilinear") |> max_pool2d(kernel: 3, stride: 1, pad: 1);
        let d = avg_pool2d(c, kernel: 5, stride: 3, pad: 2) |> upsample(size: [31, 27], mode: "bicubic");
        return d + a;
    }"#,
    r#"model tiny(x: f32[1, 3, 2, 1]) -> (y: f32[1, 4, 4, 3]) {
        let a = conv2d(x, out: 4, kernel: 1, name: "a");
        return conv2d(a, out: 4, kernel: [5, 5], pad: 3, name: "b");
    }"#,
    r#"model skipped(x: f32[1, 3, 17, 40]) -> (y: f32[1, 8, 17, 40]) {
        let a = conv2d(x, out: 8, kernel: 3, pad: 1, name: "a") |> relu;
        let b = conv2d(a, out: 8, kernel: [1, 7], pad: [0, 3], bias: false, name: "b") |> instance_norm(affine: true, name: "n") |> relu;
        return conv2d(b, out: 8, kernel: [7, 1], pad: [3, 0], name: "c") + a;
    }"#,
];

#[test]
fn sums_are_those_of_halos_and_the_same_every_time() {
    parallel::check_all(
        NETWORKS_BY_HAND,
        |text| (*text).to_owned(),
        |text| {
            let graph = gradients(text)?;
            for tile in [[8, 8], [5, 7], [2, 3], [1, 1], [16, 64]] {
                compare(&graph, Some(tile), 1)?;
            }
            Ok(())
        },
    );
}

#[test]
fn sums_of_random_networks_are_those_of_halos() {
    let seeds: Vec<u64> = seeds().collect();
    let plans =
        std::env::var("ZELLIGE_PLANS").map_or(PLANS, |n| n.parse().expect("ZELLIGE_PLANS is a number"));
    parallel::check_all(
        &seeds,
        |seed| format!("network {seed}: {}", network(*seed)),
        |&seed| {
            let graph = gradients(&network(seed))?;
            let mut rng = Rng::with_seed(seed);
            for _ in 0..plans {
                let tile = (rng.u8(0..6) > 0).then(|| [rng.u64(1..14), rng.u64(1..14)]);
                compare(&graph, tile, seed)?;
            }
            Ok(())
        },
    );
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("ZELLIGE_MODELS") else { return NETWORKS };
    let number = |text: &str| text.parse().expect("ZELLIGE_MODELS is a range such as 1000..2000");
    let (from, to) = range.split_once("..").expect("ZELLIGE_MODELS is a range such as 1000..2000");
    number(from)..number(to)
}

/// Halo on the reference engine, against tiles that are added up: on each engine, with one thread and with several, twice.
fn compare(graph: &Graph, tile: Option<[u64; 2]>, seed: u64) -> Result<(), String> {
    let inputs = parameters::inputs(graph, seed);
    let expected = outputs(compiled(graph, &plans::reference())?, &plans::reference().run, &inputs)?;
    let mut plan = plans::reference();
    plan.compile.untiled = false;
    plan.compile.tile = tile;
    (plan.compile.sram, plan.compile.memory) = (Some(u64::MAX), Some(u64::MAX));
    plan.compile.gradient = Gradient::Rmw;
    plan.compile.overlap = [None, Some(Overlap::Reuse)][(seed % 2) as usize];
    run::verify_each_pass(graph, &plan.compile).map_err(|d| format!("{tile:?}: {}", describe(&d)))?;
    let program = compiled(graph, &plan)?;
    let first = outputs(program.clone(), &plan.run, &inputs)?;
    if let Some(far) = first.iter().zip(&expected).find_map(|(a, b)| distance(a, b)) {
        return Err(format!("{tile:?}: {far}"));
    }
    let native = |isa, threads, checked| {
        let engine = EngineKind::Native;
        Options { engine, isa: Some(isa), threads, checked, ..Options::default() }
    };
    let jit = Options { engine: EngineKind::Jit, threads: 3, ..Options::default() };
    let isas = Isa::available();
    let runs = isas.iter().map(|isa| native(*isa, 2, false)).chain([jit, native(isas[0], 4, true)]);
    for options in runs {
        if let Some(difference) = run::difference(&outputs(program.clone(), &options, &inputs)?, &first) {
            return Err(format!("{tile:?}, {options:?}: {difference}"));
        }
    }
    Ok(())
}

fn compiled(graph: &Graph, plan: &Plan) -> Result<Program, String> {
    run::compile(graph, &plan.compile).map_err(|d| format!("{}\n    {plan}", describe(&d)))
}

fn outputs(program: Program, options: &Options, inputs: &Arrays) -> Result<Arrays, String> {
    run::run(program, options, inputs).map(|(outputs, _)| outputs).map_err(|e| e.to_string())
}

/// What is further apart than the tolerance, in words.
fn distance(
    (name, found): &(String, zellige_runtime::io::Array),
    (_, expected): &(String, zellige_runtime::io::Array),
) -> Option<String> {
    let largest = expected.data.iter().fold(0f32, |m, v| m.max(v.abs()));
    let far = |(a, b): (&f32, &f32)| (a - b).abs() > TOLERANCE * largest || a.is_nan() != b.is_nan();
    let at = found.data.iter().zip(&expected.data).position(far)?;
    let (a, b) = (found.data[at], expected.data[at]);
    Some(format!("`{name}` {at}: {a:?}, with halos {b:?}, of which the largest is {largest:?}"))
}

/// The gradients of all parameters and inputs.
fn gradients(text: &str) -> Result<Graph, String> {
    run::differentiated(&op_cases::graph(text)?)
}

/// A chain of layers, brought back to the size of the input.
fn network(seed: u64) -> String {
    let mut rng = Rng::with_seed(seed);
    let (images, h, w) = (rng.u64(1..3), rng.u64(4..28), rng.u64(4..28));
    let mut channels = rng.u32(1..20);
    let mut body = format!("let x0 = conv2d(x, out: {channels}, kernel: 3, pad: 1, name: \"c0\");\n");
    let n = rng.usize(2..5);
    for i in 1..=n {
        let (kernel, stride, dilation) = (rng.u8(1..6), rng.u8(1..3), rng.u8(1..3));
        let layer = match rng.u8(0..9) {
            0 => "max_pool2d(kernel: 3, stride: 2, pad: 1)".to_owned(),
            1 => format!("avg_pool2d(kernel: 3, stride: {stride}, pad: 1)"),
            2 => format!("upsample(scale: 2, mode: \"{}\")", ["bilinear", "bicubic"][rng.usize(0..2)]),
            3 => {
                channels = rng.u32(1..20);
                let kernel = kernel + 1;
                format!(
                    "conv_transpose2d(out: {channels}, kernel: {kernel}, stride: 2, pad: 1, name: \"c{i}\")"
                )
            }
            4 => "relu".to_owned(),
            _ => {
                channels = rng.u32(1..20);
                let pad = (dilation * (kernel - 1)).div_ceil(2) + rng.u8(0..2);
                let window = format!("kernel: {kernel}, stride: {stride}, dilation: {dilation}, pad: {pad}");
                format!("conv2d(out: {channels}, {window}, name: \"c{i}\")")
            }
        };
        let tail = [" |> relu", "", " |> tanh"][rng.usize(0..3)];
        body += &format!("let x{i} = x{} |> {layer}{tail};\n", i - 1);
    }
    let (from, to) = (format!("{images}, 2, {h}, {w}"), format!("{images}, {channels}, {h}, {w}"));
    format!(
        "model m(x: f32[{from}]) -> (y: f32[{to}]) {{\n{body}return upsample(x{n}, size: [{h}, {w}]);\n}}"
    )
}

/// Tensors that a program adds up.
fn sums_of(program: &Program) -> usize {
    let body = program.sections.iter().flat_map(|s| &s.body);
    body.filter(|i| matches!(i.instr, Instr::StoreRmw(_))).count()
}

#[test]
fn every_kind_of_gradient_that_overlaps_is_added_up() {
    for (text, sums) in NETWORKS_BY_HAND.iter().zip([2, 2, 2, 2, 6, 1, 2]) {
        let graph = gradients(text).expect("it is a model");
        let mut plan = plans::reference();
        plan.compile.untiled = false;
        plan.compile.gradient = Gradient::Rmw;
        (plan.compile.sram, plan.compile.memory) = (Some(1 << 20), Some(u64::MAX));
        let program = compiled(&graph, &plan).expect("there is a plan");
        assert_eq!(sums_of(&program), sums, "{text}");
    }
}

/// Faults put into a program.
const FAULTS: usize = 600;

/// The gradients of a stack of convolutions in tiles of 8 × 8, and where they are added up first.
fn stack() -> (Graph, Program, usize) {
    let graph = gradients(NETWORKS_BY_HAND[0]).expect("it is a model");
    let mut plan = plans::reference();
    (plan.compile.untiled, plan.compile.tile) = (false, Some([8, 8]));
    (plan.compile.gradient, plan.compile.sram) = (Gradient::Rmw, Some(1 << 20));
    let program = compiled(&graph, &plan).expect("there is a plan");
    let adds = |s: &Section| s.body.iter().any(|i| matches!(i.instr, Instr::StoreRmw(_)));
    let section = program.sections.iter().position(adds).expect("it adds up tiles");
    (graph, program, section)
}

/// The error that a fault in a sum gives, of `check` and of the runtime's verifier; nothing where it is accepted.
fn errors(damage: impl FnOnce(&mut Section)) -> [String; 2] {
    let (_, mut program, section) = stack();
    damage(&mut program.sections[section]);
    let limits = Limits { sram_bytes: u64::MAX, device_bytes: u64::MAX, work: None };
    let check = run::check(&program).err().map_or(String::new(), |e| e.to_string());
    [check, verify(&program, &limits).err().map_or(String::new(), |e| e.to_string())]
}

/// Edits an interval of what a buffer owns along y.
fn owned(buffer: &mut BufferSteps, step: usize, edit: impl FnOnce(&mut Interval)) {
    let mut list: Vec<Interval> = buffer.owned.iter().collect();
    edit(&mut list[step]);
    buffer.owned = Steps::compress(&list);
}

#[test]
fn a_contribution_that_is_missing_or_there_twice_is_refuted() {
    let [sum, part] = [1, 0];
    let refuted = |damage: &dyn Fn(&mut Section)| errors(damage);
    // The sum leaves out rows that its part contributes to, but that another step has as well.
    let [check, verifier] = refuted(&|s| owned(&mut s.y.buffers[sum], 1, |o| o.start += 1));
    assert!(check.contains("adds nothing there"), "{check}");
    assert_eq!(verifier, "", "it is safe");
    // A part of two steps, of none.
    let [check, _] = refuted(&|s| owned(&mut s.y.buffers[part], 1, |o| o.end += 1));
    assert!(check.contains("owned by another step too"), "{check}");
    let [check, verifier] = refuted(&|s| owned(&mut s.y.buffers[part], 1, |o| o.end -= 1));
    assert!(check.contains("no step owns coordinate"), "{check}");
    assert_eq!(verifier, "", "it is safe");
    // Whole tiles are added up, not parts.
    let [check, verifier] = refuted(&|s| {
        let Instr::Load(load) = &mut s.body[0].instr else { panic!("it loads first") };
        assert_eq!(load.addressing.take(), Some(Addressing::Owned));
    });
    assert!(check.contains("which is no tile's contribution"), "{check}");
    assert_eq!(verifier, "", "it is safe");
}

#[test]
fn colours_and_stores_that_overlap_are_refuted() {
    let [check, verifier] = errors(|s| s.colours[0] = 1);
    assert!(check.contains("of one colour, both add to"), "{check}");
    assert!(verifier.contains("of the same colour"), "{verifier}");
    let [check, verifier] = errors(|s| {
        let last = s.body.last_mut().expect("it stores");
        let Instr::StoreRmw(add) = &last.instr else { panic!("it adds last") };
        last.instr = Instr::Store(Store { dst: add.dst, src: add.src });
    });
    assert!(check.contains("a tile's part"), "{check}");
    assert!(verifier.contains("steps before own everything below"), "{verifier}");
    // More colours are another order of additions.
    let [check, verifier] = errors(|s| s.colours = [s.y.steps, s.x.steps]);
    assert_eq!([check.as_str(), verifier.as_str()], ["", ""]);
}

#[test]
fn no_fault_that_changes_a_gradient_is_accepted() {
    let (graph, program, _) = stack();
    let inputs = parameters::inputs(&graph, 3);
    let options = Options { threads: 1, ..Options::default() };
    let expected = outputs(program.clone(), &options, &inputs).expect("it runs");
    let faults = Faults::of(&program).expect("its numbers are finite");
    let cases: Vec<u64> = (0..FAULTS as u64).collect();
    let limits = Limits { sram_bytes: u64::MAX, device_bytes: u64::MAX, work: None };
    let results = parallel::map(cases.len(), |i| {
        let (kind, mut faulty) = faults.draw(&mut Rng::with_seed(cases[i]))?;
        // Where weights lie is for those to say who put them there.
        faulty.data = program.data.clone();
        if faulty.weights != program.weights || verify(&faulty, &limits).is_err() {
            return None;
        }
        let accepted = run::check(&faulty).is_ok();
        let found = outputs(faulty, &options, &inputs).ok();
        let far = found.is_none_or(|f| f.iter().zip(&expected).any(|(a, b)| distance(a, b).is_some()));
        assert!(!(accepted && far), "accepted: {kind}, seed {}", cases[i]);
        Some((accepted, far))
    });
    let count = |f: &dyn Fn(&(bool, bool)) -> bool| results.iter().flatten().filter(|r| f(r)).count();
    let (changed, kept) = (count(&|r| r.1), count(&|r| r.0));
    println!("{changed} safe faults change a gradient and are refuted; {kept} change none and are accepted");
    assert!(changed >= 20 && kept >= 5, "{changed}, {kept}");
}
