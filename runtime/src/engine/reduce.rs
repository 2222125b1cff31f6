//! What `reduce` does: finishes statistics and writes them.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::worker::Shared;
use super::{EngineError, staging};
use crate::exact::{statistic, words};
use crate::memory::View;
use crate::program::instr::Reduce;
use crate::program::{Interval, Region};

/// Finishes the statistic of each group of channels of an accumulator, and writes it for each channel of the group; of all images
/// together where the tensor has one.
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
    let images = shared.program.tensors[instr.dst.index()].dims.n;
    // All images are one where the tensor has one.
    let together = (accumulator.images / images.max(1)) as usize;
    let per_image = accumulator.channels as usize * words(kind);
    for (image, gathered) in shared.device.all_gathered(instr.acc).chunks(per_image * together).enumerate() {
        for (at, slots) in values[..accumulator.channels as usize].chunks_mut(group).enumerate() {
            let size = words(kind) * group;
            let of_group = gathered.chunks(per_image).flat_map(|image| &image[at * size..][..size]);
            let population: Vec<_> = of_group.map(|word| AtomicI64::new(word.load(Relaxed))).collect();
            slots.fill(statistic(instr.statistic, kind, &population, (rows * cols) as f64));
        }
        let mut view = View::new(accumulator.channels, 1, [1, 1], Region { y: pixel, x: pixel });
        view.ptr = values.as_mut_ptr();
        view.place_rows(pixel, pixel, pixel);
        view.place_columns(pixel, pixel);
        // SAFETY: the view holds a pixel of as many channels as the tensor, which is `[images, channels, 1, 1]` with as many images
        // as there are chunks.
        unsafe { staging::store(tensor, image as u64, &view, element, &mut window) }?;
    }
    Ok(())
}
