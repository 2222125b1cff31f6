//! Products of matrices.

use cranelift_codegen::ir::types::F32;
use cranelift_codegen::ir::{InstBuilder, Value};

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::scope::Scope;
use crate::program::instr;

/// ```text
/// for each block of channels, (y, x) in valid, c in block:
///     acc = +0
///     for k in 0..inner:
///         acc = fma(a[c, y, k], b[c, k, x], acc)       channel 0 of an operand that has no other
///     dst[c, y, x] = acc
/// fill the rest
/// ```
pub(super) struct Matmul {
    dst: TileBuffer,
    a: TileBuffer,
    b: TileBuffer,
    inner: i64,
}

impl Matmul {
    pub(super) fn new(scope: &Scope<'_>, matmul: &instr::Matmul) -> Result<Self, JitError> {
        let [dst, a, b] = [scope.buffer(matmul.dst)?, scope.buffer(matmul.a)?, scope.buffer(matmul.b)?];
        let inner = i64::try_from(matmul.inner)
            .map_err(|_| JitError::Malformed("a matrix is larger than any tensor"))?;
        Ok(Self { dst, a, b, inner })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        self.dst.write(e, Width::One, 0..self.dst.channels, |e, c, y, x| {
            let zero = e.float(Width::One, 0.0);
            let acc = e.variable(F32, zero);
            e.repeat(self.inner, |e, k| {
                let (a, b) = (load(e, &self.a, [c, y, k]), load(e, &self.b, [c, k, x]));
                let before = e.get(acc);
                let after = e.builder.ins().fma(a, b, before);
                e.set(acc, after);
            });
            e.get(acc)
        });
    }
}

fn load(e: &mut Emitter<'_>, operand: &TileBuffer, [c, y, x]: [Value; 3]) -> Value {
    let c = if operand.channels == 1 { e.int(0) } else { c };
    operand.load(e, Width::One, c, y, x)
}
