//! Definedness: in body order, nothing is read that the same tile has not written.

use std::ops::Range;

use super::instr::{buffers_read, overlap, rule};
use crate::program::{BufferId, Section};

/// A read of what is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinednessError {
    /// No instruction before writes the buffer, or not all of its channels.
    #[error(
        "instruction {instr} reads {buffer}, of which {missing} of {channels} channels were not written before"
    )]
    Undefined {
        /// The instruction.
        instr: usize,
        /// The buffer.
        buffer: BufferId,
        /// Channels not written.
        missing: u64,
        /// Channels of the buffer.
        channels: u64,
    },
    /// Another buffer in the same bytes was written since.
    #[error("instruction {instr} reads {buffer}, which instruction {by} overwrote")]
    Overwritten {
        /// The instruction.
        instr: usize,
        /// The buffer.
        buffer: BufferId,
        /// What wrote into its bytes.
        by: usize,
    },
    /// A ring that does not have its bytes to itself.
    #[error("instruction {by} overwrites {buffer}, which keeps its rows for later steps")]
    RingOverwritten {
        /// The ring.
        buffer: BufferId,
        /// What writes into its bytes.
        by: usize,
    },
}

/// What is known of a buffer's content.
#[derive(Clone, Default)]
struct Content {
    /// Channels that hold the tile's values: ascending, apart from one another.
    defined: Vec<Range<u64>>,
    /// The instruction that wrote other things into the buffer's bytes, if one did since.
    overwritten: Option<usize>,
}

impl Content {
    /// Adds channels to those that are defined.
    fn define(&mut self, channels: Range<u64>) {
        let first = self.defined.partition_point(|d| d.end < channels.start);
        let last = self.defined.partition_point(|d| d.start <= channels.end);
        let joined = self.defined[first..last]
            .iter()
            .fold(channels, |all, d| all.start.min(d.start)..all.end.max(d.end));
        self.defined.splice(first..last, [joined]);
        self.overwritten = None;
    }

    fn channels(&self) -> u64 {
        self.defined.iter().map(|d| d.end - d.start).sum()
    }
}

pub(super) fn check(section: &Section) -> Result<(), DefinednessError> {
    let mut contents = vec![Content::default(); section.buffers.len()];
    for (instr, scheduled) in section.body.iter().enumerate() {
        let rule = rule(&scheduled.instr);
        for buffer in buffers_read(rule) {
            check_read(section, &contents, instr, buffer)?;
        }
        let Some(dst) = rule.writes() else { continue };
        let written = &section.buffers[dst.index()];
        for (index, other) in section.buffers.iter().enumerate() {
            if index == dst.index() || !overlap(written, other) {
                continue;
            }
            if other.ring {
                return Err(DefinednessError::RingOverwritten { buffer: BufferId(index as u32), by: instr });
            }
            if !contents[index].defined.is_empty() {
                contents[index] = Content { defined: Vec::new(), overwritten: Some(instr) };
            }
        }
        contents[dst.index()].define(rule.channels_written(section));
    }
    Ok(())
}

fn check_read(
    section: &Section,
    contents: &[Content],
    instr: usize,
    buffer: BufferId,
) -> Result<(), DefinednessError> {
    let (content, channels) = (&contents[buffer.index()], section.buffers[buffer.index()].channels);
    let missing = channels - content.channels();
    match content.overwritten {
        _ if missing == 0 => Ok(()),
        Some(by) => Err(DefinednessError::Overwritten { instr, buffer, by }),
        None => Err(DefinednessError::Undefined { instr, buffer, missing, channels }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_add_up() {
        let mut content = Content::default();
        let mut after = |add: Range<u64>| {
            content.define(add);
            content.defined.iter().map(|d| (d.start, d.end)).collect::<Vec<_>>()
        };
        assert_eq!(after(4..8), [(4, 8)]);
        assert_eq!(after(0..2), [(0, 2), (4, 8)]);
        assert_eq!(after(10..12), [(0, 2), (4, 8), (10, 12)]);
        assert_eq!(after(8..9), [(0, 2), (4, 9), (10, 12)]);
        assert_eq!(after(1..11), [(0, 12)]);
        assert_eq!(content.channels(), 12);
    }
}
