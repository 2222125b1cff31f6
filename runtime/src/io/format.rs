//! Which format a file has.

use std::fmt;
use std::io::BufRead;
use std::path::Path;

use super::IoError;

/// A format of images or arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// NumPy's array file.
    Npy,
}

impl Format {
    const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::Npy];

    /// The format that a file's extension names.
    pub fn of(path: &Path) -> Result<Self, IoError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match extension.as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" => Ok(Self::Jpeg),
            "npy" => Ok(Self::Npy),
            _ => Err(IoError::Extension(extension)),
        }
    }

    /// Checks that a file begins as the format does, without consuming anything.
    pub(super) fn confirm(self, reader: &mut impl BufRead) -> Result<(), IoError> {
        let start = reader.fill_buf()?;
        if start.starts_with(self.magic()) {
            return Ok(());
        }
        if self.magic().starts_with(start) {
            return Err(IoError::Truncated);
        }
        let found = Self::ALL.into_iter().find(|format| start.starts_with(format.magic()));
        Err(IoError::Magic { expected: self, found })
    }

    fn magic(self) -> &'static [u8] {
        match self {
            Self::Png => b"\x89PNG\r\n\x1a\n",
            Self::Jpeg => b"\xff\xd8",
            Self::Npy => b"\x93NUMPY",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Npy => "NPY",
        })
    }
}
