//! Files that cases may use: images, arrays, weights, models and programs, whole and damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize_to_file};
use tempfile::TempDir;
use zellige_runtime::io::{self, Array};
use zellige_runtime::program::Dims;
use zellige_runtime::program::format::{self, Weights};

use crate::folder::Folder;

/// Blurs an image of any size.
const BLUR: &str = "\
model blur(image: f32[1, 3, H, W]) -> (soft: f32[1, 3, H, W]) {
    let a = avg_pool2d(image, kernel: 3, stride: 1, pad: 1);
    return avg_pool2d(a, kernel: 3, stride: 1, pad: 1);
}
";

/// A convolution with weights beside it.
const CONV: &str = "\
model conv(image: f32[1, 3, H, W]) -> (out: f32[1, 2, H, W]) {
    weights \"conv.safetensors\";
    return conv2d(image, out: 2, kernel: 3, pad: 1, name: \"body\") |> relu;
}
";

/// Two inputs and two outputs.
const TWO: &str = "\
model two(left: f32[1, 3, H, W], right: f32[1, 3, H, W]) -> (sum: f32[1, 3, H, W], product: f32[1, 3, H, W]) {
    return left + right, left * right;
}
";

/// Sides that are multiples of four.
const HALVES: &str = "\
model halves(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    let low = image |> max_pool2d(kernel: 2) |> max_pool2d(kernel: 2);
    return image + upsample(low, scale: 4, mode: \"nearest\");
}
";

/// The folder of all fixtures, made once.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path();
            for (name, text) in [("blur", BLUR), ("conv", CONV), ("two", TWO), ("halves", HALVES)] {
                fs::write(path.join(format!("{name}.zlg")), text).unwrap();
            }
            fs::create_dir(path.join("folder")).unwrap();
            fs::create_dir(path.join("folder.png")).unwrap();
            arrays(path);
            weights(path);
            programs(path);
            folder
        })
        .path()
}

/// Values that depend on where they are.
pub(crate) fn array(n: u64, c: u64, h: u64, w: u64) -> Array {
    let data = (0..n * c * h * w).map(|i| (i * 37 % 251) as f32 / 250.0).collect();
    Array { dims: Dims { n, c, h, w }, data }
}

fn arrays(folder: &Path) {
    let write = |name: &str, array: Array| io::write(&folder.join(name), &array).unwrap();
    write("photo.png", array(1, 3, 9, 12));
    write("even.png", array(1, 3, 8, 12));
    write("grey.png", array(1, 1, 9, 12));
    write("x.npy", array(1, 3, 9, 12));
    write("y.npy", array(1, 3, 8, 12));
    write("five.npy", array(1, 5, 9, 12));

    let damage = |from: &str, to: &str, keep: usize| {
        let bytes = fs::read(folder.join(from)).unwrap();
        fs::write(folder.join(to), &bytes[..bytes.len() * keep / 100]).unwrap();
    };
    damage("photo.png", "truncated.png", 60);
    damage("x.npy", "truncated.npy", 60);
    fs::copy(folder.join("x.npy"), folder.join("mislabelled.png")).unwrap();
    fs::write(folder.join("garbage.jpg"), [b"\xff\xd8\xff".as_slice(), &[b'x'; 200]].concat()).unwrap();
    fs::write(folder.join("empty.png"), "").unwrap();
    let header = "{'descr': '<c8', 'fortran_order': False, 'shape': (1, 3, 2, 2), }";
    let mut complex = b"\x93NUMPY\x01\x00".to_vec();
    complex.extend(u16::try_from(header.len() + 1).unwrap().to_le_bytes());
    complex.extend(format!("{header}\n").bytes());
    complex.resize(complex.len() + 12 * 8, 0);
    fs::write(folder.join("complex.npy"), complex).unwrap();
}

fn weights(folder: &Path) {
    let write = |name: &str, tensors: &[(&str, Dtype, &[usize])]| {
        let bytes = |shape: &[usize], dtype: Dtype| -> Vec<u8> {
            let count = shape.iter().product::<usize>();
            match dtype {
                Dtype::F32 => (0..count).flat_map(|i| (i as f32 / 64.0).to_le_bytes()).collect(),
                _ => vec![0; count * dtype.bitsize() / 8],
            }
        };
        let data: BTreeMap<&str, Vec<u8>> = tensors.iter().map(|(n, d, s)| (*n, bytes(s, *d))).collect();
        let views = tensors.iter().map(|(n, d, s)| (*n, TensorView::new(*d, s.to_vec(), &data[n]).unwrap()));
        serialize_to_file(views, None, &folder.join(name)).unwrap();
    };
    let weight = ("body.weight", Dtype::F32, [2, 3, 3, 3].as_slice());
    let bias = ("body.bias", Dtype::F32, [2].as_slice());
    write("conv.safetensors", &[weight, bias]);
    write("misspelt.safetensors", &[("body.wieght", weight.1, weight.2), bias]);
    write("surplus.safetensors", &[weight, bias, ("tail.weight", Dtype::F32, &[4])]);
    write("misshapen.safetensors", &[("body.weight", Dtype::F32, &[3, 2, 3, 3]), bias]);
    write("half.safetensors", &[("body.weight", Dtype::F16, weight.2), bias]);
    let bytes = fs::read(folder.join("conv.safetensors")).unwrap();
    fs::write(folder.join("truncated.safetensors"), &bytes[..bytes.len() - 20]).unwrap();
    fs::write(folder.join("pickle.safetensors"), b"PK\x03\x04 not at all").unwrap();
}

fn programs(folder: &Path) {
    let here = Folder::new();
    for name in ["blur.zlg", "conv.zlg", "conv.safetensors"] {
        fs::copy(folder.join(name), here.path(name)).unwrap();
    }
    here.succeeds("compile blur.zlg -o blur.zlp --bind H=9,W=12 --machine tiny --tile 4x8");
    here.succeeds("compile conv.zlg -o conv.zlp --bind H=9,W=12 --machine tiny --tile 4x8");
    here.succeeds("compile conv.zlg -o beside.zlp --bind H=9,W=12 --machine tiny --reference-weights");
    for (weights, program) in [("lost", "astray"), ("half", "changed")] {
        fs::copy(folder.join("conv.safetensors"), here.path(&format!("{weights}.safetensors"))).unwrap();
        here.succeeds(&format!(
            "compile conv.zlg -o {program}.zlp --bind H=9,W=12 --machine tiny --reference-weights --weights {weights}.safetensors"
        ));
    }
    for name in ["blur.zlp", "conv.zlp", "beside.zlp", "astray.zlp", "changed.zlp"] {
        fs::copy(here.path(name), folder.join(name)).unwrap();
    }
    let good = fs::read(folder.join("blur.zlp")).unwrap();
    let damage = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        fs::write(folder.join(name), bytes).unwrap();
    };
    damage("magic.zlp", &|b| b[1] = b'P');
    damage("version.zlp", &|b| b[8] = 99);
    damage("short.zlp", &|b| b.truncate(b.len() / 2));
    damage("flipped.zlp", &|b| b[200] ^= 1);
    damage("undecodable.zlp", &|b| {
        b[128..160].fill(0xff);
        format::repair_checksums(b);
    });

    let mut program = format::read(&good, |_| unreachable!("weights are embedded")).unwrap();
    program.sections[0].buffers[0].offset = 1 << 40;
    let mut bytes = Vec::new();
    format::write(&program, &mut bytes, Weights::Embedded).unwrap();
    fs::write(folder.join("rejected.zlp"), bytes).unwrap();
}
