//! Access relations of the graph, coordinate by coordinate.
//!
//! The passes turn an [`AxisMap`] into intervals by closed forms. Here it is read as it is written: which coordinates of an
//! input one coordinate of the output names.

use crate::base::{AxisMap, first_of};

/// Adds the coordinates that output `o` reads of an input of `size`, as the relation's definition states them.
pub(super) fn sources(map: AxisMap, o: i64, size: i64, found: &mut Vec<i64>) {
    match map {
        AxisMap::Identity => found.push(o),
        AxisMap::Broadcast => found.push(0),
        AxisMap::Shift { by } => found.push(o + by),
        AxisMap::Window { kernel, stride, dilation, pad } => {
            for k in 0..kernel {
                found.push(o * stride - pad + k * dilation);
            }
        }
        AxisMap::Transposed { kernel, stride, dilation, pad } => {
            for k in 0..kernel {
                let scaled = o + pad - k * dilation;
                if scaled.rem_euclid(stride) == 0 {
                    found.push(scaled.div_euclid(stride));
                }
            }
        }
        AxisMap::Mirrored { by } => {
            let (i, last) = (o + by, size - 1);
            found.push(if i < 0 {
                -i
            } else if i > last {
                2 * last - i
            } else {
                i
            });
        }
        AxisMap::Clamped { by } => found.push((o + by).clamp(0, size - 1)),
        AxisMap::Wrapped { by } => found.push((o + by).rem_euclid(size)),
        AxisMap::Resampled { num, offset, den, first, taps } => {
            let at = i128::from(o) * i128::from(num) + i128::from(offset);
            // A coordinate this side of 2⁶³ has its pixels there, too.
            let at = i64::try_from(at.div_euclid(i128::from(den))).unwrap_or(i64::MAX / 2);
            found.extend((first..first + taps).map(|k| (at + k).clamp(0, size - 1)));
        }
        AxisMap::ResampledTransposed { num, offset, den, first, taps, size: inside } => {
            let tap = |i: i64, k: i64| {
                let at = i128::from(i) * i128::from(num) + i128::from(offset);
                (at.div_euclid(i128::from(den)) + i128::from(k)).clamp(0, i128::from(inside) - 1)
            };
            let o = i128::from(o);
            let begin = first_of(size, |i| tap(i, first + taps - 1) >= o);
            let reached = (begin..size).take_while(|&i| tap(i, first) <= o);
            found.extend(reached.filter(|&i| (first..first + taps).any(|k| tap(i, k) == o)));
        }
        AxisMap::MirroredTransposed { before, after, size: inside } => {
            found.push(before + o);
            found.extend(Some(before - o).filter(|i| (0..before).contains(i)));
            let mirrored = before + 2 * (inside - 1) - o;
            found.extend(Some(mirrored).filter(|&i| before + inside <= i && i < before + inside + after));
        }
        AxisMap::ClampedTransposed { before, after, size: inside } => {
            found.push(before + o);
            if o == 0 {
                found.extend(0..before);
            }
            if o == inside - 1 {
                found.extend(before + inside..before + inside + after);
            }
        }
        AxisMap::WrappedTransposed { before, after, size: inside } => {
            let step = before + after;
            found.extend(Some(o).filter(|&o| o < after));
            found.push(o + step);
            found.extend(Some(o + 2 * step).filter(|_| o >= inside - before));
        }
        AxisMap::Scaled { num, den } => found.push((o * num).div_euclid(den)),
        AxisMap::All => found.extend(0..size),
    }
}
