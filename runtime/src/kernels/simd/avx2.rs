//! AVX2 with FMA: a vector is a pair of registers.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::*;
use std::array;

use super::{Simd, Vectorize};
use crate::scalar::Compare;

/// Proof that the processor has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Avx2(());

impl Avx2 {
    pub(in crate::kernels) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

type V = [__m256; 2];

macro_rules! intrinsic {
    ($e:expr) => {
        // SAFETY: the token exists, so the processor has the instructions; nothing here touches memory.
        unsafe { $e }
    };
}

/// An operation on both halves.
macro_rules! halves {
    ($i:ident => $e:expr) => {
        [
            intrinsic!({
                let $i = 0;
                $e
            }),
            intrinsic!({
                let $i = 1;
                $e
            }),
        ]
    };
}

#[target_feature(enable = "avx2,fma")]
#[inline(never)]
fn compiled<F: Vectorize>(simd: Avx2, f: F) {
    f.run(simd);
}

impl Simd for Avx2 {
    type V = V;

    const PIXELS: usize = 6;
    const BLOCKS: usize = 1;

    #[inline(always)]
    fn vectorize<F: Vectorize>(self, f: F) {
        // SAFETY: the token exists, so the processor has the features.
        unsafe { compiled(self, f) };
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> V {
        // SAFETY: the caller's promise, and the token.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: V) {
        // SAFETY: the caller's promise, and the token.
        unsafe {
            _mm256_storeu_ps(to, v[0]);
            _mm256_storeu_ps(to.add(8), v[1]);
        }
    }

    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for (i, j) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
            // SAFETY: the caller's promise for a quarter, and the token.
            unsafe {
                transpose(from.add(i * from_stride + j), from_stride, to.add(j * to_stride + i), to_stride)
            };
        }
    }

    #[inline(always)]
    fn splat(self, v: f32) -> V {
        intrinsic!([_mm256_set1_ps(v); 2])
    }

    #[inline(always)]
    fn fma(self, a: V, b: V, c: V) -> V {
        halves!(i => _mm256_fmadd_ps(a[i], b[i], c[i]))
    }

    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        halves!(i => _mm256_add_ps(a[i], b[i]))
    }

    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        halves!(i => _mm256_sub_ps(a[i], b[i]))
    }

    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        halves!(i => _mm256_mul_ps(a[i], b[i]))
    }

    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        halves!(i => _mm256_div_ps(a[i], b[i]))
    }

    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        halves!(i => _mm256_min_ps(a[i], b[i]))
    }

    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        halves!(i => _mm256_max_ps(a[i], b[i]))
    }

    #[inline(always)]
    fn neg(self, a: V) -> V {
        halves!(i => _mm256_xor_ps(a[i], _mm256_set1_ps(-0.0)))
    }

    #[inline(always)]
    fn abs(self, a: V) -> V {
        halves!(i => _mm256_andnot_ps(_mm256_set1_ps(-0.0), a[i]))
    }

    #[inline(always)]
    fn sqrt(self, a: V) -> V {
        halves!(i => _mm256_sqrt_ps(a[i]))
    }

    #[inline(always)]
    fn floor(self, a: V) -> V {
        halves!(i => _mm256_round_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(a[i]))
    }

    #[inline(always)]
    fn round(self, a: V) -> V {
        halves!(i => _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a[i]))
    }

    #[inline(always)]
    fn exp2i(self, a: V) -> V {
        halves!(i => {
            // The conversion gives i32::MIN for all that does not fit, NaN included.
            let number = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_ORD_Q>(a[i], a[i]));
            let large = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GE_OQ>(a[i], _mm256_set1_ps(2147483648.0)));
            let n = _mm256_and_si256(number, _mm256_cvttps_epi32(a[i]));
            let n = _mm256_blendv_epi8(n, _mm256_set1_epi32(i32::MAX), large);
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n, _mm256_set1_epi32(127))))
        })
    }

    #[inline(always)]
    fn select(self, op: Compare, a: V, b: V, yes: V, no: V) -> V {
        halves!(i => {
            let mask = match op {
                Compare::Lt => _mm256_cmp_ps::<_CMP_LT_OQ>(a[i], b[i]),
                Compare::Le => _mm256_cmp_ps::<_CMP_LE_OQ>(a[i], b[i]),
                Compare::Eq => _mm256_cmp_ps::<_CMP_EQ_OQ>(a[i], b[i]),
            };
            _mm256_blendv_ps(no[i], yes[i], mask)
        })
    }

    #[inline(always)]
    fn max_nan(self, acc: V, v: V) -> V {
        halves!(i => {
            let keeps = _mm256_cmp_ps::<_CMP_ORD_Q>(v[i], v[i]);
            _mm256_blendv_ps(v[i], _mm256_max_ps(v[i], acc[i]), keeps)
        })
    }
}

/// [`Simd::transpose`] of 8 × 8 f32s.
///
/// # Safety
///
/// As there.
#[target_feature(enable = "avx2")]
unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise, for each row.
    let rows: [__m256; 8] = array::from_fn(|i| unsafe { _mm256_loadu_ps(from.add(i * from_stride)) });
    for j in 0..4 {
        // Rows 4h to 4h + 3 of the columns j and j + 4, one 128-bit part a column.
        let half = |h: usize| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| rows[4 * h + i]);
            let (ab, cd) = if j < 2 {
                (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d))
            } else {
                (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d))
            };
            let (ab, cd) = (_mm256_castps_pd(ab), _mm256_castps_pd(cd));
            _mm256_castpd_ps(if j % 2 == 0 { _mm256_unpacklo_pd(ab, cd) } else { _mm256_unpackhi_pd(ab, cd) })
        };
        let (top, bottom) = (half(0), half(1));
        // SAFETY: the caller's promise.
        unsafe {
            _mm256_storeu_ps(to.add(j * to_stride), _mm256_permute2f128_ps::<0x20>(top, bottom));
            _mm256_storeu_ps(to.add((j + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(top, bottom));
        }
    }
}
