//! The binary form of programs, `.zlp`.
//!
//! All numbers are little-endian. A file is a header, a table of parts, and the parts:
//!
//! | offset | size | |
//! |---|---|---|
//! | 0 | 8 | `89 5A 4C 50 0D 0A 1A 0A`: not text, and damaged by transfers that think it is |
//! | 8 | 4 | version of the format, 2 |
//! | 12 | 4 | number of parts, n |
//! | 16 | 24 · n | the table, an entry a part |
//! | 16 + 24 · n | 4 | CRC-32 of all the bytes before |
//!
//! An entry:
//!
//! | offset | size | |
//! |---|---|---|
//! | 0 | 4 | kind |
//! | 4 | 4 | CRC-32 of the part's bytes |
//! | 8 | 8 | offset of the part in the file |
//! | 16 | 8 | length of the part in bytes |
//!
//! Parts stand in the order of the table. Each begins at the first multiple of 64 at or after the end of what precedes it, the
//! bytes between are 0, and the file ends with the last one. There is one part of kind 1, and one of kind 2 or 3:
//!
//! | kind | part |
//! |---|---|
//! | 1 | structure: the [`Program`] but for its data, in [postcard](https://postcard.jamesmunns.com/wire-format) encoding |
//! | 2 | weights: the raw bytes of [`Program::data`](super::Program::data), which the structure refers to by offset |
//! | 3 | weights file: name, length (u64) and CRC-32 (u32) of a file that holds these bytes instead, postcard |
//!
//! A reader refuses what it does not know and what is not exactly so. Reading takes memory in proportion to the structure
//! part (some fifty times its length at worst) and, where weights are not mapped from a file, to the weights.
//! What was read is well formed, no more: whether it is safe to run is for [`super::verify`] to say.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Component, Path};
use std::sync::Arc;

use memmap2::Mmap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Data, Program};

const MAGIC: [u8; 8] = *b"\x89ZLP\r\n\x1a\n";
const VERSION: u32 = 2;
const FIXED: usize = 16;
const ENTRY: usize = 24;
const CHECKSUM: usize = 4;
const ALIGN: u64 = 64;

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// The program without its data.
    Structure,
    /// The data.
    Weights,
    /// Where the data is.
    WeightsFile,
}

impl PartKind {
    const ALL: [Self; 3] = [Self::Structure, Self::Weights, Self::WeightsFile];

    fn code(self) -> u32 {
        self as u32 + 1
    }

    fn of_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl std::fmt::Display for PartKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Structure => "structure",
            Self::Weights => "weights",
            Self::WeightsFile => "weights file",
        })
    }
}

/// Why bytes are not a program, or a program could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something else altogether.
    #[error("this is not a program file")]
    Magic,
    /// From another version of the program format.
    #[error("the program is in version {0} of the format; this reader knows version {VERSION}")]
    Version(u32),
    /// Ends too early.
    #[error("the file is cut short: {wanted} bytes are wanted, there are {found}")]
    Truncated {
        /// Bytes there should be at least.
        wanted: u64,
        /// Bytes there are.
        found: u64,
    },
    /// A damaged header.
    #[error("the checksum of the header is wrong")]
    HeaderChecksum,
    /// A part that this reader does not know.
    #[error("the file has a part of the unknown kind {0}")]
    UnknownPart(u32),
    /// Two parts where one is meant.
    #[error("the file has more than one {0} part, or weights both in it and beside it")]
    DuplicatePart(PartKind),
    /// A part is not there.
    #[error("the file has no {0} part")]
    MissingPart(PartKind),
    /// A part overlaps what precedes it, leaves a gap, or reaches past the largest offset.
    #[error("the {kind} part is at {offset} + {length}; it should begin at {expected}")]
    Misplaced {
        /// The part.
        kind: PartKind,
        /// Where it says it is.
        offset: u64,
        /// How long it says it is.
        length: u64,
        /// Where it should be.
        expected: u64,
    },
    /// Something hides between parts.
    #[error("the bytes before the {0} part are not all 0")]
    Padding(PartKind),
    /// Something follows the last part.
    #[error("{0} bytes follow the last part")]
    Trailing(u64),
    /// A damaged part.
    #[error("the checksum of the {0} part is wrong")]
    PartChecksum(PartKind),
    /// The bytes of a part do not decode, or decode to less than all of them.
    #[error("the {kind} part does not decode: {reason}")]
    Decode {
        /// The part.
        kind: PartKind,
        /// Why.
        reason: String,
    },
    /// The program does not encode.
    #[error("the program does not encode: {0}")]
    Encode(String),
    /// A name that leaves the folder.
    #[error("`{0}` is not a plain file name")]
    WeightsName(String),
    /// The weights file could not be had.
    #[error("the weights file `{name}` cannot be read: {source}")]
    WeightsFile {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The weights file is not the one that the program was made with.
    #[error("the weights file `{name}` is not the one that the program was compiled with: {reason}")]
    OtherWeights {
        /// Its name.
        name: String,
        /// How it shows.
        reason: String,
    },
}

/// Where the values of the weights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights<'a> {
    /// Into the program file.
    Embedded,
    /// Nowhere: a file of this name, beside the program's, holds exactly the bytes of its data.
    File(&'a str),
}

/// A reference to the values of the weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsFile {
    /// A file name without folders.
    pub name: String,
    /// Length in bytes.
    pub length: u64,
    /// CRC-32 of the bytes.
    pub crc32: u32,
}

/// Writes a program.
///
/// # Errors
///
/// Writing fails, or the name of the weights file is not a plain file name.
pub fn write(program: &Program, out: &mut impl Write, weights: Weights<'_>) -> Result<(), FormatError> {
    let structure = encode(program)?;
    let data = program.data.bytes();
    match weights {
        Weights::Embedded => {
            write_parts(out, &[(PartKind::Structure, &structure), (PartKind::Weights, data)])
        }
        Weights::File(name) => {
            check_name(name)?;
            let file = WeightsFile {
                name: name.to_owned(),
                length: data.len() as u64,
                crc32: crc32fast::hash(data),
            };
            let reference = encode(&file)?;
            write_parts(out, &[(PartKind::Structure, &structure), (PartKind::WeightsFile, &reference)])
        }
    }
}

/// Reads a program from memory; `resolve` is asked for the weights where they are in another file.
///
/// # Errors
///
/// The bytes are not a program in this version of the format, or the weights are not the right ones.
pub fn read(
    bytes: &[u8],
    resolve: impl FnOnce(&WeightsFile) -> io::Result<Data>,
) -> Result<Program, FormatError> {
    read_with(bytes, |part| Data::new(bytes[part].to_vec()), resolve)
}

/// Reads a program file, its weights mapped: from the file itself, or from the file beside it that it names.
///
/// # Errors
///
/// The file is not a program in this version of the format, or the weights are not the right ones.
pub fn open(path: &Path) -> Result<Program, FormatError> {
    let map = Arc::new(map_file(path)?);
    read_with(
        &map,
        |part| Data::new(MappedPart { map: Arc::clone(&map), part }),
        |file| Ok(Data::new(map_file(&path.with_file_name(&file.name))?)),
    )
}

/// Makes all checksums right, as far as there is a header at all: for tests that damage a program and want the damage to
/// reach the decoder and the verifier.
#[doc(hidden)]
pub fn repair_checksums(bytes: &mut [u8]) {
    let Some(count) = read_u32(bytes, 12) else { return };
    let table = FIXED.saturating_add((count as usize).saturating_mul(ENTRY));
    if table.saturating_add(CHECKSUM) > bytes.len() {
        return;
    }
    for at in (FIXED..table).step_by(ENTRY) {
        let entry = Entry::parse(&bytes[at..at + ENTRY]);
        if let Some(part) = entry.range(bytes.len()) {
            let crc = crc32fast::hash(&bytes[part]);
            bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
        }
    }
    let crc = crc32fast::hash(&bytes[..table]);
    bytes[table..table + CHECKSUM].copy_from_slice(&crc.to_le_bytes());
}

/// A part of a mapped file.
struct MappedPart {
    map: Arc<Mmap>,
    part: Range<usize>,
}

impl AsRef<[u8]> for MappedPart {
    fn as_ref(&self) -> &[u8] {
        &self.map[self.part.clone()]
    }
}

fn map_file(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the mapping is read-only and private to this process. That nobody else shortens or rewrites the file while it
    // is mapped is what every user of a mapped file relies on; programs and weights are written once, under a temporary
    // name, and renamed.
    unsafe { Mmap::map(&file) }
}

/// An entry of the part table.
#[derive(Clone, Copy)]
struct Entry {
    kind: u32,
    crc32: u32,
    offset: u64,
    length: u64,
}

impl Entry {
    /// Reads an entry from its `ENTRY` bytes.
    fn parse(bytes: &[u8]) -> Self {
        let u32_at = |at| read_u32(bytes, at).unwrap_or(0);
        let u64_at = |at| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        Self { kind: u32_at(0), crc32: u32_at(4), offset: u64_at(8), length: u64_at(16) }
    }

    fn bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..4].copy_from_slice(&self.kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.crc32.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    /// The bytes of the part in a file of `length` bytes.
    fn range(self, length: usize) -> Option<Range<usize>> {
        let start = usize::try_from(self.offset).ok()?;
        let end = usize::try_from(self.offset.checked_add(self.length)?).ok()?;
        (end <= length).then_some(start..end)
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn write_parts(out: &mut impl Write, parts: &[(PartKind, &[u8])]) -> Result<(), FormatError> {
    let mut header = Vec::with_capacity(FIXED + parts.len() * ENTRY + CHECKSUM);
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend((parts.len() as u32).to_le_bytes());
    let mut end = header.capacity() as u64;
    for (kind, bytes) in parts {
        let offset = end.next_multiple_of(ALIGN);
        let entry =
            Entry { kind: kind.code(), crc32: crc32fast::hash(bytes), offset, length: bytes.len() as u64 };
        header.extend(entry.bytes());
        end = offset + entry.length;
    }
    header.extend(crc32fast::hash(&header).to_le_bytes());

    out.write_all(&header)?;
    let mut end = header.len();
    for (_, bytes) in parts {
        let padding = end.next_multiple_of(ALIGN as usize) - end;
        out.write_all(&[0; ALIGN as usize][..padding])?;
        out.write_all(bytes)?;
        end += padding + bytes.len();
    }
    Ok(())
}

/// The parts of a file, each in its place and undamaged.
fn read_parts(bytes: &[u8]) -> Result<Vec<(PartKind, Range<usize>)>, FormatError> {
    let found = bytes.len() as u64;
    if !bytes.starts_with(&MAGIC) {
        return Err(FormatError::Magic);
    }
    let (Some(version), Some(count)) = (read_u32(bytes, 8), read_u32(bytes, 12)) else {
        return Err(FormatError::Truncated { wanted: FIXED as u64, found });
    };
    if version != VERSION {
        return Err(FormatError::Version(version));
    }
    let table = FIXED as u64 + u64::from(count) * ENTRY as u64;
    let mut end = table + CHECKSUM as u64;
    if end > found {
        return Err(FormatError::Truncated { wanted: end, found });
    }
    let table = table as usize;
    if read_u32(bytes, table) != Some(crc32fast::hash(&bytes[..table])) {
        return Err(FormatError::HeaderChecksum);
    }

    let mut parts: Vec<(PartKind, Range<usize>)> = Vec::with_capacity(PartKind::ALL.len());
    for entry in bytes[FIXED..table].chunks_exact(ENTRY).map(Entry::parse) {
        let kind = PartKind::of_code(entry.kind).ok_or(FormatError::UnknownPart(entry.kind))?;
        if parts.iter().any(|(k, _)| (*k == PartKind::Structure) == (kind == PartKind::Structure)) {
            return Err(FormatError::DuplicatePart(kind));
        }
        let expected = end.next_multiple_of(ALIGN);
        let (offset, length) = (entry.offset, entry.length);
        let Some(part_end) = offset.checked_add(length).filter(|_| offset == expected) else {
            return Err(FormatError::Misplaced { kind, offset, length, expected });
        };
        let part = entry.range(bytes.len()).ok_or(FormatError::Truncated { wanted: part_end, found })?;
        if bytes[end as usize..part.start].iter().any(|b| *b != 0) {
            return Err(FormatError::Padding(kind));
        }
        if crc32fast::hash(&bytes[part.clone()]) != entry.crc32 {
            return Err(FormatError::PartChecksum(kind));
        }
        end = part_end;
        parts.push((kind, part));
    }
    if end != found {
        return Err(FormatError::Trailing(found - end));
    }
    Ok(parts)
}

fn read_with(
    bytes: &[u8],
    embedded: impl FnOnce(Range<usize>) -> Data,
    resolve: impl FnOnce(&WeightsFile) -> io::Result<Data>,
) -> Result<Program, FormatError> {
    let parts = read_parts(bytes)?;
    let part = |kind| parts.iter().find(|(k, _)| *k == kind).map(|(_, range)| range.clone());
    let structure = part(PartKind::Structure).ok_or(FormatError::MissingPart(PartKind::Structure))?;
    let mut program: Program = decode(PartKind::Structure, &bytes[structure])?;
    program.data = if let Some(weights) = part(PartKind::Weights) {
        embedded(weights)
    } else if let Some(reference) = part(PartKind::WeightsFile) {
        resolve_weights(&decode(PartKind::WeightsFile, &bytes[reference])?, resolve)?
    } else {
        return Err(FormatError::MissingPart(PartKind::Weights));
    };
    Ok(program)
}

fn resolve_weights(
    file: &WeightsFile,
    resolve: impl FnOnce(&WeightsFile) -> io::Result<Data>,
) -> Result<Data, FormatError> {
    check_name(&file.name)?;
    let data =
        resolve(file).map_err(|source| FormatError::WeightsFile { name: file.name.clone(), source })?;
    let other = |reason| FormatError::OtherWeights { name: file.name.clone(), reason };
    let length = data.bytes().len() as u64;
    if length != file.length {
        return Err(other(format!("it has {length} bytes, not {}", file.length)));
    }
    if crc32fast::hash(data.bytes()) != file.crc32 {
        return Err(other("its checksum is another".to_owned()));
    }
    Ok(data)
}

/// A name that stays in its folder, so that a program cannot point anywhere else.
fn check_name(name: &str) -> Result<(), FormatError> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == name && !name.contains(['\\', '\0']) => Ok(()),
        _ => Err(FormatError::WeightsName(name.to_owned())),
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, FormatError> {
    postcard::to_stdvec(value).map_err(|e| FormatError::Encode(e.to_string()))
}

fn decode<T: DeserializeOwned>(kind: PartKind, bytes: &[u8]) -> Result<T, FormatError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => {
            Err(FormatError::Decode { kind, reason: format!("{} bytes are left over", rest.len()) })
        }
        Err(e) => Err(FormatError::Decode { kind, reason: e.to_string() }),
    }
}

#[cfg(test)]
mod tests;
