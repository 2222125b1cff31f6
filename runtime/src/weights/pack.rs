//! Packing of raw values.

use super::layout::{BLOCK, ConvLayout, GroupedLayout};
use crate::program::{Packing, Source, Weight};

/// Why a parameter cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The shape does not go with the layout, or is empty or too large.
    #[error("weight `{name}`: shape {dims:?} cannot be packed as {packing:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape.
        dims: Vec<u64>,
        /// The layout.
        packing: Packing,
    },
    /// The values are not all there.
    #[error("weight `{name}`: {wanted} values are needed, {found} are there")]
    Values {
        /// The parameter.
        name: String,
        /// Values of its shape.
        wanted: u64,
        /// Values that the data holds from its offset on, or that are written inline.
        found: u64,
    },
    /// The destination has another length.
    #[error("weight `{name}`: packed into {found} values instead of {wanted}")]
    Destination {
        /// The parameter.
        name: String,
        /// [`packed_len`].
        wanted: u64,
        /// Length of the destination.
        found: u64,
    },
}

/// Number of f32s that a parameter takes when packed; `None` where its shape does not go with its layout, or is empty or too
/// large.
pub fn packed_len(weight: &Weight) -> Option<u64> {
    Layout::of(weight).map(|layout| layout.packed_len() as u64)
}

/// Writes a parameter in its layout into `out`, which is [`packed_len`] long; padding becomes zero.
///
/// `data` holds the program's raw values, little-endian f32s that need not be aligned.
pub fn pack(weight: &Weight, data: &[u8], out: &mut [f32]) -> Result<(), PackError> {
    let layout = Layout::of(weight).ok_or_else(|| PackError::Shape {
        name: weight.name.clone(),
        dims: weight.dims.clone(),
        packing: weight.packing,
    })?;
    let (wanted, found) = (layout.packed_len() as u64, out.len() as u64);
    if wanted != found {
        return Err(PackError::Destination { name: weight.name.clone(), wanted, found });
    }
    let raw = Raw::of(weight, data, layout.raw_len())?;
    match layout {
        Layout::Plain(_) => out.iter_mut().enumerate().for_each(|(i, slot)| *slot = raw.get(i)),
        Layout::Channels(layout) => pack_channels(&layout, raw, out),
        Layout::Conv(layout, order) => pack_conv(&layout, order, raw, out),
    }
    Ok(())
}

fn pack_channels(layout: &GroupedLayout, raw: Raw<'_>, out: &mut [f32]) {
    for (group, slots) in out.chunks_exact_mut(layout.group_stride()).enumerate() {
        let (values, padding) = slots.split_at_mut(layout.per_group());
        let first = group * layout.per_group();
        values.iter_mut().enumerate().for_each(|(i, slot)| *slot = raw.get(first + i));
        padding.fill(0.0);
    }
}

/// Goes through the packed elements in order, sixteen outputs at a time.
fn pack_conv(layout: &ConvLayout, order: Order, raw: Raw<'_>, out: &mut [f32]) {
    let taps = layout.kernel()[0] * layout.kernel()[1];
    let mut slots = out.chunks_exact_mut(BLOCK);
    for group in 0..layout.groups() {
        for out_block in 0..layout.out_blocks() {
            let first_out = out_block * BLOCK;
            let outs = BLOCK.min(layout.out_per_group() - first_out);
            for in_block in 0..layout.in_blocks() {
                for tap in 0..taps {
                    let inputs = in_block * BLOCK..in_block * BLOCK + layout.in_block_len(in_block);
                    for (input, slots) in inputs.zip(&mut slots) {
                        let (values, padding) = slots.split_at_mut(outs);
                        for (slot, out) in values.iter_mut().zip(first_out..) {
                            *slot = raw.get(order.index(layout, group, out, input) * taps + tap);
                        }
                        padding.fill(0.0);
                    }
                }
            }
        }
    }
}

/// How raw convolution weights are ordered.
#[derive(Clone, Copy)]
enum Order {
    /// `[group · out, in, ky, kx]`
    OutFirst,
    /// `[group · in, out, ky, kx]`
    InFirst,
}

impl Order {
    /// Index of a pair of channels.
    fn index(self, layout: &ConvLayout, group: usize, out: usize, input: usize) -> usize {
        let (outs, inputs) = (layout.out_per_group(), layout.in_per_group());
        match self {
            Self::OutFirst => (group * outs + out) * inputs + input,
            Self::InFirst => (group * inputs + input) * outs + out,
        }
    }
}

enum Layout {
    Plain(usize),
    Channels(GroupedLayout),
    Conv(ConvLayout, Order),
}

impl Layout {
    fn of(weight: &Weight) -> Option<Self> {
        match weight.packing {
            Packing::Plain => {
                let len = weight.dims.iter().copied().try_fold(1, u64::checked_mul)?;
                let fits =
                    len.checked_mul(size_of::<f32>() as u64).is_some_and(|n| isize::try_from(n).is_ok());
                (len > 0 && fits).then_some(Self::Plain(len as usize))
            }
            Packing::Channels | Packing::GroupedChannels { .. } => {
                GroupedLayout::of(weight).map(Self::Channels)
            }
            Packing::Conv { .. } => ConvLayout::of(weight).map(|l| Self::Conv(l, Order::OutFirst)),
            Packing::ConvTranspose { .. } => ConvLayout::of(weight).map(|l| Self::Conv(l, Order::InFirst)),
        }
    }

    fn packed_len(&self) -> usize {
        match self {
            Self::Plain(len) => *len,
            Self::Channels(layout) => layout.packed_len(),
            Self::Conv(layout, _) => layout.packed_len(),
        }
    }

    fn raw_len(&self) -> usize {
        match self {
            Self::Plain(len) => *len,
            Self::Channels(layout) => layout.groups() * layout.per_group(),
            Self::Conv(layout, _) => {
                let [kh, kw] = layout.kernel();
                layout.groups() * layout.out_per_group() * layout.in_per_group() * kh * kw
            }
        }
    }
}

/// Values as they are stored.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Bytes(&'a [[u8; 4]]),
    Values(&'a [f32]),
}

impl<'a> Raw<'a> {
    /// The `wanted` values of a parameter.
    fn of(weight: &'a Weight, data: &'a [u8], wanted: usize) -> Result<Self, PackError> {
        let raw = match &weight.source {
            Source::Inline(values) => Self::Values(values),
            Source::Offset(at) => {
                let bytes = usize::try_from(*at).ok().and_then(|at| data.get(at..)).unwrap_or_default();
                let values = bytes.as_chunks().0;
                Self::Bytes(&values[..wanted.min(values.len())])
            }
        };
        let found = match raw {
            Self::Bytes(values) => values.len(),
            Self::Values(values) => values.len(),
        };
        if found != wanted {
            let name = weight.name.clone();
            return Err(PackError::Values { name, wanted: wanted as u64, found: found as u64 });
        }
        Ok(raw)
    }

    fn get(self, i: usize) -> f32 {
        match self {
            Self::Bytes(values) => f32::from_le_bytes(values[i]),
            Self::Values(values) => values[i],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(dims: &[u64], packing: Packing, source: Source) -> Weight {
        Weight { name: "w".to_owned(), dims: dims.to_vec(), packing, offset: 0, source }
    }

    /// Values 1, 2, 3, … at an odd offset, packed; also checks that they come out the same when written inline.
    fn packed(dims: &[u64], packing: Packing) -> (Weight, Vec<f32>) {
        let values: Vec<f32> = (1..=dims.iter().product()).map(|i: u64| i as f32).collect();
        let bytes: Vec<u8> =
            [7, 7, 7].into_iter().chain(values.iter().flat_map(|v| v.to_le_bytes())).chain([9]).collect();
        let stored = weight(dims, packing, Source::Offset(3));
        let len = packed_len(&stored).unwrap() as usize;
        let (mut out, mut again) = (vec![f32::NAN; len], vec![f32::NAN; len]);
        pack(&stored, &bytes, &mut out).unwrap();
        pack(&weight(dims, packing, Source::Inline(values)), &[], &mut again).unwrap();
        assert_eq!(out, again);
        (stored, out)
    }

    #[test]
    fn constants_stay_as_they_are() {
        assert_eq!(packed(&[2, 3], Packing::Plain).1, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(packed(&[], Packing::Plain).1, [1.0]);
    }

    #[test]
    fn channels_are_padded_by_group() {
        let (_, one) = packed(&[18], Packing::Channels);
        assert_eq!(one.len(), 32);
        assert_eq!(one[17..20], [18.0, 0.0, 0.0]);

        let (weight, out) = packed(&[6], Packing::GroupedChannels { groups: 3 });
        let layout = GroupedLayout::of(&weight).unwrap();
        assert_eq!(out.len(), 48);
        for group in 0..3 {
            for channel in 0..2 {
                assert_eq!(out[layout.offset(group, channel)], (group * 2 + channel + 1) as f32);
            }
        }
        assert_eq!(out.iter().filter(|v| **v == 0.0).count(), 42);
    }

    #[test]
    fn convolutions_read_back_by_the_formula() {
        for (dims, groups) in [
            ([3u64, 5, 3, 3], 1),
            ([64, 48, 1, 1], 1),
            ([17, 33, 3, 2], 1),
            ([32, 1, 5, 5], 32),
            ([40, 18, 2, 3], 2),
        ] {
            check(&dims, Packing::Conv { groups }, groups as usize, |g, o, i, outs, inputs| {
                (g * outs + o) * inputs + i
            });
            check(&dims, Packing::ConvTranspose { groups }, groups as usize, |g, o, i, outs, inputs| {
                (g * inputs + i) * outs + o
            });
        }
    }

    fn check(
        dims: &[u64; 4],
        packing: Packing,
        groups: usize,
        pair: fn(usize, usize, usize, usize, usize) -> usize,
    ) {
        let (weight, out) = packed(dims, packing);
        let layout = ConvLayout::of(&weight).unwrap();
        let (outs, inputs, [kh, kw]) = (layout.out_per_group(), layout.in_per_group(), layout.kernel());
        assert_eq!(groups * outs * inputs * kh * kw, dims.iter().product::<u64>() as usize);
        let mut seen = vec![false; out.len()];
        for g in 0..groups {
            for o in 0..outs {
                for i in 0..inputs {
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let at = layout.offset(g, o, i, ky, kx);
                            let raw = (pair(g, o, i, outs, inputs) * kh + ky) * kw + kx;
                            assert_eq!(
                                out[at],
                                (raw + 1) as f32,
                                "{dims:?} {packing:?} {g} {o} {i} {ky} {kx}"
                            );
                            assert!(!std::mem::replace(&mut seen[at], true));
                        }
                    }
                }
            }
        }
        assert!(out.iter().zip(seen).all(|(v, seen)| seen || v.to_bits() == 0), "padding is +0");
    }

    #[test]
    fn blocks_follow_each_other_in_the_order_of_summation() {
        let layout = ConvLayout::new(2, 20, 35, [3, 3]).unwrap();
        assert_eq!((layout.out_blocks(), layout.in_blocks(), layout.in_block_len(2)), (2, 3, 3));
        let mut at = 0;
        for group in 0..2 {
            for out_block in 0..2 {
                for in_block in 0..3 {
                    assert_eq!(layout.block_offset(group, out_block, in_block), at);
                    at += layout.in_block_len(in_block) * 9 * BLOCK;
                }
            }
        }
        assert_eq!(layout.packed_len(), at);
    }

    #[test]
    fn shapes_that_cannot_be_packed_are_refused() {
        let conv = |groups| Packing::Conv { groups };
        for (dims, packing) in [
            (vec![4, 4, 3], conv(1)),
            (vec![4, 4, 3, 3], conv(0)),
            (vec![4, 4, 3, 3], conv(3)),
            (vec![4, 0, 3, 3], conv(1)),
            (vec![u64::MAX, 4, 3, 3], conv(1)),
            (vec![1 << 31, 1 << 31, 1, 1], conv(1)),
            (vec![3, 4, 3, 3], Packing::ConvTranspose { groups: 2 }),
            (vec![7], Packing::GroupedChannels { groups: 2 }),
            (vec![7], Packing::GroupedChannels { groups: 0 }),
            (vec![u64::MAX], Packing::Channels),
            (vec![0], Packing::Plain),
            (vec![1 << 40, 1 << 40], Packing::Plain),
        ] {
            let weight = weight(&dims, packing, Source::Offset(0));
            assert_eq!(packed_len(&weight), None, "{weight:?}");
            assert!(matches!(pack(&weight, &[0; 64], &mut [0.0; 16]), Err(PackError::Shape { .. })));
        }
    }

    #[test]
    fn missing_values_are_an_error() {
        for (source, found) in [
            (Source::Offset(0), 2),
            (Source::Offset(5), 1),
            (Source::Offset(u64::MAX), 0),
            (Source::Inline(vec![1.0; 4]), 4),
        ] {
            let weight = weight(&[3], Packing::Plain, source);
            let error = PackError::Values { name: "w".to_owned(), wanted: 3, found };
            assert_eq!(pack(&weight, &[0; 11], &mut [0.0; 3]), Err(error));
        }
        let weight = weight(&[3], Packing::Channels, Source::Offset(0));
        let error = PackError::Destination { name: "w".to_owned(), wanted: 16, found: 3 };
        assert_eq!(pack(&weight, &[0; 12], &mut [0.0; 3]), Err(error));
    }
}
