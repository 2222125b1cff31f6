//! Where a packed parameter's elements lie. All offsets are in f32s from the parameter's first.

use crate::program::{Packing, Weight};

/// Channels of a block: what packed parameters are padded to.
pub const BLOCK: usize = 16;

/// Layout of convolution weights ([`Packing::Conv`], [`Packing::ConvTranspose`]):
/// `[group][out block][in block][ky][kx][in in block][16 out]`, without padding of the inputs.
///
/// The taps of a group, an output block and an input block are consecutive:
///
/// ```text
/// offset(g, o, i, ky, kx) = block_offset(g, o / 16, i / 16)
///                         + ((ky · kw + kx) · in_block_len(i / 16) + i mod 16) · 16 + o mod 16
/// ```
///
/// and so are all input blocks of an output block, in the canonical order of summation. Outputs past a group's last are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvLayout {
    groups: usize,
    out_per_group: usize,
    in_per_group: usize,
    kernel: [usize; 2],
}

impl ConvLayout {
    /// A layout; `None` for one without elements, or with so many that offsets overflow.
    pub fn new(groups: u64, out_per_group: u64, in_per_group: u64, kernel: [u64; 2]) -> Option<Self> {
        let out = out_per_group.checked_next_multiple_of(BLOCK as u64)?;
        let len = [groups, out, in_per_group, kernel[0], kernel[1], size_of::<f32>() as u64]
            .into_iter()
            .try_fold(1u64, u64::checked_mul)?;
        if len == 0 || isize::try_from(len).is_err() {
            return None;
        }
        // No factor exceeds the product, which fits.
        Some(Self {
            groups: groups as usize,
            out_per_group: out_per_group as usize,
            in_per_group: in_per_group as usize,
            kernel: kernel.map(|k| k as usize),
        })
    }

    /// The layout of a convolution's weights; `None` if `weight` is not packed as such, or its shape does not fit its groups.
    pub fn of(weight: &Weight) -> Option<Self> {
        let &[first, second, kh, kw] = weight.dims.as_slice() else { return None };
        let per_group = |n: u64, groups: u32| {
            let groups = u64::from(groups);
            (groups > 0 && n.is_multiple_of(groups)).then(|| n / groups)
        };
        match weight.packing {
            Packing::Conv { groups } => {
                Self::new(u64::from(groups), per_group(first, groups)?, second, [kh, kw])
            }
            Packing::ConvTranspose { groups } => {
                Self::new(u64::from(groups), second, per_group(first, groups)?, [kh, kw])
            }
            Packing::Plain | Packing::Channels | Packing::GroupedChannels { .. } => None,
        }
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Output channels of a group.
    pub fn out_per_group(&self) -> usize {
        self.out_per_group
    }

    /// Input channels of a group.
    pub fn in_per_group(&self) -> usize {
        self.in_per_group
    }

    /// Rows and columns of the kernel.
    pub fn kernel(&self) -> [usize; 2] {
        self.kernel
    }

    /// Blocks of output channels of a group, the last one padded.
    pub fn out_blocks(&self) -> usize {
        self.out_per_group.div_ceil(BLOCK)
    }

    /// Blocks of input channels of a group, the last one short.
    pub fn in_blocks(&self) -> usize {
        self.in_per_group.div_ceil(BLOCK)
    }

    /// Input channels of a block: 16, or what is left in the last one.
    pub fn in_block_len(&self, in_block: usize) -> usize {
        BLOCK.min(self.in_per_group - in_block * BLOCK)
    }

    /// From an output block to the next.
    pub fn out_block_stride(&self) -> usize {
        self.in_per_group * self.taps() * BLOCK
    }

    /// First element of a group's output and input block.
    pub fn block_offset(&self, group: usize, out_block: usize, in_block: usize) -> usize {
        (group * self.out_blocks() + out_block) * self.out_block_stride()
            + in_block * BLOCK * self.taps() * BLOCK
    }

    /// The element of output `out` and input `input` of a group at a tap.
    pub fn offset(&self, group: usize, out: usize, input: usize, ky: usize, kx: usize) -> usize {
        let in_block = input / BLOCK;
        let tap = ky * self.kernel[1] + kx;
        self.block_offset(group, out / BLOCK, in_block)
            + (tap * self.in_block_len(in_block) + input % BLOCK) * BLOCK
            + out % BLOCK
    }

    /// Number of elements, padding included.
    pub fn packed_len(&self) -> usize {
        self.groups * self.out_blocks() * self.out_block_stride()
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}

/// Layout of one value a channel, each group padded with zeros to whole blocks ([`Packing::GroupedChannels`], and with one group
/// [`Packing::Channels`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupedLayout {
    groups: usize,
    per_group: usize,
}

impl GroupedLayout {
    /// The layout of a parameter of channels; `None` if `weight` is not packed as such, is empty or too large, or does not divide
    /// into its groups.
    pub fn of(weight: &Weight) -> Option<Self> {
        let groups = match weight.packing {
            Packing::Channels => 1,
            Packing::GroupedChannels { groups } => u64::from(groups),
            Packing::Plain | Packing::Conv { .. } | Packing::ConvTranspose { .. } => return None,
        };
        let channels = weight.dims.iter().copied().try_fold(1, u64::checked_mul)?;
        if groups == 0 || channels == 0 || !channels.is_multiple_of(groups) {
            return None;
        }
        let padded = (channels / groups).checked_next_multiple_of(BLOCK as u64)?.checked_mul(groups)?;
        isize::try_from(padded.checked_mul(size_of::<f32>() as u64)?).ok()?;
        Some(Self { groups: groups as usize, per_group: (channels / groups) as usize })
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Channels of a group.
    pub fn per_group(&self) -> usize {
        self.per_group
    }

    /// From a group to the next.
    pub fn group_stride(&self) -> usize {
        self.per_group.next_multiple_of(BLOCK)
    }

    /// The value of a channel of a group.
    pub fn offset(&self, group: usize, channel: usize) -> usize {
        group * self.group_stride() + channel
    }

    /// Number of elements, padding included.
    pub fn packed_len(&self) -> usize {
        self.groups * self.group_stride()
    }
}
