//! What buffers hold while the body of a section runs, whatever the tile: values of the graph, by channels.

use zellige_runtime::program::{Buffer, BufferId, Section};

use super::error::InstrError;
use super::term::{Channels, TermId, Terms};

/// Contents of a section's buffers.
pub(super) struct Contents<'a> {
    section: &'a Section,
    held: Vec<Held>,
}

/// Content of one buffer.
#[derive(Clone, Default)]
struct Held {
    /// Channels that hold something: first channel and what lies there, ascending, apart from one another.
    parts: Vec<(u64, Channels)>,
    /// The instruction that wrote other things into the buffer's bytes, if one did since.
    overwritten: Option<usize>,
}

impl<'a> Contents<'a> {
    /// Nothing is known of any buffer.
    pub(super) fn new(section: &'a Section) -> Self {
        Self { section, held: vec![Held::default(); section.buffers.len()] }
    }

    /// What all channels of a buffer hold together.
    pub(super) fn read(&self, terms: &mut Terms, buffer: BufferId) -> Result<TermId, InstrError> {
        let held = &self.held[buffer.index()];
        let channels = self.section.buffers[buffer.index()].channels;
        let mut next = 0;
        for &(start, part) in &held.parts {
            if start > next {
                break;
            }
            next = start + (part.to - part.from);
        }
        if next < channels {
            let to = held.parts.iter().map(|(start, _)| *start).find(|s| *s > next).unwrap_or(channels);
            return Err(match held.overwritten {
                Some(by) => InstrError::Overwritten { buffer, by },
                None => InstrError::Undefined { buffer, from: next, to },
            });
        }
        let parts: Vec<Channels> = held.parts.iter().map(|(_, part)| *part).collect();
        terms.channels(&parts).ok_or(InstrError::Operands)
    }

    /// Instruction `by` writes `value` into channels of a buffer, from `channel` on. What lay in the same bytes is lost.
    pub(super) fn write(&mut self, by: usize, buffer: BufferId, channel: u64, value: Channels) {
        let written = &self.section.buffers[buffer.index()];
        for (index, other) in self.section.buffers.iter().enumerate() {
            let held = &mut self.held[index];
            if index != buffer.index() && !held.parts.is_empty() && share_bytes(written, other) {
                *held = Held { parts: Vec::new(), overwritten: Some(by) };
            }
        }
        self.held[buffer.index()].put(channel, value);
    }
}

impl Held {
    /// Puts a part in the place of what was there.
    fn put(&mut self, channel: u64, value: Channels) {
        let end = channel + (value.to - value.from);
        let mut parts = Vec::with_capacity(self.parts.len() + 1);
        for &(start, part) in &self.parts {
            let stop = start + (part.to - part.from);
            if start < channel {
                parts.push((start, Channels { to: part.to - stop.saturating_sub(channel), ..part }));
            }
            if stop > end {
                let from = part.from + end.saturating_sub(start);
                parts.push((start.max(end), Channels { from, ..part }));
            }
        }
        parts.push((channel, value));
        parts.sort_unstable_by_key(|(start, _)| *start);
        *self = Self { parts, overwritten: None };
    }
}

/// Whether two buffers have a byte in common; one whose size overflows has all.
pub(super) fn share_bytes(a: &Buffer, b: &Buffer) -> bool {
    let end = |b: &Buffer| bytes(b).and_then(|n| b.offset.checked_add(n)).unwrap_or(u64::MAX);
    a.offset < end(b) && b.offset < end(a)
}

fn bytes(buffer: &Buffer) -> Option<u64> {
    let lanes = u64::from(buffer.lanes);
    let channels = buffer.channels.checked_next_multiple_of(lanes)?;
    [buffer.rows, buffer.cols, 4].iter().try_fold(channels, |n, f| n.checked_mul(*f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn parts_hold_what_was_put_last() {
        let mut terms = Terms::default();
        let ids: Vec<TermId> = (0..6).map(|i| terms.input(i, [1, 40, 1, 1])).collect();
        let mut rng = fastrand::Rng::with_seed(4);
        for _ in 0..500 {
            let mut held = Held::default();
            let mut naive: HashMap<u64, (TermId, u64)> = HashMap::new();
            for _ in 0..rng.usize(1..8) {
                let (at, from, n) = (rng.u64(0..20), rng.u64(0..9), rng.u64(1..12));
                let of = ids[rng.usize(0..ids.len())];
                held.put(at, Channels { of, from, to: from + n });
                naive.extend((0..n).map(|i| (at + i, (of, from + i))));
            }
            let mut found = HashMap::new();
            for (start, part) in &held.parts {
                for i in 0..part.to - part.from {
                    assert!(found.insert(start + i, (part.of, part.from + i)).is_none());
                }
            }
            assert_eq!(found, naive);
            assert!(held.parts.is_sorted_by_key(|(start, _)| *start));
        }
    }
}
