//! Products of matrices: columns of one operand are rows of the other, and the rest is the result's.

use super::{InstrError, Rule, equal};
use crate::program::instr::Matmul;
use crate::program::verify::scope::Scope;

impl Rule for Matmul {
    fn mnemonic(&self) -> &'static str {
        "matmul"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let [a, b, dst] = [scope.buffer(self.a)?, scope.buffer(self.b)?, scope.buffer(self.dst)?];
        equal("columns of the left operand", self.inner, a.extent[1])?;
        equal("rows of the right operand", self.inner, b.extent[0])?;
        equal("height of the result", a.extent[0], dst.extent[0])?;
        equal("width of the result", b.extent[1], dst.extent[1])?;
        for (id, operand) in [(self.a, a), (self.b, b)] {
            let (result, found) = (dst.channels, operand.channels);
            if found != 1 && found != result {
                return Err(InstrError::Broadcast {
                    operand: id,
                    what: "the number of channels",
                    result,
                    found,
                });
            }
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        self.inner
    }
}
