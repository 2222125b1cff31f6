//! What `reduce` does: finishes statistics and writes them.

use super::transfer::canonical;
use super::worker::Shared;
use crate::exact::{statistic, words};
use crate::program::instr::Reduce;

/// Finishes the statistic of each group of channels of an accumulator, and writes it for each channel of the group.
///
/// # Safety
///
/// The program was verified, its tensors are bound, and nobody else uses the tensor or fills the accumulator.
pub(super) unsafe fn reduce(shared: Shared<'_>, instr: &Reduce) {
    let accumulator = &shared.program.accumulators[instr.acc.index()];
    let kind = accumulator.kind;
    let [rows, cols] = accumulator.extent;
    let group = instr.group as usize;
    for image in 0..accumulator.images {
        let dst = shared.tensors.image(instr.dst, image);
        let gathered = shared.device.gathered(instr.acc, image);
        for (g, channels) in gathered.chunks_exact(words(kind) * group).enumerate() {
            let value = canonical(statistic(instr.statistic, kind, channels, (rows * cols) as f64));
            for c in g * group..(g + 1) * group {
                let c = c as i64;
                let at = c / dst.lanes * dst.block_stride + c % dst.lanes;
                // SAFETY: the tensor is `[images, channels, 1, 1]`, so the element is the block's only pixel.
                unsafe { dst.ptr.offset(at as isize).write(value) };
            }
        }
    }
}
