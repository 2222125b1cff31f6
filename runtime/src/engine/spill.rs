//! Tensors that lie in temporary files, since memory has no room for them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::memory::View;
use crate::program::Region;

/// The file of one tensor, which has no name and is gone with the process. Its elements lie as they would in memory.
#[derive(Debug)]
pub(super) struct Spill {
    file: File,
}

impl Spill {
    /// A file in `directory`, or where the system has its temporary ones.
    pub(super) fn new(directory: Option<&Path>) -> io::Result<Self> {
        let file = match directory {
            Some(directory) => tempfile::tempfile_in(directory)?,
            None => tempfile::tempfile()?,
        };
        Ok(Self { file })
    }

    /// Reads the pixels `region` of the image `tensor` (a view with no memory; `first` is where it begins, in f32s) into
    /// the memory of `window`, a view of the same lanes.
    ///
    /// # Safety
    ///
    /// `window` is valid for writing the region.
    pub(super) unsafe fn read(
        &self,
        tensor: &View,
        first: u64,
        region: Region,
        window: &View,
    ) -> io::Result<()> {
        stretches(tensor, region, |block, y, at, len| {
            // SAFETY: the caller's promise.
            let values = unsafe { std::slice::from_raw_parts_mut(row(window, block, y, region), len) };
            self.file.read_exact_at(bytemuck::cast_slice_mut(values), (first + at) * 4)
        })
    }

    /// Writes them.
    ///
    /// # Safety
    ///
    /// `window` is valid for reading the region.
    pub(super) unsafe fn write(
        &self,
        tensor: &View,
        first: u64,
        region: Region,
        window: &View,
    ) -> io::Result<()> {
        stretches(tensor, region, |block, y, at, len| {
            // SAFETY: the caller's promise.
            let values =
                unsafe { std::slice::from_raw_parts(row(window, block, y, region).cast_const(), len) };
            self.file.write_all_at(bytemuck::cast_slice(values), (first + at) * 4)
        })
    }
}

/// Where a row of the region begins in a window.
fn row(window: &View, block: i64, y: i64, region: Region) -> *mut f32 {
    let offset = block * window.block_stride
        + window.slot(y) * window.row_stride
        + (region.x.start - window.x0) * window.lanes;
    window.ptr.wrapping_offset(offset as isize)
}

/// Calls `f` with block, row, place and length in f32s of each row of a region.
fn stretches(
    tensor: &View,
    region: Region,
    mut f: impl FnMut(i64, i64, u64, usize) -> io::Result<()>,
) -> io::Result<()> {
    let len = (region.x.len() * tensor.lanes) as usize;
    for block in 0..(tensor.channels + tensor.lanes - 1) / tensor.lanes {
        for y in region.y.start..region.y.end {
            let at = block * tensor.block_stride + y * tensor.row_stride + region.x.start * tensor.lanes;
            f(block, y, at as u64, len)?;
        }
    }
    Ok(())
}
