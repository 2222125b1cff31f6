//! Instructions compiled to machine code with Cranelift: the reference that hand-written kernels are held against.
//!
//! Each compute instruction becomes one function, its loop nest written down as the canonical order of the crate's
//! documentation says; the module of its family shows the nest as pseudo-code. What there is to believe is little:
//!
//! * loops and branches ([`emit`]) are the only control flow;
//! * every element of a buffer is addressed by [`buffer::TileBuffer::address`] and nowhere else;
//! * arithmetic is emitted node by node ([`expr`]), and Cranelift never reassociates or contracts floating-point operations.
//!
//! Shapes, layouts, windows and expressions are constants of the code; where a tile lies, and its memory, is read from its
//! [`View`]s at run time, so that one function serves all tiles. Lanes are output channels: four side by side where the
//! layout of all operands allows it, one otherwise, with the same result for each.

mod adjoint;
mod buffer;
mod conv;
mod conv_dw;
mod dropout;
mod emit;
mod expr;
mod fold;
mod gather;
mod map;
mod matmul;
mod max_pool_dx;
mod operand;
mod pool;
mod resize;
mod scope;
#[cfg(test)]
mod tests;
mod window;

use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex};

use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{AbiParam, Signature};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable, SetError};
use cranelift_codegen::{CodegenError, Context, isa};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Module, ModuleError, default_libcall_names};

use crate::memory::{Gathered, Kernel, Tile, View};
use crate::program::{Instr, Program, Section};
use emit::Emitter;
use scope::Scope;

/// Why an instruction could not be compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JitError {
    /// Cranelift has no code generator for this processor.
    #[error("no code can be generated for this processor: {0}")]
    Host(&'static str),
    /// Cranelift does not know a setting.
    #[error("code generator settings: {0}")]
    Settings(#[from] SetError),
    /// The code generator refused.
    #[error("code generation failed: {0}")]
    Codegen(#[from] CodegenError),
    /// Code memory could not be had.
    #[error("code could not be placed in memory: {0}")]
    Module(#[from] Box<ModuleError>),
    /// An id leads nowhere.
    #[error("{0} does not exist")]
    Missing(String),
    /// The program is not one that the verifier accepts.
    #[error("malformed instruction: {0}")]
    Malformed(&'static str),
    /// Transfers and reductions are the engine's.
    #[error("only compute instructions are compiled")]
    NotCompute,
}

impl From<ModuleError> for JitError {
    fn from(error: ModuleError) -> Self {
        Self::Module(Box::new(error))
    }
}

/// What a compiled instruction is called as: views by `BufferId`, packed weights by `WeightId`, what is gathered by
/// `AccumulatorId`, and which image it is.
type Entry = unsafe extern "C" fn(
    views: *const View,
    weights: *const *const f32,
    gathered: *const Gathered,
    image: u64,
);

/// Compiles instructions, one after the other; [`Jit::finish`] makes them callable.
pub(crate) struct Jit {
    code: Code,
    context: Context,
    builder: FunctionBuilderContext,
    functions: Vec<FuncId>,
}

impl Jit {
    /// A compiler for this processor.
    pub(crate) fn new() -> Result<Self, JitError> {
        Self::for_isa(cranelift_native::builder().map_err(JitError::Host)?)
    }

    fn for_isa(isa: isa::Builder) -> Result<Self, JitError> {
        let mut flags = settings::builder();
        flags.set("opt_level", "speed")?;
        // Code memory may be further from the process's own functions than a short call reaches.
        flags.set("use_colocated_libcalls", "false")?;
        flags.set("is_pic", "false")?;
        let isa: OwnedTargetIsa = isa.finish(settings::Flags::new(flags))?;
        let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
        // What processors without FMA or SSE4.1 call.
        builder.symbol("fmaf", fused_multiply_add as *const u8);
        builder.symbol("floorf", floor as *const u8);
        builder.symbol("nearbyintf", round_ties_even as *const u8);
        let code = Code(ManuallyDrop::new(JITModule::new(builder)));
        let context = code.0.make_context();
        Ok(Self { code, context, builder: FunctionBuilderContext::new(), functions: Vec::new() })
    }

    /// Compiles an instruction of `section`.
    ///
    /// The code relies on what the verifier proves about the program; what the emitter itself needs to stand on is refused
    /// where it is missing.
    pub(crate) fn add(
        &mut self,
        program: &Program,
        section: &Section,
        instr: &Instr,
    ) -> Result<(), JitError> {
        let nest = LoopNest::new(&Scope::new(program, section), instr)?;
        let module = &mut *self.code.0;
        module.clear_context(&mut self.context);
        self.context.func.signature = signature(module);
        let mut emitter = Emitter::new(&mut self.context.func, &mut self.builder);
        nest.emit(&mut emitter);
        emitter.finish(module.isa().frontend_config());
        let function = module.declare_anonymous_function(&self.context.func.signature)?;
        module.define_function(function, &mut self.context)?;
        self.functions.push(function);
        Ok(())
    }

    /// The compiled instructions, in the order in which they were added.
    pub(crate) fn finish(self) -> Result<Vec<Box<dyn Kernel>>, JitError> {
        let Self { mut code, functions, .. } = self;
        code.0.finalize_definitions()?;
        let entries: Vec<_> = functions.into_iter().map(|f| code.0.get_finalized_function(f)).collect();
        let code = Arc::new(Mutex::new(code));
        let kernel = |entry: *const u8| -> Box<dyn Kernel> {
            // SAFETY: the function was compiled with the signature of `Entry`, and `code` keeps it in memory.
            let entry = unsafe { std::mem::transmute::<*const u8, Entry>(entry) };
            Box::new(JitKernel { entry, _code: Arc::clone(&code) })
        };
        Ok(entries.into_iter().map(kernel).collect())
    }
}

/// That of [`Entry`].
fn signature(module: &JITModule) -> Signature {
    let mut signature = module.make_signature();
    signature.params = vec![AbiParam::new(I64); 4];
    signature
}

extern "C" fn fused_multiply_add(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

extern "C" fn floor(a: f32) -> f32 {
    a.floor()
}

extern "C" fn round_ties_even(a: f32) -> f32 {
    a.round_ties_even()
}

/// A module whose code is freed when it is dropped.
struct Code(ManuallyDrop<JITModule>);

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the module is not used after this. Pointers to its code are held by `JitKernel`s alone, each of which
        // keeps it from being dropped.
        unsafe { ManuallyDrop::take(&mut self.0).free_memory() }
    }
}

/// A compiled instruction.
struct JitKernel {
    entry: Entry,
    /// Keeps the code in memory. The lock is never taken: a module may be owned by any thread, but used by one.
    _code: Arc<Mutex<Code>>,
}

impl Kernel for JitKernel {
    unsafe fn run(&self, tile: &Tile<'_>, _: &mut [f32]) {
        // SAFETY: the caller vouches that the program was verified and that the views and weights are those of one of its
        // tiles, over memory that no other thread uses; the code reads and writes what the verifier allows.
        unsafe {
            (self.entry)(tile.views.as_ptr(), tile.weights.as_ptr(), tile.gathered.as_ptr(), tile.image)
        }
    }
}

/// An instruction with its ids resolved, ready to be emitted.
enum LoopNest<'p> {
    Convolution(conv::Convolution<'p>),
    Pool(pool::Pool),
    Resize(resize::Resize),
    Gather(gather::Gather),
    Map(map::Map<'p>),
    Fold(fold::Fold),
    Matmul(matmul::Matmul),
    ConvDw(conv_dw::ConvDw),
    MaxPoolDx(max_pool_dx::MaxPoolDx),
    Adjoint(adjoint::Adjoint),
    Dropout(dropout::Dropout),
}

impl<'p> LoopNest<'p> {
    fn new(scope: &Scope<'p>, instr: &Instr) -> Result<Self, JitError> {
        Ok(match instr {
            Instr::Conv2d(i) => Self::Convolution(conv::Convolution::direct(scope, i)?),
            Instr::ConvTranspose2d(i) => Self::Convolution(conv::Convolution::transposed(scope, i)?),
            Instr::Pool(i) => Self::Pool(pool::Pool::new(scope, i)?),
            Instr::Resize(i) => Self::Resize(resize::Resize::new(scope, i)?),
            Instr::PixelShuffle(i) => Self::Gather(gather::Gather::pixel_shuffle(scope, i)?),
            Instr::PixelUnshuffle(i) => Self::Gather(gather::Gather::pixel_unshuffle(scope, i)?),
            Instr::Copy(i) => Self::Gather(gather::Gather::copy(scope, i)?),
            Instr::Map(i) => Self::Map(map::Map::new(scope, i)?),
            Instr::Fold(i) => Self::Fold(fold::Fold::new(scope, i)?),
            Instr::Matmul(i) => Self::Matmul(matmul::Matmul::new(scope, i)?),
            Instr::ConvDw(i) => Self::ConvDw(conv_dw::ConvDw::new(scope, i)?),
            Instr::MaxPoolDx(i) => Self::MaxPoolDx(max_pool_dx::MaxPoolDx::new(scope, i)?),
            Instr::Adjoint(i) => Self::Adjoint(adjoint::Adjoint::new(scope, i)?),
            Instr::Dropout(i) => Self::Dropout(dropout::Dropout::new(scope, i)?),
            Instr::Load(_) | Instr::Store(_) | Instr::StoreRmw(_) | Instr::Accumulate(_) => {
                return Err(JitError::NotCompute);
            }
        })
    }

    fn emit(&self, e: &mut Emitter<'_>) {
        match self {
            Self::Convolution(nest) => nest.emit(e),
            Self::Pool(nest) => nest.emit(e),
            Self::Resize(nest) => nest.emit(e),
            Self::Gather(nest) => nest.emit(e),
            Self::Map(nest) => nest.emit(e),
            Self::Fold(nest) => nest.emit(e),
            Self::Matmul(nest) => nest.emit(e),
            Self::ConvDw(nest) => nest.emit(e),
            Self::MaxPoolDx(nest) => nest.emit(e),
            Self::Adjoint(nest) => nest.emit(e),
            Self::Dropout(nest) => nest.emit(e),
        }
    }
}
