//! A worker: its SRAM, and how it runs one tile.

use std::io;
use std::time::Instant;

use super::allocation::Allocation;
use super::bindings::Tensors;
use super::device::Device;
use super::section::{Action, PreparedSection, TileIndex, place_columns, place_rows};
use super::{EngineError, staging};
use crate::exact;
use crate::memory::{Gathered, Tile, View};
use crate::program::instr::Load;
use crate::program::{Buffer, Program, Section};

/// What all workers of a run share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) program: &'a Program,
    pub(super) sections: &'a [PreparedSection],
    pub(super) device: &'a Device,
    pub(super) tensors: &'a Tensors<'a>,
    /// Whether buffers forget their contents before each tile.
    pub(super) checked: bool,
}

/// A worker's own memory, allocated once.
pub(super) struct Worker {
    /// What `sections` points into.
    _memory: Allocation,
    sections: Vec<SectionState>,
    /// The window through which tensors that lie in files are loaded and stored.
    window: Vec<f32>,
}

// SAFETY: the pointers lead into the worker's own memory, which does not move, and to words of the device, which are atomic.
unsafe impl Send for Worker {}

/// What a worker keeps for one section.
struct SectionState {
    /// The buffers, at the tile run last.
    views: Vec<View>,
    /// Memory behind the buffers that kernels use as they like.
    scratch: *mut f32,
    scratch_len: usize,
    /// Where kernels gather products, indexed by `AccumulatorId`, with this worker's running sums.
    gathered: Vec<Gathered>,
    /// The y-step that the views are placed at.
    row: Option<u64>,
    /// Nanoseconds spent in each instruction during this run; empty if nobody wants to know.
    times: Vec<u64>,
}

impl Worker {
    /// Allocates the buffers of a verified program with the scratch that its sections want.
    pub(super) fn new(
        program: &Program,
        sections: &[PreparedSection],
        checked: bool,
        profile: bool,
    ) -> Result<Self, EngineError> {
        let all = || program.sections.iter().zip(sections);
        let bytes = all().map(|(section, prepared)| sram_bytes(section, prepared)).max().unwrap_or(0);
        let failed = |source| EngineError::Memory { what: "a worker's tile buffers", bytes, source };
        let mut memory = Allocation::new(bytes, checked).map_err(failed)?;
        let sections = all()
            .map(|(section, prepared)| {
                SectionState::new(section, prepared, program.accumulators.len(), &mut memory, profile)
            })
            .collect::<io::Result<_>>()
            .map_err(failed)?;
        Ok(Self { _memory: memory, sections, window: Vec::new() })
    }

    /// Forgets the times of the last run.
    pub(super) fn reset(&mut self) {
        self.sections.iter_mut().for_each(|s| s.times.fill(0));
    }

    /// Makes room for windows of `len` f32s.
    pub(super) fn reserve_window(&mut self, len: usize) -> Result<(), EngineError> {
        let more = len.saturating_sub(self.window.len());
        let failed = |_| EngineError::Memory {
            what: "a window of an input or output",
            bytes: len as u64 * 4,
            source: io::ErrorKind::OutOfMemory.into(),
        };
        self.window.try_reserve_exact(more).map_err(failed)?;
        self.window.resize(len, 0.0);
        Ok(())
    }

    /// Nanoseconds spent in each instruction of section `s`.
    pub(super) fn times(&self, s: usize) -> &[u64] {
        &self.sections[s].times
    }

    /// Makes the worker ready for section `s`: its running sums are zero, whatever a section before has left there.
    pub(super) fn begin(&mut self, shared: Shared<'_>, s: usize) {
        let gathered = &mut self.sections[s].gathered;
        for &acc in &shared.sections[s].accumulators {
            gathered[acc.index()].words = shared.device.words(acc);
        }
        for products in &shared.sections[s].products {
            if let Some((_, bytes)) = products.running {
                let at = gathered[products.acc.index()];
                // SAFETY: so many bytes of the worker's memory are these sums', and nobody refers to them; zeros are f64s.
                unsafe { at.running.cast::<u8>().write_bytes(0, bytes as usize) };
            }
        }
    }

    /// Adds the running sums of section `s` to the accumulators, once the worker has no more tiles to run.
    pub(super) fn end(&mut self, shared: Shared<'_>, s: usize) {
        let gathered = &self.sections[s].gathered;
        for products in shared.sections[s].products.iter().filter(|p| p.running.is_some()) {
            let words = shared.device.all_gathered(products.acc);
            // SAFETY: the sums are this worker's, as many as the products have, and zero since `begin` but for what was added.
            unsafe { products.add(gathered[products.acc.index()].running, words) };
        }
    }

    /// Runs tile `tile` of section `s`.
    ///
    /// # Safety
    ///
    /// The program was verified, `tile` is one of the section, the tensors are bound to memory of their sizes, and no other
    /// thread runs the same tile, or another section, at the same time. Where the section has rings, the tile run before was
    /// the one above, unless this is the first of its strip. `begin` was called for the section.
    pub(super) unsafe fn run_tile(
        &mut self,
        shared: Shared<'_>,
        s: usize,
        tile: TileIndex,
    ) -> Result<(), EngineError> {
        let (section, prepared) = (&shared.program.sections[s], &shared.sections[s]);
        let state = &mut self.sections[s];
        state.place(section, tile);
        if shared.checked {
            state.forget(section, tile.y == 0);
        }
        // SAFETY: the worker has this much scratch for the section, and nobody else refers to it.
        let scratch = unsafe { std::slice::from_raw_parts_mut(state.scratch, state.scratch_len) };
        for (k, action) in prepared.actions.iter().enumerate() {
            let start = (!state.times.is_empty()).then(Instant::now);
            // SAFETY: the views are this tile's, over buffers of this worker; the rest is promised by the caller.
            unsafe { run_action(shared, s, action, tile, state.operands(), scratch, &mut self.window) }?;
            if let Some(start) = start {
                state.times[k] += start.elapsed().as_nanos() as u64;
            }
        }
        Ok(())
    }
}

impl SectionState {
    fn new(
        section: &Section,
        prepared: &PreparedSection,
        accumulators: usize,
        memory: &mut Allocation,
        profile: bool,
    ) -> io::Result<Self> {
        let views = section.buffers.iter().map(|buffer| view(buffer, memory)).collect::<io::Result<_>>()?;
        let scratch = memory.part(planned_end(section, prepared), prepared.scratch() as u64 * 4)?.cast();
        let mut gathered = vec![Gathered::NONE; accumulators];
        for products in &prepared.products {
            if let Some((offset, bytes)) = products.running {
                gathered[products.acc.index()].running = memory.part(offset, bytes)?.cast();
            }
        }
        let times = if profile { vec![0; section.body.len()] } else { Vec::new() };
        Ok(Self { views, scratch, scratch_len: prepared.scratch(), gathered, row: None, times })
    }

    fn operands(&self) -> Operands<'_> {
        Operands { views: &self.views, gathered: &self.gathered }
    }

    fn place(&mut self, section: &Section, tile: TileIndex) {
        if self.row != Some(tile.y) {
            place_rows(&mut self.views, section, tile.y);
            self.row = Some(tile.y);
        }
        place_columns(&mut self.views, &section.x, tile.x);
    }

    /// Makes every value a NaN, so that what is read before it is written shows; rings keep theirs within a strip.
    fn forget(&mut self, section: &Section, strip_begins: bool) {
        let forgetful = |b: &Buffer| strip_begins || !b.ring;
        for (view, buffer) in self.views.iter().zip(&section.buffers).filter(|(_, b)| forgetful(b)) {
            // SAFETY: the view's memory is as large as the buffer, and the worker's own.
            unsafe { std::slice::from_raw_parts_mut(view.ptr, buffer_bytes(buffer) as usize / 4) }
                .fill(f32::NAN);
        }
    }
}

/// What instructions work on.
#[derive(Clone, Copy)]
struct Operands<'a> {
    views: &'a [View],
    gathered: &'a [Gathered],
}

/// Runs one instruction of section `s` for one tile.
///
/// # Safety
///
/// The operands are those of one tile of a verified program, over memory that no other thread uses; the tensors are bound; and
/// tiles that run at the same time are of the same section.
unsafe fn run_action(
    shared: Shared<'_>,
    s: usize,
    action: &Action,
    tile: TileIndex,
    Operands { views, gathered }: Operands<'_>,
    scratch: &mut [f32],
    window: &mut [f32],
) -> Result<(), EngineError> {
    let image = tile.image;
    match action {
        Action::Load(Load { dst, src, addressing }) => {
            let (dst, tensor) = (&views[dst.index()], shared.tensors.get(*src));
            // SAFETY: the verifier has found that the tensor holds what is loaded for the valid part of `dst`, and that no tile
            // of the section writes the tensor.
            unsafe { staging::load(dst, tensor, *addressing, tile, window) }
        }
        Action::Store { dst, src, element } => {
            let src = &views[src.index()];
            // SAFETY: the verifier has found the owned part of `src` to be inside buffer and tensor, and disjoint from that of
            // any other tile.
            unsafe { staging::store(shared.tensors.get(*dst), image, src, *element, window) }
        }
        Action::Add { dst, src } => {
            let first = shared.program.sections[s].owned_first(*src, tile.y, tile.x);
            // SAFETY: the verifier has found the owned part of `src` to be inside buffer and tensor, disjoint from that of any other
            // tile of its colour, and what is not first in it to be owned by a tile of an earlier colour, which a barrier has ended.
            unsafe { staging::add(shared.tensors.get(*dst), tile, &views[src.index()], first, window) }
        }
        Action::Accumulate { acc, src } => {
            let kind = shared.program.accumulators[acc.index()].kind;
            let gathered = shared.device.gathered(*acc, image);
            // SAFETY: the verifier has found the owned part of `src` to be inside the buffer, and written by the body.
            unsafe { exact::accumulate(&views[src.index()], kind, gathered) };
            Ok(())
        }
        Action::Compute(kernel) => {
            let tile = Tile { views, weights: shared.device.weights(), gathered, image };
            // SAFETY: the program was verified and the views are one tile's, as the caller promises.
            unsafe { kernel.run(&tile, scratch) };
            Ok(())
        }
    }
}

/// A buffer in its memory, not yet placed in its tensor.
fn view(buffer: &Buffer, memory: &mut Allocation) -> io::Result<View> {
    let size = [buffer.rows, buffer.cols];
    let ptr = memory.part(buffer.offset, buffer_bytes(buffer))?.cast();
    let outside = buffer.outside;
    Ok(View { ptr, outside, ..View::new(buffer.channels, buffer.lanes, size, buffer.extent()) })
}

fn buffer_bytes(buffer: &Buffer) -> u64 {
    buffer.bytes().unwrap_or(u64::MAX)
}

/// Where the buffers and running sums of a section end, rounded up to a cache line.
fn planned_end(section: &Section, prepared: &PreparedSection) -> u64 {
    let buffers = section.buffers.iter().map(|b| b.offset.saturating_add(buffer_bytes(b)));
    let running = prepared.products.iter().filter_map(|p| p.running);
    let running = running.map(|(offset, bytes)| offset.saturating_add(bytes));
    buffers.chain(running).max().unwrap_or(0).checked_next_multiple_of(64).unwrap_or(u64::MAX)
}

/// Bytes of SRAM that a section takes: its buffers and running sums, and scratch behind them.
pub(super) fn sram_bytes(section: &Section, prepared: &PreparedSection) -> u64 {
    planned_end(section, prepared).saturating_add(prepared.scratch() as u64 * 4)
}
