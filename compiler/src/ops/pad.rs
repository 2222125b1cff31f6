//! Padding: with a value, mirrored, with the border pixels, or with the opposite border. Semantics are PyTorch's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_grammar::zir::serde_float;
use zellige_runtime::program::instr::{Addressing, AxisId, Copy, Folding, Instr};

use super::conv::AXES;
use super::pad_gradient::gradient;
use super::shape::{Crop, Sides};
use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, Differentiable, FromAttrs, Gradients, Inputs, Lowering, Op,
    OpDef, Placement, Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Bindings, Dim, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    let mode = ArgSpec::new("mode", ArgKind::Word(PadMode::WORDS)).elsewhere(&["padding_mode"]);
    let value = ArgSpec::new("value", ArgKind::Float).elsewhere(&["constant_value"]);
    vec![OpDef::new(
        "pad",
        "Rows and columns added at the borders: of a value, or of the tensor's own pixels.",
        Inputs::Named(&["x"]),
        [Sides::args(), vec![mode, value]].concat(),
        |args| {
            let value = args.float("value")?.map_or(0.0, |v| v as f32);
            Ok(Pad { sides: Sides::from_args(args)?, mode: PadMode::from_args(args, "mode")?, value })
        },
    )]
}

/// What stands in the padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PadMode {
    /// A value, 0 if none is given.
    #[default]
    Zero,
    /// The pixels beside the border, mirrored at the border pixel.
    Reflect,
    /// The border pixel.
    Replicate,
    /// The pixels at the opposite border.
    Circular,
}

impl PadMode {
    pub(super) const WORDS: &[&str] = &["zero", "reflect", "replicate", "circular"];

    pub(super) fn from_args(args: &Args, name: &'static str) -> Result<Self, ArgError> {
        Ok(match args.word(name, Self::WORDS)? {
            Some("reflect") => Self::Reflect,
            Some("replicate") => Self::Replicate,
            Some("circular") => Self::Circular,
            _ => Self::Zero,
        })
    }

    pub(super) fn is_zero(&self) -> bool {
        *self == Self::Zero
    }

    /// That there is enough of the tensor: a mirrored border leaves out the border pixel, and a wrapped one wraps once.
    pub(super) fn require(
        self,
        sides: &Sides,
        x: &Shape,
        requirements: &mut Requirements,
    ) -> Result<(), ShapeError> {
        let (besides, padded) = match self {
            Self::Zero | Self::Replicate => return Ok(()),
            Self::Reflect => (1, "mirrors as many"),
            Self::Circular => (0, "repeats as many"),
        };
        for (i, (side, amount)) in sides.each().into_iter().enumerate() {
            let (size, axis) = ([&x.h, &x.w][i % 2], AXES[i % 2]);
            let because = format!("`{side}: {amount}` {padded} {axis}");
            match amount.constant() {
                Some(0) => {}
                Some(amount) => requirements.at_least(size, amount.saturating_add(besides), because)?,
                None => requirements.at_least(&size.sub(amount), besides, because)?,
            }
        }
        Ok(())
    }
}

/// The op that goes on with the pixels of the opposite borders: top, left, bottom, right.
pub(crate) fn padded_circularly(amounts: [i64; 4]) -> Arc<dyn Op> {
    Arc::new(Pad::new(amounts, PadMode::Circular))
}

/// Padding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pad {
    #[serde(flatten)]
    pub(super) sides: Sides,
    #[serde(default, skip_serializing_if = "PadMode::is_zero")]
    pub(super) mode: PadMode,
    /// What mode `zero` pads with.
    #[serde(default, with = "serde_float", skip_serializing_if = "is_positive_zero")]
    pub(super) value: f32,
}

fn is_positive_zero(value: &f32) -> bool {
    value.to_bits() == 0
}

impl Pad {
    /// Of amounts that are known: top, left, bottom, right.
    pub(super) fn new(amounts: [i64; 4], mode: PadMode) -> Self {
        let [top, left, bottom, right] = amounts.map(Dim::from);
        Self { sides: Sides { top, left, bottom, right }, mode, value: 0.0 }
    }

    /// Top, left, bottom, right; `None` where a symbol is open.
    fn amounts(&self) -> Option<[i64; 4]> {
        let [top, left, bottom, right] = self.sides.each().map(|(_, amount)| amount.constant());
        Some([top?, left?, bottom?, right?])
    }

    /// From output to input coordinates.
    fn shift(&self) -> [i64; 2] {
        AxisId::BOTH.map(|axis| -self.sides.leading(axis))
    }

    /// What the padding asks of a tensor, and the shape that comes out.
    pub(super) fn padded(&self, x: &Shape, requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let s = &self.sides;
        s.require_not_negative(requirements, "a pad")?;
        self.mode.require(s, x, requirements)?;
        Ok(Shape { h: x.h.add(&s.top).add(&s.bottom), w: x.w.add(&s.left).add(&s.right), ..x.clone() })
    }
}

impl FromAttrs for Pad {
    fn check(&self) -> Result<(), ArgError> {
        if self.value.is_nan() {
            return Err(ArgError::new("value", "is a number"));
        }
        if !self.mode.is_zero() && self.value != 0.0 {
            return Err(ArgError::new("value", "goes with mode \"zero\""));
        }
        self.sides.check()
    }
}

impl Op for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        self.padded(&inputs[0], requirements)
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        let by = self.shift()[axis.index()];
        match self.mode {
            PadMode::Zero => AxisMap::Shift { by },
            PadMode::Reflect => AxisMap::Mirrored { by },
            PadMode::Replicate => AxisMap::Clamped { by },
            PadMode::Circular => AxisMap::Wrapped { by },
        }
    }

    fn placement(&self) -> Placement {
        match self.mode {
            PadMode::Circular => Placement::Boundary(Addressing::Wrapped { shift: self.shift() }),
            PadMode::Zero | PadMode::Reflect | PadMode::Replicate => Placement::Tile,
        }
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn pads_circularly(&self) -> Option<[i64; 4]> {
        self.amounts().filter(|_| self.mode == PadMode::Circular)
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let fold = match self.mode {
            PadMode::Zero | PadMode::Circular => None,
            PadMode::Reflect => Some(Folding::Mirrored),
            PadMode::Replicate => Some(Folding::Clamped),
        };
        let (dst, src, channels) = (operands.dst, operands.srcs[0], operands.inputs[0][1]);
        let (shift, outside) = (self.shift(), self.value);
        vec![Instr::Copy(Copy { dst, src, channel: 0, from: 0, channels, shift, outside, fold })]
    }

    fn is_identity(&self, _: &[Shape]) -> bool {
        self.sides.is_zero()
    }

    fn substitute(&self, bindings: &Bindings) -> Option<Arc<dyn Op>> {
        let sides = self.sides.has_symbols().then(|| self.sides.substitute(bindings))?;
        Some(Arc::new(Self { sides, ..self.clone() }))
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        match self.mode {
            PadMode::Zero => {
                let crop = Crop { sides: self.sides.clone() };
                Some(Gradients::of_input(builder.op(Arc::new(crop), &[at.gradient], &[])))
            }
            PadMode::Reflect | PadMode::Replicate | PadMode::Circular => {
                Some(Gradients::of_input(gradient(builder, at.gradient, self.amounts()?, self.mode)))
            }
        }
    }
}
