//! Which interval of an input an interval of the output needs: closed forms over the access relations.

use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::{Border, Coordinate, LinearMap, Taps};

use crate::base::AxisMap;

/// The hull of what the outputs `out` read, of an input of `extent` pixels. Nothing is needed for nothing.
///
/// Strides and paddings of many layers multiply: what leaves 64 bits ends at their limits, and is too large for any budget.
pub fn need(map: AxisMap, out: Interval, extent: i64) -> Interval {
    if out.is_empty() {
        return Interval::default();
    }
    let (first, last) = (i128::from(out.start), i128::from(out.end) - 1);
    match map {
        AxisMap::Identity => out,
        AxisMap::Broadcast => Interval::new(0, 1),
        AxisMap::Shift { by } => out.shift(by),
        AxisMap::Mirrored { by } => mirrored(first + i128::from(by), last + i128::from(by), extent),
        AxisMap::Clamped { by } => {
            let inside = |i: i128| (i + i128::from(by)).clamp(0, i128::from(extent) - 1);
            saturated(inside(first), inside(last) + 1)
        }
        AxisMap::Wrapped { by } => {
            let (extent, [first, last]) = (i128::from(extent), [first, last].map(|o| o + i128::from(by)));
            if first.div_euclid(extent) == last.div_euclid(extent) {
                saturated(first.rem_euclid(extent), last.rem_euclid(extent) + 1)
            } else {
                saturated(0, extent)
            }
        }
        // The most frequent of all.
        AxisMap::Window { kernel, stride, dilation, pad } => {
            let at = |o: i64| o.saturating_mul(stride).saturating_sub(pad);
            let reach = (kernel - 1).saturating_mul(dilation).saturating_add(1);
            Interval::new(at(out.start), at(out.end - 1).saturating_add(reach))
        }
        AxisMap::Transposed { kernel, stride, dilation, pad } => {
            let [kernel, stride, dilation, pad] = [kernel, stride, dilation, pad].map(i128::from);
            saturated(
                div_ceil(first + pad - (kernel - 1) * dilation, stride),
                (last + pad).div_euclid(stride) + 1,
            )
        }
        AxisMap::Scaled { num, den } => {
            let [num, den] = [num, den].map(i128::from);
            saturated((first * num).div_euclid(den), (last * num).div_euclid(den) + 1)
        }
        AxisMap::Resampled { num, offset, den, first: tap, taps } => {
            let [num, offset, den, tap, taps] = [num, offset, den, tap, taps].map(i128::from);
            let at = |o: i128| (o * num + offset).div_euclid(den);
            saturated(at(first) + tap, at(last) + tap + taps)
        }
        AxisMap::ResampledTransposed { num, offset, den, first: tap, taps, size } => {
            let (at, out) = (Coordinate { num, offset, den }, out.intersect(Interval::new(0, size)));
            let beyond = out.end.saturating_sub(tap);
            let start =
                if out.start == 0 { 0 } else { at.first_at(out.start.saturating_sub(tap + taps - 1)) };
            let end = if out.end == size { extent } else { at.first_at(beyond) };
            Interval::new(start, end).intersect(Interval::new(0, extent))
        }
        AxisMap::MirroredTransposed { before, size, .. } => {
            unpadded(before, Border::Mirrored, [size, extent], out)
        }
        AxisMap::ClampedTransposed { before, size, .. } => {
            unpadded(before, Border::Clamped, [size, extent], out)
        }
        AxisMap::WrappedTransposed { before, size, .. } => {
            unpadded(before, Border::Wrapped, [size, extent], out)
        }
        AxisMap::All => Interval::new(0, extent),
    }
}

/// The hull of the outputs, of `outputs` pixels, that read some of the inputs `inputs`: the other way round. Where a relation is not one
/// of those of which tiles are added up, all of them. What is empty lies where it would be.
pub fn reached(map: AxisMap, inputs: Interval, outputs: i64) -> Interval {
    let reached = match map {
        AxisMap::Identity => inputs,
        AxisMap::Window { kernel, stride, dilation, pad } => {
            let [kernel, stride, dilation, pad] = [kernel, stride, dilation, pad].map(i128::from);
            saturated(
                div_ceil(i128::from(inputs.start) + pad - (kernel - 1) * dilation, stride),
                (i128::from(inputs.end) - 1 + pad).div_euclid(stride) + 1,
            )
        }
        AxisMap::Transposed { kernel, stride, dilation, pad } => {
            let [kernel, stride, dilation, pad] = [kernel, stride, dilation, pad].map(i128::from);
            saturated(
                i128::from(inputs.start) * stride - pad,
                (i128::from(inputs.end) - 1) * stride - pad + (kernel - 1) * dilation + 1,
            )
        }
        AxisMap::ResampledTransposed { num, offset, den, first, taps, size } => {
            let [num, offset, den, first, taps] = [num, offset, den, first, taps].map(i128::from);
            let tap = |i: i128, k: i128| {
                let tap = (i * num + offset).div_euclid(den.max(1)) + first + k;
                tap.clamp(0, i128::from(size) - 1)
            };
            saturated(tap(inputs.start.into(), 0), tap(i128::from(inputs.end) - 1, taps - 1) + 1)
        }
        _ => Interval::new(0, outputs),
    };
    let start = reached.start.clamp(0, outputs);
    Interval::new(start, reached.end.clamp(start, outputs))
}

/// The hull of the outputs of a padding that are, or stand for, some of its inputs.
fn unpadded(before: i64, border: Border, [inputs, outputs]: [i64; 2], of: Interval) -> Interval {
    let of = of.intersect(Interval::new(0, inputs));
    if of.is_empty() {
        return Interval::default();
    }
    LinearMap { inputs, outputs, taps: Taps::Padded { before, border } }.outputs_of(of)
}

/// The hull of the coordinates `first..=last`, mirrored at the borders. Those that lie further out than the extent reaches
/// back are nobody's: no output is computed from them.
fn mirrored(first: i128, last: i128, extent: i64) -> Interval {
    let border = i128::from(extent) - 1;
    let [first, last] = [first, last].map(|i| i.clamp(-border, 2 * border));
    let fold = |i: i128| border - (border - i.abs()).abs();
    let turns = |at: i128| (first <= at && at <= last).then_some(at);
    let low = fold(first).min(fold(last)).min(turns(0).unwrap_or(border));
    let high = fold(first).max(fold(last)).max(turns(border).unwrap_or(0));
    saturated(low, high + 1)
}

fn saturated(start: i128, end: i128) -> Interval {
    let limit = |v: i128| i64::try_from(v).unwrap_or(if v < 0 { i64::MIN } else { i64::MAX });
    Interval::new(limit(start), limit(end))
}

fn div_ceil(a: i128, b: i128) -> i128 {
    -(-a).div_euclid(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relation as its documentation states it.
    fn reads(map: AxisMap, o: i64, extent: i64) -> Vec<i64> {
        match map {
            AxisMap::Identity => vec![o],
            AxisMap::Broadcast => vec![0],
            AxisMap::Shift { by } => vec![o + by],
            AxisMap::Mirrored { by } => {
                let (i, last) = (o + by, extent - 1);
                let mirrored = if i < 0 { -i } else { i.min(2 * last - i) };
                // What lies further out is no output's.
                if (0..extent).contains(&mirrored) { vec![mirrored] } else { Vec::new() }
            }
            AxisMap::Clamped { by } => vec![(o + by).clamp(0, extent - 1)],
            AxisMap::Wrapped { by } => vec![(o + by).rem_euclid(extent)],
            AxisMap::Window { kernel, stride, dilation, pad } => {
                (0..kernel).map(|k| o * stride - pad + k * dilation).collect()
            }
            AxisMap::Transposed { kernel, stride, dilation, pad } => (0..kernel)
                .map(|k| o + pad - k * dilation)
                .filter(|p| p.rem_euclid(stride) == 0)
                .map(|p| p.div_euclid(stride))
                .collect(),
            AxisMap::Scaled { num, den } => vec![(o * num).div_euclid(den)],
            AxisMap::Resampled { num, offset, den, first, taps } => {
                (first..first + taps).map(|k| (o * num + offset).div_euclid(den) + k).collect()
            }
            AxisMap::ResampledTransposed { num, offset, den, first, taps, size } => {
                let reads = |i: &i64| {
                    let at = (i * num + offset).div_euclid(den);
                    (first..first + taps).any(|k| (at + k).clamp(0, size - 1) == o)
                };
                (0..extent).filter(reads).collect()
            }
            AxisMap::MirroredTransposed { before, size, .. } => {
                let inside = |i: i64| if i < 0 { -i } else { i.min(2 * (size - 1) - i) };
                (0..extent).filter(|i| inside(i - before) == o).collect()
            }
            AxisMap::ClampedTransposed { before, size, .. } => {
                (0..extent).filter(|i| (i - before).clamp(0, size - 1) == o).collect()
            }
            AxisMap::WrappedTransposed { before, after, size } => {
                let step = before + after;
                let all = [(o, o < after), (o + step, true), (o + 2 * step, o >= size - before)];
                all.into_iter().filter_map(|(i, is_read)| is_read.then_some(i)).collect()
            }
            AxisMap::All => (0..extent).collect(),
        }
    }

    #[test]
    fn intervals_hold_what_the_relation_reads() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..4000 {
            let (kernel, stride) = (rng.i64(1..5), rng.i64(1..4));
            let (dilation, pad) = (rng.i64(1..3), rng.i64(0..4));
            let map = match rng.u8(0..10) {
                0 => AxisMap::Identity,
                1 => AxisMap::Shift { by: rng.i64(-4..4) },
                2 => AxisMap::Scaled { num: rng.i64(1..4), den: rng.i64(1..4) },
                3 => AxisMap::Transposed { kernel, stride, dilation, pad },
                4 => AxisMap::All,
                5 => AxisMap::Mirrored { by: rng.i64(-7..4) },
                6 => AxisMap::Clamped { by: rng.i64(-9..9) },
                7 => AxisMap::Wrapped { by: rng.i64(-9..9) },
                8 => AxisMap::Resampled {
                    num: rng.i64(0..9),
                    offset: rng.i64(-9..9),
                    den: rng.i64(1..9),
                    first: rng.i64(-1..1),
                    taps: kernel,
                },
                _ => AxisMap::Window { kernel, stride, dilation, pad },
            };
            let (start, extent) = (rng.i64(-6..20), rng.i64(1..9));
            let out = Interval::new(start, start + rng.i64(1..9));
            let need = need(map, out, extent);
            let read: Vec<i64> = (out.start..out.end).flat_map(|o| reads(map, o, extent)).collect();
            assert!(read.iter().all(|&i| need.contains(Interval::new(i, i + 1))), "{map:?} {out} {need}");
        }
    }

    #[test]
    fn transposed_intervals_hold_no_more_than_is_read() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..6000 {
            let size = rng.i64(1..9);
            let [before, after] = [0; 2].map(|_| rng.i64(0..size));
            let (map, extent) = match rng.u8(0..4) {
                0 => (AxisMap::MirroredTransposed { before, after, size }, size + before + after),
                1 => (AxisMap::ClampedTransposed { before, after, size }, size + before + after),
                2 => (AxisMap::WrappedTransposed { before, after, size }, size + 2 * (before + after)),
                _ => {
                    let (num, offset, den) = (rng.i64(0..9), rng.i64(-9..9), rng.i64(1..9));
                    let (first, taps) = *rng.choice(&[(0, 1), (0, 2), (-1, 4)]).unwrap();
                    (AxisMap::ResampledTransposed { num, offset, den, first, taps, size }, rng.i64(1..12))
                }
            };
            let start = rng.i64(0..size);
            let out = Interval::new(start, rng.i64(start + 1..=size));
            let read = (out.start..out.end).flat_map(|o| reads(map, o, extent));
            let hull = read.fold(Interval::default(), |h, i| h.hull(Interval::new(i, i + 1)));
            let need = need(map, out, extent);
            assert!(need == hull || need.is_empty() && hull.is_empty(), "{map:?} {out}: {need}, not {hull}");
            let whole = Interval::new(0, extent);
            let enumerated = crate::ir::verify::reads_of(map, out, whole, &mut { u64::MAX });
            let enumerated = enumerated.filter(|read| !read.is_empty()).unwrap_or_default();
            assert_eq!(enumerated, hull, "{map:?} {out}");
        }
    }

    #[test]
    fn what_inputs_reach_is_what_reads_them() {
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..4000 {
            let (kernel, stride) = (rng.i64(1..6), rng.i64(1..4));
            let (dilation, pad) = (rng.i64(1..3), rng.i64(0..4));
            let (inputs, outputs) = (rng.i64(1..12), rng.i64(1..12));
            let map = match rng.u8(0..3) {
                0 => AxisMap::Window { kernel, stride, dilation, pad },
                1 => AxisMap::Transposed { kernel, stride, dilation, pad },
                _ => {
                    let (num, offset, den) = (rng.i64(0..9), rng.i64(-9..9), rng.i64(1..9));
                    let (first, taps) = *rng.choice(&[(0, 1), (0, 2), (-1, 4)]).unwrap();
                    AxisMap::ResampledTransposed { num, offset, den, first, taps, size: outputs }
                }
            };
            let start = rng.i64(0..inputs);
            let part = Interval::new(start, rng.i64(start + 1..=inputs));
            let inside = |i: &i64| part.start <= *i && *i < part.end;
            let found = (0..outputs).filter(|&o| reads(map, o, inputs).iter().any(inside));
            let hull = found.fold(Interval::default(), |h, o| h.hull(Interval::new(o, o + 1)));
            let reached = reached(map, part, outputs);
            assert!(reached.contains(hull), "{map:?} {part} of {inputs}: {reached}, not {hull}");
            // Between taps that lie apart, and between windows, there are outputs that nothing reaches.
            let dense =
                dilation == 1 && kernel >= stride || matches!(map, AxisMap::ResampledTransposed { .. });
            let exact = hull.is_empty() || reached == hull;
            assert!(exact || !dense, "{map:?} {part}: {reached}, not {hull}");
        }
    }

    #[test]
    fn folded_intervals_hold_no_more_than_is_read() {
        for extent in 1..7i64 {
            for by in -extent + 1..=0 {
                let outs = Interval::new(0, extent - by + extent - 1);
                for start in outs.start..outs.end {
                    for end in start + 1..=outs.end {
                        let out = Interval::new(start, end);
                        for map in [AxisMap::Mirrored { by }, AxisMap::Clamped { by }] {
                            let read = (start..end).flat_map(|o| reads(map, o, extent));
                            let hull = read.fold(Interval::default(), |h, i| h.hull(Interval::new(i, i + 1)));
                            assert_eq!(need(map, out, extent), hull, "{map:?} {out} of {extent}");
                        }
                    }
                }
            }
        }
    }
}
