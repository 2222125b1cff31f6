//! Convolution and transposed convolution.

use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::Variable;

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Span, Width};
use super::operand::Elementwise;
use super::scope::{Packed, Scope};
use super::window::Taps;
use crate::program::instr::{Conv2d, ConvTranspose2d};

/// Channels in a block of packed weights, inputs and outputs alike.
const BLOCK: i64 = 16;

/// With `I` inputs and `O` outputs in a group:
///
/// ```text
/// for g in groups, ob in output blocks of the group, (y, x) in valid:
///     acc[0..16] = bias[g, ob, 0..16]                                      or +0
///     for ib in input blocks of the group, ky in 0..kh, kx in 0..kw:
///         (iy, ix) = (y, x) · stride − pad + (ky, kx) · dilation
///         for i in 0..min(16, I − 16 · ib):
///             v = src[g · I + 16 · ib + i, iy, ix]
///             acc[0..16] = fma(v, weight[g, ob, ib, ky, kx, i, 0..16], acc[0..16])
///     for o in 0..min(16, O − 16 · ob):
///         dst[g · O + 16 · ob + o, y, x] = epilogue(acc[o])
/// fill the rest
/// ```
///
/// The transposed convolution differs in which input a tap reads: `(iy, ix) = ((y, x) + pad − (ky, kx) · dilation) / stride`,
/// and the tap is skipped where that is not an integer. Taps outside the extent read what the buffer holds there: zeros.
pub(super) struct Convolution<'p> {
    dst: TileBuffer,
    src: TileBuffer,
    weight: Packed,
    bias: Option<Packed>,
    taps: [Taps; 2],
    transposed: bool,
    groups: i64,
    /// Inputs of a group.
    inputs: i64,
    /// Outputs of a group.
    outputs: i64,
    epilogue: Option<Elementwise<'p>>,
}

/// What the loops over outputs have set.
#[derive(Clone, Copy)]
struct OutputBlock {
    /// First input channel of the group.
    first_input: Value,
    /// First output channel of the block.
    first_output: Value,
    /// Outputs in the block: 16, or fewer in the last block of a group.
    count: Value,
    /// Its packed weights.
    weights: Value,
    /// Its 16 values of the packed bias.
    bias: Option<Value>,
}

/// What the loops over inputs have set.
#[derive(Clone, Copy)]
struct InputBlock {
    /// First input channel of the block.
    first: Value,
    /// Inputs in the block: 16, or fewer in the last block of a group.
    count: Value,
    /// The packed weights of its first tap.
    weights: Value,
}

impl<'p> Convolution<'p> {
    pub(super) fn direct(scope: &Scope<'p>, conv: &Conv2d) -> Result<Self, JitError> {
        Self::new(scope, conv, false)
    }

    pub(super) fn transposed(scope: &Scope<'p>, conv: &ConvTranspose2d) -> Result<Self, JitError> {
        let ConvTranspose2d { dst, src, weight, bias, window, groups, epilogue } = conv.clone();
        Self::new(scope, &Conv2d { dst, src, weight, bias, window, groups, epilogue }, true)
    }

    fn new(scope: &Scope<'p>, conv: &Conv2d, transposed: bool) -> Result<Self, JitError> {
        let (dst, src) = (scope.buffer(conv.dst)?, scope.buffer(conv.src)?);
        let groups = i64::from(conv.groups);
        if groups == 0 || dst.channels % groups != 0 || src.channels % groups != 0 {
            return Err(JitError::Malformed("groups do not divide the channels"));
        }
        Ok(Self {
            dst,
            src,
            weight: scope.weight(conv.weight)?,
            bias: conv.bias.map(|id| scope.weight(id)).transpose()?,
            taps: Taps::of(&conv.window)?,
            transposed,
            groups,
            inputs: src.channels / groups,
            outputs: dst.channels / groups,
            epilogue: conv.epilogue.as_ref().map(|e| Elementwise::epilogue(scope, e)).transpose()?,
        })
    }

    pub(super) fn emit(&self, e: &mut Emitter<'_>) {
        let valid = self.dst.valid(e);
        let sums = e.stack(BLOCK as u32);
        self.for_each_output_block(e, |e, block| {
            e.for_each_pixel(valid, |e, y, x| {
                let acc = self.sum(e, &block, y, x);
                self.write(e, &block, &acc, sums, y, x);
            });
        });
        self.dst.fill_outside(e, 0..self.dst.channels);
    }

    fn for_each_output_block(&self, e: &mut Emitter<'_>, body: impl FnOnce(&mut Emitter<'_>, OutputBlock)) {
        let blocks = blocks(self.outputs, BLOCK);
        let [rows, cols] = self.taps;
        let weights_of_block =
            self.inputs.wrapping_mul(rows.count.wrapping_mul(cols.count)).wrapping_mul(BLOCK);
        e.repeat(self.groups, |e, group| {
            e.repeat(blocks, |e, block| {
                let packed = e.scale(group, blocks);
                let packed = e.add(packed, block);
                let array = self.weight.address(e);
                let weights = e.scale(packed, weights_of_block);
                let weights = e.element(array, weights);
                let bias = self.bias.map(|bias| {
                    let (array, first) = (bias.address(e), e.scale(packed, BLOCK));
                    e.element(array, first)
                });
                let first = e.scale(block, BLOCK);
                let (group_output, first_input) = (e.scale(group, self.outputs), e.scale(group, self.inputs));
                let first_output = e.add(group_output, first);
                let count = block_len(e, self.outputs, first);
                body(e, OutputBlock { first_input, first_output, count, weights, bias });
            });
        });
    }

    /// The sums of one pixel, four outputs a variable.
    fn sum(&self, e: &mut Emitter<'_>, block: &OutputBlock, y: Value, x: Value) -> Vec<Variable> {
        let acc = self.bias(e, block);
        let [rows, cols] = self.taps;
        let taps = rows.count.wrapping_mul(cols.count);
        let inputs = e.span(0, self.inputs);
        e.for_range(inputs, BLOCK, |e, first| {
            let count = block_len(e, self.inputs, first);
            // All blocks before this one hold 16 channels.
            let weights = e.scale(first, taps.wrapping_mul(BLOCK));
            let weights = e.element(block.weights, weights);
            let inputs = InputBlock { first: e.add(block.first_input, first), count, weights };
            e.repeat(rows.count, |e, ky| {
                self.with_input(e, rows, y, ky, |e, iy| {
                    e.repeat(cols.count, |e, kx| {
                        self.with_input(e, cols, x, kx, |e, ix| {
                            let tap = e.scale(ky, cols.count);
                            let tap = e.add(tap, kx);
                            self.tap(e, &acc, inputs, tap, iy, ix);
                        });
                    });
                });
            });
        });
        acc
    }

    /// The sums before the first tap.
    fn bias(&self, e: &mut Emitter<'_>, block: &OutputBlock) -> Vec<Variable> {
        let vectors = blocks(self.outputs.min(BLOCK), 4);
        let width = Width::Four;
        (0..vectors)
            .map(|v| {
                let value = match block.bias {
                    Some(bias) => load_vector(e, bias, v),
                    None => e.float(width, 0.0),
                };
                e.variable(width.ty(), value)
            })
            .collect()
    }

    /// Runs `body` with the input along one axis that tap `k` of output `o` reads, if there is one.
    fn with_input(
        &self,
        e: &mut Emitter<'_>,
        taps: Taps,
        o: Value,
        k: Value,
        body: impl FnOnce(&mut Emitter<'_>, Value),
    ) {
        if self.transposed {
            let (input, exists) = taps.transposed_input(e, o, k);
            e.when(exists, |e| body(e, input));
        } else {
            let input = taps.input(e, o, k);
            body(e, input);
        }
    }

    /// Adds what the channels of one block contribute at tap number `tap`, which reads `(iy, ix)`.
    fn tap(
        &self,
        e: &mut Emitter<'_>,
        acc: &[Variable],
        inputs: InputBlock,
        tap: Value,
        iy: Value,
        ix: Value,
    ) {
        let before = e.mul(tap, inputs.count);
        let before = e.scale(before, BLOCK);
        let weights = e.element(inputs.weights, before);
        let channels = Span { start: e.int(0), end: inputs.count };
        e.for_range(channels, 1, |e, i| {
            let c = e.add(inputs.first, i);
            let value = self.src.load(e, Width::One, c, iy, ix);
            let value = e.splat(Width::Four, value);
            let row = e.scale(i, BLOCK);
            let row = e.element(weights, row);
            for (&acc, v) in acc.iter().zip(0..) {
                let weight = load_vector(e, row, v);
                let before = e.get(acc);
                let after = e.builder.ins().fma(value, weight, before);
                e.set(acc, after);
            }
        });
    }

    /// Runs the epilogue over the sums of one pixel, by way of the stack, so that it is emitted once.
    fn write(
        &self,
        e: &mut Emitter<'_>,
        block: &OutputBlock,
        acc: &[Variable],
        sums: Value,
        y: Value,
        x: Value,
    ) {
        for (&acc, v) in acc.iter().zip(0..) {
            let (value, first) = (e.get(acc), e.int(4 * v));
            let address = e.element(sums, first);
            e.store(value, address);
        }
        let width = self.output_width();
        let outputs = Span { start: e.int(0), end: block.count };
        e.for_range(outputs, width.channels(), |e, o| {
            let address = e.element(sums, o);
            let sum = e.load(width, address);
            let c = e.add(block.first_output, o);
            let value = match &self.epilogue {
                Some(epilogue) => epilogue.emit(e, width, &[sum], [c, y, x]),
                None => sum,
            };
            self.dst.store(e, value, c, y, x);
        });
    }

    /// Four where no four outputs belong to two groups, and all operands have them side by side.
    fn output_width(&self) -> Width {
        let within_group = self.groups == 1 || self.outputs % 4 == 0;
        let wide = self.dst.is_wide() && self.epilogue.as_ref().is_none_or(Elementwise::is_wide);
        Width::four_if(within_group && wide)
    }
}

/// How many blocks of `len` it takes to hold `n`.
fn blocks(n: i64, len: i64) -> i64 {
    n / len + i64::from(n % len != 0)
}

/// The channels in the block that begins at `first`, of a group of `total`.
fn block_len(e: &mut Emitter<'_>, total: i64, first: Value) -> Value {
    let (total, block) = (e.int(total), e.int(BLOCK));
    let rest = e.sub(total, first);
    e.min(rest, block)
}

/// Vector number `v` of an array.
fn load_vector(e: &mut Emitter<'_>, array: Value, v: i64) -> Value {
    let first = e.int(4 * v);
    let address = e.element(array, first);
    e.load(Width::Four, address)
}
