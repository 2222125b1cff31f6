//! Ctrl-C, and a reader that goes away.
