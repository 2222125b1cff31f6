//! Instruction sets that this architecture does not have: tokens that cannot exist.

use super::{Portable, Simd, Vectorize};
use crate::scalar::Compare;

macro_rules! missing {
    ($($name:ident)*) => {$(
        #[derive(Clone, Copy, Debug)]
        pub(in crate::kernels) enum $name {}

        impl $name {
            pub(in crate::kernels) fn detect() -> Option<Self> {
                None
            }
        }

        impl Simd for $name {
            type V = <Portable as Simd>::V;

            const PIXELS: usize = 4;
            const BLOCKS: usize = 1;

            fn vectorize<F: Vectorize>(self, _: F) {
                match self {}
            }

            unsafe fn load(self, _: *const f32) -> Self::V {
                match self {}
            }

            unsafe fn store(self, _: *mut f32, _: Self::V) {
                match self {}
            }

            unsafe fn transpose(self, _: *const f32, _: usize, _: *mut f32, _: usize) {
                match self {}
            }

            fn splat(self, _: f32) -> Self::V {
                match self {}
            }

            fn fma(self, _: Self::V, _: Self::V, _: Self::V) -> Self::V {
                match self {}
            }

            fn select(self, _: Compare, _: Self::V, _: Self::V, _: Self::V, _: Self::V) -> Self::V {
                match self {}
            }

            missing!(@unary neg abs sqrt floor round exp2i);
            missing!(@binary add sub mul div min max max_nan);
        }
    )*};
    (@unary $($op:ident)*) => {$(
        fn $op(self, _: Self::V) -> Self::V {
            match self {}
        }
    )*};
    (@binary $($op:ident)*) => {$(
        fn $op(self, _: Self::V, _: Self::V) -> Self::V {
            match self {}
        }
    )*};
}

missing!(Avx512 Avx2);
