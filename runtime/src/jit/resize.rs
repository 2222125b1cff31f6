//! Resampling.

use cranelift_codegen::ir::types::{F32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::scope::Scope;
use crate::program::instr::{self, Coordinate, Filter};

/// Along each axis, `o` is an output, `i = ⌊(o · num + offset) / den⌋`, `f` the rest as a fraction, and `w` the weights that
/// follow from it:
///
/// ```text
/// for each block of channels, (y, x) in valid, c in block:
///     for (j, v) in weights of y:
///         iy = clamp(i(y) + j, rows of src)
///         for (k, w) in weights of x:
///             ix = clamp(i(x) + k, columns of src)
///             row = w · src[c, iy, ix]             or, after the first,  fma(w, src[c, iy, ix], row)
///         acc = v · row                            or, after the first,  fma(v, row, acc)
///     dst[c, y, x] = acc
/// fill the rest
/// ```
pub(super) struct Resize {
    dst: TileBuffer,
    src: TileBuffer,
    filter: Filter,
    coordinates: [Coordinate; 2],
}

/// A tap along an axis: the source's coordinate, and its weight.
pub(super) struct Tap {
    pub(super) source: Value,
    /// `None` where there is nothing to weigh.
    pub(super) weight: Option<Value>,
}

impl Resize {
    pub(super) fn new(scope: &Scope<'_>, resize: &instr::Resize) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(resize.dst)?, scope.buffer(resize.src)?);
        if resize.coordinates.iter().any(|at| at.den < 1) {
            return Err(JitError::Malformed("the denominator of a coordinate is below 1"));
        }
        Ok(Self { dst, src, filter: resize.filter, coordinates: resize.coordinates })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        let width = Width::four_if(self.dst.is_wide() && self.src.is_wide());
        self.dst.write(e, width, 0..self.dst.channels, |e, c, y, x| {
            let rows = taps(e, self.coordinates[0], self.filter, self.src.rows, y);
            let cols = taps(e, self.coordinates[1], self.filter, self.src.cols, x);
            weighted(e, width, &rows, |e, row| {
                weighted(e, width, &cols, |e, col| self.src.load(e, width, c, row, col))
            })
        });
    }
}

/// The taps of output `o` along an axis of which the source has `extent` pixels.
pub(super) fn taps(e: &mut Emitter<'_>, at: Coordinate, filter: Filter, extent: i64, o: Value) -> Vec<Tap> {
    let arguments = [e.int(at.num), e.int(at.offset), e.int(at.den), o];
    let pixel = e.call(pixel as *const u8, &arguments, I64);
    let weights = match filter {
        Filter::Nearest => vec![None],
        Filter::Linear | Filter::Cubic => {
            let fraction = e.call(fraction as *const u8, &arguments, F32);
            weights(e, filter, fraction).into_iter().map(Some).collect()
        }
    };
    let offsets = filter.taps().start..;
    let taps = offsets.zip(weights).map(|(offset, weight)| {
        let (offset, first, last) = (e.int(offset), e.int(0), e.int(extent - 1));
        let at = e.add(pixel, offset);
        let at = e.min(at, last);
        Tap { source: e.max(at, first), weight }
    });
    taps.collect()
}

/// The weights for a fraction, as in the canonical order.
fn weights(e: &mut Emitter<'_>, filter: Filter, f: Value) -> Vec<Value> {
    let one = e.float(Width::One, 1.0);
    let g = e.builder.ins().fsub(one, f);
    if filter == Filter::Linear {
        return vec![g, f];
    }
    let outer = |e: &mut Emitter<'_>, near: Value, far: Value| {
        let a = e.float(Width::One, -0.75);
        let product = e.builder.ins().fmul(a, near);
        let product = e.builder.ins().fmul(product, far);
        e.builder.ins().fmul(product, far)
    };
    let inner = |e: &mut Emitter<'_>, t: Value| {
        let [a, b] = [1.25, -2.25].map(|v| e.float(Width::One, v));
        let (slope, square) = (e.builder.ins().fma(a, t, b), e.builder.ins().fmul(t, t));
        e.builder.ins().fma(slope, square, one)
    };
    vec![outer(e, f, g), inner(e, f), inner(e, g), outer(e, g, f)]
}

/// The values at some taps, weighed and summed.
fn weighted(
    e: &mut Emitter<'_>,
    width: Width,
    taps: &[Tap],
    value: impl Fn(&mut Emitter<'_>, Value) -> Value,
) -> Value {
    let mut acc = None;
    for tap in taps {
        let value = value(e, tap.source);
        let weight = tap.weight.map(|w| e.splat(width, w));
        acc = Some(match (weight, acc) {
            (None, _) => value,
            (Some(weight), None) => e.builder.ins().fmul(weight, value),
            (Some(weight), Some(acc)) => e.builder.ins().fma(weight, value, acc),
        });
    }
    acc.expect("a filter has taps")
}

/// [`Coordinate::floor`], called by compiled code.
extern "C" fn pixel(num: i64, offset: i64, den: i64, o: i64) -> i64 {
    Coordinate { num, offset, den }.floor(o)
}

/// [`Coordinate::fraction`], called by compiled code.
extern "C" fn fraction(num: i64, offset: i64, den: i64, o: i64) -> f32 {
    let at = Coordinate { num, offset, den };
    at.fraction(at.split(o).1)
}
