//! The repository's rules: who imports whom, and what files look like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file.
const MOST_LINES: usize = 800;

/// Crates of the workspace that a crate may use.
const CRATES: &[(&str, &[&str])] = &[
    ("grammar", &[]),
    ("runtime", &[]),
    ("compiler", &["grammar", "runtime"]),
    ("tests", &["grammar", "runtime", "compiler"]),
    ("fuzz", &["runtime", "tests"]),
];

/// Modules of the compiler that a module may use, and modules of the runtime. The command stands apart: it is another crate.
const COMPILER: &[(&str, &[&str], &[&str])] = &[
    ("base", &[], &[]),
    // Ops know the instructions that they become and the expressions that they are.
    ("ops", &["base"], &["program", "scalar"]),
    ("ir", &["base", "ops"], &["program", "scalar", "machine", "exact"]),
    ("front", &["base", "ops", "ir"], &["optimizer"]),
    ("analysis", &["base", "ops", "ir"], &["program", "scalar", "machine", "exact", "memory", "weights"]),
    ("passes", &["base", "ops", "ir", "analysis"], &["program", "scalar", "machine"]),
    // An independent proof shares no code with what it checks.
    ("check", &["base", "ops", "ir"], &["program", "scalar"]),
    (
        "driver",
        &["base", "ops", "ir", "front", "analysis", "passes", "check"],
        &["program", "machine", "io", "engine", "optimizer", "random", "checkpoint"],
    ),
    ("draw", &["base", "ops", "ir", "driver"], &["program"]),
];

/// What the checker must not ask, though it may import the modules that answer: intervals, instructions and verifiers of others.
const NOT_ASKED: &[&str] =
    &[".lower(", ".reads(", "as_instruction", "program::verify", "ir::verify", "Sections", ".place("];

/// Modules of the runtime that a module may use.
const RUNTIME: &[(&str, &[&str])] = &[
    ("scalar", &[]),
    ("machine", &[]),
    ("program", &["scalar", "machine"]),
    ("memory", &["program"]),
    ("exact", &["program", "memory"]),
    ("random", &[]),
    ("optimizer", &["exact", "random"]),
    ("weights", &["program"]),
    ("io", &["program"]),
    ("checkpoint", &["io", "optimizer"]),
    ("dataset", &["random", "program", "io"]),
    ("curve", &["io"]),
    ("kernels", &["scalar", "program", "memory", "exact", "random", "weights"]),
    ("jit", &["scalar", "program", "memory", "exact", "random"]),
    ("engine", &["scalar", "machine", "program", "memory", "exact", "weights", "io", "kernels", "jit"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// Files under a folder that end in one of the extensions, in order; build products and hidden files apart.
fn files(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut entries: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            files(&path, extensions, found);
        } else if path.extension().and_then(|e| e.to_str()).is_some_and(|e| extensions.contains(&e)) {
            found.push(path);
        }
    }
}

/// Rust files of a folder of the repository, with their paths from it.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&root().join(folder), &["rs"], &mut found);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("sources are UTF-8");
        (path.strip_prefix(root()).expect("it was listed there").to_owned(), text)
    };
    found.into_iter().map(read).collect()
}

/// Whether a file is compiled for tests alone.
fn is_test(path: &Path) -> bool {
    let is = |name: &str| ["tests", "testing", "fixtures", "benches"].contains(&name);
    path.with_extension("").iter().any(|part| part.to_str().is_some_and(is))
}

/// What a file's code names, tests and comments apart: the path segments that follow `prefix`.
fn named_after<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut names = BTreeSet::new();
    for line in code {
        for (at, _) in line.match_indices(prefix) {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &line[at + prefix.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            // Helpers of tests are not there otherwise.
            if !["testing", "fixtures"].contains(&&rest[..end]) {
                names.insert(&rest[..end]);
            }
        }
    }
    names
}

/// The module that a file belongs to: the first part of its path within `src`, unless that is the crate's root.
fn module<'a>(path: &'a Path, krate: &str) -> Option<&'a str> {
    let mut parts = path.strip_prefix(krate).ok()?.strip_prefix("src").ok()?.iter();
    let first = parts.next()?.to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "bin", "main"].contains(&name)).then_some(name)
}

#[test]
fn crates_import_one_way() {
    for (krate, allowed) in CRATES {
        for (path, text) in sources(krate) {
            for other in
                CRATES.iter().map(|(name, _)| *name).filter(|name| name != krate && !allowed.contains(name))
            {
                assert!(!text.contains(&format!("zellige_{other}")), "{}: uses {other}", path.display());
            }
        }
    }
}

#[test]
fn modules_of_the_compiler_import_one_way() {
    for (path, text) in sources("compiler/src") {
        let Some(name) = module(&path, "compiler").filter(|_| !is_test(&path)) else { continue };
        let row = COMPILER.iter().find(|(module, ..)| *module == name);
        let (own, runtime): (&[&str], &[&str]) = match row {
            Some((_, own, runtime)) => (own, runtime),
            None => panic!("{}: module `{name}` has no row in the table of imports", path.display()),
        };
        for used in named_after(&text, "crate::") {
            assert!(used == name || own.contains(&used), "{}: `{name}` imports `{used}`", path.display());
        }
        for used in named_after(&text, "zellige_runtime::") {
            assert!(runtime.contains(&used), "{}: `{name}` imports the runtime's `{used}`", path.display());
        }
    }
}

#[test]
fn the_checker_shares_no_code_with_what_it_checks() {
    for (path, text) in sources("compiler/src/check") {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let asked = NOT_ASKED.iter().find(|what| line.contains(**what));
            assert!(asked.is_none(), "{}: {line}", path.display());
        }
    }
}

#[test]
fn modules_of_the_runtime_import_one_way() {
    for (path, text) in sources("runtime/src") {
        let Some(name) = module(&path, "runtime").filter(|_| !is_test(&path)) else { continue };
        let row = RUNTIME.iter().find(|(module, _)| *module == name);
        let (_, allowed) = row.unwrap_or_else(|| {
            panic!("{}: module `{name}` has no row in the table of imports", path.display())
        });
        for used in named_after(&text, "crate::") {
            assert!(used == name || allowed.contains(&used), "{}: `{name}` imports `{used}`", path.display());
        }
    }
}

#[test]
fn the_tables_have_no_cycles() {
    // A row's imports stand in rows before it.
    let before = |rows: &[(&str, &[&str])]| {
        for (i, (name, imports)) in rows.iter().enumerate() {
            for import in *imports {
                assert!(
                    rows[..i].iter().any(|(earlier, _)| earlier == import),
                    "`{name}` imports `{import}`"
                );
            }
        }
    };
    before(RUNTIME);
    before(&COMPILER.iter().map(|&(name, own, _)| (name, own)).collect::<Vec<_>>());
    for [one, other] in [["kernels", "jit"], ["jit", "kernels"]] {
        let (_, imports) = RUNTIME.iter().find(|(name, _)| *name == one).expect("it is a module");
        assert!(!imports.contains(&other), "the engines check each other: they share no code");
    }
}

#[test]
fn files_have_one_subject() {
    for krate in CRATES.iter().map(|(name, _)| name) {
        for (path, text) in sources(krate) {
            let lines = text.lines().count();
            assert!(lines <= MOST_LINES, "{}: {lines} lines, more than {MOST_LINES}", path.display());
        }
    }
}

#[test]
fn nothing_is_left_to_do() {
    let left = ["to\u{64}o!(", "db\u{67}!(", "unimplemente\u{64}!(", "FIXM\u{45}", "XX\u{58}"];
    for krate in CRATES.iter().map(|(name, _)| name) {
        for (path, text) in sources(krate) {
            for what in left {
                assert!(!text.contains(what), "{}: {what}", path.display());
            }
        }
    }
}

/// Text that holds on any machine names no place of the one that it was written on.
#[test]
fn no_file_names_a_place_of_one_machine() {
    let places = ["/wor\u{6b}/", "/hom\u{65}/", "/roo\u{74}/", "/Use\u{72}s/"];
    let mut paths = Vec::new();
    files(
        root(),
        &["rs", "toml", "md", "py", "zlg", "zir", "lalrpop", "yml", "yaml", "sh", "txt", "json"],
        &mut paths,
    );
    for path in paths {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for place in places {
            assert!(!text.contains(place), "{}: names {place}", path.display());
        }
    }
}
