//! From interleaved samples to planes, and back.

use super::{Array, Channels};
use crate::program::Dims;

/// Interleaved samples of a part of a row.
#[derive(Clone, Copy)]
pub(super) struct Samples<'a> {
    /// Big-endian where a sample has two bytes.
    pub(super) bytes: &'a [u8],
    /// Samples a pixel: grey, grey and alpha, RGB, or RGB and alpha.
    pub(super) per_pixel: usize,
    /// Whether a sample has two bytes.
    pub(super) wide: bool,
    /// Whether they are taken as they are.
    pub(super) whole: bool,
}

impl Samples<'_> {
    fn pixels(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.per_pixel * if self.wide { 2 } else { 1 })
    }

    /// A sample of a pixel, in 0..1 unless it is taken as it is.
    fn sample(&self, pixel: &[u8], i: usize) -> f32 {
        let (value, max) = if self.wide {
            (f32::from(u16::from_be_bytes([pixel[2 * i], pixel[2 * i + 1]])), 65535.0)
        } else {
            (f32::from(pixel[i]), 255.0)
        };
        if self.whole { value } else { value / max }
    }
}

/// Pixels `first`, `first + step`, … of a row.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) y: usize,
    pub(super) first: usize,
    pub(super) step: usize,
}

/// Shape of an image.
pub(super) fn image_dims(width: u32, height: u32, channels: Channels) -> Dims {
    let c = match channels {
        Channels::Rgb => 3,
        Channels::Grey => 1,
    };
    Dims { n: 1, c, h: u64::from(height), w: u64::from(width) }
}

/// Puts samples into the planes of an image of one or three channels; pixels beyond the row are dropped.
pub(super) fn scatter(samples: Samples<'_>, place: Place, image: &mut Array) {
    let (width, height) = (image.dims.w as usize, image.dims.h as usize);
    let planes = image.dims.c as usize;
    let coloured = samples.per_pixel >= 3;
    for (c, plane) in image.data.chunks_exact_mut(width * height).enumerate() {
        let Some(row) = plane.chunks_exact_mut(width).nth(place.y) else { return };
        let slots = row.iter_mut().skip(place.first).step_by(place.step);
        for (slot, pixel) in slots.zip(samples.pixels()) {
            *slot = match (planes, coloured) {
                (1, true) => luma([0, 1, 2].map(|i| samples.sample(pixel, i))),
                (_, true) => samples.sample(pixel, c),
                (_, false) => samples.sample(pixel, 0),
            };
        }
    }
}

fn luma([r, g, b]: [f32; 3]) -> f32 {
    (0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)) as f32
}

/// A row of an image as interleaved samples of 8 bits.
pub(super) fn gather(image: &Array, y: usize, row: &mut [u8]) {
    let (width, height, planes) = (image.dims.w as usize, image.dims.h as usize, image.dims.c as usize);
    for (c, plane) in image.data.chunks_exact(width * height).enumerate() {
        let values = &plane[y * width..][..width];
        for (sample, &value) in row[c..].iter_mut().step_by(planes).zip(values) {
            *sample = to_byte(value);
        }
    }
}

/// Clamped to 0..1, scaled to 0..255 and rounded half to even; NaN is 0.
fn to_byte(value: f32) -> u8 {
    // NaN passes the clamp, and the cast makes it 0.
    (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_clamped_and_rounded_half_to_even() {
        for (value, byte) in [
            (0.0, 0),
            (-0.0, 0),
            (-1.0, 0),
            (f32::NAN, 0),
            (f32::NEG_INFINITY, 0),
            (1.0, 255),
            (1.5, 255),
            (f32::INFINITY, 255),
            (0.5 / 255.0, 0),
            (1.5 / 255.0, 2),
            (0.5, 128),
            (0.499, 127),
        ] {
            assert_eq!(to_byte(value), byte, "{value}");
        }
        assert!((0..=255).all(|v| to_byte(f32::from(v) / 255.0) == v));
    }

    #[test]
    fn luma_keeps_greys() {
        assert!((0..=255u8).map(|v| f32::from(v) / 255.0).all(|v| luma([v; 3]) == v));
    }
}
