//! A small network of two sections, cut into tiles of any size, with a naive evaluation to compare with.
//!
//! ```text
//! section a:  image ─ conv 3×3, relu ─ hidden ─ conv 3×3 + bias ─ features ─┬─ store (blocked)
//!                                                                          ├─ store (output `features`)
//!                                                                          └─ accumulate ─ reduce ─ means
//! section b:  features · means ─ max pool 2×2 ─ store (output `pooled`)
//! ```

use crate::machine::Machine;
use crate::program::instr::{
    Accumulate, Conv2d, Epilogue, Load, Map, Operand, Pool, PoolKind, Reduce, Statistic, Store, Window,
};
use crate::program::{
    Accumulator, AccumulatorId, AccumulatorKind, Axis, Buffer, BufferId, BufferSteps, Data, Dims, Element,
    ExprId, Instr, Interval, Numerics, Packing, Program, Role, Scheduled, Section, Source, Steps, Tensor,
    TensorId, Token, Weight, WeightId,
};
use crate::scalar::{Binary, Builder, Expr};
use crate::weights::packed_len;

/// Sizes of the network; the tiles of the first section are whole grains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) images: u64,
    pub(super) h: u64,
    pub(super) w: u64,
    /// Channels of `hidden` and `features`.
    pub(super) channels: u64,
    /// Lanes of the tile buffers and the blocked composite.
    pub(super) lanes: u32,
    /// Rows and columns of a tile of `features`.
    pub(super) features_tile: [u64; 2],
    /// Rows and columns of a tile of `pooled`.
    pub(super) pooled_tile: [u64; 2],
}

impl Sizes {
    pub(super) fn image(&self) -> Dims {
        Dims { n: self.images, c: 3, h: self.h, w: self.w }
    }

    pub(super) fn features(&self) -> Dims {
        Dims { c: self.channels, ..self.image() }
    }

    pub(super) fn pooled(&self) -> Dims {
        Dims { h: self.h / 2, w: self.w / 2, ..self.features() }
    }

    /// The same network in one tile a section.
    pub(super) fn untiled(self) -> Self {
        let whole = |n: u64| n.next_multiple_of(8);
        Self { features_tile: [whole(self.h), whole(self.w)], pooled_tile: [self.h / 2, self.w / 2], ..self }
    }
}

/// Numbers that look random, the same ones every time.
pub(super) fn values(seed: u64, n: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..n).map(|_| rng.f32() - 0.5).collect()
}

pub(super) fn len(d: Dims) -> u64 {
    d.n * d.c * d.h * d.w
}

const IMAGE: TensorId = TensorId(0);
const BLOCKED: TensorId = TensorId(1);
const FEATURES: TensorId = TensorId(2);
const MEANS: TensorId = TensorId(3);
const POOLED: TensorId = TensorId(4);

const CONV3: Window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [1, 1] };
const POOL2: Window = Window { kernel: [2, 2], stride: [2, 2], dilation: [1, 1], pad: [0, 0] };

pub(super) fn program(sizes: Sizes) -> Program {
    let mut device = Plan::default();
    let weights = weights(sizes, &mut device);
    let tensor = |name: &str, role, dims, lanes| Tensor {
        name: name.to_owned(),
        role,
        dims,
        lanes,
        element: Element::F32,
        blocks: None,
    };
    let means = Dims { h: 1, w: 1, ..sizes.features() };
    let blocked_bytes =
        len(Dims { c: sizes.channels.next_multiple_of(sizes.lanes.into()), ..sizes.features() }) * 4;
    let tensors = vec![
        tensor("image", Role::Input, sizes.image(), 1),
        tensor("blocked", Role::Composite(device.take(blocked_bytes)), sizes.features(), sizes.lanes),
        tensor("features", Role::Output, sizes.features(), 1),
        tensor("means", Role::Composite(device.take(len(means) * 4)), means, 1),
        tensor("pooled", Role::Output, sizes.pooled(), 1),
    ];
    let sums = sizes.images * sizes.channels * crate::program::EXACT_SUM_BYTES;
    let accumulator = Accumulator {
        name: "features".to_owned(),
        kind: AccumulatorKind::Sum,
        images: sizes.images,
        channels: sizes.channels,
        extent: [sizes.h, sizes.w],
        offset: device.take(sums),
    };
    let sections = vec![features_section(sizes), pooled_section(sizes)];
    Program {
        name: "network".to_owned(),
        numerics: Numerics::Strict,
        machine: machine(),
        graph: String::new(),
        sram_bytes: sections
            .iter()
            .flat_map(|s| &s.buffers)
            .map(|b| b.offset + b.bytes().unwrap())
            .max()
            .unwrap(),
        device_bytes: device.used,
        streamed: false,
        tensors,
        weights,
        accumulators: vec![accumulator],
        expressions: vec![relu(), product()],
        sections,
        data: Data::default(),
    }
}

fn machine() -> Machine {
    Machine {
        name: "test".to_owned(),
        sram: 1 << 30,
        memory: 1 << 30,
        bandwidth: 1e9,
        units: 1,
        lanes: 8,
        clock: 1e9,
    }
}

fn relu() -> Expr {
    let mut b = Builder::new();
    let (x, zero) = (b.input(0), b.constant(0.0));
    let max = b.binary(Binary::Max, x, zero);
    b.finish(max).unwrap()
}

fn product() -> Expr {
    let mut b = Builder::new();
    let (x, y) = (b.input(0), b.input(1));
    let product = b.binary(Binary::Mul, x, y);
    b.finish(product).unwrap()
}

fn weights(sizes: Sizes, device: &mut Plan) -> Vec<Weight> {
    let c = sizes.channels;
    let mut weight = |seed: u64, dims: &[u64], packing| {
        let source = Source::Inline(values(seed, dims.iter().product()));
        let mut w = Weight { name: format!("w{seed}"), dims: dims.to_vec(), packing, offset: 0, source };
        w.offset = device.take(packed_len(&w).unwrap() * 4);
        w
    };
    vec![
        weight(0, &[c, 3, 3, 3], Packing::Conv { groups: 1 }),
        weight(1, &[c, c, 3, 3], Packing::Conv { groups: 1 }),
        weight(2, &[c], Packing::GroupedChannels { groups: 1 }),
    ]
}

fn features_section(s: Sizes) -> Section {
    let mut builder = SectionBuilder::new("a", s.images, [s.h, s.w], s.features_tile);
    let image = builder.buffer("image", 3, 4, 2, Some(0.0), false);
    let hidden = builder.buffer("hidden", s.channels, s.lanes, 1, Some(0.0), false);
    let features = builder.buffer("features", s.channels, s.lanes, 0, None, true);
    let conv = |dst, src, weight, bias, epilogue| {
        Instr::Conv2d(Conv2d { dst, src, weight, bias, window: CONV3, groups: 1, epilogue })
    };
    let relu = Epilogue { operands: Vec::new(), expr: ExprId(0) };
    builder.body(vec![
        Instr::Load(Load { dst: image, src: IMAGE, addressing: None }),
        conv(hidden, image, WeightId(0), None, Some(relu)),
        conv(features, hidden, WeightId(1), Some(WeightId(2)), None),
        Instr::Store(Store { dst: BLOCKED, src: features }),
        Instr::Store(Store { dst: FEATURES, src: features }),
        Instr::Accumulate(Accumulate { acc: AccumulatorId(0), src: features }),
    ]);
    builder.section.end =
        vec![Reduce { acc: AccumulatorId(0), dst: MEANS, statistic: Statistic::Mean, group: 1 }];
    builder.section
}

fn pooled_section(s: Sizes) -> Section {
    let mut builder = SectionBuilder::new("b", s.images, [s.h / 2, s.w / 2], s.pooled_tile);
    let features = builder.scaled("features", s.channels, s.lanes, 2, [s.h, s.w]);
    let means = builder.point("means", s.channels, 1);
    let pooled = builder.buffer("pooled", s.channels, s.lanes, 0, None, true);
    let operands = vec![Operand::Buffer(features), Operand::Buffer(means)];
    builder.body(vec![
        Instr::Load(Load { dst: features, src: BLOCKED, addressing: None }),
        Instr::Load(Load { dst: means, src: MEANS, addressing: None }),
        Instr::Map(Map { dst: features, operands, expr: ExprId(1) }),
        Instr::Pool(Pool { dst: pooled, src: features, kind: PoolKind::Max, window: POOL2 }),
        Instr::Store(Store { dst: POOLED, src: pooled }),
    ]);
    builder.section
}

/// Hands out memory in multiples of 64 bytes.
#[derive(Default)]
struct Plan {
    used: u64,
}

impl Plan {
    fn take(&mut self, bytes: u64) -> u64 {
        let offset = self.used;
        self.used += bytes.next_multiple_of(64);
        offset
    }
}

/// A section whose anchor, of this extent, is cut into tiles of this size.
struct SectionBuilder {
    section: Section,
    sram: Plan,
    extent: [u64; 2],
    tile: [u64; 2],
}

impl SectionBuilder {
    fn new(name: &str, images: u64, extent: [u64; 2], tile: [u64; 2]) -> Self {
        let axis = |i: usize| Axis { steps: extent[i].div_ceil(tile[i]), buffers: Vec::new() };
        let section = Section {
            running: vec![],
            colours: [1; 2],
            name: name.to_owned(),
            images,
            y: axis(0),
            x: axis(1),
            buffers: Vec::new(),
            body: Vec::new(),
            end: Vec::new(),
        };
        Self { section, sram: Plan::default(), extent, tile }
    }

    /// A buffer of the anchor's extent, with a halo; `exported` if tiles own parts of it.
    fn buffer(
        &mut self,
        name: &str,
        channels: u64,
        lanes: u32,
        halo: u64,
        outside: Option<f32>,
        exported: bool,
    ) -> BufferId {
        let (extent, tile) = (self.extent, self.tile);
        let size = tile.map(|t| t + 2 * halo);
        self.add(name, channels, lanes, size, extent, outside, |axis, i| {
            let (t, halo) = (tile[axis] as i64, halo as i64);
            let own = Interval::new(i * t, (i + 1) * t);
            let owned = own.intersect(Interval::new(0, extent[axis] as i64));
            (Interval::new(own.start - halo, own.end + halo), exported.then_some(owned))
        })
    }

    /// A buffer with `factor` × `factor` pixels for each of the anchor's.
    fn scaled(&mut self, name: &str, channels: u64, lanes: u32, factor: u64, extent: [u64; 2]) -> BufferId {
        let tile = self.tile.map(|t| t * factor);
        self.add(name, channels, lanes, tile, extent, None, |axis, i| {
            let t = tile[axis] as i64;
            (Interval::new(i * t, (i + 1) * t), None)
        })
    }

    /// A buffer of a tensor of one pixel.
    fn point(&mut self, name: &str, channels: u64, lanes: u32) -> BufferId {
        self.add(name, channels, lanes, [1, 1], [1, 1], None, |_, _| (Interval::new(0, 1), None))
    }

    #[allow(clippy::too_many_arguments)]
    fn add(
        &mut self,
        name: &str,
        channels: u64,
        lanes: u32,
        size: [u64; 2],
        extent: [u64; 2],
        outside: Option<f32>,
        step: impl Fn(usize, i64) -> (Interval, Option<Interval>),
    ) -> BufferId {
        let [rows, cols] = size;
        let name = name.to_owned();
        let mut buffer =
            Buffer { name, channels, lanes, rows, cols, extent, outside, ring: false, offset: 0 };
        buffer.offset = self.sram.take(buffer.bytes().unwrap());
        self.section.buffers.push(buffer);
        for (i, axis) in [&mut self.section.y, &mut self.section.x].into_iter().enumerate() {
            let steps: Vec<_> = (0..axis.steps as i64).map(|s| step(i, s)).collect();
            let computed: Vec<_> = steps.iter().map(|s| s.0).collect();
            let owned: Vec<_> = steps.iter().filter_map(|s| s.1).collect();
            axis.buffers
                .push(BufferSteps { computed: Steps::compress(&computed), owned: Steps::compress(&owned) });
        }
        BufferId(self.section.buffers.len() as u32 - 1)
    }

    /// The instructions, each waiting for the one before.
    fn body(&mut self, instrs: Vec<Instr>) {
        let last = Token(instrs.len() as u32 - 1);
        self.section.body = (0..)
            .zip(instrs)
            .map(|(i, instr)| Scheduled {
                instr,
                wait: if i == 0 { Vec::new() } else { vec![Token(i - 1)] },
                wait_previous: if i == 0 { vec![last] } else { Vec::new() },
                signal: Some(Token(i)),
            })
            .collect();
    }
}

/// What the program's outputs should hold: `features` and `pooled`.
pub(super) fn naive(s: Sizes, image: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (c, h, w) = (s.channels as usize, s.h as usize, s.w as usize);
    let (w0, w1, bias) = (values(0, (c * 27) as u64), values(1, (c * c * 9) as u64), values(2, c as u64));
    let (mut features, mut pooled) = (Vec::new(), Vec::new());
    for image in image.chunks(3 * h * w) {
        let hidden = conv(image, 3, c, [h, w], &w0, &vec![0.0; c]);
        let hidden: Vec<_> = hidden.into_iter().map(|v| if v > 0.0 { v } else { 0.0 }).collect();
        let image = conv(&hidden, c, c, [h, w], &w1, &bias);
        image.chunks(h * w).for_each(|plane| pooled.extend(pool(plane, mean(plane, h, w), h, w)));
        features.extend(image);
    }
    (features, pooled)
}

/// A 3×3 convolution in the canonical order.
fn conv(
    x: &[f32],
    inputs: usize,
    outputs: usize,
    [h, w]: [usize; 2],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f32> {
    let mut out = Vec::with_capacity(outputs * h * w);
    for o in 0..outputs {
        for (y0, x0) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
            let mut acc = bias[o];
            for first in (0..inputs).step_by(16) {
                for (ky, kx) in (0..3).flat_map(|ky| (0..3).map(move |kx| (ky, kx))) {
                    let (y, col) = ((y0 + ky).wrapping_sub(1), (x0 + kx).wrapping_sub(1));
                    for i in first..inputs.min(first + 16) {
                        let v = if y < h && col < w { x[(i * h + y) * w + col] } else { 0.0 };
                        acc = v.mul_add(weight[((o * inputs + i) * 3 + ky) * 3 + kx], acc);
                    }
                }
            }
            out.push(acc);
        }
    }
    out
}

/// The mean over a plane: exact but for the sums of each grain; with these few values f64 has digits to spare.
fn mean(plane: &[f32], h: usize, w: usize) -> f32 {
    let mut sums = Vec::new();
    for (gy, gx) in (0..h).step_by(8).flat_map(|y| (0..w).step_by(8).map(move |x| (y, x))) {
        let rows = gy..h.min(gy + 8);
        let grain = rows.flat_map(|y| plane[y * w..][gx..w.min(gx + 8)].iter());
        sums.push(grain.fold(0.0, |sum, &v| sum + f64::from(v)));
    }
    (sums.iter().sum::<f64>() / (h * w) as f64) as f32
}

fn pool(plane: &[f32], mean: f32, h: usize, w: usize) -> Vec<f32> {
    let mut out = Vec::new();
    for (y, x) in (0..h / 2).flat_map(|y| (0..w / 2).map(move |x| (y, x))) {
        let taps = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| plane[(2 * y + i) * w + 2 * x + j] * mean);
        out.push(taps.into_iter().fold(f32::NEG_INFINITY, f32::max));
    }
    out
}
