//! What `reduce` does: rounds exact sums and writes the means.

use super::transfer::canonical;
use super::worker::Shared;
use crate::exact::mean;
use crate::exact::superaccumulator::{LIMBS, round};
use crate::program::instr::Reduce;

/// Rounds each sum of an accumulator, divides by the number of pixels, and writes the mean.
///
/// # Safety
///
/// The program was verified, its tensors are bound, and nobody else uses the tensor or fills the accumulator.
pub(super) unsafe fn reduce(shared: Shared<'_>, instr: &Reduce) {
    let accumulator = &shared.program.accumulators[instr.acc.index()];
    let [rows, cols] = accumulator.extent;
    for image in 0..accumulator.images {
        let dst = shared.tensors.image(instr.dst, image);
        let sums = shared.device.image_sums(instr.acc, image);
        for (c, sum) in sums.chunks_exact(LIMBS).enumerate() {
            let mean = canonical(mean(round(sum), rows * cols));
            let c = c as i64;
            // SAFETY: the tensor is `[images, channels, 1, 1]`, so the element is the block's only pixel.
            unsafe {
                dst.ptr.offset((c / dst.lanes * dst.block_stride + c % dst.lanes) as isize).write(mean)
            };
        }
    }
}
