//! Where a tensor's elements lie: the one addressing rule that kernels, JIT and transfers share.

use crate::program::Region;

/// A tile buffer or a whole device tensor (one image of it), in the global coordinates of its tensor.
///
/// Element `(c, y, x)` lies at `ptr + c / lanes · block_stride + (y − y0) · row_stride + (x − x0) · lanes + c mod lanes`, in f32s.
/// All fields are 64 bits, for code made at run time to read.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct View {
    /// First element.
    pub(crate) ptr: *mut f32,
    /// Channels side by side: 1, 2, 4, 8 or 16.
    pub(crate) lanes: i64,
    /// Channels of the tensor.
    pub(crate) channels: i64,
    /// From a block of `lanes` channels to the next.
    pub(crate) block_stride: i64,
    /// From a row to the next.
    pub(crate) row_stride: i64,
    /// First row covered.
    pub(crate) y0: i64,
    /// First column covered.
    pub(crate) x0: i64,
    /// Rows and columns covered: what may be addressed.
    pub(crate) computed: Region,
    /// The part of them inside the tensor's extent.
    pub(crate) valid: Region,
    /// The part of them that the tile owns.
    pub(crate) owned: Region,
    /// The tensor's extent.
    pub(crate) extent: Region,
    /// The value of the rest of the buffer, if somebody reads it.
    pub(crate) outside: Option<f32>,
}
