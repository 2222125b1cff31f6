//! Tensors that are kept tile by tile: they are what the tiles load, and nothing else reads them.

use crate::program::instr::{AxisId, Load};
use crate::program::{Blocks, BufferId, Instr, Program, Role, Section, Tensor, TensorId};

/// What is wrong with the blocks of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlocksError {
    /// A tensor that comes from elsewhere, or goes there.
    #[error("only what lies between sections is kept tile by tile")]
    Role,
    /// A section or buffer that there is not.
    #[error("there is no {buffer} in section {section}")]
    Lookup {
        /// The section.
        section: u32,
        /// The buffer.
        buffer: BufferId,
    },
    /// Another number of blocks than of tiles.
    #[error("there are {found} blocks along {axis}, and section {section} has {steps} steps")]
    Grid {
        /// y or x.
        axis: AxisId,
        /// Blocks.
        found: u64,
        /// The section.
        section: u32,
        /// Its steps.
        steps: u64,
    },
    /// A tile that is larger than its block.
    #[error("step {step} of {axis} covers {covered} pixels, and a block has room for {room}")]
    Size {
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
        /// What the tile covers.
        covered: u64,
        /// Rows or columns of a block.
        room: u64,
    },
    /// Tiles among which those that share a pixel do not follow each other.
    #[error("step {step} of {axis} begins or ends before the step before it")]
    Descending {
        /// y or x.
        axis: AxisId,
        /// The step.
        step: u64,
    },
    /// Another use than the load of a block for each tile.
    #[error("section {section} uses it otherwise than by storing it, or loading {buffer} as it is")]
    Use {
        /// The section.
        section: usize,
        /// The buffer that the blocks are of.
        buffer: BufferId,
    },
}

/// Checks a tensor's blocks, if it has some; instructions and step tables have been checked.
pub(super) fn check(program: &Program, id: TensorId, tensor: &Tensor) -> Result<(), BlocksError> {
    let Some(blocks) = tensor.blocks else { return Ok(()) };
    if !matches!(tensor.role, Role::Composite(_) | Role::Spilled) {
        return Err(BlocksError::Role);
    }
    let Blocks { section, buffer, .. } = blocks;
    let found = program.sections.get(section as usize).filter(|s| buffer.index() < s.buffers.len());
    let found = found.ok_or(BlocksError::Lookup { section, buffer })?;
    AxisId::BOTH.into_iter().try_for_each(|axis| check_axis(blocks, found, axis))?;
    let wrong = |s: usize, at: &Section| {
        at.end.iter().any(|reduce| reduce.dst == id)
            || at.body.iter().any(|i| !is_use(&i.instr, id, blocks, s))
    };
    match program.sections.iter().enumerate().find(|(s, at)| wrong(*s, at)) {
        Some((section, _)) => Err(BlocksError::Use { section, buffer }),
        None => Ok(()),
    }
}

/// Every tile fits its block, and those that have a pixel in common follow each other.
fn check_axis(blocks: Blocks, section: &Section, axis: AxisId) -> Result<(), BlocksError> {
    let table = [&section.y, &section.x][axis.index()];
    let (found, room) = (blocks.grid[axis.index()], blocks.size[axis.index()]);
    if found != table.steps {
        return Err(BlocksError::Grid { axis, found, section: blocks.section, steps: table.steps });
    }
    let mut before = None;
    for (step, covered) in (0..).zip(table.buffers[blocks.buffer.index()].computed.iter()) {
        if covered.len() as u64 > room {
            return Err(BlocksError::Size { axis, step, covered: covered.len() as u64, room });
        }
        if before.is_some_and(|(start, end)| covered.start < start || covered.end < end) {
            return Err(BlocksError::Descending { axis, step });
        }
        before = Some((covered.start, covered.end));
    }
    Ok(())
}

/// Whether an instruction of section `s` leaves the tensor alone, stores it, or loads blocks for what they are.
fn is_use(instr: &Instr, id: TensorId, blocks: Blocks, s: usize) -> bool {
    match instr {
        Instr::Load(Load { dst, src, addressing }) if *src == id => {
            s == blocks.section as usize && *dst == blocks.buffer && addressing.is_none()
        }
        Instr::StoreRmw(i) => i.dst != id,
        _ => true,
    }
}
