//! Concatenation and cropping.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{AxisId, Copy, Instr};

use super::pad::{Pad, PadMode};
use super::slice::Slice;
use super::{
    ArgError, ArgKind, ArgSpec, Args, Builder, Differentiable, FromAttrs, Gradients, Inputs, Lowering, Op,
    OpDef, Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Bindings, Dim, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::new(
            "concat",
            "Channels of all inputs, one after the other.",
            Inputs::Many,
            vec![ArgSpec::new("axis", ArgKind::Int).elsewhere(&["dim"])],
            |args| match args.int::<i64>("axis")?.unwrap_or(1) {
                1 => Ok(Concat {}),
                axis => Err(ArgError::new("axis", format!("is 1 (channels), found {axis}"))),
            },
        ),
        OpDef::new(
            "crop",
            "Rows and columns taken off the borders.",
            Inputs::Named(&["x"]),
            Sides::args(),
            |args| Ok(Crop { sides: Sides::from_args(args)? }),
        ),
    ]
}

/// Concatenation over channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Concat {}

impl FromAttrs for Concat {}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let first = &inputs[0];
        let mut channels = first.c.clone();
        for (i, x) in inputs.iter().enumerate().skip(1) {
            let because = || format!("concat joins {first} with {x}, which differ in more than channels");
            for (a, b) in [(&first.n, &x.n), (&first.h, &x.h), (&first.w, &x.w)] {
                requirements.equal(a, b, because()).map_err(|e| ShapeError { input: Some(i), ..e })?;
            }
            channels = channels.add(&x.c);
        }
        Ok(Shape { c: channels, ..first.clone() })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let mut channel = 0;
        let parts = operands.srcs.iter().zip(operands.inputs);
        parts
            .map(|(&src, sizes)| {
                let copy = Copy {
                    dst: operands.dst,
                    src,
                    channel,
                    from: 0,
                    channels: sizes[1],
                    shift: [0; 2],
                    outside: 0.0,
                    fold: None,
                };
                channel += sizes[1];
                Instr::Copy(copy)
            })
            .collect()
    }

    fn is_identity(&self, inputs: &[Shape]) -> bool {
        inputs.len() == 1
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let mut end = 0;
        let mut part = |i: usize| {
            let from = end;
            end += at.shape(builder, i).c.constant()?;
            Some(Some(builder.op(Arc::new(Slice { from, to: end }), &[at.gradient], &[])))
        };
        Some(Gradients {
            inputs: (0..at.inputs.len()).map(&mut part).collect::<Option<_>>()?,
            params: Vec::new(),
        })
    }
}

/// Amounts at the four borders, which may depend on symbols.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sides {
    pub(super) top: Dim,
    pub(super) left: Dim,
    pub(super) bottom: Dim,
    pub(super) right: Dim,
}

impl Sides {
    pub(super) fn args() -> Vec<ArgSpec> {
        ["top", "left", "bottom", "right"].map(|name| ArgSpec::new(name, ArgKind::Size)).to_vec()
    }

    pub(super) fn from_args(args: &Args) -> Result<Self, ArgError> {
        let side = |name| Ok(args.size(name)?.unwrap_or_default());
        Ok(Self { top: side("top")?, left: side("left")?, bottom: side("bottom")?, right: side("right")? })
    }

    pub(super) fn each(&self) -> [(&'static str, &Dim); 4] {
        [("top", &self.top), ("left", &self.left), ("bottom", &self.bottom), ("right", &self.right)]
    }

    pub(super) fn check(&self) -> Result<(), ArgError> {
        match self.each().into_iter().find(|(_, d)| d.constant().is_some_and(|v| v < 0)) {
            Some((name, amount)) => Err(ArgError::new(name, format!("is not negative, found {amount}"))),
            None => Ok(()),
        }
    }

    pub(super) fn require_not_negative(
        &self,
        requirements: &mut Requirements,
        op: &str,
    ) -> Result<(), ShapeError> {
        for (name, amount) in self.each() {
            requirements.at_least(amount, 0, format!("it is the `{name}` of {op}"))?;
        }
        Ok(())
    }

    /// Leading amount along an axis; sizes are known when it is asked for.
    pub(super) fn leading(&self, axis: AxisId) -> i64 {
        let amount = if axis == AxisId::Y { &self.top } else { &self.left };
        amount.constant().unwrap_or(0)
    }

    pub(super) fn is_zero(&self) -> bool {
        self.each().into_iter().all(|(_, d)| d.constant() == Some(0))
    }

    pub(super) fn has_symbols(&self) -> bool {
        self.each().into_iter().any(|(_, d)| d.constant().is_none())
    }

    pub(super) fn substitute(&self, bindings: &Bindings) -> Self {
        let [top, left, bottom, right] = self.each().map(|(_, d)| d.substitute(bindings));
        Self { top, left, bottom, right }
    }
}

/// Cropping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Crop {
    pub(super) sides: Sides,
}

/// The op that takes rows and columns off the borders: top, left, bottom, right.
pub(crate) fn cropped(amounts: [i64; 4]) -> Arc<dyn Op> {
    let [top, left, bottom, right] = amounts.map(Dim::from);
    Arc::new(Crop { sides: Sides { top, left, bottom, right } })
}

impl FromAttrs for Crop {
    fn check(&self) -> Result<(), ArgError> {
        self.sides.check()
    }
}

impl Op for Crop {
    fn name(&self) -> &'static str {
        "crop"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, s) = (&inputs[0], &self.sides);
        s.require_not_negative(requirements, "a crop")?;
        let mut size = |dim: &Dim, a: &Dim, b: &Dim| {
            let size = dim.sub(a).sub(b);
            requirements.at_least(&size, 1, format!("the crop takes {} off {dim}", a.add(b))).map(|()| size)
        };
        Ok(Shape { h: size(&x.h, &s.top, &s.bottom)?, w: size(&x.w, &s.left, &s.right)?, ..x.clone() })
    }

    fn access(&self, _: usize, axis: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Shift { by: self.sides.leading(axis) }
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        let shift = AxisId::BOTH.map(|axis| self.sides.leading(axis));
        let (dst, src, channels) = (operands.dst, operands.srcs[0], operands.inputs[0][1]);
        vec![Instr::Copy(Copy { dst, src, channel: 0, from: 0, channels, shift, outside: 0.0, fold: None })]
    }

    fn is_identity(&self, _: &[Shape]) -> bool {
        self.sides.is_zero()
    }

    fn substitute(&self, bindings: &Bindings) -> Option<Arc<dyn Op>> {
        self.sides.has_symbols().then(|| Arc::new(Self { sides: self.sides.substitute(bindings) }) as _)
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let pad = Pad { sides: self.sides.clone(), mode: PadMode::Zero, value: 0.0 };
        Some(Gradients::of_input(builder.op(Arc::new(pad), &[at.gradient], &[])))
    }
}
