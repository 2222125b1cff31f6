//! Sections made ready to run.

use super::bindings::Tensors;
use super::products::Products;
use super::staging::window_len;
use crate::memory::{Kernel, View};
use crate::program::instr::Load;
use crate::program::{AccumulatorId, Axis, BufferId, Element, Instr, Program, Section, TensorId};

/// An instruction made ready to run.
pub(super) enum Action {
    /// Device memory to buffer.
    Load(Load),
    /// Buffer to device memory.
    Store { dst: TensorId, src: BufferId, element: Element },
    /// Buffer to device memory, where tiles are added up.
    Add { dst: TensorId, src: BufferId },
    /// Buffer to accumulator.
    Accumulate { acc: AccumulatorId, src: BufferId },
    /// Buffers to buffer.
    Compute(Box<dyn Kernel>),
}

/// A section whose instructions are ready to run.
pub(super) struct PreparedSection {
    /// The body, in program order.
    pub(super) actions: Vec<Action>,
    /// Tiles of all images.
    pub(super) tiles: u64,
    /// Tiles that depend on each other: those of a strip where there are rings, otherwise 1.
    pub(super) tiles_per_job: u64,
    /// The accumulators that it fills.
    pub(super) accumulators: Vec<AccumulatorId>,
    /// Those of products.
    pub(super) products: Vec<Products>,
}

impl PreparedSection {
    /// A verified section; `kernels` gives those of its compute instructions, in their order.
    pub(super) fn new(
        program: &Program,
        section: &Section,
        kernels: &mut impl Iterator<Item = Box<dyn Kernel>>,
    ) -> Self {
        let mut action = |instr: &Instr| match instr {
            Instr::Load(i) => Some(Action::Load(i.clone())),
            Instr::Store(i) => {
                let element = program.tensors[i.dst.index()].element;
                Some(Action::Store { dst: i.dst, src: i.src, element })
            }
            Instr::StoreRmw(i) => Some(Action::Add { dst: i.dst, src: i.src }),
            Instr::Accumulate(i) => Some(Action::Accumulate { acc: i.acc, src: i.src }),
            _ => kernels.next().map(Action::Compute),
        };
        let actions: Vec<_> = section.body.iter().filter_map(|s| action(&s.instr)).collect();
        let accumulators = section.body.iter().filter_map(|s| match &s.instr {
            Instr::Accumulate(i) => Some(i.acc),
            Instr::ConvDw(i) => Some(i.acc),
            _ => None,
        });
        let accumulators = accumulators.collect();
        let products = section.body.iter().filter_map(|s| match &s.instr {
            Instr::ConvDw(i) => Products::new(section, i),
            _ => None,
        });
        let products = products.collect();
        let tiles = section.images.saturating_mul(section.y.steps).saturating_mul(section.x.steps);
        let tiles_per_job = if section.has_rings() { section.y.steps.max(1) } else { 1 };
        Self { actions, tiles, tiles_per_job, accumulators, products }
    }

    /// f32s of the largest window through which a tensor that lies in a file is loaded or stored.
    pub(super) fn window_len(&self, section: &Section, tensors: &Tensors<'_>) -> usize {
        let of = |action: &Action| match action {
            Action::Load(Load { dst: buffer, src: tensor, .. })
            | Action::Store { dst: tensor, src: buffer, .. }
            | Action::Add { dst: tensor, src: buffer } => {
                window_len(tensors.get(*tensor), &section.buffers[buffer.index()])
            }
            Action::Accumulate { .. } | Action::Compute(_) => 0,
        };
        self.actions.iter().map(of).max().unwrap_or(0)
    }

    /// Number of jobs: what may run in any order, on any worker.
    pub(super) fn jobs(&self) -> u64 {
        self.tiles / self.tiles_per_job
    }

    /// f32s of scratch that the hungriest kernel wants.
    pub(super) fn scratch(&self) -> usize {
        let wanted = self.actions.iter().map(|a| if let Action::Compute(k) = a { k.scratch() } else { 0 });
        wanted.max().unwrap_or(0)
    }
}

/// Which tile of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TileIndex {
    pub(super) image: u64,
    pub(super) y: u64,
    pub(super) x: u64,
}

impl TileIndex {
    /// Tile number `n`, one colour after the other and in raster order within, images outermost; and the number of its colour.
    pub(super) fn in_order_of_colours(section: &Section, n: u64) -> (Self, u64) {
        let (images, [rows, columns]) = (section.images, section.colours);
        let height = |colour| of_colour(section.y.steps, rows, colour);
        let width = |colour| of_colour(section.x.steps, columns, colour);
        let whole_rows = images.saturating_mul(section.x.steps);
        let (row, n) = find(n, rows, |colour| whole_rows.saturating_mul(height(colour)));
        let (column, n) =
            find(n, columns, |colour| images.saturating_mul(height(row)).saturating_mul(width(colour)));
        let (line, x) = (n / width(column), n % width(column));
        let (image, y) = (line / height(row), line % height(row));
        (Self { image, y: row + y * rows, x: column + x * columns }, row * columns + column)
    }

    /// Tile `y` of strip number `n`.
    pub(super) fn in_strip(section: &Section, n: u64, y: u64) -> Self {
        Self { image: n / section.x.steps, y, x: n % section.x.steps }
    }
}

/// How many of so many steps have a colour, which is less than `colours` and than their number.
fn of_colour(steps: u64, colours: u64, colour: u64) -> u64 {
    (steps - colour).div_ceil(colours)
}

/// In which of `0..parts`, of so many each, number `n` is, and which of it.
fn find(mut n: u64, parts: u64, many: impl Fn(u64) -> u64) -> (u64, u64) {
    let mut part = 0;
    while part + 1 < parts && n >= many(part) {
        n -= many(part);
        part += 1;
    }
    (part, n)
}

/// Moves the views of all buffers to the rows of y-step `i`.
pub(super) fn place_rows(views: &mut [View], section: &Section, i: u64) {
    for ((view, buffer), steps) in views.iter_mut().zip(&section.buffers).zip(&section.y.buffers) {
        view.place_rows(buffer.held(steps, i), steps.computed.get(i), steps.owned.get(i));
    }
}

/// Moves the views of all buffers to the columns of x-step `j`.
pub(super) fn place_columns(views: &mut [View], axis: &Axis, j: u64) {
    for (view, steps) in views.iter_mut().zip(&axis.buffers) {
        view.place_columns(steps.computed.get(j), steps.owned.get(j));
    }
}
