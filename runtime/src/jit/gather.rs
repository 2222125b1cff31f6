//! Instructions that move elements: pixel shuffle both ways, and copies.

use std::ops::Range;

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::scope::Scope;
use crate::program::instr::{Copy, PixelShuffle, PixelUnshuffle};

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
        let source =
            Source::Copy { channels: from.start - channels.start, shift: copy.shift, outside: copy.outside };
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
        });
    }
}
