//! What sections and plans cost, as the planner weighs it.

use std::ops::{Add, Sub};

use super::Objective;
use crate::analysis::cost::file_seconds;

/// Compared by memory first: with one price for all memory, by time alone.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Price {
    /// Elements at section boundaries; none, where only time counts.
    pub(super) memory: f64,
    /// Modelled time.
    pub(super) seconds: f64,
}

impl Price {
    pub(super) const ZERO: Self = Self { memory: 0.0, seconds: 0.0 };
    /// Of what cannot be.
    pub(super) const INFINITE: Self = Self { memory: f64::INFINITY, seconds: f64::INFINITY };

    pub(super) fn min(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    /// How many seconds something may take that costs no more than this, if it takes some memory.
    pub(super) fn seconds_with(self, memory: f64) -> f64 {
        if memory < self.memory {
            f64::INFINITY
        } else if memory > self.memory {
            f64::NEG_INFINITY
        } else {
            self.seconds
        }
    }
}

impl Objective {
    /// What so many elements at section boundaries cost.
    pub(super) fn of_boundary(self, elements: f64) -> Price {
        match self {
            Self::Time => Price::ZERO,
            Self::Memory => Price { memory: elements, seconds: 0.0 },
            // Written once, and read once at least.
            Self::Files => Price { memory: 0.0, seconds: file_seconds(2.0 * 4.0 * elements, 0.0) },
        }
    }
}

impl Add for Price {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { memory: self.memory + other.memory, seconds: self.seconds + other.seconds }
    }
}

impl Sub for Price {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { memory: self.memory - other.memory, seconds: self.seconds - other.seconds }
    }
}
