//! What happened in a training: a line a step in a CSV file ([`Log`]), and a picture of the loss ([`svg`]).

mod axis;
mod log;
mod svg;

pub use log::{Log, LogError};
pub use svg::svg;

/// What happened in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The step's number, from 1.
    pub step: u64,
    /// Passes through the data before it.
    pub epoch: u64,
    /// The loss, before the weights changed.
    pub loss: f32,
    /// The learning rate.
    pub lr: f64,
    /// The norm of all gradients, before they were clipped.
    pub gradient_norm: f64,
    /// Seconds that it took.
    pub seconds: f64,
    /// The loss on data that is not trained on, after the weights changed, where that was asked for.
    pub validation: Option<f32>,
}
