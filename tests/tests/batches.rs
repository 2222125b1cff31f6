//! Training steps on batches of images of different sizes: against PyTorch's, and the same bits under every plan.

use std::path::Path;

use fastrand::Rng;
use zellige_compiler::driver::CompileOptions;
use zellige_compiler::ir::Graph;
use zellige_compiler::passes::{RANDOM_KEY, TrainingStep};
use zellige_runtime::engine::EngineKind;
use zellige_runtime::io::Array;
use zellige_runtime::program::instr::Dropout;
use zellige_runtime::program::{Dims, Instr};
use zellige_runtime::random::Key;
use zellige_tests::batches::{self, BatchCase, cases};
use zellige_tests::plans::{self, Plan};
use zellige_tests::run::{self, Arrays, describe};
use zellige_tests::{parallel, parameters};

/// Plans of a case.
const PLANS: u64 = 6;
/// Ops of a large graph.
const MANY: usize = 400;

#[test]
fn steps_agree_with_pytorch_under_every_plan() {
    let cases: Vec<(usize, BatchCase)> = cases().into_iter().enumerate().collect();
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    parallel::check_all(
        &cases,
        |(number, case)| format!("{number}, {}", case.model),
        |(number, case)| check(*number, case, dir.path()),
    );
}

fn check(number: usize, case: &BatchCase, dir: &Path) -> Result<(), String> {
    let (step, graph) = case.step()?;
    let weights = dir.join(format!("{number}.safetensors"));
    let of_step = |path: &str| graph.params.iter().any(|(_, param)| param.name == path);
    let stored: Vec<_> = case.parameters(number).into_iter().filter(|p| of_step(&p.name)).collect();
    parameters::write(&stored, &weights).map_err(|e| e.to_string())?;
    let inputs = case.inputs(number);
    let outputs = |plan: &Plan| {
        let compile = CompileOptions { weights: Some(weights.clone()), ..plan.compile.clone() };
        outputs(&graph, &Plan { compile, ..plan.clone() }, &inputs)
    };
    let untiled = outputs(&plans::reference())?;
    case.compare(number, &step, &untiled)?;
    run::verify_each_pass(&graph, &plans::reference().compile).map_err(|d| describe(&d))?;
    same_under_plans(&graph, number as u64, &untiled, outputs)
}

fn outputs(graph: &Graph, plan: &Plan, inputs: &Arrays) -> Result<Arrays, String> {
    let program = run::compile(graph, &plan.compile).map_err(|d| format!("{}\n    {plan}", describe(&d)))?;
    let run = run::run(program, &plan.run, inputs);
    run.map(|(outputs, _)| outputs).map_err(|e| format!("{e}\n    {plan}"))
}

/// Whether random plans give the outputs of the untiled network.
fn same_under_plans(
    graph: &Graph,
    seed: u64,
    untiled: &Arrays,
    outputs: impl Fn(&Plan) -> Result<Arrays, String>,
) -> Result<(), String> {
    let canonical = run::canonical(graph).map_err(|d| describe(&d))?;
    let mut rng = Rng::with_seed(seed);
    // Where there are many ops, each plan takes its time.
    let plans = if canonical.ops.len() > MANY { PLANS / 2 } else { PLANS };
    for i in 0..plans {
        let mut plan = plans::plan(&canonical, &mut rng);
        if i % 3 > 0 {
            plan.run.engine = EngineKind::Native;
        }
        if let Some(difference) = run::difference(&outputs(&plan)?, untiled) {
            return Err(format!("tiled: {difference}\n    {plan}"));
        }
    }
    Ok(())
}

/// A small U-Net with batch norms and dropout.
const NETWORK: &str = r#"
    model m(image: f32[N, 2, H, W]) -> (y: f32[N, 3, H, W]) {
        let a = conv2d(image, out: 6, kernel: 3, pad: 1, bias: false, name: "a") |> batch_norm(name: "an") |> relu;
        let b = max_pool2d(a, kernel: 2) |> dropout(p: 0.25) |> conv2d(out: 20, kernel: 3, pad: 1, name: "b");
        let c = silu(b) |> dropout |> conv_transpose2d(out: 6, kernel: 2, stride: 2, bias: false, name: "up");
        return concat(batch_norm(c, name: "cn") |> relu, a) |> conv2d(out: 3, kernel: 1, name: "last");
    }
    train(target: f32[N, 3, H, W]) { loss mse(y, target); loss 0.1 * l1(y, target); }
"#;

#[test]
fn dropout_and_batch_norm_are_the_same_under_every_plan() {
    let training = batches::training(NETWORK).expect("it is a training");
    let sizes = [[1, 2, 30, 26], [2, 2, 18, 44], [1, 2, 8, 10]];
    let step = batches::step(&training, &sizes, &|_| false).expect("it takes the sizes");
    let graph = batches::differentiated(&step, &|_| false).expect("all its ops have gradients");
    let mut inputs = parameters::inputs(&graph, 3);
    give_key(&mut inputs, Key::of_dropout(5, 17));
    let untiled = outputs(&graph, &plans::reference(), &inputs).expect("it runs");
    assert!(untiled.iter().all(|(_, array)| array.data.iter().all(|v| v.is_finite())));
    assert_eq!(untiled.len(), 1 + (1 + 2 + 2 + 1 + 2 + 2) + 3 + 4);
    for _ in 0..3 {
        same_under_plans(&graph, 4, &untiled, |plan| outputs(&graph, plan, &inputs))
            .unwrap_or_else(|e| panic!("{e}"));
    }
}

fn give_key(inputs: &mut Arrays, key: Key) {
    let (name, array) = inputs.last_mut().expect("there are inputs");
    assert_eq!(name, RANDOM_KEY);
    *array = Array { dims: Dims { n: 1, c: 4, h: 1, w: 1 }, data: key.numbers().to_vec() };
}

/// Of a loss that is the sum of what two dropouts leave, the gradients are what values are multiplied with.
const DROPPED: &str = r#"
    model m(image: f32[N, 3, H, W]) -> (y: f32[N, 3, H, W], z: f32[N, 3, H, W]) {
        return dropout(image, p: 0.3) * 1, dropout(image) * 1;
    }
    train(target: f32[N, 3, H, W]) { loss mse(y, target, reduction: "sum"); loss 0 * l1(z, target); }
"#;

/// The step's graph with the gradients of its images.
fn dropped(text: &str, sizes: &[[u64; 4]]) -> (TrainingStep, Graph) {
    let training = batches::training(text).expect("it is a training");
    let step = batches::step(&training, sizes, &|_| false).expect("it takes the sizes");
    let graph = batches::differentiated(&step, &|_| false).expect("all its ops have gradients");
    (step, graph)
}

/// What is dropped of each image: with inputs of 1 and targets of 0 the gradient of a sum of squares is `2 · m²`.
fn masks(graph: &Graph, key: Key) -> Vec<Vec<f32>> {
    let mut inputs = parameters::inputs(graph, 1);
    for (name, array) in &mut inputs {
        array.data.fill(if name.starts_with("image") { 1.0 } else { 0.0 });
    }
    give_key(&mut inputs, key);
    let outputs = outputs(graph, &plans::reference(), &inputs).expect("it runs");
    let gradients = outputs.into_iter().filter(|(name, _)| name.starts_with("d.image"));
    gradients.map(|(_, array)| array.data).collect()
}

#[test]
fn values_are_dropped_at_the_rate_and_by_step_and_image() {
    let sizes = [[2, 3, 40, 33], [2, 3, 40, 33]];
    let (_, graph) = dropped(DROPPED, &sizes);
    let first = masks(&graph, Key::of_dropout(1, 0));
    // The loss of a batch is the mean of its images'.
    let kept = 2.0 / 0.7f32.powi(2) / 2.0;
    for mask in &first {
        assert!(mask.iter().all(|&v| v == 0.0 || (v / kept - 1.0).abs() < 1e-6));
        let rate = mask.iter().filter(|&&v| v == 0.0).count() as f64 / mask.len() as f64;
        assert!((rate - 0.3).abs() < 0.02, "{rate}");
        let (one, other) = mask.split_at(mask.len() / 2);
        assert_ne!(one, other);
        let channels: Vec<&[f32]> = mask.chunks(40 * 33).collect();
        assert_ne!(channels[0], channels[1]);
    }
    assert_ne!(first[0], first[1]);
    assert_eq!(first, masks(&graph, Key::of_dropout(1, 0)));
    assert_ne!(first[0], masks(&graph, Key::of_dropout(1, 1))[0]);
    assert_ne!(first[0], masks(&graph, Key::of_dropout(2, 0))[0]);
    // A mask does not depend on the size of the image.
    let (_, smaller) = dropped(DROPPED, &[[1, 3, 40, 33], [1, 3, 7, 5]]);
    let small = &masks(&smaller, Key::of_dropout(1, 0))[1];
    assert_eq!(small[..5], first[1][..5]);
    assert_eq!(small[5..10], first[1][33..38]);
}

#[test]
fn dropout_is_nothing_at_inference_and_without_a_chance() {
    let graph = |p: &str| {
        let text = DROPPED.replace("p: 0.3", p).replace("dropout(image) * 1", "relu(image)");
        dropped(&text, &[[1, 3, 8, 8]]).0.graph
    };
    assert_eq!(graph("p: 0.3").inputs.len(), 3);
    assert_eq!(graph("p: 0.0").inputs.len(), 2);
    let training = batches::training(DROPPED).expect("it is a training");
    let inference = run::canonical(&training.graph).expect("it is canonical");
    assert!(inference.ops.iter().all(|(_, node)| node.op.name() != "dropout"));
}

#[test]
fn faults_of_dropout_are_refuted() {
    let (_, graph) = dropped(DROPPED, &[[2, 3, 24, 20], [1, 3, 8, 8]]);
    let options = CompileOptions { tile: Some([8, 8]), untiled: false, ..plans::reference().compile };
    let program = run::compile(&graph, &options).expect("it is compiled and proved");
    let faults: [fn(&mut Dropout); 6] = [
        |i| i.stream[0] ^= 1,
        |i| i.stream[1] ^= 1,
        |i| i.dropped += 1,
        |i| i.scale = 1.25,
        |i| i.key = i.src,
        |i| i.src = i.key,
    ];
    let mut found = 0;
    for fault in faults {
        for section in 0..program.sections.len() {
            for at in 0..program.sections[section].body.len() {
                let mut program = program.clone();
                if let Instr::Dropout(i) = &mut program.sections[section].body[at].instr {
                    fault(i);
                    found += 1;
                    run::check(&program).expect_err("it computes something else");
                }
            }
        }
    }
    assert!(found >= 6 * 4, "two images, forward and backward: {found}");
}

#[test]
fn all_is_dropped_or_nothing() {
    let (_, graph) = dropped(&DROPPED.replace("p: 0.3", "p: 1.0"), &[[1, 3, 8, 8]]);
    assert!(masks(&graph, Key::of_dropout(1, 0))[0].iter().all(|&v| v == 0.0));
}

#[test]
fn a_single_value_has_no_statistics() {
    let training = batches::training(NETWORK).expect("it is a training");
    let error = batches::step(&training, &[], &|_| false).expect_err("there is no image");
    assert!(error.starts_with("E0506"), "{error}");
    let norm = "model m(x: f32[N, 2, H, W]) -> (y: f32[N, 2, H, W]) { return batch_norm(x, name: \"n\"); }
        train(target: f32[N, 2, H, W]) { loss mse(y, target); }";
    let training = batches::training(norm).expect("it is a training");
    let error = batches::step(&training, &[[1, 2, 1, 1]], &|_| false).expect_err("there is one value");
    assert!(error.contains("more than one value"), "{error}");
    batches::step(&training, &[[1, 2, 1, 1], [1, 2, 1, 1]], &|_| false).expect("there are two");
}
