//! Transposed convolution, in gather form.
//!
//! Output `o` uses the taps `k` for which `(o + pad − k·dilation) / stride` is an integer. Which ones depends on the phase
//! `(o + pad) mod stride` alone, so the outputs of one phase are a convolution of stride 1 with those taps.

use super::Body;
use super::direct::{Direct, Operands, Span, Spans};
use super::register_tile::Tap;
use super::simd::Simd;
use crate::memory::Tile;
use crate::program::instr::{ConvTranspose2d, Window};
use crate::program::{Interval, Program, Section};

/// Most phases times taps; others are left to compiled code.
const MAX_TABLE: u64 = 1 << 16;

/// [`ConvTranspose2d`], ready to run.
pub(super) struct ConvTranspose {
    direct: Direct,
    geometry: Geometry,
}

struct Geometry {
    stride: [i64; 2],
    pad: [i64; 2],
    /// The taps of each phase, phases in raster order.
    phases: Vec<Vec<Tap>>,
}

impl ConvTranspose {
    pub(super) fn new(program: &Program, section: &Section, conv: &ConvTranspose2d) -> Option<Self> {
        let operands = Operands {
            dst: conv.dst,
            src: conv.src,
            weight: conv.weight,
            bias: conv.bias,
            kernel: conv.window.kernel,
            groups: conv.groups,
            epilogue: conv.epilogue.as_ref(),
        };
        let direct = Direct::new(program, section, operands)?;
        Some(Self { direct, geometry: Geometry::new(&conv.window)? })
    }
}

impl Geometry {
    fn new(window: &Window) -> Option<Self> {
        let Window { kernel, stride, dilation, pad } = *window;
        let size = [kernel, stride].iter().flatten().try_fold(1u64, |n, &k| n.checked_mul(k.into()))?;
        if size > MAX_TABLE || stride.contains(&0) {
            return None;
        }
        let stride = stride.map(i64::from);
        let phases = (0..stride[0]).flat_map(|py| (0..stride[1]).map(move |px| [py, px])).map(|phase| {
            let raster = (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| [ky, kx]));
            let tap = |(index, k): (usize, [u32; 2])| {
                let numerator = [0, 1].map(|i| phase[i] - i64::from(k[i]) * i64::from(dilation[i]));
                let whole = [0, 1].iter().all(|&i| numerator[i] % stride[i] == 0);
                whole.then(|| Tap { offset: [0, 1].map(|i| numerator[i] / stride[i]), index })
            };
            raster.enumerate().filter_map(tap).collect()
        });
        Some(Self { stride, pad, phases: phases.collect() })
    }
}

impl Spans for Geometry {
    /// A span a phase of the columns.
    fn for_each_span(&self, y: i64, x: Interval, mut f: impl FnMut(Span<'_>)) {
        let ([sy, sx], [py, px]) = (self.stride, self.pad);
        let row = (y + py).rem_euclid(sy) * sx;
        for first in x.start..x.end.min(x.start + sx) {
            let taps = &self.phases[(row + (first + px).rem_euclid(sx)) as usize];
            let from = [(y + py).div_euclid(sy), (first + px).div_euclid(sx)];
            let count = (x.end - first + sx - 1) / sx;
            f(Span { taps, from, from_step: 1, to: first, to_step: sx, count });
        }
    }
}

impl Body for ConvTranspose {
    fn scratch(&self) -> usize {
        self.direct.scratch()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        // SAFETY: the caller's promise.
        unsafe { self.direct.run(simd, tile, scratch, &self.geometry) };
    }
}
