//! Memory with parts at planned offsets.

use std::io;

use crate::memory::{Arena, GuardedArena};

/// What the device or a worker allocates: all parts in one arena, or, to find stray accesses, each between guards of its own.
#[derive(Debug)]
pub(super) enum Allocation {
    /// One arena; parts lie where the plan says.
    Planned { arena: Arena, bytes: usize },
    /// A guarded mapping a part, filled with NaNs.
    Guarded { parts: Vec<GuardedArena>, bytes: usize },
}

impl Allocation {
    /// `bytes` in all, or as many guarded parts as will be asked for.
    pub(super) fn new(bytes: u64, checked: bool) -> io::Result<Self> {
        if checked {
            return Ok(Self::Guarded { parts: Vec::new(), bytes: 0 });
        }
        let bytes = size(bytes)?;
        Ok(Self::Planned { arena: Arena::new(bytes)?, bytes })
    }

    /// The `bytes` at `offset`, which a verified plan keeps inside the whole. They stay valid as long as `self` lives.
    pub(super) fn part(&mut self, offset: u64, bytes: u64) -> io::Result<*mut u8> {
        match self {
            Self::Planned { arena, bytes: all } => {
                let end = size(offset)?.checked_add(size(bytes)?);
                if end.is_none_or(|end| end > *all) {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                // SAFETY: `offset` is at most the size of the arena, as just checked.
                Ok(unsafe { arena.as_mut_ptr().add(offset as usize) })
            }
            Self::Guarded { parts, bytes: all } => {
                let mut part = GuardedArena::new(size(bytes)?)?;
                part.fill_nan();
                let first = part.as_mut_ptr();
                parts.push(part);
                *all = all.saturating_add(bytes as usize);
                Ok(first)
            }
        }
    }

    /// Bytes allocated, guards aside.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Planned { bytes, .. } | Self::Guarded { bytes, .. } => *bytes as u64,
        }
    }
}

fn size(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planned_parts_lie_at_their_offsets() {
        let mut memory = Allocation::new(256, false).unwrap();
        let (a, b) = (memory.part(0, 64).unwrap(), memory.part(192, 64).unwrap());
        assert_eq!(b as usize - a as usize, 192);
        assert!(memory.part(192, 65).is_err());
        assert!(memory.part(u64::MAX, 2).is_err());
        assert_eq!(memory.bytes(), 256);
    }

    #[test]
    fn guarded_parts_lie_apart_and_hold_nans() {
        let mut memory = Allocation::new(256, true).unwrap();
        let (a, b) = (memory.part(0, 64).unwrap(), memory.part(0, 64).unwrap());
        assert!((b as usize).abs_diff(a as usize) > 4096);
        // SAFETY: the part holds 16 aligned f32s.
        assert!(unsafe { b.cast::<f32>().add(15).read() }.is_nan());
        assert_eq!(memory.bytes(), 128);
    }
}
