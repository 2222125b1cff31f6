//! What `docs/tiling.md` and `docs/backward.md` say of their examples is what the compiler does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::snapshot;

const TARGET: &str = "docs/tiling/small.zlg --machine tiny --sram 128KiB";

/// The repository, whose paths the document's commands name.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> PathBuf {
    repository().join("docs").join(name)
}

/// What a command prints, standard output first.
fn printed(arguments: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zellige"));
    let output = command.current_dir(repository()).args(arguments.split_whitespace()).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// The text, with what its commands print below each.
fn with_output(text: &str) -> String {
    let mut result = String::new();
    let mut in_console = false;
    for line in text.lines() {
        let command = line.strip_prefix("$ zellige ");
        if in_console && command.is_none() && line != "```" {
            continue;
        }
        result += &format!("{line}\n");
        if in_console && let Some(arguments) = command {
            result += &format!("{}\n", printed(arguments).trim_end());
        }
        in_console = line == "```console" || in_console && line != "```";
    }
    result
}

/// Tensors of the only section, under a plan of the document.
fn tensors(plan: &str) -> serde_json::Map<String, Value> {
    let text =
        printed(&format!("dump {TARGET} --plan docs/tiling/{plan}.json --stage sections --format json"));
    let json: Value = serde_json::from_str(&text).unwrap();
    json["sections"][0]["tensors"].as_object().unwrap().clone()
}

/// The intervals of a step table, the first `n` of them, as the document writes them.
fn intervals(steps: &Value, n: usize) -> String {
    let list = |key: &str| steps[key].as_array().unwrap().clone();
    let shift = |interval: &Value, by: i64| {
        let (from, to) = interval.as_str().unwrap().split_once("..").unwrap();
        let [from, to] = [from, to].map(|n| n.parse::<i64>().unwrap() + by);
        format!("{from}..{to}").replace('-', "−")
    };
    let (period, repeats) = (list("period"), steps["repeats"].as_i64().unwrap());
    let advance = steps["advance"].as_i64().unwrap();
    let repeated = (0..repeats).flat_map(|r| period.iter().map(move |i| shift(i, r * advance)));
    let fixed = |key| list(key).iter().map(|i| shift(i, 0)).collect::<Vec<_>>();
    let all: Vec<_> =
        fixed("prologue").into_iter().chain(repeated).chain(fixed("epilogue")).take(n).collect();
    all.join(", ")
}

fn pair(value: &Value) -> String {
    format!("{} × {}", value[0], value[1])
}

/// Rows of the table of halos, and of that of frontiers.
fn rows() -> Vec<String> {
    let mut rows = Vec::new();
    for (name, t) in tensors("recompute") {
        if t["storage"] == "fused" {
            continue;
        }
        let zeroed = t["zero_out"]["border"][0].as_u64().unwrap_or(0);
        let (tile, overlap) = (pair(&t["tile"]), &t["overlap"][0]);
        let first = intervals(&t["steps"][0]["computed"], 2);
        let [extent, padded] = ["extent", "padded"].map(|key| pair(&t[key]));
        rows.push(format!("| `{name}` | {extent} | {first} | {tile} | {overlap} | {padded} | {zeroed} |"));
    }
    for (name, t) in tensors("reuse") {
        let stored = match t["storage"].as_str() {
            Some("fused") => continue,
            Some("ring") => {
                let [bytes, lanes] = ["bytes", "lanes"].map(|key| t["buffer"][key].as_u64().unwrap());
                format!("a ring of {} rows", bytes / (4 * lanes * t["tile"][1].as_u64().unwrap()))
            }
            _ => "a tile".to_owned(),
        };
        rows.push(format!("| `{name}` | {} | {stored} |", intervals(&t["steps"][0]["computed"], 4)));
    }
    rows
}

/// That a document shows the model of its example, and what its commands print.
fn check(name: &str, model: &str) -> String {
    let text = fs::read_to_string(document(name)).unwrap();
    let model = fs::read_to_string(document(model)).unwrap();
    assert!(text.contains(model.split_once('\n').unwrap().1), "docs/{name} shows another model");
    let failures: Vec<_> =
        snapshot::compare(&document(name), &with_output(&text)).err().into_iter().collect();
    snapshot::report(&failures);
    text
}

/// Holds a picture of a document against the command that the document draws it with.
fn check_picture(name: &str, picture: &str) {
    let text = fs::read_to_string(document(name)).unwrap();
    assert!(text.contains(&format!("]({picture})")), "docs/{name} does not show {picture}");
    let end = format!(" -o docs/{picture}");
    let command = |line: &'_ str| Some(line.strip_prefix("$ zellige ")?.strip_suffix(&end)?.to_owned());
    let drawn = printed(&text.lines().find_map(command).expect("the command stands in the document"));
    let failures: Vec<_> = snapshot::compare(&document(picture), &drawn).err().into_iter().collect();
    snapshot::report(&failures);
}

#[test]
fn the_worked_example_of_tiling_is_what_the_compiler_does() {
    let text = check("tiling.md", "tiling/small.zlg");
    let missing: Vec<_> = rows().into_iter().filter(|row| !text.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "docs/tiling.md has no row\n{}", missing.join("\n"));
}

#[test]
fn the_worked_example_of_gradients_is_what_the_compiler_does() {
    check("backward.md", "backward/small.zlg");
}

#[test]
fn the_picture_of_gradients_is_what_the_compiler_draws() {
    check_picture("backward.md", "images/backward.svg");
}
