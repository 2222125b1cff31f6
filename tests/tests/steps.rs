//! Steps of a training against PyTorch, and under different plans: a U-Net with batch norms, four images of unequal size.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zellige_compiler::driver::{Asked, CompileOptions, Parameters, Trainee, Trainer};
use zellige_runtime::engine::{ArrayView, Control, EngineKind, Input, Options};
use zellige_runtime::io::{self, Array, ReadOptions};
use zellige_runtime::machine::Machine;

use zellige_tests::parallel;

/// Steps of each optimizer.
const STEPS: usize = 20;
/// Relative to the loss.
const TOLERANCE: f32 = 1e-4;
/// Optimizers that there must be, at least.
const LEAST: [&str; 7] =
    ["sgd(", "nesterov", "adamw(", "lion(", "cautious(adamw", "cautious(lion", "subspace("];

/// What an optimizer has come to, in float64.
#[derive(Deserialize)]
struct Expected {
    optimizer: String,
    losses: Vec<f32>,
    running: BTreeMap<String, Vec<f32>>,
}

/// What it has come to here: the loss before each step, and all parameters after the last.
#[derive(PartialEq)]
struct Course {
    losses: Vec<f32>,
    parameters: Parameters,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/training/unet")
}

#[test]
fn losses_follow_pytorch_and_are_the_same_under_every_plan() {
    let cases: Vec<Expected> =
        serde_json::from_slice(&fs::read(data().join("expected.json")).expect("it is there"))
            .expect("it is JSON");
    for least in LEAST {
        assert!(cases.iter().any(|case| case.optimizer.contains(least)), "{least}");
    }
    parallel::check_all(&cases, |case| case.optimizer.clone(), check);
}

fn check(case: &Expected) -> Result<(), String> {
    let machine = Machine::builtin("host").expect("it is built in");
    let options = CompileOptions::new(machine);
    let plans = [
        (
            CompileOptions { untiled: true, ..options.clone() },
            Options { engine: EngineKind::Jit, ..Options::default() },
        ),
        (
            CompileOptions { tile: Some([5, 7]), ..options.clone() },
            Options { threads: 3, ..Options::default() },
        ),
        (CompileOptions { memory: Some(1 << 20), sram: Some(1 << 17), ..options }, Options::default()),
    ];
    let [untiled, others @ ..] = plans.map(|(compile, engine)| course(&case.optimizer, compile, engine));
    let fail = |what: String| Err(what);
    for (step, (found, expected)) in untiled.losses.iter().zip(&case.losses).enumerate() {
        if (found - expected).abs() > TOLERANCE * expected {
            return fail(format!("the loss of step {step} is {found}, and {expected} in float64"));
        }
    }
    for (name, expected) in &case.running {
        let at = untiled.parameters.position(name).expect("it is a parameter");
        let found = &untiled.parameters.all()[at].values;
        if found.iter().zip(expected).any(|(f, e)| (f - e).abs() > 1e-3) {
            return fail(format!("`{name}` is {found:?}, and {expected:?} in float64"));
        }
    }
    if untiled.losses.len() != STEPS || case.losses.len() != STEPS {
        return fail(format!("there are {} losses", untiled.losses.len()));
    }
    match others.iter().position(|other| *other != untiled) {
        Some(plan) => fail(format!("plan {plan} gives other bits")),
        None => Ok(()),
    }
}

/// All steps with one optimizer.
fn course(optimizer: &str, compile: CompileOptions, engine: Options) -> Course {
    let folder = tempfile::tempdir().expect("there is room");
    let text = fs::read_to_string(data().join("unet.zlg")).expect("it is there");
    let path = folder.path().join("unet.zlg");
    fs::write(&path, text.replace("OPTIMIZER", optimizer)).expect("there is room");
    let trainee = Trainee::open(&path).expect("it is a training");
    let compile = CompileOptions { weights: Some(data().join("start.safetensors")), ..compile };
    let parameters = trainee.parameters(&compile).expect("it has weights");
    let mut trainer = Trainer::new(trainee, Asked::default(), parameters, compile, engine);

    let read = |name: &str, i: usize| {
        io::read(&data().join(format!("{name}/{i}.npy")), &ReadOptions::default()).expect("it is an array")
    };
    let arrays: Vec<[Array; 2]> = (0..4).map(|i| [read("image", i), read("target", i)]).collect();
    let images: Vec<_> =
        arrays.iter().map(|[image, target]| [("image", input(image)), ("target", input(target))]).collect();
    let images: Vec<&[_]> = images.iter().map(<[_; 2]>::as_slice).collect();
    let sizes: Vec<_> = arrays
        .iter()
        .map(|pair| {
            let sizes = pair.each_ref().map(|a| [a.dims.n, a.dims.c, a.dims.h, a.dims.w]);
            vec![("image".to_owned(), sizes[0]), ("target".to_owned(), sizes[1])]
        })
        .collect();

    let mut optimization = trainer.optimization(&sizes).expect("there is a plan");
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let found = trainer.gradients(&images, &mut [], &Control::default());
        let found = found.expect("it runs").expect("nobody cancels it");
        trainer.follow(&sizes, &found).expect("the program is known");
        losses.push(found.loss);
        optimization.step(step as u64, trainer.parameters_mut(), found.gradients);
    }
    Course { losses, parameters: trainer.parameters().clone() }
}

fn input(array: &Array) -> Input<'_> {
    Input::Array(ArrayView { dims: array.dims, data: &array.data })
}
