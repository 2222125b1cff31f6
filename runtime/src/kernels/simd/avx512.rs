//! AVX-512.

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::*;
use std::array;

use super::{Simd, Vectorize};
use crate::scalar::Compare;

/// Proof that the processor has AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Avx512(());

impl Avx512 {
    pub(in crate::kernels) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}

macro_rules! intrinsic {
    ($e:expr) => {
        // SAFETY: the token exists, so the processor has the instructions; nothing here touches memory.
        unsafe { $e }
    };
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline(never)]
fn compiled<F: Vectorize>(simd: Avx512, f: F) {
    f.run(simd);
}

impl Simd for Avx512 {
    type V = __m512;

    const PIXELS: usize = 14;
    const BLOCKS: usize = 2;

    #[inline(always)]
    fn vectorize<F: Vectorize>(self, f: F) {
        // SAFETY: the token exists, so the processor has the features.
        unsafe { compiled(self, f) };
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller's promise, and the token.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        // SAFETY: the caller's promise, and the token.
        unsafe { _mm512_storeu_ps(to, v) }
    }

    #[inline(always)]
    unsafe fn transpose(self, from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller's promise, and the token.
        unsafe { transpose(from, from_stride, to, to_stride) };
    }

    #[inline(always)]
    fn splat(self, v: f32) -> __m512 {
        intrinsic!(_mm512_set1_ps(v))
    }

    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        intrinsic!(_mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        intrinsic!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        intrinsic!(_mm512_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        intrinsic!(_mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        intrinsic!(_mm512_div_ps(a, b))
    }

    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        intrinsic!(_mm512_min_ps(a, b))
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        intrinsic!(_mm512_max_ps(a, b))
    }

    #[inline(always)]
    fn neg(self, a: __m512) -> __m512 {
        intrinsic!(_mm512_xor_ps(a, _mm512_set1_ps(-0.0)))
    }

    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        intrinsic!(_mm512_andnot_ps(_mm512_set1_ps(-0.0), a))
    }

    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        intrinsic!(_mm512_sqrt_ps(a))
    }

    #[inline(always)]
    fn floor(self, a: __m512) -> __m512 {
        intrinsic!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(a))
    }

    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        intrinsic!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }

    #[inline(always)]
    fn exp2i(self, a: __m512) -> __m512 {
        intrinsic!({
            // The conversion gives i32::MIN for all that does not fit, NaN included.
            let number = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(a, a);
            let large = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, _mm512_set1_ps(2147483648.0));
            let n = _mm512_maskz_mov_epi32(number, _mm512_cvttps_epi32(a));
            let n = _mm512_mask_mov_epi32(n, large, _mm512_set1_epi32(i32::MAX));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_add_epi32(n, _mm512_set1_epi32(127))))
        })
    }

    #[inline(always)]
    fn select(self, op: Compare, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        intrinsic!({
            let mask = match op {
                Compare::Lt => _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b),
                Compare::Le => _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b),
                Compare::Eq => _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b),
            };
            _mm512_mask_blend_ps(mask, no, yes)
        })
    }

    #[inline(always)]
    fn max_nan(self, acc: __m512, v: __m512) -> __m512 {
        intrinsic!({
            let keeps = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(v, v);
            _mm512_mask_blend_ps(keeps, v, _mm512_max_ps(v, acc))
        })
    }
}

/// [`Simd::transpose`]
///
/// # Safety
///
/// As there.
#[target_feature(enable = "avx512f")]
unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise, for each row.
    let rows: [__m512; 16] = array::from_fn(|i| unsafe { _mm512_loadu_ps(from.add(i * from_stride)) });
    for j in 0..4 {
        // Rows 4q to 4q + 3 of the columns j, j + 4, j + 8 and j + 12, one 128-bit part a column.
        let quarter = |q: usize| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| rows[4 * q + i]);
            let (ab, cd) = if j < 2 {
                (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d))
            } else {
                (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d))
            };
            let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
            _mm512_castpd_ps(if j % 2 == 0 { _mm512_unpacklo_pd(ab, cd) } else { _mm512_unpackhi_pd(ab, cd) })
        };
        let (top, bottom) = ([quarter(0), quarter(1)], [quarter(2), quarter(3)]);
        let even = [top, bottom].map(|[a, b]| _mm512_shuffle_f32x4::<0x88>(a, b));
        let odd = [top, bottom].map(|[a, b]| _mm512_shuffle_f32x4::<0xdd>(a, b));
        let columns = [
            _mm512_shuffle_f32x4::<0x88>(even[0], even[1]),
            _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]),
            _mm512_shuffle_f32x4::<0xdd>(even[0], even[1]),
            _mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]),
        ];
        for (k, &column) in columns.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_ps(to.add((4 * k + j) * to_stride), column) };
        }
    }
}
