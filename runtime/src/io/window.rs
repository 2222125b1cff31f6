//! Arrays that are read and written window by window: what does not fit in memory.

use std::ops::Range;

use super::IoError;
use crate::program::{Dims, Region};

/// A part of an array: some channels of some pixels of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The image.
    pub image: u64,
    /// Its channels.
    pub channels: Range<u64>,
    /// The pixels; inside the array.
    pub region: Region,
}

impl Window {
    /// Number of values.
    pub fn len(&self) -> usize {
        let channels = self.channels.end.saturating_sub(self.channels.start) as usize;
        channels * self.region.y.len() as usize * self.region.x.len() as usize
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An array that can be read window by window, from several threads at once.
pub trait WindowSource: Sync {
    /// Shape of the whole.
    fn dims(&self) -> Dims;

    /// Reads a window into `values`, as many as it has: channel by channel, row by row.
    ///
    /// # Errors
    ///
    /// What the file system says, or a file that is damaged.
    fn read(&self, window: &Window, values: &mut [f32]) -> Result<(), IoError>;
}

/// An array that can be written window by window, from several threads at once. Windows do not overlap, and together are
/// the whole.
pub trait WindowSink: Sync {
    /// Shape of the whole.
    fn dims(&self) -> Dims;

    /// Writes a window from `values`, as many as it has: channel by channel, row by row.
    ///
    /// # Errors
    ///
    /// What the file system says; a full disk above all.
    fn write(&self, window: &Window, values: &[f32]) -> Result<(), IoError>;
}

/// Calls `f` with each stretch of a window that is contiguous in a planar array of shape `dims`: where it begins in the array,
/// and which of the window's values it is.
pub(super) fn stretches(
    dims: Dims,
    window: &Window,
    mut f: impl FnMut(u64, Range<usize>) -> Result<(), IoError>,
) -> Result<(), IoError> {
    let (rows, cols) = (window.region.y.len() as u64, window.region.x.len() as u64);
    let (top, left) = (window.region.y.start as u64, window.region.x.start as u64);
    // Rows of the full width follow each other without a gap.
    let (count, length) = if cols == dims.w { (1, rows * cols) } else { (rows, cols) };
    let mut at = 0;
    for c in window.channels.clone() {
        let plane = (window.image * dims.c + c) * dims.h;
        for row in 0..count {
            let values = at..at + length as usize;
            f((plane + top + row) * dims.w + left, values.clone())?;
            at = values.end;
        }
    }
    Ok(())
}
