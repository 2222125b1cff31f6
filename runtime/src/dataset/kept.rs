//! Images that stay in memory once they are decoded.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DataError;
use crate::io::{Array, ReadOptions, read};
use crate::program::Dims;

/// Decoded images of files, as many as there is room for. Those that were asked for last stay.
#[derive(Debug, Default)]
pub struct Kept {
    /// Bytes that they may take.
    room: u64,
    /// Bytes that they take.
    taken: u64,
    /// Questions so far.
    asked: u64,
    /// Each with the question that it answered last.
    images: HashMap<PathBuf, (u64, Arc<Array>)>,
}

impl Kept {
    /// Says how many bytes they may take from now on: none, before it is said.
    pub fn set_room(&mut self, bytes: u64) {
        self.room = bytes;
        self.leave(0);
    }

    /// The image of a file, of the given shape.
    pub(super) fn image(
        &mut self,
        path: &Path,
        dims: Dims,
        options: &ReadOptions,
    ) -> Result<Arc<Array>, DataError> {
        self.asked += 1;
        if let Some((asked, image)) = self.images.get_mut(path) {
            *asked = self.asked;
            return Ok(image.clone());
        }
        let Dims { n, c, h, w } = dims;
        let bytes = [n, c, h, w].into_iter().fold(4, u64::saturating_mul);
        let fits = bytes <= self.room;
        if fits {
            // Before it is decoded: never are there more than may be.
            self.leave(bytes);
        }
        let image = Arc::new(read(path, options)?);
        if image.dims != dims {
            return Err(DataError::Changed { path: path.to_owned() });
        }
        if fits {
            self.taken += bytes;
            self.images.insert(path.to_owned(), (self.asked, image.clone()));
        }
        Ok(image)
    }

    /// Forgets images until there is room for so many bytes.
    fn leave(&mut self, bytes: u64) {
        while self.taken > self.room - bytes {
            let oldest = self.images.iter().min_by_key(|(_, (asked, _))| *asked);
            let Some(path) = oldest.map(|(path, _)| path.clone()) else { break };
            if let Some((_, image)) = self.images.remove(&path) {
                self.taken -= 4 * image.data.len() as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Channels, write};

    const DIMS: Dims = Dims { n: 1, c: 1, h: 2, w: 3 };
    const BYTES: u64 = 24;

    #[test]
    fn those_asked_for_last_stay_as_far_as_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(format!("{name}.png"));
        for (i, name) in ["a", "b", "c"].into_iter().enumerate() {
            write(&path(name), &Array { dims: DIMS, data: vec![i as f32 / 5.0; 6] }).unwrap();
        }
        let mut kept = Kept::default();
        let options = ReadOptions { channels: Channels::Grey, ..ReadOptions::default() };
        let ask = |kept: &mut Kept, name: &str| kept.image(&path(name), DIMS, &options).unwrap();
        let names = |kept: &Kept| {
            let mut names: Vec<_> = kept.images.keys().map(|p| p.file_stem().unwrap().to_owned()).collect();
            names.sort();
            assert_eq!(kept.taken, BYTES * names.len() as u64);
            names
        };
        ask(&mut kept, "a");
        assert!(names(&kept).is_empty());
        kept.set_room(2 * BYTES + 1);
        let a = ask(&mut kept, "a");
        ask(&mut kept, "b");
        assert_eq!(ask(&mut kept, "a"), a);
        assert_eq!(ask(&mut kept, "c").data, [0.4; 6]);
        assert_eq!(names(&kept), ["a", "c"]);
        kept.set_room(BYTES);
        assert_eq!(names(&kept), ["c"]);
        kept.set_room(BYTES - 1);
        assert!(names(&kept).is_empty());
        ask(&mut kept, "b");
        assert!(names(&kept).is_empty());
    }
}
