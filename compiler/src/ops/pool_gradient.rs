//! Gradients of pools: each pixel gathers from the windows that it is in.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{Adjoint, AxisId, Instr, LinearMap, MaxPoolDx, Taps, Window};

use super::conv_gradient::{check_size, input_of};
use super::window::{AvgPool2d, MaxPool2d};
use super::{ArgError, FromAttrs, Lowering, Op, OpDef, Requirements, ShapeError, Sizes, attrs_of};
use crate::base::{AxisMap, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::part::<MaxPool2dDx>("max_pool2d.dx", "The gradient of a maximum pool's input.", &["x", "dy"]),
        OpDef::part::<AvgPool2dDx>("avg_pool2d.dx", "The gradient of an average pool's input.", &["dy"]),
    ]
}

/// The windows that a pixel is in.
fn windows_of(window: &Window, axis: AxisId) -> AxisMap {
    let i = axis.index();
    AxisMap::Transposed {
        kernel: window.kernel[i].into(),
        stride: window.stride[i].into(),
        dilation: window.dilation[i].into(),
        pad: window.pad[i],
    }
}

/// How many windows a pixel is in, at most.
fn overlap(window: &Window) -> u64 {
    (0..2).map(|i| u64::from(window.kernel[i].div_ceil(window.stride[i]))).product()
}

/// `dx = Σ dy` over the windows of which the maximum is at the pixel: the first in raster order of the largest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaxPool2dDx {
    pub(super) forward: MaxPool2d,
}

impl FromAttrs for MaxPool2dDx {
    fn check(&self) -> Result<(), ArgError> {
        self.forward.check()
    }
}

impl Op for MaxPool2dDx {
    fn name(&self) -> &'static str {
        "max_pool2d.dx"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, dy) = (&inputs[0], &inputs[1]);
        let y = self.forward.infer(std::slice::from_ref(x), requirements)?;
        for (found, expected) in dy.dims().into_iter().zip(y.dims()) {
            let because = format!("`max_pool2d` makes {y} of {x}");
            requirements.equal(found, expected, because).map_err(|e| ShapeError { input: Some(1), ..e })?;
        }
        Ok(x.clone())
    }

    /// Of `x` all that lies in a window with the pixel.
    fn access(&self, input: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        let (window, i) = (self.forward.window(), axis.index());
        let [reach, dilation] = [window.kernel[i] - 1, window.dilation[i]].map(i64::from);
        match input {
            0 => AxisMap::Window { kernel: 2 * reach + 1, stride: 1, dilation, pad: reach * dilation },
            _ => windows_of(&window, axis),
        }
    }

    fn adds_up(&self) -> Option<usize> {
        Some(1)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        let window = self.forward.window();
        let [kh, kw] = window.kernel.map(u64::from);
        output[1] * kh * kw * overlap(&window)
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let (x, dy) = (operands.srcs[0], operands.srcs[1]);
        vec![Instr::MaxPoolDx(MaxPoolDx { dst: operands.dst, x, dy, window: self.forward.window() })]
    }
}

/// `dx = Σ dy / n` over the windows that the pixel is in, of which each counts n taps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AvgPool2dDx {
    pub(super) forward: AvgPool2d,
    /// Channels, rows and columns of the pool's input.
    pub(super) size: [u64; 3],
}

impl AvgPool2dDx {
    fn map(&self, axis: AxisId, dy: Sizes) -> LinearMap {
        let (window, margin, i) = (self.forward.window(), self.forward.margin(), axis.index());
        LinearMap {
            inputs: self.size[1 + i] as i64,
            outputs: dy[2 + i] as i64,
            taps: Taps::Averaged {
                kernel: window.kernel[i],
                stride: window.stride[i],
                pad: window.pad[i],
                margin: [margin[i], margin[2 + i]],
            },
        }
    }
}

impl FromAttrs for AvgPool2dDx {
    fn check(&self) -> Result<(), ArgError> {
        self.forward.check()?;
        check_size(self.size)
    }
}

impl Op for AvgPool2dDx {
    fn name(&self) -> &'static str {
        "avg_pool2d.dx"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        input_of(&self.forward, self.size, &inputs[0], requirements)
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        windows_of(&self.forward.window(), axis)
    }

    fn adds_up(&self) -> Option<usize> {
        Some(0)
    }

    fn flops(&self, _: &[Sizes], output: Sizes) -> u64 {
        2 * output[1] * overlap(&self.forward.window())
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let axes = AxisId::BOTH.map(|axis| self.map(axis, operands.inputs[0]));
        vec![Instr::Adjoint(Adjoint { dst: operands.dst, src: operands.srcs[0], axes })]
    }
}
