//! A folder in which the command runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A temporary folder.
pub(crate) struct Folder(TempDir);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    /// Empty.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With all of the fixtures.
    pub(crate) fn with_fixtures() -> Self {
        let folder = Self::new();
        for entry in fs::read_dir(crate::fixtures::folder()).unwrap() {
            let from = entry.unwrap().path();
            let to = folder.path(from.file_name().unwrap().to_str().unwrap());
            if from.is_dir() {
                fs::create_dir(to).unwrap();
            } else {
                fs::copy(from, to).unwrap();
            }
        }
        folder
    }

    /// A file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// Bytes of a file.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Paths of all that is in it.
    pub(crate) fn contents(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                found.insert(path);
            }
        }
        found
    }

    /// The command, to be run in the folder.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_zellige")));
        command.current_dir(self.0.path()).args(arguments.split_whitespace());
        command
    }

    /// Runs the command.
    pub(crate) fn run(&self, arguments: &str) -> Ended {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ended { status: status.code(), stdout: text(&stdout), stderr: text(&stderr) }
    }

    /// Runs the command, which succeeds and says nothing on standard error; gives its standard output.
    #[track_caller]
    pub(crate) fn succeeds(&self, arguments: &str) -> String {
        let ended = self.run(arguments);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "zellige {arguments}");
        ended.stdout
    }

    /// Runs the command, which fails with status 2; gives its standard error.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &str) -> String {
        let ended = self.run(arguments);
        assert_eq!(
            (ended.status, ended.stdout.as_str()),
            (Some(2), ""),
            "zellige {arguments}: {}",
            ended.stderr
        );
        ended.stderr
    }
}
