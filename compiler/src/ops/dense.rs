//! Matrix products: with a parameter, and of two tensors.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::Packing;
use zellige_runtime::program::instr::{self, AxisId, Instr, Window};

use super::conv::{positive, static_channels};
use super::conv_gradient::{ConvDw, LinearDx};
use super::gradient::sum_to;
use super::reshape::Transpose;
use super::{
    ArgError, ArgKind, ArgSpec, Builder, Differentiable, FromAttrs, Gradients, Init, Inputs, Lowering, Op,
    OpDef, ParamSpec, Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Dim, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::new(
            "linear",
            "Each output is a weighted sum of all channels of one pixel.",
            Inputs::Named(&["x"]),
            vec![
                ArgSpec::new("out", ArgKind::Int).required().elsewhere(&["out_features", "units"]),
                ArgSpec::new("bias", ArgKind::Bool).elsewhere(&["use_bias"]),
            ],
            |args| {
                let out = args.int("out")?.ok_or_else(|| ArgError::new("out", "is missing"))?;
                Ok(Linear { out, bias: args.bool("bias")?.unwrap_or(true) })
            },
        ),
        OpDef::new(
            "matmul",
            "Products of the matrices of rows and columns, channel by channel.",
            Inputs::Named(&["a", "b"]),
            Vec::new(),
            |_| Ok(Matmul {}),
        ),
    ]
}

/// A fully connected layer: a 1 × 1 convolution of one pixel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Linear {
    out: u32,
    bias: bool,
}

impl FromAttrs for Linear {
    fn check(&self) -> Result<(), ArgError> {
        positive("out", &[self.out])
    }
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let x = &inputs[0];
        static_channels(x)?;
        for size in [&x.h, &x.w] {
            let because = format!("`linear` takes one pixel, found {x}");
            requirements.equal(size, &1.into(), because).map_err(|e| {
                ShapeError { input: Some(0), ..e }
                    .hint("`flatten` first makes all values of an image channels of one pixel")
            })?;
        }
        Ok(Shape { c: i64::from(self.out).into(), ..x.clone() })
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let (out, inner) = (u64::from(self.out), static_channels(&inputs[0])?);
        let init = Init::Uniform(1.0 / (inner as f32).sqrt());
        let packing = Packing::Conv { groups: 1 };
        let weight = ParamSpec { suffix: "weight", dims: vec![out, inner], packing, init };
        let packing = Packing::GroupedChannels { groups: 1 };
        let bias = ParamSpec { suffix: "bias", dims: vec![out], packing, init };
        Ok(if self.bias { vec![weight, bias] } else { vec![weight] })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        2 * u64::from(self.out) * inputs[0][1]
    }

    fn takes_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 2] };
        vec![Instr::Conv2d(instr::Conv2d {
            dst: operands.dst,
            src: operands.srcs[0],
            weight: operands.weights[0],
            bias: operands.weights.get(1).copied(),
            window,
            groups: 1,
            epilogue: operands.epilogue.clone(),
        })]
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let (x, dy) = (at.inputs[0], at.gradient);
        let inner = static_channels(&at.shape(builder, 0)).ok()?;
        let dx = builder.op(Arc::new(LinearDx { inner }), &[dy], &at.params[..1]);
        let mut params = vec![Some(builder.op(Arc::new(ConvDw::of_pixels(self.out)), &[x, dy], &[]))];
        if self.bias {
            params.push(Some(at.sum_to_channels(builder, dy)?));
        }
        Some(Gradients { inputs: vec![Some(dx)], params })
    }
}

/// `[n, c, h, k] × [n, c, k, w]`; images and channels are the same, or one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Matmul {}

impl FromAttrs for Matmul {}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (a, b) = (&inputs[0], &inputs[1]);
        let because = format!("`matmul` multiplies {a} by {b}");
        requirements.equal(&a.w, &b.h, because.clone())?;
        let mut repeated = |x: &Dim, y: &Dim| {
            let one = |d: &Dim| d.constant() == Some(1);
            if !one(x) && !one(y) {
                requirements.equal(x, y, because.clone())?;
            }
            Ok(if one(x) { y.clone() } else { x.clone() })
        };
        Ok(Shape { n: repeated(&a.n, &b.n)?, c: repeated(&a.c, &b.c)?, h: a.h.clone(), w: b.w.clone() })
    }

    fn access(&self, input: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        match (input, axis) {
            (0, AxisId::Y) | (1, AxisId::X) => AxisMap::Identity,
            _ => AxisMap::All,
        }
    }

    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64 {
        2 * output[1] * inputs[0][3]
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        vec![Instr::Matmul(instr::Matmul {
            dst: operands.dst,
            a: operands.srcs[0],
            b: operands.srcs[1],
            inner: operands.inputs[0][3],
        })]
    }

    /// `da = dy · bᵀ` and `db = aᵀ · dy`.
    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let ([a, b], dy) = (<[_; 2]>::try_from(at.inputs).ok()?, at.gradient);
        let transposed = |builder: &mut dyn Builder, x| builder.op(Arc::new(Transpose {}), &[x], &[]);
        let sum = |builder: &mut dyn Builder, value, input: usize| {
            let (own, whole) = (at.shape(builder, input), builder.shape(value));
            sum_to(builder, value, &Shape { h: whole.h.clone(), w: whole.w.clone(), ..own }, &whole)
        };
        let (mut da, mut db) = (None, None);
        if at.wanted[0] {
            let b = transposed(builder, b);
            let all = builder.op(Arc::new(Self {}), &[dy, b], &[]);
            da = Some(sum(builder, all, 0)?);
        }
        if at.wanted[1] {
            let a = transposed(builder, a);
            let all = builder.op(Arc::new(Self {}), &[a, dy], &[]);
            db = Some(sum(builder, all, 1)?);
        }
        Some(Gradients::of_inputs([da, db]))
    }
}
