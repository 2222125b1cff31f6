//! Weights in the safetensors format: eight bytes of header length, a JSON header, and the tensors' bytes.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use indexmap::IndexMap;
use memmap2::Mmap;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::{IoError, write_atomically, write_values};
use crate::program::Data;

pub use safetensors::Dtype;

/// Bytes of the header's length.
const PREFIX: usize = 8;
/// Longest header that is read, as in the format's definition.
const MAX_HEADER: u64 = 100_000_000;
/// The header's entry that is not a tensor.
const METADATA: &str = "__metadata__";

/// What a file says of itself: texts by name.
pub type Metadata = IndexMap<String, String>;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its shape; no dimensions for a scalar.
    pub shape: Vec<u64>,
    /// Where its bytes begin, from the beginning of the file; not necessarily aligned.
    pub offset: u64,
    /// Number of its bytes: as many as its shape and type want.
    pub len: u64,
}

/// A file mapped into memory: tensors are read when they are looked at.
#[derive(Clone, Debug)]
pub struct Safetensors {
    data: Data,
    tensors: IndexMap<String, TensorInfo>,
    metadata: Metadata,
}

impl Safetensors {
    /// Maps a file and reads its header. Every tensor listed lies within the file.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let open = || -> Result<Self, IoError> {
            let file = File::open(path)?;
            if file.metadata()?.len() < PREFIX as u64 {
                return Err(IoError::Truncated);
            }
            // SAFETY: the mapping is private and only read. That nobody truncates or rewrites a model's weights while they are
            // in use cannot be checked; it is the one assumption, and it is the user's to keep.
            let map = unsafe { Mmap::map(&file)? };
            Self::new(Data::new(map))
        };
        open().map_err(|e| e.in_file(path))
    }

    /// Reads the header of a whole file in memory.
    pub fn new(data: Data) -> Result<Self, IoError> {
        let (tensors, metadata) = read_header(data.bytes())?;
        Ok(Self { data, tensors, metadata })
    }

    /// The tensors, in the order of the header.
    pub fn tensors(&self) -> &IndexMap<String, TensorInfo> {
        &self.tensors
    }

    /// What the file says of itself, in the order of the header; texts only, as the format wants.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The bytes of the whole file, to which the tensors' offsets refer.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The tensors that `name` has a name for, under that.
    pub fn renamed(self, name: impl Fn(&str) -> Option<String>) -> Self {
        let tensors = self.tensors.into_iter().filter_map(|(old, info)| Some((name(&old)?, info)));
        Self { tensors: tensors.collect(), ..self }
    }

    /// A tensor of f32.
    pub fn f32(&self, name: &str) -> Result<&TensorInfo, IoError> {
        let info = self.tensors.get(name).ok_or_else(|| IoError::NoTensor(name.to_owned()))?;
        match info.dtype {
            Dtype::F32 => Ok(info),
            found => Err(IoError::Dtype { name: name.to_owned(), found }),
        }
    }

    /// The values of a tensor of f32.
    pub fn values(&self, name: &str) -> Result<Vec<f32>, IoError> {
        let bytes = self.bytes(self.f32(name)?);
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// The bytes of one of the file's tensors; none for one of another file.
    pub fn bytes(&self, info: &TensorInfo) -> &[u8] {
        let from = self.data.bytes().get(info.offset as usize..);
        from.and_then(|bytes| bytes.get(..info.len as usize)).unwrap_or_default()
    }
}

/// A tensor to be written.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape.
    pub shape: &'a [u64],
    /// Its elements, as many as the shape says.
    pub values: &'a [f32],
}

/// Writes a file of f32 tensors, in the order given; it appears complete or not at all.
pub fn write(path: &Path, tensors: &[Values<'_>]) -> Result<(), IoError> {
    write_with(path, &Metadata::new(), tensors)
}

/// As [`write()`], with what the file says of itself.
pub fn write_with(path: &Path, metadata: &Metadata, tensors: &[Values<'_>]) -> Result<(), IoError> {
    write_atomically(path, |file| write_to(file, metadata, tensors))
}

fn write_to(mut file: impl Write, metadata: &Metadata, tensors: &[Values<'_>]) -> Result<(), IoError> {
    let header = header(metadata, tensors)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    tensors.iter().try_for_each(|tensor| write_values(&mut file, tensor.values))
}

/// The header, padded with spaces so that the tensors are aligned.
fn header(metadata: &Metadata, tensors: &[Values<'_>]) -> Result<Vec<u8>, IoError> {
    let mut entries = serde_json::Map::new();
    if !metadata.is_empty() {
        entries.insert(METADATA.to_owned(), serde_json::json!(metadata));
    }
    let mut end = 0;
    for tensor in tensors {
        let Values { name, shape, values } = tensor;
        let start = end;
        end += size_of_val(*values);
        if shape.iter().try_fold(1, |n: u64, d| n.checked_mul(*d)) != Some(values.len() as u64) {
            return Err(IoError::malformed(format!(
                "tensor `{name}` of shape {shape:?} has {} values",
                values.len()
            )));
        }
        let entry = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        if *name == METADATA || entries.insert((*name).to_owned(), entry).is_some() {
            return Err(IoError::malformed(format!("two entries of a safetensors file are called `{name}`")));
        }
    }
    let mut header = serde_json::Value::Object(entries).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(PREFIX), b' ');
    Ok(header)
}

/// The tensors of a whole file, and what it says of itself.
fn read_header(file: &[u8]) -> Result<(IndexMap<String, TensorInfo>, Metadata), IoError> {
    let (&prefix, rest) = file.split_first_chunk::<PREFIX>().ok_or(IoError::Truncated)?;
    let len = u64::from_le_bytes(prefix);
    if len > MAX_HEADER {
        return Err(IoError::malformed(format!("its header would be {len} bytes long")));
    }
    let (header, data) = rest.split_at_checked(len as usize).ok_or(IoError::Truncated)?;
    let Entries { tensors, metadata } =
        serde_json::from_slice(header).map_err(|e| IoError::malformed(format!("header: {e}")))?;
    let begin = PREFIX as u64 + len;
    let tensors = tensors
        .into_iter()
        .map(|(name, entry)| match entry.info(begin, data.len() as u64) {
            Ok(info) => Ok((name, info)),
            Err(what) => Err(IoError::malformed(format!("tensor `{name}`: {what}"))),
        })
        .collect::<Result<_, _>>()?;
    Ok((tensors, metadata))
}

/// A tensor as the header describes it.
#[derive(serde::Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Entry {
    /// Checks the description against itself and against the `available` bytes behind the header, which ends at `begin`.
    fn info(self, begin: u64, available: u64) -> Result<TensorInfo, String> {
        let [start, end] = self.data_offsets;
        if start > end || end > available {
            return Err(format!("it is at bytes {start}..{end}, and {available} follow the header"));
        }
        let bits = self.shape.iter().try_fold(self.dtype.bitsize() as u64, |n, d| n.checked_mul(*d));
        if bits != (end - start).checked_mul(8) {
            let Self { dtype, shape, .. } = self;
            return Err(format!("{} bytes do not make shape {shape:?} of {dtype}", end - start));
        }
        Ok(TensorInfo { dtype: self.dtype, shape: self.shape, offset: begin + start, len: end - start })
    }
}

/// The header's tensors, whose names occur once, and the texts of its metadata.
struct Entries {
    tensors: IndexMap<String, Entry>,
    metadata: Metadata,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let (mut tensors, mut metadata) = (IndexMap::new(), IndexMap::new());
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        metadata = texts(map.next_value()?);
                        continue;
                    }
                    let entry =
                        map.next_value().map_err(|e| A::Error::custom(format!("tensor `{name}`: {e}")))?;
                    if tensors.contains_key(&name) {
                        return Err(A::Error::custom(format!("tensor `{name}` occurs twice")));
                    }
                    tensors.insert(name, entry);
                }
                Ok(Entries { tensors, metadata })
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// The texts of an object; other things are of no concern.
fn texts(object: serde_json::Value) -> Metadata {
    let serde_json::Value::Object(entries) = object else { return Metadata::new() };
    let text = |(name, value)| match value {
        serde_json::Value::String(text) => Some((name, text)),
        _ => None,
    };
    entries.into_iter().filter_map(text).collect()
}
