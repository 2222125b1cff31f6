//! Where a tensor's elements lie: the one addressing rule that kernels, JIT and transfers share.

use std::ptr;

use crate::program::{Interval, Region};

/// A tile buffer or a whole device tensor (one image of it), in the global coordinates of its tensor.
///
/// Element `(c, y, x)` lies at `ptr + c / lanes · block_stride + (y mod rows) · row_stride + (x − x0) · lanes + c mod lanes`, in f32s:
/// rows take turns, so that a buffer can keep its last rows while new ones come in. `y mod rows` is
/// `y − y0 + slot0`, less `rows` where that is past the end, for all rows from `y0` to `y0 + rows`: no division is needed.
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
    /// From a slot of a row to the next.
    pub(crate) row_stride: i64,
    /// Number of slots.
    pub(crate) rows: i64,
    /// First row held.
    pub(crate) y0: i64,
    /// Its slot.
    pub(crate) slot0: i64,
    /// First column held.
    pub(crate) x0: i64,
    /// Rows and columns that whoever writes the buffer writes: the last ones of those held.
    pub(crate) computed: Region,
    /// The part of them inside the tensor's extent.
    pub(crate) valid: Region,
    /// The part of what is held that the tile owns.
    pub(crate) owned: Region,
    /// The tensor's extent.
    pub(crate) extent: Region,
    /// The value of the rest of the buffer, if somebody reads it.
    pub(crate) outside: Option<f32>,
}

impl View {
    /// A buffer of `rows` × `cols` pixels, in no memory and at no place yet.
    pub(crate) fn new(channels: u64, lanes: u32, [rows, cols]: [u64; 2], extent: Region) -> Self {
        let (rows, cols, lanes) = (rows as i64, cols as i64, i64::from(lanes));
        Self {
            ptr: ptr::null_mut(),
            lanes,
            channels: channels as i64,
            block_stride: rows * cols * lanes,
            row_stride: cols * lanes,
            rows,
            y0: 0,
            slot0: 0,
            x0: 0,
            computed: Region::default(),
            valid: Region::default(),
            owned: Region::default(),
            extent,
            outside: None,
        }
    }

    /// Pixels of a tensor side by side, rows in order, in no memory yet.
    pub(crate) fn packed(channels: u64, lanes: u32, pixels: Region, extent: Region) -> Self {
        let size = [pixels.y.len() as u64, pixels.x.len() as u64];
        let mut view = Self::new(channels, lanes, size, extent);
        view.place_rows(pixels.y, pixels.y, pixels.y);
        view.place_columns(pixels.x, pixels.x);
        view.slot0 = 0;
        view
    }

    /// Moves the view to rows: those held, those of them that are written, and those owned.
    pub(crate) fn place_rows(&mut self, held: Interval, computed: Interval, owned: Interval) {
        self.y0 = held.start;
        self.slot0 = held.start.rem_euclid(self.rows.max(1));
        self.computed.y = computed;
        self.valid.y = computed.intersect(self.extent.y);
        self.owned.y = owned;
    }

    /// Moves the view to columns: those written, and those owned.
    pub(crate) fn place_columns(&mut self, computed: Interval, owned: Interval) {
        self.x0 = computed.start;
        self.computed.x = computed;
        self.valid.x = computed.intersect(self.extent.x);
        self.owned.x = owned;
    }

    /// The slot of a row that is held.
    #[inline(always)]
    pub(crate) fn slot(&self, y: i64) -> i64 {
        let slot = y - self.y0 + self.slot0;
        if slot >= self.rows { slot - self.rows } else { slot }
    }
}
