//! Files without their final name yet.
//!
//! Where the file system can, a temporary file has no name at all (`O_TMPFILE`): whatever ends the process, `kill -9` included,
//! the system frees it. Elsewhere it has a random name, `.zellige-…`, in the folder of the final one. That name is removed by
//! whoever drops the file, and by [`remove_temporaries`] where a process is about to end without dropping anything. A `kill -9`
//! leaves it: no later run looks at it or draws the same name, so it takes disk space and nothing else.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, TempPath};

/// A file that is not visible under its final name.
pub(super) struct Temporary {
    file: File,
    /// None where the file has no name.
    name: Option<Name>,
}

impl Temporary {
    /// In the folder where the file will stand: names do not move between file systems.
    pub(super) fn beside(target: &Path) -> io::Result<Self> {
        match unnamed(folder(target)) {
            Some(file) => Ok(Self { file: file?, name: None }),
            None => Self::named(target),
        }
    }

    fn named(target: &Path) -> io::Result<Self> {
        let (file, path) = builder().tempfile_in(folder(target))?.into_parts();
        Ok(Self { file, name: Some(Name::new(path)) })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its final name, in the place of what has it.
    pub(super) fn persist(self, target: &Path) -> io::Result<()> {
        let name = match self.name {
            Some(name) => name,
            None => match link(&self.file, target) {
                // Links do not replace; names do.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let linked = builder().make_in(folder(target), |path| link(&self.file, path))?;
                    Name::new(linked.into_temp_path())
                }
                linked => return linked,
            },
        };
        name.persist(target)
    }
}

fn folder(target: &Path) -> &Path {
    target.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(".zellige-");
    // Temporary files are private by default; this one is to be like any other, as the umask says.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// A new file without a name, which can be given one; `None` where the file system does not know such files.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> Option<io::Result<File>> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use rustix::io::Errno;
    // The name is given by way of this folder.
    if !Path::new(DESCRIPTORS).is_dir() {
        return None;
    }
    match openat(CWD, folder, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::from_raw_mode(0o666)) {
        Ok(descriptor) => Some(Ok(descriptor.into())),
        // What file systems answer that do not know the flag.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => None,
        Err(error) => Some(Err(error.into())),
    }
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path) -> Option<io::Result<File>> {
    None
}

#[cfg(target_os = "linux")]
const DESCRIPTORS: &str = "/proc/self/fd";

#[cfg(target_os = "linux")]
fn link(file: &File, name: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;
    let descriptor = format!("{DESCRIPTORS}/{}", file.as_raw_fd());
    Ok(linkat(CWD, descriptor, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Names of temporary files that exist.
static NAMES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn names() -> MutexGuard<'static, Vec<PathBuf>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of all writing that is under way, whose destructors will not run: to be called right before the
/// process exits, by whoever ends it. Writing that goes on meanwhile fails.
pub fn remove_temporaries() {
    for name in names().drain(..) {
        // The process ends: nobody is left to be told.
        let _ = std::fs::remove_file(name);
    }
}

/// A temporary name, which is removed when it is dropped.
struct Name(TempPath);

impl Name {
    fn new(path: TempPath) -> Self {
        names().push(path.to_path_buf());
        Self(path)
    }

    fn persist(mut self, target: &Path) -> io::Result<()> {
        std::fs::rename(&self.0, target)?;
        self.0.disable_cleanup(true);
        Ok(())
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        names().retain(|name| **name != *self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    fn persisted(temporary: Temporary, target: &Path) {
        temporary.file().write_all(b"whole").unwrap();
        temporary.persist(target).unwrap();
        assert_eq!(fs::read(target).unwrap(), b"whole");
        assert_eq!(count(folder(target)), 1);
    }

    #[test]
    fn both_kinds_take_a_free_name_and_one_that_is_taken() {
        for make in [Temporary::beside, Temporary::named] {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("a");
            persisted(make(&target).unwrap(), &target);
            fs::write(&target, "before").unwrap();
            persisted(make(&target).unwrap(), &target);
        }
    }

    #[test]
    fn both_kinds_vanish_when_dropped() {
        for make in [Temporary::beside, Temporary::named] {
            let folder = tempfile::tempdir().unwrap();
            drop(make(&folder.path().join("a")).unwrap());
            assert_eq!(count(folder.path()), 0);
        }
    }

    #[test]
    fn what_cannot_take_its_name_vanishes() {
        for make in [Temporary::beside, Temporary::named] {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("a");
            fs::create_dir(&target).unwrap();
            assert!(make(&target).unwrap().persist(&target).is_err());
            assert_eq!(count(folder.path()), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn both_kinds_have_the_permissions_of_any_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |file: &File| file.metadata().unwrap().permissions().mode();
        let plain = mode(&File::create(folder.path().join("plain")).unwrap());
        for make in [Temporary::beside, Temporary::named] {
            assert_eq!(mode(make(&folder.path().join("a")).unwrap().file()), plain);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_temporary_file_has_no_name_where_that_can_be() {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() && Path::new(DESCRIPTORS).is_dir() {
            assert!(unnamed(memory).unwrap().is_ok());
        }
        assert!(unnamed(Path::new("/sys")).is_none_or(|file| file.is_err()));
    }
}
