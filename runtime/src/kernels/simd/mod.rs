//! Vectors of 16 f32s on each instruction set.
//!
//! An instruction set is a token that exists only where the processor was found to have it, so that its operations are
//! safe. Generic code over [`Simd`] is `#[inline(always)]`, and becomes machine code of the instruction set where
//! [`Simd::vectorize`] takes it in.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(not(target_arch = "x86_64"))]
mod missing;
mod portable;

use crate::scalar::Compare;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
#[cfg(not(target_arch = "x86_64"))]
pub(super) use missing::{Avx2, Avx512};
pub(super) use portable::Portable;

/// f32s of a vector.
pub(super) const LANES: usize = 16;

/// Code that is compiled once for each instruction set.
pub(super) trait Vectorize {
    /// Runs it. Implementations are `#[inline(always)]`.
    fn run<S: Simd>(self, simd: S);
}

/// An instruction set. Every operation is exactly the one of [`crate::scalar`], lane by lane.
pub(super) trait Simd: Copy + Send + Sync + 'static {
    /// 16 f32s.
    type V: Copy;

    /// Pixels of a convolution's register tile: 14, 6 or 4.
    const PIXELS: usize;
    /// Blocks of 16 output channels of a convolution's register tile: 1 or 2.
    const BLOCKS: usize;

    /// Runs `f` as code of this instruction set.
    fn vectorize<F: Vectorize>(self, f: F);

    /// 16 f32s from memory, aligned as an f32.
    ///
    /// # Safety
    ///
    /// `from` is valid for reading them.
    unsafe fn load(self, from: *const f32) -> Self::V;

    /// 16 f32s to memory, aligned as an f32.
    ///
    /// # Safety
    ///
    /// `to` is valid for writing them.
    unsafe fn store(self, to: *mut f32, v: Self::V);

    /// Transposes 16 × 16 f32s: `to[j · to_stride + i] = from[i · from_stride + j]`.
    ///
    /// # Safety
    ///
    /// `from` is valid for reading 16 rows of 16 f32s, `to` for writing them.
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize);

    /// The same value in every lane.
    fn splat(self, v: f32) -> Self::V;
    /// `a · b + c`, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Sum.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// Difference.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// Product.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// Quotient.
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a < b { a } else { b }`
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a > b { a } else { b }`
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Sign flipped.
    fn neg(self, a: Self::V) -> Self::V;
    /// Sign cleared.
    fn abs(self, a: Self::V) -> Self::V;
    /// Square root.
    fn sqrt(self, a: Self::V) -> Self::V;
    /// Largest integer not above.
    fn floor(self, a: Self::V) -> Self::V;
    /// Nearest integer, ties to even.
    fn round(self, a: Self::V) -> Self::V;
    /// [`crate::scalar::Unary::Exp2i`]
    fn exp2i(self, a: Self::V) -> Self::V;
    /// `if a ? b { yes } else { no }`
    fn select(self, op: Compare, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `if v > acc or v is NaN { v } else { acc }`
    fn max_nan(self, acc: Self::V, v: Self::V) -> Self::V;
}
