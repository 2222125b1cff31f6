//! Sections made ready to run.

use crate::memory::{Kernel, View};
use crate::program::instr::Load;
use crate::program::{AccumulatorId, Axis, BufferId, Instr, Section, TensorId};

/// An instruction made ready to run.
pub(super) enum Action {
    /// Device memory to buffer.
    Load(Load),
    /// Buffer to device memory.
    Store { dst: TensorId, src: BufferId },
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
    /// The accumulators that it fills.
    pub(super) accumulators: Vec<AccumulatorId>,
}

impl PreparedSection {
    /// A verified section; `kernels` gives those of its compute instructions, in their order.
    pub(super) fn new(section: &Section, kernels: &mut impl Iterator<Item = Box<dyn Kernel>>) -> Self {
        let mut action = |instr: &Instr| match instr {
            Instr::Load(i) => Some(Action::Load(i.clone())),
            Instr::Store(i) => Some(Action::Store { dst: i.dst, src: i.src }),
            Instr::Accumulate(i) => Some(Action::Accumulate { acc: i.acc, src: i.src }),
            _ => kernels.next().map(Action::Compute),
        };
        let actions: Vec<_> = section.body.iter().filter_map(|s| action(&s.instr)).collect();
        let accumulators = actions.iter().filter_map(|a| match a {
            Action::Accumulate { acc, .. } => Some(*acc),
            _ => None,
        });
        let accumulators = accumulators.collect();
        let tiles = section.images.saturating_mul(section.y.steps).saturating_mul(section.x.steps);
        Self { actions, tiles, accumulators }
    }

    /// f32s of scratch that the hungriest kernel wants.
    pub(super) fn scratch(&self) -> usize {
        let wanted = self.actions.iter().map(|a| if let Action::Compute(k) = a { k.scratch() } else { 0 });
        wanted.max().unwrap_or(0)
    }
}

/// Number of a tile within its section: images, then y-steps, then x-steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TileIndex {
    pub(super) image: u64,
    pub(super) y: u64,
    pub(super) x: u64,
}

impl TileIndex {
    /// Tile number `n` of a section that has one.
    pub(super) fn new(section: &Section, n: u64) -> Self {
        let (row, x) = (n / section.x.steps, n % section.x.steps);
        Self { image: row / section.y.steps, y: row % section.y.steps, x }
    }
}

/// Moves the views of all buffers to the rows of y-step `i`.
pub(super) fn place_rows(views: &mut [View], axis: &Axis, i: u64) {
    for (view, steps) in views.iter_mut().zip(&axis.buffers) {
        view.computed.y = steps.computed.get(i);
        view.valid.y = view.computed.y.intersect(view.extent.y);
        view.owned.y = steps.owned.get(i);
        view.y0 = view.computed.y.start;
    }
}

/// Moves the views of all buffers to the columns of x-step `j`.
pub(super) fn place_columns(views: &mut [View], axis: &Axis, j: u64) {
    for (view, steps) in views.iter_mut().zip(&axis.buffers) {
        view.computed.x = steps.computed.get(j);
        view.valid.x = view.computed.x.intersect(view.extent.x);
        view.owned.x = steps.owned.get(j);
        view.x0 = view.computed.x.start;
    }
}
