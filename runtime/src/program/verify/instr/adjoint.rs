//! Transposes of linear maps: the maps are those of tensors of the buffers' extents, and such as the forward instructions allow.

use super::pool::FREE_TAPS;
use super::resample::check_coordinate;
use super::{InstrError, Rule, attribute, equal};
use crate::program::instr::{Adjoint, AxisId, Border, LinearMap, Taps};
use crate::program::verify::scope::Scope;
use crate::program::verify::{MAX_ATTRIBUTE, MAX_COORDINATE};

impl Rule for Adjoint {
    fn mnemonic(&self) -> &'static str {
        "adjoint"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        let (dst, src) = (scope.buffer(self.dst)?, scope.buffer(self.src)?);
        equal("channels", src.channels, dst.channels)?;
        for axis in AxisId::BOTH.map(AxisId::index) {
            let map = &self.axes[axis];
            let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            let (inputs, outputs) = (int(dst.extent[axis]), int(src.extent[axis]));
            attribute("the number of inputs", map.inputs, inputs, inputs)?;
            attribute("the number of outputs", map.outputs, outputs, outputs)?;
            check_taps(map, dst.extent[axis], src.extent[axis])?;
        }
        Ok(())
    }

    /// On average over all inputs.
    fn operations(&self, _: &Scope<'_>) -> u64 {
        let axis = |map: &LinearMap| {
            let taps = match map.taps {
                Taps::Resized { filter, .. } => filter.taps().len(),
                Taps::Averaged { kernel, .. } => kernel.into(),
                Taps::Padded { .. } => 1,
            };
            let all = map.outputs.saturating_mul(taps) as u64;
            all.div_ceil(map.inputs.max(1) as u64)
        };
        axis(&self.axes[0]).saturating_mul(axis(&self.axes[1]))
    }
}

fn check_taps(map: &LinearMap, inputs: u64, outputs: u64) -> Result<(), InstrError> {
    match map.taps {
        Taps::Resized { at, filter } => check_coordinate(at, filter, inputs, outputs),
        Taps::Averaged { kernel, stride, pad, margin } => {
            attribute("the kernel", kernel.into(), 1, inputs.max(FREE_TAPS) as i64)?;
            attribute("the stride", stride.into(), 1, MAX_ATTRIBUTE)?;
            attribute("the padding", pad, -MAX_COORDINATE, MAX_COORDINATE)?;
            margin.into_iter().try_for_each(|side| attribute("the margin", side, 0, MAX_ATTRIBUTE))
        }
        Taps::Padded { before, border } => {
            let after = map.after(before, border);
            let most = match border {
                Border::Mirrored => map.inputs - 1,
                Border::Wrapped => map.inputs,
                Border::Clamped => MAX_COORDINATE,
            };
            attribute("the padding before", before, 0, most)?;
            attribute("the padding after", after, 0, most)?;
            let sides = if border == Border::Wrapped { 2 } else { 1 };
            let expected = map.inputs.saturating_add(before.saturating_add(after).saturating_mul(sides));
            attribute("the number of outputs", map.outputs, expected, expected)
        }
    }
}
