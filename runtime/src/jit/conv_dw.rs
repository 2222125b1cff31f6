//! Weight gradients of convolutions.

use std::slice;
use std::sync::atomic::AtomicI64;

use cranelift_codegen::ir::types::{F32, I32, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Area, Emitter, Span, Width};
use super::scope::Scope;
use super::window::Taps;
use crate::exact::single;
use crate::program::{AccumulatorKind, instr};

/// With `I` inputs and `O` outputs in a group:
///
/// ```text
/// for (gy, gx) in grains of the owned part of dy:
///     for g in groups, o in 0..O, i in 0..I, ky in 0..kh, kx in 0..kw:
///         acc = +0
///         for (y, x) in the grain:
///             (iy, ix) = (y, x) · stride − pad + (ky, kx) · dilation
///             acc = fma(x[g · I + i, iy, ix], dy[g · O + o, y, x], acc)
///         add acc exactly to the sum of weight [g · O + o, i, ky, kx]
/// ```
///
/// For a transposed convolution `(iy, ix) = ((y, x) + pad − (ky, kx) · dilation) / stride`, pixels are skipped where that is
/// not an integer, and the weight is `[g · I + i, o, ky, kx]`. Taps outside the extent read what the buffer holds there: zeros.
pub(super) struct ConvDw {
    /// Offset in bytes of the pointer to the accumulator's words.
    sums: i64,
    x: TileBuffer,
    dy: TileBuffer,
    taps: [Taps; 2],
    groups: i64,
    /// Inputs of a group.
    inputs: i64,
    /// Outputs of a group.
    outputs: i64,
    transposed: bool,
}

/// Channels of `x` and `dy`, and a tap.
#[derive(Clone, Copy)]
struct Factors {
    input: Value,
    output: Value,
    ky: Value,
    kx: Value,
}

impl ConvDw {
    pub(super) fn new(scope: &Scope<'_>, dw: &instr::ConvDw) -> Result<Self, JitError> {
        let (x, dy) = (scope.buffer(dw.x)?, scope.buffer(dw.dy)?);
        let groups = i64::from(dw.groups);
        if groups == 0 || x.channels % groups != 0 || dy.channels % groups != 0 {
            return Err(JitError::Malformed("groups do not divide the channels"));
        }
        Ok(Self {
            sums: scope.accumulator(dw.acc)?,
            x,
            dy,
            taps: Taps::of(&dw.window)?,
            groups,
            inputs: x.channels / groups,
            outputs: dy.channels / groups,
            transposed: dw.transposed,
        })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        let owned = self.dy.owned(e);
        let [rows, cols] = AccumulatorKind::Products.grain();
        cells(e, owned.y, rows, |e, y| {
            cells(e, owned.x, cols, |e, x| {
                self.for_each_weight(e, |e, weight, factors| {
                    let sum = self.sum(e, Area { y, x }, factors);
                    self.add(e, weight, sum);
                });
            });
        });
    }

    /// Calls `body` with the number of each weight in row-major order.
    fn for_each_weight(&self, e: &mut Emitter<'_>, body: impl FnOnce(&mut Emitter<'_>, Value, Factors)) {
        let [rows, cols] = self.taps;
        e.repeat(self.groups, |e, group| {
            e.repeat(self.outputs, |e, o| {
                e.repeat(self.inputs, |e, i| {
                    e.repeat(rows.count, |e, ky| {
                        e.repeat(cols.count, |e, kx| {
                            let (inputs, outputs) =
                                (e.scale(group, self.inputs), e.scale(group, self.outputs));
                            let (input, output) = (e.add(inputs, i), e.add(outputs, o));
                            let pair = if self.transposed {
                                let first = e.scale(input, self.outputs);
                                e.add(first, o)
                            } else {
                                let first = e.scale(output, self.inputs);
                                e.add(first, i)
                            };
                            let row = e.scale(pair, rows.count);
                            let row = e.add(row, ky);
                            let first = e.scale(row, cols.count);
                            let weight = e.add(first, kx);
                            body(e, weight, Factors { input, output, ky, kx });
                        });
                    });
                });
            });
        });
    }

    /// The sum over a grain.
    fn sum(&self, e: &mut Emitter<'_>, grain: Area, of: Factors) -> Value {
        let zero = e.float(Width::One, 0.0);
        let acc = e.variable(F32, zero);
        e.for_each_pixel(grain, |e, y, x| {
            let multiply_add = |e: &mut Emitter<'_>, iy: Value, ix: Value| {
                let v = self.x.load(e, Width::One, of.input, iy, ix);
                let d = self.dy.load(e, Width::One, of.output, y, x);
                let before = e.get(acc);
                let after = e.builder.ins().fma(v, d, before);
                e.set(acc, after);
            };
            let [rows, cols] = self.taps;
            if self.transposed {
                let (iy, whole_y) = rows.transposed_input(e, y, of.ky);
                let (ix, whole_x) = cols.transposed_input(e, x, of.kx);
                let whole = e.builder.ins().band(whole_y, whole_x);
                e.when(whole, |e| multiply_add(e, iy, ix));
            } else {
                let (iy, ix) = (rows.input(e, y, of.ky), cols.input(e, x, of.kx));
                multiply_add(e, iy, ix);
            }
        });
        e.get(acc)
    }

    /// Adds a value to the sum of a weight.
    fn add(&self, e: &mut Emitter<'_>, weight: Value, value: Value) {
        let sums = e.gathered_pointer(self.sums);
        let offset = e.scale(weight, single::BYTES_PER_SUM as i64);
        let sum = e.add(sums, offset);
        let bits = e.builder.ins().bitcast(I32, MemFlagsData::new(), value);
        let bits = e.builder.ins().uextend(I64, bits);
        e.call(add as *const u8, &[sum, bits], I64);
    }
}

/// What compiled code calls to add an f32, given as its bits, to an exact sum. The result says nothing.
///
/// # Safety
///
/// `sum` leads to the words of a sum.
unsafe extern "C" fn add(sum: *const AtomicI64, bits: u64) -> u64 {
    // SAFETY: the caller's promise.
    let sum = unsafe { slice::from_raw_parts(sum, single::LIMBS) };
    single::add(sum, f32::from_bits(bits as u32).into());
    0
}

/// The stretches of `length` of a span.
fn cells(e: &mut Emitter<'_>, span: Span, length: i64, body: impl FnOnce(&mut Emitter<'_>, Span)) {
    e.for_range(span, length, |e, start| {
        let length = e.int(length);
        let next = e.add(start, length);
        let end = e.min(next, span.end);
        body(e, Span { start, end });
    });
}
