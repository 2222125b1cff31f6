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
use zellige_runtime::program::instr::Statistic;
use zellige_runtime::scalar::{Binary, Builder as Scalar, Expr, Ref};

use super::global::{over_images, spatial};
use super::gradient::{product, scaled};
use super::pointwise::{expression, shape_of_first};
use super::{
    Builder, Differentiable, FromAttrs, Gradients, Inputs, Op, OpDef, Requirements, ShapeError, Sizes,
    attrs_of, decode,
};
use crate::base::{Shape, ValueId};

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
        let mean = average(builder, &MEAN, counts, &[], &means)?;
        let own: Vec<ValueId> = each.iter().flat_map(|image| [image.mean, image.rest]).collect();
        let rest = average(builder, &REST, counts, &[mean], &own)?;
        let mut own = Vec::new();
        for image in &each {
            let apart = builder.op(Arc::new(Deviation {}), &[image.mean, image.rest, mean, rest], &[]);
            own.extend([image.variance, apart]);
        }
        let variance = average(builder, &VARIANCE, counts, &[], &own)?;
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
    [&MEAN, &REST, &VARIANCE].map(def).into_iter().chain([deviation]).collect()
}

/// Images that one op takes: instructions have few operands.
const MOST_IMAGES: usize = 3;

/// An average over the images of a batch. The op takes some of the images, and the sum over those before, if there are any.
struct Average {
    name: &'static str,
    doc: &'static str,
    /// Inputs that concern the whole batch.
    shared: usize,
    /// Inputs that each image has.
    own: usize,
    /// What an image's weight is multiplied with, of its inputs and of the shared ones.
    term: fn(&mut Scalar, &[Ref], &[Ref]) -> Ref,
    /// The gradients of an image's inputs.
    gradient: OwnGradients,
}

/// Given an image's inputs, its weight, and the gradient of the average.
type OwnGradients = fn(&mut dyn Builder, &[ValueId], f32, ValueId) -> Vec<Option<ValueId>>;

static MEAN: Average = Average {
    name: "batch_mean",
    doc: "Mean of a batch from those of its images.",
    shared: 0,
    own: 1,
    term: |_, own, _| own[0],
    gradient: |builder, _, weight, dy| vec![Some(scaled(builder, dy, weight.into()))],
};

static REST: Average = Average {
    name: "batch_mean_rest",
    doc: "What is to be added to the mean of a batch.",
    shared: 1,
    own: 2,
    term: |b, own, shared| {
        let apart = b.binary(Binary::Sub, own[0], shared[0]);
        b.binary(Binary::Add, apart, own[1])
    },
    gradient: |_, _, _, _| vec![None; 2],
};

static VARIANCE: Average = Average {
    name: "batch_variance",
    doc: "Variance of a batch from those of its images, and how far their means lie from the batch's.",
    shared: 0,
    own: 2,
    term: |b, own, _| b.fma(own[1], own[1], own[0]),
    gradient: |builder, own, weight, dy| {
        let of_variance = scaled(builder, dy, weight.into());
        let twice = scaled(builder, dy, 2.0 * f64::from(weight));
        vec![Some(of_variance), Some(product(builder, own[1], twice))]
    },
};

/// The average over all images, which `own` has the inputs of.
fn average(
    builder: &mut dyn Builder,
    average: &'static Average,
    counts: &[u64],
    shared: &[ValueId],
    own: &[ValueId],
) -> Option<ValueId> {
    let all = counts.iter().sum();
    let mut sum: Option<ValueId> = None;
    for (counts, own) in counts.chunks(MOST_IMAGES).zip(own.chunks(MOST_IMAGES * average.own)) {
        let attrs = Attrs { counts: counts.to_vec(), all, continued: sum.is_some() };
        let inputs: Vec<ValueId> = sum.into_iter().chain(shared.iter().chain(own).copied()).collect();
        sum = Some(builder.op(Arc::new(Weighted { average, attrs }), &inputs, &[]));
    }
    sum
}

fn def(average: &'static Average) -> OpDef {
    OpDef::parsed(average.name, average.doc, Inputs::Many, move |value| {
        let attrs: Attrs = decode(value).map_err(|e| e.to_string())?;
        attrs.check()?;
        Ok(Arc::new(Weighted { average, attrs }))
    })
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// Values of a channel that each image has.
    counts: Vec<u64>,
    /// That all images of the batch have.
    all: u64,
    /// Whether the first input is the sum over the images before.
    continued: bool,
}

impl Attrs {
    fn check(&self) -> Result<(), String> {
        if !(1..=MOST_IMAGES).contains(&self.counts.len()) {
            return Err(format!("there are counts of 1 to {MOST_IMAGES} images"));
        }
        match self.counts.iter().try_fold(0u64, |sum, &n| sum.checked_add(n)) {
            Some(sum) if sum <= self.all && !self.counts.contains(&0) => Ok(()),
            _ => Err("counts are positive, and all images have as many values together or more".to_owned()),
        }
    }

    /// Of each image, its share of all values.
    fn weights(&self) -> impl Iterator<Item = f32> {
        self.counts.iter().map(|&n| (n as f64 / self.all as f64) as f32)
    }
}

/// An average over images of a batch.
struct Weighted {
    average: &'static Average,
    attrs: Attrs,
}

impl std::fmt::Debug for Weighted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.average.name, self.attrs)
    }
}

impl Weighted {
    /// How many inputs come before those of images.
    fn before(&self) -> usize {
        usize::from(self.attrs.continued) + self.average.shared
    }

    fn operands(&self) -> usize {
        self.before() + self.average.own * self.attrs.counts.len()
    }
}

impl Op for Weighted {
    fn name(&self) -> &'static str {
        self.average.name
    }

    fn attrs(&self) -> Value {
        attrs_of(&self.attrs)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        if inputs.len() != self.operands() {
            let message = format!("`{}` of so many images takes {} tensors", self.name(), self.operands());
            return Err(ShapeError::new(message));
        }
        shape_of_first(inputs, requirements)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        4 * self.attrs.counts.len() as u64 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let inputs: Vec<Ref> = (0..self.operands()).map(|i| b.input(i as u32)).collect();
            let (before, own) = inputs.split_at(self.before());
            let (sum, shared) = before.split_at(usize::from(self.attrs.continued));
            let sum = own.chunks(self.average.own).zip(self.attrs.weights()).fold(
                sum.first().copied(),
                |sum, (own, weight)| {
                    let term = (self.average.term)(b, own, shared);
                    let weight = b.constant(weight);
                    Some(match sum {
                        None => b.binary(Binary::Mul, weight, term),
                        Some(sum) => b.fma(weight, term, sum),
                    })
                },
            );
            sum.unwrap_or_else(|| b.constant(0.0))
        })
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let mut gradients = vec![None; self.before()];
        if self.attrs.continued {
            gradients[0] = Some(at.repeated);
        }
        let own = at.inputs.get(self.before()..)?;
        for (own, weight) in own.chunks(self.average.own).zip(self.attrs.weights()) {
            gradients.extend((self.average.gradient)(builder, own, weight, at.repeated));
        }
        Some(Gradients::of_inputs(gradients))
    }
}

/// `((m − mean) + r) − rest`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {}

impl FromAttrs for Deviation {}

impl Op for Deviation {
    fn name(&self) -> &'static str {
        "batch_deviation"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        3 * output[1]
    }

    fn expression(&self) -> Option<Expr> {
        expression(|b| {
            let [m, r, mean, rest] = [0, 1, 2, 3].map(|i| b.input(i));
            let apart = b.binary(Binary::Sub, m, mean);
            let whole = b.binary(Binary::Add, apart, r);
            b.binary(Binary::Sub, whole, rest)
        })
    }

    /// Of the image's mean alone: deviations are 0 on average, so that what all of them pass on to the batch's mean is 0.
    fn gradient(&self, _: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        Some(Gradients::of_inputs([Some(at.repeated), None, None, None]))
    }
}
