//! Invariant 14: where buffers are placed, those alive at the same time do not overlap, and all fit the budget.

use std::collections::HashMap;

use super::wiring::{Wire, Wiring, reads_device};
use super::{Section, Sections, SectionsFound};
use crate::base::{OpId, ValueId};
use crate::ir::{BufferPlan, Graph, Role, Storage};
use crate::ops::Placement;

/// A buffer that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BufferError {
    /// Storage that was decided in part.
    #[error("some of its tensors have a storage and some have none")]
    Half,
    /// A tensor that must lie somewhere.
    #[error("`{0}` is not stored, but more than the next op needs it")]
    NotFusable(String),
    /// A buffer of nothing, or none for something.
    #[error("`{tensor}` is {storage:?}, and {}", if *.buffer { "has a buffer" } else { "has no buffer" })]
    Buffer {
        /// The tensor.
        tensor: String,
        /// Its storage.
        storage: Storage,
        /// Whether there is a buffer.
        buffer: bool,
    },
    /// Lanes that nobody implements.
    #[error("the buffer of `{tensor}` has {lanes} lanes, not 1, 2, 4, 8 or 16")]
    Lanes {
        /// The tensor.
        tensor: String,
        /// Its lanes.
        lanes: u32,
    },
    /// Across cache lines.
    #[error("the buffer of `{tensor}` is at {offset}, which is no multiple of {ALIGNMENT}")]
    Unaligned {
        /// The tensor.
        tensor: String,
        /// Its offset.
        offset: u64,
    },
    /// A buffer that its tile does not fit.
    #[error("the buffer of `{tensor}` has {found} bytes, and a tile takes {expected}")]
    Bytes {
        /// The tensor.
        tensor: String,
        /// Of a tile.
        expected: u64,
        /// Of the buffer.
        found: u64,
    },
    /// Two buffers in one place.
    #[error("the buffers of `{first}` and `{second}` share bytes, and are alive at the same time")]
    Overlap {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// A buffer past the end.
    #[error("the buffer of `{tensor}` ends at {end}, and the section takes {sram} bytes")]
    Outside {
        /// The tensor.
        tensor: String,
        /// Its end.
        end: u64,
        /// What the section takes.
        sram: u64,
    },
    /// More than a worker has.
    #[error("it takes {needed} bytes of SRAM, and a worker has {budget}")]
    Budget {
        /// What it takes.
        needed: u64,
        /// What there is.
        budget: u64,
    },
}

const ALIGNMENT: u64 = 64;

pub(super) fn check(
    section: &Section,
    wiring: &Wiring,
    found: &mut SectionsFound,
    ir: &Sections,
    index: usize,
) {
    let mut push = |error| found.push(Some(index), error);
    let stored = section.tensors.values().filter(|t| t.storage.is_some()).count();
    if stored == 0 && section.sram_bytes.is_none() && section.tensors.values().all(|t| t.buffer.is_none()) {
        return;
    }
    if stored != section.tensors.len() {
        return push(BufferError::Half);
    }
    let check = Check { section, wiring, graph: &ir.graph };
    if let Err(error) = check.storage() {
        return push(error);
    }
    let Some(sram) = section.sram_bytes else {
        return match check.unplaced() {
            Ok(()) => {}
            Err(error) => push(error),
        };
    };
    // An untiled section is asked for whatever it takes.
    let tiled = section.grid.is_some_and(|g| g != [1, 1]);
    if tiled && sram > ir.target.sram {
        push(BufferError::Budget { needed: sram, budget: ir.target.sram });
    }
    if let Err(error) = check.placed(sram) {
        push(error);
    }
}

struct Check<'a> {
    section: &'a Section,
    wiring: &'a Wiring,
    graph: &'a Graph,
}

/// A placed buffer and the ops, counted in the order of the section, during which it holds its tile.
struct Life<'a> {
    tensor: &'a str,
    bytes: [u64; 2],
    ops: [usize; 2],
}

impl Check<'_> {
    fn name(&self, value: ValueId) -> &str {
        &self.graph.values[value].name
    }

    fn storage_of(&self, value: ValueId) -> Option<Storage> {
        self.section.tensors.get(&value).and_then(|t| t.storage)
    }

    /// What is stored nowhere passes from one op to the only other that needs it.
    fn storage(&self) -> Result<(), BufferError> {
        for wire in self.wiring.tensors.iter().filter(|w| self.storage_of(w.value) == Some(Storage::Fused)) {
            let mut readers: Vec<OpId> = wire.reads.iter().map(|r| r.op).collect();
            readers.dedup();
            if wire.role() != Role::Intermediate || readers.len() != 1 {
                return Err(BufferError::NotFusable(self.name(wire.value).to_owned()));
            }
        }
        Ok(())
    }

    fn unplaced(&self) -> Result<(), BufferError> {
        let placed = self.section.tensors.iter().find(|(_, t)| t.buffer.is_some());
        placed.map_or(Ok(()), |(value, tiling)| {
            let (tensor, storage) = (self.name(*value).to_owned(), tiling.storage.unwrap_or(Storage::OnChip));
            Err(BufferError::Buffer { tensor, storage, buffer: true })
        })
    }

    fn placed(&self, sram: u64) -> Result<(), BufferError> {
        let mut lives: Vec<Life<'_>> = Vec::new();
        let position: HashMap<OpId, usize> =
            self.section.ops.iter().enumerate().map(|(i, &op)| (op, i)).collect();
        for wire in &self.wiring.tensors {
            let tiling = &self.section.tensors[&wire.value];
            let tensor = self.name(wire.value);
            let storage = tiling.storage.unwrap_or(Storage::OnChip);
            let buffer = match (&tiling.buffer, storage) {
                (Some(buffer), Storage::OnChip | Storage::Ring) => buffer,
                (None, Storage::Fused) => continue,
                (buffer, _) => {
                    let (tensor, buffer) = (tensor.to_owned(), buffer.is_some());
                    return Err(BufferError::Buffer { tensor, storage, buffer });
                }
            };
            let end = check_place(tensor, wire, tiling.tile, buffer)?;
            if end > sram {
                return Err(BufferError::Outside { tensor: tensor.to_owned(), end, sram });
            }
            let ops = if storage == Storage::Ring { [0, usize::MAX] } else { self.life(wire, &position) };
            let life = Life { tensor, bytes: [buffer.offset, end], ops };
            let clash =
                |other: &&Life<'_>| meet(other.ops, life.ops) && apart(other.bytes, life.bytes).is_none();
            if let Some(other) = lives.iter().find(clash) {
                let (first, second) = (other.tensor.to_owned(), tensor.to_owned());
                return Err(BufferError::Overlap { first, second });
            }
            lives.push(life);
        }
        Ok(())
    }

    /// From the instruction that fills the buffer (what is loaded is loaded for its first reader) to its last reader.
    fn life(&self, wire: &Wire, position: &HashMap<OpId, usize>) -> [usize; 2] {
        let made = self.graph.producer(wire.value).filter(|_| wire.made);
        let runs = |op: OpId| position.get(&self.instruction(op)).copied().unwrap_or(0);
        let reads =
            |op: OpId| self.graph.ops[op].inputs.contains(&wire.value) && !reads_device(self.graph, op);
        let reading = self.section.ops.iter().copied().filter(|&op| reads(op));
        let times: Vec<usize> = made.into_iter().chain(reading).map(runs).collect();
        [times.iter().min(), times.iter().max()].map(|t| t.copied().unwrap_or(0))
    }

    /// The op with whose instruction an op runs: the first on the way to where it leaves for a buffer.
    fn instruction(&self, mut op: OpId) -> OpId {
        // Each turn follows a value to a later op, so there are no more turns than ops.
        for _ in 0..self.section.ops.len() {
            let node = &self.graph.ops[op];
            let fused = node.op.placement() == Placement::Tile
                && self.storage_of(node.output) == Some(Storage::Fused);
            match self.wiring.get(node.output).and_then(|w| w.reads.first()) {
                Some(read) if fused => op = read.op,
                _ => break,
            }
        }
        op
    }
}

/// The end of a buffer that is well placed by itself.
fn check_place(tensor: &str, wire: &Wire, tile: [u64; 2], buffer: &BufferPlan) -> Result<u64, BufferError> {
    let tensor = || tensor.to_owned();
    let BufferPlan { lanes, offset, bytes } = *buffer;
    if ![1, 2, 4, 8, 16].contains(&lanes) {
        return Err(BufferError::Lanes { tensor: tensor(), lanes });
    }
    if !offset.is_multiple_of(ALIGNMENT) {
        return Err(BufferError::Unaligned { tensor: tensor(), offset });
    }
    let channels = wire.sizes[1].next_multiple_of(lanes.into());
    let expected = [tile[0], tile[1], 4].iter().fold(channels, |n: u64, f| n.saturating_mul(*f));
    if bytes < expected {
        return Err(BufferError::Bytes { tensor: tensor(), expected, found: bytes });
    }
    Ok(offset.saturating_add(bytes))
}

fn meet(a: [usize; 2], b: [usize; 2]) -> bool {
    a[0] <= b[1] && b[0] <= a[1]
}

/// That the ranges of bytes have none in common.
fn apart(a: [u64; 2], b: [u64; 2]) -> Option<()> {
    (a[1] <= b[0] || b[1] <= a[0]).then_some(())
}
