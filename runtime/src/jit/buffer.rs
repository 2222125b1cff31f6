//! Buffers as compiled code sees them: the one place where elements are addressed.

use std::mem::{offset_of, size_of};
use std::ops::Range;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value};

use super::JitError;
use super::emit::{Area, Emitter, Span, Width};
use crate::memory::View;
use crate::program::{Buffer, BufferId, Interval, Region};

/// A buffer of the section. Its shape and layout are constants; where the tile at hand lies is read from its [`View`].
#[derive(Clone, Copy)]
pub(super) struct TileBuffer {
    /// Offset in bytes of its view in the array of views.
    view: i64,
    /// Binary logarithm of the number of channels side by side.
    lanes_log2: u32,
    /// Channels of its tensor.
    pub(super) channels: i64,
    /// Rows and columns of its tensor.
    pub(super) rows: i64,
    pub(super) cols: i64,
    /// The value of pixels outside the tensor, if somebody reads them.
    outside: Option<f32>,
}

impl TileBuffer {
    pub(super) fn new(id: BufferId, buffer: &Buffer) -> Result<Self, JitError> {
        let int = |n: u64| i64::try_from(n).map_err(|_| JitError::Malformed("a buffer is too large"));
        if !buffer.lanes.is_power_of_two() || buffer.lanes > 16 {
            return Err(JitError::Malformed("a buffer has 1, 2, 4, 8 or 16 lanes"));
        }
        Ok(Self {
            view: i64::from(id.0) * size_of::<View>() as i64,
            lanes_log2: buffer.lanes.trailing_zeros(),
            channels: int(buffer.channels)?,
            rows: int(buffer.extent[0])?,
            cols: int(buffer.extent[1])?,
            outside: buffer.outside,
        })
    }

    pub(super) fn lanes(&self) -> i64 {
        1 << self.lanes_log2
    }

    /// Whether four channels may be read or written at once, beginning at any multiple of four: they lie side by side, and
    /// lanes past the last channel are there.
    pub(super) fn is_wide(&self) -> bool {
        self.lanes() >= 4
    }

    /// The width at which just these channels (and lanes past the last one) can be written.
    pub(super) fn width_of(&self, channels: &Range<i64>) -> Width {
        let whole = |c: i64| c % 4 == 0 || c == self.channels;
        if self.is_wide() && channels.start % 4 == 0 && whole(channels.end) {
            Width::Four
        } else {
            Width::One
        }
    }

    /// The address of channel `c` of pixel `(y, x)`:
    ///
    /// ```text
    /// ptr + 4 · (c / lanes · block_stride + c mod lanes + (y mod rows) · row_stride + (x − x0) · lanes)
    /// ```
    ///
    /// where `y mod rows` is `y − y0 + slot0`, less `rows` if that is past the end.
    pub(super) fn address(&self, e: &mut Emitter<'_>, c: Value, y: Value, x: Value) -> Value {
        let block = e.builder.ins().ushr_imm_u(c, i64::from(self.lanes_log2));
        let lane = e.builder.ins().band_imm_u(c, self.lanes() - 1);
        let block_stride = self.field(e, offset_of!(View, block_stride));
        let block = e.mul(block, block_stride);
        let channel = e.add(block, lane);

        let (y0, x0) = (self.field(e, offset_of!(View, y0)), self.field(e, offset_of!(View, x0)));
        let row_stride = self.field(e, offset_of!(View, row_stride));
        let (slot0, rows) = (self.field(e, offset_of!(View, slot0)), self.field(e, offset_of!(View, rows)));
        let (row, col) = (e.sub(y, y0), e.sub(x, x0));
        let row = e.add(row, slot0);
        let wrapped = e.sub(row, rows);
        let past = e.builder.ins().icmp(IntCC::SignedGreaterThanOrEqual, row, rows);
        let row = e.builder.ins().select(past, wrapped, row);
        let (row, col) = (e.mul(row, row_stride), e.scale(col, self.lanes()));
        let pixel = e.add(row, col);

        // The pixel first: loops over channels leave it alone.
        let ptr = self.field(e, offset_of!(View, ptr));
        let ptr = e.element(ptr, pixel);
        e.element(ptr, channel)
    }

    /// Channel `c` of a pixel, and its neighbours.
    pub(super) fn load(&self, e: &mut Emitter<'_>, width: Width, c: Value, y: Value, x: Value) -> Value {
        let address = self.address(e, c, y, x);
        e.load(width, address)
    }

    /// Writes channel `c` of a pixel, and its neighbours.
    pub(super) fn store(&self, e: &mut Emitter<'_>, value: Value, c: Value, y: Value, x: Value) {
        let address = self.address(e, c, y, x);
        e.store(value, address);
    }

    /// The part of the tile inside the tensor's extent.
    pub(super) fn valid(&self, e: &mut Emitter<'_>) -> Area {
        self.area(e, offset_of!(View, valid))
    }

    /// The part of what is held that the tile owns.
    pub(super) fn owned(&self, e: &mut Emitter<'_>) -> Area {
        self.area(e, offset_of!(View, owned))
    }

    /// The tensor's extent, widened on each side (top, left, bottom, right).
    pub(super) fn extent(&self, e: &mut Emitter<'_>, [top, left, bottom, right]: [i64; 4]) -> Area {
        Area {
            y: e.span(0i64.saturating_sub(top), self.rows.saturating_add(bottom)),
            x: e.span(0i64.saturating_sub(left), self.cols.saturating_add(right)),
        }
    }

    /// The instruction's result where it is defined by one value per element:
    ///
    /// ```text
    /// for each block of channels, (y, x) in valid, c in block:
    ///     dst[c, y, x] = value(c, y, x)
    /// fill the rest
    /// ```
    pub(super) fn write(
        &self,
        e: &mut Emitter<'_>,
        width: Width,
        channels: Range<i64>,
        value: impl FnOnce(&mut Emitter<'_>, Value, Value, Value) -> Value,
    ) {
        let valid = self.valid(e);
        self.for_each_block(e, &channels, |e, block| {
            e.for_each_pixel(valid, |e, y, x| {
                e.for_range(block, width.channels(), |e, c| {
                    let value = value(e, c, y, x);
                    self.store(e, value, c, y, x);
                });
            });
        });
        self.fill_outside(e, channels);
    }

    /// Resets what lies outside the tensor, where somebody reads it:
    ///
    /// ```text
    /// for each block of channels, (y, x) in computed, unless (y, x) in valid:
    ///     for c in block:
    ///         dst[c, y, x] = outside
    /// ```
    pub(super) fn fill_outside(&self, e: &mut Emitter<'_>, channels: Range<i64>) {
        let Some(outside) = self.outside else { return };
        let width = self.width_of(&channels);
        let computed = self.area(e, offset_of!(View, computed));
        let valid = self.valid(e);
        self.for_each_block(e, &channels, |e, block| {
            e.for_each_pixel(computed, |e, y, x| {
                let inside = e.inside(y, x, valid);
                e.unless(inside, |e| {
                    let outside = e.float(width, outside);
                    e.for_range(block, width.channels(), |e, c| self.store(e, outside, c, y, x));
                });
            });
        });
    }

    /// Channels by blocks of those that lie side by side: the order that memory likes.
    fn for_each_block(
        &self,
        e: &mut Emitter<'_>,
        channels: &Range<i64>,
        body: impl FnOnce(&mut Emitter<'_>, Span),
    ) {
        let all = e.span(channels.start, channels.end);
        e.for_range(all, self.lanes(), |e, start| {
            let lanes = e.int(self.lanes());
            let next = e.add(start, lanes);
            let end = e.min(next, all.end);
            body(e, Span { start, end });
        });
    }

    fn area(&self, e: &mut Emitter<'_>, region: usize) -> Area {
        let mut span = |interval: usize| Span {
            start: self.field(e, region + interval + offset_of!(Interval, start)),
            end: self.field(e, region + interval + offset_of!(Interval, end)),
        };
        Area { y: span(offset_of!(Region, y)), x: span(offset_of!(Region, x)) }
    }

    fn field(&self, e: &mut Emitter<'_>, offset: usize) -> Value {
        e.view_word(self.view + offset as i64)
    }
}
