//! Loads and stores of tensors that lie in files: by way of a window in the worker's memory.

use std::sync::Arc;

use super::bindings::DeviceTensor;
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
    let channels = (buffer.channels as usize).next_multiple_of(tensor.image(0).lanes as usize);
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
    image: u64,
    stage: &mut [f32],
) -> Result<(), EngineError> {
    let src = tensor.image(image);
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
                transfer::load(dst, &read(tensor, image, valid, stage)?);
                return Ok(());
            }
            Some(Addressing::Owned) => {
                addressed::zero(dst, valid);
                let window = read(tensor, image, dst.owned, stage)?;
                transfer::copy::<Plain>(dst, &window, dst.owned, [0; 2]);
            }
            Some(Addressing::Transposed) => {
                let swapped = Region { y: valid.x, x: valid.y };
                addressed::transposed(dst, &read(tensor, image, swapped, stage)?);
            }
            Some(Addressing::Wrapped { shift }) => {
                for (part, by) in addressed::unwrapped(valid, shift, src.extent) {
                    let from = Region { y: part.y.shift(by[0]), x: part.x.shift(by[1]) };
                    transfer::copy::<Plain>(dst, &read(tensor, image, from, stage)?, part, by);
                }
            }
            Some(Addressing::Reshaped) => {
                let reshaped = addressed::reshaped(&src, dst);
                let window = read_reshaped(tensor, image, &reshaped, valid, stage)?;
                transfer::copy::<Plain>(dst, &window, valid, [0; 2]);
            }
        }
        addressed::fill(dst);
    }
    Ok(())
}

/// Reads a region of a tensor that lies in a file.
fn read(
    tensor: &DeviceTensor<'_>,
    image: u64,
    region: Region,
    stage: &mut [f32],
) -> Result<View, EngineError> {
    let src = tensor.image(image);
    let window = window(&src, region, stage);
    if region.is_empty() {
        return Ok(window);
    }
    match tensor.backing() {
        Backing::Memory | Backing::Sink(_) => {}
        Backing::Source(source) => {
            let part = part(tensor, image, region);
            source.read(&part, &mut stage[..len(&src, region)]).map_err(EngineError::Window)?;
        }
        Backing::Spilled(spill) => {
            // SAFETY: the window has room for the region.
            let read = unsafe { spill.read(&src, tensor.first(image), region, &window) };
            read.map_err(EngineError::Spill)?;
        }
    }
    Ok(window)
}

/// Reads a region of a planar tensor that lies in a file, in the coordinates of `reshaped`.
fn read_reshaped(
    tensor: &DeviceTensor<'_>,
    image: u64,
    reshaped: &View,
    region: Region,
    stage: &mut [f32],
) -> Result<View, EngineError> {
    let window = window(reshaped, region, stage);
    if region.is_empty() {
        return Ok(window);
    }
    match tensor.backing() {
        Backing::Memory | Backing::Sink(_) => {}
        Backing::Source(source) => {
            let (extent, mut at) = (tensor.image(image).extent, 0);
            let line = region.x.len() as usize;
            for (c, y) in
                (0..reshaped.channels).flat_map(|c| (region.y.start..region.y.end).map(move |y| (c, y)))
            {
                let first = c * reshaped.block_stride + y * reshaped.row_stride + region.x.start;
                for (channel, pixels) in addressed::raster(extent, first, line as i64) {
                    let image = tensor.image_of(image);
                    let part = Window { image, channels: channel..channel + 1, region: pixels };
                    let values = &mut stage[at..at + part.len()];
                    source.read(&part, values).map_err(EngineError::Window)?;
                    at += part.len();
                }
            }
        }
        Backing::Spilled(spill) => {
            // SAFETY: the window has room for the region.
            let read = unsafe { spill.read(reshaped, tensor.first(image), region, &window) };
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
    let (dst, region) = (tensor.image(image), src.owned);
    if region.is_empty() {
        return Ok(());
    }
    if matches!(tensor.backing(), Backing::Memory) {
        // SAFETY: the caller's promise.
        unsafe { transfer::store(&dst, src, element) };
        return Ok(());
    }
    let window = window(&dst, region, stage);
    // SAFETY: the window covers what is owned; the rest is the caller's promise.
    unsafe { transfer::store(&window, src, element) };
    match tensor.backing() {
        Backing::Memory | Backing::Source(_) => Ok(()),
        Backing::Sink(sink) => {
            let part = part(tensor, image, region);
            sink.write(&part, &stage[..len(&dst, region)]).map_err(EngineError::Window)
        }
        Backing::Spilled(spill) => {
            // SAFETY: the window holds the region.
            unsafe { spill.write(&dst, tensor.first(image), region, &window) }.map_err(EngineError::Spill)
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
    image: u64,
    src: &View,
    first: Region,
    stage: &mut [f32],
) -> Result<(), EngineError> {
    let (dst, region) = (tensor.image(image), src.owned);
    if region.is_empty() {
        return Ok(());
    }
    match tensor.backing() {
        Backing::Memory => {
            // SAFETY: the caller's promise.
            unsafe { transfer::add(&dst, src, first) };
            Ok(())
        }
        // The verifier lets nothing be added up there.
        Backing::Source(_) | Backing::Sink(_) => Ok(()),
        Backing::Spilled(spill) => {
            let window = window(&dst, region, stage);
            let at = tensor.first(image);
            for part in transfer::beside(region, first).into_iter().filter(|part| !part.is_empty()) {
                // SAFETY: the window has room for the region, and the part is in it.
                unsafe { spill.read(&dst, at, part, &window) }.map_err(EngineError::Spill)?;
            }
            // SAFETY: the window covers what is owned, and holds what others have written of it.
            unsafe {
                transfer::add(&window, src, first);
                spill.write(&dst, at, region, &window).map_err(EngineError::Spill)
            }
        }
    }
}

/// A view of a region alone, its rows in order, in the memory of `stage`.
fn window(tensor: &View, region: Region, stage: &mut [f32]) -> View {
    assert!(len(tensor, region) <= stage.len(), "a window is planned for");
    let size = [region.y.len() as u64, region.x.len() as u64];
    let mut view = View::new(tensor.channels as u64, tensor.lanes as u32, size, tensor.extent);
    view.place_rows(region.y, region.y, region.y);
    view.place_columns(region.x, region.x);
    (view.ptr, view.slot0) = (stage.as_mut_ptr(), 0);
    view
}

fn len(tensor: &View, region: Region) -> usize {
    let channels = (tensor.channels as usize).next_multiple_of(tensor.lanes as usize);
    channels * region.y.len() as usize * region.x.len() as usize
}

fn part(tensor: &DeviceTensor<'_>, image: u64, region: Region) -> Window {
    Window { image: tensor.image_of(image), channels: 0..tensor.image(image).channels as u64, region }
}
