//! Tensors that lie in temporary files, since memory has no room for them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::bindings::Piece;
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

    /// Reads the pixels `region` of a piece, whose view has no memory, into the memory of `window`, a view of the same lanes.
    ///
    /// # Safety
    ///
    /// `window` is valid for writing the region.
    pub(super) unsafe fn read(&self, piece: &Piece, region: Region, window: &View) -> io::Result<()> {
        stretches(&piece.view, window, region, |at, to, len| {
            // SAFETY: the caller's promise.
            let values = unsafe { std::slice::from_raw_parts_mut(window.ptr.add(to), len) };
            self.file.read_exact_at(bytemuck::cast_slice_mut(values), (piece.first + at) * 4)
        })
    }

    /// Writes them.
    ///
    /// # Safety
    ///
    /// `window` is valid for reading the region.
    pub(super) unsafe fn write(&self, piece: &Piece, region: Region, window: &View) -> io::Result<()> {
        stretches(&piece.view, window, region, |at, from, len| {
            // SAFETY: the caller's promise.
            let values = unsafe { std::slice::from_raw_parts(window.ptr.add(from).cast_const(), len) };
            self.file.write_all_at(bytemuck::cast_slice(values), (piece.first + at) * 4)
        })
    }
}

/// Calls `f` with the place in a piece, the place in a window and the length, all in f32s, of every stretch of a region that is
/// contiguous in both: a row, or more where rows follow each other.
fn stretches(
    piece: &View,
    window: &View,
    region: Region,
    mut f: impl FnMut(u64, usize, usize) -> io::Result<()>,
) -> io::Result<()> {
    let place = |view: &View, block: i64, y: i64| {
        block * view.block_stride + view.slot(y) * view.row_stride + (region.x.start - view.x0) * view.lanes
    };
    let places = (0..(piece.channels + piece.lanes - 1) / piece.lanes)
        .flat_map(|block| (region.y.start..region.y.end).map(move |y| (block, y)))
        .map(|(block, y)| (place(piece, block, y), place(window, block, y)));
    let row = region.x.len() * piece.lanes;
    let mut stretch: Option<(i64, i64, i64)> = None;
    for (at, to) in places {
        stretch = match stretch {
            Some((first, into, len)) if (first + len, into + len) == (at, to) => {
                Some((first, into, len + row))
            }
            Some((first, into, len)) => {
                f(first as u64, into as usize, len as usize)?;
                Some((at, to, row))
            }
            None => Some((at, to, row)),
        };
    }
    match stretch {
        Some((first, into, len)) => f(first as u64, into as usize, len as usize),
        None => Ok(()),
    }
}
