//! Weight gradients: accumulator and operands have the shape of the convolution, and tiles cut between grains.

use super::conv::{per_group, taps};
use super::{InstrError, Rule, check_window, equal};
use crate::program::instr::{AxisId, ConvDw};
use crate::program::verify::scope::Scope;
use crate::program::{AccumulatorId, AccumulatorKind, BufferId, MAX_SUMMANDS};

impl Rule for ConvDw {
    fn mnemonic(&self) -> &'static str {
        "conv_dw"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        check_window(&self.window)?;
        let (x, dy) = (scope.buffer(self.x)?, scope.buffer(self.dy)?);
        let accumulator = scope.accumulator(self.acc)?;
        if accumulator.kind != AccumulatorKind::Products {
            return Err(InstrError::Gathers { acc: self.acc, kind: accumulator.kind });
        }
        let (inputs, outputs) = (per_group(x.channels, self.groups)?, per_group(dy.channels, self.groups)?);
        let (first, second) = if self.transposed { (x.channels, outputs) } else { (dy.channels, inputs) };
        let weights = self.window.kernel.iter().fold(second, |n, k| n.saturating_mul((*k).into()));
        equal("images of the accumulator", first, accumulator.images)?;
        equal("channels of the accumulator", weights, accumulator.channels)?;
        equal("height of the accumulator", dy.extent[0], accumulator.extent[0])?;
        equal("width of the accumulator", dy.extent[1], accumulator.extent[1])?;
        // A grain adds at most once, and so does a worker in the end.
        let grains = std::iter::zip(dy.extent, accumulator.kind.grain())
            .fold(scope.section.images, |n, (extent, grain)| n.saturating_mul(extent.div_ceil(grain as u64)));
        if grains > MAX_SUMMANDS / 2 { Err(InstrError::Summands(grains)) } else { Ok(()) }
    }

    fn operations(&self, scope: &Scope<'_>) -> u64 {
        taps(scope, self.x, self.groups, self.window.kernel)
    }

    fn padding(&self) -> Option<f32> {
        Some(0.0)
    }

    fn exports(&self) -> Option<BufferId> {
        Some(self.dy)
    }

    fn grain(&self, axis: AxisId) -> i64 {
        AccumulatorKind::Products.grain()[axis.index()]
    }

    fn accumulates(&self) -> Option<AccumulatorId> {
        Some(self.acc)
    }
}
