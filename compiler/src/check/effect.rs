//! What instructions do, stated anew: which buffers they read and write, coordinate by coordinate, and what comes of it.

use std::ops::Range;

use zellige_runtime::program::instr::{
    Accumulate, Addressing, Adjoint, Conv2d, ConvDw, ConvTranspose2d, Copy, Dropout, Epilogue, Fold, Load,
    Map, Matmul, MaxPoolDx, Operand, PixelShuffle, PixelUnshuffle, Pool, PoolKind, Resize, Store, StoreRmw,
};
use zellige_runtime::program::{
    AccumulatorId, Buffer, BufferId, ExprId, Instr, Packing, Section, TensorId, WeightId,
};

use super::error::InstrError;
use super::meaning::{self, Border, Convolution, Meaning, Shift, Window};

/// An instruction as this checker sees it.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    /// Its name in messages.
    pub(super) mnemonic: &'static str,
    /// Buffers that it reads.
    pub(super) reads: Vec<Reading>,
    /// What becomes of it.
    pub(super) result: Outcome,
}

/// A buffer that is read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// The buffer.
    pub(super) buffer: BufferId,
    /// Which of its coordinates.
    pub(super) reach: Reach,
}

/// For each coordinate of the result along an axis, the coordinates that are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reach {
    /// The same; that of an operand of size 1 is repeated.
    Same,
    /// Those of an operation, of which it is this operand.
    Of(Meaning, usize),
}

/// What becomes of what is read.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Channels of a buffer: its computed coordinates inside the extent, and the buffer's `outside` where it has one.
    Written {
        /// The buffer.
        dst: BufferId,
        /// First channel.
        channel: u64,
        /// Number of channels.
        channels: u64,
        /// The values.
        value: Value,
    },
    /// The owned part of a buffer goes to a device tensor.
    Stored {
        /// The tensor.
        tensor: TensorId,
        /// The buffer.
        src: BufferId,
    },
    /// The owned parts of a buffer's tiles, which may overlap, are added up in a device tensor.
    Added {
        /// The tensor.
        tensor: TensorId,
        /// The buffer.
        src: BufferId,
    },
    /// The owned part of a buffer, by whole grains, goes into an accumulator.
    Summed {
        /// The accumulator.
        accumulator: AccumulatorId,
        /// The buffer.
        src: BufferId,
        /// The operation of all that is read, if it is not the buffer's values that are summed.
        products: Option<Meaning>,
    },
}

/// Values that an instruction computes.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Those of a device tensor, perhaps in another order.
    Loaded(TensorId, Option<Addressing>),
    /// Those of a device tensor where the tile owns them, and zeros elsewhere in the extent.
    Part(TensorId),
    /// Channels of the first buffer that is read, as they are.
    Moved(Range<u64>),
    /// Channels of the first buffer that is read, moved over rows and columns.
    Shifted {
        /// How.
        meaning: Meaning,
        /// The channels.
        channels: Range<u64>,
    },
    /// An operation on the first buffers that are read, with parameters, and perhaps an elementwise tail.
    Applied {
        /// The operation.
        meaning: Meaning,
        /// Number of its operands.
        operands: usize,
        /// Its parameters, and how they are laid out.
        params: Vec<(WeightId, Packing)>,
        /// What follows; its input 0 is the operation's value.
        tail: Option<Tail>,
    },
    /// An expression of what is read.
    Elementwise(Tail),
}

/// An expression and its operands.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    /// The expression.
    pub(super) expr: ExprId,
    /// Its operands.
    pub(super) operands: Vec<TailOperand>,
}

/// An operand of an expression.
#[derive(Clone, Copy, Debug)]
pub(super) enum TailOperand {
    /// A buffer, by its position among those that are read.
    Read(usize),
    /// One value a channel.
    Channels(WeightId),
}

/// Rows and columns of a grain of statistics.
const GRAIN: [i64; 2] = [8, 8];
/// Rows and columns of a grain of weight gradients.
const GRAIN_OF_PRODUCTS: [i64; 2] = [8, 32];

impl Effect {
    /// The buffer that is written.
    pub(super) fn written(&self) -> Option<BufferId> {
        match self.result {
            Outcome::Written { dst, .. } => Some(dst),
            Outcome::Stored { .. } | Outcome::Added { .. } | Outcome::Summed { .. } => None,
        }
    }

    /// The buffer of which the owned part leaves the section, and rows and columns of the pieces in which it does.
    pub(super) fn exported(&self) -> Option<(BufferId, [i64; 2])> {
        match self.result {
            Outcome::Written { .. } => None,
            Outcome::Stored { src, .. } | Outcome::Added { src, .. } => Some((src, [1; 2])),
            Outcome::Summed { src, products: None, .. } => Some((src, GRAIN)),
            Outcome::Summed { src, products: Some(_), .. } => Some((src, GRAIN_OF_PRODUCTS)),
        }
    }

    /// Whether owned parts are each coordinate once: where tiles are added up, `sums` looks at them.
    pub(super) fn is_partitioned(&self) -> bool {
        !matches!(self.result, Outcome::Added { .. })
    }

    /// Whether the buffer that it writes may be one that it reads: element by element it reads what it then writes.
    pub(super) fn is_in_place(&self) -> bool {
        matches!(self.result, Outcome::Written { value: Value::Elementwise(_), .. })
    }
}

/// The one list: what an instruction does.
pub(super) fn effect(section: &Section, instr: &Instr) -> Result<Effect, InstrError> {
    match instr {
        Instr::Load(i) => load(section, i),
        Instr::Store(i) => store(section, i),
        Instr::Conv2d(i) => conv2d(section, i),
        Instr::ConvTranspose2d(i) => conv_transpose2d(section, i),
        Instr::Pool(i) => pool(section, i),
        Instr::Resize(i) => resize(section, i),
        Instr::PixelUnshuffle(i) => pixel_unshuffle(section, i),
        Instr::PixelShuffle(i) => pixel_shuffle(section, i),
        Instr::Copy(i) => copy(section, i),
        Instr::Map(i) => map(section, i),
        Instr::Accumulate(i) => accumulate(section, i),
        Instr::Fold(i) => fold(section, i),
        Instr::Matmul(i) => matmul(section, i),
        Instr::ConvDw(i) => conv_dw(section, i),
        Instr::MaxPoolDx(i) => max_pool_dx(section, i),
        Instr::Adjoint(i) => adjoint(section, i),
        Instr::Dropout(i) => dropout(section, i),
        Instr::StoreRmw(i) => store_rmw(section, i),
    }
}

fn buffer(section: &Section, id: BufferId) -> Result<&Buffer, InstrError> {
    section.buffers.get(id.index()).ok_or_else(|| InstrError::Lookup(id.to_string()))
}

/// Something that fills all channels of a buffer.
fn written(
    section: &Section,
    mnemonic: &'static str,
    dst: BufferId,
    reads: Vec<Reading>,
    value: Value,
) -> Result<Effect, InstrError> {
    let channels = buffer(section, dst)?.channels;
    reads.iter().try_for_each(|r| buffer(section, r.buffer).map(|_| ()))?;
    Ok(Effect { mnemonic, reads, result: Outcome::Written { dst, channel: 0, channels, value } })
}

/// An operation on buffers, with an elementwise tail if there is an epilogue.
fn applied(
    section: &Section,
    mnemonic: &'static str,
    dst: BufferId,
    srcs: &[BufferId],
    meaning: Option<Meaning>,
    params: Vec<(WeightId, Packing)>,
    epilogue: Option<&Epilogue>,
) -> Result<Effect, InstrError> {
    let meaning = meaning.ok_or(InstrError::Unknown)?;
    let of = |(operand, &buffer)| Reading { buffer, reach: Reach::Of(meaning.clone(), operand) };
    let mut reads: Vec<Reading> = srcs.iter().enumerate().map(of).collect();
    let tail = epilogue.map(|e| tail(e.expr, &e.operands, &mut reads));
    let operands = srcs.len();
    written(section, mnemonic, dst, reads, Value::Applied { meaning, operands, params, tail })
}

fn tail(expr: ExprId, operands: &[Operand], reads: &mut Vec<Reading>) -> Tail {
    let operands = operands.iter().map(|operand| match *operand {
        Operand::Channels(id) => TailOperand::Channels(id),
        Operand::Buffer(buffer) => {
            reads.push(Reading { buffer, reach: Reach::Same });
            TailOperand::Read(reads.len() - 1)
        }
    });
    Tail { expr, operands: operands.collect() }
}

fn load(section: &Section, i: &Load) -> Result<Effect, InstrError> {
    let value = match i.addressing {
        Some(Addressing::Owned) => Value::Part(i.src),
        addressing => Value::Loaded(i.src, addressing),
    };
    written(section, "load", i.dst, Vec::new(), value)
}

fn store(section: &Section, i: &Store) -> Result<Effect, InstrError> {
    buffer(section, i.src)?;
    let reads = vec![Reading { buffer: i.src, reach: Reach::Same }];
    Ok(Effect { mnemonic: "store", reads, result: Outcome::Stored { tensor: i.dst, src: i.src } })
}

fn store_rmw(section: &Section, i: &StoreRmw) -> Result<Effect, InstrError> {
    buffer(section, i.src)?;
    let reads = vec![Reading { buffer: i.src, reach: Reach::Same }];
    Ok(Effect { mnemonic: "store_rmw", reads, result: Outcome::Added { tensor: i.dst, src: i.src } })
}

fn accumulate(section: &Section, i: &Accumulate) -> Result<Effect, InstrError> {
    buffer(section, i.src)?;
    let reads = vec![Reading { buffer: i.src, reach: Reach::Same }];
    let result = Outcome::Summed { accumulator: i.acc, src: i.src, products: None };
    Ok(Effect { mnemonic: "accumulate", reads, result })
}

fn conv_dw(section: &Section, i: &ConvDw) -> Result<Effect, InstrError> {
    buffer(section, i.x)?;
    buffer(section, i.dy)?;
    let window = Window::of_instr(&i.window).ok_or(InstrError::Unknown)?;
    let of = Convolution { transposed: i.transposed, window, groups: i.groups };
    let meaning = Meaning::Products(meaning::Products { of });
    let reads = vec![
        Reading { buffer: i.x, reach: Reach::Of(meaning.clone(), 0) },
        Reading { buffer: i.dy, reach: Reach::Same },
    ];
    let result = Outcome::Summed { accumulator: i.acc, src: i.dy, products: Some(meaning) };
    Ok(Effect { mnemonic: "conv_dw", reads, result })
}

fn conv2d(section: &Section, i: &Conv2d) -> Result<Effect, InstrError> {
    let groups = i.groups;
    let convolution = |window| Meaning::Convolution(Convolution { transposed: false, window, groups });
    let meaning = Window::of_instr(&i.window).map(convolution);
    let params = parameters(i.weight, Packing::Conv { groups }, i.bias, groups);
    applied(section, "conv2d", i.dst, &[i.src], meaning, params, i.epilogue.as_ref())
}

fn conv_transpose2d(section: &Section, i: &ConvTranspose2d) -> Result<Effect, InstrError> {
    let groups = i.groups;
    let convolution = |window| Meaning::Convolution(Convolution { transposed: true, window, groups });
    let meaning = Window::of_instr(&i.window).map(convolution);
    let params = parameters(i.weight, Packing::ConvTranspose { groups }, i.bias, groups);
    applied(section, "conv_transpose2d", i.dst, &[i.src], meaning, params, i.epilogue.as_ref())
}

fn parameters(
    weight: WeightId,
    packing: Packing,
    bias: Option<WeightId>,
    groups: u32,
) -> Vec<(WeightId, Packing)> {
    let bias = bias.map(|bias| (bias, Packing::GroupedChannels { groups }));
    [(weight, packing)].into_iter().chain(bias).collect()
}

fn pool(section: &Section, i: &Pool) -> Result<Effect, InstrError> {
    let kind = match i.kind {
        PoolKind::Max => meaning::PoolKind::Max,
        PoolKind::Average { margin } => meaning::PoolKind::Average(margin),
    };
    let meaning = Window::of_instr(&i.window).map(|window| Meaning::Pool(meaning::Pool { kind, window }));
    applied(section, "pool", i.dst, &[i.src], meaning, Vec::new(), None)
}

fn resize(section: &Section, i: &Resize) -> Result<Effect, InstrError> {
    let meaning = meaning::Resize::of_instr(i.filter, i.coordinates).map(Meaning::Resize);
    applied(section, "resize", i.dst, &[i.src], meaning, Vec::new(), None)
}

fn pixel_shuffle(section: &Section, i: &PixelShuffle) -> Result<Effect, InstrError> {
    let meaning = meaning::Shuffle::new(i.factor, false).map(Meaning::Shuffle);
    applied(section, "pixel_shuffle", i.dst, &[i.src], meaning, Vec::new(), None)
}

fn pixel_unshuffle(section: &Section, i: &PixelUnshuffle) -> Result<Effect, InstrError> {
    let meaning = meaning::Shuffle::new(i.factor, true).map(Meaning::Shuffle);
    applied(section, "pixel_unshuffle", i.dst, &[i.src], meaning, Vec::new(), None)
}

fn copy(section: &Section, i: &Copy) -> Result<Effect, InstrError> {
    let (src, dst) = (buffer(section, i.src)?, buffer(section, i.dst)?);
    let channels = i.from..i.from.saturating_add(i.channels);
    let (reach, value) = if i.shift == [0, 0] && src.extent == dst.extent {
        (Reach::Same, Value::Moved(channels))
    } else {
        let shift = Shift::new(i.shift, Border::of_copy(i.outside, i.fold), src.extent, dst.extent)
            .ok_or(InstrError::Unknown)?;
        let meaning = Meaning::Shift(shift);
        (Reach::Of(meaning.clone(), 0), Value::Shifted { meaning, channels })
    };
    let reads = vec![Reading { buffer: i.src, reach }];
    let result = Outcome::Written { dst: i.dst, channel: i.channel, channels: i.channels, value };
    Ok(Effect { mnemonic: "copy", reads, result })
}

fn map(section: &Section, i: &Map) -> Result<Effect, InstrError> {
    let mut reads = Vec::new();
    let tail = tail(i.expr, &i.operands, &mut reads);
    written(section, "map", i.dst, reads, Value::Elementwise(tail))
}

fn fold(section: &Section, i: &Fold) -> Result<Effect, InstrError> {
    let meaning = Meaning::Fold(meaning::Fold { along: i.along, kind: i.kind, length: i.length });
    applied(section, "fold", i.dst, &[i.src], Some(meaning), Vec::new(), None)
}

fn matmul(section: &Section, i: &Matmul) -> Result<Effect, InstrError> {
    let meaning = Meaning::Matmul(meaning::Matmul { inner: i.inner });
    applied(section, "matmul", i.dst, &[i.a, i.b], Some(meaning), Vec::new(), None)
}

fn dropout(section: &Section, i: &Dropout) -> Result<Effect, InstrError> {
    let meaning = Meaning::Dropout(meaning::Dropout::new(i.stream, i.dropped, i.scale));
    applied(section, "dropout", i.dst, &[i.src, i.key], Some(meaning), Vec::new(), None)
}

fn max_pool_dx(section: &Section, i: &MaxPoolDx) -> Result<Effect, InstrError> {
    let gradient = |window| Meaning::MaxPoolDx(meaning::MaxPoolDx { window });
    let meaning = Window::of_instr(&i.window).map(gradient);
    applied(section, "max_pool_dx", i.dst, &[i.x, i.dy], meaning, Vec::new(), None)
}

fn adjoint(section: &Section, i: &Adjoint) -> Result<Effect, InstrError> {
    let extent = section.buffers.get(i.src.index()).map(|buffer| buffer.extent);
    // The numbers of outputs are those of the gradient that is read.
    let agree =
        extent.is_some_and(|extent| i.axes.iter().zip(extent).all(|(map, n)| map.outputs as u64 == n));
    let meaning = meaning::Adjoint::of_instr(i.axes).filter(|_| agree).map(Meaning::Adjoint);
    applied(section, "adjoint", i.dst, &[i.src], meaning, Vec::new(), None)
}
