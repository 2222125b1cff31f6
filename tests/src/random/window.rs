//! Convolutions and pooling.

use zellige_compiler::ops::ArgValue;

use super::arguments::pair;
use super::{Draw, Drawn};

impl Draw {
    /// A convolution of some tensor, of any geometry.
    pub(super) fn conv(&mut self) -> Option<Drawn> {
        let x = self.any();
        let kernel = self.pair(|d| [1, 2, 3, 3, 3, 3, 4, 5][d.rng.usize(0..8)]);
        let stride = self.pair(|d| [1, 1, 1, 1, 2, 3][d.rng.usize(0..6)]);
        let dilation = self.pair(|d| [1, 1, 1, 1, 2, 3][d.rng.usize(0..6)]);
        let span = [0, 1].map(|i| dilation[i] * (kernel[i] - 1) + 1);
        // Mostly enough to keep the size; now and then so much that whole windows see nothing but padding.
        let most = if self.chance(8) { span.map(|s| s + 1) } else { span.map(|s| s / 2) };
        let pad = if self.chance(60) { pair(span.map(|s| s / 2)) } else { self.padding(most) };
        let mut args = self.channel_args(x);
        args.extend([
            ("kernel", pair(kernel)),
            ("stride", pair(stride)),
            ("dilation", pair(dilation)),
            ("pad", pad),
        ]);
        self.op("conv2d", &args, &[x], x.magnitude + 0.5)
    }

    /// A pointwise convolution to `out` channels.
    pub(super) fn pointwise(&mut self, x: Drawn, out: u64) -> Option<Drawn> {
        let args = [("out", ArgValue::Int(out as i64)), ("kernel", ArgValue::Int(1))];
        self.op("conv2d", &args, &[x], x.magnitude + 0.5)
    }

    pub(super) fn conv_transpose(&mut self) -> Option<Drawn> {
        let x = self.any();
        let kernel = self.pair(|d| d.rng.i64(1..=4));
        let stride = self.pair(|d| d.rng.i64(1..=3));
        let dilation = self.pair(|d| if d.chance(80) { 1 } else { 2 });
        let output_pad = [0, 1].map(|i| {
            let most = stride[i].max(dilation[i]);
            if self.chance(60) { 0 } else { self.rng.i64(0..most) }
        });
        let pad = self.padding([0, 1].map(|i| dilation[i] * (kernel[i] - 1)));
        let mut args = self.channel_args(x);
        args.extend([
            ("kernel", pair(kernel)),
            ("stride", pair(stride)),
            ("dilation", pair(dilation)),
            ("pad", pad),
            ("output_pad", pair(output_pad)),
        ]);
        self.op("conv_transpose2d", &args, &[x], x.magnitude + 0.5)
    }

    /// Output channels, groups and bias of a convolution.
    pub(super) fn channel_args(&mut self, x: Drawn) -> Vec<(&'static str, ArgValue)> {
        let inner = self.sizes(x)[1] as i64;
        let divisors: Vec<i64> = (1..=inner).filter(|g| inner % g == 0).collect();
        let (groups, out) = match self.rng.u8(0..10) {
            0 | 1 => (inner, inner * self.rng.i64(1..=2)),
            2 => {
                let groups = divisors[self.rng.usize(0..divisors.len())];
                (groups, groups * self.rng.i64(1..=4))
            }
            _ => (1, self.channels()),
        };
        let bias = ArgValue::Bool(self.chance(75));
        vec![("out", ArgValue::Int(out)), ("groups", ArgValue::Int(groups)), ("bias", bias)]
    }

    pub(super) fn pool(&mut self) -> Option<Drawn> {
        let x = self.image();
        let kernel = self.pair(|d| d.rng.i64(1..=4));
        let stride = self.pair(|d| d.rng.i64(1..=3));
        let mut args = vec![("kernel", pair(kernel))];
        if self.chance(60) {
            args.push(("stride", pair(stride)));
        }
        if self.chance(60) {
            args.push(("pad", self.padding(kernel.map(|k| k / 2))));
        }
        if self.resampling && self.chance(40) {
            args.push(("ceil_mode", ArgValue::Bool(true)));
        }
        if self.rng.bool() {
            if self.resampling && self.chance(30) {
                // Not more than there are pixels: each window has one of them.
                let [_, _, h, w] = self.sizes(x).map(|s| s as i64);
                let dilation = [h, w].map(|size| self.rng.i64(1..=size.min(3)));
                args.push(("dilation", pair(dilation)));
            }
            return self.op("max_pool2d", &args, &[x], x.magnitude);
        }
        if self.chance(60) {
            args.push(("count_include_pad", ArgValue::Bool(self.rng.bool())));
        }
        self.op("avg_pool2d", &args, &[x], x.magnitude)
    }

    /// A squeeze-and-excite block: channels weighted by what a global pool makes of them.
    pub(super) fn squeeze_excite(&mut self) -> Option<Drawn> {
        let x = self.image();
        let channels = self.sizes(x)[1];
        let pooled = self.op("global_avg_pool", &[], &[x], x.magnitude)?;
        let hidden = self.rng.u64(1..=channels.clamp(1, 8));
        let hidden = self.pointwise(pooled, hidden)?;
        let hidden = self.op("relu", &[], &[hidden], hidden.magnitude)?;
        let out = if self.chance(80) { channels } else { 1 };
        let weights = self.pointwise(hidden, out)?;
        let weights = self.op("sigmoid", &[], &[weights], 1.0)?;
        self.op("mul", &[], &[x, weights], x.magnitude)
    }

    pub(super) fn global_pool(&mut self) -> Option<Drawn> {
        let x = self.any();
        self.op("global_avg_pool", &[], &[x], x.magnitude)
    }
}
