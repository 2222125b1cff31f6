//! Gradients of every op against PyTorch's, untiled on the JIT and tiled on the kernels, bit for bit the same.

use std::path::Path;

use fastrand::Rng;
use zellige_compiler::driver::{CompileOptions, prove};
use zellige_compiler::ops::{self, OpDef};
use zellige_runtime::engine::EngineKind;
use zellige_tests::op_cases::{self, GradientCase, gradient_ops, gradients};
use zellige_tests::plans::{self, Plan};
use zellige_tests::run::{self, describe};
use zellige_tests::{parallel, parameters};

/// Plans of a network.
const PLANS: usize = 24;
/// Fewest cases of an op.
const CASES: usize = 20;
/// Ops of the language whose gradient is 0 everywhere.
const CONSTANT: &[&str] = &["argmax"];

#[test]
fn every_gradient_agrees_with_pytorch() {
    let cases: Vec<(String, usize, GradientCase)> = gradient_ops()
        .into_iter()
        .flat_map(|op| gradients(&op).into_iter().enumerate().map(move |(i, c)| (op.clone(), i, c)))
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
fn every_gradient_has_cases() {
    let few = |def: &OpDef| gradients(def.name).len() < CASES && !CONSTANT.contains(&def.name);
    let few: Vec<_> = ops::all().filter(|def| !def.internal && few(def)).map(|def| def.name).collect();
    assert!(few.is_empty(), "ops with fewer than {CASES} cases of gradients: {few:?}");
    let unknown: Vec<_> = gradient_ops().into_iter().filter(|op| ops::find(op).is_none()).collect();
    assert!(unknown.is_empty(), "there are cases of ops that do not exist: {unknown:?}");
}

/// A network with skips, statistics, and channels that become space.
const NETWORK: &str = r#"
    model m(image: f32[2, 3, 21, 18]) -> (y: f32[2, 5, 42, 36]) {
        let a = conv2d(image, out: 8, kernel: 3, pad: 1, name: "a") |> relu;
        let b = conv2d(a, out: 8, kernel: 3, stride: 2, pad: 1, name: "b") |> instance_norm(affine: true, name: "n") |> silu;
        let up = conv_transpose2d(b, out: 8, kernel: 2, stride: 2, name: "up");
        let c = concat(crop(up, bottom: 1), a) |> prelu(name: "p");
        let gate = global_avg_pool(c) |> conv2d(out: 16, kernel: 1, name: "gate") |> sigmoid;
        let d = conv2d(c * gate, out: 20, kernel: 3, pad: 1, groups: 2, name: "d");
        return pixel_shuffle(d, 2) |> layer_norm(name: "l") |> softmax;
    }
"#;

/// One with pools, resampling, and convolutions that are padded with a tensor's own pixels.
const RESAMPLED: &str = r#"
    model m(image: f32[2, 3, 23, 18]) -> (y: f32[2, 8, 23, 18]) {
        let a = conv2d(image, out: 8, kernel: 3, pad: 1, pad_mode: "reflect", name: "a") |> relu;
        let b = max_pool2d(a, kernel: 3, stride: 2, pad: 1);
        let c = conv2d(b, out: 8, kernel: 5, pad: 2, pad_mode: "circular", name: "c") |> silu;
        let d = avg_pool2d(c, kernel: 3, stride: 2, pad: 1, count_include_pad: false);
        let e = conv2d(d, out: 8, kernel: 3, pad: 1, pad_mode: "replicate", name: "e");
        let f = upsample(e, scale: 2, mode: "bilinear") |> max_pool2d(kernel: 2) |> upsample(scale: 2);
        return upsample(f, size: [23, 18], mode: "bicubic") + a;
    }
"#;

#[test]
fn gradients_of_a_network_are_the_same_under_every_plan() {
    same_under_every_plan(NETWORK);
}

#[test]
fn gradients_of_resampling_are_the_same_under_every_plan() {
    same_under_every_plan(RESAMPLED);
}

fn same_under_every_plan(network: &str) {
    let graph = op_cases::graph(network).expect("it is a model");
    let graph = run::differentiated(&graph).expect("all its ops have gradients");
    let mut rng = Rng::with_seed(9);
    let inputs = parameters::inputs(&graph, 9);
    let outputs = |plan: &Plan| {
        let program =
            run::compile(&graph, &plan.compile).map_err(|d| format!("{}\n    {plan}", describe(&d)))?;
        let run = run::run(program, &plan.run, &inputs);
        run.map(|(outputs, _)| outputs).map_err(|e| format!("{e}\n    {plan}"))
    };
    let untiled = outputs(&plans::reference()).expect("it runs");
    let finite = untiled.iter().all(|(_, a)| a.data.iter().all(|v| v.is_finite()));
    assert!(finite && untiled.iter().any(|(name, a)| name == "d.image" && a.data.iter().any(|&v| v != 0.0)));
    let canonical = run::canonical(&graph).expect("it is canonical");
    for _ in 0..PLANS {
        let plan = plans::plan(&canonical, &mut rng);
        let tiled = outputs(&plan).unwrap_or_else(|e| panic!("{e}"));
        if let Some(difference) = run::difference(&tiled, &untiled) {
            panic!("{difference}\n    {plan}");
        }
    }
}

fn check(op: &str, number: usize, case: &GradientCase, dir: &Path) -> Result<(), String> {
    let seed = format!("d.{op}");
    let graph = run::differentiated(&case.graph()?)?;
    let weights = dir.join(format!("{op}-{number}.safetensors"));
    parameters::write(&case.parameters(&seed, number), &weights).map_err(|e| e.to_string())?;
    let inputs = case.inputs(&seed, number, &graph);
    let outputs = |plan: &Plan| {
        let options = CompileOptions { weights: Some(weights.clone()), ..plan.compile.clone() };
        let program = run::compile(&graph, &options).map_err(|d| format!("{}\n    {plan}", describe(&d)))?;
        let proof = prove(&program).map_err(|e| format!("{e:?}\n    {plan}"))?;
        proof.map_err(|e| format!("{e}\n    {plan}"))?;
        let run = run::run(program, &plan.run, &inputs);
        run.map(|(outputs, _)| outputs).map_err(|e| format!("{e}\n    {plan}"))
    };
    let untiled = outputs(&plans::reference())?;
    case.compare(&untiled)?;
    run::verify_each_pass(&graph, &plans::reference().compile).map_err(|d| describe(&d))?;

    let canonical = run::canonical(&graph).map_err(|d| describe(&d))?;
    for plan in 0..2 {
        let mut plan = plans::plan(&canonical, &mut Rng::with_seed(2 * number as u64 + plan));
        plan.run.engine = EngineKind::Native;
        let tiled = outputs(&plan)?;
        if let Some(difference) = run::difference(&tiled, &untiled) {
            return Err(format!("tiled: {difference}\n    {plan}"));
        }
    }
    Ok(())
}
