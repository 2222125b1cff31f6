//! Resampling: outputs lie among the source's pixels, so that their taps are never all outside.

use super::{InstrError, Rule, attribute, equal};
use crate::program::instr::{AxisId, Coordinate, Filter, PixelShuffle, PixelUnshuffle, Resize};
use crate::program::verify::MAX_ATTRIBUTE;
use crate::program::verify::scope::Scope;

/// A numerator times a coordinate fits 128 bits, with room to spare.
const MAX_NUMERATOR: i64 = 1 << 62;
/// What is left over by the division has 57 bits, and can be rounded to f32 by way of 128.
const MAX_DENOMINATOR: i64 = 1 << 57;

/// Whether `outputs` outputs lie among `inputs` pixels.
pub(super) fn check_coordinate(
    at: Coordinate,
    filter: Filter,
    inputs: u64,
    outputs: u64,
) -> Result<(), InstrError> {
    attribute("the coordinates' numerator", at.num, 0, MAX_NUMERATOR)?;
    attribute("the coordinates' offset", at.offset, -MAX_NUMERATOR, MAX_NUMERATOR)?;
    attribute("the coordinates' denominator", at.den, 1, MAX_DENOMINATOR)?;
    for output in [0, outputs as i64 - 1] {
        // The last tap of the first pixel and the first tap of the last one are there, and so is one of each in between.
        let (taps, pixel) = (filter.taps(), at.floor(output));
        if pixel.saturating_add(taps.end) <= 0 || pixel.saturating_add(taps.start) >= inputs as i64 {
            return Err(InstrError::Resampling { output, at: pixel, inputs });
        }
    }
    Ok(())
}

impl Rule for Resize {
    fn mnemonic(&self) -> &'static str {
        "resize"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (src, dst) = (scope.buffer(self.src)?, scope.buffer(self.dst)?);
        equal("channels", src.channels, dst.channels)?;
        for axis in AxisId::BOTH.map(AxisId::index) {
            check_coordinate(self.coordinates[axis], self.filter, src.extent[axis], dst.extent[axis])?;
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        // Along the rows and along the columns.
        2 * self.filter.taps().len() as u64
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

impl Rule for PixelUnshuffle {
    fn mnemonic(&self) -> &'static str {
        "pixel_unshuffle"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        attribute("the factor", self.factor.into(), 1, MAX_ATTRIBUTE)?;
        let (src, dst) = (scope.buffer(self.src)?, scope.buffer(self.dst)?);
        let r = u64::from(self.factor);
        equal("channels of the result", src.channels.saturating_mul(r * r), dst.channels)?;
        for axis in AxisId::BOTH.map(AxisId::index) {
            equal("extent of the source", dst.extent[axis].saturating_mul(r), src.extent[axis])?;
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        1
    }
}
