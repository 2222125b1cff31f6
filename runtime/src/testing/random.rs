//! Random instructions: every geometry that a program may hold, in small.

use fastrand::Rng;

use super::reference::folded;
use super::{Case, Family, Layer};
use crate::machine::Machine;
use crate::program::instr::{
    Adjoint, Along, AxisId, Border, Conv2d, ConvTranspose2d, Coordinate, Copy, Dropout, Epilogue, Filter,
    Fold, FoldKind, Folding, Instruction, LinearMap, Map, Matmul, MaxPoolDx, Operand, PixelShuffle,
    PixelUnshuffle, Pool, PoolKind, Resize, Taps, Window,
};
use crate::program::{
    Axis, Buffer, BufferId, BufferSteps, Data, ExprId, Instr, Interval, Numerics, Packing, Program, Region,
    Scheduled, Section, Source, Steps, Weight, WeightId,
};
use crate::scalar::{Binary, Builder, Compare, Expr, Ref, Unary};

const LANES: [u32; 8] = [16, 16, 16, 16, 1, 2, 4, 8];

/// Multiply-adds of the largest convolution.
const WORK: u64 = 400_000;

pub(super) fn case(family: Family, seed: u64) -> Case {
    let mut draft = Draft::new(family, seed);
    let instr = match family {
        Family::Conv2d => draft.conv2d(),
        Family::ConvTranspose2d => draft.conv_transpose2d(),
        Family::Pool => draft.pool(),
        Family::Resize => draft.resize(),
        Family::PixelShuffle => draft.pixel_shuffle(),
        Family::PixelUnshuffle => draft.pixel_unshuffle(),
        Family::Copy => draft.copy(),
        Family::Map => draft.map(),
        Family::Fold => draft.fold(),
        Family::Matmul => draft.matmul(),
        Family::MaxPoolDx => draft.max_pool_dx(),
        Family::Adjoint => draft.adjoint(),
        Family::Dropout => draft.dropout(),
    };
    draft.finish(format!("case({family:?}, {seed})"), instr)
}

/// A program with nothing in it.
pub(super) fn program(name: &str) -> Program {
    let machine = Machine {
        name: "test".into(),
        sram: 1 << 24,
        memory: 1 << 30,
        bandwidth: 1e9,
        units: 1,
        lanes: 16,
        clock: 1e9,
    };
    Program {
        name: name.into(),
        numerics: Numerics::Strict,
        machine,
        graph: String::new(),
        sram_bytes: 1 << 24,
        device_bytes: 1 << 24,
        streamed: false,
        tensors: vec![],
        weights: vec![],
        accumulators: vec![],
        expressions: vec![],
        sections: vec![],
        data: Data::default(),
    }
}

/// The instruction of a layer, padded to keep its extent.
pub(super) fn layer(layer: Layer) -> Case {
    let mut draft = Draft::new(Family::Conv2d, 0);
    draft.special = false;
    let k = layer.kernel;
    let window = Window { kernel: [k; 2], stride: [1; 2], dilation: [1; 2], pad: [i64::from(k / 2); 2] };
    let extent = [layer.rows, layer.cols];
    let computed = whole(extent);
    let needed = Region { y: window.need(AxisId::Y, computed.y), x: window.need(AxisId::X, computed.x) };
    let src = draft.buffer(layer.inputs, layer.src_lanes, extent, needed, Some(0.0));
    let dst = draft.buffer(layer.outputs, layer.dst_lanes, extent, computed, None);
    let dims = vec![layer.outputs, layer.inputs, k.into(), k.into()];
    let weight = draft.weight(dims, Packing::Conv { groups: 1 });
    let bias = Some(draft.weight(vec![layer.outputs], Packing::GroupedChannels { groups: 1 }));
    let epilogue = layer.relu.then(|| {
        let mut b = Builder::new();
        let (zero, x) = (b.constant(0.0), b.input(0));
        let result = b.binary(Binary::Max, zero, x);
        draft.expressions.push(b.finish(result).unwrap());
        Epilogue { operands: vec![], expr: ExprId(0) }
    });
    let instr = Instr::Conv2d(Conv2d { dst, src, weight, bias, window, groups: 1, epilogue });
    draft.finish(format!("{layer:?}"), instr)
}

/// Geometry of the buffer that an instruction writes.
#[derive(Clone, Copy)]
struct Output {
    channels: u64,
    extent: [u64; 2],
    computed: Region,
}

impl Output {
    fn valid(&self) -> Region {
        self.computed.intersect(whole(self.extent))
    }

    /// What an instruction reads for the valid part, given what it reads along one axis for an interval; `None` if there
    /// is no valid part.
    fn need(&self, need: impl Fn(AxisId, Interval) -> Interval) -> Option<Region> {
        let valid = self.valid();
        (!valid.is_empty()).then(|| Region { y: need(AxisId::Y, valid.y), x: need(AxisId::X, valid.x) })
    }
}

struct Draft {
    rng: Rng,
    /// Whether values that are not ordinary numbers occur.
    special: bool,
    weights: Vec<Weight>,
    expressions: Vec<Expr>,
    buffers: Vec<Buffer>,
    computed: Vec<Region>,
    values: Vec<Vec<f32>>,
}

impl Draft {
    fn new(family: Family, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ ((family as u64) << 32) ^ 0x5eed);
        Self {
            special: rng.u8(0..4) == 0,
            rng,
            weights: Vec::new(),
            expressions: Vec::new(),
            buffers: Vec::new(),
            computed: Vec::new(),
            values: Vec::new(),
        }
    }

    fn finish(self, name: String, instr: Instr) -> Case {
        let axis = |interval: fn(&Region) -> Interval| Axis {
            steps: 1,
            buffers: std::iter::zip(&self.computed, &self.buffers)
                .map(|(computed, buffer)| {
                    let once = |i: Interval| Steps { prologue: vec![i], ..Steps::default() };
                    let owned = computed.intersect(buffer.extent());
                    BufferSteps { computed: once(interval(computed)), owned: once(interval(&owned)) }
                })
                .collect(),
        };
        let section = Section {
            name: "s0".into(),
            images: 1,
            y: axis(|r| r.y),
            x: axis(|r| r.x),
            buffers: self.buffers,
            body: vec![Scheduled { instr: instr.clone(), wait: vec![], wait_previous: vec![], signal: None }],
            end: vec![],
            running: vec![],
            colours: [1; 2],
        };
        let program = Program {
            weights: self.weights,
            expressions: self.expressions,
            sections: vec![section.clone()],
            ..program(&name)
        };
        Case { name, program, section, instr, values: self.values }
    }

    // Instructions.

    fn conv2d(&mut self) -> Instr {
        let (window, src_extent, out_extent) = loop {
            let window = self.window();
            let extent = self.extent(24);
            if let Some(out) = self.outputs(&window, extent) {
                break (window, extent, out);
            }
        };
        let (groups, inputs, channels) = self.channels();
        let out = self.output(groups * channels, out_extent);
        let out = bounded(out, inputs * u64::from(window.kernel[0] * window.kernel[1]));
        let src = self.padded_source(groups * inputs, src_extent, out.need(|a, o| window.need(a, o)));
        let dims = vec![groups * channels, inputs, window.kernel[0].into(), window.kernel[1].into()];
        let weight = self.weight(dims, Packing::Conv { groups: groups as u32 });
        let bias = self.bias(groups, channels);
        let dst = self.destination(out);
        let epilogue = self.epilogue(out);
        Instr::Conv2d(Conv2d { dst, src, weight, bias, window, groups: groups as u32, epilogue })
    }

    fn conv_transpose2d(&mut self) -> Instr {
        let (window, src_extent, out_extent) = loop {
            let window = self.window();
            let extent = self.extent(14);
            let out = [0, 1].map(|i| {
                let (k, s, d) = (window.kernel[i] as i64, window.stride[i] as i64, window.dilation[i] as i64);
                let more = self.rng.i64(0..s.max(d)) - self.rng.i64(0..=window.pad[i].max(0));
                (extent[i] as i64 - 1) * s - window.pad[i] + (k - 1) * d + 1 + more
            });
            if out.iter().all(|&n| n > 0) {
                break (window, extent, out.map(|n| n as u64));
            }
        };
        let (groups, inputs, channels) = self.channels();
        let out = self.output(groups * channels, out_extent);
        let out = bounded(out, inputs * u64::from(window.kernel[0] * window.kernel[1]));
        let need = out.need(|a, o| window.transposed_need(a, o));
        let src = self.padded_source(groups * inputs, src_extent, need);
        let dims = vec![groups * inputs, channels, window.kernel[0].into(), window.kernel[1].into()];
        let weight = self.weight(dims, Packing::ConvTranspose { groups: groups as u32 });
        let bias = self.bias(groups, channels);
        let dst = self.destination(out);
        let epilogue = self.epilogue(out);
        Instr::ConvTranspose2d(ConvTranspose2d {
            dst,
            src,
            weight,
            bias,
            window,
            groups: groups as u32,
            epilogue,
        })
    }

    fn pool(&mut self) -> Instr {
        let (window, src_extent, out_extent) = loop {
            let window = self.window();
            let extent = self.extent(24);
            if let Some(out) = self.outputs(&window, extent) {
                break (window, extent, out);
            }
        };
        let channels = self.rng.u64(1..40);
        let out = self.output(channels, out_extent);
        let src = self.masked_source(channels, src_extent, out.need(|a, o| window.need(a, o)));
        let kind = match self.rng.u8(0..3) {
            0 => PoolKind::Average { margin: [0; 4] },
            1 => PoolKind::Average { margin: [0; 4].map(|_| self.rng.i64(0..4)) },
            _ => PoolKind::Max,
        };
        let dst = self.destination(out);
        Instr::Pool(Pool { dst, src, kind, window })
    }

    fn resize(&mut self) -> Instr {
        let filter = *self.rng.choice(&[Filter::Nearest, Filter::Linear, Filter::Cubic]).unwrap();
        let (extent, src_extent) = (self.extent(40), self.extent(24));
        let axes = [0, 1].map(|i| self.coordinate(filter, extent[i], src_extent[i]));
        let (coordinates, extent) = (axes.map(|(at, _)| at), axes.map(|(_, extent)| extent));
        let channels = self.rng.u64(1..40);
        let out = self.output(channels, extent);
        let mut resize = Resize { dst: BufferId(1), src: BufferId(0), filter, coordinates };
        let need = out.need(|a, o| resize.reads(a, o)[0].interval);
        resize.src = self.masked_source(channels, src_extent, need);
        resize.dst = self.destination(out);
        Instr::Resize(resize)
    }

    fn max_pool_dx(&mut self) -> Instr {
        let (window, extent, outputs) = loop {
            let window = self.window();
            let extent = self.extent(20);
            if let Some(out) = self.outputs(&window, extent) {
                break (window, extent, out);
            }
        };
        let channels = self.rng.u64(1..40);
        let out = self.output(channels, extent);
        let mut pool = MaxPoolDx { dst: BufferId(0), x: BufferId(1), dy: BufferId(2), window };
        let [x, dy] = [0, 1].map(|i| out.need(|a, o| pool.reads(a, o)[i].interval));
        pool.x = self.masked_source(channels, extent, x);
        // Ties, which only few values have.
        if self.rng.bool() {
            self.values[pool.x.index()].iter_mut().for_each(|v| *v = v.round());
        }
        pool.dy = self.masked_source(channels, outputs, dy);
        pool.dst = self.destination(out);
        Instr::MaxPoolDx(pool)
    }

    fn adjoint(&mut self) -> Instr {
        let axes = [0, 1].map(|_| self.linear_map());
        let channels = self.rng.u64(1..40);
        let out = self.output(channels, axes.map(|map| map.inputs as u64));
        let mut adjoint = Adjoint { dst: BufferId(1), src: BufferId(0), axes };
        let need = out.need(|a, o| adjoint.reads(a, o)[0].interval);
        adjoint.src = self.masked_source(channels, axes.map(|map| map.outputs as u64), need);
        adjoint.dst = self.destination(out);
        Instr::Adjoint(adjoint)
    }

    fn linear_map(&mut self) -> LinearMap {
        let inputs = self.rng.i64(1..24);
        match self.rng.u8(0..5) {
            0 | 1 => {
                let filter = *self.rng.choice(&[Filter::Nearest, Filter::Linear, Filter::Cubic]).unwrap();
                let outputs = self.rng.u64(1..40);
                let (at, outputs) = self.coordinate(filter, outputs, inputs as u64);
                LinearMap { inputs, outputs: outputs as i64, taps: Taps::Resized { at, filter } }
            }
            2 => {
                let (kernel, stride) = (self.rng.u32(1..6), self.rng.u32(1..5));
                let (pad, margin) = (self.rng.i64(-1..4), [0; 2].map(|_| self.rng.i64(0..4)));
                let taps = Taps::Averaged { kernel, stride, pad, margin };
                LinearMap { inputs, outputs: self.rng.i64(1..24), taps }
            }
            _ => {
                let border = *self.rng.choice(&[Border::Mirrored, Border::Clamped, Border::Wrapped]).unwrap();
                let (most, sides) = match border {
                    Border::Mirrored => (inputs, 1),
                    Border::Clamped => (9, 1),
                    Border::Wrapped => (inputs + 1, 2),
                };
                let [before, after] = [0; 2].map(|_| self.rng.i64(0..most));
                let taps = Taps::Padded { before, border };
                LinearMap { inputs, outputs: inputs + sides * (before + after), taps }
            }
        }
    }

    /// Where outputs lie among `inputs` pixels, and how many there are, about `outputs`.
    fn coordinate(&mut self, filter: Filter, outputs: u64, inputs: u64) -> (Coordinate, u64) {
        let (out, inp) = (outputs as i64, inputs as i64);
        let at = |num, offset, den| Coordinate { num, offset, den };
        match self.rng.u8(0..5) {
            0 => (at(inp, 0, out), outputs),
            1 if filter == Filter::Nearest => (at(2 * inp, inp, 2 * out), outputs),
            1 => (at(2 * inp, inp - out, 2 * out), outputs),
            2 => (at(inp - 1, 0, (out - 1).max(1)), outputs),
            3 => {
                // A factor of as many digits as an f64 has.
                let (num, den) = (self.rng.i64(1 << 51..1 << 53), 1 << self.rng.u32(50..53));
                let outputs = (i128::from(inp) * i128::from(num) / i128::from(den)).max(1);
                let offset = if filter == Filter::Nearest { 0 } else { den - num };
                if outputs * i128::from(den) <= i128::from(inp) * i128::from(num) {
                    (at(2 * den, offset, 2 * num), outputs as u64)
                } else {
                    (at(0, 0, 1), outputs as u64)
                }
            }
            _ => {
                let (num, den) = (self.rng.i64(0..9), self.rng.i64(1..9));
                // As far as the last one has a tap inside.
                let last = (inp - filter.taps().start) * den;
                let outputs = if num == 0 { outputs } else { ((last + num - 1) / num).min(out) as u64 };
                (at(num, 0, den), outputs.max(1))
            }
        }
    }

    fn pixel_shuffle(&mut self) -> Instr {
        let r = self.rng.u64(1..5);
        let channels = self.rng.u64(1..20);
        let src_extent = self.extent(12);
        let out = self.output(channels, src_extent.map(|n| n * r));
        let need = out
            .need(|_, o| Interval::new(o.start.div_euclid(r as i64), (o.end - 1).div_euclid(r as i64) + 1));
        let src = self.source(channels * r * r, src_extent, need, None);
        let dst = self.destination(out);
        Instr::PixelShuffle(PixelShuffle { dst, src, factor: r as u32 })
    }

    fn pixel_unshuffle(&mut self) -> Instr {
        let r = self.rng.u64(1..5);
        let channels = self.rng.u64(1..20);
        let extent = self.extent(12);
        let out = self.output(channels * r * r, extent);
        let need = out.need(|_, o| Interval::new(o.start * r as i64, o.end * r as i64));
        let src = self.source(channels, extent.map(|n| n * r), need, None);
        let dst = self.destination(out);
        Instr::PixelUnshuffle(PixelUnshuffle { dst, src, factor: r as u32 })
    }

    fn copy(&mut self) -> Instr {
        let channels = self.rng.u64(1..40);
        let mut first = || if self.rng.bool() { 16 * self.rng.u64(0..3) } else { self.rng.u64(0..40) };
        let (channel, from) = (first(), first());
        let fold =
            *self.rng.choice(&[None, None, Some(Folding::Clamped), Some(Folding::Mirrored)]).unwrap_or(&None);
        let src_extent = self.extent(24);
        let (shift, extent) = self.copied(src_extent, fold);
        let more = self.rng.u64(0..20);
        let out = self.output(channel + channels + more, extent);
        let held = from + channels + self.rng.u64(0..20);
        let src = match fold {
            None => self.masked_source(held, src_extent, out.need(|a, o| o.shift(shift[a.index()]))),
            Some(fold) => {
                let need = out.need(|a, o| {
                    let read = (o.start..o.end).map(|i| {
                        let i = folded(fold, i + shift[a.index()], src_extent[a.index()] as i64);
                        Interval::new(i, i + 1)
                    });
                    read.fold(Interval::default(), Interval::hull)
                });
                let outside = self.rng.bool().then(|| self.value());
                self.source(held, src_extent, need, outside)
            }
        };
        let outside = self.value();
        let dst = self.destination(out);
        Instr::Copy(Copy { dst, src, channel, from, channels, shift, outside, fold })
    }

    /// A copy's shift, and the extent of what it writes: a mirrored border is smaller than the source.
    fn copied(&mut self, src: [u64; 2], fold: Option<Folding>) -> ([i64; 2], [u64; 2]) {
        let extent = self.extent(24);
        let axis = |i: usize, rng: &mut Rng| {
            let border = src[i] as i64 - 1;
            match fold {
                Some(Folding::Mirrored) => {
                    let shift = rng.i64(-border..=border);
                    (shift, rng.i64(1..=2 * border - shift + 1) as u64)
                }
                _ => (if rng.bool() { 0 } else { rng.i64(-8..9) }, extent[i]),
            }
        };
        let (y, x) = (axis(0, &mut self.rng), axis(1, &mut self.rng));
        ([y.0, x.0], [y.1, x.1])
    }

    fn map(&mut self) -> Instr {
        let (channels, extent) = (self.rng.u64(1..40), self.extent(24));
        let out = self.output(channels, extent);
        let dst = self.destination(out);
        let mut operands: Vec<Operand> = (0..self.rng.usize(1..4)).map(|_| self.operand(out)).collect();
        if self.rng.u8(0..3) == 0 {
            operands[0] = Operand::Buffer(dst);
        }
        let expr = self.expression(operands.len() as u32);
        Instr::Map(Map { dst, operands, expr })
    }

    fn fold(&mut self) -> Instr {
        let along = [Along::Channels, Along::Rows, Along::Columns][self.rng.usize(0..3)];
        let kinds = [FoldKind::Sum, FoldKind::Mean, FoldKind::MeanSquare, FoldKind::Max, FoldKind::Argmax];
        let kind = kinds[self.rng.usize(0..5)];
        let (channels, extent) = (self.rng.u64(1..40), self.extent(24));
        let (length, channels_out, extent_out) = match along {
            Along::Channels => (channels, 1, extent),
            Along::Rows => (extent[0], channels, [1, extent[1]]),
            Along::Columns => (extent[1], channels, [extent[0], 1]),
        };
        let out = self.output(channels_out, extent_out);
        let need = out.need(|a, o| if along.is(a) { Interval::new(0, length as i64) } else { o });
        let src = self.source(channels, extent, need, None);
        let dst = self.destination(out);
        Instr::Fold(Fold { dst, src, along, kind, length })
    }

    fn dropout(&mut self) -> Instr {
        let (channels, extent) = (self.rng.u64(1..40), self.extent(90));
        let out = self.output(channels, extent);
        let dst = self.destination(out);
        let src = self.source(channels, extent, out.need(|_, o| o), None);
        let pixel = Region { y: Interval::new(0, 1), x: Interval::new(0, 1) };
        let key = self.source(Dropout::KEY_CHANNELS, [1, 1], Some(pixel), None);
        let odd = self.rng.u8(0..4) == 0;
        for value in self.values[key.index()].iter_mut().filter(|_| !odd) {
            *value = self.rng.u16(..).into();
        }
        let stream = [self.rng.u32(..), self.rng.u32(0..4)];
        let dropped = *self.rng.choice(&[0, 1 << 23, 1 << 24, 3_000_000]).unwrap_or(&0);
        let scale = self.value();
        Instr::Dropout(Dropout { dst, src, key, stream, dropped, scale })
    }

    fn matmul(&mut self) -> Instr {
        let (inner, [h, w]) = (self.rng.u64(1..20), [self.rng.u64(1..24), self.rng.u64(1..90)]);
        let channels = self.rng.u64(1..40);
        let out = bounded(self.output(channels, [h, w]), inner);
        let whole = Interval::new(0, inner as i64);
        let of = |d: &mut Self, extent, need| {
            let c = if d.rng.u8(0..4) == 0 { 1 } else { channels };
            d.source(c, extent, need, None)
        };
        let a = of(self, [h, inner], out.need(|a, o| if a == AxisId::Y { o } else { whole }));
        let b = of(self, [inner, w], out.need(|a, o| if a == AxisId::Y { whole } else { o }));
        let dst = self.destination(out);
        Instr::Matmul(Matmul { dst, a, b, inner })
    }

    // Geometry.

    fn window(&mut self) -> Window {
        let rng = &mut self.rng;
        let (usual, mut draw) = (rng.bool(), |n: u32| [rng.u32(1..n), rng.u32(1..n)]);
        let (kernel, stride, dilation) =
            if usual { ([3, 3], [1, 1], [1, 1]) } else { (draw(5), draw(4), draw(4)) };
        let pad = [0, 1].map(|i| self.rng.i64(-1..=i64::from((kernel[i] - 1) * dilation[i])));
        Window { kernel, stride, dilation, pad }
    }

    /// Extent of a window's outputs over an input with any trailing padding; `None` if there are none.
    fn outputs(&mut self, window: &Window, extent: [u64; 2]) -> Option<[u64; 2]> {
        let out = [0, 1].map(|i| {
            let reach = (i64::from(window.kernel[i]) - 1) * i64::from(window.dilation[i]) + 1;
            let padded = extent[i] as i64 + window.pad[i] + self.rng.i64(0..4);
            (padded - reach).div_euclid(i64::from(window.stride[i])) + 1
        });
        out.iter().all(|&n| n > 0).then(|| out.map(|n| n as u64))
    }

    /// Groups, and inputs and outputs of one group.
    fn channels(&mut self) -> (u64, u64, u64) {
        match self.rng.u8(0..9) {
            8 => (1, self.rng.u64(1..40), self.rng.u64(1..5)),
            0 => (self.rng.u64(1..40), 1, 1),
            1 => (self.rng.u64(1..40), 1, self.rng.u64(1..4)),
            2 => (self.rng.u64(2..4), self.rng.u64(1..20), self.rng.u64(1..20)),
            3 => (2, 16, 32),
            4 => (1, 16 * self.rng.u64(1..4), 16 * self.rng.u64(1..6)),
            _ => (1, self.rng.u64(1..40), self.rng.u64(1..70)),
        }
    }

    fn extent(&mut self, most: u64) -> [u64; 2] {
        [self.rng.u64(1..most), self.rng.u64(1..most)]
    }

    /// An output tile anywhere over the extent, sometimes beside it.
    fn output(&mut self, channels: u64, extent: [u64; 2]) -> Output {
        let mut interval = |extent: u64, most: i64| {
            let start = self.rng.i64(-3..extent as i64 + 1);
            let start = if self.rng.bool() { start.min(0) } else { start };
            Interval::new(start, start + self.rng.i64(1..most))
        };
        let computed = Region { y: interval(extent[0], 10), x: interval(extent[1], 40) };
        Output { channels, extent, computed }
    }

    // Operands.

    /// An operand whose taps outside the extent read zeros.
    fn padded_source(&mut self, channels: u64, extent: [u64; 2], need: Option<Region>) -> BufferId {
        let inside = need.is_none_or(|n| whole(extent).y.contains(n.y) && whole(extent).x.contains(n.x));
        let outside = (!inside || self.rng.bool()).then_some(0.0);
        self.source(channels, extent, need, outside)
    }

    /// An operand that is not read outside its extent.
    fn masked_source(&mut self, channels: u64, extent: [u64; 2], need: Option<Region>) -> BufferId {
        let need = need.map(|n| n.intersect(whole(extent))).filter(|n| !n.is_empty());
        let outside = self.rng.bool().then(|| self.value());
        self.source(channels, extent, need, outside)
    }

    /// A buffer that covers `need` and sometimes more. Nothing but NaNs lies where no instruction may read.
    fn source(
        &mut self,
        channels: u64,
        extent: [u64; 2],
        need: Option<Region>,
        outside: Option<f32>,
    ) -> BufferId {
        let need = need.unwrap_or(Region { y: Interval::new(-1, 0), x: Interval::new(0, 1) });
        let mut widen = |i: Interval| match self.rng.bool() {
            true => i,
            false => Interval::new(i.start - self.rng.i64(0..3), i.end + self.rng.i64(0..3)),
        };
        let computed = Region { y: widen(need.y), x: widen(need.x) };
        let lanes = *self.rng.choice(&LANES).unwrap_or(&16);
        let id = self.buffer(channels, lanes, extent, computed, outside);
        let (valid, cols) = (computed.intersect(whole(extent)), computed.x.len() as usize);
        let (rows, lanes) = (computed.y.len() as usize, lanes as usize);
        for i in 0..self.values[id.index()].len() {
            let pixel = i / lanes % (rows * cols);
            let c = i / lanes / (rows * cols) * lanes + i % lanes;
            let slot = (pixel / cols) as i64;
            let y = computed.y.start + (slot - computed.y.start).rem_euclid(rows as i64);
            let x = (pixel % cols) as i64 + computed.x.start;
            if c as u64 >= channels || !super::contains(valid, y, x) {
                let padding = c as u64 >= channels;
                self.values[id.index()][i] = if padding { f32::NAN } else { outside.unwrap_or(f32::NAN) };
            }
        }
        id
    }

    fn destination(&mut self, out: Output) -> BufferId {
        let lanes = *self.rng.choice(&LANES).unwrap_or(&16);
        let outside = self.rng.bool().then(|| if self.rng.bool() { 0.0 } else { self.value() });
        self.buffer(out.channels, lanes, out.extent, out.computed, outside)
    }

    fn buffer(
        &mut self,
        channels: u64,
        lanes: u32,
        extent: [u64; 2],
        computed: Region,
        outside: Option<f32>,
    ) -> BufferId {
        let (rows, cols) = (computed.y.len() as u64, computed.x.len() as u64);
        let id = BufferId(self.buffers.len() as u32);
        let name = format!("b{}", id.0);
        let n = channels.next_multiple_of(lanes.into()) * rows * cols;
        let values = (0..n).map(|_| self.value()).collect();
        self.buffers.push(Buffer {
            name,
            channels,
            lanes,
            rows,
            cols,
            extent,
            outside,
            ring: false,
            offset: 0,
        });
        self.computed.push(computed);
        self.values.push(values);
        id
    }

    fn weight(&mut self, dims: Vec<u64>, packing: Packing) -> WeightId {
        let values = (0..dims.iter().product()).map(|_| self.value()).collect();
        let id = WeightId(self.weights.len() as u32);
        let name = format!("w{}", id.0);
        self.weights.push(Weight { name, dims, packing, offset: 0, source: Source::Inline(values) });
        id
    }

    fn bias(&mut self, groups: u64, channels: u64) -> Option<WeightId> {
        let packing = Packing::GroupedChannels { groups: groups as u32 };
        self.rng.bool().then(|| self.weight(vec![groups * channels], packing))
    }

    /// An operand of an expression over `out`.
    fn operand(&mut self, out: Output) -> Operand {
        let mode = self.rng.u8(0..8);
        if mode == 0 {
            return Operand::Channels(self.weight(vec![out.channels], Packing::Channels));
        }
        let mut once = |n: u64| if mode < 5 && self.rng.bool() { 1 } else { n };
        let (channels, extent) = (once(out.channels), out.extent.map(once));
        let need = out.need(|a, o| if extent[a.index()] == 1 { Interval::new(0, 1) } else { o });
        Operand::Buffer(self.source(channels, extent, need, None))
    }

    fn epilogue(&mut self, out: Output) -> Option<Epilogue> {
        let operands: Vec<Operand> = match self.rng.u8(0..4) {
            0 => return None,
            1 => vec![],
            _ => (0..self.rng.usize(1..3)).map(|_| self.operand(out)).collect(),
        };
        let expr = self.expression(operands.len() as u32 + 1);
        Some(Epilogue { operands, expr })
    }

    // Expressions and values.

    /// An expression of some of the operands `0..inputs`: one that networks have, or any.
    fn expression(&mut self, inputs: u32) -> ExprId {
        let mut b = Builder::new();
        let x = b.input(0);
        let y = b.input(inputs - 1);
        let zero = b.constant(0.0);
        let result = match self.rng.u8(0..8) {
            0 => b.binary(Binary::Max, zero, x),
            1 => b.binary(Binary::Add, x, y),
            2 => {
                let scaled = b.binary(Binary::Mul, y, x);
                b.select(Compare::Lt, x, zero, scaled, x)
            }
            3 => {
                let sum = b.binary(Binary::Add, y, x);
                b.binary(Binary::Max, zero, sum)
            }
            _ => self.any_expression(&mut b, inputs),
        };
        self.expressions.push(b.finish(result).unwrap());
        ExprId(self.expressions.len() as u32 - 1)
    }

    fn any_expression(&mut self, b: &mut Builder, inputs: u32) -> Ref {
        let mut nodes: Vec<Ref> = (0..inputs).map(|i| b.input(i)).collect();
        let value = self.value();
        nodes.push(b.constant(value));
        for _ in 0..self.rng.usize(1..14) {
            let [p, q, r, s] = [0; 4].map(|_| nodes[self.rng.usize(0..nodes.len())]);
            nodes.push(match self.rng.u8(0..12) {
                0..3 => b.unary(*self.rng.choice(&UNARY).unwrap(), p),
                3..8 => b.binary(*self.rng.choice(&BINARY).unwrap(), p, q),
                8..10 => b.fma(p, q, r),
                _ => b.select(*self.rng.choice(&COMPARE).unwrap(), p, q, r, s),
            });
        }
        nodes[nodes.len() - 1]
    }

    fn value(&mut self) -> f32 {
        if self.special && self.rng.u8(0..16) == 0 {
            *self.rng.choice(&SPECIAL).unwrap()
        } else {
            self.rng.f32() * 4.0 - 2.0
        }
    }
}

const UNARY: [Unary; 6] = [Unary::Neg, Unary::Abs, Unary::Sqrt, Unary::Floor, Unary::Round, Unary::Exp2i];
const BINARY: [Binary; 6] = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Min, Binary::Max];
const COMPARE: [Compare; 3] = [Compare::Lt, Compare::Le, Compare::Eq];
pub(super) const SPECIAL: [f32; 14] = [
    0.0,
    -0.0,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    1e-40,
    -3e-42,
    3e38,
    -3e38,
    2.5,
    -0.5,
    2147483648.0,
    -126.0,
    127.0,
];

fn whole(extent: [u64; 2]) -> Region {
    Region { y: Interval::new(0, extent[0] as i64), x: Interval::new(0, extent[1] as i64) }
}

/// The output with rows left off until its multiply-adds are few.
fn bounded(mut out: Output, per_output: u64) -> Output {
    let work = |o: &Output| o.computed.y.len() as u64 * o.computed.x.len() as u64 * o.channels * per_output;
    while work(&out) > WORK && out.computed.y.len() > 1 {
        out.computed.y.end -= 1;
    }
    while work(&out) > WORK && out.computed.x.len() > 1 {
        out.computed.x.end -= 1;
    }
    out
}
