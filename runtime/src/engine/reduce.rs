//! What `reduce` does: rounds exact sums and writes the means.

use super::worker::Shared;
use super::{EngineError, staging};
use crate::exact::mean;
use crate::exact::superaccumulator::{LIMBS, round};
use crate::memory::View;
use crate::program::instr::Reduce;
use crate::program::{Interval, Region};

/// Rounds each sum of an accumulator, divides by the number of pixels, and writes the mean.
///
/// # Safety
///
/// The program was verified, its tensors are bound, and nobody else uses the tensor or fills the accumulator.
pub(super) unsafe fn reduce(shared: Shared<'_>, instr: &Reduce) -> Result<(), EngineError> {
    let accumulator = &shared.program.accumulators[instr.acc.index()];
    let [rows, cols] = accumulator.extent;
    let tensor = shared.tensors.get(instr.dst);
    let element = shared.program.tensors[instr.dst.index()].element;
    let pixel = Interval::new(0, 1);
    let size = (accumulator.channels as usize).next_multiple_of(16);
    let (mut means, mut window) = (vec![0.0; size], vec![0.0; size]);
    for image in 0..accumulator.images {
        let sums = shared.device.image_sums(instr.acc, image);
        for (slot, sum) in means.iter_mut().zip(sums.chunks_exact(LIMBS)) {
            *slot = mean(round(sum), rows * cols);
        }
        let mut view = View::new(accumulator.channels, 1, [1, 1], Region { y: pixel, x: pixel });
        view.ptr = means.as_mut_ptr();
        view.place_rows(pixel, pixel, pixel);
        view.place_columns(pixel, pixel);
        // SAFETY: the view holds a pixel of as many channels as the tensor, which is `[images, channels, 1, 1]`.
        unsafe { staging::store(tensor, image, &view, element, &mut window) }?;
    }
    Ok(())
}
