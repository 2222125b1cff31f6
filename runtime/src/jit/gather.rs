//! Instructions that move elements: pixel shuffle both ways, and copies.

use std::ops::Range;

use cranelift_codegen::ir::Value;

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::scope::Scope;
use crate::program::instr::{Copy, Folding, PixelShuffle, PixelUnshuffle};

/// Each element written is an element read:
///
/// ```text
/// for each block of channels, (y, x) in valid, c in block:
///     dst[c, y, x] = src[source(c, y, x)]
/// fill the rest
/// ```
pub(super) struct Gather {
    dst: TileBuffer,
    src: TileBuffer,
    /// The channels of `dst` that are written.
    channels: Range<i64>,
    width: Width,
    source: Source,
}

/// Which element of `src` goes to `(c, y, x)`.
enum Source {
    /// `(c·r² + (y mod r)·r + x mod r, ⌊y/r⌋, ⌊x/r⌋)`
    PixelShuffle(i64),
    /// `(c / r², y·r + c mod r² / r, x·r + c mod r)`
    PixelUnshuffle(i64),
    /// `(c + channels, y + shift_y, x + shift_x)`, or `outside` where that is outside the extent.
    Copy { channels: i64, shift: [i64; 2], outside: f32 },
    /// `(c + channels, fold(y + shift_y), fold(x + shift_x))`
    Folded { channels: i64, shift: [i64; 2], fold: Folding },
}

impl Gather {
    pub(super) fn pixel_shuffle(scope: &Scope<'_>, shuffle: &PixelShuffle) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(shuffle.dst)?, scope.buffer(shuffle.src)?);
        if shuffle.factor == 0 {
            return Err(JitError::Malformed("a pixel shuffle's factor is 0"));
        }
        // Neighbouring outputs are r² channels apart.
        let (width, source) = (Width::One, Source::PixelShuffle(i64::from(shuffle.factor)));
        Ok(Self { dst, src, channels: 0..dst.channels, width, source })
    }

    pub(super) fn pixel_unshuffle(scope: &Scope<'_>, unshuffle: &PixelUnshuffle) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(unshuffle.dst)?, scope.buffer(unshuffle.src)?);
        if unshuffle.factor == 0 {
            return Err(JitError::Malformed("a pixel unshuffle's factor is 0"));
        }
        // Neighbouring outputs are pixels of one channel.
        let (width, source) = (Width::One, Source::PixelUnshuffle(i64::from(unshuffle.factor)));
        Ok(Self { dst, src, channels: 0..dst.channels, width, source })
    }

    pub(super) fn copy(scope: &Scope<'_>, copy: &Copy) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(copy.dst)?, scope.buffer(copy.src)?);
        let range = |first: u64, buffer: &TileBuffer| {
            let first = i64::try_from(first).ok()?;
            let range = first..first.checked_add(i64::try_from(copy.channels).ok()?)?;
            (range.end <= buffer.channels).then_some(range)
        };
        let (channels, from) = range(copy.channel, &dst)
            .zip(range(copy.from, &src))
            .ok_or(JitError::Malformed("a copy goes past the last channel"))?;
        let width = if src.is_wide() && from.start % 4 == 0 { dst.width_of(&channels) } else { Width::One };
        let (first, shift) = (from.start - channels.start, copy.shift);
        let source = match copy.fold {
            None => Source::Copy { channels: first, shift, outside: copy.outside },
            Some(fold) => Source::Folded { channels: first, shift, fold },
        };
        Ok(Self { dst, src, channels, width, source })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        self.dst.write(e, self.width, self.channels.clone(), |e, c, y, x| match self.source {
            Source::PixelShuffle(factor) => {
                let ((y, row), (x, col)) = (e.div_rem(y, factor), e.div_rem(x, factor));
                let (c, row) = (e.scale(c, factor * factor), e.scale(row, factor));
                let phase = e.add(row, col);
                let c = e.add(c, phase);
                self.src.load(e, self.width, c, y, x)
            }
            Source::PixelUnshuffle(factor) => {
                let (c, phase) = e.div_rem(c, factor * factor);
                let (row, col) = e.div_rem(phase, factor);
                let (y, x) = (e.scale(y, factor), e.scale(x, factor));
                let (y, x) = (e.add(y, row), e.add(x, col));
                self.src.load(e, self.width, c, y, x)
            }
            Source::Copy { channels, shift, outside } => {
                let [channels, down, right] = [channels, shift[0], shift[1]].map(|n| e.int(n));
                let (c, y, x) = (e.add(c, channels), e.add(y, down), e.add(x, right));
                let (extent, outside) = (self.src.extent(e, [0; 4]), e.float(self.width, outside));
                let inside = e.inside(y, x, extent);
                e.value_or(inside, outside, |e| self.src.load(e, self.width, c, y, x))
            }
            Source::Folded { channels, shift, fold } => {
                let [channels, down, right] = [channels, shift[0], shift[1]].map(|n| e.int(n));
                let (c, y, x) = (e.add(c, channels), e.add(y, down), e.add(x, right));
                let (y, x) = (folded(e, fold, y, self.src.rows), folded(e, fold, x, self.src.cols));
                self.src.load(e, self.width, c, y, x)
            }
        });
    }
}

/// The coordinate inside `extent` pixels that stands for `i`: the nearest, or `border − |border − |i||` of the border pixel
/// `extent − 1`, which is `−i` before the first pixel and `2 · border − i` after the last.
pub(super) fn folded(e: &mut Emitter<'_>, fold: Folding, i: Value, extent: i64) -> Value {
    let (zero, border) = (e.int(0), e.int(extent - 1));
    match fold {
        Folding::Clamped => {
            let i = e.max(i, zero);
            e.min(i, border)
        }
        Folding::Mirrored => {
            let i = e.magnitude(i);
            let beyond = e.sub(border, i);
            let beyond = e.magnitude(beyond);
            e.sub(border, beyond)
        }
    }
}
