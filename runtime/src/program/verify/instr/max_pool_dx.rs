//! The gradient of maxima: channel by channel, of the extent of what they were taken of.

use super::pool::FREE_TAPS;
use super::{InstrError, Rule, attribute, check_window, equal};
use crate::program::instr::{AxisId, MaxPoolDx};
use crate::program::verify::scope::Scope;

impl Rule for MaxPoolDx {
    fn mnemonic(&self) -> &'static str {
        "max_pool_dx"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        check_window(&self.window)?;
        let (dst, x, dy) = (scope.buffer(self.dst)?, scope.buffer(self.x)?, scope.buffer(self.dy)?);
        equal("channels of the maxima", x.channels, dy.channels)?;
        equal("channels", x.channels, dst.channels)?;
        for axis in AxisId::BOTH.map(AxisId::index) {
            equal("extent of the result", x.extent[axis], dst.extent[axis])?;
            let most = x.extent[axis].max(FREE_TAPS) as i64;
            attribute("the kernel", self.window.kernel[axis].into(), 1, most)?;
        }
        Ok(())
    }

    /// Each tap of each window that the pixel is in.
    fn operations(&self, _: &Scope<'_>) -> u64 {
        let axis = |i: usize| {
            let kernel = u64::from(self.window.kernel[i]);
            kernel.saturating_mul(kernel.div_ceil(u64::from(self.window.stride[i]).max(1)))
        };
        axis(0).saturating_mul(axis(1))
    }
}
