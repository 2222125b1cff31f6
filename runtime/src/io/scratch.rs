//! Arrays in temporary files: what is written window by window, and read so.

use std::fs::File;
use std::path::Path;

use super::array::elements;
use super::window::{Window, WindowSink, WindowSource};
use super::{IoError, npy, positioned};
use crate::program::{Dims, Element};

/// An array in a file that has no name and is gone with the process. What was not written is zero.
pub struct Scratch {
    file: File,
    dims: Dims,
    element: Element,
}

impl Scratch {
    /// An array in a file in `directory`, or where the system has its temporary ones.
    ///
    /// # Errors
    ///
    /// If no file can be made there, or the size overflows.
    pub fn create(directory: Option<&Path>, dims: Dims, element: Element) -> Result<Self, IoError> {
        let create = || {
            let file = match directory {
                Some(directory) => tempfile::tempfile_in(directory)?,
                None => tempfile::tempfile()?,
            };
            let bytes = elements(dims).and_then(|n| n.checked_mul(element.bytes()));
            file.set_len(bytes.ok_or_else(|| IoError::malformed("an array of more than 2^64 bytes"))?)?;
            Ok(Self { file, dims, element })
        };
        create().map_err(|e: IoError| e.in_file(&directory.map_or_else(std::env::temp_dir, Path::to_owned)))
    }

    /// The type of its values.
    pub fn element(&self) -> Element {
        self.element
    }
}

impl WindowSource for Scratch {
    fn dims(&self) -> Dims {
        self.dims
    }

    fn read(&self, window: &Window, values: &mut [f32]) -> Result<(), IoError> {
        let element = match self.element {
            Element::F32 => npy::Element::F32,
            Element::U8 => npy::Element::U8,
            Element::U16 => npy::Element::U16,
        };
        positioned::read(&self.file, 0, element, self.dims, window, values)
    }
}

impl WindowSink for Scratch {
    fn dims(&self) -> Dims {
        self.dims
    }

    fn write(&self, window: &Window, values: &[f32]) -> Result<(), IoError> {
        positioned::write(&self.file, 0, self.element, self.dims, window, values)
    }
}
