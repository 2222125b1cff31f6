//! Files that appear complete or not at all.
//!
//! A file is written under no name, or a temporary one ([`temporary`](super::temporary)), flushed to the disk, and only then
//! given its final name, in one step. So whatever happens before (a full disk, an error, a panic, `kill -9`, a loss of power),
//! what stood there before still does; and what a disk says late, as remote ones do, is heard in time. Nothing is written
//! through a mapping, where a full disk would be a signal and not an error.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::IoError;
use super::temporary::Temporary;

/// A file in the making: it appears under its name when it is committed, and never if it is dropped before.
///
/// A link is followed; what is there but is not a file (a device, a pipe) is written directly.
pub struct NewFile {
    /// As the caller knows it.
    path: PathBuf,
    state: State,
}

enum State {
    Direct(File),
    Temporary { temporary: Temporary, target: PathBuf, permissions: Option<Permissions> },
}

impl NewFile {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// If there is no such folder, it may not be written, or a folder has that name.
    pub fn create(path: &Path) -> Result<Self, IoError> {
        let state = begin(path).map_err(|e| IoError::from(e).in_file(path))?;
        Ok(Self { path: path.to_owned(), state })
    }

    /// What the contents are written to.
    pub fn file(&self) -> &File {
        match &self.state {
            State::Direct(file) => file,
            State::Temporary { temporary, .. } => temporary.file(),
        }
    }

    /// Gives the file its name, in the place of what has it; it keeps the permissions of that.
    ///
    /// # Errors
    ///
    /// If the contents cannot reach the disk, or the name cannot be given. Then the file is gone.
    pub fn commit(self) -> Result<(), IoError> {
        finish(self.state).map_err(|e| IoError::from(e).in_file(&self.path))
    }

    /// Writes the contents by way of a buffer.
    pub(super) fn fill<T>(
        &self,
        write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, IoError>,
    ) -> Result<T, IoError> {
        let mut writer = BufWriter::with_capacity(1 << 16, self.file());
        let written = write(&mut writer).and_then(|value| {
            writer.flush()?;
            Ok(value)
        });
        // A buffer that could not be written is not tried again when it is dropped.
        let _ = writer.into_parts();
        written.map_err(|e| e.in_file(&self.path))
    }
}

fn begin(path: &Path) -> io::Result<State> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let old = target.metadata().ok();
    match old {
        Some(old) if old.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Some(old) if !old.is_file() => Ok(State::Direct(File::options().write(true).open(target)?)),
        old => {
            let temporary = Temporary::beside(&target)?;
            Ok(State::Temporary { temporary, target, permissions: old.map(|old| old.permissions()) })
        }
    }
}

fn finish(state: State) -> io::Result<()> {
    let State::Temporary { temporary, target, permissions } = state else { return Ok(()) };
    if let Some(permissions) = permissions {
        temporary.file().set_permissions(permissions)?;
    }
    match temporary.file().sync_data() {
        // There are file systems that have nothing to flush to.
        Err(error) if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            return Err(error);
        }
        _ => {}
    }
    temporary.persist(&target)
}

/// Writes a file that appears once `write` has succeeded, and not at all if it fails or panics.
pub fn write_atomically<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, IoError>,
) -> Result<T, IoError> {
    let file = NewFile::create(path)?;
    let value = file.fill(write)?;
    file.commit()?;
    Ok(value)
}

/// Whether a [`NewFile`] could begin: to be asked before long work, lest it be in vain.
pub fn can_write(path: &Path) -> Result<(), IoError> {
    match path.metadata() {
        // To open a pipe would wait for its reader.
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Ok(()),
        _ => NewFile::create(path).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        for text in ["first", "2nd"] {
            write_atomically(&path, |file| Ok(file.write_all(text.as_bytes())?)).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(directory.path()), ["a"]);
        }
    }

    #[test]
    fn failure_and_panic_leave_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "before").unwrap();
        let failed = write_atomically(&path, |file| {
            file.write_all(b"half")?;
            Err::<(), _>(IoError::Truncated)
        });
        assert!(matches!(failed, Err(IoError::File { .. })));
        let panicked = std::panic::catch_unwind(|| {
            write_atomically(&path, |_| -> Result<(), _> { std::panic::resume_unwind(Box::new(())) })
        });
        assert!(panicked.is_err());
        assert_eq!(names(directory.path()), ["a"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    }

    #[test]
    fn what_can_be_written_is_told_beforehand() {
        let directory = tempfile::tempdir().unwrap();
        assert!(can_write(&directory.path().join("new")).is_ok());
        assert!(can_write(directory.path()).is_err());
        assert!(can_write(&directory.path().join("no/file")).is_err());
        assert!(names(directory.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_kept() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "before").unwrap();
        symlink(&file, &link).unwrap();
        write_atomically(&link, |w| Ok(w.write_all(b"after")?)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        assert!(link.symlink_metadata().unwrap().is_symlink());

        write_atomically(Path::new("/dev/null"), |w| Ok(w.write_all(b"gone")?)).unwrap();
        assert!(Path::new("/dev/null").metadata().unwrap().file_type().is_char_device());
        assert!(write_atomically(directory.path(), |_| Ok(())).is_err());
        assert!(write_atomically(&directory.path().join("no/file"), |_| Ok(())).is_err());
    }
}
