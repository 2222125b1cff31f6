//! Elementwise instructions.

use super::Body;
use super::elementwise::Elementwise;
use super::geometry::{blocks, fill_outside};
use super::simd::Simd;
use crate::memory::Tile;
use crate::program::instr::Map;
use crate::program::{BufferId, Program, Section};

/// [`Map`], ready to run.
pub(super) struct MapKernel {
    dst: BufferId,
    elementwise: Elementwise,
}

impl MapKernel {
    pub(super) fn new(program: &Program, section: &Section, map: &Map) -> Option<Self> {
        let elementwise = Elementwise::map(program, section, map.dst, &map.operands, map.expr)?;
        Some(Self { dst: map.dst, elementwise })
    }
}

impl Body for MapKernel {
    fn scratch(&self) -> usize {
        self.elementwise.scratch()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, simd: S, tile: &Tile<'_>, scratch: &mut [f32]) {
        let dst = &tile.views[self.dst.index()];
        // SAFETY: the caller's promise.
        unsafe {
            self.elementwise.run(simd, tile, scratch, 0..blocks(dst), dst.valid);
            fill_outside(dst);
        }
    }
}
