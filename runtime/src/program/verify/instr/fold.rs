//! Reductions along one axis: the result has one value where the operand has its whole extent, and is like it otherwise.

use super::{InstrError, Rule, attribute, equal};
use crate::program::instr::{Along, Fold, FoldKind};
use crate::program::verify::scope::Scope;

/// Positions up to this one are f32s.
const LARGEST_INDEX: i64 = 1 << 24;

impl Rule for Fold {
    fn mnemonic(&self) -> &'static str {
        "fold"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (src, dst) = (scope.buffer(self.src)?, scope.buffer(self.dst)?);
        for (along, what, before, after) in [
            (Along::Channels, "channels", src.channels, dst.channels),
            (Along::Rows, "height of the result", src.extent[0], dst.extent[0]),
            (Along::Columns, "width of the result", src.extent[1], dst.extent[1]),
        ] {
            if along == self.along {
                equal("values along the axis", before, self.length)?;
                equal(what, 1, after)?;
            } else {
                equal(what, before, after)?;
            }
        }
        if self.kind == FoldKind::Argmax {
            attribute("the last position", self.length as i64 - 1, 0, LARGEST_INDEX)?;
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        self.length
    }
}
