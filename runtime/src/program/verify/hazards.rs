//! Hazards: instructions of different queues that touch the same bytes are ordered by tokens.

use std::collections::BTreeMap;

use super::instr::{buffers_read, overlap, rule};
use crate::program::{BufferId, Queue, Section, Token};

/// Queues that could run into each other. Instructions are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HazardError {
    /// A token that nobody gives.
    #[error("instruction {instr} waits for {token}, which no instruction signals")]
    NeverSignalled {
        /// The instruction.
        instr: usize,
        /// The token.
        token: Token,
    },
    /// A token that stands for two events.
    #[error("instructions {first} and {second} both signal {token}")]
    SignalledTwice {
        /// One.
        first: usize,
        /// The other.
        second: usize,
        /// The token.
        token: Token,
    },
    /// Waiting for what comes later: a queue might wait for itself.
    #[error(
        "instruction {instr} waits for {token}, which instruction {signal} signals later in the same tile"
    )]
    Deadlock {
        /// The instruction.
        instr: usize,
        /// The token.
        token: Token,
        /// What signals it.
        signal: usize,
    },
    /// Two instructions that may touch the same bytes at once, or in the wrong order.
    #[error(
        "instruction {second} {} {second_buffer} without waiting for instruction {first}{}, which {} {first_buffer}, in the same bytes",
        verb(*.second_writes),
        if *.previous_tile { " of the tile before" } else { "" },
        verb(*.first_writes)
    )]
    Race {
        /// What should come first.
        first: usize,
        /// Whether it belongs to the tile before.
        previous_tile: bool,
        /// Its buffer.
        first_buffer: BufferId,
        /// Whether it writes it.
        first_writes: bool,
        /// What should come second.
        second: usize,
        /// Its buffer.
        second_buffer: BufferId,
        /// Whether it writes it.
        second_writes: bool,
    },
}

fn verb(writes: bool) -> &'static str {
    if writes { "writes" } else { "reads" }
}

const QUEUES: usize = 3;

fn lane(queue: Queue) -> usize {
    match queue {
        Queue::Load => 0,
        Queue::Compute => 1,
        Queue::Store => 2,
    }
}

/// How far each queue is known to be: the number of instructions, of two tiles in a row, up to which what is on the queue is
/// done. Since queues run in order this says which instructions are done.
type Clock = [usize; QUEUES];

fn join(a: Clock, b: Clock) -> Clock {
    std::array::from_fn(|q| a[q].max(b[q]))
}

/// The last instructions, as numbers in two tiles in a row, that read and wrote a buffer, by queue.
#[derive(Clone, Copy, Default)]
struct Accesses {
    read: [Option<usize>; QUEUES],
    written: [Option<usize>; QUEUES],
}

pub(super) fn check(section: &Section) -> Result<(), HazardError> {
    let signals = signals(section)?;
    check_waits(section, &signals)?;
    let clocks = clocks(section, &signals);

    // The last conflicting access on each other queue is enough: those before it are done when it is done.
    let n = section.body.len();
    let mut accesses = vec![Accesses::default(); section.buffers.len()];
    for now in 0..2 * n {
        let instr = rule(&section.body[now % n].instr);
        let queue = lane(instr.queue());
        let touched = buffers_read(instr).map(|b| (b, false)).chain(instr.writes().map(|b| (b, true)));
        let touched: Vec<_> = touched.collect();
        for &(buffer, writes) in &touched {
            check_access(section, &accesses, &clocks, now, buffer, writes)?;
        }
        for (buffer, writes) in touched {
            let of = &mut accesses[buffer.index()];
            let last = if writes { &mut of.written } else { &mut of.read };
            last[queue] = Some(now);
        }
    }
    Ok(())
}

/// Which instruction gives each token.
fn signals(section: &Section) -> Result<BTreeMap<Token, usize>, HazardError> {
    let mut signals = BTreeMap::new();
    for (second, scheduled) in section.body.iter().enumerate() {
        let Some(token) = scheduled.signal else { continue };
        if let Some(first) = signals.insert(token, second) {
            return Err(HazardError::SignalledTwice { first, second, token });
        }
    }
    Ok(signals)
}

fn check_waits(section: &Section, signals: &BTreeMap<Token, usize>) -> Result<(), HazardError> {
    for (instr, scheduled) in section.body.iter().enumerate() {
        for &token in &scheduled.wait {
            let signal = *signals.get(&token).ok_or(HazardError::NeverSignalled { instr, token })?;
            if signal >= instr {
                return Err(HazardError::Deadlock { instr, token, signal });
            }
        }
        if let Some(&token) = scheduled.wait_previous.iter().find(|t| !signals.contains_key(t)) {
            return Err(HazardError::NeverSignalled { instr, token });
        }
    }
    Ok(())
}

/// For each instruction of two tiles in a row, what is done when it starts.
fn clocks(section: &Section, signals: &BTreeMap<Token, usize>) -> Vec<Clock> {
    let n = section.body.len();
    let mut starts: Vec<Clock> = Vec::with_capacity(2 * n);
    let mut last_on_queue: [Option<usize>; QUEUES] = [None; QUEUES];
    for now in 0..2 * n {
        let scheduled = &section.body[now % n];
        let tile = now / n * n;
        let same = scheduled.wait.iter().map(|t| tile + signals[t]);
        // In the first tile these tokens are there already.
        let previous = scheduled.wait_previous.iter().filter(|_| tile > 0).map(|t| signals[t]);
        let queue = lane(rule(&scheduled.instr).queue());
        let clock = same
            .chain(previous)
            .chain(last_on_queue[queue])
            .map(|before| done(section, &starts, before))
            .fold(Clock::default(), join);
        starts.push(clock);
        last_on_queue[queue] = Some(now);
    }
    starts
}

/// What is done when instruction `before` is.
fn done(section: &Section, starts: &[Clock], before: usize) -> Clock {
    let mut clock = starts[before];
    let queue = lane(rule(&section.body[before % section.body.len()].instr).queue());
    clock[queue] = clock[queue].max(before + 1);
    clock
}

fn check_access(
    section: &Section,
    accesses: &[Accesses],
    clocks: &[Clock],
    now: usize,
    buffer: BufferId,
    writes: bool,
) -> Result<(), HazardError> {
    let n = section.body.len();
    let queue = lane(rule(&section.body[now % n].instr).queue());
    let ordered = |other: usize, before: usize| other == queue || before < clocks[now][other];
    for (index, other) in section.buffers.iter().enumerate() {
        if !overlap(&section.buffers[buffer.index()], other) {
            continue;
        }
        let of = &accesses[index];
        for q in 0..QUEUES {
            let conflicts = [(of.written[q], true), (of.read[q].filter(|_| writes), false)];
            let race = conflicts.into_iter().find_map(|(before, by_write)| {
                before.filter(|before| !ordered(q, *before)).map(|before| (before, by_write))
            });
            if let Some((before, first_writes)) = race {
                return Err(HazardError::Race {
                    first: before % n,
                    previous_tile: before / n != now / n,
                    first_buffer: BufferId(index as u32),
                    first_writes,
                    second: now % n,
                    second_buffer: buffer,
                    second_writes: writes,
                });
            }
        }
    }
    Ok(())
}
