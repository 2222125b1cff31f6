//! Memory aligned as the engine aligns it, between guards.

const GUARD: u32 = 0x7fad_beef;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A 64-byte aligned copy of some values with a guarded line at each end.
pub(super) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    pub(super) fn new(values: &[f32]) -> Self {
        let guard = Line([f32::from_bits(GUARD); 16]);
        let mut lines = vec![guard; values.len().div_ceil(16) + 2];
        for (line, chunk) in lines[1..].iter_mut().zip(values.chunks(16)) {
            line.0[..chunk.len()].copy_from_slice(chunk);
        }
        Self { lines, len: values.len() }
    }

    pub(super) fn as_ptr(&self) -> *const f32 {
        self.lines[1..].as_ptr().cast()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.lines[1..].as_mut_ptr().cast()
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.all()[16..16 + self.len]
    }

    pub(super) fn guards_intact(&self) -> bool {
        let all = self.all();
        all[..16].iter().chain(&all[16 + self.len..]).all(|v| v.to_bits() == GUARD)
    }

    fn all(&self) -> &[f32] {
        self.lines.as_flattened_f32()
    }
}

trait Flatten {
    fn as_flattened_f32(&self) -> &[f32];
}

impl Flatten for Vec<Line> {
    fn as_flattened_f32(&self) -> &[f32] {
        // SAFETY: a `Line` is sixteen f32s and nothing else.
        unsafe { std::slice::from_raw_parts(self.as_ptr().cast(), self.len() * 16) }
    }
}
