//! Windows of planar values in files, by reads and writes at positions.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::window::{Window, stretches};
use super::{IoError, npy};
use crate::program::{Dims, Element};

/// Bytes that are converted at a time.
const CHUNK: usize = 1 << 13;

/// Reads a window of the values that begin at byte `start`.
pub(super) fn read(
    file: &File,
    start: u64,
    element: npy::Element,
    dims: Dims,
    window: &Window,
    values: &mut [f32],
) -> Result<(), IoError> {
    let size = element.size();
    stretches(dims, window, |first, range| {
        let mut bytes = [0; CHUNK];
        let mut at = start + first * size as u64;
        for values in values[range].chunks_mut(CHUNK / size) {
            let bytes = &mut bytes[..values.len() * size];
            file.read_exact_at(bytes, at)?;
            element.convert(bytes, values);
            at += bytes.len() as u64;
        }
        Ok(())
    })
}

/// Writes a window.
pub(super) fn write(
    file: &File,
    start: u64,
    element: Element,
    dims: Dims,
    window: &Window,
    values: &[f32],
) -> Result<(), IoError> {
    let size = element.bytes();
    stretches(dims, window, |first, range| {
        let mut bytes = [0; CHUNK];
        let mut at = start + first * size;
        for values in values[range].chunks(CHUNK / size as usize) {
            let bytes = &mut bytes[..values.len() * size as usize];
            encode(element, values, bytes);
            file.write_all_at(bytes, at)?;
            at += bytes.len() as u64;
        }
        Ok(())
    })
}

/// Values, which are of the type already, as bytes.
fn encode(element: Element, values: &[f32], bytes: &mut [u8]) {
    match element {
        Element::F32 => each(values, bytes, f32::to_le_bytes),
        Element::U8 => each(values, bytes, |v| [v as u8]),
        Element::U16 => each(values, bytes, |v| (v as u16).to_le_bytes()),
    }
}

fn each<const N: usize>(values: &[f32], bytes: &mut [u8], encode: impl Fn(f32) -> [u8; N]) {
    for (bytes, &value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
        *bytes = encode(value);
    }
}
