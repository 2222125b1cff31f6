//! Reductions along one axis.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, F64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::expr::max_nan;
use super::scope::Scope;
use crate::program::instr::{self, Along, FoldKind};

/// ```text
/// for each block of channels, (y, x) in valid, c in block:
///     acc = +0 (f64)            or  acc = −∞               or  best = v(0), at = 0
///     for i in 0..length:
///         v = src[c, y, x], with i in place of the coordinate along the axis
///         acc = acc + v         or  acc = max_nan(acc, v)  or  if v > best, or v alone of the two is NaN:
///           (or v · v)                                             best = v, at = i
///     dst[c, y, x] = f32(acc)   or  acc                    or  at
///          (or f32(acc / length))
/// fill the rest
/// ```
pub(super) struct Fold {
    dst: TileBuffer,
    src: TileBuffer,
    along: Along,
    kind: FoldKind,
    length: i64,
}

impl Fold {
    pub(super) fn new(scope: &Scope<'_>, fold: &instr::Fold) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(fold.dst)?, scope.buffer(fold.src)?);
        let length =
            i64::try_from(fold.length).map_err(|_| JitError::Malformed("a fold is longer than any axis"))?;
        Ok(Self { dst, src, along: fold.along, kind: fold.kind, length })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        self.dst.write(e, Width::One, 0..self.dst.channels, |e, c, y, x| {
            let at = [c, y, x];
            match self.kind {
                FoldKind::Sum => self.sum(e, at, false),
                FoldKind::Mean => self.mean(e, at, false),
                FoldKind::MeanSquare => self.mean(e, at, true),
                FoldKind::Max => self.max(e, at),
                FoldKind::Argmax => self.argmax(e, at),
            }
        });
    }

    /// The operand's value number `i`.
    fn load(&self, e: &mut Emitter<'_>, [c, y, x]: [Value; 3], i: Value) -> Value {
        let [c, y, x] = match self.along {
            Along::Channels => [i, y, x],
            Along::Rows => [c, i, x],
            Along::Columns => [c, y, i],
        };
        self.src.load(e, Width::One, c, y, x)
    }

    fn sum(&self, e: &mut Emitter<'_>, at: [Value; 3], squares: bool) -> Value {
        let sum = self.exact_sum(e, at, squares);
        e.builder.ins().fdemote(F32, sum)
    }

    fn mean(&self, e: &mut Emitter<'_>, at: [Value; 3], squares: bool) -> Value {
        let sum = self.exact_sum(e, at, squares);
        let length = e.builder.ins().f64const(self.length as f64);
        let mean = e.builder.ins().fdiv(sum, length);
        e.builder.ins().fdemote(F32, mean)
    }

    /// The sum before it is rounded to f32.
    fn exact_sum(&self, e: &mut Emitter<'_>, at: [Value; 3], squares: bool) -> Value {
        let zero = e.builder.ins().f64const(0.0);
        let acc = e.variable(F64, zero);
        e.repeat(self.length, |e, i| {
            let value = self.load(e, at, i);
            let value = e.builder.ins().fpromote(F64, value);
            let value = if squares { e.builder.ins().fmul(value, value) } else { value };
            let before = e.get(acc);
            let after = e.builder.ins().fadd(before, value);
            e.set(acc, after);
        });
        e.get(acc)
    }

    fn max(&self, e: &mut Emitter<'_>, at: [Value; 3]) -> Value {
        let lowest = e.float(Width::One, f32::NEG_INFINITY);
        let acc = e.variable(F32, lowest);
        e.repeat(self.length, |e, i| {
            let value = self.load(e, at, i);
            let before = e.get(acc);
            let after = max_nan(e, Width::One, before, value);
            e.set(acc, after);
        });
        e.get(acc)
    }

    fn argmax(&self, e: &mut Emitter<'_>, at: [Value; 3]) -> Value {
        let first = e.int(0);
        let (value, zero) = (self.load(e, at, first), e.float(Width::One, 0.0));
        let (best, position) = (e.variable(F32, value), e.variable(F32, zero));
        e.repeat(self.length, |e, i| {
            let value = self.load(e, at, i);
            let (largest, index) = (e.get(best), e.builder.ins().fcvt_from_sint(F32, i));
            let greater = e.builder.ins().fcmp(FloatCC::GreaterThan, value, largest);
            let nan = e.builder.ins().fcmp(FloatCC::Unordered, value, value);
            let number = e.builder.ins().fcmp(FloatCC::Ordered, largest, largest);
            let first_nan = e.builder.ins().band(nan, number);
            let take = e.builder.ins().bor(greater, first_nan);
            let before = e.get(position);
            let value = e.builder.ins().select(take, value, largest);
            let index = e.builder.ins().select(take, index, before);
            e.set(best, value);
            e.set(position, index);
        });
        e.get(position)
    }
}
