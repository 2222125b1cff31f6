//! The diagnostics of one run of a parser, while they are being found.

use crate::diagnostic::Diagnostic;

/// As many as anybody reads.
const MOST: usize = 100;

/// Collects diagnostics, and forgets those that are too many: a large file of another
/// kind must not fill the memory with complaints.
#[derive(Default)]
pub(crate) struct Problems {
    list: Vec<Diagnostic>,
    forgotten: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Diagnostic) {
        if self.list.len() < MOST {
            self.list.push(problem);
        } else {
            self.forgotten += 1;
        }
    }

    pub(crate) fn extend(&mut self, problems: impl IntoIterator<Item = Diagnostic>) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }

    /// The diagnostics in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(Diagnostic::span);
        self.list.dedup();
        if let Some(last) = self.list.last_mut().filter(|_| self.forgotten > 0) {
            last.notes.push(format!("{} more errors are not shown", self.forgotten));
        }
        self.list
    }
}
