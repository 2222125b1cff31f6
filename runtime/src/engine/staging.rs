//! Loads and stores of tensors that lie in files: by way of a window in the worker's memory.

use std::sync::Arc;

use super::bindings::DeviceTensor;
use super::spill::Spill;
use super::{EngineError, transfer};
use crate::io::{Window, WindowSink, WindowSource};
use crate::memory::View;
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

/// As [`transfer::load`].
///
/// # Safety
///
/// As there; `stage` is as long as [`window_len`] says.
pub(super) unsafe fn load(
    dst: &View,
    tensor: &DeviceTensor<'_>,
    image: u64,
    stage: &mut [f32],
) -> Result<(), EngineError> {
    let src = tensor.image(image);
    if matches!(tensor.backing(), Backing::Memory) {
        // SAFETY: the caller's promise.
        unsafe { transfer::load(dst, &src) };
        return Ok(());
    }
    let region = dst.valid;
    let window = window(&src, region, stage);
    if !region.is_empty() {
        let values = &mut stage[..len(&src, region)];
        match tensor.backing() {
            Backing::Memory | Backing::Sink(_) => {}
            Backing::Source(source) => {
                let part = part(tensor, image, region);
                source.read(&part, values).map_err(EngineError::Window)?;
            }
            Backing::Spilled(spill) => {
                // SAFETY: the window has room for the region.
                let read = unsafe { spill.read(&src, tensor.first(image), region, &window) };
                read.map_err(EngineError::Spill)?;
            }
        }
    }
    // SAFETY: the window covers the valid part; the rest is the caller's promise.
    unsafe { transfer::load(dst, &window) };
    Ok(())
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
