//! Anonymous memory: one mapping that everything lies in, or, to find stray accesses, a mapping of its own for each part.

use std::io;

use memmap2::MmapMut;

/// The granularity of protection; a multiple of every processor's page that this runs on would do, the kernel tells.
fn page_size() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096).max(64)
}

/// Zeroed memory, page-aligned and given by the system page by page as it is touched. It neither moves nor grows.
#[derive(Debug)]
pub struct Arena {
    map: MmapMut,
}

impl Arena {
    /// `bytes` of zeros, rounded up to whole pages.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let bytes = bytes.checked_next_multiple_of(page_size()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { map: MmapMut::map_anon(bytes.max(page_size()))? })
    }

    /// The first byte.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.map.as_mut_ptr()
    }
}

/// Memory between two pages that nobody may touch: an access beyond its end faults at once, one far before its start too.
#[derive(Debug)]
pub(crate) struct GuardedArena {
    map: MmapMut,
    /// From the start of the mapping.
    start: usize,
    bytes: usize,
}

impl GuardedArena {
    /// `bytes` (rounded up to whole f32s), the last of them just before the guard: aligned to 64 bytes if `bytes` is a
    /// multiple of it, to 4 otherwise.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        let page = page_size();
        let out_of_memory = || io::Error::from(io::ErrorKind::OutOfMemory);
        let bytes = bytes.checked_next_multiple_of(4).ok_or_else(out_of_memory)?;
        let body = bytes.checked_next_multiple_of(page).ok_or_else(out_of_memory)?;
        let total = body.checked_add(2 * page).ok_or_else(out_of_memory)?;
        let mut map = MmapMut::map_anon(total)?;
        forbid(&mut map, 0, page)?;
        forbid(&mut map, page + body, page)?;
        Ok(Self { map, start: page + body - bytes, bytes })
    }

    /// The first byte.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        // SAFETY: `start` is inside the mapping by construction.
        unsafe { self.map.as_mut_ptr().add(self.start) }
    }

    /// Makes every f32 a NaN, so that what is read before it is written shows.
    pub(crate) fn fill_nan(&mut self) {
        let values = self.bytes / 4;
        // SAFETY: `bytes`, a multiple of 4, are readable and writable from `start` on, 4-byte aligned because pages and
        // `bytes` are; `self` is borrowed mutably.
        let all = unsafe { std::slice::from_raw_parts_mut(self.as_mut_ptr().cast::<f32>(), values) };
        all.fill(f32::NAN);
    }
}

/// Takes all access from `bytes` at `offset`.
fn forbid(map: &mut MmapMut, offset: usize, bytes: usize) -> io::Result<()> {
    // SAFETY: both are whole pages inside the mapping, which stays mapped as long as `map` lives; nobody holds a reference
    // into it yet.
    let failed = unsafe { libc::mprotect(map.as_mut_ptr().add(offset).cast(), bytes, libc::PROT_NONE) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_is_aligned_and_zero() {
        let mut arena = Arena::new(1000).unwrap();
        let ptr = arena.as_mut_ptr();
        assert_eq!(ptr as usize % 4096, 0);
        // SAFETY: the arena holds at least the 1000 bytes asked for.
        let bytes = unsafe { std::slice::from_raw_parts(ptr, 1000) };
        assert!(bytes.iter().all(|&b| b == 0));
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        assert!(Arena::new(usize::MAX).is_err());
        assert!(Arena::new(1 << 60).is_err());
        assert!(GuardedArena::new(usize::MAX).is_err());
    }

    #[test]
    fn a_guarded_arena_ends_at_its_guard() {
        for bytes in [0, 4, 64, 4096, 5000] {
            let mut arena = GuardedArena::new(bytes).unwrap();
            arena.fill_nan();
            assert_eq!((arena.as_mut_ptr() as usize + bytes) % page_size(), 0);
        }
    }
}
