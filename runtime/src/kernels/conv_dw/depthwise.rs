//! Weight gradients of depthwise convolutions: one input and one output channel a group, so that channels can be lanes of both
//! operands.

use std::slice;

use super::geometry::Meeting;
use super::order::{Row, WeightOrder};
use super::{GRAIN, cells};
use crate::exact::{running, single};
use crate::kernels::Body;
use crate::kernels::geometry::{blocks, pixel};
use crate::kernels::simd::{LANES, Simd};
use crate::memory::{Gathered, Tile, View};
use crate::program::instr::{AxisId, ConvDw};
use crate::program::{Region, Section};

/// Taps whose sums are computed at once, to hide the latency of multiply-adds.
const TAPS: usize = 4;

/// [`ConvDw`] of as many groups as channels, ready to run.
pub(in crate::kernels) struct DepthwiseDw {
    dw: ConvDw,
    order: WeightOrder,
}

/// A grain of a block of channels.
#[derive(Clone, Copy)]
struct Place<'a> {
    x: &'a View,
    dy: &'a View,
    block: i64,
    grain: Region,
}

impl DepthwiseDw {
    /// `None` where the convolution is of another kind, or its buffers are not in blocks of 16.
    pub(in crate::kernels) fn new(section: &Section, dw: &ConvDw) -> Option<Self> {
        let (x, dy) = (section.buffers.get(dw.x.index())?, section.buffers.get(dw.dy.index())?);
        let channels = u64::from(dw.groups);
        let fits = [x, dy].iter().all(|b| b.channels == channels && b.lanes as usize == LANES);
        if !fits || channels < 2 {
            return None;
        }
        Some(Self { dw: dw.clone(), order: WeightOrder::new(section, dw)? })
    }

    /// Which pixels of a grain a tap meets: rows and columns.
    #[inline(always)]
    fn meetings(&self, grain: Region, tap: usize) -> (Meeting, Meeting) {
        let [ky, kx] = self.order.row(tap).tap;
        (Meeting::new(&self.dw, AxisId::Y, ky, grain.y), Meeting::new(&self.dw, AxisId::X, kx, grain.x))
    }

    /// The sums of `T` taps from `first` on, which all meet the same pixels.
    ///
    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`]; the tile owns the grain, and there are so many taps.
    #[inline(always)]
    unsafe fn taps<S: Simd, const T: usize>(
        &self,
        simd: S,
        place: Place<'_>,
        first: usize,
    ) -> [[f32; LANES]; T] {
        let Place { x, dy, block, grain } = place;
        let taps: [_; T] = std::array::from_fn(|t| self.meetings(grain, first + t));
        let (rows, cols) = taps[0];
        let (x_step, dy_step) = (cols.input_step as usize * LANES, cols.step as usize * LANES);
        let mut acc = [simd.splat(0.0); T];
        for i in 0..rows.count {
            let mut dy = pixel(dy, block, rows.first + i * rows.step, cols.first);
            let mut x =
                taps.map(|(rows, cols)| pixel(x, block, rows.input + i * rows.input_step, cols.input));
            for _ in 0..cols.count {
                // SAFETY: verified geometry: `x` holds what the taps read for the grain, and `dy` the grain.
                unsafe {
                    let d = simd.load(dy);
                    for (acc, x) in acc.iter_mut().zip(&mut x) {
                        *acc = simd.fma(simd.load(*x), d, *acc);
                        *x = x.wrapping_add(x_step);
                    }
                }
                dy = dy.wrapping_add(dy_step);
            }
        }
        acc.map(|acc| {
            let mut sums = [0.0; LANES];
            // SAFETY: these are 16 f32s.
            unsafe { simd.store(sums.as_mut_ptr(), acc) };
            sums
        })
    }

    /// Adds the sums of taps from `first` on to those of their weights.
    ///
    /// # Safety
    ///
    /// `to` is that of the instruction's accumulator.
    #[inline(always)]
    unsafe fn add(&self, to: Gathered, block: i64, first: usize, sums: &[[f32; LANES]]) {
        let first_group = block as usize * LANES;
        let groups = first_group..self.order.layout.groups().min(first_group + LANES);
        for (tap, sums) in (first..).zip(sums) {
            let row = Row { input: 0, ..self.order.row(tap) };
            for (group, &value) in groups.clone().zip(sums) {
                let weight = self.order.weight(group, 0, row);
                // SAFETY: the accumulator has a sum for each weight; words are shared, and atomic.
                let words =
                    unsafe { slice::from_raw_parts(to.words.add(weight * single::LIMBS), single::LIMBS) };
                if to.running.is_null() {
                    single::add(words, value.into());
                    continue;
                }
                let [ky, kx] = row.tap;
                // SAFETY: there is a running sum for each weight, and no one else refers to this worker's.
                let sum = unsafe { &mut *to.running.add(self.order.layout.offset(group, 0, 0, ky, kx)) };
                running::add(sum, value, words);
            }
        }
    }
}

impl Body for DepthwiseDw {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, _: &mut [f32]) {
        let (x, dy) = (&tile.views[self.dw.x.index()], &tile.views[self.dw.dy.index()]);
        let to = tile.gathered[self.dw.acc.index()];
        for y in cells(dy.owned.y, GRAIN[0]) {
            for columns in cells(dy.owned.x, GRAIN[1]) {
                for block in 0..blocks(dy) {
                    let place = Place { x, dy, block, grain: Region { y, x: columns } };
                    let mut tap = 0;
                    // SAFETY: the caller's promise.
                    unsafe {
                        while tap + TAPS <= self.order.taps() && !self.dw.transposed {
                            self.add(to, block, tap, &self.taps::<S, TAPS>(simd, place, tap));
                            tap += TAPS;
                        }
                        while tap < self.order.taps() {
                            self.add(to, block, tap, &self.taps::<S, 1>(simd, place, tap));
                            tap += 1;
                        }
                    }
                }
            }
        }
    }
}
