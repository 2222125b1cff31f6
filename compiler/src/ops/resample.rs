//! Resampling and pixel shuffle.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{self, AxisId, Instr, Nearest, Ratio};

use super::conv::positive;
use super::{
    ArgError, ArgKind, ArgSpec, FromAttrs, Inputs, Lowering, Op, OpDef, Requirements, ShapeError, Sizes,
    attrs_of,
};
use crate::base::{AxisMap, Shape};

const MODES: &[&str] = &["nearest"];

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::new(
            "upsample",
            "Each pixel repeated `scale` times along both axes.",
            Inputs::Named(&["x"]),
            vec![
                ArgSpec::new("scale", ArgKind::Pair).required().elsewhere(&["scale_factor", "scales"]),
                ArgSpec::new("mode", ArgKind::Word(MODES)),
            ],
            |args| {
                args.word("mode", MODES)?;
                let scale = args.pair("scale")?.ok_or_else(|| ArgError::new("scale", "is missing"))?;
                Ok(Upsample { scale })
            },
        ),
        OpDef::new(
            "pixel_shuffle",
            "Channels to space: `factor`² channels become `factor` × `factor` pixels.",
            Inputs::Named(&["x"]),
            vec![ArgSpec::new("factor", ArgKind::Int).required().elsewhere(&[
                "upscale_factor",
                "blocksize",
                "scale",
            ])],
            |args| {
                let factor = args.int("factor")?.ok_or_else(|| ArgError::new("factor", "is missing"))?;
                Ok(PixelShuffle { factor })
            },
        ),
    ]
}

/// Nearest-neighbour upsampling by integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upsample {
    scale: [u32; 2],
}

impl FromAttrs for Upsample {
    fn check(&self) -> Result<(), ArgError> {
        positive("scale", &self.scale)
    }
}

impl Op for Upsample {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, [y_scale, x_scale]) = (&inputs[0], self.scale.map(i64::from));
        Ok(Shape { h: x.h.times(y_scale), w: x.w.times(x_scale), ..x.clone() })
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Scaled { num: 1, den: self.scale[axis.index()].into() }
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let ratio = self.scale.map(|den| Ratio { num: 1, den });
        vec![Instr::Nearest(Nearest { dst: operands.dst, src: operands.srcs[0], ratio })]
    }

    fn is_identity(&self, _: &[Shape]) -> bool {
        self.scale == [1, 1]
    }
}

/// Channels to space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PixelShuffle {
    factor: u32,
}

impl FromAttrs for PixelShuffle {
    fn check(&self) -> Result<(), ArgError> {
        if (1..=256).contains(&self.factor) {
            Ok(())
        } else {
            Err(ArgError::new("factor", format!("is between 1 and 256, found {}", self.factor)))
        }
    }
}

impl Op for PixelShuffle {
    fn name(&self) -> &'static str {
        "pixel_shuffle"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, r) = (&inputs[0], i64::from(self.factor));
        requirements.multiple(&x.c, r * r, format!("{r} × {r} channels become one"))?;
        Ok(Shape { n: x.n.clone(), c: x.c.floor_div(r * r), h: x.h.times(r), w: x.w.times(r) })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Scaled { num: 1, den: self.factor.into() }
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let (dst, src) = (operands.dst, operands.srcs[0]);
        vec![Instr::PixelShuffle(instr::PixelShuffle { dst, src, factor: self.factor })]
    }

    fn is_identity(&self, _: &[Shape]) -> bool {
        self.factor == 1
    }
}
