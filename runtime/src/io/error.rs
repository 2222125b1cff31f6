//! What can be wrong with files.

use std::io;
use std::path::{Path, PathBuf};

use super::Format;

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IoError {
    /// An error and the file that it is about.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error.
        error: Box<Self>,
    },
    /// The operating system refused.
    #[error(transparent)]
    Os(io::Error),
    /// The name does not tell the format.
    #[error("`.{0}` is not the extension of a known format (.png, .jpg, .jpeg, .npy)")]
    Extension(String),
    /// The contents are not what the name says.
    #[error("the contents are {}not {expected}", found.map(|f| format!("{f}, ")).unwrap_or_default())]
    Magic {
        /// What the name says.
        expected: Format,
        /// What the first bytes say.
        found: Option<Format>,
    },
    /// The file ends before the data does.
    #[error("the file is truncated")]
    Truncated,
    /// The file is legal, but not of a kind that can be read or written.
    #[error("{format}: {what} is not supported")]
    Unsupported {
        /// The format.
        format: Format,
        /// The kind.
        what: String,
    },
    /// The file breaks the rules of its format.
    #[error("malformed file: {0}")]
    Malformed(String),
    /// The data do not fit the caller's limit, or memory.
    #[error("{bytes} bytes are too large: the limit is {limit} bytes")]
    TooLarge {
        /// Bytes needed; the largest number where they overflow.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// There is not enough memory.
    #[error("no memory for {0} bytes")]
    OutOfMemory(u64),
    /// There is no tensor of this name.
    #[error("there is no tensor `{0}`")]
    NoTensor(String),
    /// A tensor's elements have another type.
    #[error("tensor `{name}` has elements of type {found}, not F32")]
    Dtype {
        /// The tensor.
        name: String,
        /// The type of its elements.
        found: ::safetensors::Dtype,
    },
}

impl IoError {
    /// The error with the file that it is about.
    pub fn in_file(self, path: &Path) -> Self {
        match self {
            Self::File { .. } => self,
            error => Self::File { path: path.to_owned(), error: Box::new(error) },
        }
    }

    pub(super) fn unsupported(format: Format, what: impl Into<String>) -> Self {
        Self::Unsupported { format, what: what.into() }
    }

    pub(super) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }
}

impl From<io::Error> for IoError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Os(error),
        }
    }
}
