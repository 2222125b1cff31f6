//! NumPy's array files, window by window, by reads and writes at positions.

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::array::elements;
use super::atomic::NewFile;
use super::npy::{self, Header};
use super::window::{Window, WindowSink, WindowSource, stretches};
use super::{Format, IoError};
use crate::program::{Dims, Element};

/// Bytes that are converted at a time.
const CHUNK: usize = 1 << 13;

/// An NPY file that is read window by window.
pub struct NpySource {
    path: PathBuf,
    file: File,
    header: Header,
}

impl NpySource {
    /// Opens a file of f32, f64, u8 or u16.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, is no such file, or is shorter than its header claims.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let open = || {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            let mut reader = BufReader::new(&file);
            Format::Npy.confirm(&mut reader)?;
            let header = Header::read(&mut reader, len)?;
            Ok(Self { path: path.to_owned(), file, header })
        };
        open().map_err(|e: IoError| e.in_file(path))
    }
}

impl WindowSource for NpySource {
    fn dims(&self) -> Dims {
        self.header.dims
    }

    fn read(&self, window: &Window, values: &mut [f32]) -> Result<(), IoError> {
        let Header { element, dims, len } = self.header;
        let size = element.size();
        let read = |first: u64, values: &mut [f32]| -> Result<(), IoError> {
            let mut bytes = [0; CHUNK];
            let mut at = len + first * size as u64;
            for values in values.chunks_mut(CHUNK / size) {
                let bytes = &mut bytes[..values.len() * size];
                self.file.read_exact_at(bytes, at)?;
                element.convert(bytes, values);
                at += bytes.len() as u64;
            }
            Ok(())
        };
        stretches(dims, window, |first, range| read(first, &mut values[range]))
            .map_err(|e| e.in_file(&self.path))
    }
}

/// An NPY file that is written window by window; it appears under its name once it is finished.
pub struct NpySink {
    path: PathBuf,
    file: NewFile,
    dims: Dims,
    element: Element,
    header_len: u64,
}

impl NpySink {
    /// Begins a file of four dimensions.
    ///
    /// # Errors
    ///
    /// If nothing can be written there, or the size overflows.
    pub fn create(path: &Path, dims: Dims, element: Element) -> Result<Self, IoError> {
        let create = || {
            let file = NewFile::create(path)?;
            let header_len = npy::write_header(&mut file.file(), dims, element)?;
            let bytes = elements(dims).and_then(|n| n.checked_mul(element.bytes())?.checked_add(header_len));
            let bytes = bytes.ok_or_else(|| IoError::malformed("an array of more than 2^64 bytes"))?;
            file.file().set_len(bytes)?;
            Ok(Self { path: path.to_owned(), file, dims, element, header_len })
        };
        create().map_err(|e: IoError| e.in_file(path))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// What the file system says; the file does not appear then.
    pub fn finish(self) -> Result<(), IoError> {
        self.file.commit()
    }

    /// The file, which gets its name when it is committed.
    pub fn into_file(self) -> NewFile {
        self.file
    }
}

impl WindowSink for NpySink {
    fn dims(&self) -> Dims {
        self.dims
    }

    fn write(&self, window: &Window, values: &[f32]) -> Result<(), IoError> {
        let size = self.element.bytes();
        let write = |first: u64, values: &[f32]| -> Result<(), IoError> {
            let mut bytes = [0; CHUNK];
            let mut at = self.header_len + first * size;
            for values in values.chunks(CHUNK / size as usize) {
                let bytes = &mut bytes[..values.len() * size as usize];
                encode(self.element, values, bytes);
                self.file.file().write_all_at(bytes, at)?;
                at += bytes.len() as u64;
            }
            Ok(())
        };
        stretches(self.dims, window, |first, range| write(first, &values[range]))
            .map_err(|e| e.in_file(&self.path))
    }
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
