//! The optimizers and schedules that there are, with their arguments, defaults and ranges. A row each.

use zellige_runtime::optimizer::{Optimizer, Schedule};

use super::arguments::Formal;
use crate::ops::{ArgError, ArgKind, ArgSpec, Args};

/// An optimizer or schedule of the language.
pub(super) struct Recipe {
    pub(super) name: &'static str,
    /// The argument that is one of its kind itself: its name, and its place among the others.
    pub(super) inner: Option<(&'static str, usize)>,
    args: &'static [ArgSpec],
    pub(super) build: Build,
}

/// How it is made.
pub(super) enum Build {
    Optimizer(fn(&Args) -> Result<Optimizer, ArgError>),
    /// Of another one.
    Around(fn(&Args, Optimizer) -> Result<Optimizer, ArgError>),
    Schedule(fn(&Args) -> Result<Schedule, ArgError>),
    /// With another one that follows.
    Before(fn(&Args, Schedule) -> Result<Schedule, ArgError>),
}

const LR: ArgSpec = ArgSpec::new("lr", ArgKind::Float).elsewhere(&["learning_rate", "rate"]);
const BETAS: ArgSpec = ArgSpec::new("betas", ArgKind::Numbers).elsewhere(&["beta"]);
const WEIGHT_DECAY: ArgSpec = ArgSpec::new("weight_decay", ArgKind::Float).elsewhere(&["decay", "wd"]);

/// The table.
pub(super) const RECIPES: [Recipe; 8] = [
    Recipe {
        name: "sgd",
        inner: None,
        args: &[
            LR,
            ArgSpec::new("momentum", ArgKind::Float),
            ArgSpec::new("nesterov", ArgKind::Bool),
            WEIGHT_DECAY,
        ],
        build: Build::Optimizer(sgd),
    },
    Recipe {
        name: "adamw",
        inner: None,
        args: &[LR, BETAS, ArgSpec::new("eps", ArgKind::Float).elsewhere(&["epsilon"]), WEIGHT_DECAY],
        build: Build::Optimizer(|args| {
            Ok(Optimizer::AdamW {
                lr: positive(args, "lr", 1e-3)?,
                betas: betas(args, [0.9, 0.999])?,
                eps: at_least_0(args, "eps", 1e-8)?,
                weight_decay: at_least_0(args, "weight_decay", 0.01)?,
            })
        }),
    },
    Recipe {
        name: "lion",
        inner: None,
        args: &[LR, BETAS, WEIGHT_DECAY],
        build: Build::Optimizer(|args| {
            Ok(Optimizer::Lion {
                lr: positive(args, "lr", 1e-4)?,
                betas: betas(args, [0.9, 0.99])?,
                weight_decay: at_least_0(args, "weight_decay", 0.0)?,
            })
        }),
    },
    Recipe {
        name: "cautious",
        inner: Some(("optimizer", 0)),
        args: &[],
        build: Build::Around(|_, inner| {
            once(&inner, "cautious", |inner| matches!(inner, Optimizer::Cautious(_)))?;
            Ok(Optimizer::Cautious(Box::new(inner)))
        }),
    },
    Recipe {
        name: "subspace",
        inner: Some(("optimizer", 0)),
        args: &[ArgSpec::new("rank", ArgKind::Int).required(), LR, ArgSpec::new("penalty", ArgKind::Float)],
        build: Build::Around(|args, inner| {
            once(&inner, "in a subspace", |inner| matches!(inner, Optimizer::Subspace { .. }))?;
            Ok(Optimizer::Subspace {
                inner: Box::new(inner),
                rank: count(args, "rank")?,
                lr: positive(args, "lr", 0.005)?,
                penalty: at_least_0(args, "penalty", 0.1)?,
            })
        }),
    },
    Recipe { name: "constant", inner: None, args: &[], build: Build::Schedule(|_| Ok(Schedule::Constant)) },
    Recipe {
        name: "cosine",
        inner: None,
        args: &[
            ArgSpec::new("steps", ArgKind::Int).required().elsewhere(&["t_max", "T_max"]),
            ArgSpec::new("min", ArgKind::Float).elsewhere(&["eta_min", "min_lr"]),
        ],
        build: Build::Schedule(|args| {
            Ok(Schedule::Cosine { steps: count(args, "steps")?, min: at_least_0(args, "min", 0.0)? })
        }),
    },
    Recipe {
        name: "warmup",
        inner: Some(("then", 1)),
        args: &[ArgSpec::new("steps", ArgKind::Int).required().elsewhere(&["warmup_steps", "total_iters"])],
        build: Build::Before(|args, then| {
            Ok(Schedule::Warmup { steps: count(args, "steps")?, then: Box::new(then) })
        }),
    },
];

impl Recipe {
    /// All arguments in the order in which a call gives them.
    pub(super) fn formals(&self) -> Vec<Formal<'static>> {
        let formal =
            |spec: &ArgSpec| Formal { name: spec.name, required: spec.required, elsewhere: spec.elsewhere };
        let mut formals: Vec<_> = self.args.iter().map(formal).collect();
        if let Some((name, at)) = self.inner {
            formals.insert(at, Formal::required(name));
        }
        formals
    }

    /// The arguments but the inner one.
    pub(super) fn args(&self) -> &'static [ArgSpec] {
        self.args
    }

    /// What it makes, with article.
    pub(super) fn kind(&self) -> &'static str {
        match self.build {
            Build::Optimizer(_) | Build::Around(_) => "an optimizer",
            Build::Schedule(_) | Build::Before(_) => "a schedule",
        }
    }
}

fn sgd(args: &Args) -> Result<Optimizer, ArgError> {
    let (momentum, nesterov) = (at_least_0(args, "momentum", 0.0)?, args.bool("nesterov")?.unwrap_or(false));
    if nesterov && momentum == 0.0 {
        return Err(ArgError::new("nesterov", "wants a `momentum`"));
    }
    let (lr, weight_decay) = (positive(args, "lr", 1e-3)?, at_least_0(args, "weight_decay", 0.0)?);
    Ok(Optimizer::Sgd { lr, momentum, nesterov, weight_decay })
}

fn number(
    args: &Args,
    name: &'static str,
    default: f64,
    holds: fn(f64) -> bool,
    range: &str,
) -> Result<f64, ArgError> {
    match args.float(name)?.unwrap_or(default) {
        value if value.is_finite() && holds(value) => Ok(value),
        value => Err(ArgError::new(name, format!("is {range}, found {value:?}"))),
    }
}

fn positive(args: &Args, name: &'static str, default: f64) -> Result<f64, ArgError> {
    number(args, name, default, |value| value > 0.0, "positive")
}

fn at_least_0(args: &Args, name: &'static str, default: f64) -> Result<f64, ArgError> {
    number(args, name, default, |value| value >= 0.0, "at least 0")
}

fn count(args: &Args, name: &'static str) -> Result<u64, ArgError> {
    match args.int::<i64>(name)? {
        Some(value @ 1..) => Ok(value.unsigned_abs()),
        Some(value) => Err(ArgError::new(name, format!("is at least 1, found {value}"))),
        None => Err(ArgError::new(name, "is missing")),
    }
}

fn betas(args: &Args, default: [f64; 2]) -> Result<[f64; 2], ArgError> {
    let Some(betas) = args.numbers("betas")? else { return Ok(default) };
    match <[f64; 2]>::try_from(betas) {
        Ok(betas) if betas.iter().all(|beta| (0.0..1.0).contains(beta)) => Ok(betas),
        Ok([a, b]) => {
            Err(ArgError::new("betas", format!("are at least 0 and less than 1, found [{a:?}, {b:?}]")))
        }
        Err(other) => Err(ArgError::new("betas", format!("are two numbers, found {}", other.len()))),
    }
}

/// Whether an optimizer can be wrapped into what it must not be already.
fn once(inner: &Optimizer, what: &str, is: fn(&Optimizer) -> bool) -> Result<(), ArgError> {
    let mut within = Some(inner);
    while let Some(optimizer) = within {
        if is(optimizer) {
            return Err(ArgError::new("optimizer", format!("is {what} already")));
        }
        within = match optimizer {
            Optimizer::Cautious(inner) | Optimizer::Subspace { inner, .. } => Some(inner),
            Optimizer::Sgd { .. } | Optimizer::AdamW { .. } | Optimizer::Lion { .. } => None,
        };
    }
    Ok(())
}
