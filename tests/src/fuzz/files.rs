//! Readers of files.

use zellige_runtime::io::safetensors::{Dtype, Safetensors};
use zellige_runtime::io::{self, Array, Channels, Format, ReadOptions};
use zellige_runtime::program::Data;

use super::Reached;

/// Most bytes that an array may take.
const LIMIT: u64 = 16 << 20;

/// Reads an image or array: header and contents agree, the limit holds, and what was read can be written and read again.
pub fn array(format: Format, bytes: &[u8]) -> Reached {
    [Channels::Rgb, Channels::Grey]
        .map(|channels| one(format, bytes, channels))
        .into_iter()
        .max()
        .unwrap_or(Reached::Refused)
}

fn one(format: Format, bytes: &[u8], channels: Channels) -> Reached {
    let options = ReadOptions { channels, limit: LIMIT, ..ReadOptions::default() };
    let dims = io::decode_dims(format, bytes, &options);
    match (io::decode(format, bytes, &options), dims) {
        (Ok(array), Ok(dims)) => {
            assert_eq!(array.dims, dims);
            assert_eq!(Some(array.data.len() as u64), dims.elements());
            assert!(array.data.len() as u64 * 4 <= LIMIT);
            assert!(format == Format::Npy || array.data.iter().all(|v| (0.0..=1.0).contains(v)));
            written_again(if format == Format::Npy { Format::Npy } else { Format::Png }, &array, &options);
            Reached::Done
        }
        (Ok(_), Err(error)) => panic!("the contents can be read, and the header cannot: {error}"),
        (Err(_), Ok(_)) => Reached::Rejected,
        (Err(_), Err(_)) => Reached::Refused,
    }
}

fn written_again(format: Format, array: &Array, options: &ReadOptions) {
    let mut bytes = Vec::new();
    io::encode(format, array, &mut bytes).expect("memory takes all that is written");
    let again = io::decode(format, &bytes, options).expect("what is written can be read");
    assert_eq!(again.dims, array.dims);
    for (a, b) in array.data.iter().zip(&again.data) {
        match format {
            Format::Npy => assert_eq!(a.to_bits(), b.to_bits()),
            // 16 bits become 8.
            _ => assert!((a - b).abs() <= 0.5 / 255.0 + 1e-6, "{a} became {b}"),
        }
    }
}

/// Reads a file of weights, and all tensors in it.
pub fn safetensors(bytes: &[u8]) -> Reached {
    let Ok(file) = Safetensors::new(Data::new(bytes.to_vec())) else { return Reached::Refused };
    let mut reached = Reached::Rejected;
    for (name, info) in file.tensors() {
        assert!(info.offset.checked_add(info.len).is_some_and(|end| end <= bytes.len() as u64), "{name}");
        match file.values(name) {
            Ok(values) => {
                assert_eq!(values.len() as u64, info.shape.iter().product::<u64>());
                reached = Reached::Done;
            }
            Err(error) => assert!(info.dtype != Dtype::F32, "{name}: {error}"),
        }
    }
    reached
}
