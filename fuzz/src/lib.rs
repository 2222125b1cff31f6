//! What the fuzz targets share.

#![warn(missing_docs)]

use libfuzzer_sys::fuzzer_mutate;

/// The mutation of a form, or libFuzzer's own: that one every fourth time, and wherever the other has no answer that fits.
/// `data` holds an input of `size` bytes and has room for more; returns the size of the mutated one.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    seed: u32,
    mutation: impl FnOnce(&[u8], u32) -> Option<Vec<u8>>,
) -> usize {
    let room = data.len();
    let mutated = if seed.is_multiple_of(4) { None } else { mutation(&data[..size], seed) };
    match mutated.filter(|mutated| mutated.len() <= room) {
        Some(mutated) => {
            data[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        None => fuzzer_mutate(data, size, room),
    }
}
