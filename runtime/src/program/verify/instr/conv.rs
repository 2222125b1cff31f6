//! Convolutions: groups divide channels, and weight and bias are of just the shape and packing that kernels read.

use super::map::{check_epilogue, epilogue_operations};
use super::{InstrError, Rule, check_window};
use crate::program::instr::{Conv2d, ConvTranspose2d};
use crate::program::verify::scope::Scope;
use crate::program::{BufferId, Packing, WeightId};

impl Rule for Conv2d {
    fn mnemonic(&self) -> &'static str {
        "conv2d"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        check_window(&self.window)?;
        let (input, output) = (scope.buffer(self.src)?.channels, scope.buffer(self.dst)?.channels);
        let (group_input, _) = (per_group(input, self.groups)?, per_group(output, self.groups)?);
        let [height, width] = self.window.kernel.map(u64::from);
        let packing = Packing::Conv { groups: self.groups };
        check_weight(scope, self.weight, &[output, group_input, height, width], packing)?;
        check_bias(scope, self.bias, output, self.groups)?;
        check_epilogue(scope, self.dst, self.epilogue.as_ref())
    }

    fn operations(&self, scope: &Scope<'_>) -> u64 {
        taps(scope, self.src, self.groups, self.window.kernel)
            .saturating_add(epilogue_operations(scope, self.epilogue.as_ref()))
    }

    fn padding(&self) -> Option<f32> {
        Some(0.0)
    }
}

impl Rule for ConvTranspose2d {
    fn mnemonic(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        check_window(&self.window)?;
        let (input, output) = (scope.buffer(self.src)?.channels, scope.buffer(self.dst)?.channels);
        let (_, group_output) = (per_group(input, self.groups)?, per_group(output, self.groups)?);
        let [height, width] = self.window.kernel.map(u64::from);
        let packing = Packing::ConvTranspose { groups: self.groups };
        check_weight(scope, self.weight, &[input, group_output, height, width], packing)?;
        check_bias(scope, self.bias, output, self.groups)?;
        check_epilogue(scope, self.dst, self.epilogue.as_ref())
    }

    fn operations(&self, scope: &Scope<'_>) -> u64 {
        taps(scope, self.src, self.groups, self.window.kernel)
            .saturating_add(epilogue_operations(scope, self.epilogue.as_ref()))
    }

    fn padding(&self) -> Option<f32> {
        Some(0.0)
    }
}

pub(super) fn per_group(channels: u64, groups: u32) -> Result<u64, InstrError> {
    match channels.checked_rem(groups.into()) {
        Some(0) => Ok(channels / u64::from(groups)),
        _ => Err(InstrError::Groups { channels, groups }),
    }
}

fn check_weight(scope: &Scope<'_>, id: WeightId, dims: &[u64], packing: Packing) -> Result<(), InstrError> {
    let weight = scope.weight(id)?;
    if weight.dims != dims {
        let (expected, found) = (dims.to_vec(), weight.dims.clone());
        return Err(InstrError::WeightShape { id: id.to_string(), expected, found });
    }
    if weight.packing != packing {
        let (expected, found) = (packing, weight.packing);
        return Err(InstrError::WeightPacking { id: id.to_string(), expected, found });
    }
    Ok(())
}

fn check_bias(
    scope: &Scope<'_>,
    bias: Option<WeightId>,
    channels: u64,
    groups: u32,
) -> Result<(), InstrError> {
    bias.map_or(Ok(()), |id| check_weight(scope, id, &[channels], Packing::GroupedChannels { groups }))
}

/// Multiply-adds for one output.
pub(super) fn taps(scope: &Scope<'_>, src: BufferId, groups: u32, kernel: [u32; 2]) -> u64 {
    let channels = scope.buffer(src).map_or(0, |b| b.channels / u64::from(groups.max(1)));
    kernel.iter().fold(channels, |n, k| n.saturating_mul((*k).into()))
}
