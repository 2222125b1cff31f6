//! Elementwise expressions.

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::operand::Elementwise;
use super::scope::Scope;
use crate::program::instr;

/// ```text
/// for each block of channels, (y, x) in valid, c in block:
///     dst[c, y, x] = expr(operands at c, y, x…)
/// fill the rest
/// ```
///
/// An operand is read before its element is written, so that `dst` may be one of them.
pub(super) struct Map<'p> {
    dst: TileBuffer,
    value: Elementwise<'p>,
}

impl<'p> Map<'p> {
    pub(super) fn new(scope: &Scope<'p>, map: &instr::Map) -> Result<Self, JitError> {
        Ok(Self { dst: scope.buffer(map.dst)?, value: Elementwise::map(scope, map)? })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        let width = Width::four_if(self.dst.is_wide() && self.value.is_wide());
        self.dst
            .write(e, width, 0..self.dst.channels, |e, c, y, x| self.value.emit(e, width, &[], [c, y, x]));
    }
}
