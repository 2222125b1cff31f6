//! Any processor.

use std::array;

use super::{LANES, Simd, Vectorize};
use crate::scalar::{Binary, Compare, Unary};

/// Plain Rust; the compiler makes of it what the target's baseline allows.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Portable;

type V = [f32; LANES];

#[inline(always)]
fn unary(op: Unary, a: V) -> V {
    array::from_fn(|i| op.apply(a[i]))
}

#[inline(always)]
fn binary(op: Binary, a: V, b: V) -> V {
    array::from_fn(|i| op.apply(a[i], b[i]))
}

impl Simd for Portable {
    type V = V;

    const PIXELS: usize = 4;
    const BLOCKS: usize = 1;

    fn vectorize<F: Vectorize>(self, f: F) {
        f.run(self);
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<V>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: V) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<V>().write_unaligned(v) }
    }

    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for i in 0..LANES {
            for j in 0..LANES {
                // SAFETY: the caller's promise.
                unsafe { *to.add(j * to_stride + i) = *from.add(i * from_stride + j) };
            }
        }
    }

    #[inline(always)]
    fn splat(self, v: f32) -> V {
        [v; LANES]
    }

    #[inline(always)]
    fn fma(self, a: V, b: V, c: V) -> V {
        array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }

    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        binary(Binary::Add, a, b)
    }

    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        binary(Binary::Sub, a, b)
    }

    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        binary(Binary::Mul, a, b)
    }

    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        binary(Binary::Div, a, b)
    }

    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        binary(Binary::Min, a, b)
    }

    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        binary(Binary::Max, a, b)
    }

    #[inline(always)]
    fn neg(self, a: V) -> V {
        unary(Unary::Neg, a)
    }

    #[inline(always)]
    fn abs(self, a: V) -> V {
        unary(Unary::Abs, a)
    }

    #[inline(always)]
    fn sqrt(self, a: V) -> V {
        unary(Unary::Sqrt, a)
    }

    #[inline(always)]
    fn floor(self, a: V) -> V {
        unary(Unary::Floor, a)
    }

    #[inline(always)]
    fn round(self, a: V) -> V {
        unary(Unary::Round, a)
    }

    #[inline(always)]
    fn exp2i(self, a: V) -> V {
        unary(Unary::Exp2i, a)
    }

    #[inline(always)]
    fn select(self, op: Compare, a: V, b: V, yes: V, no: V) -> V {
        array::from_fn(|i| if op.apply(a[i], b[i]) { yes[i] } else { no[i] })
    }

    #[inline(always)]
    fn max_nan(self, acc: V, v: V) -> V {
        array::from_fn(|i| if v[i] > acc[i] || v[i].is_nan() { v[i] } else { acc[i] })
    }
}
