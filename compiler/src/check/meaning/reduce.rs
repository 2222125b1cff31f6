//! Reductions: statistics over all of space, and folds along one axis.

use serde::Deserialize;
use zellige_runtime::program::AccumulatorKind;
use zellige_runtime::program::instr::{Along, FoldKind, Statistic as Kind};

use super::{Definition, Meaning, Operation};

/// A statistic over all pixels, exact over grains, of channels that are taken together by so many; each gets the result. If that has
/// one image, all images are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Statistic {
    pub(in super::super) kind: Kind,
    pub(in super::super) group: u64,
}

impl Statistic {
    /// The sum of each channel by itself.
    pub(in super::super) const SUM: Self = Self { kind: Kind::Sum, group: 1 };

    /// Whether what an accumulator gathers is enough for it.
    pub(in super::super) fn follows_from(&self, gathered: AccumulatorKind) -> bool {
        match self.kind {
            Kind::Sum | Kind::Mean | Kind::MeanRest => {
                matches!(gathered, AccumulatorKind::Sum | AccumulatorKind::Moments)
            }
            Kind::Variance => gathered == AccumulatorKind::Moments,
            Kind::Max => gathered == AccumulatorKind::Max,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "whether images are taken together is in the size of the result")]
struct StatisticAttrs {
    groups: Option<u64>,
    #[serde(default)]
    images: bool,
}

pub(super) fn statistic(op: &Operation<'_>) -> Option<Definition> {
    let kind = match op.name {
        "global_avg_pool" | "spatial_mean" => Kind::Mean,
        "global_max_pool" => Kind::Max,
        "spatial_sum" => Kind::Sum,
        "spatial_mean_rest" => Kind::MeanRest,
        "spatial_variance" => Kind::Variance,
        _ => return None,
    };
    let attrs: StatisticAttrs = op.attrs()?;
    let channels = op.inputs.first()?[1];
    let group = match attrs.groups {
        None => 1,
        Some(groups) => (channels.checked_rem(groups)? == 0).then(|| channels / groups)?,
    };
    Some(Definition::Apply(Meaning::Statistic(Statistic { kind, group })))
}

/// One value of all those along an axis, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Fold {
    pub(in super::super) along: Along,
    pub(in super::super) kind: FoldKind,
    /// Number of values.
    pub(in super::super) length: u64,
}

impl Fold {
    pub(super) fn sources(&self, axis: usize, o: i64, size: i64, found: &mut Vec<i64>) {
        match (self.along, axis) {
            (Along::Rows, 0) | (Along::Columns, 1) => found.extend(0..size),
            _ => found.push(o),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FoldAttrs {
    along: Along,
    kind: FoldKind,
}

pub(super) fn fold(op: &Operation<'_>) -> Option<Definition> {
    let FoldAttrs { along, kind } = op.attrs()?;
    let [_, channels, height, width] = *op.inputs.first()?;
    let length = match along {
        Along::Channels => channels,
        Along::Rows => height,
        Along::Columns => width,
    };
    Some(Definition::Apply(Meaning::Fold(Fold { along, kind, length })))
}
