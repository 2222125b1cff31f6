//! Copies: the source's channels fit into the destination's.

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
        let room = dst as i64 - src as i64;
        attribute("the first channel", i64::try_from(self.channel).unwrap_or(i64::MAX), 0, room)?;
        for shift in self.shift {
            attribute("the shift", shift, -MAX_COORDINATE, MAX_COORDINATE)?;
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        1
    }

    fn channels_written(&self, section: &Section) -> Range<u64> {
        self.channel..self.channel + section.buffers[self.src.index()].channels
    }
}
