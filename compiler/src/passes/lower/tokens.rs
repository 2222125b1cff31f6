//! Tokens: what makes the three queues wait for each other where they touch the same bytes.
//!
//! An instruction waits for the latest earlier one of every other queue that it conflicts with, in the same tile and in the tile
//! before; each queue runs in order, so that the latest stands for all earlier ones.

use zellige_runtime::program::instr::{AxisId, Instr};
use zellige_runtime::program::{Buffer, BufferId, Interval, Queue, Scheduled, Token};

/// Bytes of SRAM that an instruction reads and writes.
struct Access {
    queue: Queue,
    reads: Vec<(u64, u64)>,
    writes: Vec<(u64, u64)>,
}

/// The instructions with the tokens that they need.
pub(super) fn schedule(body: Vec<Instr>, buffers: &[Buffer]) -> Vec<Scheduled> {
    let accesses: Vec<Access> = body.iter().map(|i| access(i, buffers)).collect();
    let n = body.len();
    let waits: Vec<Vec<usize>> = (0..n).map(|i| latest(&accesses, i, 0..i)).collect();
    let waits_before: Vec<Vec<usize>> = (0..n).map(|i| latest(&accesses, i, 0..n)).collect();
    let mut signalled: Vec<usize> = waits.iter().chain(&waits_before).flatten().copied().collect();
    signalled.sort_unstable();
    signalled.dedup();
    let token = |i: &usize| signalled.binary_search(i).ok().map(|t| Token(t as u32));
    body.into_iter()
        .enumerate()
        .map(|(i, instr)| Scheduled {
            instr,
            wait: waits[i].iter().filter_map(token).collect(),
            wait_previous: waits_before[i].iter().filter_map(token).collect(),
            signal: token(&i),
        })
        .collect()
}

/// For each other queue the last instruction of `range` that conflicts with instruction `i`.
fn latest(accesses: &[Access], i: usize, range: std::ops::Range<usize>) -> Vec<usize> {
    let queues = [Queue::Load, Queue::Compute, Queue::Store];
    let last = |queue: Queue| {
        let of_queue = |&j: &usize| accesses[j].queue == queue && conflict(&accesses[j], &accesses[i]);
        range.clone().rev().find(of_queue)
    };
    queues.into_iter().filter(|&q| q != accesses[i].queue).filter_map(last).collect()
}

fn conflict(a: &Access, b: &Access) -> bool {
    let meet =
        |x: &[(u64, u64)], y: &[(u64, u64)]| x.iter().any(|p| y.iter().any(|q| p.0 < q.1 && q.0 < p.1));
    meet(&a.writes, &b.writes) || meet(&a.writes, &b.reads) || meet(&a.reads, &b.writes)
}

fn access(instr: &Instr, buffers: &[Buffer]) -> Access {
    let bytes = |id: BufferId| {
        let buffer = &buffers[id.index()];
        (buffer.offset, buffer.offset.saturating_add(buffer.bytes().unwrap_or(u64::MAX)))
    };
    let instruction = instr.as_instruction();
    let reads = instruction.reads(AxisId::Y, Interval::new(0, 1));
    Access {
        queue: instruction.queue(),
        reads: reads.into_iter().map(|r| bytes(r.buffer)).collect(),
        writes: instruction.writes().into_iter().map(bytes).collect(),
    }
}
