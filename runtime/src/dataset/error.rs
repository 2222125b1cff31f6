//! What can be wrong with data.

use std::path::PathBuf;

use crate::io::IoError;

/// Why a folder cannot be trained on.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// There is no tensor to look for.
    #[error("there is no tensor whose files could be looked for")]
    NoTensors,
    /// A folder that is not there.
    #[error(
        "there is no folder `{}`: training data has one for each of `{}`",
        folder.display(), names.join("`, `")
    )]
    NoFolder {
        /// The folder.
        folder: PathBuf,
        /// Names of all that there should be.
        names: Vec<String>,
    },
    /// A folder without files.
    #[error("there are no files in `{}`", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// A file to which another one belongs that is not there.
    #[error("`{}` has no partner in `{}`: files of the same stem belong together", file.display(), folder.display())]
    NoPartner {
        /// The file.
        file: PathBuf,
        /// Where the other one should be.
        folder: PathBuf,
    },
    /// Two files of one stem in one folder.
    #[error("`{}` and `{}` have the same stem: one of them has to go", first.display(), second.display())]
    SameStem {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// An array of several images, or of none, or without pixels.
    #[error("`{}` has the shape {shape:?}: an item has one image, of at least one pixel", file.display())]
    NotOneImage {
        /// The file.
        file: PathBuf,
        /// Images, channels, rows and columns.
        shape: [u64; 4],
    },
    /// An image that is smaller than the crop, or a crop of nothing.
    #[error("a crop of {}x{} does not fit `{}`, which is {}x{}", crop[0], crop[1], file.display(), size[0], size[1])]
    Crop {
        /// The file.
        file: PathBuf,
        /// Rows and columns of the crop.
        crop: [u64; 2],
        /// Rows and columns of the image.
        size: [u64; 2],
    },
    /// An image of which no whole pixels belong to the crop of another.
    #[error(
        "`{}` is {}x{} and `{}` {}x{}: no whole number of {axis} of the one belongs to a crop of {crop} {axis} of the other; \
        to multiples of {multiple} there does",
        file.display(), size[0], size[1], of.display(), of_size[0], of_size[1]
    )]
    CropRatio {
        /// The file.
        file: PathBuf,
        /// Its rows and columns.
        size: [u64; 2],
        /// The file that is cropped.
        of: PathBuf,
        /// Its rows and columns.
        of_size: [u64; 2],
        /// `rows` or `columns`.
        axis: &'static str,
        /// What the crop must be a multiple of.
        multiple: u64,
        /// What it is.
        crop: u64,
    },
    /// A file that was rewritten while it was in use.
    #[error("`{}` has changed its shape since the training began", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}
