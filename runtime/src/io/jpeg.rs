//! JPEG.

use std::io::Read;

use jpeg_decoder::{Decoder, Error, ImageInfo, PixelFormat};

use super::pixels::{Place, Samples, image_dims, scatter};
use super::{Array, Format, IoError, ReadOptions};
use crate::program::Dims;

/// Most pixels that a byte stands for: each block of 8 × 8 takes at least a bit.
const MAX_PIXELS_PER_BYTE: u64 = 8 * 64;

/// Shape of an image as it would be read.
pub(super) fn dims(file: impl Read, len: u64, options: &ReadOptions) -> Result<Dims, IoError> {
    let (_, info) = open(file, len)?;
    Ok(image_dims(info.width.into(), info.height.into(), options.channels))
}

/// Reads an image; `len` is the length of the file.
pub(super) fn read(file: impl Read, len: u64, options: &ReadOptions) -> Result<Array, IoError> {
    let (mut decoder, info) = open(file, len)?;
    let per_pixel = match info.pixel_format {
        PixelFormat::L8 => 1,
        PixelFormat::RGB24 => 3,
        PixelFormat::L16 => return Err(IoError::unsupported(Format::Jpeg, "more than 8 bits a sample")),
        PixelFormat::CMYK32 => return Err(IoError::unsupported(Format::Jpeg, "CMYK")),
    };
    let mut image =
        Array::zeros(image_dims(info.width.into(), info.height.into(), options.channels), options.limit)?;
    let bytes = decoder.decode()?;
    for (y, bytes) in bytes.chunks_exact(usize::from(info.width) * per_pixel).enumerate() {
        scatter(
            Samples { bytes, per_pixel, wide: false, whole: options.whole },
            Place { y, first: 0, step: 1 },
            &mut image,
        );
    }
    Ok(image)
}

/// Reads the header, and refuses more pixels than the file can hold.
fn open<R: Read>(file: R, len: u64) -> Result<(Decoder<R>, ImageInfo), IoError> {
    let mut decoder = Decoder::new(file);
    decoder.read_info()?;
    let info = decoder.info().ok_or_else(|| IoError::malformed("there is no frame"))?;
    if u64::from(info.width) * u64::from(info.height) > len.saturating_mul(MAX_PIXELS_PER_BYTE) {
        return Err(IoError::Truncated);
    }
    Ok((decoder, info))
}

impl From<Error> for IoError {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error.into(),
            Error::Unsupported(what) => Self::unsupported(Format::Jpeg, format!("{what:?}")),
            error => Self::malformed(error.to_string()),
        }
    }
}
