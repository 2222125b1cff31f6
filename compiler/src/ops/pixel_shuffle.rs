//! Between channels and space: pixel shuffle both ways.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{self, AxisId, Instr};

use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, Differentiable, FromAttrs, Gradients, Inputs, Lowering, Op,
    OpDef, Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::new(
            "pixel_shuffle",
            "Channels to space: `factor`² channels become `factor` × `factor` pixels.",
            Inputs::Named(&["x"]),
            vec![factor_spec(&["upscale_factor", "blocksize", "scale"])],
            |args| Ok(PixelShuffle { factor: factor(args)? }),
        ),
        OpDef::new(
            "pixel_unshuffle",
            "Space to channels: `factor` × `factor` pixels become `factor`² channels.",
            Inputs::Named(&["x"]),
            vec![factor_spec(&["downscale_factor", "blocksize", "scale"])],
            |args| Ok(PixelUnshuffle { factor: factor(args)? }),
        ),
    ]
}

fn factor_spec(elsewhere: &'static [&'static str]) -> ArgSpec {
    ArgSpec::new("factor", ArgKind::Int).required().elsewhere(elsewhere)
}

fn factor(args: &Args) -> Result<u32, ArgError> {
    args.int("factor")?.ok_or_else(|| ArgError::new("factor", "is missing"))
}

fn check(factor: u32) -> Result<(), ArgError> {
    if (1..=256).contains(&factor) {
        Ok(())
    } else {
        Err(ArgError::new("factor", format!("is between 1 and 256, found {factor}")))
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
        check(self.factor)
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

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let back = PixelUnshuffle { factor: self.factor };
        Some(Gradients::of_input(builder.op(Arc::new(back), &[at.gradient], &[])))
    }
}

/// Space to channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PixelUnshuffle {
    factor: u32,
}

impl FromAttrs for PixelUnshuffle {
    fn check(&self) -> Result<(), ArgError> {
        check(self.factor)
    }
}

impl Op for PixelUnshuffle {
    fn name(&self) -> &'static str {
        "pixel_unshuffle"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, r) = (&inputs[0], i64::from(self.factor));
        for size in [&x.h, &x.w] {
            requirements.multiple(size, r, format!("{r} × {r} pixels become one"))?;
        }
        Ok(Shape { n: x.n.clone(), c: x.c.times(r * r), h: x.h.floor_div(r), w: x.w.floor_div(r) })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        let r = self.factor.into();
        AxisMap::Window { kernel: r, stride: r, dilation: 1, pad: 0 }
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let (dst, src) = (operands.dst, operands.srcs[0]);
        vec![Instr::PixelUnshuffle(instr::PixelUnshuffle { dst, src, factor: self.factor })]
    }

    fn is_identity(&self, _: &[Shape]) -> bool {
        self.factor == 1
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let back = PixelShuffle { factor: self.factor };
        Some(Gradients::of_input(builder.op(Arc::new(back), &[at.gradient], &[])))
    }
}
