//! The gradient of maxima over windows.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::scope::Scope;
use super::window::Taps;
use crate::program::instr;

/// ```text
/// for each block of channels, (y, x) in valid, c in block:
///     acc = +0
///     for (ky, kx) in window, descending:
///         (oy, ox) = ((y, x) + pad − (ky, kx) · dilation) / stride
///         if both are integers, and (oy, ox) in extent of dy:
///             first = 1
///             for (ty, tx) in window:
///                 (iy, ix) = (oy, ox) · stride − pad + (ty, tx) · dilation
///                 v = x[c, iy, ix]
///                 if (iy, ix) in extent of x, and (first or v > largest or v is NaN):
///                     largest = v, at = iy · columns + ix, first = 0
///             if at = y · columns + x:
///                 acc = acc + dy[c, oy, ox]
///     dst[c, y, x] = acc
/// fill the rest
/// ```
pub(super) struct MaxPoolDx {
    dst: TileBuffer,
    x: TileBuffer,
    dy: TileBuffer,
    taps: [Taps; 2],
}

impl MaxPoolDx {
    pub(super) fn new(scope: &Scope<'_>, pool: &instr::MaxPoolDx) -> Result<Self, JitError> {
        let [dst, x, dy] = [pool.dst, pool.x, pool.dy].map(|id| scope.buffer(id));
        Ok(Self { dst: dst?, x: x?, dy: dy?, taps: Taps::of(&pool.window)? })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        self.dst.write(e, Width::One, 0..self.dst.channels, |e, c, y, x| {
            let zero = e.float(Width::One, 0.0);
            let (acc, here) = (e.variable(F32, zero), self.position(e, y, x));
            self.for_each_window(e, y, x, |e, oy, ox| {
                let at = self.maximum(e, c, oy, ox);
                let is_here = e.builder.ins().icmp(IntCC::Equal, at, here);
                e.when(is_here, |e| {
                    let gradient = self.dy.load(e, Width::One, c, oy, ox);
                    let before = e.get(acc);
                    let after = e.builder.ins().fadd(before, gradient);
                    e.set(acc, after);
                });
            });
            e.get(acc)
        });
    }

    /// The windows that a pixel is in, in raster order.
    fn for_each_window(
        &self,
        e: &mut Emitter<'_>,
        y: Value,
        x: Value,
        body: impl FnOnce(&mut Emitter<'_>, Value, Value),
    ) {
        let [rows, cols] = self.taps;
        let descending = |e: &mut Emitter<'_>, taps: Taps, k: Value| {
            let last = e.int(taps.count - 1);
            e.sub(last, k)
        };
        e.repeat(rows.count, |e, ky| {
            let ky = descending(e, rows, ky);
            let (oy, exists) = rows.transposed_input(e, y, ky);
            e.when(exists, |e| {
                e.repeat(cols.count, |e, kx| {
                    let kx = descending(e, cols, kx);
                    let (ox, exists) = cols.transposed_input(e, x, kx);
                    let extent = self.dy.extent(e, [0; 4]);
                    let inside = e.inside(oy, ox, extent);
                    let both = e.builder.ins().band(exists, inside);
                    e.when(both, |e| body(e, oy, ox));
                });
            });
        });
    }

    /// The position of the maximum of a window; −1 where it has no tap inside.
    fn maximum(&self, e: &mut Emitter<'_>, c: Value, oy: Value, ox: Value) -> Value {
        let [rows, cols] = self.taps;
        let (nowhere, lowest) = (e.int(-1), e.float(Width::One, f32::NEG_INFINITY));
        let (at, largest) = (e.variable(I64, nowhere), e.variable(F32, lowest));
        e.repeat(rows.count, |e, ty| {
            let iy = rows.input(e, oy, ty);
            e.repeat(cols.count, |e, tx| {
                let ix = cols.input(e, ox, tx);
                let extent = self.x.extent(e, [0; 4]);
                let inside = e.inside(iy, ix, extent);
                e.when(inside, |e| {
                    let v = self.x.load(e, Width::One, c, iy, ix);
                    let (best, none) = (e.get(largest), e.get(at));
                    let first = e.builder.ins().icmp(IntCC::Equal, none, nowhere);
                    let greater = e.builder.ins().fcmp(FloatCC::GreaterThan, v, best);
                    let nan = e.builder.ins().fcmp(FloatCC::Unordered, v, v);
                    let takes = e.builder.ins().bor(greater, nan);
                    let takes = e.builder.ins().bor(takes, first);
                    e.when(takes, |e| {
                        let position = self.position(e, iy, ix);
                        e.set(largest, v);
                        e.set(at, position);
                    });
                });
            });
        });
        e.get(at)
    }

    /// The number of a pixel in raster order.
    fn position(&self, e: &mut Emitter<'_>, y: Value, x: Value) -> Value {
        let row = e.scale(y, self.x.cols);
        e.add(row, x)
    }
}
