//! Native kernels of the compute instructions: a table of instruction × instruction set, a file per family.
//!
//! Kernels are generic over [`simd::Simd`] and follow the canonical order of the crate's documentation: lanes are output
//! channels or pixels, never what is summed over.

mod adjoint;
mod conv;
mod conv_dw;
mod conv_transpose;
mod copy;
mod depthwise;
mod direct;
mod dropout;
mod elementwise;
mod expression;
mod few_outputs;
mod fold;
mod geometry;
mod isa;
mod map;
mod matmul;
mod max_pool_dx;
mod nearest;
#[cfg(test)]
mod peak;
mod pixel_shuffle;
mod pixel_unshuffle;
mod pool;
mod register_tile;
mod resize;
mod simd;

use crate::memory::{Kernel, Tile};
use crate::program::{Instr, Program, Section};
use simd::{Avx2, Avx512, Portable, Simd, Vectorize};

#[allow(unused_imports, unreachable_pub, reason = "the engine exports them")]
pub use isa::{Isa, UnknownIsa};

pub(crate) use conv_dw::WeightOrder;

/// Makes a compute instruction ready to run; `None` where there is no native kernel for it.
pub(crate) fn prepare(
    isa: Isa,
    program: &Program,
    section: &Section,
    instr: &Instr,
) -> Option<Box<dyn Kernel>> {
    match isa {
        Isa::Avx512 => table(Avx512::detect()?, program, section, instr),
        Isa::Avx2 => table(Avx2::detect()?, program, section, instr),
        Isa::Portable => table(Portable, program, section, instr),
    }
}

fn table<S: Simd>(simd: S, program: &Program, section: &Section, instr: &Instr) -> Option<Box<dyn Kernel>> {
    match instr {
        Instr::Conv2d(i) => depthwise::Depthwise::new(program, section, i)
            .map(|body| boxed(simd, body))
            .or_else(|| few_outputs::FewOutputs::new(program, section, i).map(|body| boxed(simd, body)))
            .or_else(|| conv::Conv::new(program, section, i).map(|body| boxed(simd, body))),
        Instr::ConvTranspose2d(i) => {
            conv_transpose::ConvTranspose::new(program, section, i).map(|body| boxed(simd, body))
        }
        Instr::Pool(i) => Some(boxed(simd, pool::PoolKernel::new(i))),
        Instr::Resize(i) => nearest::NearestKernel::new(i)
            .map(|body| boxed(simd, body))
            .or_else(|| Some(boxed(simd, resize::ResizeKernel::new(i)))),
        Instr::PixelShuffle(i) => Some(boxed(simd, pixel_shuffle::PixelShuffleKernel::new(i))),
        Instr::PixelUnshuffle(i) => Some(boxed(simd, pixel_unshuffle::PixelUnshuffleKernel::new(i))),
        Instr::Copy(i) => Some(boxed(simd, copy::CopyKernel::new(i))),
        Instr::Map(i) => map::MapKernel::new(program, section, i).map(|body| boxed(simd, body)),
        Instr::Fold(i) => Some(boxed(simd, fold::FoldKernel::new(i))),
        Instr::Matmul(i) => Some(boxed(simd, matmul::MatmulKernel::new(i))),
        Instr::ConvDw(i) => conv_dw::DepthwiseDw::new(section, i)
            .map(|body| boxed(simd, body))
            .or_else(|| conv_dw::ConvDwKernel::new(section, i).map(|body| boxed(simd, body))),
        Instr::MaxPoolDx(i) => Some(boxed(simd, max_pool_dx::MaxPoolDxKernel::new(i))),
        Instr::Adjoint(i) => Some(boxed(simd, adjoint::AdjointKernel::new(i))),
        Instr::Dropout(i) => Some(boxed(simd, dropout::DropoutKernel::new(i))),
        Instr::Load(_) | Instr::Store(_) | Instr::StoreRmw(_) | Instr::Accumulate(_) => None,
    }
}

fn boxed<S: Simd, B: Body + Send + Sync + 'static>(simd: S, body: B) -> Box<dyn Kernel> {
    Box::new(Vectorized { simd, body })
}

/// A kernel before an instruction set is chosen for it: [`Kernel`], generic.
trait Body {
    /// f32s of scratch that `run` wants.
    fn scratch(&self) -> usize {
        0
    }

    /// As [`Kernel::run`]. Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::run`]; `scratch` is at least as long as asked for.
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]);
}

struct Vectorized<S, B> {
    simd: S,
    body: B,
}

impl<S: Simd, B: Body + Send + Sync> Kernel for Vectorized<S, B> {
    fn scratch(&self) -> usize {
        self.body.scratch()
    }

    unsafe fn run(&self, tile: &Tile<'_>, scratch: &mut [f32]) {
        assert!(scratch.len() >= self.body.scratch(), "the engine gives what the kernel asks for");
        self.simd.vectorize(Run { body: &self.body, tile, scratch });
    }
}

/// One call of a [`Body`]. Only [`Vectorized::run`] makes one.
struct Run<'a, B> {
    body: &'a B,
    tile: &'a Tile<'a>,
    scratch: &'a mut [f32],
}

impl<B: Body> Vectorize for Run<'_, B> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // SAFETY: the promise to `Vectorized::run`, which has checked the scratch.
        unsafe { self.body.run(simd, self.tile, self.scratch) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Family, check, check_products};

    fn check_all(family: Family, count: u64) {
        for isa in Isa::available() {
            check(family, count, |case| prepare(isa, &case.program, &case.section, &case.instr));
        }
    }

    #[test]
    fn conv2d() {
        check_all(Family::Conv2d, 500);
    }

    #[test]
    fn conv_transpose2d() {
        check_all(Family::ConvTranspose2d, 500);
    }

    #[test]
    fn pool() {
        check_all(Family::Pool, 500);
    }

    #[test]
    fn resize() {
        check_all(Family::Resize, 1000);
    }

    #[test]
    fn pixel_shuffle() {
        check_all(Family::PixelShuffle, 500);
    }

    #[test]
    fn pixel_unshuffle() {
        check_all(Family::PixelUnshuffle, 500);
    }

    #[test]
    fn copy() {
        check_all(Family::Copy, 500);
    }

    #[test]
    fn map() {
        check_all(Family::Map, 1000);
    }

    #[test]
    fn fold() {
        check_all(Family::Fold, 1500);
    }

    #[test]
    fn conv_dw() {
        for isa in Isa::available() {
            check_products(200, |case| prepare(isa, &case.program, &case.section, &case.instr));
        }
    }

    #[test]
    fn matmul() {
        check_all(Family::Matmul, 1000);
    }

    #[test]
    fn max_pool_dx() {
        check_all(Family::MaxPoolDx, 1000);
    }

    #[test]
    fn dropout() {
        check_all(Family::Dropout, 1000);
    }

    #[test]
    fn adjoint() {
        check_all(Family::Adjoint, 1500);
    }
}
