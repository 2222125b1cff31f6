//! Packs weights as [`Packing`] says.

use crate::program::Packing;

pub(super) fn pack(packing: Packing, dims: &[u64], values: &[f32]) -> Vec<f32> {
    let dims: Vec<usize> = dims.iter().map(|&d| d as usize).collect();
    match packing {
        Packing::Plain => values.to_vec(),
        Packing::Channels => grouped_channels(1, values),
        Packing::GroupedChannels { groups } => grouped_channels(groups as usize, values),
        Packing::Conv { groups } => {
            let groups = groups as usize;
            let [out, inputs, kh, kw] = dims[..] else { panic!("convolution weights have four dimensions") };
            conv(groups, out / groups, inputs, kh, kw, |g, o, i, ky, kx| {
                values[(((g * (out / groups) + o) * inputs + i) * kh + ky) * kw + kx]
            })
        }
        Packing::ConvTranspose { groups } => {
            let groups = groups as usize;
            let [inputs, out, kh, kw] = dims[..] else { panic!("convolution weights have four dimensions") };
            conv(groups, out, inputs / groups, kh, kw, |g, o, i, ky, kx| {
                values[(((g * (inputs / groups) + i) * out + o) * kh + ky) * kw + kx]
            })
        }
    }
}

fn grouped_channels(groups: usize, values: &[f32]) -> Vec<f32> {
    let mut packed = Vec::new();
    for group in values.chunks(values.len() / groups) {
        packed.extend_from_slice(group);
        packed.resize(packed.len().next_multiple_of(16), 0.0);
    }
    packed
}

/// `out` and `inputs` are those of one group; `at(g, o, i, ky, kx)`.
fn conv(
    groups: usize,
    out: usize,
    inputs: usize,
    kh: usize,
    kw: usize,
    at: impl Fn(usize, usize, usize, usize, usize) -> f32,
) -> Vec<f32> {
    let mut packed = Vec::new();
    for g in 0..groups {
        for ob in (0..out).step_by(16) {
            for ib in (0..inputs).step_by(16) {
                for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                    for i in ib..inputs.min(ib + 16) {
                        packed.extend((ob..ob + 16).map(|o| if o < out { at(g, o, i, ky, kx) } else { 0.0 }));
                    }
                }
            }
        }
    }
    packed
}
