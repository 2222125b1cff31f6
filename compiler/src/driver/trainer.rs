//! A training as it runs: programs for the sizes that come by, and the parameters that they are given.

use std::collections::HashMap;
use std::sync::Arc;

use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{
    self, ArrayViewMut, Control, EngineError, Executable, Input, Output, RunStats,
};
use zellige_runtime::io::Array;
use zellige_runtime::program::{Dims, Program, Role, Tensor};

use super::weights::{data_for, give};
use super::{
    Asked, CompileOptions, Failure, Given, Optimization, Parameters, Report, Trainee, engine_failure,
};
use crate::base::Bindings;
use crate::front::LOSS;

/// A training with its parameters.
pub struct Trainer {
    trainee: Trainee,
    asked: Asked,
    compile: CompileOptions,
    engine: engine::Options,
    parameters: Parameters,
    programs: HashMap<Key, Compiled>,
    /// The program that ran last.
    loaded: Option<(Key, Executable)>,
}

/// A loss, and what it is differentiated by.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// The loss.
    pub loss: f32,
    /// The gradients of trained parameters, in the order of [`Trainer::trained`].
    pub params: Vec<Vec<f32>>,
    /// Figures of the run.
    pub stats: RunStats,
}

/// What a program computes, for which sizes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    gradients: bool,
    sizes: Given,
}

/// A program, and what its plan comes to.
#[derive(Clone)]
struct Compiled {
    program: Arc<Program>,
    report: Report,
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
        Self { trainee, asked, compile, engine, parameters, programs: HashMap::new(), loaded: None }
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

    /// The program of the loss and its gradients for inputs of some sizes, and what its plan comes to.
    ///
    /// # Errors
    ///
    /// If the model cannot take the sizes, or there is no plan for them.
    pub fn program(&mut self, sizes: &Given) -> Result<(Arc<Program>, Report), Failure> {
        let Compiled { program, report } = self.compiled(&Key { gradients: true, sizes: sizes.clone() })?;
        Ok((program, report))
    }

    /// Which parameters are trained, by their place among all: those that the loss depends on and that are not frozen.
    ///
    /// # Errors
    ///
    /// As of [`Self::program`].
    pub fn trained(&mut self, sizes: &Given) -> Result<Vec<usize>, Failure> {
        let (program, _) = self.program(sizes)?;
        let is_output = |name: &str| outputs(&program).any(|output| output.name == name);
        let all = self.parameters.all().iter().enumerate();
        Ok(all.filter(|(_, p)| is_output(&p.name)).map(|(i, _)| i).collect())
    }

    /// How the parameters will follow their gradients.
    ///
    /// # Errors
    ///
    /// As of [`Self::program`]; if there is nothing to train, or the training section does not say how.
    pub fn optimization(&mut self, sizes: &Given) -> Result<Optimization, Failure> {
        let trained = self.trained(sizes)?;
        if trained.is_empty() {
            let message = "there is no parameter that the loss depends on and that is not frozen";
            return Err(Diagnostic::error(Code::E0227, message).into());
        }
        let optimization = Optimization::new(&self.trainee.training, &self.parameters, trained);
        optimization.map_err(|d| Failure::new(vec![d], &self.trainee.model.source))
    }

    /// The loss and its gradients. Inputs are those of the model and of the training; `others` are the outputs besides: gradients
    /// of inputs that were asked for. `None` if the run was cancelled.
    ///
    /// # Errors
    ///
    /// As of [`Self::program`]; what the engine says.
    pub fn gradients(
        &mut self,
        inputs: &[(&str, Input<'_>)],
        others: &mut [(&str, Output<'_>)],
        control: &Control<'_>,
    ) -> Result<Option<Gradients>, Failure> {
        let sizes = sizes(inputs);
        let trained = self.trained(&sizes)?;
        let names: Vec<_> = trained.iter().map(|&i| self.parameters.all()[i].name.clone()).collect();
        let run = self.run(Key { gradients: true, sizes }, inputs, &names, others, control)?;
        Ok(run.map(|(loss, params, stats)| Gradients { loss, params, stats }))
    }

    /// Whether the inputs of [`Self::loss`] are meant to be read window by window.
    ///
    /// # Errors
    ///
    /// As of [`Self::program`].
    pub fn loss_streams(&mut self, sizes: &Given) -> Result<bool, Failure> {
        Ok(self.compiled(&Key { gradients: false, sizes: sizes.clone() })?.program.streamed)
    }

    /// The loss alone. `None` if the run was cancelled.
    ///
    /// # Errors
    ///
    /// As of [`Self::gradients`].
    pub fn loss(
        &mut self,
        inputs: &[(&str, Input<'_>)],
        control: &Control<'_>,
    ) -> Result<Option<f32>, Failure> {
        let key = Key { gradients: false, sizes: sizes(inputs) };
        Ok(self.run(key, inputs, &[], &mut [], control)?.map(|(loss, ..)| loss))
    }

    /// The loss, and the outputs of some names.
    fn run(
        &mut self,
        key: Key,
        inputs: &[(&str, Input<'_>)],
        names: &[String],
        others: &mut [(&str, Output<'_>)],
        control: &Control<'_>,
    ) -> Result<Option<(f32, Vec<Vec<f32>>, RunStats)>, Failure> {
        let executable = self.load(&key)?;
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
        let stats = match executable.run_windows(inputs, &mut all, control) {
            Err(EngineError::Cancelled) => return Ok(None),
            stats => stats.map_err(|e| engine_failure(&e))?,
        };
        drop(all);
        let loss = arrays.pop().and_then(|loss| loss.data.first().copied()).unwrap_or(f32::NAN);
        Ok(Some((loss, arrays.into_iter().map(|a| a.data).collect(), stats)))
    }

    /// The program with the parameters as they are, ready to run.
    fn load(&mut self, key: &Key) -> Result<&mut Executable, Failure> {
        let program = self.compiled(key)?.program;
        let loaded = match self.loaded.take() {
            Some((of, executable)) if of == *key => executable,
            // Its memory goes before the other's comes.
            other => {
                drop(other);
                Executable::load(program, &self.engine).map_err(|e| engine_failure(&e))?
            }
        };
        let (_, executable) = self.loaded.insert((key.clone(), loaded));
        let data = data_for(executable.program(), &self.parameters);
        let data = data.map_err(|d| Failure::new(d, &self.trainee.model.source))?;
        executable.set_weights(data.bytes()).map_err(|e| engine_failure(&e))?;
        Ok(executable)
    }

    fn compiled(&mut self, key: &Key) -> Result<Compiled, Failure> {
        if let Some(compiled) = self.programs.get(key) {
            return Ok(compiled.clone());
        }
        let Self { trainee, parameters, .. } = self;
        let bound = trainee.model.bind(&key.sizes, &Bindings::default())?;
        let graph = match key.gradients {
            true => trainee.gradients(&bound, &self.asked, &self.compile)?,
            false => trainee.loss(&bound),
        };
        let fail = |d| Failure::new(d, &trainee.model.source);
        let (mut program, report) = trainee.model.program(&graph, &self.compile)?;
        give(&mut program, parameters.data(), |name| parameters.offset(name)).map_err(fail)?;
        let compiled = Compiled { program: Arc::new(program), report };
        self.programs.insert(key.clone(), compiled.clone());
        Ok(compiled)
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

fn sizes(inputs: &[(&str, Input<'_>)]) -> Given {
    let dims = |input: &Input<'_>| match input {
        Input::Array(array) => array.dims,
        Input::Windows(source) => source.dims(),
    };
    let sizes = |Dims { n, c, h, w }| [n, c, h, w];
    inputs.iter().map(|(name, input)| ((*name).to_owned(), sizes(dims(input)))).collect()
}
