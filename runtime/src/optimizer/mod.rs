//! Optimizers: how weights follow their gradients.
//!
//! A [`State`] belongs to one parameter tensor; it makes an update u of a gradient g, and changes the weights w, with the
//! schedule's rate ε:
//!
//! ```text
//! w = w · (1 − ε · decay) − ε · u          decay: that of adamw and lion, 0 otherwise
//! ```
//!
//! * **sgd**, of `g = g + weight_decay · w`: without momentum `u = g`; else `m = momentum · m + g` (so that it begins with g), and
//!   `u = m`, or with `nesterov` `u = g + momentum · m`.
//! * **adamw**, in its t-th step (from 1): `m = β₁ · m + (1 − β₁) · g`, `v = β₂ · v + (1 − β₂) · g²`,
//!   `u = (m / (1 − β₁ᵗ)) / (√v / √(1 − β₂ᵗ) + eps)`.
//! * **lion**: `u = sign(β₁ · m + (1 − β₁) · g)`, then `m = β₂ · m + (1 − β₂) · g`.
//! * **cautious** of another: its update, 0 where it and g have not the same sign, elsewhere times `n / (k + 1)`, for k of the
//!   tensor's n values that have (Liang et al. 2024, Algorithm 2). The other's means and decay are as ever: that of sgd is part of g,
//!   and that of adamw comes first, as in PyTorch. (The authors' code has it last, which makes a difference of `ε² · decay · u`.)
//! * **subspace** of another (online subspace descent): a weight `[out, in, kh, kw]` is a matrix `[out, in · kh · kw]`, `P` has
//!   `rank` columns. The other gets `Pᵀ·g` for its gradient, and `u = P · u′` for the update u′ that it makes. P begins as the
//!   leading left singular vectors of the first gradient. With each later one it takes, after the weights, one step of Adam down
//!   `‖P·Pᵀ·g̃ − g̃‖² + λ‖Pᵀ·P − I‖²`, `g̃ = g / ‖g‖`, at its own rate times ε over the weights' rate without schedule. (The first
//!   gradient it cannot learn from: it is the best for that.) Where `rank` is not less than both extents of the matrix, and for
//!   biases, the other does its work as it would alone.
//!
//! Semantics and defaults are PyTorch's where it has the optimizer. All is f32, one value after the other in a fixed order; factors
//! of a step are computed in f64 and rounded once. So the bits depend on nothing but weights, gradients and steps.

mod average;
mod config;
mod gradients;
mod matrix;
mod rules;
mod schedule;
mod singular;
mod subspace;

pub use average::running_average;
pub use config::{InvalidOptimizer, Optimizer};
pub use gradients::{Accumulated, clip_factor, global_norm, scale};
pub use schedule::Schedule;

use rules::{Adam, Moments};
use subspace::Subspace;

/// A step of the training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Steps before it.
    pub number: u64,
    /// The learning rate, as the schedule says.
    pub rate: f64,
}

/// What an optimizer remembers of one parameter tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    optimizer: Optimizer,
    dims: Vec<u64>,
    /// Of the tensor, or of what lies in the subspace.
    moments: Moments,
    subspace: Option<Subspace>,
}

/// A tensor of a state, to be kept in a file.
#[derive(Debug, PartialEq)]
pub struct Slot<'a> {
    /// What it is; unlike the names of the state's others.
    pub name: &'static str,
    /// Its shape.
    pub dims: Vec<u64>,
    /// Its values.
    pub values: &'a [f32],
}

/// A tensor of a state, to be read from a file.
#[derive(Debug, PartialEq)]
pub struct SlotMut<'a> {
    /// What it is.
    pub name: &'static str,
    /// Its shape.
    pub dims: Vec<u64>,
    /// Its values.
    pub values: &'a mut [f32],
}

impl State {
    /// The state before the first step of a parameter of this shape.
    pub fn new(optimizer: &Optimizer, dims: &[u64]) -> Self {
        let subspace = subspace_of(optimizer, dims);
        let len = subspace.as_ref().map_or(dims.iter().product::<u64>() as usize, Subspace::len);
        let [first, second] = means(optimizer).map(|there| vec![0.0; if there { len } else { 0 }]);
        let moments = Moments { first, second };
        Self { optimizer: optimizer.clone(), dims: dims.to_vec(), moments, subspace }
    }

    /// Changes weights by their gradient. Steps follow one another: what the state remembers is that of all steps before.
    ///
    /// # Panics
    ///
    /// If weights or gradient have not as many values as the parameter.
    pub fn step(&mut self, step: Step, weights: &mut [f32], gradient: &[f32]) {
        let len = self.dims.iter().product::<u64>() as usize;
        assert!(weights.len() == len && gradient.len() == len, "a parameter has {len} values");
        let decay = self.optimizer.coupled_decay() as f32;
        let mut update = gradient.to_vec();
        if decay != 0.0 {
            update.iter_mut().zip(&*weights).for_each(|(g, w)| *g += decay * w);
        }
        let Self { optimizer, moments, subspace, .. } = self;
        make(optimizer, moments, subspace.as_mut(), step, &mut update);
        let keep = (1.0 - step.rate * optimizer.decoupled_decay()) as f32;
        let rate = step.rate as f32;
        if keep == 1.0 {
            weights.iter_mut().zip(&update).for_each(|(w, u)| *w -= rate * u);
        } else {
            weights.iter_mut().zip(&update).for_each(|(w, u)| *w = *w * keep - rate * u);
        }
    }

    /// Shape of the parameter.
    pub fn dims(&self) -> &[u64] {
        &self.dims
    }

    /// All that the state remembers, in a fixed order.
    pub fn slots(&self) -> Vec<Slot<'_>> {
        let [moments, basis] = self.shapes();
        let turning = self.subspace.as_ref();
        let slots = [
            ("first", &moments, Some(&self.moments.first)),
            ("second", &moments, Some(&self.moments.second)),
            ("basis", &basis, turning.map(|s| &s.basis.values)),
            ("basis.first", &basis, turning.map(|s| &s.moments.first)),
            ("basis.second", &basis, turning.map(|s| &s.moments.second)),
        ];
        let there = slots.into_iter().filter_map(|(name, dims, values)| Some((name, dims, values?)));
        there
            .filter(|(.., values)| !values.is_empty())
            .map(|(name, dims, values)| Slot { name, dims: dims.clone(), values })
            .collect()
    }

    /// As [`slots`](Self::slots), to be filled.
    pub fn slots_mut(&mut self) -> Vec<SlotMut<'_>> {
        let [moments, basis] = self.shapes();
        let mut slots = vec![
            ("first", &moments, &mut self.moments.first),
            ("second", &moments, &mut self.moments.second),
        ];
        if let Some(subspace) = &mut self.subspace {
            slots.extend([
                ("basis", &basis, &mut subspace.basis.values),
                ("basis.first", &basis, &mut subspace.moments.first),
                ("basis.second", &basis, &mut subspace.moments.second),
            ]);
        }
        let there = slots.into_iter().filter(|(.., values)| !values.is_empty());
        there.map(|(name, dims, values)| SlotMut { name, dims: dims.clone(), values }).collect()
    }

    /// Shapes of the means, and of the subspace's basis.
    fn shapes(&self) -> [Vec<u64>; 2] {
        match &self.subspace {
            None => [self.dims.clone(), Vec::new()],
            Some(subspace) => {
                let rank = subspace.basis.columns;
                let in_it = vec![rank as u64, (subspace.len() / rank.max(1)) as u64];
                [in_it, vec![subspace.basis.rows as u64, rank as u64]]
            }
        }
    }
}

/// The subspace of a parameter, if the optimizer has one and the parameter is large enough.
fn subspace_of(optimizer: &Optimizer, dims: &[u64]) -> Option<Subspace> {
    match optimizer {
        Optimizer::Subspace { rank, .. } => Subspace::new(dims, *rank),
        Optimizer::Cautious(inner) => subspace_of(inner, dims),
        Optimizer::Sgd { .. } | Optimizer::AdamW { .. } | Optimizer::Lion { .. } => None,
    }
}

/// Which of the means an optimizer has.
fn means(optimizer: &Optimizer) -> [bool; 2] {
    match optimizer {
        Optimizer::Sgd { momentum, .. } => [*momentum != 0.0, false],
        Optimizer::AdamW { .. } => [true, true],
        Optimizer::Lion { .. } => [true, false],
        Optimizer::Cautious(inner) | Optimizer::Subspace { inner, .. } => means(inner),
    }
}

/// Makes an update of a gradient.
fn make(
    optimizer: &Optimizer,
    moments: &mut Moments,
    subspace: Option<&mut Subspace>,
    step: Step,
    update: &mut Vec<f32>,
) {
    match optimizer {
        Optimizer::Sgd { momentum, .. } if *momentum == 0.0 => {}
        Optimizer::Sgd { momentum, nesterov, .. } => rules::momentum(*momentum, *nesterov, moments, update),
        Optimizer::AdamW { betas, eps, .. } => {
            Adam { betas: *betas, eps: *eps }.update(step.number + 1, moments, update);
        }
        Optimizer::Lion { betas, .. } => rules::lion(*betas, moments, update),
        Optimizer::Cautious(inner) => {
            let gradient = update.clone();
            make(inner, moments, subspace, step, update);
            rules::mask(update, &gradient);
        }
        Optimizer::Subspace { inner, lr, penalty, .. } => {
            let Some(subspace) = subspace else { return make(inner, moments, None, step, update) };
            if step.number == 0 {
                subspace.begin(update);
            }
            let mut within = subspace.down(update);
            make(inner, moments, None, step, &mut within);
            let gradient = std::mem::replace(update, subspace.up(&within));
            if step.number > 0 {
                let rate = lr * (step.rate / inner.lr());
                subspace.turn(&gradient, rate, *penalty, step.number);
            }
        }
    }
}

#[cfg(test)]
mod tests;
