//! Reductions along one axis, value after value.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, Interval};

/// The axis that a fold runs along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Along {
    /// Over the channels of each pixel.
    Channels,
    /// Down each column.
    Rows,
    /// Along each row.
    Columns,
}

impl Along {
    /// Whether it runs along a spatial axis.
    pub fn is(self, axis: AxisId) -> bool {
        match self {
            Self::Channels => false,
            Self::Rows => axis == AxisId::Y,
            Self::Columns => axis == AxisId::X,
        }
    }
}

/// What is computed of the values along the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoldKind {
    /// Their sum.
    Sum,
    /// Their sum, divided by their number.
    Mean,
    /// The sum of their squares, divided by their number.
    MeanSquare,
    /// The largest; NaN if there is one.
    Max,
    /// Where along the axis the first of the largest stands; of the NaNs, if there are some.
    Argmax,
}

/// `dst = kind(src)` over all `length` values along an axis, of which `dst` has extent 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// Buffer written.
    pub dst: BufferId,
    /// Buffer read.
    pub src: BufferId,
    /// The axis.
    pub along: Along,
    /// What is computed.
    pub kind: FoldKind,
    /// Extent of `src` along the axis.
    pub length: u64,
}

impl Instruction for Fold {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, axis: AxisId, out: Interval) -> Vec<Read> {
        let need = if self.along.is(axis) { whole(self.length) } else { out };
        vec![Read::new(self.src, need)]
    }
}

/// `[0, length)`
pub(super) fn whole(length: u64) -> Interval {
    Interval::new(0, i64::try_from(length).unwrap_or(i64::MAX))
}
