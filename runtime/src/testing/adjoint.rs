//! Transposes of linear maps: the map's matrix from its definition, output by output, read by columns; and random maps.

use super::Case;
use super::reference::{folded, rounded_fraction, weights};
use crate::program::instr::{Adjoint, Border, Folding, LinearMap, Taps};

/// One element of the result.
pub(super) fn value(case: &Case, adjoint: &Adjoint, c: u64, y: i64, x: i64) -> f32 {
    let [rows, cols] = [(0, y), (1, x)].map(|(axis, i)| column(&adjoint.axes[axis], i));
    rows.iter().fold(0.0, |acc, &(oy, v)| {
        let row = cols.iter().fold(0.0, |row, &(ox, w)| w.mul_add(case.at(adjoint.src, c, oy, ox), row));
        v.mul_add(row, acc)
    })
}

/// The outputs that have a tap at input `i`, and its weight.
fn column(map: &LinearMap, i: i64) -> Vec<(i64, f32)> {
    let taps = (0..map.outputs).flat_map(|o| row(map, o).into_iter().map(move |(at, w)| (o, at, w)));
    taps.filter(|&(_, at, _)| at == i).map(|(o, _, w)| (o, w)).collect()
}

/// The taps of output `o`.
fn row(map: &LinearMap, o: i64) -> Vec<(i64, f32)> {
    let inside = 0..map.inputs;
    match map.taps {
        Taps::Resized { at, filter } => {
            let s = i128::from(o) * i128::from(at.num) + i128::from(at.offset);
            let (pixel, rest) = (s.div_euclid(at.den.into()) as i64, s.rem_euclid(at.den.into()));
            let taps = weights(filter, rounded_fraction(rest, at.den.into())).into_iter();
            taps.map(|(k, w)| ((pixel + k).clamp(0, map.inputs - 1), w)).collect()
        }
        Taps::Averaged { kernel, stride, pad, margin } => {
            let window = (0..i64::from(kernel)).map(|k| o * i64::from(stride) - pad + k);
            let counted = window.clone().filter(|i| (-margin[0]..map.inputs + margin[1]).contains(i)).count();
            window.filter(|i| inside.contains(i)).map(|i| (i, 1.0 / counted as f32)).collect()
        }
        Taps::Padded { before, border: Border::Wrapped } => {
            // The output that it is a copy of, whose copies are as many outputs apart; of each the one within the padding of the
            // input that it comes from, counted from the continued outputs' own centre, is taken.
            let after = map.after(before, Border::Wrapped);
            let outputs = map.inputs + before + after;
            let padded = (o - after).rem_euclid(outputs);
            let i = (padded - before).rem_euclid(map.inputs);
            let centre = padded - before == i;
            let taken = if centre {
                o == i + before + after
            } else if padded < before {
                o == i + 2 * (before + after)
            } else {
                o == i
            };
            if taken { vec![(i, 1.0)] } else { Vec::new() }
        }
        Taps::Padded { before, border } => {
            let fold = if border == Border::Mirrored { Folding::Mirrored } else { Folding::Clamped };
            vec![(folded(fold, o - before, map.inputs), 1.0)]
        }
    }
}
