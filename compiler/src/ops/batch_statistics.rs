//! Statistics of a batch of images from those of its images: the training mode of batch normalisation.
//!
//! Image k of the batch has `n_k` of the `N` values of a channel, over all images and pixels of its tensor. With its exact mean, rounded
//! to f32 (`m_k`), what rounding took from it (`r_k`) and its exact biased variance (`v_k`), and with `w_k = n_k / N`, rounded once,
//! all in f32 and in the order of the images:
//!
//! ```text
//! mean     = fma(w_k, m_k, … w₀ · m₀)
//! d_k      = (m_k − mean) + r_k
//! rest     = fma(w_k, d_k, … w₀ · d₀)
//! e_k      = d_k − rest
//! variance = fma(w_k, fma(e_k, e_k, v_k), … w₀ · fma(e₀, e₀, v₀))
//! ```
//!
//! `mean + rest` is the mean of the batch, `e_k` how far that of an image lies from it. Of a single image, mean, rest and variance are
//! its own. Mean and rest are used as those of an instance normalisation ([`super::norm`]), and for the gradient the rest counts as a
//! constant, too. Since the `e_k` are 0 on average, the variance does not change with the mean.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{AxisId, Statistic};
use zellige_runtime::scalar::{Binary, Builder as Scalar, Expr, Ref};

use super::global::{over_images, spatial};
use super::gradient::{product, scaled};
use super::norm_parts::{access, first};
use super::{
    ArgError, Builder, Differentiable, FromAttrs, Gradients, Inputs, Op, OpDef, Requirements, ShapeError,
    Sizes, attrs_of, decode,
};
use crate::base::{AxisMap, Shape, ValueId};

/// Statistics that a normalisation follows from, one of each a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statistics {
    /// Mean, as an f32.
    pub(super) mean: ValueId,
    /// What is to be added to it.
    pub(super) rest: ValueId,
    /// Biased variance.
    pub(super) variance: ValueId,
}

impl Statistics {
    /// Of one tensor, with the ops that give statistics of it.
    pub(super) fn of(
        builder: &mut dyn Builder,
        x: ValueId,
        op: impl Fn(Statistic) -> Option<Arc<dyn Op>>,
    ) -> Option<Self> {
        let mut statistic = |which| Some(builder.op(op(which)?, &[x], &[]));
        Some(Self {
            mean: statistic(Statistic::Mean)?,
            rest: statistic(Statistic::MeanRest)?,
            variance: statistic(Statistic::Variance)?,
        })
    }

    /// Of the images of a batch, with so many values of a channel each.
    pub(super) fn of_batch(builder: &mut dyn Builder, images: &[ValueId], counts: &[u64]) -> Option<Self> {
        let of_image = |&x: &ValueId| {
            let single = builder.shape(x).n.constant() == Some(1);
            let op = |which| if single { spatial(which, None) } else { over_images(which) };
            Self::of(builder, x, op)
        };
        let each: Vec<Self> = images.iter().map(of_image).collect::<Option<_>>()?;
        if let [only] = *each {
            return Some(only);
        }
        let means: Vec<ValueId> = each.iter().map(|image| image.mean).collect();
        let mean = builder.op(weighted(MEAN, counts), &means, &[]);
        let own = each.iter().flat_map(|image| [image.mean, image.rest]);
        let operands: Vec<ValueId> = [mean].into_iter().chain(own).collect();
        let rest = builder.op(weighted(REST, counts), &operands, &[]);
        let mut operands = Vec::new();
        for image in &each {
            let apart = builder.op(Arc::new(Deviation {}), &[image.mean, image.rest, mean, rest], &[]);
            operands.extend([image.variance, apart]);
        }
        let variance = builder.op(weighted(VARIANCE, counts), &operands, &[]);
        Some(Self { mean, rest, variance })
    }
}

/// How many values a channel has, over all images; `None` if sizes are not known.
pub(super) fn values_of_a_channel(builder: &dyn Builder, x: ValueId) -> Option<u64> {
    let [n, _, h, w] = builder.shape(x).sizes()?;
    n.checked_mul(h)?.checked_mul(w)
}

pub(super) fn defs() -> Vec<OpDef> {
    let deviation = OpDef::part::<Deviation>(
        "batch_deviation",
        "((m − mean) + r) − rest: how far the mean of an image lies from the batch's.",
        &["m", "r", "mean", "rest"],
    );
    ROWS.iter().map(def).chain([deviation]).collect()
}

/// A row of the table: an op that takes an average over the images of a batch.
struct Row {
    name: &'static str,
    doc: &'static str,
    /// Inputs that concern the whole batch, which come first.
    shared: usize,
    /// Inputs that each image has.
    own: usize,
    /// What an image's weight is multiplied with, of its inputs and of the shared ones.
    term: fn(&mut Scalar, &[Ref], &[Ref]) -> Ref,
    /// The gradients of its inputs.
    gradient: fn(&Attrs, &mut dyn Builder, &Differentiable<'_>) -> Gradients,
}

const MEAN: usize = 0;
const REST: usize = 1;
const VARIANCE: usize = 2;

/// The table.
const ROWS: [Row; 3] = [
    Row {
        name: "batch_mean",
        doc: "Mean of a batch from those of its images.",
        shared: 0,
        own: 1,
        term: |_, own, _| own[0],
        gradient: mean_gradient,
    },
    Row {
        name: "batch_mean_rest",
        doc: "What is to be added to the mean of a batch.",
        shared: 1,
        own: 2,
        term: |b, own, shared| {
            let apart = b.binary(Binary::Sub, own[0], shared[0]);
            b.binary(Binary::Add, apart, own[1])
        },
        gradient: |_, _, _| Gradients::none(),
    },
    Row {
        name: "batch_variance",
        doc: "Variance of a batch from those of its images, and how far their means lie from the batch's.",
        shared: 0,
        own: 2,
        term: |b, own, _| b.fma(own[1], own[1], own[0]),
        gradient: variance_gradient,
    },
];

fn mean_gradient(attrs: &Attrs, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Gradients {
    Gradients::of_inputs(attrs.weights().map(|weight| Some(scaled(builder, at.repeated, weight.into()))))
}

fn variance_gradient(attrs: &Attrs, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Gradients {
    let mut gradients = Vec::new();
    for (own, weight) in at.inputs.chunks(2).zip(attrs.weights()) {
        let of_variance = scaled(builder, at.repeated, weight.into());
        let twice = scaled(builder, at.repeated, 2.0 * f64::from(weight));
        let of_deviation = product(builder, own[1], twice);
        gradients.extend([Some(of_variance), Some(of_deviation)]);
    }
    Gradients::of_inputs(gradients)
}

fn def(row: &'static Row) -> OpDef {
    OpDef {
        name: row.name,
        doc: row.doc,
        inputs: Inputs::Many,
        args: Vec::new(),
        build: Arc::new(|_| Err(ArgError::new("counts", "is for the ops that are made of this one"))),
        parse: Arc::new(move |value| {
            let attrs: Attrs = decode(value).map_err(|e| e.to_string())?;
            if attrs.counts.is_empty() || attrs.counts.contains(&0) {
                return Err("`counts` are positive, one for each image".to_owned());
            }
            Ok(Arc::new(Weighted { row, attrs }))
        }),
        internal: true,
    }
}

fn weighted(row: usize, counts: &[u64]) -> Arc<dyn Op> {
    Arc::new(Weighted { row: &ROWS[row], attrs: Attrs { counts: counts.to_vec() } })
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// Values of a channel that each image has.
    counts: Vec<u64>,
}

impl Attrs {
    /// Of each image, its share of all values.
    fn weights(&self) -> impl Iterator<Item = f32> {
        let all: f64 = self.counts.iter().map(|&n| n as f64).sum();
        self.counts.iter().map(move |&n| (n as f64 / all) as f32)
    }
}

/// An op given by a row of the table.
struct Weighted {
    row: &'static Row,
    attrs: Attrs,
}

impl std::fmt::Debug for Weighted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.row.name, self.attrs)
    }
}

impl Weighted {
    fn operands(&self) -> usize {
        self.row.shared + self.row.own * self.attrs.counts.len()
    }
}

impl Op for Weighted {
    fn name(&self) -> &'static str {
        self.row.name
    }

    fn attrs(&self) -> Value {
        attrs_of(&self.attrs)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        if inputs.len() != self.operands() {
            let message = format!(
                "`{}` of {} images takes {} tensors",
                self.row.name,
                self.attrs.counts.len(),
                self.operands()
            );
            return Err(ShapeError::of_input(0, message));
        }
        first(inputs, requirements)
    }

    fn access(&self, input: usize, axis: AxisId, inputs: &[Sizes]) -> AxisMap {
        access(input, axis, inputs)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        4 * self.attrs.counts.len() as u64 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        let mut b = Scalar::new();
        let inputs: Vec<Ref> = (0..self.operands()).map(|i| b.input(i as u32)).collect();
        let (shared, own) = inputs.split_at(self.row.shared);
        let mut sum = None;
        for (own, weight) in own.chunks(self.row.own).zip(self.attrs.weights()) {
            let term = (self.row.term)(&mut b, own, shared);
            let weight = b.constant(weight);
            sum = Some(match sum {
                None => b.binary(Binary::Mul, weight, term),
                Some(sum) => b.fma(weight, term, sum),
            });
        }
        b.finish(sum?).ok()
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        Some((self.row.gradient)(&self.attrs, builder, at))
    }
}

/// `((m − mean) + r) − rest`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {}

impl FromAttrs for Deviation {
    fn check(&self) -> Result<(), ArgError> {
        Ok(())
    }
}

impl Op for Deviation {
    fn name(&self) -> &'static str {
        "batch_deviation"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        first(inputs, requirements)
    }

    fn access(&self, input: usize, axis: AxisId, inputs: &[Sizes]) -> AxisMap {
        access(input, axis, inputs)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        3 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        let mut b = Scalar::new();
        let [m, r, mean, rest] = [0, 1, 2, 3].map(|i| b.input(i));
        let apart = b.binary(Binary::Sub, m, mean);
        let whole = b.binary(Binary::Add, apart, r);
        let result = b.binary(Binary::Sub, whole, rest);
        b.finish(result).ok()
    }

    /// Of the image's mean alone: deviations are 0 on average, so that what all of them pass on to the batch's mean is 0.
    fn gradient(&self, _: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        Some(Gradients::of_inputs([Some(at.repeated), None, None, None]))
    }
}
