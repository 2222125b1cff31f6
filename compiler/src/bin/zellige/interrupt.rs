//! Ctrl-C: asks runs to stop after the tile at hand.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C sets the flag; a second one ends the process at once.
pub(crate) fn install() {
    // Where no handler can be had, Ctrl-C ends the process; outputs appear complete or not at all either way.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// The flag.
pub(crate) fn flag() -> &'static AtomicBool {
    &STOP
}
