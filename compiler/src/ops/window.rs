//! Pooling over windows. Shapes and defaults are PyTorch's: the stride is the kernel, average pooling counts padding.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{self, AxisId, Instr, PoolKind, Window};

use super::conv::{AXES, positive, window_size};
use super::gradient::divided;
use super::pool_gradient::{AvgPool2dDx, MaxPool2dDx};
use super::resample::Upsample;
use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, Differentiable, FromAttrs, Gradients, Inputs, Lowering, Op,
    OpDef, Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Dim, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::new(
            "max_pool2d",
            "Largest value of each window.",
            Inputs::Named(&["x"]),
            [args().as_slice(), &[ArgSpec::new("dilation", ArgKind::Pair).elsewhere(&["dilations"])]]
                .concat(),
            |args| Ok(MaxPool2d { geometry: Geometry::from_args(args)? }),
        ),
        OpDef::new(
            "avg_pool2d",
            "Mean of each window.",
            Inputs::Named(&["x"]),
            [args().as_slice(), &[ArgSpec::new("count_include_pad", ArgKind::Bool)]].concat(),
            |args| {
                let count_include_pad = args.bool("count_include_pad")?.unwrap_or(true);
                Ok(AvgPool2d { geometry: Geometry::from_args(args)?, count_include_pad })
            },
        ),
    ]
}

fn args() -> [ArgSpec; 4] {
    [
        ArgSpec::new("kernel", ArgKind::Pair).required().elsewhere(&["kernel_size", "kernel_shape"]),
        ArgSpec::new("stride", ArgKind::Pair).elsewhere(&["strides"]),
        ArgSpec::new("pad", ArgKind::Sides).elsewhere(&["padding", "pads"]),
        ArgSpec::new("ceil_mode", ArgKind::Bool),
    ]
}

/// What both kinds have in common. The last two are not written where they are as usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Geometry {
    kernel: [u32; 2],
    stride: [u32; 2],
    /// Top, left, bottom, right.
    pad: [i64; 4],
    #[serde(default = "undilated", skip_serializing_if = "is_undilated")]
    dilation: [u32; 2],
    /// Whether windows may hang over the end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ceil_mode: bool,
}

fn undilated() -> [u32; 2] {
    [1; 2]
}

fn is_undilated(dilation: &[u32; 2]) -> bool {
    *dilation == undilated()
}

impl Geometry {
    fn from_args(args: &Args) -> Result<Self, ArgError> {
        let kernel = args.pair("kernel")?.ok_or_else(|| ArgError::new("kernel", "is missing"))?;
        Ok(Self {
            kernel,
            stride: args.pair("stride")?.unwrap_or(kernel),
            pad: args.sides("pad")?.unwrap_or([0; 4]),
            dilation: args.pair("dilation")?.unwrap_or(undilated()),
            ceil_mode: args.bool("ceil_mode")?.unwrap_or(false),
        })
    }

    /// Padding is at most half the kernel, as in PyTorch, so that every window without dilation holds a pixel.
    fn check(&self) -> Result<(), ArgError> {
        positive("kernel", &self.kernel)?;
        positive("stride", &self.stride)?;
        positive("dilation", &self.dilation)?;
        let fits = |side: usize| (0..=i64::from(self.kernel[side % 2]) / 2).contains(&self.pad[side]);
        if (0..4).all(fits) {
            Ok(())
        } else {
            Err(ArgError::new("pad", format!("is between 0 and half the kernel, found {:?}", self.pad)))
        }
    }

    fn infer(&self, x: &Shape, requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let mut size = |dim: &Dim, i: usize| {
            if self.ceil_mode {
                return self.ceil_size(dim, i, requirements);
            }
            window_size(dim, self.padding(i), self.span(i), self.stride[i], AXES[i], requirements)
        };
        Ok(Shape { n: x.n.clone(), c: x.c.clone(), h: size(&x.h, 0)?, w: size(&x.w, 1)? })
    }

    /// `dilation · (kernel − 1) + 1`: the rows or columns that a window spans.
    fn span(&self, axis: usize) -> i64 {
        i64::from(self.dilation[axis]) * (i64::from(self.kernel[axis]) - 1) + 1
    }

    fn padding(&self, axis: usize) -> i64 {
        self.pad[axis] + self.pad[axis + 2]
    }

    /// The number of windows of which the last may hang over, as long as it begins inside the input or the leading padding:
    /// `⌈(size + padding − span) / stride⌉ + 1`, or what begins there, `⌈(size + leading padding) / stride⌉`, if that is less.
    fn ceil_size(&self, size: &Dim, axis: usize, requirements: &mut Requirements) -> Result<Dim, ShapeError> {
        let stride = i64::from(self.stride[axis]);
        let more = (self.padding(axis) - self.span(axis) + stride).min(self.pad[axis]);
        let because =
            format!("a window spans {} {} and may hang over by {}", self.span(axis), AXES[axis], stride - 1);
        requirements.at_least(size, (1 - more).max(1), because)?;
        Ok(size.plus(more).ceil_div(stride))
    }

    fn access(&self, axis: AxisId) -> AxisMap {
        let i = axis.index();
        AxisMap::Window {
            kernel: self.kernel[i].into(),
            stride: self.stride[i].into(),
            dilation: self.dilation[i].into(),
            pad: self.pad[i],
        }
    }

    fn flops(&self, output: Sizes) -> u64 {
        output[1] * u64::from(self.kernel[0]) * u64::from(self.kernel[1])
    }

    fn window(&self) -> Window {
        Window {
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            pad: [self.pad[0], self.pad[1]],
        }
    }

    fn lower(&self, kind: PoolKind, operands: &Lowering<'_>) -> Vec<Instr> {
        let (dst, src, window) = (operands.dst, operands.srcs[0], self.window());
        vec![Instr::Pool(instr::Pool { dst, src, kind, window })]
    }
}

/// Maximum over windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct MaxPool2d {
    geometry: Geometry,
}

impl FromAttrs for MaxPool2d {
    fn check(&self) -> Result<(), ArgError> {
        self.geometry.check()
    }
}

impl Op for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        self.geometry.infer(&inputs[0], requirements)
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        self.geometry.access(axis)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        self.geometry.flops(output)
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        self.geometry.lower(PoolKind::Max, operands)
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let dx = MaxPool2dDx { forward: self.clone() };
        Some(Gradients::of_input(builder.op(Arc::new(dx), &[at.inputs[0], at.gradient], &[])))
    }
}

impl MaxPool2d {
    /// The windows over the input.
    pub(super) fn window(&self) -> Window {
        self.geometry.window()
    }
}

impl AvgPool2d {
    /// Of windows side by side.
    pub(super) fn by(kernel: [u32; 2]) -> Self {
        let geometry =
            Geometry { kernel, stride: kernel, pad: [0; 4], dilation: undilated(), ceil_mode: false };
        Self { geometry, count_include_pad: true }
    }

    /// The windows over the input.
    pub(super) fn window(&self) -> Window {
        self.geometry.window()
    }

    /// How far outside the input taps count: top, left, bottom, right.
    pub(super) fn margin(&self) -> [i64; 4] {
        if self.count_include_pad { self.geometry.pad } else { [0; 4] }
    }
}

/// Mean over windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AvgPool2d {
    #[serde(flatten)]
    geometry: Geometry,
    count_include_pad: bool,
}

impl FromAttrs for AvgPool2d {
    fn check(&self) -> Result<(), ArgError> {
        if !is_undilated(&self.geometry.dilation) {
            return Err(ArgError::new("dilation", "is for maxima only"));
        }
        self.geometry.check()
    }
}

impl Op for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        self.geometry.infer(&inputs[0], requirements)
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        self.geometry.access(axis)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        self.geometry.flops(output)
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        self.geometry.lower(PoolKind::Average { margin: self.margin() }, operands)
    }

    /// Where windows lie side by side over all of the input, each pixel gets its share of one of them.
    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let ([_, c, h, w], dy) = (at.shape(builder, 0).sizes()?, at.gradient);
        let [.., rows, cols] = at.output_sizes(builder)?;
        let Geometry { kernel, stride, pad, .. } = &self.geometry;
        let covered = [rows * u64::from(kernel[0]), cols * u64::from(kernel[1])];
        let repeat = Upsample::by(kernel.map(f64::from))
            .filter(|_| kernel == stride && *pad == [0; 4] && covered == [h, w]);
        let dx = match repeat {
            Some(repeat) => {
                let share = divided(builder, dy, f64::from(kernel[0]) * f64::from(kernel[1]));
                builder.op(Arc::new(repeat), &[share], &[])
            }
            None => {
                let dx = AvgPool2dDx { forward: self.clone(), size: [c, h, w] };
                builder.op(Arc::new(dx), &[dy], &[])
            }
        };
        Some(Gradients::of_input(dx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyTorch's `pooling_output_shape`.
    fn pytorch(size: i64, [before, after]: [i64; 2], span: i64, stride: i64) -> i64 {
        let windows = (size + before + after - span + stride - 1).div_euclid(stride) + 1;
        if (windows - 1) * stride >= size + before { windows - 1 } else { windows }
    }

    #[test]
    fn windows_that_hang_over_are_counted_as_in_pytorch() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..5000 {
            let (size, kernel, stride) = (rng.i64(1..12), rng.u32(1..6), rng.u32(1..6));
            let [before, after] = [0; 2].map(|_| rng.i64(0..=i64::from(kernel) / 2));
            let geometry = Geometry {
                kernel: [kernel; 2],
                stride: [stride; 2],
                pad: [before, 0, after, 0],
                dilation: [rng.u32(1..4); 2],
                ceil_mode: true,
            };
            let expected = pytorch(size, [before, after], geometry.span(0), stride.into());
            let found = geometry.ceil_size(&size.into(), 0, &mut Requirements::default());
            assert_eq!(
                found.ok().and_then(|n| n.constant()),
                (expected > 0).then_some(expected),
                "{geometry:?}"
            );
        }
    }
}
