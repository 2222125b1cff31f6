//! Data to train on: folders of images and arrays, and what a step sees of them.
//!
//! A folder has a folder for each tensor, named as the model's inputs and the loss's targets are, and files of one stem in all of
//! them make an item:
//!
//! ```text
//! DIR/image/0001.png    DIR/target/0001.npy
//! DIR/image/0002.png    DIR/target/0002.npy
//! ```
//!
//! What a step sees is a function of the seed and the step's number alone ([`Sampling`]): order, crops and augmentation are not
//! drawn one after the other, but asked of [`random`](crate::random) by position. To resume takes no more than the number.

mod error;
mod folders;
mod kept;
mod sampling;
mod turn;

use std::path::{Path, PathBuf};

use crate::io::{Array, Format, NpySource, ReadOptions, Window, WindowSource};
use crate::program::{Dims, Region};

pub use error::DataError;
pub use kept::Kept;
pub use sampling::{Sample, Sampling, Sizes};
pub use turn::Turn;

/// A tensor that each item has.
#[derive(Clone, Debug)]
pub struct TensorSource {
    /// Its name, and that of its folder.
    pub name: String,
    /// How its files are read.
    pub options: ReadOptions,
}

/// One or several tensors that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The stem of its files.
    pub name: String,
    /// A file of each tensor.
    pub files: Vec<PathBuf>,
    /// The shape of each tensor; one image each.
    pub dims: Vec<Dims>,
}

/// The items of a folder, in the order of their names.
#[derive(Clone, Debug)]
pub struct Dataset {
    sources: Vec<TensorSource>,
    items: Vec<Item>,
}

impl Dataset {
    /// The items, of which there is at least one.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// How many items there are, and some digits for their names and shapes: what a training that goes on should find again.
    pub fn summary(&self) -> String {
        let mut hasher = crc32fast::Hasher::new();
        for item in &self.items {
            hasher.update(&(item.name.len() as u64).to_le_bytes());
            hasher.update(item.name.as_bytes());
            let extents = item.dims.iter().flat_map(|dims| [dims.c, dims.h, dims.w]);
            extents.for_each(|extent| hasher.update(&extent.to_le_bytes()));
        }
        let items = if self.items.len() == 1 { "item" } else { "items" };
        format!("{} {items} ({:08x})", self.items.len(), hasher.finalize())
    }

    /// The shape of each tensor of a sample.
    ///
    /// # Panics
    ///
    /// If the sample is not of this dataset.
    pub fn dims(&self, sample: &Sample) -> Vec<Dims> {
        let cut = |(dims, region): (&Dims, &Region)| sample.turn.dims(cut(*dims, *region));
        self.items[sample.item].dims.iter().zip(&sample.regions).map(cut).collect()
    }

    /// The array file that a tensor of a sample is all of, as it lies there, if it is: to be read window by window.
    ///
    /// # Panics
    ///
    /// If the sample is not of this dataset.
    pub fn file(&self, sample: &Sample, tensor: usize) -> Option<&Path> {
        let item = &self.items[sample.item];
        let (path, dims) = (&item.files[tensor], item.dims[tensor]);
        let whole = cut(dims, sample.regions[tensor]) == dims && sample.turn == Turn::default();
        (whole && Format::of(path).ok() == Some(Format::Npy)).then_some(path)
    }

    /// The tensors of a sample. Images are decoded unless they are kept.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or has changed its shape.
    ///
    /// # Panics
    ///
    /// If the sample is not of this dataset.
    pub fn load(&self, sample: &Sample, kept: &mut Kept) -> Result<Vec<Array>, DataError> {
        (0..self.sources.len()).map(|tensor| self.tensor(sample, tensor, kept)).collect()
    }

    /// A tensor of a sample; errors and panics as of [`load`](Self::load).
    pub fn tensor(&self, sample: &Sample, tensor: usize, kept: &mut Kept) -> Result<Array, DataError> {
        let array = self.read(&self.items[sample.item], tensor, sample.regions[tensor], kept)?;
        Ok(sample.turn.of(array))
    }

    /// A part of a tensor.
    fn read(&self, item: &Item, tensor: usize, region: Region, kept: &mut Kept) -> Result<Array, DataError> {
        let (path, dims, options) = (&item.files[tensor], item.dims[tensor], &self.sources[tensor].options);
        let window = Window { image: 0, channels: 0..dims.c, region };
        let mut array = Array::zeros(cut(dims, region), options.limit)?;
        match Format::of(path)? {
            Format::Npy => {
                let source = NpySource::open(path)?;
                if source.dims() != dims {
                    return Err(DataError::Changed { path: path.clone() });
                }
                source.read(&window, &mut array.data)?;
            }
            Format::Png | Format::Jpeg => {
                kept.image(path, dims, options)?.read(&window, &mut array.data)?;
            }
        }
        Ok(array)
    }
}

/// The shape of a part.
fn cut(dims: Dims, region: Region) -> Dims {
    Dims { h: region.y.len() as u64, w: region.x.len() as u64, ..dims }
}

#[cfg(test)]
mod tests;
