//! Means and sums over axes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{Along, AxisId, FoldKind, Statistic};

use super::fold::fold;
use super::{
    ArgError, ArgKind, ArgSpec, Builder, Inputs, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of,
    decode, global,
};
use crate::base::{AxisMap, Dim, ParamId, Shape, ValueId};

/// A row of the table.
struct Row {
    name: &'static str,
    doc: &'static str,
    /// Over rows and columns together.
    spatial: Statistic,
    /// Over a single axis.
    single: FoldKind,
}

/// The table.
const ROWS: [Row; 2] = [
    Row {
        name: "mean",
        doc: "Mean over axes, which keep size 1.",
        spatial: Statistic::Mean,
        single: FoldKind::Mean,
    },
    Row {
        name: "sum",
        doc: "Sum over axes, which keep size 1.",
        spatial: Statistic::Sum,
        single: FoldKind::Sum,
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
        args: vec![ArgSpec::new("axes", ArgKind::Axes).required().elsewhere(&["dim", "dims", "axis"])],
        build: Arc::new(move |args| {
            let axes = args.axes("axes")?.ok_or_else(|| ArgError::new("axes", "is missing"))?;
            Ok(Arc::new(Reduction::new(row, axes)?))
        }),
        parse: Arc::new(move |value| {
            let Attrs { axes } = decode(value).map_err(|e| e.to_string())?;
            Ok(Arc::new(Reduction::new(row, axes).map_err(|e| e.to_string())?))
        }),
        internal: false,
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attrs {
    axes: Vec<u8>,
}

/// A reduction over axes.
struct Reduction {
    row: &'static Row,
    /// Of 1 (channels), 2 (rows) and 3 (columns), ascending.
    axes: Vec<u8>,
}

impl std::fmt::Debug for Reduction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{:?}", self.row.name, self.axes)
    }
}

impl Reduction {
    fn new(row: &'static Row, mut axes: Vec<u8>) -> Result<Self, ArgError> {
        axes.sort_unstable();
        let of_a_tensor = axes.iter().all(|axis| (1..=3).contains(axis));
        if axes.is_empty() || !of_a_tensor || !axes.is_sorted_by(|a, b| a < b) {
            return Err(ArgError::new("axes", format!("is a list of axes among 1, 2 and 3, found {axes:?}")));
        }
        Ok(Self { row, axes })
    }

    fn reduces(&self, axis: u8) -> bool {
        self.axes.contains(&axis)
    }

    /// Whether rows and columns are reduced together.
    fn over_space(&self) -> bool {
        self.reduces(2) && self.reduces(3)
    }
}

impl Op for Reduction {
    fn name(&self) -> &'static str {
        self.row.name
    }

    fn attrs(&self) -> Value {
        attrs_of(&Attrs { axes: self.axes.clone() })
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        let x = &inputs[0];
        let size = |axis: u8, size: &Dim| if self.reduces(axis) { 1.into() } else { size.clone() };
        Ok(Shape { n: x.n.clone(), c: size(1, &x.c), h: size(2, &x.h), w: size(3, &x.w) })
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        if self.reduces(2 + axis.index() as u8) { AxisMap::All } else { AxisMap::Identity }
    }

    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64 {
        inputs[0].iter().skip(1).product::<u64>() / (output[2] * output[3]).max(1)
    }

    /// One reduction after the other: over rows and columns together first, exactly over grains; then over channels, and over rows
    /// or columns alone, in chains.
    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], _: &[ParamId]) -> Option<ValueId> {
        let mut value = inputs[0];
        if self.over_space() {
            value = builder.op(global::spatial(self.row.spatial, None)?, &[value], &[]);
        }
        for (axis, along) in [(1, Along::Channels), (2, Along::Rows), (3, Along::Columns)] {
            if self.reduces(axis) && (along == Along::Channels || !self.over_space()) {
                value = fold(builder, along, self.row.single, value);
            }
        }
        Some(value)
    }
}
