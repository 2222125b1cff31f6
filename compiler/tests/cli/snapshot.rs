//! Texts that are expected, in files.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the expected texts are.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// Files below a folder whose names end so, in order.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether what is found becomes what is expected.
pub(crate) fn updating() -> bool {
    env::var_os("UPDATE_EXPECT").is_some()
}

/// Holds a text against the file where it is expected.
pub(crate) fn compare(path: &Path, found: &str) -> Result<(), String> {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == found {
        return Ok(());
    }
    if updating() {
        fs::write(path, found).unwrap();
        return Ok(());
    }
    let line = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
    let [was, is] = [&expected, found].map(|t| t.lines().nth(line).unwrap_or("(the end)"));
    Err(format!("{}:{}\n  expected: {was}\n  found:    {is}", path.display(), line + 1))
}

/// Reports all of the failures at once.
#[track_caller]
pub(crate) fn report(failures: &[String]) {
    let hint = "UPDATE_EXPECT=1 makes what is found what is expected";
    assert!(failures.is_empty(), "{} failures; {hint}\n{}", failures.len(), failures.join("\n"));
}
