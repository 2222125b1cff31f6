//! What each instruction asks of its operands, a file per family, as in [`crate::program::instr`].

mod adjoint;
mod conv;
mod conv_dw;
mod copy;
mod dropout;
mod fold;
mod map;
mod matmul;
mod max_pool_dx;
mod pool;
mod reduce;
mod resample;
mod transfer;

use std::ops::Range;

use super::scope::{LookupError, Scope};
use super::{MAX_ATTRIBUTE, MAX_COORDINATE};
use crate::program::instr::{AxisId, Instruction, Statistic, Window};
use crate::program::{
    AccumulatorId, AccumulatorKind, Buffer, BufferId, Dims, Instr, Interval, Packing, Section, TensorId,
};

pub(super) use reduce::check_reduce;

/// What the verifier asks of an instruction, beyond what it reads and writes.
///
/// Methods but `check` are asked once that has succeeded.
pub(super) trait Rule: Instruction {
    /// Its name in listings.
    fn mnemonic(&self) -> &'static str;

    /// Whether ids are in their tables, and shapes and attributes fit one another.
    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError>;

    /// Element operations for one element of the buffer that it writes (or, where it writes none, exports).
    fn operations(&self, scope: &Scope<'_>) -> u64;

    /// The value that it expects of taps outside the tensor's extent; `None` if it must not have such taps.
    fn padding(&self) -> Option<f32> {
        None
    }

    /// Whether the buffer that it writes may also be one that it reads.
    fn in_place(&self) -> bool {
        false
    }

    /// The channels that it writes of its buffer.
    fn channels_written(&self, section: &Section) -> Range<u64> {
        0..self.writes().map_or(0, |dst| section.buffers[dst.index()].channels)
    }

    /// The buffer of which the owned part leaves the section.
    fn exports(&self) -> Option<BufferId> {
        None
    }

    /// Owned intervals are whole multiples of this, but at the end of the extent.
    fn grain(&self, _: AxisId) -> i64 {
        1
    }

    /// The device tensor that it reads.
    fn loads(&self) -> Option<TensorId> {
        None
    }

    /// The device tensor that it writes.
    fn stores(&self) -> Option<TensorId> {
        None
    }

    /// Whether owned parts of tiles of different colours may overlap, since it adds them up.
    fn adds_up(&self) -> bool {
        false
    }

    /// The accumulator that it adds to.
    fn accumulates(&self) -> Option<AccumulatorId> {
        None
    }
}

/// The one list: an instruction's rule.
pub(super) fn rule(instr: &Instr) -> &dyn Rule {
    match instr {
        Instr::Load(i) => i,
        Instr::Store(i) => i,
        Instr::Conv2d(i) => i,
        Instr::ConvTranspose2d(i) => i,
        Instr::Pool(i) => i,
        Instr::Resize(i) => i,
        Instr::PixelShuffle(i) => i,
        Instr::PixelUnshuffle(i) => i,
        Instr::Copy(i) => i,
        Instr::Map(i) => i,
        Instr::Fold(i) => i,
        Instr::Matmul(i) => i,
        Instr::Accumulate(i) => i,
        Instr::ConvDw(i) => i,
        Instr::MaxPoolDx(i) => i,
        Instr::Adjoint(i) => i,
        Instr::Dropout(i) => i,
        Instr::StoreRmw(i) => i,
    }
}

/// Why an instruction's operands do not fit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InstrError {
    /// An id that is not in its table.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// Two numbers that should be one.
    #[error("{what}: {found} where {expected} is needed")]
    Mismatch {
        /// Of what.
        what: &'static str,
        /// Needed.
        expected: u64,
        /// There.
        found: u64,
    },
    /// An attribute out of its range.
    #[error("{what} is {value}, not between {min} and {max}")]
    Attribute {
        /// Which one.
        what: &'static str,
        /// Its value.
        value: i64,
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A group would have a fraction of a channel.
    #[error("{channels} channels do not make {groups} groups")]
    Groups {
        /// Channels.
        channels: u64,
        /// Groups.
        groups: u32,
    },
    /// A statistic that does not follow from what was gathered.
    #[error("{statistic:?} does not follow from an accumulator of kind {kind:?}")]
    Statistic {
        /// Which one.
        statistic: Statistic,
        /// Of the accumulator.
        kind: AccumulatorKind,
    },
    /// An accumulator that gathers other things.
    #[error("{acc} gathers {kind:?}")]
    Gathers {
        /// The accumulator.
        acc: AccumulatorId,
        /// Its kind.
        kind: AccumulatorKind,
    },
    /// More values than an exact sum is certain to hold.
    #[error("{0} grains of all images are too many for an exact sum")]
    Summands(u64),
    /// Channels that are not so many whole groups.
    #[error("{channels} channels cannot be taken {group} at a time")]
    ReducedGroup {
        /// Channels.
        channels: u64,
        /// Of one group.
        group: u64,
    },
    /// A weight of another shape.
    #[error("{id} is {found:?} where {expected:?} is needed")]
    WeightShape {
        /// The weight.
        id: String,
        /// Needed.
        expected: Vec<u64>,
        /// There.
        found: Vec<u64>,
    },
    /// A weight packed for another use.
    #[error("{id} is packed as {found:?} where {expected:?} is needed")]
    WeightPacking {
        /// The weight.
        id: String,
        /// Needed.
        expected: Packing,
        /// There.
        found: Packing,
    },
    /// An expression that asks for more than there is.
    #[error("the expression has {inputs} inputs, the instruction gives {given}")]
    Inputs {
        /// Of the expression.
        inputs: u64,
        /// Operands, and the instruction's own value.
        given: u64,
    },
    /// An operand that neither has the result's size nor is repeated.
    #[error("{operand}: {what} is {found}, neither 1 nor the result's {result}")]
    Broadcast {
        /// The operand.
        operand: BufferId,
        /// Along which dimension.
        what: &'static str,
        /// Of the result.
        result: u64,
        /// Of the operand.
        found: u64,
    },
    /// A device tensor of another shape than the buffer.
    #[error("{tensor} is {found:?} where {expected:?} is needed")]
    TensorShape {
        /// The tensor.
        tensor: TensorId,
        /// Needed: images, channels, rows, columns.
        expected: [u64; 4],
        /// There.
        found: [u64; 4],
    },
    /// A write to what is only read.
    #[error("{0} is not a composite or an output: it cannot be written")]
    ReadOnly(TensorId),
    /// A sum where the caller takes what is written.
    #[error("{0} is not a composite: it cannot be read back and added to")]
    NotReadable(TensorId),
    /// A ring whose rows would be zeroed.
    #[error("a ring keeps its rows, and what a step does not own would be zeroed")]
    OwnedRing,
    /// A buffer written while it is read.
    #[error("{dst} is written while {src}, in the same bytes, is read")]
    InPlace {
        /// Written.
        dst: BufferId,
        /// Read.
        src: BufferId,
    },
    /// A resampling that looks for pixels where the source has none around.
    #[error("output {output} lies at pixel {at} of the source, which has {inputs}")]
    Resampling {
        /// An output: the first or the last.
        output: i64,
        /// The pixel at or before it.
        at: i64,
        /// Extent of the source.
        inputs: u64,
    },
}

/// Whether the instruction's operands exist, fit, and do not alias.
pub(super) fn check(scope: &Scope<'_>, instr: &Instr) -> Result<(), InstrError> {
    let rule = rule(instr);
    for buffer in rule.writes().into_iter().chain(buffers_read(rule)) {
        scope.buffer(buffer)?;
    }
    rule.check(scope)?;
    let Some(dst) = rule.writes() else { return Ok(()) };
    for src in buffers_read(rule) {
        let aliased =
            if src == dst { !rule.in_place() } else { overlap(scope.buffer(src)?, scope.buffer(dst)?) };
        if aliased {
            return Err(InstrError::InPlace { dst, src });
        }
    }
    Ok(())
}

/// The buffers that an instruction reads, which do not depend on the interval.
pub(super) fn buffers_read(rule: &dyn Rule) -> impl Iterator<Item = BufferId> {
    rule.reads(AxisId::Y, Interval::new(0, 1)).into_iter().map(|read| read.buffer)
}

/// Whether two buffers share bytes of SRAM. Sizes that overflow share everything.
pub(super) fn overlap(a: &Buffer, b: &Buffer) -> bool {
    let end = |buffer: &Buffer| buffer.bytes().and_then(|n| buffer.offset.checked_add(n)).unwrap_or(u64::MAX);
    a.offset < end(b) && b.offset < end(a)
}

fn equal(what: &'static str, expected: u64, found: u64) -> Result<(), InstrError> {
    if expected == found { Ok(()) } else { Err(InstrError::Mismatch { what, expected, found }) }
}

fn attribute(what: &'static str, value: i64, min: i64, max: i64) -> Result<(), InstrError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(InstrError::Attribute { what, value, min, max }) }
}

fn check_window(window: &Window) -> Result<(), InstrError> {
    for axis in AxisId::BOTH.map(AxisId::index) {
        attribute("the kernel", window.kernel[axis].into(), 1, MAX_ATTRIBUTE)?;
        attribute("the stride", window.stride[axis].into(), 1, MAX_ATTRIBUTE)?;
        attribute("the dilation", window.dilation[axis].into(), 1, MAX_ATTRIBUTE)?;
        attribute("the padding", window.pad[axis], -MAX_COORDINATE, MAX_COORDINATE)?;
    }
    Ok(())
}

/// Whether a tensor's shape is the buffer's, for one of the numbers of images.
fn check_tensor_shape(
    tensor: TensorId,
    dims: Dims,
    buffer: &Buffer,
    images: &[u64],
) -> Result<(), InstrError> {
    let [h, w] = buffer.extent;
    let n = if images.contains(&dims.n) { dims.n } else { images[0] };
    let (expected, found) = ([n, buffer.channels, h, w], [dims.n, dims.c, dims.h, dims.w]);
    if expected == found { Ok(()) } else { Err(InstrError::TensorShape { tensor, expected, found }) }
}
