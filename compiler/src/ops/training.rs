//! What ops do in training, where that differs from what they do afterwards.

use super::{Builder, ShapeError};
use crate::base::{ParamId, ValueId};

/// The training mode of an op ([`super::Op::training`]).
pub trait InTraining {
    /// Adds what the op computes for a batch of images.
    ///
    /// # Errors
    ///
    /// If that is not defined for inputs of these sizes.
    fn train(&self, builder: &mut dyn TrainingBuilder, at: &TrainingSite<'_>) -> Result<Trained, ShapeError>;
}

/// The graph in the making of a training step.
pub trait TrainingBuilder: Builder {
    /// The input that random bits follow from.
    fn random_key(&mut self) -> ValueId;
}

/// Where an op stands in the graph of a training step.
#[derive(Debug)]
pub struct TrainingSite<'a> {
    /// Its inputs, for each image of the batch; sizes are known.
    pub inputs: &'a [Vec<ValueId>],
    /// Its parameters.
    pub params: &'a [ParamId],
    /// Its number among the ops of the graph.
    pub number: u32,
}

/// What an op has become.
#[derive(Debug)]
pub struct Trained {
    /// Its output for each image of the batch.
    pub outputs: Vec<ValueId>,
    /// Parameters that do not follow a gradient.
    pub averages: Vec<Averaged>,
}

/// A parameter that follows the mean of what a step finds.
#[derive(Clone, Copy, Debug)]
pub struct Averaged {
    /// The parameter.
    pub param: ParamId,
    /// What the step finds, `[1, c, 1, 1]`.
    pub value: ValueId,
    /// Weight of that; the rest is the weight of what the parameter was.
    pub momentum: f64,
}
