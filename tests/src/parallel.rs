//! Cases run over the threads that there are.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

/// Checks all cases; the failures of all of them, and panics, are reported together, each under its `name`.
pub fn check_all<T: Sync>(
    cases: &[T],
    name: impl Fn(&T) -> String + Sync,
    check: impl Fn(&T) -> Result<(), String> + Sync,
) {
    let results = map(cases.len(), |i| {
        let run = || check(&cases[i]);
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("panics".to_owned()));
        result.map_err(|e| format!("{}: {e}", name(&cases[i])))
    });
    let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
