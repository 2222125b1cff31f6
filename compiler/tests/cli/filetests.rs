//! IR, and what a command makes of it.
//!
//! A case is a file `../filetests/PASS/NAME.zir`, whose first line is a command without the file's name, and the standard output
//! beside it in `NAME.expected`. With `opt`, every pass is followed by the verifier and the print/parse round trip.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use zellige_compiler::passes::PIPELINE;

use crate::folder::Folder;
use crate::snapshot;

#[test]
fn passes_do_what_is_expected() {
    let cases = snapshot::files(&snapshot::folder("filetests"), "zir");
    let failures: Vec<String> = cases.iter().filter_map(|path| check(path).err()).collect();
    snapshot::report(&failures);
}

#[test]
fn every_pass_has_several_cases() {
    for pass in PIPELINE {
        let cases = snapshot::files(&snapshot::folder("filetests").join(pass.name), "zir");
        assert!(cases.len() >= 2, "{} has {} cases", pass.name, cases.len());
    }
}

#[test]
fn every_expected_text_has_a_case() {
    let folder = snapshot::folder("filetests");
    let [cases, expected] = ["zir", "expected"].map(|extension| {
        let files = snapshot::files(&folder, extension);
        files.iter().map(|f| f.with_extension("")).collect::<BTreeSet<_>>()
    });
    assert_eq!(cases, expected);
}

fn check(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let fail = |what: String| Err(format!("{}: {what}", path.display()));
    let Some(command) = text.lines().next().and_then(|line| line.strip_prefix("// ")) else {
        return fail("the first line is no command".to_owned());
    };
    let (name, options) = command.split_once(' ').unwrap_or((command, ""));
    let verify = if name == "opt" { "--verify-each" } else { "" };
    let folder = Folder::new();
    folder.write("m.zir", &text);
    let ended = folder.run(&format!("{name} m.zir {verify} {options}"));
    if ended.status != Some(0) || !ended.stderr.is_empty() {
        return fail(format!("ends with {:?}: {}", ended.status, ended.stderr));
    }
    snapshot::compare(&path.with_extension("expected"), &ended.stdout)
}
