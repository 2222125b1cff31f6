//! Steps against PyTorch's and the papers' formulas in float64; `tests/python/optimizers.py` writes the file.

use serde::Deserialize;

use super::*;

/// Difference that is allowed, beside the largest weight.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct File {
    pull: f32,
    shapes: Vec<Vec<u64>>,
    kept: Vec<u64>,
    start: Vec<Vec<f32>>,
    pushes: Vec<Vec<Vec<f32>>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    optimizer: Spec,
    #[serde(default)]
    schedule: ScheduleSpec,
    clip: Option<f64>,
    weights: Vec<Vec<Vec<f64>>>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Spec {
    Sgd {
        lr: f64,
        #[serde(default)]
        momentum: f64,
        #[serde(default)]
        nesterov: bool,
        #[serde(default)]
        weight_decay: f64,
    },
    AdamW {
        lr: f64,
        betas: [f64; 2],
        eps: f64,
        weight_decay: f64,
    },
    Lion {
        lr: f64,
        betas: [f64; 2],
        weight_decay: f64,
    },
    Cautious {
        inner: Box<Spec>,
    },
    Subspace {
        inner: Box<Spec>,
        rank: u64,
        lr: f64,
        penalty: f64,
    },
}

impl Spec {
    fn optimizer(&self) -> Optimizer {
        match self {
            &Self::Sgd { lr, momentum, nesterov, weight_decay } => {
                Optimizer::Sgd { lr, momentum, nesterov, weight_decay }
            }
            &Self::AdamW { lr, betas, eps, weight_decay } => {
                Optimizer::AdamW { lr, betas, eps, weight_decay }
            }
            &Self::Lion { lr, betas, weight_decay } => Optimizer::Lion { lr, betas, weight_decay },
            Self::Cautious { inner } => inner.optimizer().cautious(),
            &Self::Subspace { ref inner, rank, lr, penalty } => {
                Optimizer::Subspace { inner: Box::new(inner.optimizer()), rank, lr, penalty }
            }
        }
    }
}

#[derive(Default, Deserialize)]
struct ScheduleSpec {
    cosine: Option<u64>,
    #[serde(default)]
    min: f64,
    warmup: Option<u64>,
}

impl ScheduleSpec {
    fn schedule(&self) -> Schedule {
        let main = self.cosine.map_or(Schedule::Constant, |steps| Schedule::Cosine { steps, min: self.min });
        match self.warmup {
            Some(steps) => Schedule::Warmup { steps, then: Box::new(main) },
            None => main,
        }
    }
}

fn file() -> File {
    serde_json::from_str(include_str!("testdata/steps.json")).unwrap()
}

/// One step of all tensors, whose loss pulls them to 0 and pushes them elsewhere.
fn step(file: &File, case: &Case, number: u64, states: &mut [State], weights: &mut [Vec<f32>]) {
    let pushes = &file.pushes[number as usize];
    let gradient =
        |w: &Vec<f32>, p: &Vec<f32>| w.iter().zip(p).map(|(w, p)| file.pull * w + p).collect::<Vec<f32>>();
    let mut gradients: Vec<_> = weights.iter().zip(pushes).map(|(w, p)| gradient(w, p)).collect();
    if let Some(most) = case.clip {
        let factor = clip_factor(global_norm(gradients.iter().map(Vec::as_slice)), most);
        gradients.iter_mut().for_each(|gradient| scale(gradient, factor));
    }
    let rate = case.schedule.schedule().rate(case.optimizer.optimizer().lr(), number);
    for ((state, weights), gradient) in states.iter_mut().zip(weights).zip(&gradients) {
        state.step(Step { number, rate }, weights, gradient);
    }
}

#[test]
fn steps_are_those_of_pytorch_and_the_papers() {
    let file = file();
    for case in &file.cases {
        let optimizer = case.optimizer.optimizer();
        optimizer.validate().unwrap();
        let mut states: Vec<State> = file.shapes.iter().map(|dims| State::new(&optimizer, dims)).collect();
        let mut weights = file.start.clone();
        let mut kept = file.kept.iter().zip(&case.weights).peekable();
        let mut most: f64 = 0.0;
        for number in 0..file.pushes.len() as u64 {
            step(&file, case, number, &mut states, &mut weights);
            let Some((_, want)) = kept.next_if(|(step, _)| **step == number + 1) else { continue };
            for (weights, want) in weights.iter().zip(want) {
                let largest = want.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
                for (got, want) in weights.iter().zip(want) {
                    let error = (f64::from(*got) - want).abs() / largest;
                    assert!(error <= TOLERANCE, "{optimizer}, step {number}: {got}, not {want}");
                    most = most.max(error);
                }
            }
        }
        assert!(kept.next().is_none());
        println!("{most:.1e} {optimizer}");
    }
}

#[test]
fn a_state_that_is_filled_goes_on_as_the_one_that_it_was_read_from() {
    let file = file();
    for case in &file.cases {
        let optimizer = case.optimizer.optimizer();
        let new = || file.shapes.iter().map(|dims| State::new(&optimizer, dims)).collect::<Vec<_>>();
        let (mut states, mut weights) = (new(), file.start.clone());
        (0..6).for_each(|number| step(&file, case, number, &mut states, &mut weights));
        let mut filled = new();
        for (from, to) in states.iter().zip(&mut filled) {
            let slots = from.slots();
            assert_eq!(slots.len(), to.slots_mut().len());
            for (from, to) in slots.into_iter().zip(to.slots_mut()) {
                assert_eq!((from.name, &from.dims), (to.name, &to.dims));
                assert_eq!(from.dims.iter().product::<u64>(), from.values.len() as u64);
                to.values.copy_from_slice(from.values);
            }
        }
        assert_eq!(states, filled);
        let mut others = weights.clone();
        for number in 6..12 {
            step(&file, case, number, &mut states, &mut weights);
            step(&file, case, number, &mut filled, &mut others);
        }
        assert_eq!(weights, others, "{optimizer}");
    }
}

#[test]
fn what_a_state_has_is_named() {
    let names = |optimizer: Optimizer, dims: &[u64]| -> Vec<&'static str> {
        State::new(&optimizer, dims).slots().iter().map(|slot| slot.name).collect()
    };
    assert!(names(Optimizer::sgd(), &[4, 3]).is_empty());
    assert_eq!(names(Optimizer::lion().cautious(), &[4, 3]), ["first"]);
    assert_eq!(names(Optimizer::adamw().subspace(2), &[2, 8]), ["first", "second"]);
    let all = ["first", "second", "basis", "basis.first", "basis.second"];
    assert_eq!(names(Optimizer::adamw().subspace(2).cautious(), &[4, 3, 1, 1]), all);
    assert!(names(Optimizer::adamw(), &[0, 3]).is_empty());
}

#[test]
fn what_is_not_finite_stays_visible() {
    for optimizer in [
        Optimizer::sgd(),
        Optimizer::adamw(),
        Optimizer::lion(),
        Optimizer::adamw().cautious(),
        Optimizer::adamw().subspace(1),
    ] {
        let mut state = State::new(&optimizer, &[2, 2]);
        let mut weights = [1.0; 4];
        state.step(Step { number: 0, rate: 0.1 }, &mut weights, &[1.0, f32::NAN, 1.0, -1.0]);
        assert!(weights[1].is_nan(), "{optimizer}");
    }
}
