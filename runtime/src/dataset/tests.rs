//! Folders that hold together and folders that do not; what steps see.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::io;

/// A file whose pixels say where they are: channel · 1000000 + row · 1000 + column.
fn write(path: &Path, c: u64, h: u64, w: u64) {
    let value = |i: u64| ((i / (h * w)) * 1_000_000 + (i / w % h) * 1000 + i % w) as f32;
    let data = (0..c * h * w).map(value).collect();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    io::write(path, &Array { dims: Dims { n: 1, c, h, w }, data }).unwrap();
}

fn sources(names: &[&str]) -> Vec<TensorSource> {
    let source = |name: &&str| TensorSource { name: (*name).to_owned(), options: ReadOptions::default() };
    names.iter().map(source).collect()
}

struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, [u64; 3])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, [c, h, w])| write(&folder.0.path().join(name), *c, *h, *w));
        folder
    }

    fn open(&self) -> Result<Dataset, DataError> {
        Dataset::open(self.0.path(), &sources(&["image", "target"]))
    }

    fn message(&self, error: DataError) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }

    fn error(&self) -> String {
        self.message(self.open().unwrap_err())
    }
}

const SAMPLING: Sampling = Sampling { seed: 5, batch: 1, crop: None, flips: false, turns: false };

/// Items of 12 × 16 whose targets are twice as large.
fn upscaling(count: usize) -> (Folder, Dataset) {
    let names: Vec<_> =
        (0..count).flat_map(|i| [format!("image/{i}.npy"), format!("target/{i}.npy")]).collect();
    let sizes = |name: &String| if name.starts_with("image") { [1, 12, 16] } else { [2, 24, 32] };
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), sizes(name))).collect();
    let folder = Folder::new(&files);
    let dataset = folder.open().unwrap();
    (folder, dataset)
}

#[test]
fn items_are_in_the_order_of_their_names() {
    let folder = Folder::new(&[
        ("image/b.png", [3, 4, 5]),
        ("image/a.npy", [2, 4, 5]),
        ("image/a10.png", [1, 2, 3]),
        ("target/a.npy", [1, 8, 10]),
        ("target/b.npy", [7, 1, 1]),
        ("target/a10.png", [3, 2, 3]),
    ]);
    fs::write(folder.0.path().join("image/.hidden"), "").unwrap();
    fs::create_dir(folder.0.path().join("image/more")).unwrap();
    let dataset = folder.open().unwrap();
    let names: Vec<_> = dataset.items().iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["a", "a10", "b"]);
    let [a, ..] = dataset.items() else { panic!() };
    assert_eq!(a.dims, [Dims { n: 1, c: 2, h: 4, w: 5 }, Dims { n: 1, c: 1, h: 8, w: 10 }]);
    let loaded = dataset.load(&dataset.whole(0), &mut Kept::default()).unwrap();
    assert_eq!((loaded[0].dims, loaded[1].dims), (a.dims[0], a.dims[1]));
    assert_eq!(loaded[0].data[39], 1_003_004.0);
    // An image is of three channels, in 0..1.
    assert_eq!(dataset.load(&dataset.whole(1), &mut Kept::default()).unwrap()[0].data[4..7], [1.0, 1.0, 0.0]);
}

#[test]
fn what_does_not_belong_together_is_named() {
    let both = [("image/a.npy", [1, 4, 4]), ("target/a.npy", [1, 4, 4])];
    let with = |more: &[(&str, [u64; 3])]| Folder::new(&[&both[..], more].concat());
    let alone = |file, folder| {
        format!("`{file}` has no partner in `{folder}`: files of the same stem belong together")
    };
    assert_eq!(with(&[("image/b.png", [1, 1, 1])]).error(), alone("image/b.png", "target"));
    assert_eq!(with(&[("target/b.png", [1, 1, 1])]).error(), alone("target/b.png", "image"));
    let twice = with(&[("image/a.png", [1, 1, 1])]).error();
    assert_eq!(twice, "`image/a.npy` and `image/a.png` have the same stem: one of them has to go");
    let folder = Folder::new(&both[..1]);
    let none = "there is no folder `target`: training data has one for each of `image`, `target`";
    assert_eq!(folder.error(), none);
    fs::create_dir(folder.0.path().join("target")).unwrap();
    assert_eq!(folder.error(), "there are no files in `target`");
    fs::write(folder.0.path().join("target/a.txt"), "x").unwrap();
    assert!(folder.error().starts_with("target/a.txt: `.txt` is not the extension"), "{}", folder.error());
    let folder = Folder::new(&both);
    let several = Array { dims: Dims { n: 2, c: 1, h: 1, w: 1 }, data: vec![0.0; 2] };
    io::write(&folder.0.path().join("target/a.npy"), &several).unwrap();
    assert_eq!(
        folder.error(),
        "`target/a.npy` has the shape [2, 1, 1, 1]: an item has one image, of at least one pixel"
    );
    assert!(matches!(Dataset::open(folder.0.path(), &[]), Err(DataError::NoTensors)));
}

#[test]
fn crops_that_do_not_fit_are_refused() {
    let folder = Folder::new(&[("image/a.npy", [1, 12, 16]), ("target/a.npy", [1, 4, 24])]);
    let dataset = folder.open().unwrap();
    let sizes = |h, w| dataset.sizes(&Sampling { crop: Some([h, w]), ..SAMPLING });
    let of = |h, w| Dims { n: 1, c: 1, h, w };
    let as_it_is = |dims| [Sizes { item: 0, transposed: false, dims }];
    assert_eq!(sizes(12, 16).unwrap(), as_it_is(vec![of(12, 16), of(4, 24)]));
    assert_eq!(sizes(3, 2).unwrap(), as_it_is(vec![of(3, 2), of(1, 3)]));
    let error = |h, w| folder.message(sizes(h, w).unwrap_err());
    assert_eq!(error(13, 2), "a crop of 13x2 does not fit `image/a.npy`, which is 12x16");
    assert_eq!(error(3, 0), "a crop of 3x0 does not fit `image/a.npy`, which is 12x16");
    assert_eq!(
        error(4, 2),
        "`target/a.npy` is 4x24 and `image/a.npy` 12x16: no whole number of rows of the one belongs to a crop of 4 rows of the \
        other; to multiples of 3 there does"
    );
    assert!(error(3, 5).ends_with("to a crop of 5 columns of the other; to multiples of 2 there does"));
    assert!(dataset.batch(&Sampling { crop: Some([4, 2]), ..SAMPLING }, 0).is_err());
}

#[test]
fn every_pass_has_every_item_once_in_an_order_of_its_own() {
    let (_folder, dataset) = upscaling(10);
    let sampling = Sampling { batch: 3, ..SAMPLING };
    let samples: Vec<_> = (0..20).flat_map(|step| dataset.batch(&sampling, step).unwrap()).collect();
    let passes: Vec<Vec<_>> = samples.chunks(10).map(|pass| pass.iter().map(|s| s.item).collect()).collect();
    for (epoch, (pass, samples)) in passes.iter().zip(samples.chunks(10)).enumerate() {
        assert_eq!(pass.iter().collect::<BTreeSet<_>>().len(), 10);
        assert!(samples.iter().all(|sample| sample.epoch == epoch as u64));
    }
    assert_eq!(passes.iter().collect::<BTreeSet<_>>().len(), passes.len());
    // A step is what it is, whichever were asked for before.
    assert_eq!(dataset.batch(&sampling, 7).unwrap(), samples[21..24]);
    let other = Sampling { seed: 6, ..sampling };
    assert_ne!(dataset.batch(&other, 7).unwrap(), samples[21..24]);
    assert!(dataset.batch(&Sampling { batch: 0, ..sampling }, u64::MAX).is_ok());
}

#[test]
fn crops_and_turns_agree_between_tensors() {
    let (_folder, dataset) = upscaling(3);
    let sampling = Sampling { batch: 2, crop: Some([4, 4]), flips: true, turns: true, ..SAMPLING };
    let (mut places, mut turns) = (BTreeSet::new(), BTreeSet::new());
    for sample in (0..100).flat_map(|step| dataset.batch(&sampling, step).unwrap()) {
        let [image, target] = &dataset.load(&sample, &mut Kept::default()).unwrap()[..] else { panic!() };
        assert_eq!((image.dims.h, image.dims.w, target.dims.h, target.dims.w), (4, 4, 8, 8));
        for y in 0..8 {
            for x in 0..8 {
                // A pixel of the target lies in the pixel of the image at half of its place.
                let value = target.data[y * 8 + x];
                let (row, column) = ((value / 1000.0).floor(), value % 1000.0);
                let want = (row / 2.0).floor() * 1000.0 + (column / 2.0).floor();
                assert_eq!(image.data[y / 2 * 4 + x / 2], want);
            }
        }
        let Turn { transposed, flip_y, flip_x } = sample.turn;
        turns.insert((transposed, flip_y, flip_x));
        places.insert((sample.regions[0].y.start, sample.regions[0].x.start));
    }
    assert_eq!(turns.len(), 8);
    // Of 9 × 13.
    assert!(places.len() > 60, "{}", places.len());
    assert!(places.iter().any(|p| p.0 == 8) && places.iter().any(|p| p.1 == 12));
}

#[test]
fn turns_keep_the_size_of_a_crop() {
    let (_folder, dataset) = upscaling(1);
    let turned = |sampling: Sampling| -> BTreeSet<(bool, bool, bool)> {
        let samples = (0..64).flat_map(|step| dataset.batch(&sampling, step).unwrap());
        samples.map(|s| (s.turn.transposed, s.turn.flip_y, s.turn.flip_x)).collect()
    };
    let halves = BTreeSet::from([(false, false, false), (false, true, true)]);
    assert_eq!(turned(Sampling { crop: Some([4, 6]), turns: true, ..SAMPLING }), halves);
    let whole = Sampling { turns: true, ..SAMPLING };
    assert_eq!(turned(whole).len(), 4);
    let sizes = dataset.sizes(&whole).unwrap();
    for sample in (0..64).flat_map(|step| dataset.batch(&whole, step).unwrap()) {
        let of = &sizes[usize::from(sample.turn.transposed)];
        assert_eq!((of.transposed, &of.dims), (sample.turn.transposed, &dataset.dims(&sample)));
    }
    assert_eq!(turned(Sampling { flips: true, ..SAMPLING }).len(), 4);
    assert_eq!(turned(SAMPLING), BTreeSet::from([(false, false, false)]));
}

#[test]
fn other_data_has_another_summary() {
    let (_one, one) = upscaling(3);
    let (_same, same) = upscaling(3);
    let (_more, more) = upscaling(4);
    assert!(one.summary().starts_with("3 items ("), "{}", one.summary());
    assert_eq!(one.summary(), same.summary());
    assert_ne!(one.summary(), more.summary());
    let other = Folder::new(&[("image/a.npy", [1, 4, 4]), ("target/a.npy", [1, 4, 4])]);
    let summary = other.open().unwrap().summary();
    write(&other.0.path().join("target/a.npy"), 1, 4, 5);
    assert_ne!(other.open().unwrap().summary(), summary);
}

#[test]
fn files_that_change_are_noticed() {
    let (folder, dataset) = upscaling(1);
    write(&folder.0.path().join("target/0.npy"), 2, 24, 31);
    let error = dataset.load(&dataset.whole(0), &mut Kept::default()).unwrap_err();
    assert_eq!(folder.message(error), "`target/0.npy` has changed its shape since the training began");
    fs::remove_file(folder.0.path().join("image/0.npy")).unwrap();
    assert!(matches!(dataset.load(&dataset.whole(0), &mut Kept::default()), Err(DataError::Io(_))));
}
