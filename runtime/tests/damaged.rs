//! Damaged programs: decoding and verifying them never panics, and takes memory in proportion to their length.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use zellige_runtime::program::format::{self, FormatError, Weights};
use zellige_runtime::program::verify::{Limits, verify};
use zellige_runtime::program::{Data, Program, sample};

thread_local! {
    /// Bytes that this thread holds, and the most that it held.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count(bytes: isize) {
    // Threads also allocate while they end.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: everything is left to `System`; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `ptr` came from `System`, with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `f` held at a time.
fn peak<T>(f: impl FnOnce() -> T) -> (isize, T) {
    let before = HELD.with(|held| {
        let (now, _) = held.get();
        held.set((now, now));
        now
    });
    let value = f();
    (HELD.with(|held| held.get().1) - before, value)
}

const LIMITS: Limits = Limits { sram_bytes: 64 << 10, device_bytes: 1 << 20, work: None };

fn bytes_of(program: &Program) -> Vec<u8> {
    let mut bytes = Vec::new();
    format::write(program, &mut bytes, Weights::Embedded).expect("memory takes all that is written");
    bytes
}

fn read(bytes: &[u8]) -> Result<Program, FormatError> {
    format::read(bytes, |_| Ok(Data::default()))
}

/// A few bytes, replaced by what numbers are apt to break at.
fn damage(bytes: &mut [u8], rng: &mut fastrand::Rng) {
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(0..bytes.len());
        bytes[at] = match rng.u8(0..5) {
            0 => 0,
            1 => 0x7f,
            2 => 0xff,
            3 => bytes[at] ^ (1 << rng.u8(0..8)),
            _ => rng.u8(..),
        };
    }
}

/// Reads and verifies; whether it was read, and whether it is safe.
fn run(bytes: &[u8]) -> (bool, bool) {
    let (peak, outcome) = peak(|| match read(bytes) {
        Ok(program) => (true, verify(&program, &LIMITS).is_ok()),
        Err(_) => (false, false),
    });
    // Decoders trust a claimed length up to one mebibyte a level of nesting.
    let allowed = 64 * bytes.len() as isize + (4 << 20);
    assert!(peak <= allowed, "{peak} bytes for a program of {}", bytes.len());
    outcome
}

#[test]
fn damaged_parts() {
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut decoded, mut safe) = (0, 0);
    for program in [
        sample::two_sections(),
        sample::every_instruction(),
        sample::whole_axes(),
        sample::adjoints(),
        sample::dropped(),
    ] {
        let original = bytes_of(&program);
        let parts = 128;
        for _ in 0..2500 {
            let mut bytes = original.clone();
            damage(&mut bytes[parts..], &mut rng);
            format::repair_checksums(&mut bytes);
            let (was_decoded, was_safe) = run(&bytes);
            decoded += usize::from(was_decoded);
            safe += usize::from(was_safe);
        }
    }
    // It is no use if nothing reaches the verifier, or if nothing fails there.
    assert!(decoded > 1000 && safe > 0 && decoded - safe > 500, "{decoded} decoded, {safe} safe");
}

#[test]
fn damaged_headers() {
    let mut rng = fastrand::Rng::with_seed(8);
    let original = bytes_of(&sample::two_sections());
    for _ in 0..5000 {
        let mut bytes = original.clone();
        damage(&mut bytes[..128], &mut rng);
        bytes.truncate(rng.usize(0..2 * original.len()));
        format::repair_checksums(&mut bytes);
        run(&bytes);
    }
}
