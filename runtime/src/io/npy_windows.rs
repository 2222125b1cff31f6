//! NumPy's array files, window by window, by reads and writes at positions.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::array::elements;
use super::atomic::NewFile;
use super::npy::{self, Header};
use super::window::{Window, WindowSink, WindowSource};
use super::{Format, IoError, positioned};
use crate::program::{Dims, Element};

/// An NPY file that is read window by window.
pub struct NpySource {
    path: PathBuf,
    file: File,
    header: Header,
}

impl NpySource {
    /// Opens a file of floats, integers or truth values.
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
        positioned::read(&self.file, len, element, dims, window, values).map_err(|e| e.in_file(&self.path))
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
        let (file, header_len) = (self.file.file(), self.header_len);
        positioned::write(file, header_len, self.element, self.dims, window, values)
            .map_err(|e| e.in_file(&self.path))
    }
}
