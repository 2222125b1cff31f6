//! Files that appear complete or not at all.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use super::IoError;

/// Writes a file by way of a temporary name in the same directory, which becomes `path` once `write` has succeeded. If it fails
/// or panics, the temporary file is removed, and what was there before stays.
///
/// A link is followed; what is there but is not a file (a device, a pipe) is written directly.
pub fn write_atomically<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, IoError>,
) -> Result<T, IoError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let old = target.metadata().ok();
    let written = match &old {
        Some(metadata) if !metadata.is_file() => write_directly(&target, write),
        _ => write_and_rename(&target, old.as_ref(), write),
    };
    written.map_err(|e| e.in_file(path))
}

/// Whether [`write_atomically`] could begin: to be asked before long work, lest it be in vain.
pub fn can_write(path: &Path) -> Result<(), IoError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let probed = match target.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        // To open a pipe would wait for its reader.
        Ok(metadata) if !metadata.is_file() => Ok(()),
        _ => temporary_beside(&target).map(drop),
    };
    probed.map_err(|e| IoError::from(e).in_file(path))
}

fn write_directly<T>(
    target: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, IoError>,
) -> Result<T, IoError> {
    write_buffered(&File::options().write(true).open(target)?, write)
}

fn write_and_rename<T>(
    target: &Path,
    old: Option<&Metadata>,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, IoError>,
) -> Result<T, IoError> {
    let temporary = temporary_beside(target)?;
    let value = write_buffered(temporary.as_file(), write)?;
    if let Some(old) = old {
        fs::set_permissions(temporary.path(), old.permissions())?;
    }
    temporary.persist(target).map_err(|e| e.error)?;
    Ok(value)
}

fn temporary_beside(target: &Path) -> io::Result<NamedTempFile> {
    let directory = target.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = Builder::new();
    builder.prefix(".zellige-");
    // Temporary files are private by default; this one is to be like any other, as the umask says.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(directory)
}

fn write_buffered<T>(
    file: &File,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, IoError>,
) -> Result<T, IoError> {
    let mut writer = BufWriter::with_capacity(1 << 16, file);
    let value = write(&mut writer)?;
    writer.flush()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
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
