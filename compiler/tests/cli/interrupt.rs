//! Ctrl-C, readers that go away, and folders that cannot be written.

#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
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

fn slow(folder: &Folder) -> Child {
    folder.write("slow.zlg", SLOW);
    io::write(&folder.path("large.png"), &fixtures::array(1, 3, 600, 600)).unwrap();
    let command = "run slow.zlg -i large.png -o out.npy --tile 16x16 --sram 1GiB --engine jit --threads 1";
    folder.command(command).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let folder = Folder::new();
    let mut child = slow(&folder);
    let before = folder.contents();
    std::thread::sleep(Duration::from_secs(2));
    let asked = Instant::now();
    interrupt(&child);
    let status = child.wait().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(30));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert_eq!(stderr, "error[E0901]: interrupted; no output was written\n\n");
    assert_eq!(folder.contents(), before);
}

#[test]
fn a_reader_that_goes_away_is_no_mistake() {
    let folder = Folder::with_fixtures();
    for command in ["dump blur.zlg", "explain", "plan blur.zlg --bind H=9,W=12"] {
        let mut child =
            folder.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()), "{command}");
    }
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
