//! Resampling: extents correspond, so that no output reads past the source's end.

use super::{InstrError, Rule, attribute, equal};
use crate::program::instr::{AxisId, Nearest, PixelShuffle};
use crate::program::verify::MAX_ATTRIBUTE;
use crate::program::verify::scope::Scope;

/// A coordinate times this is exact in 64 bits.
const MAX_RATIO: i64 = 1 << 22;

impl Rule for Nearest {
    fn mnemonic(&self) -> &'static str {
        "nearest"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (src, dst) = (scope.buffer(self.src)?, scope.buffer(self.dst)?);
        equal("channels", src.channels, dst.channels)?;
        for axis in AxisId::BOTH.map(AxisId::index) {
            let ratio = self.ratio[axis];
            attribute("the ratio's numerator", ratio.num.into(), 1, MAX_RATIO)?;
            attribute("the ratio's denominator", ratio.den.into(), 1, MAX_RATIO)?;
            let (outputs, inputs) = (dst.extent[axis], src.extent[axis]);
            let reads = ratio.floor(outputs as i64 - 1);
            if reads >= inputs as i64 {
                return Err(InstrError::Resampling { outputs, reads, inputs });
            }
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        1
    }
}

impl Rule for PixelShuffle {
    fn mnemonic(&self) -> &'static str {
        "pixel_shuffle"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        attribute("the factor", self.factor.into(), 1, MAX_ATTRIBUTE)?;
        let (src, dst) = (scope.buffer(self.src)?, scope.buffer(self.dst)?);
        let r = u64::from(self.factor);
        equal("channels of the source", dst.channels.saturating_mul(r * r), src.channels)?;
        for axis in AxisId::BOTH.map(AxisId::index) {
            equal("extent of the result", src.extent[axis].saturating_mul(r), dst.extent[axis])?;
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        1
    }
}
