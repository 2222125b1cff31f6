//! Diagnostics while they are being found.

use std::collections::HashSet;

use zellige_grammar::{Code, Diagnostic, Span, has_errors};

/// As many as anybody reads.
const MOST: usize = 100;

/// Collects diagnostics. A block that is expanded twice, or a loop, may come to the same mistake again: it is reported once.
#[derive(Debug, Default)]
pub(super) struct Report {
    list: Vec<Diagnostic>,
    seen: HashSet<(Code, Option<Span>)>,
}

impl Report {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let new = self.seen.insert((diagnostic.code, diagnostic.span()));
        if new && self.list.len() < MOST {
            self.list.push(diagnostic);
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        has_errors(&self.list)
    }

    /// In the order of the text.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(Diagnostic::span);
        self.list
    }
}
