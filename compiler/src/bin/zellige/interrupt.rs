//! Signals: SIGINT (Ctrl-C) and SIGTERM end the command in order, and a limit on files' sizes is an error like a full disk.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use zellige_grammar::{Code, Diagnostic, SourceFile};
use zellige_runtime::io::remove_temporaries;

use crate::output::MessageFormat;

static STOP: AtomicBool = AtomicBool::new(false);
/// Whether somebody looks at `STOP`.
static WATCHED: AtomicBool = AtomicBool::new(false);
/// The signal that came first.
static SIGNAL: AtomicI32 = AtomicI32::new(SIGINT);
static REPORTED: AtomicBool = AtomicBool::new(false);
static MESSAGES: OnceLock<MessageFormat> = OnceLock::new();

/// From now on a signal asks what is [`watched`] to stop, and ends the process where nothing is, or when it comes again.
///
/// Where no handler can be had, signals end the process at once; outputs appear complete or not at all either way. A SIGHUP
/// keeps its meaning, so that `nohup` has its own.
pub(crate) fn install(messages: MessageFormat) {
    let _ = MESSAGES.set(messages);
    // With a handler, whatever it does, writing beyond the limit fails as on a full disk; without, it would end the process.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) {
        std::thread::spawn(move || signals.forever().for_each(handle));
    }
}

fn handle(signal: i32) {
    if !STOP.load(SeqCst) {
        SIGNAL.store(signal, SeqCst);
    }
    let again = STOP.swap(true, SeqCst);
    // After the flag is set, see `watched`.
    if again || !WATCHED.load(SeqCst) {
        remove_temporaries();
        report(None);
        std::process::exit(status().into());
    }
}

/// Does work that looks at the flag it is given; `None` if it was to stop.
pub(crate) fn watched<T>(work: impl FnOnce(&'static AtomicBool) -> T) -> Option<T> {
    WATCHED.store(true, SeqCst);
    let done = work(&STOP);
    // Either the handler sees this, and ends the process itself, or the flag is seen here: no signal is lost.
    WATCHED.store(false, SeqCst);
    (!STOP.load(SeqCst)).then_some(done)
}

/// Says that the command was interrupted, once, and what can be done now.
pub(crate) fn report(hint: Option<String>) {
    if REPORTED.swap(true, SeqCst) {
        return;
    }
    let note =
        Diagnostic::error(Code::E0901, "interrupted; no incomplete output was left behind").maybe_hint(hint);
    MESSAGES.get().copied().unwrap_or_default().report(&[note], &SourceFile::default());
}

/// The exit status of a command that was interrupted, as shells have it.
pub(crate) fn status() -> u8 {
    128 + SIGNAL.load(SeqCst) as u8
}
