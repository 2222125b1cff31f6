//! Statistics: accumulator, tensor read and result correspond, and tiles cut between grains.

use super::transfer::check_writable;
use super::{InstrError, Rule, equal};
use crate::program::instr::{Accumulate, AxisId, Reduce};
use crate::program::verify::scope::Scope;
use crate::program::{AccumulatorId, AccumulatorKind, BufferId};

impl Rule for Accumulate {
    fn mnemonic(&self) -> &'static str {
        "accumulate"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (accumulator, buffer) = (scope.accumulator(self.acc)?, scope.buffer(self.src)?);
        if accumulator.kind == AccumulatorKind::Products {
            return Err(InstrError::Gathers { acc: self.acc, kind: accumulator.kind });
        }
        equal("images of the accumulator", scope.section.images, accumulator.images)?;
        equal("channels of the accumulator", buffer.channels, accumulator.channels)?;
        equal("height of the accumulator", buffer.extent[0], accumulator.extent[0])?;
        equal("width of the accumulator", buffer.extent[1], accumulator.extent[1])
    }

    fn operations(&self, _: &Scope<'_>) -> u64 {
        1
    }

    fn exports(&self) -> Option<BufferId> {
        Some(self.src)
    }

    fn grain(&self, axis: AxisId) -> i64 {
        AccumulatorKind::Sum.grain()[axis.index()]
    }

    fn accumulates(&self) -> Option<AccumulatorId> {
        Some(self.acc)
    }
}

pub(in crate::program::verify) fn check_reduce(scope: &Scope<'_>, reduce: &Reduce) -> Result<(), InstrError> {
    let (accumulator, tensor) = (scope.accumulator(reduce.acc)?, scope.tensor(reduce.dst)?);
    check_writable(reduce.dst, tensor.role)?;
    if !accumulator.kind.gives(reduce.statistic) {
        return Err(InstrError::Statistic { statistic: reduce.statistic, kind: accumulator.kind });
    }
    if reduce.group == 0 || !accumulator.channels.is_multiple_of(reduce.group) {
        return Err(InstrError::ReducedGroup { channels: accumulator.channels, group: reduce.group });
    }
    let dims = tensor.dims;
    // All images are taken together where there is one.
    let images = if dims.n == 1 { 1 } else { accumulator.images };
    let expected = [images, accumulator.channels, 1, 1];
    let found = [dims.n, dims.c, dims.h, dims.w];
    if expected == found {
        Ok(())
    } else {
        Err(InstrError::TensorShape { tensor: reduce.dst, expected, found })
    }
}
