//! One run: workers take tiles by turns; sections follow each other at barriers.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Barrier, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use super::EngineError;
use super::reduce;
use super::section::TileIndex;
use super::worker::{Shared, Worker};

/// How the caller follows and stops a run.
#[derive(Clone, Copy, Default)]
pub struct Control<'a> {
    /// Looked at before each tile: once true, the run ends with [`EngineError::Cancelled`].
    pub cancel: Option<&'a AtomicBool>,
    /// Called on the calling thread, after each of the tiles that this thread runs and at the end of each section.
    pub progress: Option<&'a dyn Fn(Progress)>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Index of the section that runs.
    pub section: usize,
    /// Number of sections.
    pub sections: usize,
    /// Tiles done, of all sections.
    pub tiles_done: u64,
    /// Tiles of all sections.
    pub tiles: u64,
}

/// The state that the workers of one run share.
struct Run<'a> {
    shared: Shared<'a>,
    cancel: Option<&'a AtomicBool>,
    /// The next job of the section.
    next: AtomicU64,
    /// Tiles done, of all sections.
    done: AtomicU64,
    /// Set by whoever fails.
    failed: AtomicBool,
    /// `failed`, as it was when the section began: what all workers agree on.
    ended: AtomicBool,
    failure: Mutex<Option<EngineError>>,
}

/// Where a worker is among the colours of a section. Each worker passes as many barriers as there are colours after the first; it does
/// so when the next tile that it takes has a later colour, since tiles are taken in the order of colours.
struct Turn<'a> {
    barrier: &'a Barrier,
    colour: u64,
}

impl Turn<'_> {
    /// Waits until the tiles of all colours before this one are done.
    fn wait_for(&mut self, colour: u64) {
        while self.colour < colour {
            self.barrier.wait();
            self.colour += 1;
        }
    }
}

/// What the calling thread does besides running tiles.
struct Lead<'a> {
    progress: Option<&'a dyn Fn(Progress)>,
    /// Nanoseconds a section.
    times: Vec<u64>,
}

/// Runs all sections with at most as many threads as there are workers, the calling one included. The result is the
/// nanoseconds that each section took, and the number of threads.
///
/// # Safety
///
/// The program was verified, and the tensors are bound to memory of their sizes that nobody else uses.
pub(super) unsafe fn run(
    shared: Shared<'_>,
    workers: &mut [Worker],
    control: &Control<'_>,
) -> Result<(Vec<u64>, usize), EngineError> {
    let run = Run {
        shared,
        cancel: control.cancel,
        next: AtomicU64::new(0),
        done: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        ended: AtomicBool::new(false),
        failure: Mutex::new(None),
    };
    let mut lead = Lead { progress: control.progress, times: Vec::with_capacity(shared.sections.len()) };
    let threads = match workers.split_first_mut() {
        Some((first, others)) => run.start(first, others, &mut lead),
        None => 0,
    };
    match run.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok((lead.times, threads)),
    }
}

impl Run<'_> {
    /// Starts the threads and waits for them. If the system gives fewer than wanted, those that there are do it all: results
    /// do not depend on their number.
    fn start(&self, first: &mut Worker, others: &mut [Worker], lead: &mut Lead<'_>) -> usize {
        let barrier = OnceLock::new();
        thread::scope(|scope| {
            let started = others
                .iter_mut()
                .map_while(|worker| {
                    let work = || self.work(barrier.wait(), worker, None);
                    thread::Builder::new().name("zellige-worker".to_owned()).spawn_scoped(scope, work).ok()
                })
                .count();
            let threads = started + 1;
            self.work(barrier.get_or_init(|| Barrier::new(threads)), first, Some(lead));
            threads
        })
    }

    /// A worker's way through the sections. All workers pass the same barriers, whoever fails.
    fn work(&self, barrier: &Barrier, worker: &mut Worker, mut lead: Option<&mut Lead<'_>>) {
        for s in 0..self.shared.sections.len() {
            let start = Instant::now();
            if lead.is_some() {
                self.begin(s);
            }
            barrier.wait();
            if self.ended.load(Relaxed) {
                return;
            }
            let progress = lead.as_ref().and_then(|l| l.progress);
            let mut turn = Turn { barrier, colour: 0 };
            self.attempt(s, || self.tiles(s, worker, &mut turn, progress));
            turn.wait_for(self.shared.program.sections[s].colours.iter().product::<u64>() - 1);
            barrier.wait();
            if let Some(lead) = &mut lead {
                self.attempt(s, || self.finish(s, lead.progress));
                lead.times.push(start.elapsed().as_nanos() as u64);
            }
        }
    }

    /// Before a section: all workers wait.
    fn begin(&self, s: usize) {
        for &acc in &self.shared.sections[s].accumulators {
            self.shared.device.all_gathered(acc).iter().for_each(|limb| limb.store(0, Relaxed));
        }
        self.next.store(0, Relaxed);
        self.ended.store(self.failed.load(Relaxed), Relaxed);
    }

    /// Takes tiles until there are none left, or somebody fails.
    fn tiles(
        &self,
        s: usize,
        worker: &mut Worker,
        turn: &mut Turn<'_>,
        progress: Option<&dyn Fn(Progress)>,
    ) -> Result<(), EngineError> {
        worker.begin(self.shared, s);
        while !self.failed.load(Relaxed) {
            if self.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            let n = self.next.fetch_add(1, Relaxed);
            let prepared = &self.shared.sections[s];
            if n >= prepared.jobs() {
                break;
            }
            let section = &self.shared.program.sections[s];
            if prepared.tiles_per_job == 1 {
                let (tile, colour) = TileIndex::in_order_of_colours(section, n);
                turn.wait_for(colour);
                self.tile(s, tile, worker, progress)?;
                continue;
            }
            for y in 0..prepared.tiles_per_job {
                if self.is_cancelled() {
                    return Err(EngineError::Cancelled);
                }
                self.tile(s, TileIndex::in_strip(section, n, y), worker, progress)?;
            }
        }
        worker.end(self.shared, s);
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(|c| c.load(Relaxed))
    }

    fn tile(
        &self,
        s: usize,
        tile: TileIndex,
        worker: &mut Worker,
        progress: Option<&dyn Fn(Progress)>,
    ) -> Result<(), EngineError> {
        // SAFETY: `run`'s caller promises a verified program and bound tensors; the counter gives each job to one thread alone,
        // which runs its tiles in order, and barriers keep sections and colours apart.
        unsafe { worker.run_tile(self.shared, s, tile) }?;
        self.done.fetch_add(1, Relaxed);
        self.report(s, progress);
        Ok(())
    }

    /// After all tiles of a section: the other workers wait at the next barrier, or have ended.
    fn finish(&self, s: usize, progress: Option<&dyn Fn(Progress)>) -> Result<(), EngineError> {
        if self.failed.load(Relaxed) {
            return Ok(());
        }
        for instr in &self.shared.program.sections[s].end {
            // SAFETY: `run`'s caller promises a verified program and bound tensors; nobody else writes meanwhile.
            unsafe { reduce::reduce(self.shared, instr) }?;
        }
        self.report(s, progress);
        Ok(())
    }

    fn report(&self, section: usize, progress: Option<&dyn Fn(Progress)>) {
        if let Some(progress) = progress {
            progress(Progress {
                section,
                sections: self.shared.sections.len(),
                tiles_done: self.done.load(Relaxed),
                tiles: self.shared.sections.iter().map(|s| s.tiles).fold(0, u64::saturating_add),
            });
        }
    }

    /// Does `what`; an error or a panic becomes the run's failure, if it is the first.
    fn attempt(&self, s: usize, what: impl FnOnce() -> Result<(), EngineError>) {
        let result = catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|panic| {
            let section = self.shared.program.sections[s].name.clone();
            Err(EngineError::Panic { section, message: message(&*panic) })
        });
        if let Err(error) = result {
            self.failed.store(true, Relaxed);
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic").to_owned()
}
