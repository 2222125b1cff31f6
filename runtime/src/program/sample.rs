//! Programs made by hand, for tests: valid, small, and together with every instruction in them.

use super::instr::{
    Accumulate, Addressing, Adjoint, Along, AxisId, Border, Conv2d, ConvDw, ConvTranspose2d, Coordinate,
    Copy, Dropout, Epilogue, Filter, Fold, FoldKind, Folding, LinearMap, Load, Map, Matmul, MaxPoolDx,
    Operand, PixelShuffle, PixelUnshuffle, Pool, PoolKind, Reduce, Resize, Statistic, Store, StoreRmw, Taps,
    Window,
};
use super::{
    Accumulator, AccumulatorId, AccumulatorKind, Axis, Blocks, Buffer, BufferId, BufferSteps, Data, Dims,
    Element, ExprId, Instr, Interval, Numerics, Packing, Program, Role, Running, Scheduled, Section, Source,
    Steps, Tensor, TensorId, Token, Weight, WeightId,
};
use crate::machine::Machine;
use crate::scalar::{Binary, Builder};

/// A 3 × 3 convolution with bias and ReLU from 3 to 20 channels on 20 × 24 pixels, then a 2 × 2 max pool: two sections, cut
/// into tiles of 8 × 8 and 4 × 8 that the extents do not divide.
pub fn two_sections() -> Program {
    let mut program = Draft::new("two_sections");
    let image = program.tensor("image", Role::Input, [1, 3, 20, 24]);
    let features = program.tensor("features", Role::Composite(0), [1, 20, 20, 24]);
    let pooled = program.tensor("pooled", Role::Output, [1, 20, 10, 12]);
    let weight = program.weight("conv.weight", &[20, 3, 3, 3], Packing::Conv { groups: 1 });
    let bias = program.weight("conv.bias", &[20], Packing::GroupedChannels { groups: 1 });
    let relu = program.expression(|b| {
        let (x, zero) = (b.input(0), b.constant(0.0));
        b.binary(Binary::Max, x, zero)
    });

    let mut s0 = Cut::new("s0", 1, [tiles(20, 8), tiles(24, 8)]);
    let x = s0.buffer("image", [3, 20, 24], Some(0.0), |t| widen(t, 1, 1), false);
    let y = s0.buffer("features", [20, 20, 24], None, |t| t, true);
    s0.push(Instr::Load(Load { dst: x, src: image, addressing: None }));
    s0.push(Instr::Conv2d(Conv2d {
        dst: y,
        src: x,
        weight,
        bias: Some(bias),
        window: window(3, 1, 1),
        groups: 1,
        epilogue: Some(Epilogue { operands: vec![], expr: relu }),
    }));
    s0.push(Instr::Store(Store { dst: features, src: y }));
    program.0.sections.push(s0.finish());

    let mut s1 = Cut::new("s1", 1, [tiles(10, 4), tiles(12, 8)]);
    let x = s1.buffer("features", [20, 20, 24], None, |t| scale(t, 2), false);
    let y = s1.buffer("pooled", [20, 10, 12], None, |t| t, true);
    s1.push(Instr::Load(Load { dst: x, src: features, addressing: None }));
    s1.push(Instr::Pool(Pool { dst: y, src: x, kind: PoolKind::Max, window: window(2, 2, 0) }));
    s1.push(Instr::Store(Store { dst: pooled, src: y }));
    program.0.sections.push(s1.finish());
    program.finish()
}

/// The program with a ring instead of every buffer whose tiles overlap along y: of each tile just the rows that are new to the
/// strip are written.
pub fn with_rings(mut program: Program) -> Program {
    for section in &mut program.sections {
        for (buffer, steps) in section.buffers.iter_mut().zip(&mut section.y.buffers) {
            let tiles: Vec<_> = steps.computed.iter().collect();
            buffer.ring = tiles.windows(2).any(|t| t[1].start < t[0].end);
            if buffer.ring {
                let new = tiles.windows(2).map(|t| Interval::new(t[0].end, t[1].end));
                let new: Vec<_> = tiles[..1].iter().copied().chain(new).collect();
                steps.computed = Steps::compress(&new);
            }
        }
    }
    program
}

/// Two 3 × 3 convolutions, from 3 to 20 channels and back, on two images of 19 × 26 pixels, with a cut between them and tiles of
/// different sizes on its sides: those of the second overlap.
pub fn halos() -> Program {
    let mut program = Draft::new("halos");
    let image = program.tensor("image", Role::Input, [2, 3, 19, 26]);
    let between = program.tensor("between", Role::Composite(0), [2, 20, 19, 26]);
    let output = program.tensor("output", Role::Output, [2, 3, 19, 26]);
    for (index, (src, dst, channels, tile)) in
        [(image, between, [3, 20], [8, 5]), (between, output, [20, 3], [4, 9])].into_iter().enumerate()
    {
        let [inputs, outputs] = channels;
        let dims = [outputs, inputs, 3, 3];
        let weight = program.weight(&format!("{index}.weight"), &dims, Packing::Conv { groups: 1 });
        let mut cut = Cut::new(&format!("s{index}"), 2, [tiles(19, tile[0]), tiles(26, tile[1])]);
        let x = cut.buffer("x", [inputs, 19, 26], Some(0.0), |t| widen(t, 1, 1), false);
        let y = cut.buffer("y", [outputs, 19, 26], None, |t| t, true);
        cut.push(Instr::Load(Load { dst: x, src, addressing: None }));
        let (bias, groups, epilogue) = (None, 1, None);
        let window = window(3, 1, 1);
        cut.push(Instr::Conv2d(Conv2d { dst: y, src: x, weight, bias, window, groups, epilogue }));
        cut.push(Instr::Store(Store { dst, src: y }));
        program.0.sections.push(cut.finish());
    }
    program.finish()
}

/// The program with every composite that tiles store, and that is loaded once, as it is, by tiles in their order, kept tile by tile: in memory of its own, or in a file.
pub fn in_blocks(mut program: Program, spilled: bool) -> Program {
    for id in (0..program.tensors.len() as u32).map(TensorId) {
        let is_reduced = program.sections.iter().any(|s| s.end.iter().any(|reduce| reduce.dst == id));
        if is_reduced || !matches!(program.tensors[id.index()].role, Role::Composite(_)) {
            continue;
        }
        let loads = (0..).zip(&program.sections).flat_map(|(s, section)| {
            section.body.iter().filter_map(move |i| match &i.instr {
                Instr::Load(load) if load.src == id => Some((s, section, load)),
                _ => None,
            })
        });
        let &[(s, section, Load { dst, addressing: None, .. })] = loads.collect::<Vec<_>>().as_slice() else {
            continue;
        };
        let size = [&section.y, &section.x].map(|axis| {
            let covered = axis.buffers[dst.index()].computed.iter().map(|i| i.len() as u64);
            covered.max().unwrap_or(1)
        });
        let ascends = |axis: &Axis| {
            let mut tiles = axis.buffers[dst.index()].computed.iter();
            let mut before = tiles.next().unwrap_or_default();
            tiles.all(|tile| {
                let follows = before.start <= tile.start && before.end <= tile.end;
                before = tile;
                follows
            })
        };
        if !ascends(&section.y) || !ascends(&section.x) {
            continue;
        }
        let grid = [section.y.steps, section.x.steps];
        let tensor = &mut program.tensors[id.index()];
        tensor.blocks = Some(Blocks { section: s, buffer: *dst, grid, size });
        tensor.role = if spilled { Role::Spilled } else { Role::Composite(program.device_bytes) };
        program.device_bytes += tensor.bytes().unwrap_or(0).next_multiple_of(64);
    }
    program
}

/// One of each instruction, on two images: a grouped convolution and a transposed one, resampling, concatenation, pixel
/// shuffle, average pooling, and the mean of the result, which a second section subtracts; it also wraps and mirrors borders.
pub fn every_instruction() -> Program {
    let mut program = Draft::new("every_instruction");
    let image = program.tensor("image", Role::Input, [2, 4, 16, 24]);
    let pooled = program.tensor("pooled", Role::Composite(0), [2, 2, 32, 48]);
    let mean = program.tensor("mean", Role::Composite(0), [2, 2, 1, 1]);
    let centred = program.tensor("centred", Role::Output, [2, 2, 32, 48]);
    let conv = program.weight("conv.weight", &[8, 2, 3, 3], Packing::Conv { groups: 2 });
    let bias = program.weight("conv.bias", &[8], Packing::GroupedChannels { groups: 2 });
    let slopes = program.weight("prelu.weight", &[8], Packing::Channels);
    let up = program.weight("up.weight", &[8, 4, 2, 2], Packing::ConvTranspose { groups: 1 });
    let scales = program.weight("scales", &[1, 2, 1, 1], Packing::Plain);
    let scales = program.tensor("scales", Role::Constant(scales), [1, 2, 1, 1]);
    let prelu = program.expression(|b| {
        let (x, slope, zero) = (b.input(0), b.input(1), b.constant(0.0));
        let (positive, negative) = (b.binary(Binary::Max, x, zero), b.binary(Binary::Min, x, zero));
        b.fma(negative, slope, positive)
    });
    let product = program.expression(|b| {
        let (x, y) = (b.input(0), b.input(1));
        b.binary(Binary::Mul, x, y)
    });
    let difference = program.expression(|b| {
        let (x, y) = (b.input(0), b.input(1));
        b.binary(Binary::Sub, x, y)
    });
    let accumulator = AccumulatorId(0);
    program.0.accumulators.push(Accumulator {
        name: "pooled".into(),
        kind: AccumulatorKind::Moments,
        images: 2,
        channels: 2,
        extent: [32, 48],
        offset: 0,
    });

    let mut s0 = Cut::new("s0", 2, [tiles(32, 16), tiles(48, 16)]);
    let half = |t: Interval| Interval::new(t.start / 2, t.end / 2);
    let x = s0.buffer("image", [4, 16, 24], Some(0.0), |t| widen(half(t), 1, 1), false);
    let conv_out = s0.buffer("conv", [8, 16, 24], None, half, false);
    let up_out = s0.buffer("up", [4, 32, 48], None, |t| t, false);
    let nearest = s0.buffer("nearest", [4, 32, 48], None, |t| t, false);
    let both = s0.buffer("both", [8, 32, 48], None, |t| t, false);
    let shuffled = s0.buffer("shuffled", [2, 64, 96], None, |t| scale(t, 2), false);
    let small = s0.buffer("pooled", [2, 32, 48], None, |t| t, true);
    let factor = s0.buffer("scales", [2, 1, 1], None, |_| Interval::new(0, 1), false);
    s0.push(Instr::Load(Load { dst: x, src: image, addressing: None }));
    s0.push(Instr::Load(Load { dst: factor, src: scales, addressing: None }));
    s0.push(Instr::Conv2d(Conv2d {
        dst: conv_out,
        src: x,
        weight: conv,
        bias: Some(bias),
        window: window(3, 1, 1),
        groups: 2,
        epilogue: Some(Epilogue { operands: vec![Operand::Channels(slopes)], expr: prelu }),
    }));
    s0.push(Instr::ConvTranspose2d(ConvTranspose2d {
        dst: up_out,
        src: conv_out,
        weight: up,
        bias: None,
        window: window(2, 2, 0),
        groups: 1,
        epilogue: None,
    }));
    let coordinates = [Coordinate { num: 1, offset: 0, den: 2 }; 2];
    s0.push(Instr::Resize(Resize { dst: nearest, src: x, filter: Filter::Nearest, coordinates }));
    for (channel, src) in [(0, up_out), (4, nearest)] {
        s0.push(Instr::Copy(Copy {
            dst: both,
            src,
            channel,
            from: 0,
            channels: 4,
            shift: [0, 0],
            outside: 0.0,
            fold: None,
        }));
    }
    s0.push(Instr::PixelShuffle(PixelShuffle { dst: shuffled, src: both, factor: 2 }));
    let kind = PoolKind::Average { margin: [0; 4] };
    s0.push(Instr::Pool(Pool { dst: small, src: shuffled, kind, window: window(2, 2, 0) }));
    let operands = vec![Operand::Buffer(small), Operand::Buffer(factor)];
    s0.push(Instr::Map(Map { dst: small, operands, expr: product }));
    s0.push(Instr::Accumulate(Accumulate { acc: accumulator, src: small }));
    s0.push(Instr::Store(Store { dst: pooled, src: small }));
    let mut s0 = s0.finish();
    s0.end.push(Reduce { acc: accumulator, dst: mean, statistic: Statistic::Mean, group: 2 });
    program.0.sections.push(s0);

    let mut s1 = Cut::new("s1", 2, [tiles(32, 12), tiles(48, 48)]);
    let x = s1.buffer("pooled", [2, 32, 48], None, |t| t, false);
    let m = s1.buffer("mean", [2, 1, 1], None, |_| Interval::new(0, 1), false);
    let y = s1.buffer("differences", [2, 32, 48], None, |t| t, false);
    let coarse = s1.buffer("coarse", [8, 16, 24], None, half, false);
    let fine = s1.buffer("centred", [2, 32, 48], None, |t| t, true);
    s1.push(Instr::Load(Load { dst: x, src: pooled, addressing: None }));
    s1.push(Instr::Load(Load { dst: m, src: mean, addressing: None }));
    let operands = vec![Operand::Buffer(x), Operand::Buffer(m)];
    s1.push(Instr::Map(Map { dst: y, operands, expr: difference }));
    s1.push(Instr::PixelUnshuffle(PixelUnshuffle { dst: coarse, src: y, factor: 2 }));
    s1.push(Instr::PixelShuffle(PixelShuffle { dst: fine, src: coarse, factor: 2 }));
    s1.push(Instr::Store(Store { dst: centred, src: fine }));
    let wrapped = s1.buffer("wrapped", [2, 34, 51], None, |t| widen(t, 1, 3), false);
    let mirrored = s1.buffer("mirrored", [2, 36, 51], None, |t| widen(t, 0, 4), false);
    let addressing = Some(Addressing::Wrapped { shift: [-1, -2] });
    s1.push(Instr::Load(Load { dst: wrapped, src: pooled, addressing }));
    let (shift, fold) = ([-1, 0], Some(Folding::Mirrored));
    s1.push(Instr::Copy(Copy {
        dst: mirrored,
        src: wrapped,
        channel: 0,
        from: 0,
        channels: 2,
        shift,
        outside: 0.0,
        fold,
    }));
    program.0.sections.push(s1.finish());
    program.finish()
}

/// The mean of each row of pixels, and the product of the result, a column, with a row: instructions that want whole axes.
pub fn whole_axes() -> Program {
    let mut program = Draft::new("whole_axes");
    let image = program.tensor("image", Role::Input, [1, 4, 12, 20]);
    let row = program.tensor("row", Role::Input, [1, 1, 1, 24]);
    let product = program.tensor("product", Role::Output, [1, 4, 12, 24]);

    let mut s0 = Cut::new("s0", 1, [tiles(12, 4), tiles(24, 8)]);
    let x = s0.buffer("image", [4, 12, 20], None, |t| t, false);
    s0.cover(x, AxisId::X, Interval::new(0, 20));
    let mean = s0.buffer("mean", [4, 12, 1], None, |t| t, false);
    s0.cover(mean, AxisId::X, Interval::new(0, 1));
    let b = s0.buffer("row", [1, 1, 24], None, |t| t, false);
    s0.cover(b, AxisId::Y, Interval::new(0, 1));
    let y = s0.buffer("product", [4, 12, 24], None, |t| t, true);
    s0.push(Instr::Load(Load { dst: x, src: image, addressing: None }));
    s0.push(Instr::Load(Load { dst: b, src: row, addressing: None }));
    let (along, kind) = (Along::Columns, FoldKind::Mean);
    s0.push(Instr::Fold(Fold { dst: mean, src: x, along, kind, length: 20 }));
    s0.push(Instr::Matmul(Matmul { dst: y, a: mean, b, inner: 1 }));
    s0.push(Instr::Store(Store { dst: product, src: y }));
    program.0.sections.push(s0.finish());
    program.finish()
}

/// The gradients of what a maximum pool and a mirrored padding of three rows and columns take: of windows of 3 × 3 pixels, two apart,
/// and of one image, in tiles of 8 × 8 pixels.
pub fn adjoints() -> Program {
    let mut program = Draft::new("adjoints");
    let image = program.tensor("image", Role::Input, [1, 4, 16, 24]);
    let pooled = program.tensor("pooled", Role::Input, [1, 4, 8, 12]);
    let padded = program.tensor("padded", Role::Input, [1, 4, 22, 30]);
    let outputs = ["maxima", "borders"].map(|name| program.tensor(name, Role::Output, [1, 4, 16, 24]));
    let mut cut = Cut::new("s0", 1, [tiles(16, 8), tiles(24, 8)]);
    let x = cut.buffer("image", [4, 16, 24], Some(0.0), |t| widen(t, 2, 2), false);
    let windows = |t: Interval| Interval::new(t.start / 2, t.end / 2 + 1);
    let maxima = cut.buffer("pooled", [4, 8, 12], Some(0.0), windows, false);
    let borders = cut.buffer("padded", [4, 22, 30], Some(0.0), |t| widen(t, 0, 6), false);
    let d = ["d.maxima", "d.borders"].map(|name| cut.buffer(name, [4, 16, 24], None, |t| t, true));
    for (dst, src) in [(x, image), (maxima, pooled), (borders, padded)] {
        cut.push(Instr::Load(Load { dst, src, addressing: None }));
    }
    cut.push(Instr::MaxPoolDx(MaxPoolDx { dst: d[0], x, dy: maxima, window: window(3, 2, 1) }));
    let axes = [16, 24].map(|inputs| LinearMap {
        inputs,
        outputs: inputs + 6,
        taps: Taps::Padded { before: 3, border: Border::Mirrored },
    });
    cut.push(Instr::Adjoint(Adjoint { dst: d[1], src: borders, axes }));
    for (dst, src) in outputs.into_iter().zip(d) {
        cut.push(Instr::Store(Store { dst, src }));
    }
    program.0.sections.push(cut.finish());
    program.finish()
}

/// Half of the values of two images dropped at random, in tiles of 4 × 8 pixels.
pub fn dropped() -> Program {
    let mut program = Draft::new("dropped");
    let image = program.tensor("image", Role::Input, [2, 4, 12, 20]);
    let numbers = program.tensor("key", Role::Input, [1, Dropout::KEY_CHANNELS, 1, 1]);
    let dropped = program.tensor("dropped", Role::Output, [2, 4, 12, 20]);
    let mut cut = Cut::new("s0", 2, [tiles(12, 4), tiles(20, 8)]);
    let src = cut.buffer("image", [4, 12, 20], None, |t| t, false);
    let key = cut.buffer("key", [Dropout::KEY_CHANNELS, 1, 1], None, |_| Interval::new(0, 1), false);
    let dst = cut.buffer("dropped", [4, 12, 20], None, |t| t, true);
    cut.push(Instr::Load(Load { dst: src, src: image, addressing: None }));
    cut.push(Instr::Load(Load { dst: key, src: numbers, addressing: None }));
    let half = Dropout::NUMBERS / 2;
    cut.push(Instr::Dropout(Dropout { dst, src, key, stream: [5, 1], dropped: half, scale: 2.0 }));
    cut.push(Instr::Store(Store { dst: dropped, src: dst }));
    program.0.sections.push(cut.finish());
    program.finish()
}

/// The gradients of the weights of a 3 × 3 convolution from 3 to 20 channels, and of a transposed one of 2 × 2 back, on two images of
/// 37 × 70 pixels, in tiles of `tile` pixels, which are whole grains of 8 × 32; with running sums or without.
pub fn weight_gradients(tile: [i64; 2], running: bool) -> Program {
    let mut program = Draft::new("weight_gradients");
    let (small, large) = ([3, 37, 70], [20, 37, 70]);
    let of = |[c, h, w]: [u64; 3]| [2, c, h, w];
    let image = program.tensor("image", Role::Input, of(small));
    let gradient = program.tensor("gradient", Role::Input, of(large));
    let direct = program.tensor("direct", Role::Output, [20, 27, 1, 1]);
    let transposed = program.tensor("transposed", Role::Output, [20, 12, 1, 1]);
    let mut cut = Cut::new("s0", 2, [tiles(37, tile[0]), tiles(70, tile[1])]);
    let x = cut.buffer("image", small, Some(0.0), |t| widen(t, 1, 1), false);
    let dy = cut.buffer("gradient", large, Some(0.0), |t| widen(t, 1, 0), true);
    cut.push(Instr::Load(Load { dst: x, src: image, addressing: None }));
    cut.push(Instr::Load(Load { dst: dy, src: gradient, addressing: None }));
    let owned = cut.buffer("owned", small, None, |t| t, true);
    cut.push(Instr::Load(Load { dst: owned, src: image, addressing: None }));
    for (id, x, dy, window, transposed, dst, weights) in [
        (0, x, dy, window(3, 1, 1), false, direct, [20, 27]),
        (1, dy, owned, window(2, 1, 0), true, transposed, [20, 12]),
    ] {
        let acc = AccumulatorId(id);
        program.0.accumulators.push(Accumulator {
            name: cut.section.buffers[dy.index()].name.clone(),
            kind: AccumulatorKind::Products,
            images: weights[0],
            channels: weights[1],
            extent: [37, 70],
            offset: 0,
        });
        cut.push(Instr::ConvDw(ConvDw { acc, x, dy, window, groups: 1, transposed }));
        cut.section.end.push(Reduce { acc, dst, statistic: Statistic::Sum, group: 1 });
    }
    if running {
        cut.run(AccumulatorId(0), 8 * 32 * 27);
        cut.run(AccumulatorId(1), 8 * 16 * 20 * 4);
    }
    program.0.sram_bytes = cut.sram;
    program.0.sections.push(cut.finish());
    program.finish()
}

/// The gradient of the input of a 3 × 3 convolution from 3 to 20 channels on two images of 19 × 26 pixels, added up from tiles of the
/// output's gradient of `tile` pixels, and copied to an output. In memory, or in a file.
pub fn sums(tile: [i64; 2], spilled: bool) -> Program {
    let mut program = Draft::new("sums");
    let (small, large) = ([3, 19, 26], [20, 19, 26]);
    let of = |[c, h, w]: [u64; 3]| [2, c, h, w];
    let gradient = program.tensor("gradient", Role::Input, of(large));
    let sum = program.tensor("sum", Role::Composite(0), of(small));
    let output = program.tensor("output", Role::Output, of(small));
    if spilled {
        program.0.tensors[sum.index()].role = Role::Spilled;
    }
    let weight = program.weight("conv.weight", &[20, 3, 3, 3], Packing::ConvTranspose { groups: 1 });

    let mut cut = Cut::new("s0", 2, [tiles(19, tile[0]), tiles(26, tile[1])]);
    let dy = cut.buffer("gradient", large, Some(0.0), |t| widen(t, 2, 2), true);
    let dx = cut.buffer("sum", small, None, |t| widen(t, 1, 1), false);
    cut.add_up(dx, [19, 26].map(|extent| Interval::new(0, extent)));
    cut.push(Instr::Load(Load { dst: dy, src: gradient, addressing: Some(Addressing::Owned) }));
    cut.push(Instr::ConvTranspose2d(ConvTranspose2d {
        dst: dx,
        src: dy,
        weight,
        bias: None,
        window: window(3, 1, 1),
        groups: 1,
        epilogue: None,
    }));
    cut.push(Instr::StoreRmw(StoreRmw { dst: sum, src: dx }));
    program.0.sram_bytes = cut.sram;
    program.0.sections.push(cut.finish());

    let mut cut = Cut::new("s1", 2, [tiles(19, 8), tiles(26, 8)]);
    let x = cut.buffer("sum", small, None, |t| t, true);
    cut.push(Instr::Load(Load { dst: x, src: sum, addressing: None }));
    cut.push(Instr::Store(Store { dst: output, src: x }));
    program.0.sections.push(cut.finish());
    program.finish()
}

/// `length` max pools of 3 × 3 pixels in a row on an image of `extent` × `extent` pixels, in tiles of `tile` × `tile`: step
/// tables as long and as many as one likes.
pub fn chain(extent: i64, tile: i64, length: i64) -> Program {
    let mut program = Draft::new("chain");
    let size = extent.unsigned_abs();
    let image = program.tensor("image", Role::Input, [1, 1, size, size]);
    let pooled = program.tensor("pooled", Role::Output, [1, 1, size, size]);
    let mut cut = Cut::new("s0", 1, [tiles(extent, tile), tiles(extent, tile)]);
    let buffers: Vec<_> = (0..=length)
        .map(|i| {
            let halo = length - i;
            cut.buffer(&format!("x{i}"), [1, size, size], None, |t| widen(t, halo, halo), halo == 0)
        })
        .collect();
    cut.push(Instr::Load(Load { dst: buffers[0], src: image, addressing: None }));
    for pair in buffers.windows(2) {
        let kind = PoolKind::Max;
        cut.push(Instr::Pool(Pool { dst: pair[1], src: pair[0], kind, window: window(3, 1, 1) }));
    }
    cut.push(Instr::Store(Store { dst: pooled, src: buffers[buffers.len() - 1] }));
    program.0.sections.push(cut.finish());
    program.finish()
}

/// `kernel × kernel` taps.
pub fn window(kernel: u32, stride: u32, pad: i64) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1; 2], pad: [pad; 2] }
}

/// An extent in tiles of one size, the last of which may hang over.
fn tiles(extent: i64, tile: i64) -> (i64, Vec<Interval>) {
    let count = (extent + tile - 1) / tile;
    (extent, (0..count).map(|i| Interval::new(i * tile, (i + 1) * tile)).collect())
}

fn widen(t: Interval, before: i64, after: i64) -> Interval {
    Interval::new(t.start - before, t.end + after)
}

fn scale(t: Interval, by: i64) -> Interval {
    Interval::new(t.start * by, t.end * by)
}

/// A program in the making.
struct Draft(Program);

impl Draft {
    fn new(name: &str) -> Self {
        let machine = Machine {
            name: "tiny".into(),
            sram: 64 << 10,
            memory: 1 << 20,
            bandwidth: 8e9,
            units: 1,
            lanes: 16,
            clock: 1e9,
        };
        Self(Program {
            name: name.into(),
            numerics: Numerics::Strict,
            machine,
            graph: String::new(),
            sram_bytes: 0,
            device_bytes: 0,
            streamed: false,
            tensors: vec![],
            weights: vec![],
            accumulators: vec![],
            expressions: vec![],
            sections: vec![],
            data: Data::default(),
        })
    }

    fn tensor(&mut self, name: &str, role: Role, [n, c, h, w]: [u64; 4]) -> TensorId {
        let lanes = if matches!(role, Role::Composite(_)) { 16 } else { 1 };
        self.0.tensors.push(Tensor {
            name: name.into(),
            role,
            dims: Dims { n, c, h, w },
            lanes,
            element: Element::F32,
            blocks: None,
        });
        TensorId(self.0.tensors.len() as u32 - 1)
    }

    /// Values are small, exact and not all alike; those of constants stand in the program, the others in its data.
    fn weight(&mut self, name: &str, dims: &[u64], packing: Packing) -> WeightId {
        let count = dims.iter().product::<u64>();
        let values = (0..count).map(|i| ((i * 7 + 3) % 11) as f32 * 0.25 - 1.25);
        let source = if packing == Packing::Plain {
            Source::Inline(values.collect())
        } else {
            let mut bytes = self.0.data.bytes().to_vec();
            let offset = bytes.len() as u64;
            bytes.extend(values.flat_map(f32::to_le_bytes));
            self.0.data = Data::new(bytes);
            Source::Offset(offset)
        };
        self.0.weights.push(Weight { name: name.into(), dims: dims.to_vec(), packing, offset: 0, source });
        WeightId(self.0.weights.len() as u32 - 1)
    }

    fn expression(&mut self, build: impl FnOnce(&mut Builder) -> u32) -> ExprId {
        let mut builder = Builder::new();
        let value = build(&mut builder);
        self.0.expressions.push(builder.finish(value).expect("a builder refers to earlier nodes only"));
        ExprId(self.0.expressions.len() as u32 - 1)
    }

    /// Gives everything a place of its own.
    fn finish(self) -> Program {
        let mut program = self.0;
        let mut end = 0;
        let mut place = |bytes: Option<u64>| {
            let offset = end;
            end += bytes.unwrap_or(0).next_multiple_of(64);
            offset
        };
        for weight in &mut program.weights {
            weight.offset = place(weight.packed_bytes());
        }
        for accumulator in &mut program.accumulators {
            accumulator.offset = place(accumulator.bytes());
        }
        for tensor in &mut program.tensors {
            if matches!(tensor.role, Role::Composite(_)) {
                tensor.role = Role::Composite(place(tensor.bytes()));
            }
        }
        program.device_bytes = end;
        let sram = |s: &Section| s.buffers.iter().map(|b| b.offset + b.bytes().unwrap_or(0)).max();
        program.sram_bytes =
            program.sections.iter().filter_map(sram).fold(program.sram_bytes, u64::max).next_multiple_of(64);
        program
    }
}

/// A section in the making.
struct Cut {
    section: Section,
    /// Extent and tiles of the target, rows and columns.
    target: [(i64, Vec<Interval>); 2],
    sram: u64,
}

impl Cut {
    fn new(name: &str, images: u64, target: [(i64, Vec<Interval>); 2]) -> Self {
        let [y, x] = [&target[0], &target[1]].map(|(_, t)| Axis { steps: t.len() as u64, buffers: vec![] });
        let section = Section {
            name: name.into(),
            images,
            y,
            x,
            buffers: vec![],
            body: vec![],
            end: vec![],
            running: vec![],
            colours: [1; 2],
        };
        Self { section, target, sram: 0 }
    }

    /// A buffer whose tiles are `map` of the target's.
    fn buffer(
        &mut self,
        name: &str,
        [channels, height, width]: [u64; 3],
        outside: Option<f32>,
        map: impl Fn(Interval) -> Interval,
        owned: bool,
    ) -> BufferId {
        let mut size = [0; 2];
        for (i, axis) in [&mut self.section.y, &mut self.section.x].into_iter().enumerate() {
            let (extent, tiles) = &self.target[i];
            let whole = Interval::new(0, *extent);
            let computed: Vec<_> = tiles.iter().map(|t| map(*t)).collect();
            let owns: Vec<_> = tiles.iter().filter(|_| owned).map(|t| t.intersect(whole)).collect();
            size[i] = computed[0].len() as u64;
            axis.buffers
                .push(BufferSteps { computed: Steps::compress(&computed), owned: Steps::compress(&owns) });
        }
        let buffer = Buffer {
            name: name.into(),
            channels,
            lanes: [1, 2, 4, 8].into_iter().find(|l| u64::from(*l) >= channels).unwrap_or(16),
            rows: size[0],
            cols: size[1],
            extent: [height, width],
            outside,
            ring: false,
            offset: self.sram,
        };
        self.sram += buffer.bytes().unwrap_or(0).next_multiple_of(64);
        self.section.buffers.push(buffer);
        BufferId(self.section.buffers.len() as u32 - 1)
    }

    /// Makes every tile of a buffer cover the same along an axis.
    fn cover(&mut self, buffer: BufferId, axis: AxisId, covered: Interval) {
        let table = if axis == AxisId::Y { &mut self.section.y } else { &mut self.section.x };
        let steps = vec![covered; table.steps as usize];
        table.buffers[buffer.index()].computed = Steps::compress(&steps);
        let buffer = &mut self.section.buffers[buffer.index()];
        let size = if axis == AxisId::Y { &mut buffer.rows } else { &mut buffer.cols };
        *size = covered.len() as u64;
        let end = buffer.offset + buffer.bytes().unwrap_or(0).next_multiple_of(64);
        self.sram = self.sram.max(end);
    }

    /// Makes every tile own all of a buffer that it computes of the extent, and as many colours as tiles overlap.
    fn add_up(&mut self, buffer: BufferId, extent: [Interval; 2]) {
        for (i, axis) in [&mut self.section.y, &mut self.section.x].into_iter().enumerate() {
            let table = &mut axis.buffers[buffer.index()];
            let owned: Vec<_> = table.computed.iter().map(|c| c.intersect(extent[i])).collect();
            let apart = |c: &usize| owned.iter().zip(owned.iter().skip(*c)).all(|(a, b)| a.end <= b.start);
            self.section.colours[i] = (1..=owned.len()).find(apart).unwrap_or(1) as u64;
            table.owned = Steps::compress(&owned);
        }
    }

    /// Gives an accumulator running sums.
    fn run(&mut self, acc: AccumulatorId, bytes: u64) {
        self.section.running.push(Running { acc, offset: self.sram });
        self.sram += bytes.next_multiple_of(64);
    }

    fn push(&mut self, instr: Instr) {
        self.section.body.push(Scheduled { instr, wait: vec![], wait_previous: vec![], signal: None });
    }

    /// Orders all instructions, and tiles, one after the other.
    fn finish(mut self) -> Section {
        let last = Token(self.section.body.len() as u32 - 1);
        for (i, scheduled) in self.section.body.iter_mut().enumerate() {
            scheduled.signal = Some(Token(i as u32));
            match (i as u32).checked_sub(1) {
                Some(before) => scheduled.wait.push(Token(before)),
                None => scheduled.wait_previous.push(last),
            }
        }
        self.section
    }
}
