//! The same values as another tensor: `reshape`, `flatten`, and `transpose` of rows and columns. All of them are loads that
//! address device memory in another way.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zellige_runtime::program::instr::{Addressing, AxisId};

use super::{
    ArgError, ArgKind, ArgSpec, Builder, Differentiable, FromAttrs, Gradients, Inputs, Op, OpDef, Placement,
    Requirements, ShapeError, Sizes, attrs_of,
};
use crate::base::{AxisMap, Bindings, Dim, Shape};

pub(super) fn defs() -> Vec<OpDef> {
    vec![
        OpDef::new(
            "reshape",
            "The values in raster order as a tensor of another shape.",
            Inputs::Named(&["x"]),
            vec![ArgSpec::new("shape", ArgKind::Shape).required().elsewhere(&["size", "sizes"])],
            |args| {
                let shape = args.shape("shape")?.ok_or_else(|| ArgError::new("shape", "is missing"))?;
                Ok(Reshape { shape })
            },
        ),
        OpDef::new(
            "flatten",
            "All values of an image as channels of one pixel.",
            Inputs::Named(&["x"]),
            Vec::new(),
            |_| Ok(Flatten {}),
        ),
        OpDef::new("transpose", "Rows as columns.", Inputs::Named(&["x"]), Vec::new(), |_| Ok(Transpose {})),
    ]
}

/// Another shape of each image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reshape {
    /// Channels, rows, columns; one of them may be −1, for what is left.
    shape: [Dim; 3],
}

impl Reshape {
    fn open(&self) -> Option<usize> {
        self.shape.iter().position(|d| d.constant() == Some(-1))
    }

    /// What must stand in place of the −1, so that `others` times it is all of `x`.
    fn rest(&self, x: &Shape, others: &Dim, requirements: &mut Requirements) -> Result<Dim, ShapeError> {
        let all = volume([&x.c, &x.h, &x.w]);
        if let Some((rest, divisor)) = all.cancelled(others).filter(|(_, divisor)| *divisor > 0) {
            requirements.multiple(&rest, divisor, format!("{x} is reshaped into parts of {others}"))?;
            return Ok(rest.floor_div(divisor));
        }
        // A sum is found where it is one of the sizes, or their product.
        let some = |chosen: usize| {
            let of = [&x.c, &x.h, &x.w].into_iter().enumerate().filter(move |(i, _)| chosen >> i & 1 == 1);
            volume(of.map(|(_, size)| size))
        };
        (0..8).map(some).find(|rest| rest.mul(others) == all).ok_or_else(|| {
            ShapeError::of_input(0, format!("{all} values cannot be divided by {others}"))
                .hint("write the size in place of -1")
        })
    }
}

/// The gradient of an op that keeps the raster order: in the input's shape.
fn reshaped_back(builder: &mut dyn Builder, at: &Differentiable<'_>) -> Gradients {
    let Shape { c, h, w, .. } = at.shape(builder, 0);
    Gradients::of_input(builder.op(Arc::new(Reshape { shape: [c, h, w] }), &[at.gradient], &[]))
}

fn volume<'a>(sizes: impl IntoIterator<Item = &'a Dim>) -> Dim {
    sizes.into_iter().fold(Dim::from(1), |product, size| product.mul(size))
}

impl FromAttrs for Reshape {
    fn check(&self) -> Result<(), ArgError> {
        let sizes = || self.shape.iter().filter_map(Dim::constant);
        if let Some(size) = sizes().find(|size| *size < -1 || *size == 0) {
            return Err(ArgError::new("shape", format!("has sizes of at least 1, found {size}")));
        }
        if sizes().filter(|size| *size == -1).count() > 1 {
            return Err(ArgError::new("shape", "has one -1 at most"));
        }
        Ok(())
    }
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], requirements: &mut Requirements) -> Result<Shape, ShapeError> {
        let (x, mut shape) = (&inputs[0], self.shape.clone());
        for size in shape.iter().filter(|d| d.constant().is_none()) {
            requirements.at_least(size, 1, format!("{x} is reshaped to it"))?;
        }
        match self.open() {
            Some(at) => {
                let others = volume(shape.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, d)| d));
                shape[at] = self.rest(x, &others, requirements)?;
            }
            None => {
                let (all, wanted) = (volume([&x.c, &x.h, &x.w]), volume(&shape));
                requirements.equal(&wanted, &all, format!("{x} is reshaped"))?;
            }
        }
        let [c, h, w] = shape;
        Ok(Shape { n: x.n.clone(), c, h, w })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn placement(&self) -> Placement {
        Placement::Boundary(Addressing::Reshaped)
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn is_identity(&self, inputs: &[Shape]) -> bool {
        let output = self.infer(inputs, &mut Requirements::default());
        output.is_ok_and(|output| output == inputs[0])
    }

    fn substitute(&self, bindings: &Bindings) -> Option<Arc<dyn Op>> {
        let symbols = self.shape.iter().any(|d| d.constant().is_none());
        symbols.then(|| Arc::new(Self { shape: self.shape.each_ref().map(|d| d.substitute(bindings)) }) as _)
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        Some(reshaped_back(builder, at))
    }
}

/// `[n, c, h, w]` to `[n, c·h·w, 1, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flatten {}

impl FromAttrs for Flatten {}

impl Op for Flatten {
    fn name(&self) -> &'static str {
        "flatten"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        let x = &inputs[0];
        Ok(Shape { n: x.n.clone(), c: volume([&x.c, &x.h, &x.w]), h: 1.into(), w: 1.into() })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn placement(&self) -> Placement {
        Placement::Boundary(Addressing::Reshaped)
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn is_identity(&self, inputs: &[Shape]) -> bool {
        [&inputs[0].h, &inputs[0].w].into_iter().all(|d| d.constant() == Some(1))
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        Some(reshaped_back(builder, at))
    }
}

/// `out[n, c, y, x] = in[n, c, x, y]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transpose {}

impl FromAttrs for Transpose {}

impl Op for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn attrs(&self) -> Value {
        attrs_of(self)
    }

    fn infer(&self, inputs: &[Shape], _: &mut Requirements) -> Result<Shape, ShapeError> {
        let Shape { n, c, h, w } = inputs[0].clone();
        Ok(Shape { n, c, h: w, w: h })
    }

    fn access(&self, _: usize, _: AxisId, _: &[Sizes]) -> AxisMap {
        AxisMap::All
    }

    fn placement(&self) -> Placement {
        Placement::Boundary(Addressing::Transposed)
    }

    fn flops(&self, _: &[Sizes], _: Sizes) -> u64 {
        0
    }

    fn is_identity(&self, inputs: &[Shape]) -> bool {
        [&inputs[0].h, &inputs[0].w].into_iter().all(|d| d.constant() == Some(1))
    }

    fn gradient(&self, builder: &mut dyn Builder, at: &Differentiable<'_>) -> Option<Gradients> {
        Some(Gradients::of_input(builder.op(Arc::new(Self {}), &[at.gradient], &[])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reshaped(x: &Shape, shape: [Dim; 3]) -> Result<(Shape, usize), ShapeError> {
        let mut requirements = Requirements::default();
        Reshape { shape }
            .infer(std::slice::from_ref(x), &mut requirements)
            .map(|s| (s, requirements.open.len()))
    }

    #[test]
    fn the_size_left_out_is_found() {
        let (h, w, open) = (Dim::symbol("H"), Dim::symbol("W"), Dim::from(-1));
        let x = Shape::new(2, 6, h.clone(), w.clone());
        let all = h.mul(&w).times(6);
        for (shape, found, requirements) in [
            ([open.clone(), h.clone(), w.clone()], Dim::from(6), 2),
            ([Dim::from(3), open.clone(), 1.into()], h.mul(&w).times(2), 0),
            ([w.times(2), open.clone(), 1.into()], h.times(3), 1),
            ([w.times(4), open.clone(), 1.into()], h.times(6).floor_div(4), 2),
            ([open.clone(), 1.into(), 1.into()], all, 0),
        ] {
            let at = shape.iter().position(|d| *d == open).unwrap();
            let (shape, asked) = reshaped(&x, shape).unwrap();
            assert_eq!((shape.dims()[at + 1], asked), (&found, requirements));
        }
        let padded = Shape::new(1, 6, h.plus(2), w.clone());
        let (shape, _) = reshaped(&padded, [open.clone(), h.plus(2), 1.into()]).unwrap();
        assert_eq!(shape.c, w.times(6));
        assert!(reshaped(&padded, [open, h.plus(1), 1.into()]).is_err());
    }
}
