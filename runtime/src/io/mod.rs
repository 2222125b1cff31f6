//! Files: images and arrays, and weights.
//!
//! Nothing here trusts a file: what a header claims is held against the length of the file and the caller's limit before
//! anything is allocated, and no bytes make a reader panic.

mod array;
mod atomic;
mod error;
mod format;
mod jpeg;
mod npy;
mod npy_windows;
mod pixels;
mod png;
mod positioned;
pub mod safetensors;
mod scratch;
mod temporary;
mod window;

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek, Write};
use std::path::Path;

use crate::program::Dims;

pub use array::Array;
pub use atomic::{NewFile, can_write, write_atomically};
pub use error::IoError;
pub use format::Format;
pub use npy_windows::{NpySink, NpySource};
pub use scratch::Scratch;
pub use temporary::remove_temporaries;
pub use window::{Window, WindowSink, WindowSource};

/// The channels that an image is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Channels {
    /// Red, green and blue; grey is repeated.
    #[default]
    Rgb,
    /// One; of coloured images the luma of ITU-R BT.601, `0.299·R + 0.587·G + 0.114·B`.
    Grey,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Channels of images; arrays are taken as they are.
    pub channels: Channels,
    /// Whether samples of images are taken as the whole numbers that they are, and not scaled to 0..1.
    pub whole: bool,
    /// Most bytes that the array may take.
    pub limit: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { channels: Channels::Rgb, whole: false, limit: u64::MAX }
    }
}

/// Shape of the image or array in a file, from its header.
pub fn read_dims(path: &Path, options: &ReadOptions) -> Result<Dims, IoError> {
    let dims = open(path).and_then(|(format, file, len)| dims_from(format, file, len, options));
    dims.map_err(|e: IoError| e.in_file(path))
}

/// Reads a PNG, JPEG or NPY file, by its extension.
///
/// An image becomes f32 in 0..1 (`v / 255` or `v / 65535`), `[1, channels, H, W]`; its alpha, colour profile and orientation are
/// disregarded. An array of floats, integers or truth values is taken as it is, converted to f32; `[H, W]` and `[C, H, W]` become NCHW.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Array, IoError> {
    let array = open(path).and_then(|(format, file, len)| array_from(format, file, len, options));
    array.map_err(|e: IoError| e.in_file(path))
}

/// As [`read`], of a PNG that need not fit in memory: row by row into a temporary file, in `directory` or where the system has
/// its own. `None` if the file gives no rows one after the other: an interlaced PNG, or another format.
pub fn spool(
    path: &Path,
    options: &ReadOptions,
    directory: Option<&Path>,
) -> Result<Option<Scratch>, IoError> {
    let spooled = open(path).and_then(|(format, file, len)| match format {
        Format::Png => png::spool(file, len, options, directory),
        Format::Jpeg | Format::Npy => Ok(None),
    });
    spooled.map_err(|e: IoError| e.in_file(path))
}

/// As [`read_dims`], of a file that is in memory.
pub fn decode_dims(format: Format, bytes: &[u8], options: &ReadOptions) -> Result<Dims, IoError> {
    dims_from(format, confirmed(format, bytes)?, bytes.len() as u64, options)
}

/// As [`read`], of a file that is in memory.
pub fn decode(format: Format, bytes: &[u8], options: &ReadOptions) -> Result<Array, IoError> {
    array_from(format, confirmed(format, bytes)?, bytes.len() as u64, options)
}

fn confirmed(format: Format, bytes: &[u8]) -> Result<Cursor<&[u8]>, IoError> {
    let mut file = Cursor::new(bytes);
    format.confirm(&mut file)?;
    Ok(file)
}

fn dims_from(
    format: Format,
    file: impl BufRead + Seek,
    len: u64,
    options: &ReadOptions,
) -> Result<Dims, IoError> {
    match format {
        Format::Png => png::dims(file, len, options),
        Format::Jpeg => jpeg::dims(file, len, options),
        Format::Npy => npy::dims(file, len),
    }
}

fn array_from(
    format: Format,
    file: impl BufRead + Seek,
    len: u64,
    options: &ReadOptions,
) -> Result<Array, IoError> {
    match format {
        Format::Png => png::read(file, len, options),
        Format::Jpeg => jpeg::read(file, len, options),
        Format::Npy => npy::read(file, len, options),
    }
}

/// Writes a PNG or NPY file, by its extension; it appears complete or not at all.
///
/// A PNG has 8 bits a sample and takes one image of one or three channels: clamped to 0..1, scaled by 255, rounded half to even,
/// NaN black. NPY keeps f32 and all four dimensions.
pub fn write(path: &Path, array: &Array) -> Result<(), IoError> {
    stage(path, array)?.commit()
}

/// As [`write()`], up to the moment when the file appears: of several files, all appear or none.
pub fn stage(path: &Path, array: &Array) -> Result<NewFile, IoError> {
    let staged = || {
        let format = Format::of(path)?;
        let file = NewFile::create(path)?;
        file.fill(|out| encode(format, array, out))?;
        Ok(file)
    };
    staged().map_err(|e: IoError| e.in_file(path))
}

/// As [`stage`], of a PNG that need not fit in memory: `source` is read row by row, and has values from 0 to `max`.
pub fn stage_png(path: &Path, source: &dyn WindowSource, max: f32) -> Result<NewFile, IoError> {
    let staged = || {
        let file = NewFile::create(path)?;
        file.fill(|out| png::write_windows(out, source, max))?;
        Ok(file)
    };
    staged().map_err(|e: IoError| e.in_file(path))
}

/// As [`write()`], to anything.
pub fn encode(format: Format, array: &Array, out: impl Write) -> Result<(), IoError> {
    if array::elements(array.dims) != Some(array.data.len() as u64) {
        let what = format!("an array of shape {:?} has {} elements", array.dims, array.data.len());
        return Err(IoError::malformed(what));
    }
    match format {
        Format::Png => png::write(out, array),
        Format::Npy => npy::write(out, array),
        Format::Jpeg => Err(IoError::unsupported(Format::Jpeg, "writing it")),
    }
}

/// Opens a file whose extension and first bytes agree on its format; also gives its length.
fn open(path: &Path) -> Result<(Format, BufReader<File>, u64), IoError> {
    let format = Format::of(path)?;
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    format.confirm(&mut reader)?;
    Ok((format, reader, len))
}

/// Writes values as little-endian f32.
fn write_values(file: &mut (impl Write + ?Sized), values: &[f32]) -> Result<(), IoError> {
    let mut bytes = [0; 4096];
    for values in values.chunks(bytes.len() / 4) {
        for (bytes, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
            *bytes = value.to_le_bytes();
        }
        file.write_all(&bytes[..values.len() * 4])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
