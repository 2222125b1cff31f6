//! Weight gradients of convolutions.
//!
//! For each grain, a block of 16 outputs and a *panel* of up to 16 rows (an input channel and a tap each), sums of one vector a
//! row stay in registers: a pixel's vector of `dy` is multiplied with each row's value of `x`. Operands whose channels do not lie in
//! blocks of 16 of a group are first brought into such blocks, a grain at a time.

mod depthwise;
mod geometry;
mod order;

use std::slice;
use std::sync::atomic::AtomicI64;

use super::Body;
use super::geometry::{element, pixel};
use super::simd::{LANES, Simd};
use crate::exact::{running, single};
use crate::memory::{Gathered, PRODUCTS_SCRATCH_BYTES, Tile, View};
use crate::program::instr::{AxisId, ConvDw};
use crate::program::{AccumulatorKind, Interval, Region, Section};
use geometry::Meeting;

pub(super) use depthwise::DepthwiseDw;
pub(crate) use order::WeightOrder;

const GRAIN: [i64; 2] = AccumulatorKind::Products.grain();
const GRAIN_ROWS: usize = GRAIN[0] as usize;
const GRAIN_COLS: usize = GRAIN[1] as usize;
/// f32s of a grain of 16 channels.
const BLOCK: usize = GRAIN_ROWS * GRAIN_COLS * LANES;
const _: () = assert!(2 * BLOCK * size_of::<f32>() == PRODUCTS_SCRATCH_BYTES as usize);
/// Inputs of a group up to which a panel has rows of several taps, lest it have few.
const FEW_INPUTS: usize = 8;

/// [`ConvDw`], ready to run.
pub(super) struct ConvDwKernel {
    dw: ConvDw,
    order: WeightOrder,
    /// Whether `x` and `dy` have to be brought into blocks of 16 channels.
    gather_x: bool,
    gather_dy: bool,
}

/// Rows whose sums are computed at once.
#[derive(Clone, Copy)]
struct Panel {
    first: usize,
    rows: usize,
}

/// Of a row of pixels of a grain, what is multiplied: 16 channels of `dy` with some rows' values of `x`.
#[derive(Clone, Copy)]
struct Stretch {
    x: *const f32,
    dy: *const f32,
    x_step: usize,
    dy_step: usize,
    pixels: usize,
}

impl Stretch {
    const EMPTY: Self = Self { x: std::ptr::null(), dy: std::ptr::null(), x_step: 0, dy_step: 0, pixels: 0 };
}

/// Sums of a panel over a grain, a vector of outputs a row.
type Partials = [[f32; LANES]; LANES];

/// Where a grain, a group and an output block are.
#[derive(Clone, Copy)]
struct Place<'a> {
    x: &'a View,
    dy: &'a View,
    sums: Gathered,
    grain: Region,
    group: usize,
    out_block: usize,
}

impl ConvDwKernel {
    pub(super) fn new(section: &Section, dw: &ConvDw) -> Option<Self> {
        let order = WeightOrder::new(section, dw)?;
        let (x, dy) = (section.buffers.get(dw.x.index())?, section.buffers.get(dw.dy.index())?);
        let blocked = |lanes: u32, channels: usize| {
            lanes as usize == LANES && (dw.groups == 1 || channels.is_multiple_of(LANES))
        };
        let (inputs, outputs) = (order.layout.in_per_group(), order.layout.out_per_group());
        let few = inputs <= FEW_INPUTS && !dw.transposed;
        Some(Self {
            dw: dw.clone(),
            order,
            gather_x: few || !blocked(x.lanes, inputs),
            gather_dy: !blocked(dy.lanes, outputs),
        })
    }

    /// The panels of a group and an output block. A transposed convolution's taps meet different pixels.
    fn panels(&self) -> impl Iterator<Item = Panel> {
        let (all, taps) = (self.order.rows(), self.order.taps());
        let whole = self.gather_x && !self.dw.transposed;
        let mut first = 0;
        std::iter::from_fn(move || {
            let rows = if whole {
                LANES.min(all - first)
            } else {
                self.order.layout.in_block_len(first / (LANES * taps)).min(all - first)
            };
            let panel = Panel { first, rows };
            first += rows;
            (first <= all && rows > 0).then_some(panel)
        })
    }

    /// All products of a grain and a group.
    ///
    /// # Safety
    ///
    /// As for [`crate::memory::Kernel::run`]; the grain is one of what the tile owns of `dy`.
    #[inline(always)]
    unsafe fn group<S: Simd>(&self, simd: S, place: Place<'_>, scratch: &mut [f32]) {
        let (x_block, dy_block) = scratch.split_at_mut(if self.gather_x { BLOCK } else { 0 });
        let out_blocks = 0..self.order.layout.out_blocks();
        // SAFETY: the caller's promise.
        unsafe {
            if self.gather_x {
                for panel in self.panels() {
                    self.gather_x(place, panel, x_block);
                    for out_block in out_blocks.clone() {
                        let place = Place { out_block, ..place };
                        self.gather_dy(place, dy_block);
                        self.panel(simd, place, panel, x_block, dy_block);
                    }
                }
            } else {
                for out_block in out_blocks {
                    let place = Place { out_block, ..place };
                    self.gather_dy(place, dy_block);
                    for panel in self.panels() {
                        self.panel(simd, place, panel, x_block, dy_block);
                    }
                }
            }
        }
    }

    /// The products of a panel.
    ///
    /// # Safety
    ///
    /// As for [`Self::group`]; the blocks hold what was gathered for it, where that is needed.
    #[inline(always)]
    unsafe fn panel<S: Simd>(
        &self,
        simd: S,
        place: Place<'_>,
        panel: Panel,
        x_block: &[f32],
        dy_block: &[f32],
    ) {
        let mut stretches = [Stretch::EMPTY; GRAIN_ROWS];
        let count = self.stretches(place, panel, x_block, dy_block, &mut stretches);
        let mut partials = [[0.0; LANES]; LANES];
        // SAFETY: verified geometry: `x` holds what the taps read of it for the grain, and `dy` the grain; whole blocks of channels
        // are there, and `stretches` lead nowhere else.
        unsafe {
            sums(simd, &stretches[..count], panel.rows, &mut partials);
            self.add(place, panel, &mut partials);
        }
    }

    /// The stretches of a panel that is of one tap, or of the gathered rows of any; how many there are.
    #[inline(always)]
    fn stretches(
        &self,
        place: Place<'_>,
        panel: Panel,
        x_block: &[f32],
        dy_block: &[f32],
        stretches: &mut [Stretch; GRAIN_ROWS],
    ) -> usize {
        let row = self.order.row(panel.first);
        let (rows, cols) = self.meetings(place.grain, row.tap);
        let (layout, grain) = (&self.order.layout, place.grain);
        let x_channels = (place.group * layout.in_per_group() + row.input) / LANES;
        let dy_channels = (place.group * layout.out_per_group() + place.out_block * LANES) / LANES;
        for (i, stretch) in (0..rows.count).zip(stretches) {
            let y = rows.first + i * rows.step;
            let (x, x_step) = if self.gather_x {
                (x_block.as_ptr().wrapping_add(i as usize * GRAIN_COLS * LANES), LANES)
            } else {
                let input = rows.input + i * rows.input_step;
                let first = pixel(place.x, x_channels as i64, input, cols.input);
                (first.cast_const(), cols.input_step as usize * LANES)
            };
            let dy = if self.gather_dy {
                let at = (y - grain.y.start) * GRAIN[1] + cols.first - grain.x.start;
                dy_block.as_ptr().wrapping_add(at as usize * LANES)
            } else {
                pixel(place.dy, dy_channels as i64, y, cols.first).cast_const()
            };
            *stretch =
                Stretch { x, dy, x_step, dy_step: cols.step as usize * LANES, pixels: cols.count as usize };
        }
        rows.count as usize
    }

    /// Which pixels of a grain a tap meets: rows and columns.
    #[inline(always)]
    fn meetings(&self, grain: Region, [ky, kx]: [usize; 2]) -> (Meeting, Meeting) {
        (Meeting::new(&self.dw, AxisId::Y, ky, grain.y), Meeting::new(&self.dw, AxisId::X, kx, grain.x))
    }

    /// Brings what the rows of a panel read of `x` for a grain side by side: 16 rows a pixel, 32 pixels a row of the grain.
    ///
    /// # Safety
    ///
    /// As for [`Self::group`]; `block` has room.
    #[inline(always)]
    unsafe fn gather_x(&self, place: Place<'_>, panel: Panel, block: &mut [f32]) {
        for lane in 0..panel.rows {
            let row = self.order.row(panel.first + lane);
            let (rows, cols) = self.meetings(place.grain, row.tap);
            let channel = (place.group * self.order.layout.in_per_group() + row.input) as i64;
            let step = cols.input_step * place.x.lanes;
            for (i, to) in (0..rows.count).zip(block.chunks_exact_mut(GRAIN_COLS * LANES)) {
                let from = element(place.x, channel, rows.input + i * rows.input_step, cols.input);
                for (k, to) in (0..cols.count).zip(to.chunks_exact_mut(LANES)) {
                    // SAFETY: verified geometry: `x` holds what the tap reads for the grain.
                    to[lane] = unsafe { *from.wrapping_offset((k * step) as isize) };
                }
            }
        }
    }

    /// Brings a block of channels of a grain of `dy` side by side, if that is needed.
    ///
    /// # Safety
    ///
    /// As for [`Self::group`]; `block` has room.
    #[inline(always)]
    unsafe fn gather_dy(&self, place: Place<'_>, block: &mut [f32]) {
        if !self.gather_dy {
            return;
        }
        let first = place.group * self.order.layout.out_per_group() + place.out_block * LANES;
        let channels = self.outputs(place.out_block);
        for (y, to) in
            (place.grain.y.start..place.grain.y.end).zip(block.chunks_exact_mut(GRAIN_COLS * LANES))
        {
            for lane in 0..channels {
                let from = element(place.dy, (first + lane) as i64, y, place.grain.x.start);
                for (k, to) in (0..place.grain.x.len()).zip(to.chunks_exact_mut(LANES)) {
                    // SAFETY: the caller's promise: the tile owns the grain.
                    to[lane] = unsafe { *from.wrapping_offset((k * place.dy.lanes) as isize) };
                }
            }
        }
    }

    /// Outputs of a block: 16, or fewer in the last one of a group.
    #[inline(always)]
    fn outputs(&self, out_block: usize) -> usize {
        LANES.min(self.order.layout.out_per_group() - out_block * LANES)
    }

    /// Adds the sums of a panel to those of its weights.
    ///
    /// # Safety
    ///
    /// `place.sums` are those of the instruction's accumulator.
    #[inline(always)]
    unsafe fn add(&self, place: Place<'_>, panel: Panel, partials: &mut Partials) {
        let Place { group, out_block, sums, .. } = place;
        let outputs = self.outputs(out_block);
        let first = (group * self.order.layout.out_blocks() + out_block) * self.order.rows() + panel.first;
        for (row, partial) in (panel.first..).zip(&mut partials[..panel.rows]) {
            if sums.running.is_null() {
                // SAFETY: the caller's promise.
                unsafe { self.add_exactly(place, row, None, &partial[..outputs]) };
                continue;
            }
            partial[outputs..].fill(0.0);
            // SAFETY: there are running sums for all rows, 16 each, and no one else refers to this worker's.
            let running =
                unsafe { &mut *sums.running.add((first + row - panel.first) * LANES).cast::<[f64; LANES]>() };
            if !running::try_add(running, partial) {
                // SAFETY: the caller's promise.
                unsafe { self.add_exactly(place, row, Some(running), &partial[..outputs]) };
            }
        }
    }

    /// Adds the sums of a row to those of its weights, running ones if there are some, and what does not fit to the exact ones.
    ///
    /// # Safety
    ///
    /// As for [`Self::add`].
    #[cold]
    #[inline(never)]
    unsafe fn add_exactly(
        &self,
        place: Place<'_>,
        row: usize,
        mut sums: Option<&mut [f64; LANES]>,
        partial: &[f32],
    ) {
        let at = self.order.row(row);
        for (lane, &value) in partial.iter().enumerate() {
            let weight = self.order.weight(place.group, place.out_block * LANES + lane, at);
            // SAFETY: the accumulator has a sum for each weight; words are shared, and atomic.
            let words: &[AtomicI64] =
                unsafe { slice::from_raw_parts(place.sums.words.add(weight * single::LIMBS), single::LIMBS) };
            match &mut sums {
                Some(sums) => running::add(&mut sums[lane], value, words),
                None => single::add(words, value.into()),
            }
        }
    }
}

/// Sums over the stretches, pixel after pixel: `acc[row] = fma(x[row], dy, acc[row])` from +0 on. Past the last row they are anything.
///
/// # Safety
///
/// Of each pixel 16 values of `dy` can be read, and values of `x` for the rows, rounded up to a multiple of 4.
#[inline(always)]
unsafe fn sums<S: Simd>(simd: S, stretches: &[Stretch], rows: usize, partials: &mut Partials) {
    // SAFETY: the caller's promise.
    unsafe {
        if S::PIXELS >= 14 {
            match rows {
                13.. => rows_of::<S, 16>(simd, stretches, 0, partials),
                9..=12 => rows_of::<S, 12>(simd, stretches, 0, partials),
                5..=8 => rows_of::<S, 8>(simd, stretches, 0, partials),
                _ => rows_of::<S, 4>(simd, stretches, 0, partials),
            }
        } else {
            for first in (0..rows).step_by(4) {
                rows_of::<S, 4>(simd, stretches, first, partials);
            }
        }
    }
}

/// As [`sums`], of `ROWS` rows from `first` on.
///
/// # Safety
///
/// As there.
#[inline(always)]
unsafe fn rows_of<S: Simd, const ROWS: usize>(
    simd: S,
    stretches: &[Stretch],
    first: usize,
    partials: &mut Partials,
) {
    let mut acc = [simd.splat(0.0); ROWS];
    for stretch in stretches {
        let (mut x, mut dy) = (stretch.x.wrapping_add(first), stretch.dy);
        for _ in 0..stretch.pixels {
            // SAFETY: the caller's promise.
            unsafe {
                let d = simd.load(dy);
                for (row, acc) in acc.iter_mut().enumerate() {
                    *acc = simd.fma(simd.splat(*x.add(row)), d, *acc);
                }
            }
            (x, dy) = (x.wrapping_add(stretch.x_step), dy.wrapping_add(stretch.dy_step));
        }
    }
    for (to, acc) in partials[first..first + ROWS].iter_mut().zip(acc) {
        // SAFETY: a row is 16 f32s.
        unsafe { simd.store(to.as_mut_ptr(), acc) };
    }
}

impl Body for ConvDwKernel {
    fn scratch(&self) -> usize {
        (usize::from(self.gather_x) + usize::from(self.gather_dy)) * BLOCK
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        let (x, dy) = (&tile.views[self.dw.x.index()], &tile.views[self.dw.dy.index()]);
        let sums = tile.gathered[self.dw.acc.index()];
        // Lanes that nothing is gathered for are multiplied, too.
        scratch.fill(0.0);
        for y in cells(dy.owned.y, GRAIN[0]) {
            for x_cell in cells(dy.owned.x, GRAIN[1]) {
                let grain = Region { y, x: x_cell };
                for group in 0..self.order.layout.groups() {
                    let place = Place { x, dy, sums, grain, group, out_block: 0 };
                    // SAFETY: the caller's promise.
                    unsafe { self.group(simd, place, scratch) };
                }
            }
        }
    }
}

/// The grains of an interval of whole ones, in order.
#[inline(always)]
fn cells(interval: Interval, grain: i64) -> impl Iterator<Item = Interval> {
    let starts = (interval.start..interval.end).step_by(grain as usize);
    starts.map(move |start| Interval::new(start, interval.end.min(start + grain)))
}
