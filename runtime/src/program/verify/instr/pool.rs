//! Pooling: channel by channel, over windows that are not mostly padding.

use super::{InstrError, Rule, attribute, check_window, equal};
use crate::program::instr::{AxisId, Pool, PoolKind};
use crate::program::verify::MAX_ATTRIBUTE;
use crate::program::verify::scope::Scope;

/// Taps along an axis that any window may have. Taps outside the extent read nothing, so nothing else keeps a loop over them
/// short.
pub(super) const FREE_TAPS: u64 = 1024;

impl Rule for Pool {
    fn mnemonic(&self) -> &'static str {
        "pool"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        check_window(&self.window)?;
        let (src, dst) = (scope.buffer(self.src)?, scope.buffer(self.dst)?);
        equal("channels", src.channels, dst.channels)?;
        for axis in AxisId::BOTH.map(AxisId::index) {
            let most = src.extent[axis].max(FREE_TAPS) as i64;
            attribute("the kernel", self.window.kernel[axis].into(), 1, most)?;
        }
        if let PoolKind::Average { margin } = self.kind {
            for side in margin {
                attribute("the margin", side, 0, MAX_ATTRIBUTE)?;
            }
        }
        Ok(())
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        self.window.kernel.iter().fold(1, |n: u64, k| n.saturating_mul((*k).into()))
    }
}
