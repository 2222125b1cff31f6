//! Transposes of linear maps, in gather form: which taps are at each column of a tile is listed once, at each row once a row.

use super::Body;
use super::geometry::{blocks, channel, column, each, element, fill_outside, pixel};
use super::simd::{LANES, Simd};
use crate::memory::{Tile, View};
use crate::program::instr::{Adjoint, Border, Filter, LinearMap, Taps};
use crate::program::{BufferId, Interval};

/// [`Adjoint`], ready to run.
pub(super) struct AdjointKernel {
    dst: BufferId,
    src: BufferId,
    axes: [LinearMap; 2],
}

/// A tap: how far what it reads lies behind row or column 0 of slot 0, and its weight.
#[derive(Clone, Copy)]
struct Tap {
    offset: isize,
    weight: f32,
}

impl AdjointKernel {
    pub(super) fn new(instr: &Adjoint) -> Self {
        Self { dst: instr.dst, src: instr.src, axes: instr.axes }
    }

    /// The taps at each column of the tile.
    #[inline(always)]
    fn columns(&self, dst: &View, src: &View) -> Vec<Vec<Tap>> {
        let column = |x: i64| {
            let mut taps = Vec::new();
            for_each_tap(&self.axes[1], x, |o, weight| {
                taps.push(Tap { offset: (o * src.lanes) as isize, weight });
            });
            taps
        };
        each(dst.valid.x).map(column).collect()
    }

    /// The taps at a row.
    #[inline(always)]
    fn row(&self, src: &View, y: i64, taps: &mut Vec<Tap>) {
        taps.clear();
        for_each_tap(&self.axes[0], y, |o, weight| {
            taps.push(Tap { offset: (src.slot(o) * src.row_stride) as isize, weight });
        });
    }
}

/// Calls `f` with the outputs that have a tap at input `i`, in order, and its weight.
#[inline(always)]
fn for_each_tap(map: &LinearMap, i: i64, mut f: impl FnMut(i64, f32)) {
    let outputs = map.outputs_of(Interval::new(i, i + 1));
    match map.taps {
        Taps::Resized { at, filter } => {
            for o in each(outputs) {
                let (pixel, rest) = at.split(o);
                let weights = weights(filter, at.fraction(rest));
                for (k, weight) in each(filter.taps()).zip(weights) {
                    if (pixel + k).clamp(0, map.inputs - 1) == i {
                        f(o, weight);
                    }
                }
            }
        }
        Taps::Averaged { kernel, stride, pad, margin: [before, after] } => {
            for o in each(outputs) {
                let first = o * i64::from(stride) - pad;
                let window = Interval::new(first, first + i64::from(kernel));
                let counted = window.intersect(Interval::new(-before, map.inputs + after));
                f(o, 1.0 / counted.len() as f32);
            }
        }
        Taps::Padded { border: Border::Clamped, .. } => each(outputs).for_each(|o| f(o, 1.0)),
        Taps::Padded { before, border: Border::Mirrored } => {
            let edge = map.inputs - 1;
            if 0 < i && i <= before {
                f(before - i, 1.0);
            }
            f(before + i, 1.0);
            if edge - map.after(before, Border::Mirrored) <= i && i < edge {
                f(before + 2 * edge - i, 1.0);
            }
        }
        Taps::Padded { before, border: Border::Wrapped } => {
            let after = map.after(before, Border::Wrapped);
            let step = before + after;
            if i < after {
                f(i, 1.0);
            }
            f(i + step, 1.0);
            if i >= map.inputs - before {
                f(i + 2 * step, 1.0);
            }
        }
    }
}

/// The weights of a filter's taps, as in the canonical order; those past the last are not used.
#[inline(always)]
fn weights(filter: Filter, f: f32) -> [f32; 4] {
    let g = 1.0 - f;
    let inner = |t: f32| 1.25f32.mul_add(t, -2.25).mul_add(t * t, 1.0);
    match filter {
        Filter::Nearest => [1.0, 0.0, 0.0, 0.0],
        Filter::Linear => [g, f, 0.0, 0.0],
        Filter::Cubic => [-0.75 * f * g * g, inner(f), inner(g), -0.75 * g * f * f],
    }
}

/// One pixel of a block of 16 channels.
///
/// # Safety
///
/// `from` is where the block's column 0 begins in the source's slot 0, or would, and the source has the taps.
#[inline(always)]
unsafe fn block<S: Simd>(simd: S, from: *const f32, rows: &[Tap], cols: &[Tap]) -> S::V {
    let mut acc = simd.splat(0.0);
    for row in rows {
        let line = from.wrapping_offset(row.offset);
        let mut sum = simd.splat(0.0);
        for col in cols {
            // SAFETY: the caller's promise.
            let value = unsafe { simd.load(line.wrapping_offset(col.offset)) };
            sum = simd.fma(simd.splat(col.weight), value, sum);
        }
        acc = simd.fma(simd.splat(row.weight), sum, acc);
    }
    acc
}

/// One element.
///
/// # Safety
///
/// As for [`block`], of a channel.
#[inline(always)]
unsafe fn single(from: *const f32, rows: &[Tap], cols: &[Tap]) -> f32 {
    let mut acc = 0.0;
    for row in rows {
        let line = from.wrapping_offset(row.offset);
        let mut sum = 0.0;
        for col in cols {
            // SAFETY: the caller's promise.
            let value = unsafe { *line.wrapping_offset(col.offset) };
            sum = col.weight.mul_add(value, sum);
        }
        acc = row.weight.mul_add(sum, acc);
    }
    acc
}

impl Body for AdjointKernel {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (dst, src) = (&tile.views[self.dst.index()], &tile.views[self.src.index()]);
        let blocked = dst.lanes == LANES as i64 && src.lanes == LANES as i64;
        let columns = self.columns(dst, src);
        let mut rows = Vec::new();
        for y in each(dst.valid.y) {
            self.row(src, y, &mut rows);
            // SAFETY: verified geometry: `src` has what the valid part of `dst` needs.
            unsafe {
                if blocked {
                    for unit in 0..blocks(dst) {
                        let from = column(src, unit, 0);
                        for (x, cols) in each(dst.valid.x).zip(&columns) {
                            simd.store(pixel(dst, unit, y, x), block(simd, from, &rows, cols));
                        }
                    }
                } else {
                    for c in 0..dst.channels {
                        let from = channel(src, column(src, 0, 0), c);
                        for (x, cols) in each(dst.valid.x).zip(&columns) {
                            *element(dst, c, y, x) = single(from, &rows, cols);
                        }
                    }
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { fill_outside(dst) };
    }
}
