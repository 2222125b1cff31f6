//! What operations mean, stated anew: a file per family, each for the ops of the graph and for the instructions of the program.
//!
//! A [`Meaning`] holds all that decides the values of a result, given its operands and its size. Two are equal only if they
//! compute the same bits. To add an op, say here what it is ([`of_op`]); to add an instruction, say what it does, in
//! [`super::effect`].

mod adjoint;
mod convolution;
mod dropout;
mod matmul;
mod pool;
mod reduce;
mod resample;
mod shape;
mod window;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ops::Sizes;

pub(super) use adjoint::{Adjoint, MaxPoolDx};
pub(super) use convolution::{Convolution, Products};
pub(super) use dropout::Dropout;
pub(super) use matmul::Matmul;
pub(super) use pool::{Pool, PoolKind};
pub(super) use reduce::{Fold, Statistic};
pub(super) use resample::{Resize, Shuffle};
pub(super) use shape::{Border, Rearranged, Shift};
pub(super) use window::Window;

/// An operation that is not elementwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meaning {
    Convolution(Convolution),
    Pool(Pool),
    Resize(Resize),
    Shuffle(Shuffle),
    Shift(Shift),
    Rearranged(Rearranged),
    Statistic(Statistic),
    Products(Products),
    Fold(Fold),
    Matmul(Matmul),
    MaxPoolDx(MaxPoolDx),
    Adjoint(Adjoint),
    Dropout(Dropout),
}

/// What an operation does about the coordinates that it names outside the extent of its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// There are none.
    Never,
    /// It leaves them out, or puts a value of its own there, without reading.
    Skipped,
    /// It reads, and must find the number of these bits.
    Reads(u32),
}

/// What an op of the graph is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Definition {
    /// An operation on all its inputs, with all its parameters.
    Apply(Meaning),
    /// Channels `from..to` of inputs, one after the other.
    Channels(Vec<(usize, u64, u64)>),
}

/// An op of the graph, by its name, its attributes and the sizes of its inputs and its output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation<'a> {
    pub(super) name: &'a str,
    pub(super) attrs: &'a Value,
    pub(super) inputs: &'a [Sizes],
    pub(super) output: Sizes,
}

impl Operation<'_> {
    /// The attributes, all of them known; anything else means something that is not understood here.
    fn attrs<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.attrs.clone()).ok()
    }

    /// That there are no attributes.
    fn no_attrs(&self) -> Option<()> {
        self.attrs.as_object()?.is_empty().then_some(())
    }
}

/// The one list: what an op is. `None` if it, or one of its attributes, is not known.
pub(super) fn of_op(op: &Operation<'_>) -> Option<Definition> {
    match op.name {
        "conv2d" => convolution::conv2d(op),
        "conv_transpose2d" => convolution::conv_transpose2d(op),
        "max_pool2d" => pool::max_pool2d(op),
        "avg_pool2d" => pool::avg_pool2d(op),
        "linear" => convolution::linear(op),
        "conv2d.dx" => convolution::conv2d_dx(op),
        "conv_transpose2d.dx" => convolution::conv_transpose2d_dx(op),
        "linear.dx" => convolution::linear_dx(op),
        "conv2d.dw" => convolution::conv2d_dw(op),
        "max_pool2d.dx" => adjoint::max_pool2d_dx(op),
        "avg_pool2d.dx" => adjoint::avg_pool2d_dx(op),
        "upsample.dx" => adjoint::upsample_dx(op),
        "pad.dx" => adjoint::pad_dx(op),
        "matmul" => matmul::matmul(op),
        "dropped" => dropout::dropped(op),
        "global_avg_pool" | "global_max_pool" | "spatial_sum" | "spatial_mean" | "spatial_mean_rest"
        | "spatial_variance" => reduce::statistic(op),
        "fold" => reduce::fold(op),
        "upsample" => resample::upsample(op),
        "pixel_shuffle" => resample::pixel_shuffle(op),
        "pixel_unshuffle" => resample::pixel_unshuffle(op),
        "slice" => shape::slice(op),
        "concat" => shape::concat(op),
        "crop" => shape::crop(op),
        "pad" => shape::pad(op),
        "transpose" => shape::transpose(op),
        "reshape" => shape::reshape(op),
        "flatten" => shape::flatten(op),
        _ => None,
    }
}

impl Meaning {
    /// Adds the coordinates of operand `operand` that the result's coordinate `o` along `axis` (0: rows, 1: columns) reads; the
    /// operand has `size` of them.
    pub(super) fn sources(&self, operand: usize, axis: usize, o: i64, size: i64, found: &mut Vec<i64>) {
        match self {
            Self::Convolution(m) => m.sources(axis, o, found),
            Self::Pool(m) => m.window.sources(axis, o, found),
            Self::Resize(m) => m.sources(axis, o, size, found),
            Self::Shuffle(m) => m.sources(o, found),
            Self::Shift(m) => m.sources(axis, o, size, found),
            Self::Rearranged(m) => m.sources(axis, o, size, found),
            Self::Statistic(_) => found.extend(0..size),
            Self::Products(m) => m.sources(operand, axis, o, found),
            Self::Fold(m) => m.sources(axis, o, size, found),
            Self::Matmul(m) => m.sources(operand, axis, o, size, found),
            Self::MaxPoolDx(m) => m.sources(operand, axis, o, found),
            Self::Adjoint(m) => m.sources(axis, o, size, found),
            Self::Dropout(_) => Dropout::sources(operand, o, found),
        }
    }

    /// Whether the result is a sum to which each element of operand `operand` contributes by itself, so that one which is zero
    /// contributes nothing. Parameters that are added are not looked at.
    pub(super) fn is_sum_over(&self, operand: usize) -> bool {
        match self {
            Self::Convolution(_) | Self::Adjoint(_) => operand == 0,
            Self::MaxPoolDx(_) => operand == 1,
            Self::Pool(_)
            | Self::Resize(_)
            | Self::Shuffle(_)
            | Self::Shift(_)
            | Self::Rearranged(_)
            | Self::Statistic(_)
            | Self::Products(_)
            | Self::Fold(_)
            | Self::Matmul(_)
            | Self::Dropout(_) => false,
        }
    }

    /// Whether it may read every coordinate of its operand for any of the result.
    pub(super) fn reads_all(&self) -> bool {
        match self {
            Self::Rearranged(m) => m.reads_all(),
            Self::Statistic(_) => true,
            Self::Convolution(_)
            | Self::Pool(_)
            | Self::Resize(_)
            | Self::Shuffle(_)
            | Self::Shift(_)
            | Self::Products(_)
            | Self::Fold(_)
            | Self::Matmul(_)
            | Self::MaxPoolDx(_)
            | Self::Adjoint(_)
            | Self::Dropout(_) => false,
        }
    }

    /// Of a result that has no rows and columns, the operand whose coordinates decide what is read of the others.
    pub(super) fn gathers(&self) -> Option<usize> {
        matches!(self, Self::Products(_)).then_some(Products::DY)
    }

    /// Most coordinates that [`Meaning::sources`] adds.
    pub(super) fn width(&self, axis: usize, size: i64) -> i64 {
        match self {
            Self::Convolution(m) => m.window.kernel[axis],
            Self::Products(m) => m.of.window.kernel[axis],
            Self::Pool(m) => m.window.kernel[axis],
            Self::Resize(_) => Resize::WIDTH,
            Self::Shuffle(m) => m.width(),
            Self::Shift(_) | Self::Dropout(_) => 1,
            Self::MaxPoolDx(m) => m.width(axis),
            Self::Adjoint(m) => m.width(axis, size),
            Self::Rearranged(m) if !m.reads_all() => 1,
            Self::Rearranged(_) | Self::Statistic(_) | Self::Fold(_) | Self::Matmul(_) => size,
        }
    }

    /// What it does outside the extent of its operand.
    pub(super) fn beyond(&self) -> Beyond {
        match self {
            Self::Convolution(_) | Self::Products(_) => Beyond::Reads(0f32.to_bits()),
            Self::Pool(_) | Self::MaxPoolDx(_) | Self::Adjoint(_) => Beyond::Skipped,
            Self::Shift(m) => m.beyond(),
            Self::Resize(_)
            | Self::Shuffle(_)
            | Self::Rearranged(_)
            | Self::Statistic(_)
            | Self::Fold(_)
            | Self::Matmul(_)
            | Self::Dropout(_) => Beyond::Never,
        }
    }
}
