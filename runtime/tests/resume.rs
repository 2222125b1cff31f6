//! A training without a network: the parts that every training has, put together, killed and resumed.

use std::error::Error;
use std::fs;
use std::path::Path;

use zellige_runtime::checkpoint::{self, Configuration, Declared, Parameter};
use zellige_runtime::curve::{Log, Row};
use zellige_runtime::dataset::{Dataset, Kept, Sampling, TensorSource};
use zellige_runtime::io::{self, Array, ReadOptions};
use zellige_runtime::optimizer::{
    Accumulated, Optimizer, Schedule, State, Step, clip_factor, global_norm, scale,
};
use zellige_runtime::program::Dims;
use zellige_runtime::random::Key;

type Any<T> = Result<T, Box<dyn Error>>;

const STEPS: u64 = 24;
/// Steps between checkpoints.
const EVERY: u64 = 5;
const SAMPLING: Sampling = Sampling { seed: 9, batch: 2, crop: Some([4, 4]), flips: true, turns: true };
const NAMES: [&str; 2] = ["mix.weight", "mix.bias"];
const DIMS: [&[u64]; 2] = [&[3, 3, 1, 1], &[3]];

/// Images, and targets that are a mixture of their channels.
fn write_data(directory: &Path) -> Any<()> {
    let dims = Dims { n: 1, c: 3, h: 6, w: 8 };
    for i in 0..5 {
        let key = Key::new(i);
        let image: Vec<f32> = (0..144).map(|at| key.uniform(at)).collect();
        let mixed = |at: usize| 0.5 * image[at] - 0.3 * image[(at + 48) % 144] + 0.1;
        let target = (0..144).map(mixed).collect();
        for (name, data) in [("image", image.clone()), ("target", target)] {
            fs::create_dir_all(directory.join(name))?;
            io::write(&directory.join(name).join(format!("{i}.npy")), &Array { dims, data })?;
        }
    }
    Ok(())
}

struct Training {
    dataset: Dataset,
    optimizer: Optimizer,
    schedule: Schedule,
    weights: Vec<Vec<f32>>,
    states: Vec<State>,
}

impl Training {
    fn new(data: &Path) -> Any<Self> {
        let source = |name: &str| TensorSource { name: name.to_owned(), options: ReadOptions::default() };
        let dataset = Dataset::open(data, &[source("image"), source("target")])?;
        dataset.sizes(&SAMPLING)?;
        let optimizer = Optimizer::AdamW { lr: 0.05, betas: [0.9, 0.99], eps: 1e-8, weight_decay: 0.01 };
        let optimizer = optimizer.subspace(2).cautious();
        let schedule =
            Schedule::Warmup { steps: 4, then: Box::new(Schedule::Cosine { steps: STEPS - 4, min: 1e-3 }) };
        let states = DIMS.map(|dims| State::new(&optimizer, dims)).into();
        Ok(Self { dataset, optimizer, schedule, weights: vec![vec![0.1; 9], vec![0.0; 3]], states })
    }

    fn configuration(&self) -> Configuration {
        let entries = [
            ("optimizer", self.optimizer.to_string()),
            ("schedule", self.schedule.to_string()),
            ("data", self.dataset.summary()),
        ];
        entries.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn step(&mut self, number: u64) -> Any<Row> {
        let (mut gradients, mut loss, mut epoch) = (Accumulated::default(), 0.0, 0);
        for sample in self.dataset.batch(&SAMPLING, number)? {
            let (of_sample, gradient) = self.gradient(&self.dataset.load(&sample, &mut Kept::default())?);
            gradients.add(&gradient.each_ref().map(Vec::as_slice));
            (loss, epoch) = (loss + of_sample / SAMPLING.batch as f32, sample.epoch);
        }
        let mut gradients = gradients.take();
        let gradient_norm = global_norm(gradients.iter().map(Vec::as_slice));
        let factor = clip_factor(gradient_norm, 0.5);
        gradients.iter_mut().for_each(|gradient| scale(gradient, factor));
        let lr = self.schedule.rate(self.optimizer.lr(), number);
        for ((state, weights), gradient) in self.states.iter_mut().zip(&mut self.weights).zip(&gradients) {
            state.step(Step { number, rate: lr }, weights, gradient);
        }
        Ok(Row { step: number + 1, epoch, loss, lr, gradient_norm, seconds: 0.0, validation: None })
    }

    /// The mean squared error of `weight · image + bias`, and its gradient.
    fn gradient(&self, tensors: &[Array]) -> (f32, [Vec<f32>; 2]) {
        let [image, target] = tensors else { panic!("there are two tensors") };
        let pixels = (image.dims.h * image.dims.w) as usize;
        let (mut loss, mut of_weight, mut of_bias) = (0.0, vec![0.0; 9], vec![0.0; 3]);
        for at in 0..pixels {
            for o in 0..3 {
                let mixed: f32 =
                    (0..3).map(|i| self.weights[0][o * 3 + i] * image.data[i * pixels + at]).sum();
                let error = mixed + self.weights[1][o] - target.data[o * pixels + at];
                let slope = 2.0 * error / (3 * pixels) as f32;
                loss += error * error / (3 * pixels) as f32;
                (0..3).for_each(|i| of_weight[o * 3 + i] += slope * image.data[i * pixels + at]);
                of_bias[o] += slope;
            }
        }
        (loss, [of_weight, of_bias])
    }

    fn save(&self, path: &Path, steps: u64) -> Any<()> {
        let parameter = |i: usize| Parameter {
            name: NAMES[i],
            dims: DIMS[i],
            values: &self.weights[i],
            state: Some(&self.states[i]),
        };
        let parameters = [0, 1].map(parameter);
        Ok(checkpoint::write(path, steps, SAMPLING.seed, &self.configuration(), &parameters)?)
    }

    /// Steps done, as the checkpoint says.
    fn restore(&mut self, path: &Path) -> Any<u64> {
        if !path.exists() {
            return Ok(0);
        }
        let declared = [0, 1].map(|i| Declared { name: NAMES[i], dims: DIMS[i], trained: true });
        let found = checkpoint::read(path, &self.configuration(), &self.optimizer, &declared)?;
        self.weights = found.values;
        self.states = found.states.into_iter().flatten().collect();
        Ok(found.step)
    }
}

/// Goes on from where it was until the end, or until it is killed after so many steps.
fn run(data: &Path, out: &Path, killed_after: u64) -> Any<Vec<u32>> {
    let mut training = Training::new(data)?;
    let checkpoint = out.join("checkpoint.safetensors");
    let done = training.restore(&checkpoint)?;
    let (mut log, _) = Log::resume(&out.join("log.csv"), done)?;
    for number in (done..STEPS).take(killed_after as usize) {
        log.append(&training.step(number)?)?;
        if (number + 1).is_multiple_of(EVERY) {
            training.save(&checkpoint, number + 1)?;
        }
    }
    Ok(training.weights.concat().into_iter().map(f32::to_bits).collect())
}

#[test]
fn a_training_that_is_killed_at_any_step_ends_with_the_same_bits() -> Any<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("data");
    write_data(&data)?;
    let out = |name: String| {
        let out = directory.path().join(name);
        fs::create_dir(&out).unwrap();
        out
    };
    let log = |out: &Path| fs::read_to_string(out.join("log.csv")).unwrap();
    let whole = out("whole".to_owned());
    let want = run(&data, &whole, STEPS)?;
    let losses: Vec<f32> = Log::resume(&whole.join("log.csv"), STEPS)?.1.iter().map(|row| row.loss).collect();
    assert_eq!(losses.len() as u64, STEPS);
    assert!(losses[STEPS as usize - 1] < losses[0] / 2.0, "{losses:?}");
    for killed_after in 0..STEPS {
        let out = out(killed_after.to_string());
        run(&data, &out, killed_after)?;
        assert_eq!(run(&data, &out, STEPS)?, want, "killed after {killed_after}");
        assert_eq!(log(&out), log(&whole), "killed after {killed_after}");
    }
    Ok(())
}
