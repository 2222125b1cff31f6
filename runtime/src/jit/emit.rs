//! Structured code: loops, branches, integers and floats over Cranelift's function builder.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Ieee32;
use cranelift_codegen::ir::types::{F32, F32X4, I64};
use cranelift_codegen::ir::{
    AbiParam, BlockArg, Function, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind, Type,
    Value,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

/// How many neighbouring channels are computed side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// A scalar.
    One,
    /// A vector.
    Four,
}

impl Width {
    /// Four if the layout of all operands allows it.
    pub(super) fn four_if(wide: bool) -> Self {
        if wide { Self::Four } else { Self::One }
    }

    pub(super) fn channels(self) -> i64 {
        match self {
            Self::One => 1,
            Self::Four => 4,
        }
    }

    /// The type of a value.
    pub(super) fn ty(self) -> Type {
        match self {
            Self::One => F32,
            Self::Four => F32X4,
        }
    }
}

/// A half-open interval of integers known at run time.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: Value,
    pub(super) end: Value,
}

/// Rows and columns known at run time.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) y: Span,
    pub(super) x: Span,
}

/// Memory of the views and of tensors: mapped, so that no access traps.
const MEMORY: MemFlagsData = MemFlagsData::new().with_notrap();

/// Memory that does not change while the function runs, so that reads of it may be merged and moved out of loops.
const CONSTANT_MEMORY: MemFlagsData = MemFlagsData::trusted().with_readonly().with_can_move();

/// Writes the body of one function.
pub(super) struct Emitter<'f> {
    pub(super) builder: FunctionBuilder<'f>,
    views: Value,
    weights: Value,
    gathered: Value,
    image: Value,
}

impl<'f> Emitter<'f> {
    /// `function` has the signature of a compiled instruction, and no body.
    pub(super) fn new(function: &'f mut Function, context: &'f mut FunctionBuilderContext) -> Self {
        let mut builder = FunctionBuilder::new(function, context);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let [views, weights, gathered, image] = [0, 1, 2, 3].map(|i| builder.block_params(entry)[i]);
        Self { builder, views, weights, gathered, image }
    }

    /// Ends the function.
    pub(super) fn finish(mut self, frontend: TargetFrontendConfig) {
        self.builder.ins().return_(&[]);
        self.builder.finalize(frontend);
    }

    /// Which image the tile is of.
    pub(super) fn image(&self) -> Value {
        self.image
    }

    /// The 64-bit word at this offset in bytes of the array of views.
    pub(super) fn view_word(&mut self, offset: i64) -> Value {
        let address = self.offset(self.views, offset);
        self.builder.ins().load(I64, CONSTANT_MEMORY, address, 0)
    }

    /// The pointer at this offset in bytes of the array of weights.
    pub(super) fn weight_pointer(&mut self, offset: i64) -> Value {
        let address = self.offset(self.weights, offset);
        self.builder.ins().load(I64, CONSTANT_MEMORY, address, 0)
    }

    /// The pointer at this offset in bytes of the array of what is gathered.
    pub(super) fn gathered_pointer(&mut self, offset: i64) -> Value {
        let address = self.offset(self.gathered, offset);
        self.builder.ins().load(I64, CONSTANT_MEMORY, address, 0)
    }

    fn offset(&mut self, base: Value, bytes: i64) -> Value {
        let bytes = self.int(bytes);
        self.add(base, bytes)
    }

    // Integers: all 64 bits, wrapping.

    pub(super) fn int(&mut self, value: i64) -> Value {
        self.builder.ins().iconst(I64, value)
    }

    pub(super) fn add(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().iadd(a, b)
    }

    pub(super) fn sub(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().isub(a, b)
    }

    pub(super) fn mul(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().imul(a, b)
    }

    pub(super) fn scale(&mut self, a: Value, by: i64) -> Value {
        let by = self.int(by);
        self.mul(a, by)
    }

    pub(super) fn min(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().smin(a, b)
    }

    pub(super) fn max(&mut self, a: Value, b: Value) -> Value {
        self.builder.ins().smax(a, b)
    }

    /// `|a|`
    pub(super) fn magnitude(&mut self, a: Value) -> Value {
        let negated = self.builder.ins().ineg(a);
        self.max(a, negated)
    }

    /// Quotient and remainder by a positive constant, rounded towards zero.
    pub(super) fn div_rem(&mut self, a: Value, by: i64) -> (Value, Value) {
        debug_assert!(by > 0);
        let by = self.int(by);
        (self.builder.ins().sdiv(a, by), self.builder.ins().srem(a, by))
    }

    /// Whether `a` is 0.
    pub(super) fn is_zero(&mut self, a: Value) -> Value {
        let zero = self.int(0);
        self.builder.ins().icmp(IntCC::Equal, a, zero)
    }

    /// A span known at compile time.
    pub(super) fn span(&mut self, start: i64, end: i64) -> Span {
        Span { start: self.int(start), end: self.int(end) }
    }

    /// Whether a pixel lies in an area.
    pub(super) fn inside(&mut self, y: Value, x: Value, area: Area) -> Value {
        let ins = [(y, area.y), (x, area.x)].map(|(i, span)| {
            let low = self.builder.ins().icmp(IntCC::SignedGreaterThanOrEqual, i, span.start);
            let high = self.builder.ins().icmp(IntCC::SignedLessThan, i, span.end);
            self.builder.ins().band(low, high)
        });
        self.builder.ins().band(ins[0], ins[1])
    }

    // Floats.

    /// A constant, in every lane.
    pub(super) fn float(&mut self, width: Width, value: f32) -> Value {
        let scalar = self.builder.ins().f32const(Ieee32::with_bits(value.to_bits()));
        self.splat(width, scalar)
    }

    /// A scalar in every lane.
    pub(super) fn splat(&mut self, width: Width, scalar: Value) -> Value {
        match width {
            Width::One => scalar,
            Width::Four => self.builder.ins().splat(F32X4, scalar),
        }
    }

    /// The value at an address: aligned to f32s, no more.
    pub(super) fn load(&mut self, width: Width, address: Value) -> Value {
        self.builder.ins().load(width.ty(), MEMORY, address, 0)
    }

    pub(super) fn store(&mut self, value: Value, address: Value) {
        self.builder.ins().store(MEMORY, value, address, 0);
    }

    /// The address of element `index` of an array of f32s.
    pub(super) fn element(&mut self, array: Value, index: Value) -> Value {
        let bytes = self.scale(index, 4);
        self.add(array, bytes)
    }

    /// The address of `count` f32s on the stack, aligned for vectors.
    pub(super) fn stack(&mut self, count: u32) -> Value {
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, count * 4, 4);
        let slot = self.builder.create_sized_stack_slot(slot);
        self.builder.ins().stack_addr(I64, slot, 0)
    }

    // Variables: what loops carry, in registers.

    pub(super) fn variable(&mut self, ty: Type, value: Value) -> Variable {
        let variable = self.builder.declare_var(ty);
        self.builder.def_var(variable, value);
        variable
    }

    pub(super) fn get(&mut self, variable: Variable) -> Value {
        self.builder.use_var(variable)
    }

    pub(super) fn set(&mut self, variable: Variable, value: Value) {
        self.builder.def_var(variable, value);
    }

    // Control flow.

    /// Calls a function of the host, `extern "C"`, that takes 64-bit integers and returns a `result`.
    pub(super) fn call(&mut self, function: *const u8, arguments: &[Value], result: Type) -> Value {
        let mut signature = Signature::new(self.builder.func.signature.call_conv);
        signature.params = vec![AbiParam::new(I64); arguments.len()];
        signature.returns = vec![AbiParam::new(result)];
        let signature = self.builder.import_signature(signature);
        let function = self.int(function as i64);
        let call = self.builder.ins().call_indirect(signature, function, arguments);
        self.builder.inst_results(call)[0]
    }

    /// `for i in (span.start..span.end).step_by(step) { body }`
    pub(super) fn for_range(&mut self, span: Span, step: i64, body: impl FnOnce(&mut Self, Value)) {
        let counter = self.variable(I64, span.start);
        let [head, inner, exit] = [(); 3].map(|()| self.builder.create_block());
        self.builder.ins().jump(head, &[]);

        self.builder.switch_to_block(head);
        let i = self.get(counter);
        // In this order the code generator meets the body before the exit, and moves out of the body what does not vary.
        let done = self.builder.ins().icmp(IntCC::SignedGreaterThanOrEqual, i, span.end);
        self.builder.ins().brif(done, exit, &[], inner, &[]);

        self.builder.switch_to_block(inner);
        self.builder.seal_block(inner);
        body(self, i);
        let step = self.int(step);
        let next = self.add(i, step);
        self.set(counter, next);
        self.builder.ins().jump(head, &[]);
        self.builder.seal_block(head);

        self.builder.switch_to_block(exit);
        self.builder.seal_block(exit);
    }

    /// `for i in 0..count { body }`, for a count known at compile time.
    pub(super) fn repeat(&mut self, count: i64, body: impl FnOnce(&mut Self, Value)) {
        let span = self.span(0, count);
        self.for_range(span, 1, body);
    }

    /// All pixels of an area in raster order.
    pub(super) fn for_each_pixel(&mut self, area: Area, body: impl FnOnce(&mut Self, Value, Value)) {
        self.for_range(area.y, 1, |e, y| e.for_range(area.x, 1, |e, x| body(e, y, x)));
    }

    /// `if condition { body }`
    pub(super) fn when(&mut self, condition: Value, body: impl FnOnce(&mut Self)) {
        let [inner, exit] = [(); 2].map(|()| self.builder.create_block());
        self.builder.ins().brif(condition, inner, &[], exit, &[]);

        self.builder.switch_to_block(inner);
        self.builder.seal_block(inner);
        body(self);
        self.builder.ins().jump(exit, &[]);

        self.builder.switch_to_block(exit);
        self.builder.seal_block(exit);
    }

    /// `if !condition { body }`
    pub(super) fn unless(&mut self, condition: Value, body: impl FnOnce(&mut Self)) {
        let not = self.builder.ins().bxor_imm_u(condition, 1);
        self.when(not, body);
    }

    /// `if condition { value() } else { otherwise }`
    pub(super) fn value_or(
        &mut self,
        condition: Value,
        otherwise: Value,
        value: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let ty = self.builder.func.dfg.value_type(otherwise);
        let [inner, exit] = [(); 2].map(|()| self.builder.create_block());
        let result = self.builder.append_block_param(exit, ty);
        self.builder.ins().brif(condition, inner, &[], exit, &[BlockArg::Value(otherwise)]);

        self.builder.switch_to_block(inner);
        self.builder.seal_block(inner);
        let value = value(self);
        self.builder.ins().jump(exit, &[BlockArg::Value(value)]);

        self.builder.switch_to_block(exit);
        self.builder.seal_block(exit);
        result
    }
}
