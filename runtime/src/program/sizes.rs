//! How much device memory things take. `None` where that overflows, as it may in a program that was not verified.

use super::instr::ConvDw;
use super::{Accumulator, AccumulatorKind, Blocks, Dims, Packing, Tensor, Weight};

/// Channels side by side in packed weights.
const BLOCK: u64 = 16;

/// Bytes of device memory for one exact sum: the range of binary64, 66 digits of 32 bits in 64-bit words with room for carries,
/// and a word for what is not finite.
pub const EXACT_SUM_BYTES: u64 = 67 * 8;

/// Bytes of device memory for one exact sum of f32s: their range, 10 digits of 32 bits in 64-bit words, and a word for what is not
/// finite.
pub const EXACT_SINGLE_SUM_BYTES: u64 = 11 * 8;

/// Most values, partial sums of grains, that an exact sum is certain to hold.
pub const MAX_SUMMANDS: u64 = (1 << 31) - 1;

impl AccumulatorKind {
    /// Bytes of device memory for an image and channel.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Sum => EXACT_SUM_BYTES,
            Self::Moments => 2 * EXACT_SUM_BYTES,
            Self::Max => 8,
            Self::Products => EXACT_SINGLE_SUM_BYTES,
        }
    }
}

impl Dims {
    /// Number of elements.
    pub fn elements(&self) -> Option<u64> {
        product([self.n, self.c, self.h, self.w])
    }
}

impl Tensor {
    /// Bytes of the tensor, unused lanes of its last block of channels included.
    pub fn bytes(&self) -> Option<u64> {
        let Dims { n, c, h, w } = self.dims;
        let channels = c.checked_next_multiple_of(u64::from(self.lanes))?;
        match self.blocks {
            None => product([n, channels, h, w, 4]),
            Some(Blocks { grid, size, .. }) => product([n, channels, grid[0], grid[1], size[0], size[1], 4]),
        }
    }
}

impl Weight {
    /// Number of values, as stored.
    pub fn elements(&self) -> Option<u64> {
        product(self.dims.iter().copied())
    }

    /// Bytes of the packed values; `None` also if the shape does not suit the packing.
    pub fn packed_bytes(&self) -> Option<u64> {
        let elements = match self.packing {
            Packing::Plain => self.elements()?,
            Packing::Channels => self.elements()?.checked_next_multiple_of(BLOCK)?,
            Packing::GroupedChannels { groups } => {
                let group = divide(self.elements()?, groups.into())?;
                product([groups.into(), group.checked_next_multiple_of(BLOCK)?])?
            }
            Packing::Conv { groups } => {
                let &[out, input, height, width] = self.dims.as_slice() else { return None };
                let group = divide(out, groups.into())?;
                product([groups.into(), group.checked_next_multiple_of(BLOCK)?, input, height, width])?
            }
            Packing::ConvTranspose { groups } => {
                let &[input, out, height, width] = self.dims.as_slice() else { return None };
                divide(input, groups.into())?;
                product([out.checked_next_multiple_of(BLOCK)?, input, height, width])?
            }
        };
        elements.checked_mul(4)
    }
}

impl ConvDw {
    /// Bytes of a worker's running sums ([`Running`](super::Running)): an f64 a weight, laid out as [`Packing::Conv`] lays out the weights
    /// of a convolution from the channels of `x` to those of `dy`, `channels`. `None` if groups do not divide them.
    pub fn running_bytes(channels: [u64; 2], kernel: [u32; 2], groups: u32) -> Option<u64> {
        let groups = u64::from(groups);
        let [inputs, outputs] = channels.map(|c| divide(c, groups));
        let (inputs, outputs) = (inputs?, outputs?);
        let [kh, kw] = kernel.map(u64::from);
        product([groups, outputs.checked_next_multiple_of(BLOCK)?, inputs, kh, kw, 8])
    }
}

impl Accumulator {
    /// Bytes of all that it gathers.
    pub fn bytes(&self) -> Option<u64> {
        product([self.images, self.channels, self.kind.bytes()])
    }
}

fn product(factors: impl IntoIterator<Item = u64>) -> Option<u64> {
    factors.into_iter().try_fold(1, u64::checked_mul)
}

/// The quotient, if there is no remainder.
fn divide(n: u64, by: u64) -> Option<u64> {
    (n.checked_rem(by)? == 0).then(|| n / by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Source;

    fn packed(dims: &[u64], packing: Packing) -> Option<u64> {
        let source = Source::Offset(0);
        let weight = Weight { name: String::new(), dims: dims.to_vec(), packing, offset: 0, source };
        let bytes = weight.packed_bytes();
        assert_eq!(
            bytes,
            crate::weights::packed_len(&weight).map(|n| 4 * n),
            "what packing writes: {weight:?}"
        );
        bytes
    }

    #[test]
    fn groups_are_padded_to_blocks_of_outputs_by_themselves() {
        assert_eq!(packed(&[20, 3, 3, 3], Packing::Conv { groups: 1 }), Some(4 * 32 * 3 * 9));
        assert_eq!(packed(&[20, 3, 3, 3], Packing::Conv { groups: 2 }), Some(4 * 2 * 16 * 3 * 9));
        assert_eq!(packed(&[20, 3, 3, 3], Packing::Conv { groups: 3 }), None);
        assert_eq!(packed(&[20, 3, 3], Packing::Conv { groups: 1 }), None);
        assert_eq!(packed(&[6, 20, 2, 2], Packing::ConvTranspose { groups: 1 }), Some(4 * 32 * 6 * 4));
        assert_eq!(packed(&[6, 10, 2, 2], Packing::ConvTranspose { groups: 2 }), Some(4 * 2 * 16 * 3 * 4));
        assert_eq!(packed(&[20], Packing::Channels), Some(4 * 32));
        assert_eq!(packed(&[40], Packing::GroupedChannels { groups: 2 }), Some(4 * 64));
        assert_eq!(packed(&[40], Packing::GroupedChannels { groups: 0 }), None);
        assert_eq!(packed(&[1 << 40, 1 << 40], Packing::Plain), None);
    }

    #[test]
    fn an_exact_sum_is_what_accumulators_keep() {
        assert_eq!(EXACT_SUM_BYTES, crate::exact::superaccumulator::BYTES_PER_SUM);
        assert_eq!(EXACT_SINGLE_SUM_BYTES, crate::exact::single::BYTES_PER_SUM);
    }
}
