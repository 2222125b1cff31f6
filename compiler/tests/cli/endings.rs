//! How commands end when something ends them: signals, readers that go away, full disks, folders that cannot be written. The
//! exit status says what happened, and no file is there that is not complete.

#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use zellige_runtime::io;

use crate::fixtures;
use crate::folder::Folder;

/// A network on which a run takes minutes.
const SLOW: &str = "\
model slow(image: f32[1, 3, H, W]) -> (out: f32[1, 64, H, W]) {
    let x = image;
    for i in 0..40 { x = conv2d(x, out: 64, kernel: 3, pad: 1, name: \"c{i}\"); }
    return x;
}
";

/// A network whose output is large, and one whose weights are.
const LARGE: &str = "model large(image: f32[1, 3, H, W]) -> (out: f32[1, 3, 16*H, 16*W]) { return upsample(image, scale: 16); }";
const HEAVY: &str = "\
model heavy(image: f32[1, 512, H, W]) -> (out: f32[1, 512, H, W]) {
    let x = image;
    for i in 0..6 { x = conv2d(x, out: 512, kernel: 3, pad: 1, name: \"c{i}\"); }
    return x;
}
";

const INTERRUPTED: &str = "error[E0901]: interrupted; no incomplete output was left behind\n\n";

fn slow(folder: &Folder) -> Child {
    folder.write("slow.zlg", SLOW);
    io::write(&folder.path("large.png"), &fixtures::array(1, 3, 600, 600)).unwrap();
    let command = "run slow.zlg -i large.png -o out.npy --tile 16x16 --sram 1GiB --engine jit --threads 1";
    folder.command(command).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

/// Waits for the end, which comes soon; the status and what was said.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let asked = Instant::now();
    let status = child.wait().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(60));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (status.code(), stderr)
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    for (signals, status) in [(vec!["INT"], 130), (vec!["INT", "INT"], 130), (vec!["TERM"], 143)] {
        let folder = Folder::new();
        let child = slow(&folder);
        let before = folder.contents();
        std::thread::sleep(Duration::from_secs(2));
        for name in &signals {
            signal(&child, name);
        }
        assert_eq!(ended(child), (Some(status), INTERRUPTED.to_owned()), "{signals:?}");
        assert_eq!(folder.contents(), before);
    }
}

#[test]
fn a_signal_ends_what_does_not_look_for_it() {
    let folder = Folder::new();
    assert!(Command::new("mkfifo").arg(folder.path("pipe.zlg")).status().unwrap().success());
    for (name, status) in [("INT", 130), ("TERM", 143)] {
        // To open a pipe waits for its writer.
        let child = folder.command("dump pipe.zlg").stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        signal(&child, name);
        assert_eq!(ended(child), (Some(status), INTERRUPTED.to_owned()));
    }
}

/// Kills the command while it writes: when a file of the folder without a name, or with a temporary one, has grown.
fn killed_while_writing(folder: &Folder, command: &str) -> bool {
    let mut child = folder.command(command).stderr(Stdio::null()).spawn().unwrap();
    let home = fs::canonicalize(folder.path("")).unwrap();
    let descriptors = PathBuf::from(format!("/proc/{}/fd", child.id()));
    let writes = |descriptor: PathBuf| {
        let name = fs::read_link(&descriptor).unwrap_or_default();
        let temporary = name.to_string_lossy().ends_with(" (deleted)")
            || name.file_name().is_some_and(|n| n.to_string_lossy().starts_with(".zellige-"));
        temporary
            && name.starts_with(&home)
            && fs::metadata(descriptor).is_ok_and(|written| written.len() > 0)
    };
    while child.try_wait().unwrap().is_none() {
        if fs::read_dir(&descriptors).into_iter().flatten().flatten().any(|entry| writes(entry.path())) {
            child.kill().unwrap();
            return child.wait().unwrap().code().is_none();
        }
    }
    false
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_command_leaves_no_incomplete_file() {
    let folder = Folder::new();
    folder.write("large.zlg", LARGE);
    folder.write("heavy.zlg", HEAVY);
    io::write(&folder.path("photo.png"), &fixtures::array(1, 3, 200, 200)).unwrap();
    for (command, output) in [
        ("run large.zlg -i photo.png -o out.npy", "out.npy"),
        ("run large.zlg -i photo.png -o out.png", "out.png"),
        ("compile heavy.zlg -o heavy.zlp --bind H=8,W=8", "heavy.zlp"),
    ] {
        for earlier in [false, true] {
            if earlier {
                folder.write(output, "before");
            }
            // Writing may be over before it is seen.
            assert!((0..20).any(|_| killed_while_writing(&folder, command)), "{command}");
            assert_eq!(folder.path(output).exists(), earlier, "{command}");
            assert!(!earlier || folder.read(output) == b"before");
        }
        // A later run is as it would have been.
        folder.succeeds(command);
        assert!(folder.read(output).len() > 1 << 16);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_mistake() {
    let folder = Folder::with_fixtures();
    for command in [
        "--help",
        "dump blur.zlg",
        "explain",
        "plan blur.zlg --bind H=9,W=12",
        "compile blur.zlg -o - --bind H=9,W=12",
        "run blur.zlg -i photo.png -o out.png --stats -",
        "bench blur.zlp --repeat 1 --json",
    ] {
        let mut child =
            folder.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()), "{command}");
    }
    assert!(io::read(&folder.path("out.png"), &io::ReadOptions::default()).is_ok());
}

/// All that is written: the command, and the file.
const WRITERS: [(&str, &str); 7] = [
    ("run blur.zlg -i photo.png -o out.png", "out.png"),
    ("run blur.zlg -i photo.png -o out.npy", "out.npy"),
    ("run blur.zlg -i photo.png -o null.npy --stats out.json", "out.json"),
    ("compile blur.zlg -o out.zlp --bind H=9,W=12", "out.zlp"),
    ("compile blur.zlg -o out.zir --emit program --bind H=9,W=12", "out.zir"),
    ("dump blur.zlg -o out.json --format json", "out.json"),
    ("opt graph.zir --passes canonicalize -o out.zir", "out.zir"),
];

const TOO_LARGE: &str = "file too large";
const NO_SPACE: &str = "no space left on device";

/// Runs a line of shell in which `$ZELLIGE` is the command.
fn shell(folder: &Folder, script: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path("")).env("ZELLIGE", env!("CARGO_BIN_EXE_zellige")).args(["-c", script]);
    shell.output().unwrap()
}

/// Ended with status 2 and a diagnostic about writing, which gives this reason.
#[track_caller]
fn is_refused(output: &Output, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("error[E0002]: cannot write ") && said.ends_with(&format!(": {reason}\n\n")),
        "{said}"
    );
}

/// The disk is full where files may not grow: from the first byte on, or in the middle.
#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = Folder::with_fixtures();
    folder.succeeds("dump blur.zlg -o graph.zir");
    symlink("/dev/null", folder.path("null.npy")).unwrap();
    for (command, output) in WRITERS {
        for earlier in [false, true] {
            if earlier {
                folder.write(output, "before");
            }
            let before = folder.contents();
            is_refused(&shell(&folder, &format!("ulimit -f 0; exec $ZELLIGE {command}")), TOO_LARGE);
            assert_eq!(folder.contents(), before, "{command}");
            assert!(!earlier || folder.read(output) == b"before", "{command}");
        }
        fs::remove_file(folder.path(output)).unwrap();
    }
    folder.write("large.zlg", LARGE);
    let before = folder.contents();
    let command = "ulimit -f 64; exec $ZELLIGE run large.zlg -i photo.png -o out.npy";
    is_refused(&shell(&folder, command), TOO_LARGE);
    assert_eq!(folder.contents(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_may_be_full() {
    let folder = Folder::with_fixtures();
    for command in [
        "--help",
        "--version",
        "explain E0101",
        "dump blur.zlg",
        "plan blur.zlg --bind H=9,W=12",
        "compile blur.zlg -o - --bind H=9,W=12",
        "verify blur.zlg -i photo.png",
        "run blur.zlg -i photo.png -o out.png --stats -",
        "bench blur.zlp --repeat 1 --json",
    ] {
        let output = shell(&folder, &format!("exec $ZELLIGE {command} > /dev/full"));
        is_refused(&output, NO_SPACE);
    }
}

/// Of several outputs none appears if one cannot be written.
#[cfg(target_os = "linux")]
#[test]
fn outputs_appear_together() {
    let folder = Folder::with_fixtures();
    symlink("/dev/full", folder.path("full.npy")).unwrap();
    let before = folder.contents();
    let said = folder.fails("run two.zlg -i left=x.npy -i right=x.npy -o sum=s.npy -o product=full.npy");
    assert_eq!(said, format!("error[E0002]: cannot write `full.npy`: {NO_SPACE}\n\n"));
    assert_eq!(folder.contents(), before);
}

/// Small disks and disks that are not to be written, where they can be had.
#[cfg(target_os = "linux")]
#[test]
fn disks_may_be_small_or_locked() {
    let folder = Folder::with_fixtures();
    folder.write("large.zlg", LARGE);
    let on_disk = |options: &str, commands: &str| {
        let script = format!("mount -t tmpfs -o {options} none folder && {commands}");
        let mut shell = Command::new("unshare");
        shell.current_dir(folder.path("")).env("ZELLIGE", env!("CARGO_BIN_EXE_zellige"));
        shell.args(["--mount", "--map-root-user", "sh", "-c", &script]).output()
    };
    if !on_disk("size=64k", "true").is_ok_and(|tried| tried.status.success()) {
        return;
    }
    let run = "$ZELLIGE run large.zlg -i photo.png -o folder/out.npy; status=$?; ls -A folder; exit $status";
    let full = on_disk("size=64k", run).unwrap();
    is_refused(&full, NO_SPACE);
    assert!(full.stdout.is_empty());
    let kept = on_disk("size=64k", &format!("echo before > folder/out.npy; {run}")).unwrap();
    is_refused(&kept, NO_SPACE);
    assert_eq!(kept.stdout, b"out.npy\n");
    let locked = on_disk("ro", run).unwrap();
    is_refused(&locked, "read-only file system");
}

#[test]
fn a_folder_that_may_not_be_written_is_said_so() {
    let folder = Folder::with_fixtures();
    let locked = folder.path("folder");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    // Whoever may do everything is not kept out.
    if fs::write(locked.join("probe"), "").is_ok() {
        return;
    }
    let said = folder.fails("run blur.zlg -i photo.png -o folder/out.png");
    assert_eq!(said, "error[E0002]: cannot write `folder/out.png`: permission denied\n\n");
}

#[test]
fn help_lists_the_exit_statuses() {
    let help = Folder::new().succeeds("--help");
    let (_, statuses) = help.split_once("Exit statuses:\n").unwrap();
    let listed: Vec<_> = statuses.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(listed, ["0", "1", "2", "130", "143"]);
}
