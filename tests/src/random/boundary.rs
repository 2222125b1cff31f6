//! Padding with pixels of the tensor itself, and other shapes of the same values.

use zellige_compiler::ops::ArgValue;

use super::arguments::{each_side, pair, sides};
use super::{Draw, Drawn};

/// Most channels that a tensor gets by a reshape: what follows takes all of them.
const MOST_CHANNELS: u64 = 600;

impl Draw {
    pub(super) fn boundary(&mut self) -> Option<Drawn> {
        match self.rng.u8(0..10) {
            0..4 => self.mode_pad(),
            4..7 => self.mode_conv(),
            7 => self.reshape(),
            8 => self.flatten(),
            _ => self.transpose(),
        }
    }

    fn mode(&mut self) -> &'static str {
        ["reflect", "replicate", "circular"][self.rng.usize(0..3)]
    }

    /// Little, mostly; now and then as much as there may be.
    fn amount(&mut self, most: i64) -> i64 {
        let usual = if self.chance(80) { most.min(4) } else { most.min(20) };
        if self.chance(10) { usual } else { self.rng.i64(0..=usual) }
    }

    fn mode_pad(&mut self) -> Option<Drawn> {
        let x = self.any();
        let [_, _, h, w] = self.sizes(x).map(|s| s as i64);
        if self.chance(20) {
            let mut args = each_side([0; 4].map(|_| self.rng.i64(0..=4))).to_vec();
            args.push(("value", ArgValue::Float(f64::from(self.rng.f32() - 0.5))));
            return self.op("pad", &args, &[x], x.magnitude);
        }
        let mode = self.mode();
        let mut args = each_side([h, w, h, w].map(|extent| self.amount(most(mode, extent)))).to_vec();
        args.push(("mode", ArgValue::Text(mode.to_owned())));
        self.op("pad", &args, &[x], x.magnitude)
    }

    fn mode_conv(&mut self) -> Option<Drawn> {
        let x = self.any();
        let [_, _, h, w] = self.sizes(x).map(|s| s as i64);
        let kernel = self.pair(|d| d.rng.i64(1..=4));
        let stride = self.pair(|d| d.rng.i64(1..=2));
        let mode = self.mode();
        let pad = [[h, 0], [w, 1], [h, 0], [w, 1]];
        let pad = pad.map(|[extent, i]| self.rng.i64(0..=kernel[i as usize]).min(most(mode, extent)));
        let mut args = self.channel_args(x);
        args.extend([
            ("kernel", pair(kernel)),
            ("stride", pair(stride)),
            ("pad", sides(pad)),
            ("pad_mode", ArgValue::Text(mode.to_owned())),
        ]);
        self.op("conv2d", &args, &[x], x.magnitude + 0.5)
    }

    /// Some other sizes with the same product, one of them left to be found.
    fn reshape(&mut self) -> Option<Drawn> {
        let x = self.any();
        let all: u64 = self.sizes(x)[1..].iter().product();
        let channels = self.divisor_of(all, MOST_CHANNELS);
        let rows = self.divisor_of(all / channels, u64::MAX);
        let mut shape = [channels, rows, all / channels / rows].map(|size| ArgValue::Int(size as i64));
        if self.chance(40) {
            shape[self.rng.usize(0..3)] = ArgValue::Int(-1);
        }
        self.op("reshape", &[("shape", ArgValue::List(shape.to_vec()))], &[x], x.magnitude)
    }

    fn divisor_of(&mut self, of: u64, most: u64) -> u64 {
        let divisors: Vec<u64> = (1..=of.min(most)).filter(|d| of.is_multiple_of(*d)).collect();
        divisors[self.rng.usize(0..divisors.len())]
    }

    /// What a classifier does in the end: all values as channels, and a few sums of them.
    fn flatten(&mut self) -> Option<Drawn> {
        let x = self.any();
        if self.sizes(x)[1..].iter().product::<u64>() > MOST_CHANNELS {
            return None;
        }
        let flat = self.op("flatten", &[], &[x], x.magnitude)?;
        let out = self.rng.u64(1..=8);
        self.pointwise(flat, out)
    }

    fn transpose(&mut self) -> Option<Drawn> {
        let x = self.any();
        self.op("transpose", &[], &[x], x.magnitude)
    }
}

/// The most that a mode pads an extent by; of what may be any number, a few.
fn most(mode: &str, extent: i64) -> i64 {
    match mode {
        "reflect" => extent - 1,
        "circular" => extent,
        _ => extent + 3,
    }
}
