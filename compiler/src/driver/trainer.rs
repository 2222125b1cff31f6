//! A training as it runs: programs for the sizes that come by, and the parameters that they are given.

use std::sync::Arc;

use indexmap::IndexMap;
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{
    self, ArrayView, ArrayViewMut, Control, EngineError, Executable, Input, Output, RunStats,
};
use zellige_runtime::io::Array;
use zellige_runtime::optimizer::running_average;
use zellige_runtime::program::{Data, Dims, Program, Role, Tensor};
use zellige_runtime::random::Key;

use super::weights::{data_for, give};
use super::{
    Asked, CompileOptions, Differentiated, Failure, Given, Optimization, Parameters, Report, Trainee,
    engine_failure,
};
use crate::base::Bindings;
use crate::front::LOSS;
use crate::passes::{RANDOM_KEY, RunningAverage};

/// Most programs that are kept. Where images differ in size and a batch is one step, nearly every step has a program of its own.
const MOST_PROGRAMS: usize = 256;

/// A training with its parameters.
pub struct Trainer {
    trainee: Trainee,
    asked: Asked,
    compile: CompileOptions,
    engine: engine::Options,
    parameters: Parameters,
    /// Values that all programs are compiled with; they are given those of the parameters before they run.
    initial: Data,
    /// Those used last come last.
    programs: IndexMap<Kind, Arc<TrainingProgram>>,
    /// The program that ran last.
    loaded: Option<(Arc<TrainingProgram>, Executable)>,
}

/// A program of a training for images of some sizes.
#[derive(Debug)]
pub struct TrainingProgram {
    /// The program: of the loss alone, or of its gradients as well.
    pub program: Arc<Program>,
    /// What its plan comes to.
    pub report: Report,
    /// The parameters of which it has gradients, by their place among all: those that the loss depends on and that are not frozen.
    pub trained: Vec<usize>,
    /// Averages that parameters follow.
    averages: Vec<RunningAverage>,
}

/// The inputs of an image by their names: those of the model and of the training.
pub type Image<'a> = [(&'a str, Input<'a>)];

/// What a step has found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The loss.
    pub loss: f32,
    /// The gradients of trained parameters, in the order of [`TrainingProgram::trained`].
    pub gradients: Vec<Vec<f32>>,
    /// What averages follow, in the program's order.
    averages: Vec<Vec<f32>>,
    /// Figures of the run.
    pub stats: RunStats,
}

/// A loss, the outputs that were asked for, and figures of the run.
type Values = (f32, Vec<Vec<f32>>, RunStats);

/// What a program computes, for which sizes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    gradients: bool,
    /// Those of each image.
    sizes: Vec<Given>,
}

impl Trainer {
    /// Begins with some parameters.
    pub fn new(
        trainee: Trainee,
        asked: Asked,
        parameters: Parameters,
        compile: CompileOptions,
        engine: engine::Options,
    ) -> Self {
        let (initial, programs) = (parameters.data(), IndexMap::new());
        Self { trainee, asked, compile, engine, parameters, initial, programs, loaded: None }
    }

    /// The model and its training section.
    pub fn trainee(&self) -> &Trainee {
        &self.trainee
    }

    /// The parameters as they are now.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The parameters, to be changed.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// Whether the images of a batch are one step ([`Trainee::is_joint`]); otherwise each is a step of its own.
    pub fn is_joint(&self) -> bool {
        self.trainee.is_joint(&self.asked)
    }

    /// The program of the loss and its gradients for images of some sizes.
    ///
    /// # Errors
    ///
    /// If the model cannot take the sizes, or there is no plan for them.
    pub fn program(&mut self, sizes: &[Given]) -> Result<Arc<TrainingProgram>, Failure> {
        self.compiled(Kind { gradients: true, sizes: sizes.to_vec() })
    }

    /// The program of the loss of an image alone, as the model is when it is not trained.
    ///
    /// # Errors
    ///
    /// As of [`Self::program`].
    pub fn loss_program(&mut self, sizes: &Given) -> Result<Arc<TrainingProgram>, Failure> {
        self.compiled(Kind { gradients: false, sizes: vec![sizes.clone()] })
    }

    /// Bytes of the memory budget that are left while a program is the next to run: none, where it has no room for inputs.
    pub fn room(&self, program: &TrainingProgram) -> u64 {
        if program.report.streamed {
            return 0;
        }
        let loaded = self.loaded.as_ref().map_or(0, |(loaded, _)| loaded.report.memory_bytes());
        self.compile.memory_budget().saturating_sub(program.report.memory_bytes().max(loaded))
    }

    /// How the parameters that a program has gradients of will follow them.
    ///
    /// # Errors
    ///
    /// If there is nothing to train, or the training section does not say how.
    pub fn optimization(&self, program: &TrainingProgram) -> Result<Optimization, Failure> {
        if program.trained.is_empty() {
            let message = "there is no parameter that the loss depends on and that is not frozen";
            return Err(Diagnostic::error(Code::E0227, message).into());
        }
        let optimization =
            Optimization::new(&self.trainee.training, &self.parameters, program.trained.clone());
        optimization.map_err(|d| Failure::new(vec![d], &self.trainee.model.source))
    }

    /// The loss of a batch and its gradients, in training, with what dropout drops as `random` says. `others` are the outputs
    /// besides: gradients of inputs that were asked for. `None` if the run was cancelled.
    ///
    /// # Errors
    ///
    /// What the engine says; the images have the sizes of the program.
    pub fn gradients(
        &mut self,
        program: &Arc<TrainingProgram>,
        images: &[&Image<'_>],
        random: Key,
        others: &mut [(&str, Output<'_>)],
        control: &Control<'_>,
    ) -> Result<Option<Found>, Failure> {
        let TrainingProgram { program: code, trained, averages, .. } = &**program;
        let names = trained.iter().map(|&i| self.parameters.all()[i].name.clone());
        let names: Vec<_> = names.chain(averages.iter().map(|a| a.output.clone())).collect();
        let (mut inputs, numbers) = (joined(images), random.numbers());
        if code.tensors.iter().any(|t| t.role == Role::Input && t.name == RANDOM_KEY) {
            let view = ArrayView { dims: Dims { n: 1, c: 4, h: 1, w: 1 }, data: &numbers };
            inputs.push((RANDOM_KEY.to_owned(), Input::Array(view)));
        }
        let run = self.run(program, &inputs, &names, others, control)?;
        Ok(run.map(|(loss, mut gradients, stats)| {
            let averages = gradients.split_off(trained.len());
            Found { loss, gradients, averages, stats }
        }))
    }

    /// Lets the parameters that follow averages follow what a step of this program has found.
    pub fn follow(&mut self, program: &TrainingProgram, found: &Found) {
        for (average, values) in program.averages.iter().zip(&found.averages) {
            if let Some(at) = self.parameters.position(&average.param) {
                running_average(&mut self.parameters.all_mut()[at].values, values, average.momentum);
            }
        }
    }

    /// The loss of an image. `None` if the run was cancelled.
    ///
    /// # Errors
    ///
    /// As of [`Self::gradients`].
    pub fn loss(
        &mut self,
        program: &Arc<TrainingProgram>,
        image: &Image<'_>,
        control: &Control<'_>,
    ) -> Result<Option<f32>, Failure> {
        Ok(self.run(program, &joined(&[image]), &[], &mut [], control)?.map(|(loss, ..)| loss))
    }

    /// The loss, and the outputs of some names.
    fn run(
        &mut self,
        program: &Arc<TrainingProgram>,
        inputs: &[(String, Input<'_>)],
        names: &[String],
        others: &mut [(&str, Output<'_>)],
        control: &Control<'_>,
    ) -> Result<Option<Values>, Failure> {
        let executable = self.load(program)?;
        let inputs: Vec<_> = inputs.iter().map(|(name, input)| (name.as_str(), *input)).collect();
        let zeros = |name: &str| {
            let tensor = outputs(executable.program()).find(|t| t.name == name);
            let array = tensor.map(|t| Array::zeros(t.dims, u64::MAX)).transpose();
            let array = array.map_err(|e| Diagnostic::error(Code::E0906, e.to_string()))?;
            array
                .ok_or_else(|| Failure::from(Diagnostic::error(Code::E0908, format!("there is no `{name}`"))))
        };
        let names: Vec<&str> = names.iter().map(String::as_str).chain([LOSS]).collect();
        let mut arrays = names.iter().map(|name| zeros(name)).collect::<Result<Vec<_>, _>>()?;
        let views =
            arrays.iter_mut().map(|a| Output::Array(ArrayViewMut { dims: a.dims, data: &mut a.data }));
        let mut all: Vec<(&str, Output<'_>)> = names.into_iter().zip(views).collect();
        all.extend(others.iter_mut().map(|(name, output)| (*name, borrowed(output))));
        let stats = match executable.run_windows(&inputs, &mut all, control) {
            Err(EngineError::Cancelled) => return Ok(None),
            stats => stats.map_err(|e| engine_failure(&e))?,
        };
        drop(all);
        let loss = arrays.pop().and_then(|loss| loss.data.first().copied()).unwrap_or(f32::NAN);
        Ok(Some((loss, arrays.into_iter().map(|a| a.data).collect(), stats)))
    }

    /// The program with the parameters as they are, ready to run.
    fn load(&mut self, program: &Arc<TrainingProgram>) -> Result<&mut Executable, Failure> {
        let loaded = match self.loaded.take() {
            Some((of, executable)) if Arc::ptr_eq(&of, program) => executable,
            // Its memory goes before the other's comes.
            other => {
                drop(other);
                Executable::load(program.program.clone(), &self.engine).map_err(|e| engine_failure(&e))?
            }
        };
        let (_, executable) = self.loaded.insert((program.clone(), loaded));
        let data = data_for(executable.program(), &self.parameters);
        let data = data.map_err(|d| Failure::new(d, &self.trainee.model.source))?;
        executable.set_weights(data.bytes()).map_err(|e| engine_failure(&e))?;
        Ok(executable)
    }

    fn compiled(&mut self, kind: Kind) -> Result<Arc<TrainingProgram>, Failure> {
        if let Some(program) = self.programs.shift_remove(&kind) {
            self.programs.insert(kind, program.clone());
            return Ok(program);
        }
        let Self { trainee, parameters, .. } = self;
        let bind = |sizes: &Given| trainee.model.bind(sizes, &Bindings::default());
        let bound = kind.sizes.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let Differentiated { graph, averages } = match (kind.gradients, bound.first()) {
            (false, Some(bound)) => Differentiated { graph: trainee.loss(bound), averages: Vec::new() },
            _ => trainee.model.gradients(&bound, &self.asked)?,
        };
        let fail = |d| Failure::new(d, &trainee.model.source);
        let (mut program, report) = trainee.model.program(&graph, &self.compile)?;
        give(&mut program, self.initial.clone(), |name| parameters.offset(name)).map_err(fail)?;
        let is_output = |name: &str| outputs(&program).any(|output| output.name == name);
        let all = parameters.all().iter().enumerate();
        let trained = all.filter(|(_, p)| is_output(&p.name)).map(|(i, _)| i).collect();
        let program = Arc::new(TrainingProgram { program: Arc::new(program), report, trained, averages });
        if self.programs.len() == MOST_PROGRAMS {
            self.programs.shift_remove_index(0);
        }
        self.programs.insert(kind, program.clone());
        Ok(program)
    }
}

/// The outputs of a program.
fn outputs(program: &Program) -> impl Iterator<Item = &Tensor> {
    program.tensors.iter().filter(|t| t.role == Role::Output)
}

fn borrowed<'a>(output: &'a mut Output<'_>) -> Output<'a> {
    match output {
        Output::Array(array) => Output::Array(ArrayViewMut { dims: array.dims, data: &mut *array.data }),
        Output::Windows(sink) => Output::Windows(*sink),
    }
}

/// The inputs of all images, as a step calls them.
fn joined<'a>(images: &[&Image<'a>]) -> Vec<(String, Input<'a>)> {
    let name = |name: &str, image| match images.len() {
        1 => name.to_owned(),
        _ => format!("{name}.{image}"),
    };
    let images = images.iter().enumerate();
    images.flat_map(|(i, image)| image.iter().map(move |(n, input)| (name(n, i), *input))).collect()
}
