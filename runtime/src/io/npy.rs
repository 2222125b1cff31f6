//! NumPy's array files, versions 1 to 3.

use std::io::{Read, Write};

use super::array::elements;
use super::{Array, Format, IoError, ReadOptions, write_values};
use crate::program::{self, Dims};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longest header that is looked at; NumPy itself stops at 10,000 bytes.
const MAX_HEADER: usize = 1 << 16;
/// What a header is padded to.
const ALIGNMENT: usize = 64;

/// Shape of an array.
pub(super) fn dims(mut file: impl Read, len: u64) -> Result<Dims, IoError> {
    Ok(Header::read(&mut file, len)?.dims)
}

/// Reads an array; `len` is the length of the file.
pub(super) fn read(mut file: impl Read, len: u64, options: &ReadOptions) -> Result<Array, IoError> {
    let Header { element, dims, .. } = Header::read(&mut file, len)?;
    let mut array = Array::zeros(dims, options.limit)?;
    let mut bytes = [0; 1 << 13];
    let size = element.size();
    for values in array.data.chunks_mut(bytes.len() / size) {
        let bytes = &mut bytes[..values.len() * size];
        file.read_exact(bytes)?;
        element.convert(bytes, values);
    }
    Ok(array)
}

/// Writes an array as f32 with four dimensions.
pub(super) fn write(mut file: impl Write, array: &Array) -> Result<(), IoError> {
    write_header(&mut file, array.dims, program::Element::F32)?;
    write_values(&mut file, &array.data)
}

/// Writes the header of an array with four dimensions, and gives its length.
pub(super) fn write_header(
    file: &mut impl Write,
    dims: Dims,
    element: program::Element,
) -> Result<u64, IoError> {
    let Dims { n, c, h, w } = dims;
    let descr = match element {
        program::Element::F32 => "<f4",
        program::Element::U8 => "|u1",
        program::Element::U16 => "<u2",
    };
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({n}, {c}, {h}, {w}), }}");
    let preamble = MAGIC.len() + 2 + size_of::<u16>();
    let padded = (preamble + dict.len() + 1).next_multiple_of(ALIGNMENT) - preamble;
    file.write_all(MAGIC)?;
    file.write_all(&[1, 0])?;
    // Four numbers of 64 bits keep the header far below 64 KiB.
    file.write_all(&(padded as u16).to_le_bytes())?;
    writeln!(file, "{dict:<0$}", padded - 1)?;
    Ok((preamble + padded) as u64)
}

/// Types of elements that are read.
#[derive(Clone, Copy)]
pub(super) enum Element {
    F32,
    F64,
    /// A byte, true unless it is 0.
    Bool,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
}

impl Element {
    fn of(descr: &str) -> Option<Self> {
        match descr {
            "<f4" => Some(Self::F32),
            "<f8" => Some(Self::F64),
            "|b1" => Some(Self::Bool),
            "|u1" | "<u1" => Some(Self::U8),
            "<u2" => Some(Self::U16),
            "<u4" => Some(Self::U32),
            "<u8" => Some(Self::U64),
            "|i1" | "<i1" => Some(Self::I8),
            "<i2" => Some(Self::I16),
            "<i4" => Some(Self::I32),
            "<i8" => Some(Self::I64),
            _ => None,
        }
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::F32 | Self::U32 | Self::I32 => 4,
            Self::F64 | Self::U64 | Self::I64 => 8,
        }
    }

    /// Converts as many values as there are in both, each rounded to the nearest f32.
    pub(super) fn convert(self, bytes: &[u8], values: &mut [f32]) {
        match self {
            Self::F32 => each(bytes, values, f32::from_le_bytes),
            Self::F64 => each(bytes, values, |b| f64::from_le_bytes(b) as f32),
            Self::Bool => each(bytes, values, |[b]| f32::from(u8::from(b != 0))),
            Self::U8 => each(bytes, values, |[b]| f32::from(b)),
            Self::U16 => each(bytes, values, |b| f32::from(u16::from_le_bytes(b))),
            Self::U32 => each(bytes, values, |b| u32::from_le_bytes(b) as f32),
            Self::U64 => each(bytes, values, |b| u64::from_le_bytes(b) as f32),
            Self::I8 => each(bytes, values, |b| f32::from(i8::from_le_bytes(b))),
            Self::I16 => each(bytes, values, |b| f32::from(i16::from_le_bytes(b))),
            Self::I32 => each(bytes, values, |b| i32::from_le_bytes(b) as f32),
            Self::I64 => each(bytes, values, |b| i64::from_le_bytes(b) as f32),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], values: &mut [f32], value: impl Fn([u8; N]) -> f32) {
    for (slot, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
        *slot = value(*bytes);
    }
}

/// What stands before the values.
pub(super) struct Header {
    pub(super) element: Element,
    pub(super) dims: Dims,
    /// Its own length in bytes.
    pub(super) len: u64,
}

impl Header {
    /// Reads the header, and refuses more elements than the file can hold.
    pub(super) fn read(file: &mut impl Read, len: u64) -> Result<Self, IoError> {
        let preamble: [u8; 8] = bytes(file)?;
        if preamble[..6] != MAGIC[..] {
            return Err(IoError::Magic { expected: Format::Npy, found: None });
        }
        let dict_len = match preamble[6] {
            1 => usize::from(u16::from_le_bytes(bytes(file)?)),
            2 | 3 => u32::from_le_bytes(bytes(file)?) as usize,
            version => return Err(IoError::unsupported(Format::Npy, format!("version {version}"))),
        };
        if dict_len > MAX_HEADER {
            return Err(IoError::malformed(format!("the header claims {dict_len} bytes")));
        }
        let mut dict = vec![0; dict_len];
        file.read_exact(&mut dict)?;
        let dict = str::from_utf8(&dict).map_err(|_| IoError::malformed("the header is not text"))?;
        let own = if preamble[6] == 1 { 10 } else { 12 } + dict_len as u64;
        let header = Dict::parse(dict)?.header(own)?;

        let wanted = elements(header.dims).and_then(|n| n.checked_mul(header.element.size() as u64));
        if wanted.is_none_or(|wanted| wanted > len.saturating_sub(own)) {
            return Err(IoError::Truncated);
        }
        Ok(header)
    }
}

fn bytes<const N: usize>(file: &mut impl Read) -> Result<[u8; N], IoError> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The Python dictionary of a header.
#[derive(Default)]
struct Dict<'a> {
    descr: Option<&'a str>,
    fortran_order: Option<bool>,
    shape: Option<Vec<u64>>,
}

impl<'a> Dict<'a> {
    fn parse(text: &'a str) -> Result<Self, IoError> {
        let malformed = || IoError::malformed(format!("{:?} is not an NPY header", text.trim_end()));
        let mut dict = Self::default();
        let mut scanner = Scanner { rest: text };
        scanner.token("{").ok_or_else(malformed)?;
        while scanner.token("}").is_none() {
            dict.entry(&mut scanner).ok_or_else(malformed)?;
            if scanner.token(",").is_none() {
                scanner.token("}").ok_or_else(malformed)?;
                break;
            }
        }
        if scanner.rest.trim_ascii().is_empty() { Ok(dict) } else { Err(malformed()) }
    }

    /// `'key': value`
    fn entry(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        let key = scanner.string()?;
        scanner.token(":")?;
        match key {
            "descr" => self.descr = Some(scanner.string()?),
            "fortran_order" => self.fortran_order = Some(scanner.boolean()?),
            "shape" => self.shape = Some(scanner.tuple()?),
            _ => return None,
        }
        Some(())
    }

    fn header(self, len: u64) -> Result<Header, IoError> {
        let (Some(descr), Some(fortran_order), Some(shape)) = (self.descr, self.fortran_order, self.shape)
        else {
            return Err(IoError::malformed("the header lacks `descr`, `fortran_order` or `shape`"));
        };
        let unsupported = |what: String| IoError::unsupported(Format::Npy, what);
        let element = Element::of(descr).ok_or_else(|| {
            unsupported(format!("element type `{descr}` (save `a.astype(numpy.float32)` instead)"))
        })?;
        if fortran_order {
            return Err(unsupported("Fortran order (save `numpy.ascontiguousarray(a)` instead)".to_owned()));
        }
        let dims = match *shape.as_slice() {
            [h, w] => Dims { n: 1, c: 1, h, w },
            [c, h, w] => Dims { n: 1, c, h, w },
            [n, c, h, w] => Dims { n, c, h, w },
            _ => return Err(unsupported(format!("an array of {} dimensions", shape.len()))),
        };
        if elements(dims) == Some(0) {
            return Err(unsupported("an empty array".to_owned()));
        }
        Ok(Header { element, dims, len })
    }
}

/// Reads the tokens of a header; `None` where something else stands.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn token(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_ascii_start().strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<&'a str> {
        let quote = if self.token("'").is_some() { '\'' } else { self.token("\"").map(|()| '"')? };
        let (string, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        Some(string)
    }

    fn boolean(&mut self) -> Option<bool> {
        match self.token("True") {
            Some(()) => Some(true),
            None => self.token("False").map(|()| false),
        }
    }

    fn tuple(&mut self) -> Option<Vec<u64>> {
        let mut numbers = Vec::new();
        self.token("(")?;
        while self.token(")").is_none() {
            numbers.push(self.number()?);
            if self.token(",").is_none() {
                self.token(")")?;
                break;
            }
        }
        Some(numbers)
    }

    fn number(&mut self) -> Option<u64> {
        let text = self.rest.trim_ascii_start();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        self.rest = &text[end..];
        text[..end].parse().ok()
    }
}
