//! How the parameters of a training follow their gradients.

use zellige_grammar::Diagnostic;
use zellige_runtime::optimizer::{Schedule, State, Step, clip_factor, global_norm, scale};

use super::Parameters;
use crate::front::Training;

/// What the optimizer remembers of the trained parameters, and the rules it follows.
#[derive(Clone, Debug)]
pub struct Optimization {
    /// Their places among all parameters.
    trained: Vec<usize>,
    states: Vec<State>,
    schedule: Schedule,
    /// The learning rate before the schedule changes it.
    base: f64,
    clip: Option<f64>,
}

/// What a step was like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stepped {
    /// The learning rate.
    pub rate: f64,
    /// The norm of all gradients together, before it was clipped.
    pub norm: f64,
}

impl Optimization {
    /// Before the first step.
    ///
    /// # Errors
    ///
    /// If the training section does not say how weights follow their gradients.
    pub fn new(
        training: &Training,
        parameters: &Parameters,
        trained: Vec<usize>,
    ) -> Result<Self, Diagnostic> {
        let optimizer = training.optimizer()?;
        let states = trained.iter().map(|&i| State::new(optimizer, &parameters.all()[i].dims)).collect();
        let (schedule, base, clip) = (training.schedule.clone(), optimizer.lr(), training.clip);
        Ok(Self { trained, states, schedule, base, clip })
    }

    /// The trained parameters' places among all.
    pub fn trained(&self) -> &[usize] {
        &self.trained
    }

    /// What is remembered of a parameter, if it is trained.
    pub fn state(&self, parameter: usize) -> Option<&State> {
        self.trained.iter().position(|&i| i == parameter).map(|at| &self.states[at])
    }

    /// Goes on from what was remembered of the trained parameters.
    pub fn restore(&mut self, states: Vec<State>) {
        self.states = states;
    }

    /// Changes the trained parameters by their gradients, after so many steps.
    pub fn step(
        &mut self,
        number: u64,
        parameters: &mut Parameters,
        mut gradients: Vec<Vec<f32>>,
    ) -> Stepped {
        let norm = global_norm(gradients.iter().map(Vec::as_slice));
        if let Some(most) = self.clip {
            let factor = clip_factor(norm, most);
            gradients.iter_mut().for_each(|gradient| scale(gradient, factor));
        }
        let rate = self.schedule.rate(self.base, number);
        let all = parameters.all_mut();
        for ((&i, state), gradient) in self.trained.iter().zip(&mut self.states).zip(&gradients) {
            state.step(Step { number, rate }, &mut all[i].values, gradient);
        }
        Stepped { rate, norm }
    }
}
