//! Some of the channels.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{AxisId, Copy, Instr};

use super::conv::LARGEST;
use super::gradient::{number, repeat};
use super::shape::Concat;
use super::{
    ArgError, ArgKind, ArgSpec, Builder, Differentiable, FromAttrs, Gradients, Inputs, Lowering, Op, OpDef,
    Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    let spec = |name, elsewhere| ArgSpec::new(name, ArgKind::Int).required().elsewhere(elsewhere);
    vec![OpDef::new(
        "slice",
        "The channels from `from` up to, and without, `to`.",
        Inputs::Named(&["x"]),
        vec![spec("from", &["start", "starts"]), spec("to", &["end", "ends", "stop"])],
        |args| {
            let int = |name| args.int(name)?.ok_or_else(|| ArgError::new(name, "is missing"));
            Ok(Slice { from: int("from")?, to: int("to")? })
        },
    )]
}

/// A run of channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slice {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl FromAttrs for Slice {
    fn check(&self) -> Result<(), ArgError> {
        if !(0..LARGEST).contains(&self.from) {
            return Err(ArgError::new(
                "from",
                format!("is between 0 and {}, found {}", LARGEST - 1, self.from),
            ));
        }
        if !(self.from + 1..=LARGEST).contains(&self.to) {
            let message =
                format!("is beyond `from`, {}, and at most {LARGEST}, found {}", self.from, self.to);
            return Err(ArgError::new("to", message));
        }
        Ok(())
    }
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let x = &inputs[0];
        requirements.at_least(&x.c, self.to, format!("the slice ends at channel {}", self.to))?;
        Ok(Shape { c: (self.to - self.from).into(), ..x.clone() })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::Identity
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn lower(&self, operands: &Lowering<'_>) -> Vec<Instr> {
        vec![Instr::Copy(Copy {
            dst: operands.dst,
            src: operands.srcs[0],
            channel: 0,
            from: self.from as u64,
            channels: (self.to - self.from) as u64,
            shift: [0; 2],
            outside: 0.0,
            fold: None,
        })]
    }

    fn is_identity(&self, inputs: &[Shape]) -> bool {
        self.from == 0 && inputs[0].c.constant() == Some(self.to)
    }

    /// Zeros for the channels that are left out, as many as the input has there.
    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        let channels = at.shape(builder, 0).c.constant()?;
        let mut zeros = |from: i64, to: i64| {
            let left_out = builder.op(Arc::new(Self { from, to }), at.inputs, &[]);
            let zero = number(builder, 0.0);
            repeat(builder, zero, left_out)
        };
        let mut parts = Vec::new();
        if self.from > 0 {
            parts.push(zeros(0, self.from));
        }
        parts.push(at.gradient);
        if self.to < channels {
            parts.push(zeros(self.to, channels));
        }
        Some(Gradients::of_input(builder.op(Arc::new(Concat {}), &parts, &[])))
    }
}
