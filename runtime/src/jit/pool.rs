//! Pooling over windows.

use cranelift_codegen::ir::types::{F32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::expr::max_nan;
use super::scope::Scope;
use super::window::Taps;
use crate::program::instr::{self, PoolKind};

/// ```text
/// for each block of channels, (y, x) in valid, c in block:
///     acc = −∞                                 or  acc = +0, n = 0
///     for (ky, kx) in window:
///         (iy, ix) = (y, x) · stride − pad + (ky, kx) · dilation
///                                                  if (iy, ix) in extent of src widened by margin: n = n + 1
///         if (iy, ix) in extent of src:
///             acc = max_nan(acc, src[c, iy, ix])   or  acc = acc + src[c, iy, ix]
///     dst[c, y, x] = acc                       or  acc / n
/// fill the rest
/// ```
pub(super) struct Pool {
    dst: TileBuffer,
    src: TileBuffer,
    kind: PoolKind,
    taps: [Taps; 2],
}

impl Pool {
    pub(super) fn new(scope: &Scope<'_>, pool: &instr::Pool) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(pool.dst)?, scope.buffer(pool.src)?);
        Ok(Self { dst, src, kind: pool.kind, taps: Taps::of(&pool.window)? })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        let width = Width::four_if(self.dst.is_wide() && self.src.is_wide());
        self.dst.write(e, width, 0..self.dst.channels, |e, c, y, x| match self.kind {
            PoolKind::Max => self.max(e, width, [c, y, x]),
            PoolKind::Average { margin } => self.average(e, width, margin, [c, y, x]),
        });
    }

    fn max(&self, e: &mut Emitter<'_>, width: Width, [c, y, x]: [Value; 3]) -> Value {
        let lowest = e.float(width, f32::NEG_INFINITY);
        let acc = e.variable(width.ty(), lowest);
        self.for_each_tap(e, y, x, |e, iy, ix| {
            self.when_inside(e, iy, ix, |e| {
                let value = self.src.load(e, width, c, iy, ix);
                let before = e.get(acc);
                let after = max_nan(e, width, before, value);
                e.set(acc, after);
            });
        });
        e.get(acc)
    }

    fn average(&self, e: &mut Emitter<'_>, width: Width, margin: [i64; 4], [c, y, x]: [Value; 3]) -> Value {
        let (zero, none) = (e.float(width, 0.0), e.int(0));
        let (acc, counted) = (e.variable(width.ty(), zero), e.variable(I64, none));
        self.for_each_tap(e, y, x, |e, iy, ix| {
            let widened = self.src.extent(e, margin);
            let counts = e.inside(iy, ix, widened);
            let (before, one) = (e.get(counted), e.int(1));
            let after = e.value_or(counts, before, |e| e.add(before, one));
            e.set(counted, after);
            self.when_inside(e, iy, ix, |e| {
                let value = self.src.load(e, width, c, iy, ix);
                let before = e.get(acc);
                let after = e.builder.ins().fadd(before, value);
                e.set(acc, after);
            });
        });
        let (acc, n) = (e.get(acc), e.get(counted));
        let n = e.builder.ins().fcvt_from_sint(F32, n);
        let n = e.splat(width, n);
        e.builder.ins().fdiv(acc, n)
    }

    /// The inputs of output `(y, x)`, in raster order.
    fn for_each_tap(
        &self,
        e: &mut Emitter<'_>,
        y: Value,
        x: Value,
        body: impl FnOnce(&mut Emitter<'_>, Value, Value),
    ) {
        let [rows, cols] = self.taps;
        e.repeat(rows.count, |e, ky| {
            let iy = rows.input(e, y, ky);
            e.repeat(cols.count, |e, kx| {
                let ix = cols.input(e, x, kx);
                body(e, iy, ix);
            });
        });
    }

    fn when_inside(&self, e: &mut Emitter<'_>, y: Value, x: Value, body: impl FnOnce(&mut Emitter<'_>)) {
        let extent = self.src.extent(e, [0; 4]);
        let inside = e.inside(y, x, extent);
        e.when(inside, body);
    }
}
