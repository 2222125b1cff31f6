//! What `reduce` does: finishes statistics and writes them.

use super::worker::Shared;
use super::{EngineError, staging};
use crate::exact::{statistic, words};
use crate::memory::View;
use crate::program::instr::Reduce;
use crate::program::{Interval, Region};

/// Finishes the statistic of each group of channels of an accumulator, and writes it for each channel of the group.
///
/// # Safety
///
/// The program was verified, its tensors are bound, and nobody else uses the tensor or fills the accumulator.
pub(super) unsafe fn reduce(shared: Shared<'_>, instr: &Reduce) -> Result<(), EngineError> {
    let accumulator = &shared.program.accumulators[instr.acc.index()];
    let kind = accumulator.kind;
    let [rows, cols] = accumulator.extent;
    let tensor = shared.tensors.get(instr.dst);
    let element = shared.program.tensors[instr.dst.index()].element;
    let group = instr.group as usize;
    let pixel = Interval::new(0, 1);
    let size = (accumulator.channels as usize).next_multiple_of(16);
    let (mut values, mut window) = (vec![0.0; size], vec![0.0; size]);
    for image in 0..accumulator.images {
        let gathered = shared.device.gathered(instr.acc, image);
        let groups = gathered.chunks_exact(words(kind) * group);
        for (slots, channels) in values.chunks_mut(group).zip(groups) {
            slots.fill(statistic(instr.statistic, kind, channels, (rows * cols) as f64));
        }
        let mut view = View::new(accumulator.channels, 1, [1, 1], Region { y: pixel, x: pixel });
        view.ptr = values.as_mut_ptr();
        view.place_rows(pixel, pixel, pixel);
        view.place_columns(pixel, pixel);
        // SAFETY: the view holds a pixel of as many channels as the tensor, which is `[images, channels, 1, 1]`.
        unsafe { staging::store(tensor, image, &view, element, &mut window) }?;
    }
    Ok(())
}
