//! Which files belong together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{DataError, Dataset, Item, TensorSource};
use crate::io::{Format, IoError, read_dims};
use crate::program::Dims;

impl Dataset {
    /// Looks for the files of each tensor in the folder `directory/NAME`, and reads their headers. Hidden files and folders within
    /// are not looked at.
    ///
    /// # Errors
    ///
    /// If a folder is missing or empty, a file has no partner or is not of a known format, or an array is not of one image.
    pub fn open(directory: &Path, sources: &[TensorSource]) -> Result<Self, DataError> {
        let folders: Vec<PathBuf> = sources.iter().map(|source| directory.join(&source.name)).collect();
        if let Some(folder) = folders.iter().find(|folder| !folder.exists()) {
            let names = sources.iter().map(|source| source.name.clone()).collect();
            return Err(DataError::NoFolder { folder: folder.clone(), names });
        }
        let listed = folders.iter().map(|folder| list(folder)).collect::<Result<Vec<_>, _>>()?;
        let (first, others) = listed.split_first().ok_or(DataError::NoTensors)?;
        for (files, folder) in others.iter().zip(&folders[1..]) {
            alone(first, files, folder)?;
            alone(files, first, &folders[0])?;
        }
        let item = |stem: &OsString| {
            let files: Vec<PathBuf> = listed.iter().filter_map(|files| files.get(stem).cloned()).collect();
            let dims = files.iter().zip(sources).map(|(file, source)| {
                let dims = read_dims(file, &source.options)?;
                one_image(file, dims)
            });
            let dims = dims.collect::<Result<_, DataError>>()?;
            Ok(Item { name: stem.to_string_lossy().into_owned(), files, dims })
        };
        let items = first.keys().map(item).collect::<Result<_, DataError>>()?;
        Ok(Self { sources: sources.to_vec(), items })
    }
}

/// The files of a folder by stem, in the order of the stems' bytes.
fn list(folder: &Path) -> Result<BTreeMap<OsString, PathBuf>, DataError> {
    let in_folder = |e: std::io::Error| IoError::from(e).in_file(folder);
    let mut files: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(in_folder)? {
        let path = entry.map_err(in_folder)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden || path.is_dir() {
            continue;
        }
        Format::of(&path).map_err(|e| e.in_file(&path))?;
        let stem = path.file_stem().unwrap_or_default().to_owned();
        if let Some(other) = files.insert(stem, path.clone()) {
            // In the order of their names, not in that of the file system.
            let (first, second) = if other < path { (other, path) } else { (path, other) };
            return Err(DataError::SameStem { first, second });
        }
    }
    if files.is_empty() { Err(DataError::Empty { folder: folder.to_owned() }) } else { Ok(files) }
}

/// The first file that has no partner, as an error.
fn alone(
    files: &BTreeMap<OsString, PathBuf>,
    partners: &BTreeMap<OsString, PathBuf>,
    folder: &Path,
) -> Result<(), DataError> {
    match files.iter().find(|(stem, _)| !partners.contains_key(*stem)) {
        Some((_, file)) => Err(DataError::NoPartner { file: file.clone(), folder: folder.to_owned() }),
        None => Ok(()),
    }
}

fn one_image(file: &Path, dims: Dims) -> Result<Dims, DataError> {
    let shape = [dims.n, dims.c, dims.h, dims.w];
    if dims.n == 1 && !shape.contains(&0) {
        return Ok(dims);
    }
    Err(DataError::NotOneImage { file: file.to_owned(), shape })
}
