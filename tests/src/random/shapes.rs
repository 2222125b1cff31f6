//! Resampling, and what moves or joins tensors.

use zellige_compiler::ops::ArgValue;

use super::arguments::{each_side, pair};
use super::{Draw, Drawn};

impl Draw {
    pub(super) fn upsample(&mut self) -> Option<Drawn> {
        let x = self.any();
        if self.resampling && self.chance(75) {
            return self.resample(x);
        }
        let scale = self.pair(|d| d.rng.i64(1..=3));
        self.op("upsample", &[("scale", pair(scale))], &[x], x.magnitude)
    }

    /// Any mode, by any factor or to any size.
    fn resample(&mut self, x: Drawn) -> Option<Drawn> {
        let mode = ["nearest", "nearest-exact", "bilinear", "bilinear", "bicubic"][self.rng.usize(0..5)];
        let mut args = vec![("mode", ArgValue::Text(mode.to_owned()))];
        let [_, _, h, w] = self.sizes(x).map(|s| s as i64);
        if self.chance(40) {
            let mut size = |extent: i64| {
                let smallest = (extent + 3) / 4;
                self.rng.i64(smallest..=(2 * extent + 3).min(90).max(smallest))
            };
            args.push(("size", pair([size(h), size(w)])));
        } else {
            let factors = [2.0, 4.0, 0.5, 1.5, 0.75, 1.7, 0.3 + 2.0 * self.rng.f64()];
            let mut factor = || ArgValue::Float(factors[self.rng.usize(0..factors.len())]);
            args.push(("scale", ArgValue::List(vec![factor(), factor()])));
        }
        if mode.starts_with("bi") {
            match self.rng.u8(0..4) {
                0 => args.push(("align_corners", ArgValue::Bool(true))),
                1 => args.push(("coordinates", ArgValue::Text("asymmetric".to_owned()))),
                _ => {}
            }
        }
        // The weights of a cubic filter overshoot.
        let magnitude = if mode == "bicubic" { 1.9 * x.magnitude } else { x.magnitude };
        self.op("upsample", &args, &[x], magnitude)
    }

    /// Some of the channels.
    pub(super) fn slice(&mut self) -> Option<Drawn> {
        let x = self.any();
        let channels = self.sizes(x)[1] as i64;
        let from = self.rng.i64(0..channels);
        let to = self.rng.i64(from + 1..=channels);
        self.op("slice", &[("from", ArgValue::Int(from)), ("to", ArgValue::Int(to))], &[x], x.magnitude)
    }

    /// A pixel unshuffle, of a tensor padded to a size that suits.
    pub(super) fn pixel_unshuffle(&mut self) -> Option<Drawn> {
        let x = self.any();
        let factor = self.rng.i64(1..=3);
        let [_, _, h, w] = self.sizes(x).map(|s| s as i64);
        let missing = [h, w].map(|size| (factor - size % factor) % factor);
        let x = match missing {
            [0, 0] => x,
            [rows, cols] => self.op("pad", &each_side([rows, 0, 0, cols]), &[x], x.magnitude)?,
        };
        self.op("pixel_unshuffle", &[("factor", ArgValue::Int(factor))], &[x], x.magnitude)
    }

    /// A pixel shuffle, after a convolution that gives it a number of channels that suits.
    pub(super) fn pixel_shuffle(&mut self) -> Option<Drawn> {
        let x = self.any();
        let factor = self.rng.u64(1..=3);
        let channels = self.rng.u64(1..=4) * factor * factor;
        let x =
            if self.sizes(x)[1].is_multiple_of(factor * factor) { x } else { self.pointwise(x, channels)? };
        self.op("pixel_shuffle", &[("factor", ArgValue::Int(factor as i64))], &[x], x.magnitude)
    }

    pub(super) fn crop(&mut self) -> Option<Drawn> {
        let x = self.image();
        let [_, _, h, w] = self.sizes(x).map(|s| s as i64);
        let mut off = |extent: i64| self.rng.i64(0..=(extent / 4).min(6));
        let sides = [off(h), off(w), off(h), off(w)];
        self.op("crop", &each_side(sides), &[x], x.magnitude)
    }

    pub(super) fn pad(&mut self) -> Option<Drawn> {
        let x = self.any();
        let sides = [0; 4].map(|_| self.rng.i64(0..=4));
        self.op("pad", &each_side(sides), &[x], x.magnitude)
    }

    /// Two to four tensors side by side, cropped to the same size where they differ.
    pub(super) fn concat(&mut self) -> Option<Drawn> {
        let mut parts = vec![self.any()];
        for _ in 0..self.rng.usize(1..=3) {
            let other = self.any();
            let [a, b] = self.aligned(parts[0], other)?;
            // Those before fit no longer where the first one had to be cropped.
            if a.id != parts[0].id {
                parts.clear();
                parts.push(a);
            }
            parts.push(b);
        }
        self.rng.shuffle(&mut parts);
        let magnitude = parts.iter().map(|p| p.magnitude).fold(0.0, f64::max);
        self.op("concat", &[], &parts, magnitude)
    }

    /// Both cropped to the size that they have in common, somewhere in them.
    pub(super) fn aligned(&mut self, a: Drawn, b: Drawn) -> Option<[Drawn; 2]> {
        let [_, _, ah, aw] = self.sizes(a);
        let [_, _, bh, bw] = self.sizes(b);
        let common = [ah.min(bh), aw.min(bw)];
        Some([self.cropped_to(a, common)?, self.cropped_to(b, common)?])
    }

    pub(super) fn cropped_to(&mut self, x: Drawn, [h, w]: [u64; 2]) -> Option<Drawn> {
        let [_, _, xh, xw] = self.sizes(x);
        let (rows, cols) = ((xh - h) as i64, (xw - w) as i64);
        if rows == 0 && cols == 0 {
            return Some(x);
        }
        let (top, left) = (self.rng.i64(0..=rows), self.rng.i64(0..=cols));
        self.op("crop", &each_side([top, left, rows - top, cols - left]), &[x], x.magnitude)
    }
}
