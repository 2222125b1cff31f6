//! Cases run over the threads that there are.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// `f` of each of `0..cases`, in order. A panic of one is a panic of all.
pub fn map<T: Send>(cases: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(cases));
    let work = || {
        loop {
            let case = next.fetch_add(1, Relaxed);
            if case >= cases {
                break;
            }
            let result = f(case);
            results.lock().expect("no case panics while it holds the lock").push((case, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut results = results.into_inner().expect("no case panics while it holds the lock");
    results.sort_by_key(|(case, _)| *case);
    results.into_iter().map(|(_, result)| result).collect()
}
