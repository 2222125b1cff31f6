//! Copies: both buffers have the channels that are copied.

use std::ops::Range;

use super::{InstrError, Rule, attribute};
use crate::program::Section;
use crate::program::instr::{AxisId, Copy, Folding};
use crate::program::verify::MAX_COORDINATE;
use crate::program::verify::scope::Scope;

impl Rule for Copy {
    fn mnemonic(&self) -> &'static str {
        "copy"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (dst, src) = (scope.buffer(self.dst)?.channels, scope.buffer(self.src)?.channels);
        let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let most = int(dst.min(src));
        attribute("the number of channels", int(self.channels), 1, most)?;
        attribute("the first channel written", int(self.channel), 0, int(dst) - int(self.channels))?;
        attribute("the first channel read", int(self.from), 0, int(src) - int(self.channels))?;
        for axis in AxisId::BOTH.map(AxisId::index) {
            attribute("the shift", self.shift[axis], -MAX_COORDINATE, MAX_COORDINATE)?;
            if self.fold == Some(Folding::Mirrored) {
                let (dst, src) = (scope.buffer(self.dst)?.extent[axis], scope.buffer(self.src)?.extent[axis]);
                check_mirrored(self.shift[axis], dst, src)?;
            }
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        1
    }

    fn channels_written(&self, _: &Section) -> Range<u64> {
        self.channel..self.channel + self.channels
    }
}

/// Whether what lies outside the source mirrors into it.
fn check_mirrored(shift: i64, dst: u64, src: u64) -> Result<(), InstrError> {
    let border = src as i64 - 1;
    attribute("the first mirrored coordinate", shift, -border, MAX_COORDINATE)?;
    attribute("the last mirrored coordinate", shift.saturating_add(dst as i64 - 1), -border, 2 * border)
}
