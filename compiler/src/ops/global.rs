//! Statistics over all of space.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_grammar::Code;
use zellige_runtime::program::instr::{AxisId, Statistic};

use super::arithmetic::sub;
use super::gradient::{divided, product, scaled};
use super::{
    Builder, Differentiable, Gradients, Inputs, Op, OpDef, Reduction, Requirements, ShapeError, Sizes,
    SpatialStatistic, attrs_of, decode, max_gradient,
};
use crate::base::{AxisMap, Shape, ValueId};

/// A row of the table.
struct Row {
    name: &'static str,
    doc: &'static str,
    statistic: Statistic,
    /// Whether other ops are made of it, and it may take groups of channels together.
    internal: bool,
}

/// The table.
const ROWS: [Row; 6] = [
    Row {
        name: "global_avg_pool",
        doc: "Mean over all pixels: an exact sum over grains, rounded once.",
        statistic: Statistic::Mean,
        internal: false,
    },
    Row {
        name: "global_max_pool",
        doc: "Maximum over all pixels.",
        statistic: Statistic::Max,
        internal: false,
    },
    Row {
        name: "spatial_sum",
        doc: "Sum over all pixels: exact over grains, rounded once.",
        statistic: Statistic::Sum,
        internal: true,
    },
    Row {
        name: "spatial_mean",
        doc: "Mean over all pixels, of each channel or of groups of channels.",
        statistic: Statistic::Mean,
        internal: true,
    },
    Row {
        name: "spatial_mean_rest",
        doc: "What rounding to f32 takes from the mean.",
        statistic: Statistic::MeanRest,
        internal: true,
    },
    Row {
        name: "spatial_variance",
        doc: "Biased variance over all pixels, of each channel or of groups of channels.",
        statistic: Statistic::Variance,
        internal: true,
    },
];

pub(super) fn defs() -> Vec<OpDef> {
    ROWS.iter().map(def).collect()
}

fn def(row: &'static Row) -> OpDef {
    OpDef {
        name: row.name,
        doc: row.doc,
        inputs: Inputs::Named(&["x"]),
        args: Vec::new(),
        build: Arc::new(move |_| Ok(Arc::new(Global { row, attrs: Attrs::default() }))),
        parse: Arc::new(move |value| {
            let attrs: Attrs = decode(value).map_err(|e| e.to_string())?;
            match attrs.groups {
                Some(_) if !row.internal => Err(format!("`{}` has no attribute `groups`", row.name)),
                _ if attrs.images && !row.internal => {
                    Err(format!("`{}` has no attribute `images`", row.name))
                }
                Some(0) => Err("`groups` is positive".to_owned()),
                _ => Ok(Arc::new(Global { row, attrs })),
            }
        }),
        internal: row.internal,
    }
}

/// The op that gives `statistic` over all pixels, of each channel or of `groups` groups of channels, each channel that of its group.
pub(super) fn spatial(statistic: Statistic, groups: Option<u32>) -> Option<Arc<dyn Op>> {
    let row = ROWS.iter().find(|row| row.internal && row.statistic == statistic)?;
    Some(Arc::new(Global { row, attrs: Attrs { groups, images: false } }))
}

/// The op that gives `statistic` over all pixels of all images, of each channel.
pub(super) fn over_images(statistic: Statistic) -> Option<Arc<dyn Op>> {
    let row = ROWS.iter().find(|row| row.internal && row.statistic == statistic)?;
    Some(Arc::new(Global { row, attrs: Attrs { groups: None, images: true } }))
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    /// Groups of channels that are taken together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    groups: Option<u32>,
    /// Whether all images are taken together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    images: bool,
}

/// A statistic over space.
struct Global {
    row: &'static Row,
    attrs: Attrs,
}

impl std::fmt::Debug for Global {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.row.name, self.attrs)
    }
}

impl Global {
    /// The gradient of what a channel's group gives: the sum of those of all its channels, each of which gets it.
    fn group_gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<ValueId> {
        match self.attrs.groups {
            None => Some(at.repeated),
            Some(groups) => Some(builder.op(spatial(Statistic::Sum, Some(groups))?, &[at.gradient], &[])),
        }
    }

    /// How many values become one.
    fn count(&self, builder: &dyn Builder, at: &Differentiable<'_>) -> Option<f64> {
        let [n, c, h, w] = at.shape(builder, 0).sizes()?;
        let images = if self.attrs.images { n } else { 1 };
        let group = SpatialStatistic { statistic: self.row.statistic, groups: self.attrs.groups }.group(c);
        Some([images, group, h, w].into_iter().map(|size| size as f64).product())
    }
}

impl Op for Global {
    fn name(&self) -> &'static str {
        self.row.name
    }

    fn attrs(&self) -> Value {
        attrs_of(&self.attrs)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        let x = &inputs[0];
        if let Some(groups) = self.attrs.groups {
            check_groups(x, groups)?;
        }
        let n = if self.attrs.images { 1.into() } else { x.n.clone() };
        Ok(Shape { n, c: x.c.clone(), h: 1.into(), w: 1.into() })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn reduction(&self) -> Option<Reduction> {
        let of = SpatialStatistic { statistic: self.row.statistic, groups: self.attrs.groups };
        Some(Reduction::Statistic(of))
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        inputs[0].iter().skip(1).product()
    }

    /// What rounding took from a mean is taken for a constant.
    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let (x, count) = (at.inputs[0], self.count(builder, at)?);
        let dx = match self.row.statistic {
            Statistic::Sum => self.group_gradient(builder, at)?,
            Statistic::Mean => {
                let sum = self.group_gradient(builder, at)?;
                divided(builder, sum, count)
            }
            Statistic::Variance => {
                let sum = self.group_gradient(builder, at)?;
                let twice = scaled(builder, sum, 2.0);
                let slope = divided(builder, twice, count);
                let mean = ROWS.iter().find(|row| row.internal && row.statistic == Statistic::Mean)?;
                let mean = builder.op(Arc::new(Self { row: mean, attrs: self.attrs }), &[x], &[]);
                let centred = builder.op(sub(), &[x, mean], &[]);
                product(builder, centred, slope)
            }
            Statistic::MeanRest => return Some(Gradients::none()),
            Statistic::Max => {
                let largest = Arc::new(Self { row: self.row, attrs: self.attrs });
                max_gradient::of_input(builder, largest, at)?
            }
        };
        Some(Gradients::of_input(dx))
    }
}

/// Whether the channels are so many groups.
pub(super) fn check_groups(x: &Shape, groups: u32) -> Result<(), ShapeError> {
    let channels = x.c.constant();
    if channels.is_some_and(|c| groups > 0 && c % i64::from(groups) == 0) {
        return Ok(());
    }
    let message = format!("{} channels cannot be divided into {groups} groups", x.c);
    Err(ShapeError::of_input(0, message).code(Code::E0307))
}
