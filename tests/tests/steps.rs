//! Steps of a training against PyTorch, and under different plans: a U-Net with batch norms, four images of unequal size.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zellige_compiler::driver::{Asked, CompileOptions, Optimization, Parameters, Trainee, Trainer};
use zellige_runtime::engine::{ArrayView, Control, EngineKind, Input, Options};
use zellige_runtime::io::{self, Array, ReadOptions};
use zellige_runtime::machine::Machine;
use zellige_runtime::random::Key;

use zellige_tests::parallel;

/// Steps of each optimizer.
const STEPS: usize = 20;
/// Relative to the loss.
const TOLERANCE: f32 = 1e-4;
/// Of running statistics.
const RUNNING_TOLERANCE: f32 = 1e-3;
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
    let text = fs::read(data().join("expected.json")).expect("it is there");
    let cases: Vec<Expected> = serde_json::from_slice(&text).expect("it is JSON");
    for least in LEAST {
        assert!(cases.iter().any(|case| case.optimizer.contains(least)), "{least}");
    }
    let options = CompileOptions::new(Machine::builtin("host").expect("it is built in"));
    let untiled = CompileOptions { untiled: true, ..options.clone() };
    let tiled = CompileOptions { tile: Some([5, 7]), ..options.clone() };
    let small = CompileOptions { memory: Some(8 << 20), sram: Some(1 << 17), ..options };
    let jit = Options { engine: EngineKind::Jit, ..Options::default() };
    let plans = [
        (untiled, jit),
        (tiled, Options { threads: 3, ..Options::default() }),
        (small, Options { threads: 1, ..Options::default() }),
    ];
    let courses = parallel::map(plans.len(), |i| courses(&cases, &plans[i].0, &plans[i].1));
    let (untiled, others) = courses.split_first().expect("there are plans");
    for (case, course) in cases.iter().zip(untiled) {
        course.compare(case).unwrap_or_else(|e| panic!("{}: {e}", case.optimizer));
    }
    for (plan, other) in others.iter().enumerate() {
        assert!(other == untiled, "plan {plan} gives other bits");
    }
}

impl Course {
    /// With the same in float64.
    fn compare(&self, expected: &Expected) -> Result<(), String> {
        if self.losses.len() != STEPS || expected.losses.len() != STEPS {
            return Err(format!("there are {} losses", self.losses.len()));
        }
        for (step, (found, expected)) in self.losses.iter().zip(&expected.losses).enumerate() {
            if (found - expected).abs() > TOLERANCE * expected {
                return Err(format!("the loss of step {step} is {found}, and {expected} in float64"));
            }
        }
        for (name, expected) in &expected.running {
            let at = self.parameters.position(name).expect("it is a parameter");
            let found = &self.parameters.all()[at].values;
            if found.iter().zip(expected).any(|(f, e)| (f - e).abs() > RUNNING_TOLERANCE) {
                return Err(format!("`{name}` is {found:?}, and {expected:?} in float64"));
            }
        }
        Ok(())
    }
}

/// All steps with each of the optimizers.
fn courses(cases: &[Expected], compile: &CompileOptions, engine: &Options) -> Vec<Course> {
    let compile = CompileOptions { weights: Some(data().join("start.safetensors")), ..compile.clone() };
    let first = trainee(&cases[0].optimizer);
    let start = first.parameters(&compile).expect("it has weights");
    // The programs are the same, whatever the optimizer.
    let mut trainer = Trainer::new(first, Asked::default(), start.clone(), compile, engine.clone());
    let arrays: Vec<[Array; 2]> = (0..4).map(|i| [read("image", i), read("target", i)]).collect();
    let course = |case: &Expected| {
        *trainer.parameters_mut() = start.clone();
        course(&trainee(&case.optimizer), &mut trainer, &arrays)
    };
    cases.iter().map(course).collect()
}

fn course(trainee: &Trainee, trainer: &mut Trainer, arrays: &[[Array; 2]]) -> Course {
    let images: Vec<_> =
        arrays.iter().map(|[image, target]| [("image", input(image)), ("target", input(target))]).collect();
    let images: Vec<&[_]> = images.iter().map(<[_; 2]>::as_slice).collect();
    let size = |a: &Array| [a.dims.n, a.dims.c, a.dims.h, a.dims.w];
    let sizes = |[image, target]: &[Array; 2]| {
        vec![("image".to_owned(), size(image)), ("target".to_owned(), size(target))]
    };
    let sizes: Vec<_> = arrays.iter().map(sizes).collect();
    let program = trainer.program(&sizes).expect("there is a plan");
    let optimization = Optimization::new(&trainee.training, trainer.parameters(), program.trained.clone());
    let mut optimization = optimization.expect("it has an optimizer");
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let found = trainer.gradients(&program, &images, Key::new(0), &mut [], &Control::default());
        let found = found.expect("it runs").expect("nobody cancels it");
        trainer.follow(&program, &found);
        losses.push(found.loss);
        optimization.step(step as u64, trainer.parameters_mut(), found.gradients);
    }
    Course { losses, parameters: trainer.parameters().clone() }
}

/// The U-Net with an optimizer.
fn trainee(optimizer: &str) -> Trainee {
    let folder = tempfile::tempdir().expect("there is room");
    let text = fs::read_to_string(data().join("unet.zlg")).expect("it is there");
    let path = folder.path().join("unet.zlg");
    fs::write(&path, text.replace("OPTIMIZER", optimizer)).expect("there is room");
    Trainee::open(&path).expect("it is a training")
}

fn read(name: &str, i: usize) -> Array {
    let path = data().join(format!("{name}/{i}.npy"));
    io::read(&path, &ReadOptions::default()).expect("it is an array")
}

fn input(array: &Array) -> Input<'_> {
    Input::Array(ArrayView { dims: array.dims, data: &array.data })
}
