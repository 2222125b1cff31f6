//! Transposes of linear maps.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Span, Width};
use super::gather::folded;
use super::resize;
use super::scope::Scope;
use crate::program::instr::{self, Border, Coordinate, Filter, Folding, LinearMap, Taps};

/// Along each axis, some range of outputs holds all that have a tap at the pixel:
///
/// ```text
/// for each block of channels, (y, x) in valid, c in block:
///     acc = +0
///     for oy in outputs around y, (i, v) in taps of oy, if i = y:
///         row = +0
///         for ox in outputs around x, (j, w) in taps of ox, if j = x:
///             row = fma(w, src[c, oy, ox], row)
///         acc = fma(v, row, acc)
///     dst[c, y, x] = acc
/// fill the rest
/// ```
pub(super) struct Adjoint {
    dst: TileBuffer,
    src: TileBuffer,
    axes: [LinearMap; 2],
}

/// A tap of an output: whether it is at the pixel in question, and its weight.
struct Tap {
    is_here: Value,
    weight: Value,
}

impl Adjoint {
    pub(super) fn new(scope: &Scope<'_>, adjoint: &instr::Adjoint) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(adjoint.dst)?, scope.buffer(adjoint.src)?);
        for map in &adjoint.axes {
            match map.taps {
                Taps::Resized { at, .. } if at.den < 1 => {
                    return Err(JitError::Malformed("the denominator of a coordinate is below 1"));
                }
                Taps::Averaged { stride: 0, .. } => return Err(JitError::Malformed("a stride is 0")),
                _ => {}
            }
        }
        Ok(Self { dst, src, axes: adjoint.axes })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        let width = Width::four_if(self.dst.is_wide() && self.src.is_wide());
        let [rows, cols] = &self.axes;
        self.dst.write(e, width, 0..self.dst.channels, |e, c, y, x| {
            sum(e, width, rows, y, |e, oy| sum(e, width, cols, x, |e, ox| self.src.load(e, width, c, oy, ox)))
        });
    }
}

/// The values at the outputs that have a tap at input `i`, weighed and summed.
fn sum(
    e: &mut Emitter<'_>,
    width: Width,
    map: &LinearMap,
    i: Value,
    value: impl Fn(&mut Emitter<'_>, Value) -> Value,
) -> Value {
    let zero = e.float(width, 0.0);
    let acc = e.variable(width.ty(), zero);
    let around = around(e, map, i);
    e.for_range(around, 1, |e, o| {
        for tap in taps(e, map, o, i) {
            e.when(tap.is_here, |e| {
                let value = value(e, o);
                let weight = e.splat(width, tap.weight);
                let before = e.get(acc);
                let after = e.builder.ins().fma(weight, value, before);
                e.set(acc, after);
            });
        }
    });
    e.get(acc)
}

/// Outputs of which no other has a tap at input `i`.
fn around(e: &mut Emitter<'_>, map: &LinearMap, i: Value) -> Span {
    let (start, end) = match map.taps {
        Taps::Resized { at, filter } => {
            let taps = filter.taps();
            let first = e.int(taps.end - 1);
            let first = e.sub(i, first);
            let beyond = e.int(1 - taps.start);
            let beyond = e.add(i, beyond);
            let [first, beyond] = [first, beyond].map(|pixel| {
                let arguments = [e.int(at.num), e.int(at.offset), e.int(at.den), pixel];
                e.call(first_at as *const u8, &arguments, I64)
            });
            // What lies beyond a border is at the border.
            let (zero, edge, all) = (e.int(0), e.int(map.inputs - 1), e.int(map.outputs));
            let is_first = e.builder.ins().icmp(IntCC::Equal, i, zero);
            let is_last = e.builder.ins().icmp(IntCC::Equal, i, edge);
            (e.builder.ins().select(is_first, zero, first), e.builder.ins().select(is_last, all, beyond))
        }
        Taps::Averaged { kernel, stride, pad, .. } => {
            let (pad, reach, one) = (e.int(pad), e.int(i64::from(kernel) - 1), e.int(1));
            let last = e.add(i, pad);
            let first = e.sub(last, reach);
            let (first, _) = e.div_rem(first, stride.into());
            let (last, _) = e.div_rem(last, stride.into());
            (first, e.add(last, one))
        }
        Taps::Padded { before, border } => {
            let after = map.after(before, border);
            let (back, forth) = match border {
                Border::Mirrored | Border::Clamped => (-before, before + 2 * after + 1),
                Border::Wrapped => (0, 2 * (before + after) + 1),
            };
            let (back, forth) = (e.int(back), e.int(forth));
            (e.add(i, back), e.add(i, forth))
        }
    };
    let (zero, all) = (e.int(0), e.int(map.outputs));
    Span { start: e.max(start, zero), end: e.min(end, all) }
}

/// The taps of output `o`.
fn taps(e: &mut Emitter<'_>, map: &LinearMap, o: Value, i: Value) -> Vec<Tap> {
    match map.taps {
        Taps::Resized { at, filter } => resized(e, map, at, filter, o, i),
        Taps::Averaged { kernel, stride, pad, margin: [before, after] } => {
            let (pad, kernel, first) = (e.int(pad), e.int(kernel.into()), e.scale(o, stride.into()));
            let first = e.sub(first, pad);
            let end = e.add(first, kernel);
            let (low, high) = (e.int(-before), e.int(map.inputs + after));
            let (start, last) = (e.max(first, low), e.min(end, high));
            let count = e.sub(last, start);
            let (count, one) = (e.builder.ins().fcvt_from_sint(F32, count), e.float(Width::One, 1.0));
            let begins = e.builder.ins().icmp(IntCC::SignedLessThanOrEqual, first, i);
            let ends = e.builder.ins().icmp(IntCC::SignedLessThan, i, end);
            vec![Tap {
                is_here: e.builder.ins().band(begins, ends),
                weight: e.builder.ins().fdiv(one, count),
            }]
        }
        Taps::Padded { before, border } => {
            let source = source(e, map, before, border, o);
            vec![Tap {
                is_here: e.builder.ins().icmp(IntCC::Equal, source, i),
                weight: e.float(Width::One, 1.0),
            }]
        }
    }
}

fn resized(
    e: &mut Emitter<'_>,
    map: &LinearMap,
    at: Coordinate,
    filter: Filter,
    o: Value,
    i: Value,
) -> Vec<Tap> {
    let taps = resize::taps(e, at, filter, map.inputs, o);
    let tap = |tap: resize::Tap| Tap {
        is_here: e.builder.ins().icmp(IntCC::Equal, tap.source, i),
        weight: tap.weight.unwrap_or_else(|| e.float(Width::One, 1.0)),
    };
    taps.into_iter().map(tap).collect()
}

/// The input that output `o` of a padding is; −1 if it is none.
fn source(e: &mut Emitter<'_>, map: &LinearMap, before: i64, border: Border, o: Value) -> Value {
    let leading = e.int(before);
    match border {
        Border::Clamped | Border::Mirrored => {
            let fold = if border == Border::Clamped { Folding::Clamped } else { Folding::Mirrored };
            let i = e.sub(o, leading);
            folded(e, fold, i, map.inputs)
        }
        Border::Wrapped => {
            // In front the inputs 0..after, then all of them, then the last `before`, each `step` further on than the one before.
            let after = map.after(before, border);
            let step = before + after;
            let none = e.int(-1);
            [(0, 0..after), (step, 0..map.inputs), (2 * step, map.inputs - before..map.inputs)]
                .into_iter()
                .fold(none, |found, (by, inputs)| {
                    let by = e.int(by);
                    let i = e.sub(o, by);
                    let (low, high) = (e.int(inputs.start), e.int(inputs.end));
                    let begins = e.builder.ins().icmp(IntCC::SignedLessThanOrEqual, low, i);
                    let ends = e.builder.ins().icmp(IntCC::SignedLessThan, i, high);
                    let is_it = e.builder.ins().band(begins, ends);
                    e.builder.ins().select(is_it, i, found)
                })
        }
    }
}

/// [`Coordinate::first_at`], called by compiled code.
extern "C" fn first_at(num: i64, offset: i64, den: i64, pixel: i64) -> i64 {
    Coordinate { num, offset, den }.first_at(pixel)
}
