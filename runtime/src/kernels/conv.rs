//! Convolution.

use super::Body;
use super::direct::{Direct, Operands, Span, Spans};
use super::register_tile::Tap;
use super::simd::Simd;
use crate::memory::Tile;
use crate::program::instr::{Conv2d, Window};
use crate::program::{Interval, Program, Section};

/// [`Conv2d`], ready to run.
pub(super) struct Conv {
    direct: Direct,
    geometry: Geometry,
}

struct Geometry {
    window: Window,
    taps: Vec<Tap>,
}

impl Conv {
    pub(super) fn new(program: &Program, section: &Section, conv: &Conv2d) -> Option<Self> {
        let Window { kernel, dilation, .. } = conv.window;
        let operands = Operands {
            dst: conv.dst,
            src: conv.src,
            weight: conv.weight,
            bias: conv.bias,
            kernel,
            groups: conv.groups,
            epilogue: conv.epilogue.as_ref(),
        };
        let raster = (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| [ky, kx]));
        let offset = |k: [u32; 2]| [0, 1].map(|i| i64::from(k[i]) * i64::from(dilation[i]));
        let taps = raster.enumerate().map(|(index, k)| Tap { offset: offset(k), index }).collect();
        let direct = Direct::new(program, section, operands)?;
        Some(Self { direct, geometry: Geometry { window: conv.window, taps } })
    }
}

impl Spans for Geometry {
    /// A row is one span.
    fn for_each_span(&self, y: i64, x: Interval, mut f: impl FnMut(Span<'_>)) {
        let Window { stride, pad, .. } = self.window;
        let from = [y * i64::from(stride[0]) - pad[0], x.start * i64::from(stride[1]) - pad[1]];
        let from_step = i64::from(stride[1]);
        f(Span { taps: &self.taps, from, from_step, to: x.start, to_step: 1, count: x.len() });
    }
}

impl Body for Conv {
    fn scratch(&self) -> usize {
        self.direct.scratch()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        // SAFETY: the caller's promise.
        unsafe { self.direct.run(simd, tile, scratch, &self.geometry) };
    }
}
