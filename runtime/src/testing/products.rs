//! Weight gradients: random convolutions whose tensors are cut into tiles along grains, in any way, against the formula.

use std::sync::atomic::AtomicI64;

use fastrand::Rng;

use super::contains;
use super::random::{SPECIAL, program};
use super::storage::Aligned;
use crate::exact::single;
use crate::kernels::WeightOrder;
use crate::memory::{Gathered, Kernel, Tile, View};
use crate::program::instr::{AxisId, ConvDw, Instruction, Window};
use crate::program::{
    Accumulator, AccumulatorId, AccumulatorKind, Axis, Buffer, BufferId, Instr, Interval, Program, Region,
    Section,
};

/// Multiply-adds of a case.
const WORK: u64 = 600_000;

/// A weight gradient of some images.
pub(crate) struct Products {
    pub(crate) program: Program,
    pub(crate) section: Section,
    pub(crate) instr: Instr,
    dw: ConvDw,
    name: String,
    /// Tensors `x` and `dy`, planar, of each image.
    images: Vec<[Vec<f32>; 2]>,
    rng: Rng,
}

/// Runs what `prepare` makes of the first `count` cases on several tilings, and compares with the formula, bit for bit.
pub(crate) fn check_products(count: u64, prepare: impl Fn(&Products) -> Option<Box<dyn Kernel>>) {
    for seed in 0..count {
        let mut case = Products::new(seed);
        let kernel = prepare(&case).unwrap_or_else(|| panic!("no kernel for {}", case.name));
        let expected = case.expected();
        for round in 0..4 {
            let found = case.run(&*kernel, round);
            if let Some(i) = std::iter::zip(&expected, &found).position(|(a, b)| a != b) {
                let [a, b] = [expected[i], found[i]].map(f32::from_bits);
                panic!(
                    "{}, round {round}: weight {i}: expected {a:e}, found {b:e}\n{:?}\n{:?}",
                    case.name, case.instr, case.section.buffers
                );
            }
        }
    }
}

impl Products {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0xd0d0);
        let (groups, inputs, outputs) = match rng.u8(0..8) {
            0 => (rng.u64(1..40), 1, 1),
            1 => (rng.u64(1..6), rng.u64(1..20), rng.u64(1..20)),
            2 => (2, 16, 32),
            3 => (1, rng.u64(1..5), rng.u64(1..40)),
            4 => (1, rng.u64(1..40), rng.u64(1..5)),
            5 => (1, 16 * rng.u64(1..3), 16 * rng.u64(1..3)),
            _ => (1, rng.u64(1..40), rng.u64(1..40)),
        };
        let mut draw = |n: u32| [rng.u32(1..n), rng.u32(1..n)];
        let (kernel, stride, dilation) = match draw(3)[0] {
            1 => ([3, 3], [1, 1], [1, 1]),
            _ => (draw(4), draw(4), draw(4)),
        };
        let pad = [0, 1].map(|i| rng.i64(-1..=i64::from((kernel[i] - 1) * dilation[i])));
        let window = Window { kernel, stride, dilation, pad };
        let transposed = rng.u8(0..3) == 0;
        let mut extent = [rng.u64(1..40), rng.u64(1..110)];
        let weights = groups * inputs * outputs * u64::from(kernel[0] * kernel[1]);
        while extent[0] * extent[1] * weights > WORK && extent[0] > 1 {
            extent[0] -= 1;
        }
        while extent[0] * extent[1] * weights > WORK && extent[1] > 1 {
            extent[1] -= 1;
        }
        // Taps may lie anywhere outside.
        let x_extent = [0, 1].map(|i| {
            let stride = u64::from(stride[i]);
            let about = if transposed { extent[i].div_ceil(stride) } else { extent[i] * stride };
            (about + rng.u64(0..4)).saturating_sub(rng.u64(0..4)).max(1)
        });
        let special = rng.u8(0..3);
        let mut tensor = |n: u64| -> Vec<f32> { (0..n).map(|_| value(&mut rng, special)).collect() };
        let (x_channels, dy_channels) = (groups * inputs, groups * outputs);
        let images = (0..2)
            .map(|_| {
                [tensor(x_channels * x_extent[0] * x_extent[1]), tensor(dy_channels * extent[0] * extent[1])]
            })
            .collect();
        let whole_blocks = rng.bool();
        let mut lanes = || if whole_blocks { 16 } else { [16, 1, 2, 4, 8][rng.usize(0..5)] };
        let buffers = [
            buffer("x", x_channels, lanes(), x_extent, Some(0.0)),
            buffer("dy", dy_channels, lanes(), extent, None),
        ];
        let (acc, x, dy) = (AccumulatorId(0), BufferId(0), BufferId(1));
        let dw = ConvDw { acc, x, dy, window, groups: groups as u32, transposed };
        Self::of(format!("Products::new({seed})"), dw, buffers, images, rng)
    }

    /// The gradient of a 3 × 3 convolution, to be measured on one tile.
    pub(crate) fn layer(inputs: u64, outputs: u64, groups: u32, extent: [u64; 2]) -> Self {
        let mut rng = Rng::with_seed(1);
        let mut tensor = |c: u64| (0..c * extent[0] * extent[1]).map(|_| rng.f32() - 0.5).collect();
        let images = vec![[tensor(inputs), tensor(outputs)]];
        let lanes = |c: u64| [1, 2, 4, 8].into_iter().find(|l| u64::from(*l) >= c).unwrap_or(16);
        let buffers = [
            buffer("x", inputs, lanes(inputs), extent, Some(0.0)),
            buffer("dy", outputs, lanes(outputs), extent, None),
        ];
        let window = Window { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], pad: [1; 2] };
        let (acc, x, dy) = (AccumulatorId(0), BufferId(0), BufferId(1));
        let dw = ConvDw { acc, x, dy, window, groups, transposed: false };
        Self::of(format!("{inputs} to {outputs} channels of {extent:?}"), dw, buffers, images, rng)
    }

    fn of(name: String, dw: ConvDw, buffers: [Buffer; 2], images: Vec<[Vec<f32>; 2]>, rng: Rng) -> Self {
        let [x, dy] = &buffers;
        let (first, extent) = (if dw.transposed { x.channels } else { dy.channels }, dy.extent);
        let pairs = x.channels * dy.channels / u64::from(dw.groups);
        let [kh, kw] = dw.window.kernel.map(u64::from);
        let mut program = program(&name);
        program.accumulators.push(Accumulator {
            name: "dw".into(),
            kind: AccumulatorKind::Products,
            images: first,
            channels: pairs / first * kh * kw,
            extent,
            offset: 0,
        });
        let axis = || Axis { steps: 1, buffers: vec![] };
        let section = Section {
            name: "s0".into(),
            images: images.len() as u64,
            y: axis(),
            x: axis(),
            buffers: buffers.into(),
            body: vec![],
            end: vec![],
            running: vec![],
            colours: [1; 2],
        };
        Self { program, section, instr: Instr::ConvDw(dw.clone()), dw, name, images, rng }
    }

    /// Operations a second, two for each multiply-add, of the fastest of some runs of a kernel on one tile.
    pub(crate) fn rate(&mut self, kernel: &dyn Kernel, runs: usize) -> f64 {
        let [h, w] = self.section.buffers[1].extent;
        let owned = Region { y: Interval::new(0, h as i64), x: Interval::new(0, w as i64) };
        let order = WeightOrder::new(&self.section, &self.dw).unwrap();
        let weights = self.weights_without_taps() * self.taps() as u64;
        let words: Vec<_> = (0..weights as usize * single::LIMBS).map(|_| AtomicI64::new(0)).collect();
        let mut running = vec![0.0f64; order.len()];
        let gathered = Gathered { words: words.as_ptr(), running: running.as_mut_ptr() };
        let mut best = f64::INFINITY;
        self.with_tile(0, owned, |views| {
            let mut scratch = vec![0.0; kernel.scratch()];
            for _ in 0..runs {
                let start = std::time::Instant::now();
                // SAFETY: as in `run_tile`.
                unsafe {
                    let tile = Tile { views, weights: &[], gathered: &[gathered], image: 0 };
                    kernel.run(&tile, &mut scratch);
                }
                best = best.min(start.elapsed().as_secs_f64());
            }
        });
        (2 * weights * h * w) as f64 / best
    }

    /// Bits of each weight's gradient, row-major, by the formula.
    fn expected(&self) -> Vec<u32> {
        let [x, dy] = [0, 1].map(|b| &self.section.buffers[b]);
        let groups = u64::from(self.dw.groups);
        let (inputs, outputs) = (x.channels / groups, dy.channels / groups);
        let mut all = vec![0; (groups * inputs * outputs) as usize * self.taps()];
        for group in 0..groups {
            for o in 0..outputs {
                for i in 0..inputs {
                    let (input, output) = (group * inputs + i, group * outputs + o);
                    let pair = if self.dw.transposed { input * outputs + o } else { output * inputs + i };
                    for tap in 0..self.taps() {
                        all[pair as usize * self.taps() + tap] = self.gradient(input, output, tap).to_bits();
                    }
                }
            }
        }
        all
    }

    fn taps(&self) -> usize {
        (self.dw.window.kernel[0] * self.dw.window.kernel[1]) as usize
    }

    /// The gradient of one weight.
    fn gradient(&self, input: u64, output: u64, tap: usize) -> f32 {
        let kw = self.dw.window.kernel[1] as usize;
        let tap = [(tap / kw) as i64, (tap % kw) as i64];
        let sum: Vec<_> = (0..single::LIMBS).map(|_| AtomicI64::new(0)).collect();
        let [rows, cols] = self.section.buffers[1].extent.map(|n| n as i64);
        for [x, dy] in &self.images {
            for gy in (0..rows).step_by(8) {
                for gx in (0..cols).step_by(32) {
                    let mut acc = 0f32;
                    for y in gy..rows.min(gy + 8) {
                        for x_at in gx..cols.min(gx + 32) {
                            let Some(at) = self.read(tap, [y, x_at]) else { continue };
                            let v = self.at(0, x, input, at).unwrap_or(0.0);
                            let d = self.at(1, dy, output, [y, x_at]).unwrap();
                            acc = v.mul_add(d, acc);
                        }
                    }
                    single::add(&sum, acc.into());
                }
            }
        }
        single::round_total([&sum[..]])
    }

    /// The input that a tap reads for a pixel, if it meets it.
    fn read(&self, tap: [i64; 2], pixel: [i64; 2]) -> Option<[i64; 2]> {
        let Window { stride, dilation, pad, .. } = self.dw.window;
        let mut at = [0; 2];
        for i in 0..2 {
            let (s, k) = (i64::from(stride[i]), tap[i] * i64::from(dilation[i]));
            at[i] = if self.dw.transposed { pixel[i] + pad[i] - k } else { pixel[i] * s - pad[i] + k };
            if self.dw.transposed && at[i].rem_euclid(s) != 0 {
                return None;
            }
            at[i] = if self.dw.transposed { at[i].div_euclid(s) } else { at[i] };
        }
        Some(at)
    }

    /// An element of a tensor, `None` outside its extent.
    fn at(&self, buffer: usize, tensor: &[f32], c: u64, [y, x]: [i64; 2]) -> Option<f32> {
        let buffer = &self.section.buffers[buffer];
        let [h, w] = buffer.extent;
        contains(buffer.extent(), y, x).then(|| tensor[((c * h + y as u64) * w + x as u64) as usize])
    }

    /// Bits of each weight's gradient by a kernel: tiles of any shape go to either of two workers, or in round 0 to none with
    /// running sums.
    fn run(&mut self, kernel: &dyn Kernel, round: u64) -> Vec<u32> {
        let order = WeightOrder::new(&self.section, &self.dw).unwrap();
        let weights = self.taps() * (self.weights_without_taps() as usize);
        let words: Vec<_> = (0..weights * single::LIMBS).map(|_| AtomicI64::new(0)).collect();
        let mut running = [0, 1].map(|_| vec![0.0f64; order.len()]);
        for image in 0..self.images.len() {
            let cuts = [0, 1].map(|axis| self.cuts(axis));
            for y in cuts[0].windows(2) {
                for x in cuts[1].windows(2) {
                    let owned = Region { y: Interval::new(y[0], y[1]), x: Interval::new(x[0], x[1]) };
                    let sums = &mut running[self.rng.usize(0..2)];
                    let pointer = if round == 0 { std::ptr::null_mut() } else { sums.as_mut_ptr() };
                    let gathered = Gathered { words: words.as_ptr(), running: pointer };
                    self.run_tile(kernel, image, owned, gathered);
                }
            }
        }
        for sums in &running {
            order.for_each(|place, weight| single::add(&words[weight * single::LIMBS..], sums[place]));
        }
        words.chunks_exact(single::LIMBS).map(|sum| single::round_total([sum]).to_bits()).collect()
    }

    fn weights_without_taps(&self) -> u64 {
        let [x, dy] = [0, 1].map(|b| self.section.buffers[b].channels);
        x * dy / u64::from(self.dw.groups)
    }

    /// Where an axis is cut: between grains.
    fn cuts(&mut self, axis: usize) -> Vec<i64> {
        let (extent, grain) = (self.section.buffers[1].extent[axis] as i64, [8, 32][axis]);
        let mut cuts = vec![0];
        cuts.extend((1..).map(|i| i * grain).take_while(|&at| at < extent).filter(|_| self.rng.bool()));
        cuts.push(extent);
        cuts
    }

    fn run_tile(&mut self, kernel: &dyn Kernel, image: usize, owned: Region, gathered: Gathered) {
        self.with_tile(image, owned, |views| {
            let mut scratch = vec![f32::NAN; kernel.scratch() + 1];
            let tile = Tile { views, weights: &[], gathered: &[gathered], image: image as u64 };
            // SAFETY: the views describe memory that this thread owns, and hold what the instruction reads for what `dy` owns; there
            // are sums for all weights.
            unsafe { kernel.run(&tile, &mut scratch[1..]) };
        });
    }

    /// Calls `f` with a tile that owns a part of `dy`, and looks whether it wrote anywhere else.
    fn with_tile(&mut self, image: usize, owned: Region, f: impl FnOnce(&[View])) {
        let mut views = Vec::new();
        let mut memory = Vec::new();
        let [y, x] = [(AxisId::Y, owned.y), (AxisId::X, owned.x)]
            .map(|(axis, out)| self.dw.reads(axis, out)[0].interval);
        for (b, (need, owned)) in
            [(Region { y, x }, Region::default()), (owned, owned)].into_iter().enumerate()
        {
            let mut widen = |i: Interval| {
                Interval::new(i.start - self.rng.i64(0..3), i.end.max(i.start) + self.rng.i64(0..3))
            };
            let computed = Region { y: widen(need.y), x: widen(need.x) };
            let (mut values, view) = self.tile(b, image, computed, owned);
            views.push(View { ptr: values.as_mut_ptr(), ..view });
            memory.push(values);
        }
        f(&views);
        assert!(memory.iter().all(Aligned::guards_intact), "{}: wrote outside", self.name);
    }

    /// A tile of a tensor. Nothing but NaNs lies where no instruction may read.
    fn tile(&self, b: usize, image: usize, computed: Region, owned: Region) -> (Aligned, View) {
        let (buffer, tensor) = (&self.section.buffers[b], &self.images[image][b]);
        let (rows, cols) = (computed.y.len().max(1), computed.x.len().max(1));
        let lanes = i64::from(buffer.lanes);
        let mut view = View::new(buffer.channels, buffer.lanes, [rows as u64, cols as u64], buffer.extent());
        view.place_rows(computed.y, computed.y, owned.y);
        view.place_columns(computed.x, owned.x);
        let blocks = (buffer.channels as i64 + lanes - 1) / lanes;
        let mut values = vec![f32::NAN; (blocks * rows * cols * lanes) as usize];
        for c in 0..buffer.channels as i64 {
            for y in computed.y.start..computed.y.end {
                for x in computed.x.start..computed.x.end {
                    let at = ((c / lanes * rows + y.rem_euclid(rows)) * cols + x - computed.x.start) * lanes;
                    let value = self.at(b, tensor, c as u64, [y, x]).or(buffer.outside);
                    values[(at + c % lanes) as usize] = value.unwrap_or(f32::NAN);
                }
            }
        }
        (Aligned::new(&values), view)
    }
}

fn buffer(name: &str, channels: u64, lanes: u32, extent: [u64; 2], outside: Option<f32>) -> Buffer {
    Buffer { name: name.into(), channels, lanes, rows: 1, cols: 1, extent, outside, ring: false, offset: 0 }
}

/// Ordinary numbers; of a wide range, so that running sums round; or such that are none.
fn value(rng: &mut Rng, special: u8) -> f32 {
    match special {
        1 => (rng.f32() - 0.5) * 2f32.powi(rng.i32(-60..40)),
        2 if rng.u8(0..64) == 0 => *rng.choice(&SPECIAL).unwrap_or(&0.0),
        _ => rng.f32() * 4.0 - 2.0,
    }
}
