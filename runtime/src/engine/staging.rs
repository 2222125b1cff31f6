//! Loads and stores of tensors that lie in files: by way of a window in the worker's memory.

use std::sync::Arc;

use super::bindings::{DeviceTensor, Piece};
use super::section::TileIndex;
use super::spill::Spill;
use super::transfer::Plain;
use super::{EngineError, addressed, transfer};
use crate::io::{Window, WindowSink, WindowSource};
use crate::memory::View;
use crate::program::instr::Addressing;
use crate::program::{Buffer, Element, Region};

/// Where the values of a device tensor are.
#[derive(Clone)]
pub(super) enum Backing<'a> {
    /// In memory, where its view says.
    Memory,
    /// With the caller, to be read.
    Source(&'a dyn WindowSource),
    /// With the caller, to be written.
    Sink(&'a dyn WindowSink),
    /// In a temporary file.
    Spilled(Arc<Spill>),
}

/// f32s of the window through which a buffer is loaded or stored.
pub(super) fn window_len(tensor: &DeviceTensor<'_>, buffer: &Buffer) -> usize {
    if matches!(tensor.backing(), Backing::Memory) {
        return 0;
    }
    let channels = (buffer.channels as usize).next_multiple_of(tensor.lanes() as usize);
    channels.saturating_mul(buffer.rows as usize).saturating_mul(buffer.cols as usize)
}

/// As [`transfer::load`], or [`addressed::load`] where there is an addressing.
///
/// # Safety
///
/// As there; `stage` is as long as [`window_len`] says.
pub(super) unsafe fn load(
    dst: &View,
    tensor: &DeviceTensor<'_>,
    addressing: Option<Addressing>,
    tile: TileIndex,
    stage: &mut [f32],
) -> Result<(), EngineError> {
    let (image, piece) = (tensor.image_of(tile.image), tensor.of_tile(tile));
    let src = piece.view;
    // SAFETY: the caller's promise; a window covers what was read into it, and that is what goes to the valid part.
    unsafe {
        if matches!(tensor.backing(), Backing::Memory) {
            match addressing {
                None => transfer::load(dst, &src),
                Some(addressing) => addressed::load(dst, &src, addressing),
            }
            return Ok(());
        }
        let valid = dst.valid;
        match addressing {
            None => {
                transfer::load(dst, &read(tensor, image, &piece, valid, stage)?);
                return Ok(());
            }
            Some(Addressing::Owned) => {
                addressed::zero(dst, valid);
                let window = read(tensor, image, &piece, dst.owned, stage)?;
                transfer::copy::<Plain>(dst, &window, dst.owned, [0; 2]);
            }
            Some(Addressing::Transposed) => {
                let swapped = Region { y: valid.x, x: valid.y };
                addressed::transposed(dst, &read(tensor, image, &piece, swapped, stage)?);
            }
            Some(Addressing::Wrapped { shift }) => {
                for (part, by) in addressed::unwrapped(valid, shift, src.extent) {
                    let from = Region { y: part.y.shift(by[0]), x: part.x.shift(by[1]) };
                    let window = read(tensor, image, &piece, from, stage)?;
                    transfer::copy::<Plain>(dst, &window, part, by);
                }
            }
            Some(Addressing::Reshaped) => {
                let reshaped = addressed::reshaped(&src, dst);
                let window = read_reshaped(tensor, image, Piece { view: reshaped, ..piece }, valid, stage)?;
                transfer::copy::<Plain>(dst, &window, valid, [0; 2]);
            }
        }
        addressed::fill(dst);
    }
    Ok(())
}

/// Reads a region of a piece of a tensor that lies in a file.
fn read(
    tensor: &DeviceTensor<'_>,
    image: u64,
    piece: &Piece,
    region: Region,
    stage: &mut [f32],
) -> Result<View, EngineError> {
    let src = &piece.view;
    let window = window(src, region, stage);
    if region.is_empty() {
        return Ok(window);
    }
    match tensor.backing() {
        Backing::Memory | Backing::Sink(_) => {}
        Backing::Source(source) => {
            source
                .read(&part(src, image, region), &mut stage[..len(src, region)])
                .map_err(EngineError::Window)?;
        }
        Backing::Spilled(spill) => {
            // SAFETY: the window has room for the region.
            let read = unsafe { spill.read(piece, region, &window) };
            read.map_err(EngineError::Spill)?;
        }
    }
    Ok(window)
}

/// Reads a region of a planar tensor that lies in a file, in the coordinates of `reshaped`, an image of it with another shape.
fn read_reshaped(
    tensor: &DeviceTensor<'_>,
    image: u64,
    reshaped: Piece,
    region: Region,
    stage: &mut [f32],
) -> Result<View, EngineError> {
    let view = &reshaped.view;
    let window = window(view, region, stage);
    if region.is_empty() {
        return Ok(window);
    }
    match tensor.backing() {
        Backing::Memory | Backing::Sink(_) => {}
        Backing::Source(source) => {
            let (extent, mut at) = (tensor.extent(), 0);
            let line = region.x.len() as usize;
            for (c, y) in (0..view.channels).flat_map(|c| (region.y.start..region.y.end).map(move |y| (c, y)))
            {
                let first = c * view.block_stride + y * view.row_stride + region.x.start;
                for (channel, pixels) in addressed::raster(extent, first, line as i64) {
                    let part = Window { image, channels: channel..channel + 1, region: pixels };
                    let values = &mut stage[at..at + part.len()];
                    source.read(&part, values).map_err(EngineError::Window)?;
                    at += part.len();
                }
            }
        }
        Backing::Spilled(spill) => {
            // SAFETY: the window has room for the region.
            let read = unsafe { spill.read(&reshaped, region, &window) };
            read.map_err(EngineError::Spill)?;
        }
    }
    Ok(window)
}

/// As [`transfer::store`].
///
/// # Safety
///
/// As there; `stage` is as long as [`window_len`] says.
pub(super) unsafe fn store(
    tensor: &DeviceTensor<'_>,
    image: u64,
    src: &View,
    element: Element,
    stage: &mut [f32],
) -> Result<(), EngineError> {
    if src.owned.is_empty() {
        return Ok(());
    }
    for piece in tensor.with_pixels_of(image, src.owned) {
        let owned = src.owned.intersect(piece.view.valid);
        // SAFETY: the piece covers this part of what is owned; the rest is the caller's promise.
        unsafe { store_piece(tensor, image, &piece, &View { owned, ..*src }, element, stage) }?;
    }
    Ok(())
}

/// [`store`] of what is owned to a piece that has all of it.
///
/// # Safety
///
/// As there.
unsafe fn store_piece(
    tensor: &DeviceTensor<'_>,
    image: u64,
    piece: &Piece,
    src: &View,
    element: Element,
    stage: &mut [f32],
) -> Result<(), EngineError> {
    let (dst, region) = (&piece.view, src.owned);
    if matches!(tensor.backing(), Backing::Memory) {
        // SAFETY: the caller's promise.
        unsafe { transfer::store(dst, src, element) };
        return Ok(());
    }
    let window = window(dst, region, stage);
    // SAFETY: the window covers what is owned; the rest is the caller's promise.
    unsafe { transfer::store(&window, src, element) };
    match tensor.backing() {
        Backing::Memory | Backing::Source(_) => Ok(()),
        Backing::Sink(sink) => {
            let part = part(dst, tensor.image_of(image), region);
            sink.write(&part, &stage[..len(dst, region)]).map_err(EngineError::Window)
        }
        Backing::Spilled(spill) => {
            // SAFETY: the window holds the region.
            unsafe { spill.write(piece, region, &window) }.map_err(EngineError::Spill)
        }
    }
}

/// As [`transfer::add`].
///
/// # Safety
///
/// As there; `stage` is as long as [`window_len`] says.
pub(super) unsafe fn add(
    tensor: &DeviceTensor<'_>,
    tile: TileIndex,
    src: &View,
    first: Region,
    stage: &mut [f32],
) -> Result<(), EngineError> {
    let (piece, region) = (tensor.of_tile(tile), src.owned);
    let dst = &piece.view;
    if region.is_empty() {
        return Ok(());
    }
    match tensor.backing() {
        Backing::Memory => {
            // SAFETY: the caller's promise.
            unsafe { transfer::add(dst, src, first) };
            Ok(())
        }
        // The verifier lets nothing be added up there.
        Backing::Source(_) | Backing::Sink(_) => Ok(()),
        Backing::Spilled(spill) => {
            let window = window(dst, region, stage);
            for part in transfer::beside(region, first).into_iter().filter(|part| !part.is_empty()) {
                // SAFETY: the window has room for the region, and the part is in it.
                unsafe { spill.read(&piece, part, &window) }.map_err(EngineError::Spill)?;
            }
            // SAFETY: the window covers what is owned, and holds what others have written of it.
            unsafe {
                transfer::add(&window, src, first);
                spill.write(&piece, region, &window).map_err(EngineError::Spill)
            }
        }
    }
}

/// A view of a region alone, its rows in order, in the memory of `stage`.
fn window(tensor: &View, region: Region, stage: &mut [f32]) -> View {
    assert!(len(tensor, region) <= stage.len(), "a window is planned for");
    let view = View::packed(tensor.channels as u64, tensor.lanes as u32, region, tensor.extent);
    View { ptr: stage.as_mut_ptr(), ..view }
}

fn len(tensor: &View, region: Region) -> usize {
    let channels = (tensor.channels as usize).next_multiple_of(tensor.lanes as usize);
    channels * region.y.len() as usize * region.x.len() as usize
}

fn part(tensor: &View, image: u64, region: Region) -> Window {
    Window { image, channels: 0..tensor.channels as u64, region }
}
