//! Runs that are streamed, and windows of them that are verified.

use crate::folder::Folder;

/// A budget that no input fits.
const STREAMED: &str = "--memory 16 --spill .";

const LEVELS: &str = "\
model levels(image: u8[1, 1, H, W]) -> (out: u8[1, 1, H, W]) {
    return avg_pool2d(image, kernel: 3, stride: 1, pad: 1);
}
";

#[test]
fn windows_are_found_identical() {
    let folder = Folder::with_fixtures();
    let said =
        folder.succeeds("verify blur.zlg -i photo.png --windows 3 --tile 4x12 --cut-after a --machine tiny");
    assert_eq!(said, "identical: 3 windows of 256x256, 972 values in 1 output (6 tiles in 2 sections)\n");
    folder.succeeds(&format!("verify two.zlg -i left=x.npy -i right=photo.png --windows 1 {STREAMED}"));
}

#[test]
fn the_output_of_the_tiled_run_is_kept() {
    let folder = Folder::with_fixtures();
    folder.succeeds("run blur.zlg -i photo.png -o expected.npy --untiled");
    for more in ["", STREAMED] {
        folder.succeeds(&format!("verify blur.zlg -i photo.png --windows 2 -o kept.npy {more}"));
        assert_eq!(folder.read("kept.npy"), folder.read("expected.npy"));
    }
    assert!(folder.fails("verify blur.zlg -i photo.png --windows 2 -o kept.png").contains("E0005"));
    let ended = folder.run("verify blur.zlg -i photo.png -o kept.npy");
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("--windows"), "{}", ended.stderr);
}

#[test]
fn streamed_images_are_those_of_a_run_in_memory() {
    let folder = Folder::with_fixtures();
    folder.write("levels.zlg", LEVELS);
    for (model, image) in [("blur", "photo"), ("blur", "grey"), ("levels", "grey"), ("levels", "photo")] {
        let run = |to: &str, more: &str| {
            folder.succeeds(&format!("run {model}.zlg -i {image}.png -o {to} {more}"));
            folder.read(to)
        };
        let before = folder.contents().len();
        assert_eq!(run("a.png", ""), run("b.png", STREAMED), "{model} of {image}");
        assert_eq!(run("a.npy", ""), run("b.npy", STREAMED), "{model} of {image}");
        ["a.png", "b.png", "a.npy", "b.npy"].map(|n| std::fs::remove_file(folder.path(n)).unwrap());
        assert_eq!(folder.contents().len(), before);
    }
    let broken = folder.fails(&format!("run blur.zlg -i truncated.png -o a.png {STREAMED}"));
    assert!(broken.contains("E0501"), "{broken}");
}
