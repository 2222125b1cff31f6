//! Values dropped at random: what is read and written has one shape, and the key is four numbers.

use super::{InstrError, Rule, attribute, equal};
use crate::program::instr::Dropout;
use crate::program::verify::scope::Scope;

impl Rule for Dropout {
    fn mnemonic(&self) -> &'static str {
        "dropout"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let [src, key, dst] = [scope.buffer(self.src)?, scope.buffer(self.key)?, scope.buffer(self.dst)?];
        equal("channels", src.channels, dst.channels)?;
        equal("height", src.extent[0], dst.extent[0])?;
        equal("width", src.extent[1], dst.extent[1])?;
        equal("channels of the key", Self::KEY_CHANNELS, key.channels)?;
        equal("height of the key", 1, key.extent[0])?;
        equal("width of the key", 1, key.extent[1])?;
        attribute("the number of those dropped", self.dropped.into(), 0, Self::NUMBERS.into())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        // Ten rounds of two products each.
        20
    }
}
