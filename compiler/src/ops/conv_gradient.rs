//! Gradients of convolutions. That of the input is a transposed convolution with the forward one's weights, and the other way
//! round; that of the weights is a reduction of two tensors.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::Packing;
use zellige_runtime::program::instr::{self, AxisId, Instr, Window};

use super::conv::{Conv2d, ConvTranspose2d, Geometry, LARGEST, static_channels};
use super::{
    ArgError, Builder, Differentiable, FromAttrs, Gradients, Init, Lowering, Op, OpDef, Outside, ParamSpec,
    Products, Reduction, Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Shape, ValueId};

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::part::<ConvDx<Conv2d>>(Conv2d::DX, "The gradient of a convolution's input.", &["dy"]),
        OpDef::part::<ConvDx<ConvTranspose2d>>(
            ConvTranspose2d::DX,
            "The gradient of a transposed convolution's input.",
            &["dy"],
        ),
        OpDef::part::<LinearDx>("linear.dx", "The gradient of a fully connected layer's input.", &["dy"]),
        OpDef::part::<ConvDw>(
            "conv2d.dw",
            "The gradient of a convolution's weights, with a row of channels for each of their first dimension.",
            &["x", "dy"],
        ),
    ]
}

/// The gradients of a convolution, that of its input by `dx`, which gets the size of that.
pub(super) fn gradients<F: Forward>(
    forward: &F,
    builder: &mut dyn Builder,
    at: &Differentiable<'_>,
    dx: impl FnOnce(&mut dyn Builder, [u64; 3]) -> ValueId,
) -> Option<Gradients> {
    let (x, dy) = (at.inputs[0], at.gradient);
    let [_, size @ ..] = at.shape(builder, 0).sizes()?;
    let dx = at.wanted[0].then(|| dx(&mut *builder, size));
    let dw = ConvDw { geometry: forward.geometry().clone(), transposed: F::TRANSPOSED };
    let mut params = vec![Some(builder.op(Arc::new(dw), &[x, dy], &[]))];
    if forward.geometry().bias {
        params.push(Some(at.sum_to_channels(builder, dy)?));
    }
    Some(Gradients { inputs: vec![dx], params })
}

/// The shape of the input of `forward`, of `size` channels, rows and columns, whose output is as `dy`.
pub(super) fn input_of(
    forward: &dyn Op,
    size: [u64; 3],
    dy: &Shape,
    requirements: &mut Requirements,
) -> Result<Shape, ShapeError> {
    let [c, h, w] = size.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
    let x = Shape { n: dy.n.clone(), c: c.into(), h: h.into(), w: w.into() };
    let y = forward.infer(std::slice::from_ref(&x), requirements)?;
    for (found, expected) in dy.dims().into_iter().zip(y.dims()) {
        let because = format!("`{}` makes {y} of {x}", forward.name());
        requirements.equal(found, expected, because).map_err(|e| ShapeError { input: Some(0), ..e })?;
    }
    Ok(x)
}

pub(super) fn check_size(size: [u64; 3]) -> Result<(), ArgError> {
    let channels = size[0] <= LARGEST as u64;
    if channels && size.iter().all(|s| (1..=1 << 40).contains(s)) {
        Ok(())
    } else {
        Err(ArgError::new("size", format!("has channels, rows and columns, found {size:?}")))
    }
}

/// The weights of a convolution alone, laid out as the convolution between the same tensors the other way round wants them.
fn weight(forward: &dyn Op, x: &Shape, packing: Packing) -> Result<Vec<ParamSpec>, ShapeError> {
    let params = forward.params(std::slice::from_ref(x))?;
    Ok(params.into_iter().take(1).map(|weight| ParamSpec { packing, ..weight }).collect())
}

/// A convolution whose input's gradient is a convolution the other way round.
pub(super) trait Forward: Op + FromAttrs + Clone + Serialize {
    /// Name of the op that the gradient is.
    const DX: &'static str;
    /// Whether it is a transposed convolution.
    const TRANSPOSED: bool;

    fn geometry(&self) -> &Geometry;
}

/// The gradient of a convolution's input: with the taps k of a window,
///
/// ```text
/// dx[i] = Σ dy[o] · w[k]                        over the o with i = o·stride − pad + k·dilation: the transposed convolution
/// dx[i] = Σ dy[i·stride − pad + k·dilation] · w[k]      of a transposed one: the convolution
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConvDx<F> {
    pub(super) forward: F,
    /// Channels, rows and columns of the forward convolution's input.
    pub(super) size: [u64; 3],
}

impl<F: Forward> FromAttrs for ConvDx<F> {
    fn check(&self) -> Result<(), ArgError> {
        self.forward.check()?;
        check_size(self.size)
    }
}

impl<F: Forward> Op for ConvDx<F> {
    fn name(&self) -> &'static str {
        F::DX
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        input_of(&self.forward, self.size, &inputs[0], requirements)
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let x = self.infer(inputs, &mut Requirements::default())?;
        let groups = self.forward.geometry().groups;
        let packing =
            if F::TRANSPOSED { Packing::Conv { groups } } else { Packing::ConvTranspose { groups } };
        weight(&self.forward, &x, packing)
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        let geometry = self.forward.geometry();
        if F::TRANSPOSED { geometry.sliding_window(axis) } else { geometry.transposed_window(axis) }
    }

    fn resized(&self, [h, w]: [u64; 2]) -> Option<Arc<dyn Op>> {
        let size = [self.size[0], h, w];
        Some(Arc::new(Self { forward: self.forward.clone(), size }))
    }

    fn outside(&self, _: usize) -> Outside {
        Outside::Zero
    }

    fn adds_up(&self) -> Option<usize> {
        Some(0)
    }

    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64 {
        let g = self.forward.geometry();
        let between = |i: usize| if F::TRANSPOSED { 1 } else { g.stride[i] };
        let taps = |i: usize| u64::from(g.kernel[i].div_ceil(between(i)));
        2 * output[1] * g.per_group(inputs[0][1]) * taps(0) * taps(1)
    }

    fn takes_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let (geometry, epilogue) = (self.forward.geometry(), operands.epilogue.clone());
        let (dst, src, weight) = (operands.dst, operands.srcs[0], operands.weights[0]);
        let (window, groups, bias) = (geometry.window(), geometry.groups, None);
        vec![if F::TRANSPOSED {
            Instr::Conv2d(instr::Conv2d { dst, src, weight, bias, window, groups, epilogue })
        } else {
            Instr::ConvTranspose2d(instr::ConvTranspose2d {
                dst,
                src,
                weight,
                bias,
                window,
                groups,
                epilogue,
            })
        }]
    }
}

/// The gradient of a fully connected layer's input: a transposed 1 × 1 convolution of one pixel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinearDx {
    /// Channels of the layer's input.
    pub(super) inner: u64,
}

impl FromAttrs for LinearDx {
    fn check(&self) -> Result<(), ArgError> {
        check_size([self.inner, 1, 1])
    }
}

impl Op for LinearDx {
    fn name(&self) -> &'static str {
        "linear.dx"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let dy = &inputs[0];
        for size in [&dy.h, &dy.w] {
            requirements.equal(size, &1.into(), format!("`linear` gives one pixel, found {dy}"))?;
        }
        Ok(Shape { c: (self.inner as i64).into(), ..dy.clone() })
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let dims = vec![static_channels(&inputs[0])?, self.inner];
        let packing = Packing::ConvTranspose { groups: 1 };
        let init = Init::Uniform(1.0 / (self.inner as f32).sqrt());
        Ok(vec![ParamSpec { suffix: "weight", dims, packing, init }])
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64 {
        2 * output[1] * inputs[0][1]
    }

    fn takes_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 2] };
        vec![Instr::ConvTranspose2d(instr::ConvTranspose2d {
            dst: operands.dst,
            src: operands.srcs[0],
            weight: operands.weights[0],
            bias: None,
            window,
            groups: 1,
            epilogue: operands.epilogue.clone(),
        })]
    }
}

/// The gradient of a convolution's weights, of `x` and `dy`: with the taps k of a window,
///
/// ```text
/// dw[o, i, k] = Σ dy[n, o, y] · x[n, i, y·stride − pad + k·dilation]      over images n and pixels y of dy
/// dw[i, o, k] = Σ dy[n, o, y] · x[n, i, (y + pad − k·dilation) / stride]  transposed, where that is whole
/// ```
///
/// and zeros outside the extent of `x`. The output is `[first, second · kh · kw, 1, 1]` for weights `[first, second, kh, kw]`, so that
/// planar it is laid out as they are. `dy` is what tiles own; `x` is read by its coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConvDw {
    /// The forward convolution's.
    #[serde(flatten)]
    pub(super) geometry: Geometry,
    /// Whether it is transposed.
    pub(super) transposed: bool,
}

impl ConvDw {
    /// Of a fully connected layer of so many outputs.
    pub(super) fn of_pixels(out: u32) -> Self {
        let geometry = Geometry {
            out,
            kernel: [1; 2],
            stride: [1; 2],
            pad: [0; 4],
            dilation: [1; 2],
            groups: 1,
            bias: false,
        };
        Self { geometry, transposed: false }
    }
}

impl FromAttrs for ConvDw {
    fn check(&self) -> Result<(), ArgError> {
        self.geometry.check()
    }
}

impl Op for ConvDw {
    fn name(&self) -> &'static str {
        "conv2d.dw"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let ([x, dy], g) = ([&inputs[0], &inputs[1]], &self.geometry);
        let (inner, outer) = (g.channels(x)?, u64::from(g.out));
        let because = format!("the gradient of its weights joins {x} and {dy}");
        requirements.equal(&x.n, &dy.n, because.clone())?;
        requirements.equal(&dy.c, &i64::from(g.out).into(), because)?;
        let (first, second) =
            if self.transposed { (inner, g.per_group(outer)) } else { (outer, g.per_group(inner)) };
        let taps = g.kernel.iter().map(|&k| i64::from(k)).product::<i64>();
        Ok(Shape::new(first as i64, second as i64 * taps, 1, 1))
    }

    fn access(&self, input: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        match (input, self.transposed) {
            (0, false) => self.geometry.sliding_window(axis),
            (0, true) => self.geometry.transposed_window(axis),
            _ => AxisMap::Identity,
        }
    }

    fn outside(&self, input: usize) -> Outside {
        if input == 0 { Outside::Zero } else { Outside::Skipped }
    }

    fn reduction(&self) -> Option<Reduction> {
        let Self { geometry, transposed } = self;
        Some(Reduction::Products(Products {
            window: geometry.window(),
            groups: geometry.groups,
            transposed: *transposed,
        }))
    }

    /// Each weight gathers one product for each pixel of `dy`.
    fn flops(&self, inputs: &[Sizes], output: Sizes) -> u64 {
        let [n, _, h, w] = inputs[1];
        [2, output[1], n, h, w].into_iter().fold(1, u64::saturating_mul)
    }
}
