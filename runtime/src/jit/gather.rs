//! Instructions that move elements: nearest-neighbour resampling, pixel shuffle, and copies.

use std::ops::Range;

use cranelift_codegen::ir::Value;

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::scope::Scope;
use crate::program::instr::{Copy, Fold, Nearest, PixelShuffle, Ratio};

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
    /// `(c, ⌊y · ratio_y⌋, ⌊x · ratio_x⌋)`
    Nearest([Ratio; 2]),
    /// `(c·r² + (y mod r)·r + x mod r, ⌊y/r⌋, ⌊x/r⌋)`
    PixelShuffle(i64),
    /// `(c − first channel, y + shift_y, x + shift_x)`, or `outside` where that is outside the extent.
    Copy { shift: [i64; 2], outside: f32 },
    /// `(c − first channel, fold(y + shift_y), fold(x + shift_x))`
    Folded { shift: [i64; 2], fold: Fold },
}

impl Gather {
    pub(super) fn nearest(scope: &Scope<'_>, nearest: &Nearest) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(nearest.dst)?, scope.buffer(nearest.src)?);
        for (Ratio { num, den }, outputs) in nearest.ratio.into_iter().zip([dst.rows, dst.cols]) {
            if den == 0 || outputs.checked_mul(i64::from(num)).is_none() {
                return Err(JitError::Malformed("a resampling ratio is out of range"));
            }
        }
        let width = Width::four_if(dst.is_wide() && src.is_wide());
        Ok(Self { dst, src, channels: 0..dst.channels, width, source: Source::Nearest(nearest.ratio) })
    }

    pub(super) fn pixel_shuffle(scope: &Scope<'_>, shuffle: &PixelShuffle) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(shuffle.dst)?, scope.buffer(shuffle.src)?);
        if shuffle.factor == 0 {
            return Err(JitError::Malformed("a pixel shuffle's factor is 0"));
        }
        // Neighbouring outputs are r² channels apart.
        let (width, source) = (Width::One, Source::PixelShuffle(i64::from(shuffle.factor)));
        Ok(Self { dst, src, channels: 0..dst.channels, width, source })
    }

    pub(super) fn copy(scope: &Scope<'_>, copy: &Copy) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(copy.dst)?, scope.buffer(copy.src)?);
        let first = i64::try_from(copy.channel).ok();
        let channels = first
            .and_then(|first| Some(first..first.checked_add(src.channels)?))
            .filter(|channels| channels.end <= dst.channels)
            .ok_or(JitError::Malformed("a copy goes past the last channel"))?;
        let width = if src.is_wide() { dst.width_of(&channels) } else { Width::One };
        let source = match copy.fold {
            None => Source::Copy { shift: copy.shift, outside: copy.outside },
            Some(fold) => Source::Folded { shift: copy.shift, fold },
        };
        Ok(Self { dst, src, channels, width, source })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        self.dst.write(e, self.width, self.channels.clone(), |e, c, y, x| match self.source {
            Source::Nearest([rows, cols]) => {
                let (y, x) = (floor(e, y, rows), floor(e, x, cols));
                self.src.load(e, self.width, c, y, x)
            }
            Source::PixelShuffle(factor) => {
                let ((y, row), (x, col)) = (e.div_rem(y, factor), e.div_rem(x, factor));
                let (c, row) = (e.scale(c, factor * factor), e.scale(row, factor));
                let phase = e.add(row, col);
                let c = e.add(c, phase);
                self.src.load(e, self.width, c, y, x)
            }
            Source::Copy { shift, outside } => {
                let [first, down, right] = [self.channels.start, shift[0], shift[1]].map(|n| e.int(n));
                let (c, y, x) = (e.sub(c, first), e.add(y, down), e.add(x, right));
                let (extent, outside) = (self.src.extent(e, [0; 4]), e.float(self.width, outside));
                let inside = e.inside(y, x, extent);
                e.value_or(inside, outside, |e| self.src.load(e, self.width, c, y, x))
            }
            Source::Folded { shift, fold } => {
                let [first, down, right] = [self.channels.start, shift[0], shift[1]].map(|n| e.int(n));
                let (c, y, x) = (e.sub(c, first), e.add(y, down), e.add(x, right));
                let (y, x) = (folded(e, fold, y, self.src.rows), folded(e, fold, x, self.src.cols));
                self.src.load(e, self.width, c, y, x)
            }
        });
    }
}

/// `⌊o · ratio⌋`, for `o` at least 0.
fn floor(e: &mut Emitter<'_>, o: Value, ratio: Ratio) -> Value {
    let scaled = e.scale(o, i64::from(ratio.num));
    e.div_rem(scaled, i64::from(ratio.den)).0
}

/// The coordinate inside `extent` pixels that stands for `i`: the nearest, or `border − |border − |i||` of the border pixel
/// `extent − 1`, which is `−i` before the first pixel and `2 · border − i` after the last.
fn folded(e: &mut Emitter<'_>, fold: Fold, i: Value, extent: i64) -> Value {
    let (zero, border) = (e.int(0), e.int(extent - 1));
    match fold {
        Fold::Clamped => {
            let i = e.max(i, zero);
            e.min(i, border)
        }
        Fold::Mirrored => {
            let i = e.magnitude(i);
            let beyond = e.sub(border, i);
            let beyond = e.magnitude(beyond);
            e.sub(border, beyond)
        }
    }
}
