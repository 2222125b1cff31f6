//! Memory: everything lies in its arena, and what is alive at the same time lies apart.

use std::collections::BTreeMap;

use super::Limits;
use super::flow::Life;
use crate::program::instr::ConvDw;
use crate::program::{AccumulatorId, BufferId, Instr, Program, Role, Running, Section, TensorId, WeightId};

/// What lies where it must not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// More than the limits allow.
    #[error("the program wants {wanted} bytes of {arena}; there are {limit}")]
    Limit {
        /// SRAM or device memory.
        arena: &'static str,
        /// What it wants.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// Outside its arena.
    #[error("{what} is at {offset} + {bytes}, outside the {size} bytes of {arena}")]
    Outside {
        /// What.
        what: String,
        /// SRAM or device memory.
        arena: &'static str,
        /// Its offset.
        offset: u64,
        /// Its size.
        bytes: u64,
        /// Size of the arena.
        size: u64,
    },
    /// Across cache lines.
    #[error("{what} is at {offset}, which is no multiple of {ALIGN}")]
    Unaligned {
        /// What.
        what: String,
        /// Its offset.
        offset: u64,
    },
    /// Running sums of an accumulator that the section does not fill with products, or a second time.
    #[error(
        "section {section} `{name}` keeps running sums of {acc}, which it does not fill, or has others of"
    )]
    Running {
        /// Section.
        section: usize,
        /// Its name.
        name: String,
        /// The accumulator.
        acc: AccumulatorId,
    },
    /// Running sums in the bytes of something else.
    #[error("section {section} `{name}`: the running sums of {acc} share bytes with {other}")]
    Shared {
        /// Section.
        section: usize,
        /// Its name.
        name: String,
        /// The accumulator.
        acc: AccumulatorId,
        /// A buffer, or another accumulator's running sums.
        other: String,
    },
    /// Two things in one place.
    #[error("{first} and {second} share bytes of device memory, and are alive in the same section")]
    Overlap {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
}

/// Alignment of everything in an arena.
const ALIGN: u64 = 64;

/// Something in the device arena.
#[derive(Clone, Copy)]
struct Resident {
    id: ResidentId,
    offset: u64,
    bytes: u64,
    life: Life,
}

#[derive(Clone, Copy)]
enum ResidentId {
    Weight(WeightId),
    Accumulator(AccumulatorId),
    Tensor(TensorId),
}

impl std::fmt::Display for ResidentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Weight(id) => id.fmt(f),
            Self::Accumulator(id) => id.fmt(f),
            Self::Tensor(id) => id.fmt(f),
        }
    }
}

pub(super) fn check(program: &Program, limits: &Limits, lives: &[Option<Life>]) -> Result<(), MemoryError> {
    let (sram, device) = (program.sram_bytes, program.device_bytes);
    for (arena, wanted, limit) in [
        ("SRAM", sram, limits.sram_bytes),
        ("device memory", device, limits.device_bytes.min(i64::MAX as u64)),
    ] {
        if wanted > limit {
            return Err(MemoryError::Limit { arena, wanted, limit });
        }
    }
    for (index, section) in program.sections.iter().enumerate() {
        for (b, buffer) in section.buffers.iter().enumerate() {
            let what = || format!("section {index} `{}`, buffer {}", section.name, BufferId(b as u32));
            place("SRAM", sram, buffer.offset, buffer.bytes(), what)?;
        }
        check_running(index, section, sram)?;
    }
    let residents = residents(program, lives);
    for r in &residents {
        place("device memory", device, r.offset, Some(r.bytes), || r.id.to_string())?;
    }
    check_disjoint(residents)
}

/// Running sums lie in SRAM, have a section's products to keep, and share no byte with anything.
fn check_running(index: usize, section: &Section, sram: u64) -> Result<(), MemoryError> {
    let shared = |acc: AccumulatorId, other: String| {
        Err(MemoryError::Shared { section: index, name: section.name.clone(), acc, other })
    };
    let mut wanted = running_bytes(section);
    // By offset, disjoint.
    let mut sums: BTreeMap<u64, (u64, AccumulatorId)> = BTreeMap::new();
    for &Running { acc, offset } in &section.running {
        let bytes = wanted.remove(&acc).ok_or_else(|| {
            let name = section.name.clone();
            MemoryError::Running { section: index, name, acc }
        })?;
        let what = || format!("section {index} `{}`, the running sums of {acc}", section.name);
        place("SRAM", sram, offset, bytes, what)?;
        let end = offset.saturating_add(bytes.unwrap_or(u64::MAX));
        if let Some((_, &(_, other))) = sums.range(..end).next_back().filter(|(_, (e, _))| *e > offset) {
            return shared(acc, format!("those of {other}"));
        }
        sums.insert(offset, (end, acc));
    }
    for (b, buffer) in section.buffers.iter().enumerate() {
        let end = buffer.offset.saturating_add(buffer.bytes().unwrap_or(u64::MAX));
        if let Some((_, &(_, acc))) = sums.range(..end).next_back().filter(|(_, (e, _))| *e > buffer.offset) {
            return shared(acc, BufferId(b as u32).to_string());
        }
    }
    Ok(())
}

/// Bytes of the running sums of each accumulator that the section fills with products; `None` if they overflow.
fn running_bytes(section: &Section) -> BTreeMap<AccumulatorId, Option<u64>> {
    let channels = |b: BufferId| section.buffers.get(b.index()).map(|b| b.channels);
    let of = |instr: &Instr| match instr {
        Instr::ConvDw(i) => {
            Some((i.acc, ConvDw::running_bytes([channels(i.x)?, channels(i.dy)?], i.window.kernel, i.groups)))
        }
        _ => None,
    };
    section.body.iter().filter_map(|scheduled| of(&scheduled.instr)).collect()
}

fn place(
    arena: &'static str,
    size: u64,
    offset: u64,
    bytes: Option<u64>,
    what: impl Fn() -> String,
) -> Result<(), MemoryError> {
    let end = bytes.and_then(|bytes| offset.checked_add(bytes));
    if end.is_none_or(|end| end > size) {
        let bytes = bytes.unwrap_or(u64::MAX);
        return Err(MemoryError::Outside { what: what(), arena, offset, bytes, size });
    }
    if !offset.is_multiple_of(ALIGN) {
        return Err(MemoryError::Unaligned { what: what(), offset });
    }
    Ok(())
}

/// All that lies in the device arena. Sizes that overflow, which `tables` excludes, fit nowhere.
fn residents(program: &Program, lives: &[Option<Life>]) -> Vec<Resident> {
    let whole = Life { first: 0, last: program.sections.len() };
    let weights = program.weights.iter().enumerate().map(|(i, w)| Resident {
        id: ResidentId::Weight(WeightId(i as u32)),
        offset: w.offset,
        bytes: w.packed_bytes().unwrap_or(u64::MAX),
        life: whole,
    });
    let accumulators = program.accumulators.iter().enumerate().map(|(i, a)| Resident {
        id: ResidentId::Accumulator(AccumulatorId(i as u32)),
        offset: a.offset,
        bytes: a.bytes().unwrap_or(u64::MAX),
        life: whole,
    });
    let composites = program.tensors.iter().zip(lives).enumerate().filter_map(|(i, (t, life))| {
        let Role::Composite(offset) = t.role else { return None };
        let bytes = t.bytes().unwrap_or(u64::MAX);
        Some(Resident {
            id: ResidentId::Tensor(TensorId(i as u32)),
            offset,
            bytes,
            life: life.unwrap_or(whole),
        })
    });
    weights.chain(accumulators).chain(composites).collect()
}

/// Walks through the sections, keeping those alive by offset: what is alive is disjoint, so that only neighbours can overlap
/// with what comes.
fn check_disjoint(mut residents: Vec<Resident>) -> Result<(), MemoryError> {
    residents.sort_by_key(|r| (r.life.first, r.offset));
    let mut alive: BTreeMap<u64, Resident> = BTreeMap::new();
    let mut ends: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for new in residents {
        while let Some(end) = ends.first_entry().filter(|e| *e.key() < new.life.first) {
            for offset in end.remove() {
                alive.remove(&offset);
            }
        }
        let before = alive.range(..=new.offset).next_back().map(|(_, r)| r);
        let after = alive.range(new.offset..).next().map(|(_, r)| r);
        let overlaps = |r: &&Resident| r.offset < new.offset + new.bytes && new.offset < r.offset + r.bytes;
        if let Some(other) = before.into_iter().chain(after).find(overlaps) {
            let (first, second) = (other.id.to_string(), new.id.to_string());
            return Err(MemoryError::Overlap { first, second });
        }
        alive.insert(new.offset, new);
        ends.entry(new.life.last).or_default().push(new.offset);
    }
    Ok(())
}
