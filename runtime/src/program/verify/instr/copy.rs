//! Copies: both buffers have the channels that are copied.

use std::ops::Range;

use super::{InstrError, Rule, attribute};
use crate::program::Section;
use crate::program::instr::Copy;
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
        for shift in self.shift {
            attribute("the shift", shift, -MAX_COORDINATE, MAX_COORDINATE)?;
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
