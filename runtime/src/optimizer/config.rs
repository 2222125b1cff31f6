//! What an optimizer is, as plain data.

use std::fmt;

/// How weights follow their gradients; the formulas are in the [module's documentation](super).
#[derive(Clone, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent, as PyTorch's `SGD` without dampening.
    Sgd {
        /// Learning rate.
        lr: f64,
        /// What is kept of the last step's momentum; 0 for none.
        momentum: f64,
        /// Whether the momentum is looked ahead.
        nesterov: bool,
        /// What is added to the gradient of each unit of the weight.
        weight_decay: f64,
    },
    /// Adam with decoupled decay (Loshchilov and Hutter 2019), as PyTorch's `AdamW`.
    AdamW {
        /// Learning rate.
        lr: f64,
        /// What is kept of the means of the gradient and of its square.
        betas: [f64; 2],
        /// Added to the root of the second mean.
        eps: f64,
        /// What is taken from each unit of the weight, times the rate.
        weight_decay: f64,
    },
    /// Evolved sign momentum (Chen et al. 2023).
    Lion {
        /// Learning rate.
        lr: f64,
        /// What is kept of the momentum in the update, and from step to step.
        betas: [f64; 2],
        /// What is taken from each unit of the weight, times the rate.
        weight_decay: f64,
    },
    /// Another one whose updates are masked where they go against the gradient (Liang et al. 2024, "Cautious optimizers").
    Cautious(Box<Self>),
    /// Another one that lives in a subspace (Liang et al. 2024, "Memory-efficient LLM training with online subspace descent").
    Subspace {
        /// The one that sees the gradient in the subspace.
        inner: Box<Self>,
        /// Dimensions of the subspace.
        rank: u64,
        /// Learning rate of the subspace, which follows the schedule in proportion.
        lr: f64,
        /// Weight λ of the term that keeps its basis orthonormal.
        penalty: f64,
    },
}

/// An option of an optimizer that is not what it may be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidOptimizer {
    /// A number out of its range.
    #[error("`{option}` of {optimizer} is {value}, and must be {range}")]
    Range {
        /// The optimizer, as the language calls it.
        optimizer: &'static str,
        /// The option.
        option: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// Nesterov's momentum of nothing.
    #[error("`nesterov` of sgd wants a `momentum`")]
    NesterovWithoutMomentum,
    /// One that wraps itself.
    #[error("{0} of {0} is not supported")]
    Twice(&'static str),
}

impl Optimizer {
    /// Stochastic gradient descent with PyTorch's defaults.
    pub fn sgd() -> Self {
        Self::Sgd { lr: 1e-3, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }

    /// AdamW with PyTorch's defaults.
    pub fn adamw() -> Self {
        Self::AdamW { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 }
    }

    /// Lion with its authors' defaults.
    pub fn lion() -> Self {
        Self::Lion { lr: 1e-4, betas: [0.9, 0.99], weight_decay: 0.0 }
    }

    /// The cautious variant.
    pub fn cautious(self) -> Self {
        Self::Cautious(Box::new(self))
    }

    /// In a subspace of so many dimensions.
    pub fn subspace(self, rank: u64) -> Self {
        Self::Subspace { inner: Box::new(self), rank, lr: 0.005, penalty: 0.1 }
    }

    /// The learning rate of the weights, before any schedule.
    pub fn lr(&self) -> f64 {
        match self {
            Self::Sgd { lr, .. } | Self::AdamW { lr, .. } | Self::Lion { lr, .. } => *lr,
            Self::Cautious(inner) | Self::Subspace { inner, .. } => inner.lr(),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::AdamW { .. } => "adamw",
            Self::Lion { .. } => "lion",
            Self::Cautious(_) => "cautious",
            Self::Subspace { .. } => "subspace",
        }
    }

    /// Whether every option is within its range.
    ///
    /// # Errors
    ///
    /// The first option that is not.
    pub fn validate(&self) -> Result<(), InvalidOptimizer> {
        let check = |option, value: f64, holds: bool, range| {
            let error = || InvalidOptimizer::Range { optimizer: self.name(), option, value, range };
            holds.then_some(()).ok_or_else(error)
        };
        let positive =
            |option, value: f64| check(option, value, value > 0.0 && value.is_finite(), "a positive number");
        let at_least_0 =
            |option, value: f64| check(option, value, value >= 0.0 && value.is_finite(), "0 or more");
        let share = |option, value: f64| {
            check(option, value, (0.0..1.0).contains(&value), "at least 0 and less than 1")
        };
        match self {
            Self::Sgd { lr, momentum, nesterov, weight_decay } => {
                positive("lr", *lr)?;
                at_least_0("momentum", *momentum)?;
                at_least_0("weight_decay", *weight_decay)?;
                if *nesterov && *momentum == 0.0 {
                    return Err(InvalidOptimizer::NesterovWithoutMomentum);
                }
                Ok(())
            }
            Self::AdamW { lr, betas, eps, weight_decay } => {
                positive("lr", *lr)?;
                betas.iter().try_for_each(|beta| share("betas", *beta))?;
                at_least_0("eps", *eps)?;
                at_least_0("weight_decay", *weight_decay)
            }
            Self::Lion { lr, betas, weight_decay } => {
                positive("lr", *lr)?;
                betas.iter().try_for_each(|beta| share("betas", *beta))?;
                at_least_0("weight_decay", *weight_decay)
            }
            Self::Cautious(inner) => self.wraps(inner),
            Self::Subspace { inner, rank, lr, penalty } => {
                check("rank", *rank as f64, *rank > 0, "1 or more")?;
                positive("lr", *lr)?;
                at_least_0("penalty", *penalty)?;
                self.wraps(inner)
            }
        }
    }

    fn wraps(&self, inner: &Self) -> Result<(), InvalidOptimizer> {
        let mut within = Some(inner);
        while let Some(Self::Cautious(inner) | Self::Subspace { inner, .. }) = within {
            if within.is_some_and(|within| within.name() == self.name()) {
                return Err(InvalidOptimizer::Twice(self.name()));
            }
            within = Some(inner);
        }
        inner.validate()
    }

    /// What is added to the gradient of each unit of the weight.
    pub(super) fn coupled_decay(&self) -> f64 {
        match self {
            Self::Sgd { weight_decay, .. } => *weight_decay,
            Self::AdamW { .. } | Self::Lion { .. } => 0.0,
            Self::Cautious(inner) | Self::Subspace { inner, .. } => inner.coupled_decay(),
        }
    }

    /// What is taken from each unit of the weight, times the rate.
    pub(super) fn decoupled_decay(&self) -> f64 {
        match self {
            Self::Sgd { .. } => 0.0,
            Self::AdamW { weight_decay, .. } | Self::Lion { weight_decay, .. } => *weight_decay,
            Self::Cautious(inner) | Self::Subspace { inner, .. } => inner.decoupled_decay(),
        }
    }
}

/// As the language writes it, with all options.
impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sgd { lr, momentum, nesterov, weight_decay } => write!(
                f,
                "sgd(lr: {lr:?}, momentum: {momentum:?}, nesterov: {nesterov}, weight_decay: {weight_decay:?})"
            ),
            Self::AdamW { lr, betas, eps, weight_decay } => {
                write!(f, "adamw(lr: {lr:?}, betas: {betas:?}, eps: {eps:?}, weight_decay: {weight_decay:?})")
            }
            Self::Lion { lr, betas, weight_decay } => {
                write!(f, "lion(lr: {lr:?}, betas: {betas:?}, weight_decay: {weight_decay:?})")
            }
            Self::Cautious(inner) => write!(f, "cautious({inner})"),
            Self::Subspace { inner, rank, lr, penalty } => {
                write!(f, "subspace({inner}, rank: {rank}, lr: {lr:?}, penalty: {penalty:?})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_written_in_full() {
        for (optimizer, text) in [
            (Optimizer::sgd(), "sgd(lr: 0.001, momentum: 0.0, nesterov: false, weight_decay: 0.0)"),
            (
                Optimizer::adamw().cautious(),
                "cautious(adamw(lr: 0.001, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01))",
            ),
            (
                Optimizer::lion().subspace(4),
                "subspace(lion(lr: 0.0001, betas: [0.9, 0.99], weight_decay: 0.0), rank: 4, lr: 0.005, penalty: 0.1)",
            ),
        ] {
            assert_eq!(optimizer.validate(), Ok(()));
            assert_eq!(optimizer.to_string(), text);
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let message = |optimizer: Optimizer| optimizer.validate().unwrap_err().to_string();
        let sgd = |lr, momentum, nesterov| Optimizer::Sgd { lr, momentum, nesterov, weight_decay: 0.0 };
        assert_eq!(message(sgd(f64::NAN, 0.0, false)), "`lr` of sgd is NaN, and must be a positive number");
        assert_eq!(message(sgd(1.0, -0.5, false)), "`momentum` of sgd is -0.5, and must be 0 or more");
        assert_eq!(message(sgd(1.0, 0.0, true).cautious()), "`nesterov` of sgd wants a `momentum`");
        let lion = Optimizer::Lion { lr: 1.0, betas: [0.9, 1.0], weight_decay: 0.0 };
        assert_eq!(message(lion), "`betas` of lion is 1, and must be at least 0 and less than 1");
        assert_eq!(message(Optimizer::sgd().subspace(0)), "`rank` of subspace is 0, and must be 1 or more");
        let twice = Optimizer::adamw().cautious().subspace(2).cautious();
        assert_eq!(message(twice), "cautious of cautious is not supported");
        assert!(Optimizer::adamw().cautious().subspace(2).validate().is_ok());
        assert!(Optimizer::adamw().subspace(2).cautious().validate().is_ok());
    }
}
