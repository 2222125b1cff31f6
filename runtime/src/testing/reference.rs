//! One element of an instruction's result, from the formulas.

use super::{Case, contains};
use crate::program::instr::{
    Along, Conv2d, ConvTranspose2d, Coordinate, Copy, Dropout, Epilogue, Filter, Fold, FoldKind, Folding,
    Matmul, MaxPoolDx, Operand, Pool, PoolKind, Resize, Window,
};
use crate::program::{BufferId, ExprId, Instr, WeightId};
use crate::random::Key;

/// What channel `c` of pixel `(y, x)` of the written buffer holds afterwards.
pub(super) fn value(case: &Case, c: u64, y: i64, x: i64) -> f32 {
    let dst = case.dst();
    if !case.writes_channel(c) {
        return case.at(dst, c, y, x);
    }
    if !contains(case.place(dst).valid, y, x) {
        return case.section.buffers[dst.index()].outside.unwrap();
    }
    match &case.instr {
        Instr::Conv2d(i) => conv2d(case, i, c, y, x),
        Instr::ConvTranspose2d(i) => conv_transpose2d(case, i, c, y, x),
        Instr::Pool(i) => pool(case, i, c, y, x),
        Instr::Resize(i) => resize(case, i, c, y, x),
        Instr::PixelShuffle(i) => {
            let r = i64::from(i.factor);
            let phase = y.rem_euclid(r) * r + x.rem_euclid(r);
            case.at(i.src, c * (r * r) as u64 + phase as u64, y.div_euclid(r), x.div_euclid(r))
        }
        Instr::PixelUnshuffle(i) => {
            let (r, phase) = (i64::from(i.factor), c as i64 % i64::from(i.factor * i.factor));
            case.at(i.src, c / (r * r) as u64, y * r + phase / r, x * r + phase % r)
        }
        Instr::Copy(i) => copy(case, i, c, y, x),
        Instr::Map(i) => {
            let inputs: Vec<f32> = i.operands.iter().map(|&o| operand(case, o, c, y, x)).collect();
            eval(case, i.expr, &inputs)
        }
        Instr::Fold(i) => fold(case, i, c, y, x),
        Instr::Matmul(i) => matmul(case, i, c, y, x),
        Instr::MaxPoolDx(i) => max_pool_dx(case, i, c, y, x),
        Instr::Adjoint(i) => super::adjoint::value(case, i, c, y, x),
        Instr::Dropout(i) => dropout(case, i, c, y, x),
        Instr::Load(_) | Instr::Store(_) | Instr::StoreRmw(_) | Instr::Accumulate(_) | Instr::ConvDw(_) => {
            panic!("not a compute instruction")
        }
    }
}

/// The value at a place of a tensor, `None` outside its extent.
fn tap(case: &Case, b: BufferId, c: u64, y: i64, x: i64) -> Option<f32> {
    contains(case.section.buffers[b.index()].extent(), y, x).then(|| case.at(b, c, y, x))
}

/// The channels and taps of one output in canonical order: blocks of 16 input channels, kernel rows, kernel columns,
/// channels in the block.
fn canonical(inputs: u64, [kh, kw]: [u32; 2]) -> impl Iterator<Item = (u64, u32, u32)> {
    (0..inputs).step_by(16).flat_map(move |block| {
        (0..kh).flat_map(move |ky| {
            (0..kw).flat_map(move |kx| (block..inputs.min(block + 16)).map(move |i| (i, ky, kx)))
        })
    })
}

fn conv2d(case: &Case, conv: &Conv2d, c: u64, y: i64, x: i64) -> f32 {
    let Window { kernel, stride, dilation, pad } = conv.window;
    let weights = case.weight(conv.weight);
    let [_, inputs, kh, kw] = case.program.weights[conv.weight.index()].dims[..] else { panic!() };
    let out = case.section.buffers[conv.dst.index()].channels;
    let group = c / (out / u64::from(conv.groups));
    let mut acc = bias(case, conv.bias, c);
    for (i, ky, kx) in canonical(inputs, kernel) {
        let at = |o: i64, k: u32, axis: usize| {
            o * i64::from(stride[axis]) - pad[axis] + i64::from(k) * i64::from(dilation[axis])
        };
        let v = tap(case, conv.src, group * inputs + i, at(y, ky, 0), at(x, kx, 1)).unwrap_or(0.0);
        let w = weights[(((c * inputs + i) * kh + u64::from(ky)) * kw + u64::from(kx)) as usize];
        acc = v.mul_add(w, acc);
    }
    epilogue(case, conv.epilogue.as_ref(), acc, c, y, x)
}

fn conv_transpose2d(case: &Case, conv: &ConvTranspose2d, c: u64, y: i64, x: i64) -> f32 {
    let Window { kernel, stride, dilation, pad } = conv.window;
    let weights = case.weight(conv.weight);
    let [inputs, out, kh, kw] = case.program.weights[conv.weight.index()].dims[..] else { panic!() };
    let (group, inputs) = (c / out, inputs / u64::from(conv.groups));
    let mut acc = bias(case, conv.bias, c);
    for (i, ky, kx) in canonical(inputs, kernel) {
        let at = |o: i64, k: u32, axis: usize| {
            let (s, t) = (i64::from(stride[axis]), o + pad[axis] - i64::from(k) * i64::from(dilation[axis]));
            (t.rem_euclid(s) == 0).then(|| t.div_euclid(s))
        };
        let (Some(iy), Some(ix)) = (at(y, ky, 0), at(x, kx, 1)) else { continue };
        let v = tap(case, conv.src, group * inputs + i, iy, ix).unwrap_or(0.0);
        let w = (((group * inputs + i) * out + c % out) * kh + u64::from(ky)) * kw + u64::from(kx);
        acc = v.mul_add(weights[w as usize], acc);
    }
    epilogue(case, conv.epilogue.as_ref(), acc, c, y, x)
}

fn bias(case: &Case, bias: Option<WeightId>, c: u64) -> f32 {
    bias.map_or(0.0, |b| case.weight(b)[c as usize])
}

fn pool(case: &Case, pool: &Pool, c: u64, y: i64, x: i64) -> f32 {
    let Window { kernel, stride, dilation, pad } = pool.window;
    let [height, width] = case.section.buffers[pool.src.index()].extent.map(|n| n as i64);
    let at = |o: i64, k: u32, axis: usize| {
        o * i64::from(stride[axis]) - pad[axis] + i64::from(k) * i64::from(dilation[axis])
    };
    let taps = || {
        let taps = (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| (ky, kx)));
        taps.map(|(ky, kx)| (at(y, ky, 0), at(x, kx, 1)))
    };
    let values = taps().filter_map(|(y, x)| tap(case, pool.src, c, y, x));
    match pool.kind {
        PoolKind::Max => values.fold(f32::NEG_INFINITY, |acc, v| if v > acc || v.is_nan() { v } else { acc }),
        PoolKind::Average { margin: [top, left, bottom, right] } => {
            let counts = |&(y, x): &(i64, i64)| {
                (-top..height + bottom).contains(&y) && (-left..width + right).contains(&x)
            };
            values.fold(0.0, |acc, v| acc + v) / taps().filter(counts).count() as f32
        }
    }
}

/// Over all windows, whether they hold the pixel or not.
fn max_pool_dx(case: &Case, pool: &MaxPoolDx, c: u64, y: i64, x: i64) -> f32 {
    let Window { kernel, stride, dilation, pad } = pool.window;
    let [rows, cols] = case.section.buffers[pool.dy.index()].extent.map(|n| n as i64);
    let tap = |o: i64, k: u32, axis: usize| {
        o * i64::from(stride[axis]) - pad[axis] + i64::from(k) * i64::from(dilation[axis])
    };
    let mut acc = 0.0;
    for (oy, ox) in (0..rows).flat_map(|oy| (0..cols).map(move |ox| (oy, ox))) {
        let taps = (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| (ky, kx)));
        let taps: Vec<_> = taps.map(|(ky, kx)| (tap(oy, ky, 0), tap(ox, kx, 1))).collect();
        if !taps.contains(&(y, x)) {
            continue;
        }
        let extent = case.section.buffers[pool.x.index()].extent();
        let values: Vec<_> = taps.into_iter().filter(|&(y, x)| contains(extent, y, x)).collect();
        let value = |&(y, x): &(i64, i64)| case.at(pool.x, c, y, x);
        let largest = values.iter().map(value).fold(f32::NEG_INFINITY, f32::max);
        let nan = values.iter().rev().find(|at| value(at).is_nan());
        if nan.or_else(|| values.iter().find(|at| value(at) == largest)) == Some(&(y, x)) {
            acc += case.at(pool.dy, c, oy, ox);
        }
    }
    acc
}

fn copy(case: &Case, copy: &Copy, c: u64, y: i64, x: i64) -> f32 {
    let [mut y, mut x] = [y + copy.shift[0], x + copy.shift[1]];
    if let Some(fold) = copy.fold {
        let [rows, cols] = case.section.buffers[copy.src.index()].extent.map(|n| n as i64);
        (y, x) = (folded(fold, y, rows), folded(fold, x, cols));
    }
    tap(case, copy.src, c - copy.channel + copy.from, y, x).unwrap_or(copy.outside)
}

/// The coordinate that stands for `i`, found by walking back from the border pixel as far as `i` lies beyond it.
pub(super) fn folded(fold: Folding, i: i64, extent: i64) -> i64 {
    let (first, last) = (0, extent - 1);
    let border = if i < first { first } else { last };
    match fold {
        _ if (first..=last).contains(&i) => i,
        Folding::Clamped => border,
        Folding::Mirrored => border + (border - i),
    }
}

fn resize(case: &Case, resize: &Resize, c: u64, y: i64, x: i64) -> f32 {
    let extent = case.section.buffers[resize.src.index()].extent.map(|n| n as i64);
    let [rows, cols] = [(0, y), (1, x)].map(|(axis, o)| {
        let Coordinate { num, offset, den } = resize.coordinates[axis];
        let at = i128::from(o) * i128::from(num) + i128::from(offset);
        let (pixel, rest) = (at.div_euclid(den.into()) as i64, at.rem_euclid(den.into()));
        let weights = weights(resize.filter, rounded_fraction(rest, den.into()));
        let taps = weights.into_iter().map(move |(k, w)| ((pixel + k).clamp(0, extent[axis] - 1), w));
        taps.collect::<Vec<_>>()
    });
    let sum = |taps: &[(i64, f32)], value: &dyn Fn(i64) -> f32| {
        let mut taps = taps.iter().map(|&(i, w)| (value(i), w));
        let (first, weight) = taps.next().unwrap();
        taps.fold(weight * first, |acc, (v, w)| w.mul_add(v, acc))
    };
    if resize.filter == Filter::Nearest {
        return case.at(resize.src, c, rows[0].0, cols[0].0);
    }
    sum(&rows, &|row| sum(&cols, &|col| case.at(resize.src, c, row, col)))
}

/// Taps, counted from the pixel before, and their weights.
pub(super) fn weights(filter: Filter, f: f32) -> Vec<(i64, f32)> {
    let g = 1.0 - f;
    let inner = |t: f32| 1.25f32.mul_add(t, -2.25).mul_add(t * t, 1.0);
    match filter {
        Filter::Nearest => vec![(0, 1.0)],
        Filter::Linear => vec![(0, g), (1, f)],
        Filter::Cubic => {
            vec![(-1, -0.75 * f * g * g), (0, inner(f)), (1, inner(g)), (2, -0.75 * g * f * f)]
        }
    }
}

/// `rest / den`, less than 1, rounded once: binary digits one by one, and what is left over decides.
pub(super) fn rounded_fraction(mut rest: i128, den: i128) -> f32 {
    let (mut digits, mut exponent) = (0u32, 0);
    while rest != 0 && digits < 1 << 23 {
        rest *= 2;
        digits = 2 * digits + u32::from(rest >= den);
        rest -= if rest >= den { den } else { 0 };
        exponent -= 1;
    }
    let up = 2 * rest > den || (2 * rest == den && digits % 2 == 1);
    ((digits + u32::from(up)) as f32) * 2f32.powi(exponent)
}

fn fold(case: &Case, fold: &Fold, c: u64, y: i64, x: i64) -> f32 {
    let values: Vec<f32> = (0..fold.length)
        .map(|i| match fold.along {
            Along::Channels => case.at(fold.src, i, y, x),
            Along::Rows => case.at(fold.src, c, i as i64, x),
            Along::Columns => case.at(fold.src, c, y, i as i64),
        })
        .collect();
    let sum = |f: fn(f64) -> f64| values.iter().fold(0.0, |acc, &v| acc + f(f64::from(v)));
    match fold.kind {
        FoldKind::Sum => sum(|v| v) as f32,
        FoldKind::Mean => (sum(|v| v) / values.len() as f64) as f32,
        FoldKind::MeanSquare => (sum(|v| v * v) / values.len() as f64) as f32,
        FoldKind::Max => {
            values.into_iter().fold(f32::NEG_INFINITY, |acc, v| if v > acc || v.is_nan() { v } else { acc })
        }
        FoldKind::Argmax => {
            let nan = values.iter().position(|v| v.is_nan());
            let largest = values.iter().fold(f32::NEG_INFINITY, |acc, &v| acc.max(v));
            nan.or_else(|| values.iter().position(|&v| v == largest)).unwrap() as f32
        }
    }
}

fn dropout(case: &Case, dropout: &Dropout, c: u64, y: i64, x: i64) -> f32 {
    let key = Key::of_numbers([0, 1, 2, 3].map(|c| case.at(dropout.key, c, 0, 0)));
    let words = key.of(dropout.stream[0], dropout.stream[1].into()).at([
        super::IMAGE as u32,
        c as u32,
        y as u32,
        (x / 4) as u32,
    ]);
    let kept = words[x as usize % 4] >> 8 >= dropout.dropped;
    case.at(dropout.src, c, y, x) * if kept { dropout.scale } else { 0.0 }
}

fn matmul(case: &Case, matmul: &Matmul, c: u64, y: i64, x: i64) -> f32 {
    let at = |b: BufferId, y: i64, x: i64| {
        let channels = case.section.buffers[b.index()].channels;
        case.at(b, if channels == 1 { 0 } else { c }, y, x)
    };
    (0..matmul.inner as i64).fold(0.0, |acc, k| at(matmul.a, y, k).mul_add(at(matmul.b, k, x), acc))
}

fn epilogue(case: &Case, epilogue: Option<&Epilogue>, value: f32, c: u64, y: i64, x: i64) -> f32 {
    let Some(Epilogue { operands, expr }) = epilogue else { return value };
    let mut inputs = vec![value];
    inputs.extend(operands.iter().map(|&o| operand(case, o, c, y, x)));
    eval(case, *expr, &inputs)
}

fn eval(case: &Case, expr: ExprId, inputs: &[f32]) -> f32 {
    case.program.expressions[expr.index()].eval(inputs)
}

/// An operand repeated along the axes on which its tensor has extent 1.
fn operand(case: &Case, operand: Operand, c: u64, y: i64, x: i64) -> f32 {
    match operand {
        Operand::Channels(w) => case.weight(w)[c as usize],
        Operand::Buffer(b) => {
            let buffer = &case.section.buffers[b.index()];
            let repeat = |extent: u64, i: i64| if extent == 1 { 0 } else { i };
            let c = if buffer.channels == 1 { 0 } else { c };
            case.at(b, c, repeat(buffer.extent[0], y), repeat(buffer.extent[1], x))
        }
    }
}
