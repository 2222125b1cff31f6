//! Mistakes, and what is said about them.
//!
//! A case is a file `../errors/GROUP/NAME.txt`:
//!
//! ```text
//! $ run m.zlg -i photo.png -o out.png
//! --- m.zlg
//! model m(…) …
//! --- stderr
//! error[E0201]: …
//! ```
//!
//! All commands but the last succeed. The last ends with status 2, says this on standard error and nothing on standard output,
//! and leaves no file behind. Beside the files of the case there are the fixtures.

use std::fs;
use std::path::Path;

use crate::folder::Folder;
use crate::snapshot;

#[test]
fn mistakes_are_explained() {
    let cases = snapshot::files(&snapshot::folder("errors"), "txt");
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let failures: Vec<String> = cases.iter().filter_map(|path| check(path).err()).collect();
    snapshot::report(&failures);
}

struct Case<'a> {
    commands: Vec<&'a str>,
    files: Vec<(&'a str, &'a str)>,
}

fn parse(text: &str) -> Case<'_> {
    let mut parts = text.split("--- ");
    let commands = parts.next().unwrap_or_default().lines().filter_map(|l| l.strip_prefix("$ ")).collect();
    let files =
        parts.filter_map(|part| part.split_once('\n')).filter(|(name, _)| *name != "stderr").collect();
    Case { commands, files }
}

fn check(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let case = parse(&text);
    let fail = |what: String| Err(format!("{}: {what}", path.display()));
    let folder = Folder::with_fixtures();
    for (name, contents) in &case.files {
        folder.write(name, contents);
    }
    let Some((last, before)) = case.commands.split_last() else { return fail("no command".to_owned()) };
    for command in before {
        let ended = folder.run(command);
        if ended.status != Some(0) {
            return fail(format!("`{command}` fails: {}", ended.stderr));
        }
    }
    let contents = folder.contents();
    let ended = folder.run(last);
    if ended.status != Some(2) || !ended.stdout.is_empty() {
        return fail(format!("ends with {:?}: {}{}", ended.status, ended.stdout, ended.stderr));
    }
    if let Some(left) = folder.contents().difference(&contents).next() {
        return fail(format!("leaves {} behind", left.display()));
    }
    let kept = text.split("--- stderr").next().unwrap_or_default();
    let newline = if kept.ends_with('\n') { "" } else { "\n" };
    snapshot::compare(path, &format!("{kept}{newline}--- stderr\n{}", ended.stderr))
}
