//! Convolution and transposed convolution. Shapes and defaults are PyTorch's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_grammar::Code;
use zellige_runtime::program::Packing;
use zellige_runtime::program::instr::{self, AxisId, Instr, Window};

use super::conv_gradient::{self, ConvDx, Forward};
use super::pad::{Pad, PadMode};
use super::{
    Absorbed, ArgError, ArgKind, ArgSpec, Args, Builder, Differentiable, FromAttrs, Gradients, Init, Inputs,
    Lowering, Op, OpDef, Outside, ParamSpec, Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Dim, ParamId, Shape, ValueId};

/// Largest channel count, kernel size, stride and the like: beyond it nothing is meant.
pub(super) const LARGEST: i64 = 1 << 16;

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::new(
            "conv2d",
            "Convolution.",
            Inputs::Named(&["x"]),
            [
                args().as_slice(),
                &[ArgSpec::new("pad_mode", ArgKind::Word(PadMode::WORDS)).elsewhere(&["padding_mode"])],
            ]
            .concat(),
            |args| {
                let pad_mode = PadMode::from_args(args, "pad_mode")?;
                Ok(Conv2d { geometry: Geometry::from_args(args)?, pad_mode, circular: None })
            },
        ),
        OpDef::new(
            "conv_transpose2d",
            "Transposed convolution.",
            Inputs::Named(&["x"]),
            [args().as_slice(), &[ArgSpec::new("output_pad", ArgKind::Pair).elsewhere(&["output_padding"])]]
                .concat(),
            |args| {
                let output_pad = args.pair("output_pad")?.unwrap_or([0; 2]);
                Ok(ConvTranspose2d { geometry: Geometry::from_args(args)?, output_pad })
            },
        ),
    ]
}

fn args() -> [ArgSpec; 7] {
    [
        ArgSpec::new("out", ArgKind::Int).required().elsewhere(&["out_channels", "filters", "channels"]),
        ArgSpec::new("kernel", ArgKind::Pair).required().elsewhere(&["kernel_size", "kernel_shape"]),
        ArgSpec::new("stride", ArgKind::Pair).elsewhere(&["strides"]),
        ArgSpec::new("pad", ArgKind::Sides).elsewhere(&["padding", "pads"]),
        ArgSpec::new("dilation", ArgKind::Pair).elsewhere(&["dilations"]),
        ArgSpec::new("groups", ArgKind::Int).elsewhere(&["group"]),
        ArgSpec::new("bias", ArgKind::Bool).elsewhere(&["use_bias"]),
    ]
}

/// What both kinds have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Geometry {
    pub(super) out: u32,
    pub(super) kernel: [u32; 2],
    pub(super) stride: [u32; 2],
    /// Top, left, bottom, right.
    pub(super) pad: [i64; 4],
    pub(super) dilation: [u32; 2],
    pub(super) groups: u32,
    pub(super) bias: bool,
}

impl Geometry {
    fn from_args(args: &Args) -> Result<Self, ArgError> {
        let missing = |arg| ArgError::new(arg, "is missing");
        Ok(Self {
            out: args.int("out")?.ok_or_else(|| missing("out"))?,
            kernel: args.pair("kernel")?.ok_or_else(|| missing("kernel"))?,
            stride: args.pair("stride")?.unwrap_or([1; 2]),
            pad: args.sides("pad")?.unwrap_or([0; 4]),
            dilation: args.pair("dilation")?.unwrap_or([1; 2]),
            groups: args.int("groups")?.unwrap_or(1),
            bias: args.bool("bias")?.unwrap_or(true),
        })
    }

    pub(super) fn check(&self) -> Result<(), ArgError> {
        positive("out", &[self.out])?;
        positive("kernel", &self.kernel)?;
        positive("stride", &self.stride)?;
        positive("dilation", &self.dilation)?;
        positive("groups", &[self.groups])?;
        if self.pad.iter().any(|p| !(0..=LARGEST).contains(p)) {
            return Err(ArgError::new("pad", format!("is between 0 and {LARGEST}, found {:?}", self.pad)));
        }
        if !self.out.is_multiple_of(self.groups) {
            let message =
                format!("is a multiple of `groups`, found {} with {} groups", self.out, self.groups);
            return Err(ArgError::new("out", message));
        }
        Ok(())
    }

    pub(super) fn window(&self) -> Window {
        Window {
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            pad: [self.pad[0], self.pad[1]],
        }
    }

    /// What a convolution reads.
    pub(super) fn sliding_window(&self, axis: AxisId) -> AxisMap {
        let i = axis.index();
        AxisMap::Window {
            kernel: self.kernel[i].into(),
            stride: self.stride[i].into(),
            dilation: self.dilation[i].into(),
            pad: self.pad[i],
        }
    }

    /// What a transposed convolution reads.
    pub(super) fn transposed_window(&self, axis: AxisId) -> AxisMap {
        let i = axis.index();
        AxisMap::Transposed {
            kernel: self.kernel[i].into(),
            stride: self.stride[i].into(),
            dilation: self.dilation[i].into(),
            pad: self.pad[i],
        }
    }

    /// `dilation · (kernel − 1) + 1`: the rows or columns that a window spans.
    fn span(&self, axis: usize) -> i64 {
        i64::from(self.dilation[axis]) * (i64::from(self.kernel[axis]) - 1) + 1
    }

    fn padding(&self, axis: usize) -> i64 {
        self.pad[axis] + self.pad[axis + 2]
    }

    /// Input channels, which the number of groups divides.
    pub(super) fn channels(&self, input: &Shape) -> Result<u64, ShapeError> {
        let c = static_channels(input)?;
        if !c.is_multiple_of(u64::from(self.groups)) {
            let message = format!("{c} channels cannot be divided into {} groups", self.groups);
            return Err(ShapeError::of_input(0, message).code(Code::E0307));
        }
        Ok(c)
    }

    /// Parameters, for weights of shape `[first, second, kh, kw]`. PyTorch's start: uniform in ±1/√fan_in.
    pub(super) fn params(&self, first: u64, second: u64, packing: Packing) -> Vec<ParamSpec> {
        let [kh, kw] = self.kernel.map(u64::from);
        let init = Init::Uniform(1.0 / ((second * kh * kw) as f32).sqrt());
        let weight = ParamSpec { suffix: "weight", dims: vec![first, second, kh, kw], packing, init };
        let bias = ParamSpec {
            suffix: "bias",
            dims: vec![u64::from(self.out)],
            packing: Packing::GroupedChannels { groups: self.groups },
            init,
        };
        if self.bias { vec![weight, bias] } else { vec![weight] }
    }

    /// The shape of the output for an input, whose rows and columns follow from the input's by `size`.
    fn output(
        &self,
        x: &Shape,
        mut size: impl FnMut(&Dim, usize) -> Result<Dim, ShapeError>,
    ) -> Result<Shape, ShapeError> {
        Ok(Shape { n: x.n.clone(), c: i64::from(self.out).into(), h: size(&x.h, 0)?, w: size(&x.w, 1)? })
    }

    /// With a bias.
    fn biased(&self) -> Self {
        Self { bias: true, ..self.clone() }
    }

    pub(super) fn per_group(&self, channels: u64) -> u64 {
        channels / u64::from(self.groups)
    }
}

/// Checks attributes that count something.
pub(super) fn positive(arg: &'static str, values: &[u32]) -> Result<(), ArgError> {
    match values.iter().find(|v| !(1..=LARGEST).contains(&i64::from(**v))) {
        Some(v) => Err(ArgError::new(arg, format!("is between 1 and {LARGEST}, found {v}"))),
        None => Ok(()),
    }
}

/// The channel count, which must not depend on symbols: parameters do.
pub(super) fn static_channels(input: &Shape) -> Result<u64, ShapeError> {
    let known =
        input.c.constant().and_then(|c| u64::try_from(c).ok()).filter(|c| (1..=LARGEST as u64).contains(c));
    known.ok_or_else(|| {
        ShapeError::of_input(
            0,
            format!("the number of channels must be an integer from 1 to {LARGEST}, found {}", input.c),
        )
        .code(Code::E0302)
    })
}

/// `⌊(size + padding − span) / stride⌋ + 1`, at least 1.
pub(super) fn window_size(
    size: &Dim,
    padding: i64,
    span: i64,
    stride: u32,
    axis: &str,
    requirements: &mut Requirements,
) -> Result<Dim, ShapeError> {
    let because = format!("the window spans {span} {axis} and the padding adds {padding}");
    requirements.at_least(size, (span - padding).max(1), because)?;
    Ok(size.plus(padding - span).floor_div(i64::from(stride)).plus(1))
}

/// Names of the axes in messages.
pub(super) const AXES: [&str; 2] = ["rows", "columns"];

/// 2-D convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conv2d {
    #[serde(flatten)]
    pub(super) geometry: Geometry,
    /// Other than `zero` it is an op of its own.
    #[serde(default, skip_serializing_if = "PadMode::is_zero")]
    pad_mode: PadMode,
    /// How far (top, left, bottom, right) its input is continued circularly. Only gradients ask; it changes nothing else, and is no
    /// attribute of the op's text.
    #[serde(skip)]
    circular: Option<[i64; 4]>,
}

impl Conv2d {
    /// The gradient of an input that is continued circularly, of so many rows and columns: that of what was continued, as if all of it stood
    /// inside, so that every pixel is summed in the same order, at the border as elsewhere; nothing is left for the border to fold back.
    /// `None` where the output has another size than what was continued.
    fn circular_dx(
        &self,
        [c, h, w]: [u64; 3],
        builder: &mut dyn Builder,
        at: &Differentiable<'_>,
    ) -> Option<ValueId> {
        let pad @ [top, left, bottom, right] = self.circular?;
        let before = [0, 1].map(|axis| self.geometry.span(axis) - 1);
        if before != [top + bottom, left + right] {
            return None;
        }
        // The output's gradient goes on like its input, by what windows reach from the other side.
        let continued = Pad::new([bottom, right, top, left], PadMode::Circular);
        let dy = builder.op(Arc::new(continued), &[at.gradient], &[]);
        let geometry =
            Geometry { pad: [before[0], before[1], before[0], before[1]], ..self.geometry.clone() };
        let forward = Self { geometry, pad_mode: PadMode::Zero, circular: None };
        let inner = |size: u64, both: i64| size.checked_sub(both.unsigned_abs());
        let size = [c, inner(h, top + bottom)?, inner(w, left + right)?];
        let dx = builder.op(Arc::new(ConvDx { forward, size }), &[dy], &at.params[..1]);
        Some(builder.op(Arc::new(Pad::new(pad, PadMode::Zero)), &[dx], &[]))
    }

    /// The padding that is an op of its own.
    fn explicit_pad(&self) -> Option<Pad> {
        (!self.pad_mode.is_zero()).then(|| Pad::new(self.geometry.pad, self.pad_mode))
    }
}

impl FromAttrs for Conv2d {
    fn check(&self) -> Result<(), ArgError> {
        self.geometry.check()
    }
}

impl Forward for Conv2d {
    const DX: &'static str = "conv2d.dx";
    const TRANSPOSED: bool = false;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, g) = (&inputs[0], &self.geometry);
        g.channels(x)?;
        if let Some(pad) = self.explicit_pad() {
            pad.padded(x, requirements)?;
        }
        g.output(x, |dim, i| window_size(dim, g.padding(i), g.span(i), g.stride[i], AXES[i], requirements))
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let g = &self.geometry;
        let inner = g.per_group(g.channels(&inputs[0])?);
        Ok(g.params(u64::from(g.out), inner, Packing::Conv { groups: g.groups }))
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        self.geometry.sliding_window(axis)
    }

    fn outside(&self, _: usize) -> Outside {
        Outside::Zero
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        let g = &self.geometry;
        let [kh, kw] = g.kernel.map(u64::from);
        2 * u64::from(g.out) * g.per_group(inputs[0][1]) * kh * kw
    }

    fn takes_epilogue(&self) -> bool {
        true
    }

    fn expand(&self, builder: &mut dyn Builder, inputs: &[ValueId], params: &[ParamId]) -> Option<ValueId> {
        let padded = builder.op(Arc::new(self.explicit_pad()?), inputs, &[]);
        let geometry = Geometry { pad: [0; 4], ..self.geometry.clone() };
        let circular = self.pad_mode == PadMode::Circular && self.geometry.stride == [1; 2];
        let circular = circular.then_some(self.geometry.pad);
        Some(builder.op(Arc::new(Self { geometry, pad_mode: PadMode::Zero, circular }), &[padded], params))
    }

    fn absorb_scaling(&self) -> Option<Absorbed> {
        let op = Self { geometry: self.geometry.biased(), ..self.clone() };
        Some(Absorbed { op: Arc::new(op), transposed: None })
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        if self.explicit_pad().is_some() {
            // The instruction pads with zeros alone: `canonicalize` has not been run.
            return Vec::new();
        }
        vec![Instr::Conv2d(instr::Conv2d {
            dst: operands.dst,
            src: operands.srcs[0],
            weight: operands.weights[0],
            bias: operands.weights.get(1).copied(),
            window: self.geometry.window(),
            groups: self.geometry.groups,
            epilogue: operands.epilogue.clone(),
        })]
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        conv_gradient::gradients(self, builder, at, |builder, size| {
            self.circular_dx(size, builder, at).unwrap_or_else(|| {
                let dx = ConvDx { forward: Self { circular: None, ..self.clone() }, size };
                builder.op(Arc::new(dx), &[at.gradient], &at.params[..1])
            })
        })
    }
}

/// 2-D transposed convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ConvTranspose2d {
    #[serde(flatten)]
    pub(super) geometry: Geometry,
    output_pad: [u32; 2],
}

impl FromAttrs for ConvTranspose2d {
    fn check(&self) -> Result<(), ArgError> {
        self.geometry.check()?;
        let fits = |i: usize| self.output_pad[i] < self.geometry.stride[i].max(self.geometry.dilation[i]);
        if fits(0) && fits(1) {
            Ok(())
        } else {
            let message = format!("is smaller than the stride or the dilation, found {:?}", self.output_pad);
            Err(ArgError::new("output_pad", message))
        }
    }
}

impl Forward for ConvTranspose2d {
    const DX: &'static str = "conv_transpose2d.dx";
    const TRANSPOSED: bool = true;

    fn geometry(&self) -> &Geometry {
        &self.geometry
    }
}

impl Op for ConvTranspose2d {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, g) = (&inputs[0], &self.geometry);
        g.channels(x)?;
        g.output(x, |dim, i| {
            let more = g.span(i) - g.padding(i) + i64::from(self.output_pad[i]);
            let size = dim.plus(-1).times(g.stride[i].into()).plus(more);
            let because = format!("the padding drops {} {}", g.padding(i), AXES[i]);
            requirements.at_least(&size, 1, because).map(|()| size)
        })
    }

    fn params(&self, inputs: &[Shape]) -> Result<Vec<ParamSpec>, ShapeError> {
        let g = &self.geometry;
        let packing = Packing::ConvTranspose { groups: g.groups };
        Ok(g.params(g.channels(&inputs[0])?, g.per_group(g.out.into()), packing))
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        self.geometry.transposed_window(axis)
    }

    fn outside(&self, _: usize) -> Outside {
        Outside::Zero
    }

    fn flops(&self, inputs: &[Sizes], _: Sizes) -> u64 {
        let g = &self.geometry;
        let taps = |i: usize| u64::from(g.kernel[i]).div_ceil(g.stride[i].into());
        2 * u64::from(g.out) * g.per_group(inputs[0][1]) * taps(0) * taps(1)
    }

    fn takes_epilogue(&self) -> bool {
        true
    }

    fn absorb_scaling(&self) -> Option<Absorbed> {
        let op = Self { geometry: self.geometry.biased(), ..self.clone() };
        Some(Absorbed { op: Arc::new(op), transposed: Some(self.geometry.groups) })
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        vec![Instr::ConvTranspose2d(instr::ConvTranspose2d {
            dst: operands.dst,
            src: operands.srcs[0],
            weight: operands.weights[0],
            bias: operands.weights.get(1).copied(),
            window: self.geometry.window(),
            groups: self.geometry.groups,
            epilogue: operands.epilogue.clone(),
        })]
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        conv_gradient::gradients(self, builder, at, |builder, size| {
            let dx = ConvDx { forward: self.clone(), size };
            builder.op(Arc::new(dx), &[at.gradient], &at.params[..1])
        })
    }
}
