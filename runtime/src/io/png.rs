//! PNG.

use std::io::{BufRead, Seek, Write};
use std::path::Path;

use png::{
    BitDepth, ColorType, Compression, Decoder, DecodingError, Encoder, EncodingError, Reader, Transformations,
};

use super::pixels::{Place, Samples, gather, image_dims, scatter};
use super::scratch::Scratch;
use super::window::{Window, WindowSink, WindowSource};
use super::{Array, Format, IoError, ReadOptions};
use crate::program::{Dims, Element, Interval, Region};

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

/// Reads an image that is not interlaced into a temporary file in `directory`, row by row; `None` if it is interlaced.
pub(super) fn spool(
    file: impl BufRead + Seek,
    len: u64,
    options: &ReadOptions,
    directory: Option<&Path>,
) -> Result<Option<Scratch>, IoError> {
    let mut reader = open(file, len)?;
    if reader.info().interlaced {
        return Ok(None);
    }
    let (color, depth) = reader.output_color_type();
    let wide = depth == BitDepth::Sixteen;
    let dims = image_dims(reader.info().width, reader.info().height, options.channels);
    // A mean of colours is no whole number.
    let whole = options.whole && (dims.c == 3 || color.samples() < 3);
    let element = match (whole, wide) {
        (true, false) => Element::U8,
        (true, true) => Element::U16,
        (false, _) => Element::F32,
    };
    let scratch = Scratch::create(directory, dims, element)?;
    let mut line = Array::zeros(Dims { h: 1, ..dims }, options.limit)?;
    for y in 0..dims.h {
        let row = reader.next_row()?.ok_or(IoError::Truncated)?;
        let samples = Samples { bytes: row.data(), per_pixel: color.samples(), wide, whole: options.whole };
        scatter(samples, Place { y: 0, first: 0, step: 1 }, &mut line);
        scratch.write(&row_of(dims, y), &line.data)?;
    }
    Ok(Some(scratch))
}

/// A row of the first image of an array.
fn row_of(dims: Dims, y: u64) -> Window {
    let (y, width) = (y as i64, dims.w as i64);
    let region = Region { y: Interval::new(y, y + 1), x: Interval::new(0, width) };
    Window { image: 0, channels: 0..dims.c, region }
}

/// Writes an image of one or three channels, 8 bits a sample.
pub(super) fn write(file: impl Write, array: &Array) -> Result<(), IoError> {
    write_rows(file, array.dims, |y, row| {
        gather(array, y, row);
        Ok(())
    })
}

/// As [`write`], of values from 0 to `max`, read row by row.
pub(super) fn write_windows(file: impl Write, source: &dyn WindowSource, max: f32) -> Result<(), IoError> {
    let dims = source.dims();
    let mut line = Array::zeros(Dims { n: 1, h: 1, ..dims }, u64::MAX)?;
    write_rows(file, dims, |y, row| {
        source.read(&row_of(dims, y as u64), &mut line.data)?;
        line.data.iter_mut().for_each(|v| *v /= max);
        gather(&line, 0, row);
        Ok(())
    })
}

/// Writes an image; `sample` gives the samples of a row.
fn write_rows(
    file: impl Write,
    dims: Dims,
    mut sample: impl FnMut(usize, &mut [u8]) -> Result<(), IoError>,
) -> Result<(), IoError> {
    let Dims { n, c, h, w } = dims;
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
        sample(y, &mut row)?;
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
