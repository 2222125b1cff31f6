//! Convolution and transposed convolution, in the canonical order of the runtime: weight and bias are parameters.

use serde::Deserialize;

use super::{Definition, Meaning, Operation, Window};

/// A convolution over zeros outside the extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Convolution {
    /// Whether it is transposed.
    pub(in super::super) transposed: bool,
    /// Its window.
    pub(in super::super) window: Window,
    /// Groups of channels.
    pub(in super::super) groups: u32,
}

impl Convolution {
    pub(super) fn sources(&self, axis: usize, o: i64, found: &mut Vec<i64>) {
        if self.transposed {
            self.window.transposed_sources(axis, o, found);
        } else {
            self.window.sources(axis, o, found);
        }
    }
}

/// The gradient of a convolution's weights: for each, the sum over images and pixels of `dy`, in the canonical order, of `dy` times
/// what the weight's tap reads of `x` for that pixel, or +0 where that lies outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Products {
    /// The convolution.
    pub(in super::super) of: Convolution,
}

impl Products {
    /// The operand whose pixels are gone over.
    pub(super) const DY: usize = 1;

    /// What is read for pixel `o` of `dy`.
    pub(super) fn sources(&self, operand: usize, axis: usize, o: i64, found: &mut Vec<i64>) {
        if operand == Self::DY { found.push(o) } else { self.of.sources(axis, o, found) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "fields that shape the result or its parameters, which are compared themselves")]
struct Attrs {
    out: u32,
    kernel: [u32; 2],
    stride: [u32; 2],
    pad: [i64; 4],
    dilation: [u32; 2],
    groups: u32,
    bias: bool,
    #[serde(default)]
    output_pad: [u32; 2],
}

pub(super) fn conv2d(op: &Operation<'_>) -> Option<Definition> {
    convolution(op, false)
}

pub(super) fn conv_transpose2d(op: &Operation<'_>) -> Option<Definition> {
    convolution(op, true)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "fields that shape the result or its parameters, which are compared themselves")]
struct LinearAttrs {
    out: u32,
    bias: bool,
}

/// A convolution of one pixel.
pub(super) fn linear(op: &Operation<'_>) -> Option<Definition> {
    let _: LinearAttrs = op.attrs()?;
    let window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 2] };
    let one_pixel = op.inputs.first().is_some_and(|s| s[2..] == [1, 1]);
    let convolution = Convolution { transposed: false, window, groups: 1 };
    one_pixel.then_some(Definition::Apply(Meaning::Convolution(convolution)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the size of the result, which is compared itself")]
struct DxAttrs {
    forward: Attrs,
    size: [u64; 3],
}

/// The gradient of a convolution's input: `x[i]` went into `y[o]` by tap k where `i = o·stride − pad + k·dilation`, which is what a
/// transposed convolution from y to x says.
pub(super) fn conv2d_dx(op: &Operation<'_>) -> Option<Definition> {
    let DxAttrs { forward, .. } = op.attrs()?;
    of_attrs(&forward, true)
}

/// The gradient of a transposed convolution's input, likewise.
pub(super) fn conv_transpose2d_dx(op: &Operation<'_>) -> Option<Definition> {
    let DxAttrs { forward, .. } = op.attrs()?;
    of_attrs(&forward, false)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the size of the result, which is compared itself")]
struct LinearDxAttrs {
    inner: u64,
}

/// The gradient of a fully connected layer's input.
pub(super) fn linear_dx(op: &Operation<'_>) -> Option<Definition> {
    let _: LinearDxAttrs = op.attrs()?;
    let window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 2] };
    let one_pixel = op.inputs.first().is_some_and(|s| s[2..] == [1, 1]);
    let convolution = Convolution { transposed: true, window, groups: 1 };
    one_pixel.then_some(Definition::Apply(Meaning::Convolution(convolution)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "fields that shape the result, which is compared itself")]
struct DwAttrs {
    out: u32,
    kernel: [u32; 2],
    stride: [u32; 2],
    pad: [i64; 4],
    dilation: [u32; 2],
    groups: u32,
    bias: bool,
    transposed: bool,
}

/// The gradient of a convolution's weights.
pub(super) fn conv2d_dw(op: &Operation<'_>) -> Option<Definition> {
    let DwAttrs { kernel, stride, pad, dilation, groups, transposed, .. } = op.attrs()?;
    let window = Window {
        kernel: kernel.map(i64::from),
        stride: stride.map(i64::from),
        dilation: dilation.map(i64::from),
        pad: [pad[0], pad[1]],
    };
    let of = Convolution { transposed, window: window.bounded()?, groups };
    Some(Definition::Apply(Meaning::Products(Products { of })))
}

fn convolution(op: &Operation<'_>, transposed: bool) -> Option<Definition> {
    of_attrs(&op.attrs()?, transposed)
}

fn of_attrs(attrs: &Attrs, transposed: bool) -> Option<Definition> {
    let window = Window {
        kernel: attrs.kernel.map(i64::from),
        stride: attrs.stride.map(i64::from),
        dilation: attrs.dilation.map(i64::from),
        pad: [attrs.pad[0], attrs.pad[1]],
    };
    let convolution = Convolution { transposed, window: window.bounded()?, groups: attrs.groups };
    Some(Definition::Apply(Meaning::Convolution(convolution)))
}
