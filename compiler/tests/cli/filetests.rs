//! IR, and what a command makes of it.
//!
//! A case is a file `../filetests/PASS/NAME.zir`, whose first line is a command without the file's name, and the standard output
//! beside it in `NAME.expected`. With `opt`, every pass is followed by the verifier and the print/parse round trip.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
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

/// The example of the documentation: an image of 32 x 32, two 3 x 3 convolutions padded by 1, output in 2 x 2 tiles of 16 x 16.
#[test]
fn two_convolutions_have_the_geometry_that_a_hand_finds() {
    let folder = Folder::new();
    let case = snapshot::folder("filetests/allocate/two_convolutions.zir");
    folder.write("m.zir", fs::read(case).unwrap());
    folder.succeeds("opt m.zir --passes tile,pad,overlap,allocate -o s.zir");
    let metadata: Value = serde_json::from_str(&folder.succeeds("dump s.zir --format json")).unwrap();
    let section = &metadata["sections"][0];
    assert_eq!(section["grid"], json!([2, 2]));
    let tensors = &section["tensors"];
    for (name, padded, tile, overlap, zeroed) in
        [("image", 36, 20, 4, Some(1)), ("a", 34, 18, 2, Some(1)), ("b", 32, 16, 0, None)]
    {
        let tensor = &tensors[name];
        assert_eq!(tensor["padded"], json!([padded, padded]), "{tensor:#}");
        assert_eq!(tensor["tile"], json!([tile, tile]), "{tensor:#}");
        assert_eq!(tensor["overlap"], json!([overlap, overlap]), "{tensor:#}");
        let border = zeroed.map_or(Value::Null, |n: u64| json!([n, n, n, n]));
        assert_eq!(tensor["zero_out"]["border"], border, "{tensor:#}");
    }
}
