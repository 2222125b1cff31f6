//! Values that are dropped at random.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::scope::Scope;
use crate::program::instr;
use crate::random::Key;

/// ```text
/// stream = key of channels 0..4 of the key's only pixel, and of the stream's numbers
/// for each block of channels, (y, x) in valid, c in block:
///     u = the upper 24 bits of word x mod 4 of the stream's bits at [image, c, y, ⌊x/4⌋]
///     dst[c, y, x] = src[c, y, x] · (u < dropped ? +0 : scale)
/// fill the rest
/// ```
///
/// The bits are what [`Key`] gives, called as it is.
pub(super) struct Dropout {
    dst: TileBuffer,
    src: TileBuffer,
    key: TileBuffer,
    stream: [u32; 2],
    dropped: u32,
    scale: f32,
}

impl Dropout {
    pub(super) fn new(scope: &Scope<'_>, i: &instr::Dropout) -> Result<Self, JitError> {
        let [dst, src, key] = [scope.buffer(i.dst)?, scope.buffer(i.src)?, scope.buffer(i.key)?];
        if key.channels != instr::Dropout::KEY_CHANNELS as i64 {
            return Err(JitError::Malformed("a key has four channels"));
        }
        Ok(Self { dst, src, key, stream: i.stream, dropped: i.dropped, scale: i.scale })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        let stream = self.emit_stream(e);
        self.dst.write(e, Width::One, 0..self.dst.channels, |e, c, y, x| {
            let image = e.image();
            let number = e.call(number_at as *const u8, &[stream, image, c, y, x], I64);
            let (dropped, zero) = (e.int(self.dropped.into()), e.float(Width::One, 0.0));
            let scale = e.float(Width::One, self.scale);
            let is_dropped = e.builder.ins().icmp(IntCC::SignedLessThan, number, dropped);
            let factor = e.builder.ins().select(is_dropped, zero, scale);
            let value = self.src.load(e, Width::One, c, y, x);
            e.builder.ins().fmul(value, factor)
        });
    }

    /// The key of the stream, low word first.
    fn emit_stream(&self, e: &mut Emitter<'_>) -> Value {
        let zero = e.int(0);
        let address = e.stack(instr::Dropout::KEY_CHANNELS as u32);
        for channel in 0..instr::Dropout::KEY_CHANNELS as i64 {
            let c = e.int(channel);
            let number = self.key.load(e, Width::One, c, zero, zero);
            let place = e.element(address, c);
            e.store(number, place);
        }
        let [op, image] = self.stream.map(|number| e.int(number.into()));
        e.call(stream_of as *const u8, &[address, op, image], I64)
    }
}

/// The two words of a stream's key, low word first. `key` leads to four numbers.
extern "C" fn stream_of(key: *const [f32; 4], op: u64, image: u64) -> u64 {
    // SAFETY: compiled code calls this alone, with the address of four f32s on its stack.
    let numbers = unsafe { *key };
    let Key([low, high]) = Key::of_numbers(numbers).of(op as u32, image);
    u64::from(high) << 32 | u64::from(low)
}

/// The random number of an element, below 2²⁴. Coordinates in the tensor are not negative; of larger ones the low words count.
extern "C" fn number_at(stream: u64, image: u64, c: u64, y: u64, x: u64) -> u64 {
    let key = Key([stream as u32, (stream >> 32) as u32]);
    let words = key.at([image as u32, c as u32, y as u32, (x / 4) as u32]);
    (words[(x % 4) as usize] >> 8).into()
}
