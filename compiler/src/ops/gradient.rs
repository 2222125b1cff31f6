//! Gradients as ops: what an op is asked ([`super::Op::gradient`]), and what answers are made of.
//!
//! A gradient that is the same along an axis may have size 1 there, as long as only what broadcasts reads it.

use std::sync::Arc;

use zellige_runtime::program::instr::{Along, FoldKind, Statistic};

use super::arithmetic::{add, div, mul};
use super::fold::fold;
use super::global::{over_images, spatial};
use super::repeat::Repeat;
use super::{Builder, Sizes};
use crate::base::{ParamId, Shape, ValueId};

/// An op whose output's gradient is known.
#[derive(Debug)]
pub struct Differentiable<'a> {
    /// Its inputs.
    pub inputs: &'a [ValueId],
    /// Its parameters.
    pub params: &'a [ParamId],
    /// Its output.
    pub output: ValueId,
    /// The gradient of the output, of the output's shape.
    pub gradient: ValueId,
    /// The same, but perhaps of size 1 along axes where it does not change: for ops that repeat such operands.
    pub repeated: ValueId,
    /// For each input, whether its gradient is asked for; of others none need be given.
    pub wanted: &'a [bool],
}

/// The gradients of an op's inputs and parameters. None is given of what the output does not depend on, or where the derivative is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gradients {
    /// Of the inputs, in order: of their shapes, or of size 1 along axes where they do not change.
    pub inputs: Vec<Option<ValueId>>,
    /// Of the parameters, in order: of one with a value a channel as `[1, c, 1, 1]`, of weights as `conv2d.dw` has them.
    pub params: Vec<Option<ValueId>>,
}

impl Gradients {
    /// Of an op's only input.
    pub fn of_input(input: ValueId) -> Self {
        Self::of_inputs([Some(input)])
    }

    /// Of an op without parameters.
    pub fn of_inputs(inputs: impl IntoIterator<Item = Option<ValueId>>) -> Self {
        Self { inputs: inputs.into_iter().collect(), params: Vec::new() }
    }

    /// Of an op whose output does not change with small changes of its inputs.
    pub fn none() -> Self {
        Self::default()
    }
}

impl Differentiable<'_> {
    /// The shape of input `input`.
    pub(super) fn shape(&self, builder: &dyn Builder, input: usize) -> Shape {
        builder.shape(self.inputs[input])
    }

    /// The sizes of the output.
    pub(super) fn output_sizes(&self, builder: &dyn Builder) -> Option<Sizes> {
        builder.shape(self.output).sizes()
    }

    /// `value`, which changes as the output does, as the gradient of input `input`: summed where the input is repeated.
    /// `None` where no op sums so, unless the gradient is not asked for.
    pub(super) fn sum_to_input(
        &self,
        builder: &mut dyn Builder,
        value: ValueId,
        input: usize,
    ) -> Option<Option<ValueId>> {
        if !self.wanted[input] {
            return Some(None);
        }
        let (target, whole) = (self.shape(builder, input), builder.shape(self.output));
        sum_to(builder, value, &target, &whole).map(Some)
    }

    /// `value`, which has the output's shape, as the gradient of a parameter with one value a channel: its exact sum over images and
    /// space.
    pub(super) fn sum_to_channels(&self, builder: &mut dyn Builder, value: ValueId) -> Option<ValueId> {
        let whole = builder.shape(value);
        sum_to(builder, value, &Shape::new(1, whole.c.clone(), 1, 1), &whole)
    }
}

/// The sum of a value over the axes along which `target` has size 1 and `whole` has not: exact over images and space together,
/// in chains along a single axis. Along axes where the value itself has size 1 it stands for as many as `whole` has. `None` if
/// sizes are not known, or images alone are to be summed.
pub(super) fn sum_to(
    builder: &mut dyn Builder,
    value: ValueId,
    target: &Shape,
    whole: &Shape,
) -> Option<ValueId> {
    let (own, target, whole) = (builder.shape(value).sizes()?, target.sizes()?, whole.sizes()?);
    let summed = |axis: usize| target[axis] == 1 && own[axis] > 1;
    let mut sum = value;
    if summed(0) || (target[2..] == [1, 1] && (summed(2) || summed(3))) {
        if target[2..] != [1, 1] {
            return None;
        }
        let op = if summed(0) { over_images(Statistic::Sum)? } else { spatial(Statistic::Sum, None)? };
        sum = builder.op(op, &[sum], &[]);
    } else {
        for (axis, along) in [(2, Along::Rows), (3, Along::Columns)] {
            if summed(axis) {
                sum = fold(builder, along, FoldKind::Sum, sum);
            }
        }
    }
    if summed(1) {
        sum = fold(builder, Along::Channels, FoldKind::Sum, sum);
    }
    let stands_for = |axis: &usize| target[*axis] == 1 && own[*axis] == 1;
    let count: u64 = (0..4).filter(stands_for).map(|axis| whole[axis]).product();
    Some(scaled(builder, sum, count as f64))
}

/// A number as a tensor.
pub(super) fn number(builder: &mut dyn Builder, value: f64) -> ValueId {
    builder.constant(Shape::new(1, 1, 1, 1), vec![value as f32])
}

/// `x · factor`, the factor rounded to f32.
pub(super) fn scaled(builder: &mut dyn Builder, x: ValueId, factor: f64) -> ValueId {
    if factor == 1.0 {
        return x;
    }
    let factor = number(builder, factor);
    product(builder, x, factor)
}

/// `a · b`
pub(super) fn product(builder: &mut dyn Builder, a: ValueId, b: ValueId) -> ValueId {
    match (builder.number(a), builder.number(b)) {
        (Some(x), Some(y)) => number(builder, f64::from(x) * f64::from(y)),
        (Some(1.0), None) => b,
        (None, Some(1.0)) => a,
        _ => builder.op(mul(), &[a, b], &[]),
    }
}

/// `−x`
pub(super) fn negated(builder: &mut dyn Builder, x: ValueId) -> ValueId {
    scaled(builder, x, -1.0)
}

/// `x / divisor`, the divisor rounded to f32.
pub(crate) fn divided(builder: &mut dyn Builder, x: ValueId, divisor: f64) -> ValueId {
    if divisor == 1.0 {
        return x;
    }
    if let Some(value) = builder.number(x) {
        return number(builder, f64::from(value) / divisor);
    }
    let divisor = number(builder, divisor);
    builder.op(div(), &[x, divisor], &[])
}

/// `a + b`
pub(crate) fn added(builder: &mut dyn Builder, a: ValueId, b: ValueId) -> ValueId {
    match (builder.number(a), builder.number(b)) {
        (Some(x), Some(y)) => number(builder, f64::from(x) + f64::from(y)),
        _ => builder.op(add(), &[a, b], &[]),
    }
}

/// `x` repeated to the shape of `like`, if it does not have it.
pub(crate) fn repeated_like(builder: &mut dyn Builder, x: ValueId, like: ValueId) -> ValueId {
    if builder.shape(x) == builder.shape(like) { x } else { repeat(builder, x, like) }
}

/// `x` as an op computes it, repeated to the shape of `like`.
pub(crate) fn repeat(builder: &mut dyn Builder, x: ValueId, like: ValueId) -> ValueId {
    builder.op(Arc::new(Repeat {}), &[like, x], &[])
}
