//! PNG.

use std::io::{BufRead, Seek, Write};

use png::{
    BitDepth, ColorType, Compression, Decoder, DecodingError, Encoder, EncodingError, Reader, Transformations,
};

use super::pixels::{Place, Samples, gather, image_dims, scatter};
use super::{Array, Format, IoError, ReadOptions};
use crate::program::Dims;

/// Most bytes that a byte of a deflate stream stands for.
const MAX_INFLATION: u64 = 1032;

/// Shape of an image as it would be read.
pub(super) fn dims(file: impl BufRead + Seek, len: u64, options: &ReadOptions) -> Result<Dims, IoError> {
    let reader = open(file, len)?;
    Ok(image_dims(reader.info().width, reader.info().height, options.channels))
}

/// Reads an image row by row; `len` is the length of the file.
pub(super) fn read(file: impl BufRead + Seek, len: u64, options: &ReadOptions) -> Result<Array, IoError> {
    let mut reader = open(file, len)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let mut image = Array::zeros(image_dims(width, height, options.channels), options.limit)?;
    let (color, depth) = reader.output_color_type();
    let passes: &[Pass] = if reader.info().interlaced { &ADAM7 } else { &[Pass::WHOLE] };
    for place in passes.iter().flat_map(|pass| pass.rows(width as usize, height as usize)) {
        let row = reader.next_row()?.ok_or(IoError::Truncated)?;
        let samples = Samples {
            bytes: row.data(),
            per_pixel: color.samples(),
            wide: depth == BitDepth::Sixteen,
            whole: options.whole,
        };
        scatter(samples, place, &mut image);
    }
    Ok(image)
}

/// Writes an image of one or three channels, 8 bits a sample.
pub(super) fn write(file: impl Write, array: &Array) -> Result<(), IoError> {
    let Dims { n, c, h, w } = array.dims;
    let color = match (n, c) {
        (1, 1) => ColorType::Grayscale,
        (1, 3) => ColorType::Rgb,
        _ => return Err(IoError::unsupported(Format::Png, format!("an array of {n} × {c} channels"))),
    };
    let (Ok(width), Ok(height)) = (u32::try_from(w), u32::try_from(h)) else {
        return Err(IoError::unsupported(Format::Png, format!("an image of {h} × {w} pixels")));
    };
    let mut encoder = Encoder::new(file, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    let mut row = vec![0; color.samples() * width as usize];
    for y in 0..height as usize {
        gather(array, y, &mut row);
        stream.write_all(&row)?;
    }
    stream.finish()?;
    Ok(writer.finish()?)
}

/// Reads the header, and refuses more pixels than the file can hold.
fn open<R: BufRead + Seek>(file: R, len: u64) -> Result<Reader<R>, IoError> {
    let mut decoder = Decoder::new(file);
    decoder.set_transformations(Transformations::EXPAND);
    let reader = decoder.read_info()?;
    let info = reader.info();
    // The decoder takes it for granted that a palette is made of whole colours, 256 at most.
    let palette = info.palette.as_deref().unwrap_or_default();
    if info.color_type == ColorType::Indexed && !(palette.len().is_multiple_of(3) && palette.len() <= 768) {
        return Err(IoError::malformed(format!("a palette of {} bytes", palette.len())));
    }
    let bits = u64::from(info.width) * info.bits_per_pixel() as u64;
    let wanted = bits.div_ceil(8).saturating_mul(u64::from(info.height));
    if wanted > len.saturating_mul(MAX_INFLATION) {
        return Err(IoError::Truncated);
    }
    Ok(reader)
}

/// A pass of an interlaced image: every `step`th pixel and row from `first` on, `[y, x]`.
struct Pass {
    first: [usize; 2],
    step: [usize; 2],
}

/// The passes of Adam7, in their order in the file.
const ADAM7: [Pass; 7] = [
    Pass { first: [0, 0], step: [8, 8] },
    Pass { first: [0, 4], step: [8, 8] },
    Pass { first: [4, 0], step: [8, 4] },
    Pass { first: [0, 2], step: [4, 4] },
    Pass { first: [2, 0], step: [4, 2] },
    Pass { first: [0, 1], step: [2, 2] },
    Pass { first: [1, 0], step: [2, 1] },
];

impl Pass {
    /// An image that is not interlaced.
    const WHOLE: Self = Self { first: [0, 0], step: [1, 1] };

    /// The rows of the pass, as they are in the file: none where it has no columns.
    fn rows(&self, width: usize, height: usize) -> impl Iterator<Item = Place> + use<> {
        let ([y, first], [y_step, step]) = (self.first, self.step);
        let end = if first < width { height } else { 0 };
        (y..end).step_by(y_step).map(move |y| Place { y, first, step })
    }
}

impl From<DecodingError> for IoError {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::IoError(error) => error.into(),
            DecodingError::LimitsExceeded => {
                Self::unsupported(Format::Png, "an image with so large rows or chunks")
            }
            error => Self::malformed(error.to_string()),
        }
    }
}

impl From<EncodingError> for IoError {
    fn from(error: EncodingError) -> Self {
        match error {
            EncodingError::IoError(error) => error.into(),
            error => Self::unsupported(Format::Png, error.to_string()),
        }
    }
}
