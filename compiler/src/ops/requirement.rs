//! What shapes must satisfy: decided at once where they are known, kept for later where symbols leave it open.

use std::fmt;

use zellige_grammar::Code;

use crate::base::{Bindings, Dim};

/// A shape that an op cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ShapeError {
    /// Which kind of problem.
    pub code: Code,
    /// What is wrong, with both shapes.
    pub message: String,
    /// The input that is wrong, if it is one of them.
    pub input: Option<usize>,
    /// What would do.
    pub hint: Option<String>,
}

impl ShapeError {
    /// About no input in particular.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: Code::E0301, message: message.into(), input: None, hint: None }
    }

    /// About input `input`.
    pub fn of_input(input: usize, message: impl Into<String>) -> Self {
        Self { input: Some(input), ..Self::new(message) }
    }

    /// Of a more specific kind than "shape mismatch".
    pub fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A condition on sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Both are the same.
    Equal(Dim, Dim),
    /// The first is a multiple of the second.
    Multiple(Dim, i64),
    /// The first is at least the second.
    AtLeast(Dim, i64),
}

impl Condition {
    /// Whether it holds; `None` if symbols leave it open.
    pub fn decide(&self, bindings: &Bindings) -> Option<bool> {
        let value = |d: &Dim| d.substitute(bindings);
        match self {
            Self::Equal(a, b) => {
                let difference = value(a).sub(&value(b));
                if difference.never_zero() { Some(false) } else { difference.constant().map(|d| d == 0) }
            }
            Self::Multiple(a, k) => {
                let a = value(a);
                if a.divisible_by(*k) { Some(true) } else { a.constant().map(|a| a.rem_euclid(*k) == 0) }
            }
            Self::AtLeast(a, k) => value(a).constant().map(|a| a >= *k),
        }
    }

    /// `a == b`; where `b` can only be reached by rounding down, that `b` is a multiple says it more plainly.
    fn equal(a: &Dim, b: &Dim) -> Self {
        for (a, b) in [(a, b), (b, a)] {
            if let Some((rounded, k)) = a.as_rounded_down()
                && let Some(0..) = rounded.sub(b).constant().filter(|&c| c < k)
            {
                return Self::Multiple(b.clone(), k);
            }
        }
        Self::Equal(a.clone(), b.clone())
    }

    /// The symbols that occur, in order of their names.
    pub fn symbols(&self) -> Vec<String> {
        let (Self::Equal(a, _) | Self::Multiple(a, _) | Self::AtLeast(a, _)) = self;
        let mut names = a.symbols();
        if let Self::Equal(_, b) = self {
            names.extend(b.symbols());
        }
        names.sort();
        names.dedup();
        names
    }

    /// Whether it is about a symbol itself, and not about what is computed from it.
    pub fn is_plain(&self) -> bool {
        let (Self::Equal(a, _) | Self::Multiple(a, _) | Self::AtLeast(a, _)) = self;
        a.symbols().iter().any(|symbol| *a == Dim::symbol(symbol))
    }

    /// The code of an error about it.
    fn code(&self) -> Code {
        match self {
            Self::Equal(..) => Code::E0301,
            Self::Multiple(..) => Code::E0308,
            Self::AtLeast(..) => Code::E0306,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Equal(subject, _) | Self::Multiple(subject, _) | Self::AtLeast(subject, _)) = self;
        if subject.constant().is_some() {
            f.write_str("the size ")?;
        }
        match self {
            Self::Equal(a, b) => write!(f, "{a} must equal {b}"),
            Self::Multiple(a, 2) => write!(f, "{a} must be even"),
            Self::Multiple(a, k) => write!(f, "{a} must be a multiple of {k}"),
            Self::AtLeast(a, k) => write!(f, "{a} must be at least {k}"),
        }
    }
}

/// A condition with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The condition.
    pub condition: Condition,
    /// Why, as the end of a sentence that begins with the condition: "because …".
    pub because: String,
}

/// Collects the requirements of one op.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// Those that symbols leave open.
    pub open: Vec<Requirement>,
}

impl Requirements {
    fn require(&mut self, condition: Condition, because: impl Into<String>) -> Result<(), ShapeError> {
        let because = because.into();
        match condition.decide(&Bindings::default()) {
            Some(true) => Ok(()),
            Some(false) => {
                let code = condition.code();
                Err(ShapeError::new(format!("{condition}, because {because}")).code(code))
            }
            None => {
                let requirement = Requirement { condition, because };
                if !self.open.contains(&requirement) {
                    self.open.push(requirement);
                }
                Ok(())
            }
        }
    }

    /// `a == b`.
    pub fn equal(&mut self, a: &Dim, b: &Dim, because: impl Into<String>) -> Result<(), ShapeError> {
        self.require(Condition::equal(a, b), because)
    }

    /// `a` is a multiple of `k`.
    pub fn multiple(&mut self, a: &Dim, k: i64, because: impl Into<String>) -> Result<(), ShapeError> {
        self.require(Condition::Multiple(a.clone(), k), because)
    }

    /// `a >= k`.
    pub fn at_least(&mut self, a: &Dim, k: i64, because: impl Into<String>) -> Result<(), ShapeError> {
        self.require(Condition::AtLeast(a.clone(), k), because)
    }
}
