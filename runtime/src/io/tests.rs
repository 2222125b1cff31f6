//! Files of all kinds: what they hold, what is wrong with them, and bytes that nobody meant.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::safetensors::{Dtype, Safetensors, Values};
use super::*;
use crate::program::Data;

const BASELINE: &[u8] = include_bytes!("testdata/baseline.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("testdata/progressive.jpg");
const GREY: &[u8] = include_bytes!("testdata/grey.jpg");
const CMYK: &[u8] = include_bytes!("testdata/cmyk.jpg");

const GREY_CHANNEL: ReadOptions = ReadOptions { channels: Channels::Grey, whole: false, limit: u64::MAX };

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn read(&self, name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Array, IoError> {
        read(&self.file(name, bytes), options)
    }

    /// The message of the error that a file gives, without the folder.
    fn error(&self, name: &str, bytes: &[u8], options: &ReadOptions) -> String {
        let error = self.read(name, bytes, options).unwrap_err().to_string();
        error.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn dims(c: u64, h: u64, w: u64) -> Dims {
    Dims { n: 1, c, h, w }
}

/// A PNG with stored deflate blocks and no filters, so that the tests choose every bit.
mod by_hand {
    pub(super) struct Image {
        pub(super) width: usize,
        pub(super) height: usize,
        pub(super) depth: usize,
        pub(super) color: u8,
        pub(super) samples: usize,
        pub(super) interlaced: bool,
    }

    impl Image {
        /// `sample(y, x, i)` is the value of a sample, below 2^depth.
        pub(super) fn png(&self, sample: impl Fn(usize, usize, usize) -> u16) -> Vec<u8> {
            let mut header = Vec::new();
            header.extend((self.width as u32).to_be_bytes());
            header.extend((self.height as u32).to_be_bytes());
            header.extend([self.depth as u8, self.color, 0, 0, u8::from(self.interlaced)]);
            let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
            chunk(&mut png, b"IHDR", &header);
            if self.color == 3 {
                let palette: Vec<u8> =
                    (0..1 << self.depth).flat_map(|i: u32| [i as u8, 255 - i as u8, 7]).collect();
                chunk(&mut png, b"PLTE", &palette);
            }
            chunk(&mut png, b"IDAT", &stored(&self.rows(sample)));
            chunk(&mut png, b"IEND", &[]);
            png
        }

        fn rows(&self, sample: impl Fn(usize, usize, usize) -> u16) -> Vec<u8> {
            // The pattern of the PNG specification, 8.2: the pass of each pixel of an 8 × 8 square.
            const PASSES: [&[u8; 8]; 8] = [
                b"16462646",
                b"77777777",
                b"56565656",
                b"77777777",
                b"36463646",
                b"77777777",
                b"56565656",
                b"77777777",
            ];
            let mut bytes = Vec::new();
            for pass in if self.interlaced { b'1'..=b'7' } else { b'0'..=b'0' } {
                for y in 0..self.height {
                    let mut bits = Vec::new();
                    for x in (0..self.width).filter(|x| pass == b'0' || PASSES[y % 8][x % 8] == pass) {
                        for i in 0..self.samples {
                            bits.extend((0..self.depth).rev().map(|bit| sample(y, x, i) >> bit & 1 == 1));
                        }
                    }
                    if !bits.is_empty() {
                        bytes.push(0);
                        let byte = |bits: &[bool]| {
                            (0..8).fold(0, |b, i| b << 1 | u8::from(bits.get(i) == Some(&true)))
                        };
                        bytes.extend(bits.chunks(8).map(byte));
                    }
                }
            }
            bytes
        }
    }

    fn stored(bytes: &[u8]) -> Vec<u8> {
        let mut zlib = vec![0x78, 0x01];
        let blocks = bytes.chunks(65535).count();
        for (i, block) in bytes.chunks(65535).enumerate() {
            let len = block.len() as u16;
            zlib.push(u8::from(i + 1 == blocks));
            zlib.extend(len.to_le_bytes());
            zlib.extend((!len).to_le_bytes());
            zlib.extend(block);
        }
        let (mut a, mut b) = (1u32, 0u32);
        for &byte in bytes {
            a = (a + u32::from(byte)) % 65521;
            b = (b + a) % 65521;
        }
        zlib.extend((b << 16 | a).to_be_bytes());
        zlib
    }

    fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
        let start = png.len() + 4;
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(kind);
        png.extend(data);
        let crc = crc32fast::hash(&png[start..]);
        png.extend(crc.to_be_bytes());
    }
}

use by_hand::Image;

fn hash(y: usize, x: usize, i: usize, depth: usize) -> u16 {
    let v = (y * 31 + x * 17 + i * 101 + 1).wrapping_mul(40503);
    (v >> 3) as u16 & ((1u32 << depth) - 1) as u16
}

#[test]
fn pngs_of_every_kind() {
    let folder = Folder::new();
    let kinds = [
        (0, 1, [1, 2, 4, 8, 16].as_slice()),
        (2, 3, &[8, 16]),
        (3, 1, &[1, 2, 4, 8]),
        (4, 2, &[8, 16]),
        (6, 4, &[8, 16]),
    ];
    for (color, samples, depths) in kinds {
        for &depth in depths {
            for interlaced in [false, true] {
                for (height, width) in [(1, 1), (1, 5), (5, 1), (2, 3), (4, 4), (7, 9), (8, 8), (17, 12)] {
                    let image = Image { width, height, depth, color, samples, interlaced };
                    let png = image.png(|y, x, i| hash(y, x, i, depth));
                    let array = folder.read("a.png", &png, &ReadOptions::default()).unwrap();
                    assert_eq!(array.dims, dims(3, height as u64, width as u64));
                    let want = |c: usize, y: usize, x: usize| {
                        let v = |i| hash(y, x, i, depth);
                        match color {
                            3 => f32::from([v(0), 255 - v(0), 7][c]) / 255.0,
                            2 | 6 => f32::from(v(c)) / ((1u32 << depth) - 1) as f32,
                            _ if depth < 8 => (v(0) as u32 * 255 / ((1 << depth) - 1)) as f32 / 255.0,
                            _ => f32::from(v(0)) / ((1u32 << depth) - 1) as f32,
                        }
                    };
                    for (at, &got) in array.data.iter().enumerate() {
                        let (c, y, x) = (at / (width * height), at / width % height, at % width);
                        assert_eq!(
                            got,
                            want(c, y, x),
                            "colour type {color}, {depth} bits, {interlaced}, {c} {y} {x}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn one_channel_on_request() {
    let folder = Folder::new();
    let image = Image { width: 3, height: 2, depth: 8, color: 0, samples: 1, interlaced: false };
    let grey = folder.read("a.png", &image.png(|y, x, _| (y * 3 + x) as u16 * 40), &GREY_CHANNEL).unwrap();
    assert_eq!(grey.dims, dims(1, 2, 3));
    assert_eq!(grey.data, [0.0, 40.0, 80.0, 120.0, 160.0, 200.0].map(|v| v / 255.0));

    let image = Image { width: 1, height: 1, depth: 8, color: 2, samples: 3, interlaced: false };
    let luma = folder.read("b.png", &image.png(|_, _, i| [255, 51, 0][i]), &GREY_CHANNEL).unwrap();
    assert_eq!(luma.data, [(0.299 + 0.587 * f64::from(0.2f32)) as f32]);

    let jpeg = folder.read("c.jpg", GREY, &GREY_CHANNEL).unwrap();
    assert_eq!(jpeg.dims, dims(1, 17, 24));
}

#[test]
fn jpegs() {
    let folder = Folder::new();
    for (bytes, tolerance) in [(BASELINE, 0.08), (PROGRESSIVE, 0.03)] {
        let path = folder.file("a.jpeg", bytes);
        let image = read(&path, &ReadOptions::default()).unwrap();
        assert_eq!(image.dims, dims(3, 17, 24));
        assert_eq!(read_dims(&path, &ReadOptions::default()).unwrap(), image.dims);
        // The pictures show (10·x, 14·y, 128).
        for y in 0..17 {
            for x in 0..24 {
                for (c, want) in [x * 10, y * 14, 128].into_iter().enumerate() {
                    let got = image.data[(c * 17 + y) * 24 + x];
                    assert!((got - want as f32 / 255.0).abs() < tolerance, "{c} {y} {x}: {got}");
                }
            }
        }
    }
    let grey = folder.read("a.jpg", GREY, &ReadOptions::default()).unwrap();
    assert_eq!(grey.data[..17 * 24], grey.data[2 * 17 * 24..]);
    assert_eq!(folder.error("a.jpg", CMYK, &ReadOptions::default()), "a.jpg: JPEG: CMYK is not supported");
}

#[test]
fn written_files_read_back() {
    let folder = Folder::new();
    let mut rng = fastrand::Rng::with_seed(5);
    for c in [1, 3] {
        let mut image = Array::zeros(dims(c, 9, 14), u64::MAX).unwrap();
        image.data.iter_mut().for_each(|v| *v = f32::from(rng.u8(..)) / 255.0);
        let path = folder.0.path().join("a.png");
        write(&path, &image).unwrap();
        let options = if c == 1 { GREY_CHANNEL } else { ReadOptions::default() };
        assert_eq!(read(&path, &options).unwrap(), image);
    }
    let mut array = Array::zeros(Dims { n: 2, c: 5, h: 40, w: 30 }, u64::MAX).unwrap();
    array.data.iter_mut().for_each(|v| *v = f32::from_bits(rng.u32(0..0x7f80_0000)));
    let path = folder.0.path().join("a.npy");
    write(&path, &array).unwrap();
    assert_eq!(read(&path, &ReadOptions::default()).unwrap(), array);
    assert_eq!(read_dims(&path, &ReadOptions::default()).unwrap(), array.dims);
}

#[test]
fn what_cannot_be_written_leaves_no_file() {
    let folder = Folder::new();
    for (name, d, message) in [
        ("a.png", dims(4, 2, 2), "PNG: an array of 1 × 4 channels is not supported"),
        ("a.png", Dims { n: 2, ..dims(3, 2, 2) }, "PNG: an array of 2 × 3 channels is not supported"),
        ("a.jpg", dims(3, 2, 2), "JPEG: writing it is not supported"),
        ("a.gif", dims(3, 2, 2), "`.gif` is not the extension of a known format (.png, .jpg, .jpeg, .npy)"),
    ] {
        let error =
            write(&folder.0.path().join(name), &Array::zeros(d, u64::MAX).unwrap()).unwrap_err().to_string();
        assert!(error.ends_with(message), "{error}");
    }
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 0);
}

fn npy(version: u8, dict: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    if version == 1 {
        bytes.extend((dict.len() as u16).to_le_bytes());
    } else {
        bytes.extend((dict.len() as u32).to_le_bytes());
    }
    bytes.extend(dict.as_bytes());
    bytes.extend(data);
    bytes
}

fn npy_dict(descr: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}          \n")
}

#[test]
fn npy_elements_and_shapes() {
    let folder = Folder::new();
    let f32s: Vec<u8> = [1.5f32, -2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let f64s: Vec<u8> = [0.1f64, -2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let u16s: Vec<u8> = [1u16, 65535, 3, 4].iter().flat_map(|v| v.to_le_bytes()).collect();
    for (version, descr, shape, data, d, first) in [
        (1, "<f4", "(2, 2)", &f32s, dims(1, 2, 2), [1.5, -2.0]),
        (2, "<f4", "(4, 1, 1)", &f32s, dims(4, 1, 1), [1.5, -2.0]),
        (3, "<f8", "(2, 1, 2, 1)", &f64s, Dims { n: 2, c: 1, h: 2, w: 1 }, [0.1, -2.0]),
        (1, "<u2", "(1, 4)", &u16s, dims(1, 1, 4), [1.0, 65535.0]),
        (1, "|u1", "(2,2)", &vec![7, 255, 0, 1], dims(1, 2, 2), [7.0, 255.0]),
        (1, "|b1", "(1, 2)", &vec![0, 1], dims(1, 1, 2), [0.0, 1.0]),
        (1, "|i1", "(1, 2)", &vec![255, 3], dims(1, 1, 2), [-1.0, 3.0]),
        (1, "<i2", "(1, 2)", &vec![156, 255, 0, 1], dims(1, 1, 2), [-100.0, 256.0]),
        (
            1,
            "<i4",
            "(1, 2)",
            &[-100i32, 1 << 20].map(i32::to_le_bytes).concat(),
            dims(1, 1, 2),
            [-100.0, 1048576.0],
        ),
        (
            1,
            "<u4",
            "(1, 2)",
            &[5, u32::MAX].map(u32::to_le_bytes).concat(),
            dims(1, 1, 2),
            [5.0, 4294967296.0],
        ),
        (
            1,
            "<i8",
            "(1, 2)",
            &[-100i64, 1 << 40].map(i64::to_le_bytes).concat(),
            dims(1, 1, 2),
            [-100.0, 1.0995116e12],
        ),
        (
            1,
            "<u8",
            "(1, 2)",
            &[5, 1u64 << 63].map(u64::to_le_bytes).concat(),
            dims(1, 1, 2),
            [5.0, 9.223372e18],
        ),
    ] {
        let array = folder
            .read("a.npy", &npy(version, &npy_dict(descr, shape), data), &ReadOptions::default())
            .unwrap();
        assert_eq!((array.dims, &array.data[..2]), (d, &first[..]), "{descr} {shape}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let folder = Folder::new();
    let rgb = Image { width: 9, height: 9, depth: 8, color: 2, samples: 3, interlaced: false };
    let png = rgb.png(|_, _, _| 9);
    let huge = Image { width: 1 << 20, height: 0, depth: 8, color: 0, samples: 1, interlaced: false };
    let mut huge = huge.png(|_, _, _| 0);
    huge[20..24].copy_from_slice(&(1u32 << 30).to_be_bytes());
    let crc = crc32fast::hash(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    let mut tall = BASELINE.to_vec();
    let frame = tall.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    tall[frame + 5..frame + 9].fill(0xff);
    let mut odd_palette =
        Image { width: 4, height: 4, depth: 1, color: 3, samples: 1, interlaced: false }.png(|_, _, _| 0);
    let palette = odd_palette.windows(4).position(|w| w == b"PLTE").unwrap();
    odd_palette[palette - 1] = 4;
    odd_palette.drain(palette + 8..palette + 10);
    mend_checksums(&mut odd_palette);
    let half = vec![0; 8];
    let fortran = npy_dict("<f4", "(2, 2)").replace("False", "True");
    let cases: [(&str, &[u8], &str); 17] = [
        ("a.png", &odd_palette, "malformed file: a palette of 4 bytes"),
        ("a.png", BASELINE, "the contents are JPEG, not PNG"),
        ("a.npy", b"hello", "the contents are not NPY"),
        ("a.npy", b"\x93NUM", "the file is truncated"),
        ("a.jpg", b"", "the file is truncated"),
        ("a.tiff", b"", "`.tiff` is not the extension of a known format (.png, .jpg, .jpeg, .npy)"),
        ("a.png", &png[..png.len() - 40], "the file is truncated"),
        ("a.jpg", &BASELINE[..300], "the file is truncated"),
        ("a.png", &huge, "the file is truncated"),
        ("a.jpg", &tall, "the file is truncated"),
        ("a.npy", &npy(1, &npy_dict("<f4", "(2, 2)"), &half), "the file is truncated"),
        ("b.npy", &npy(1, &npy_dict("<f4", "(99999999999, 99999999999)"), &half), "the file is truncated"),
        (
            "a.npy",
            &npy(1, &npy_dict("<c8", "(1, 1)"), &half),
            "NPY: element type `<c8` (save `a.astype(numpy.float32)` instead) is not supported",
        ),
        ("a.npy", &npy(1, &npy_dict("<f4", "(2,)"), &half), "NPY: an array of 1 dimensions is not supported"),
        ("a.npy", &npy(1, &npy_dict("<f4", "(0, 2)"), &half), "NPY: an empty array is not supported"),
        ("a.npy", &npy(9, "", &half), "NPY: version 9 is not supported"),
        ("a.npy", &npy(1, "{'descr': }", &half), "malformed file: \"{'descr': }\" is not an NPY header"),
    ];
    for (name, bytes, message) in cases {
        assert_eq!(folder.error(name, bytes, &ReadOptions::default()), format!("{name}: {message}"));
    }
    assert_eq!(
        folder.error("a.npy", &npy(1, &fortran, &half), &ReadOptions::default()),
        "a.npy: NPY: Fortran order (save `numpy.ascontiguousarray(a)` instead) is not supported"
    );
    assert_eq!(
        folder.error("a.png", &png, &ReadOptions { limit: 971, ..ReadOptions::default() }),
        "a.png: 972 bytes are too large: the limit is 971 bytes"
    );
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn safetensors_read_back() {
    let folder = Folder::new();
    let path = folder.0.path().join("w.safetensors");
    let (a, b) = ([1.0, 2.5, -3.0, f32::INFINITY, 5.0, 6.0], [7.0]);
    let tensors = [
        Values { name: "conv.weight", shape: &[2, 3], values: &a },
        Values { name: "scale", shape: &[], values: &b },
        Values { name: "none", shape: &[0, 4], values: &[] },
    ];
    safetensors::write(&path, &tensors).unwrap();
    let file = Safetensors::open(&path).unwrap();
    assert_eq!(file.tensors().keys().collect::<Vec<_>>(), ["conv.weight", "scale", "none"]);
    for tensor in tensors {
        let info = file.f32(tensor.name).unwrap();
        assert_eq!((info.dtype, info.shape.as_slice()), (Dtype::F32, tensor.shape));
        assert_eq!(info.offset % 4, 0);
        assert_eq!(file.values(tensor.name).unwrap(), tensor.values);
    }
    // The reference implementation agrees.
    let bytes = fs::read(&path).unwrap();
    let theirs = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.tensor("conv.weight").unwrap().shape(), [2, 3]);
    assert_eq!(theirs.tensor("scale").unwrap().data(), 7f32.to_le_bytes());
}

#[test]
fn safetensors_errors_name_the_tensor() {
    let entry = |dtype: &str, shape: &str, offsets: &str| {
        format!(
            r#"{{"__metadata__":{{"by":"x"}},"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#
        )
    };
    let error = |bytes: Vec<u8>| Safetensors::new(Data::new(bytes)).unwrap_err().to_string();
    let header_error = |header: String| error(safetensors(&header, &[0; 8]));
    assert_eq!(error(vec![1, 2, 3]), "the file is truncated");
    assert_eq!(error(safetensors("{}", &[])[..9].to_vec()), "the file is truncated");
    assert_eq!(error(vec![0xff; 20]), "malformed file: its header would be 18446744073709551615 bytes long");
    for (header, message) in [
        (entry("F32", "[2]", "[0,12]"), "tensor `w`: it is at bytes 0..12, and 8 follow the header"),
        (entry("F32", "[2]", "[8,0]"), "tensor `w`: it is at bytes 8..0, and 8 follow the header"),
        (entry("F32", "[3]", "[0,8]"), "tensor `w`: 8 bytes do not make shape [3] of F32"),
        (
            entry("F32", "[4294967296,4294967296]", "[0,8]"),
            "tensor `w`: 8 bytes do not make shape [4294967296, 4294967296] of F32",
        ),
    ] {
        assert_eq!(header_error(header), format!("malformed file: {message}"));
    }
    for (header, message) in [
        (entry("F31", "[2]", "[0,8]"), "tensor `w`: unknown variant `F31`"),
        (entry("F32", "[-1]", "[0,8]"), "tensor `w`: invalid value: integer `-1`"),
        (r#"{"w":{"dtype":"F32"}}"#.to_owned(), "tensor `w`: missing field `shape`"),
        ("[]".to_owned(), "invalid type: sequence, expected an object of tensors"),
        ("{".to_owned(), "EOF while parsing"),
    ] {
        let got = header_error(header);
        assert!(got.starts_with(&format!("malformed file: header: {message}")), "{got}");
    }
    let twice = r#"{"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#;
    assert!(header_error(twice.to_owned()).contains("tensor `w` occurs twice"));

    let file = Safetensors::new(Data::new(safetensors(&entry("F64", "[1]", "[0,8]"), &[0; 8]))).unwrap();
    assert_eq!(file.f32("w").unwrap_err().to_string(), "tensor `w` has elements of type F64, not F32");
    assert_eq!(file.values("v").unwrap_err().to_string(), "there is no tensor `v`");
}

#[test]
fn safetensors_that_contradict_themselves_are_not_written() {
    let folder = Folder::new();
    let path = folder.0.path().join("w.safetensors");
    let one = Values { name: "a", shape: &[1], values: &[1.0] };
    for tensors in
        [&[one, one][..], &[Values { shape: &[2], ..one }], &[Values { name: "__metadata__", ..one }]]
    {
        assert!(safetensors::write(&path, tensors).is_err());
        assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 0);
    }
}

/// Some bytes changed, cut out, repeated or cut off.
fn mutate(bytes: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.usize(1..6) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.usize(..bytes.len());
        let end = (at + rng.usize(1..9)).min(bytes.len());
        match rng.u8(..8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.extend_from_within(at..end),
            3 => bytes[at..end].fill(0xff),
            4 => bytes[at..end].fill(0),
            5 => bytes[at] ^= 1 << rng.u8(..8),
            _ => bytes[at] = rng.u8(..),
        }
    }
    bytes
}

/// Makes the checksums of a PNG's chunks right again, so that what they protect is looked at.
fn mend_checksums(png: &mut [u8]) {
    let mut at = 8;
    while let Some(head) = png.get(at..at + 8) {
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(data) = png.get(at + 4..at + 8 + len) else { return };
        let crc = crc32fast::hash(data);
        let Some(slot) = png.get_mut(at + 8 + len..at + 12 + len) else { return };
        slot.copy_from_slice(&crc.to_be_bytes());
        at += 12 + len;
    }
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let rgb = Image { width: 9, height: 7, depth: 16, color: 6, samples: 4, interlaced: true };
    let palette = Image { width: 13, height: 5, depth: 4, color: 3, samples: 1, interlaced: false };
    let f32s = npy(1, &npy_dict("<f4", "(2, 3, 2)"), &[1; 48]);
    let u16s = npy(2, &npy_dict("<u2", "(2, 3, 2, 1)"), &[1; 24]);
    let header = r#"{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"U8","shape":[],"data_offsets":[24,25]}}"#;
    let weights = safetensors(header, &[1; 25]);
    let options = ReadOptions { limit: 1 << 24, ..ReadOptions::default() };
    let samples = [
        ("png", rgb.png(|y, x, i| hash(y, x, i, 16))),
        ("png", palette.png(|y, x, i| hash(y, x, i, 4))),
        ("jpg", BASELINE.to_vec()),
        ("jpg", PROGRESSIVE.to_vec()),
        ("jpg", GREY.to_vec()),
        ("npy", f32s),
        ("npy", u16s),
        ("safetensors", weights),
    ];
    let mut rng = fastrand::Rng::with_seed(11);
    for (extension, bytes) in samples {
        for _ in 0..3000 {
            let mut bytes = mutate(&bytes, &mut rng);
            let len = bytes.len() as u64;
            // An error is as good as an array; only a panic is not.
            match extension {
                "png" => {
                    mend_checksums(&mut bytes);
                    let _ = png::read(Cursor::new(&bytes), len, &options);
                }
                "jpg" => drop(jpeg::read(bytes.as_slice(), len, &options)),
                "npy" => drop(npy::read(bytes.as_slice(), len, &options)),
                _ => {
                    if let Ok(file) = Safetensors::new(Data::new(bytes)) {
                        file.tensors().keys().for_each(|name| drop(file.values(name)));
                    }
                }
            }
        }
    }
}
