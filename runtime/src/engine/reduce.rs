//! What `reduce` does: rounds exact sums and writes the means.

use super::transfer::canonical;
use super::worker::Shared;
use crate::exact;
use crate::program::instr::Reduce;

/// Rounds each sum of an accumulator, divides by the number of pixels, and writes the mean.
///
/// # Safety
///
/// The program was verified, its tensors are bound, and nobody else uses the tensor or fills the accumulator.
pub(super) unsafe fn reduce(shared: Shared<'_>, instr: &Reduce) {
    let accumulator = &shared.program.accumulators[instr.acc.index()];
    let [rows, cols] = accumulator.extent;
    let mut sums = shared.device.sums(instr.acc);
    for image in 0..accumulator.images {
        let dst = shared.tensors.image(instr.dst, image);
        let sums = sums.image(image, accumulator.channels);
        for (c, sum) in sums.chunks_exact(exact::LIMBS).enumerate() {
            let mean = canonical(exact::mean(exact::round(sum), rows * cols));
            let c = c as i64;
            // SAFETY: the tensor is `[images, channels, 1, 1]`, so the element is the block's only pixel.
            unsafe { dst.ptr.offset((c / dst.lanes * dst.block_stride + c % dst.lanes) as isize).write(mean) };
        }
    }
}
