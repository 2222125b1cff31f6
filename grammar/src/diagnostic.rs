//! Diagnostics: what is wrong, where, and how to mend it.
//!
//! Every problem that a user can cause becomes a [`Diagnostic`]. Only this module
//! knows how one is drawn; the rest of the compiler builds them and passes them on.

mod render;

use crate::codes::Code;
use crate::span::Span;

pub use render::{render_ansi, render_json, render_text};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a look; compilation goes on.
    Warning,
    /// Compilation fails.
    Error,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A remark on a piece of the source text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The piece.
    pub span: Span,
    /// The remark; may be empty, which only marks the place.
    pub message: String,
    /// Whether this is where the problem is, or something else that takes part.
    pub primary: bool,
}

/// One problem.
///
/// ```
/// use zellige_grammar::{Code, Diagnostic, SourceFile, Span, render_text};
///
/// let file = SourceFile::new("m.zlg", "x |> conv2(out: 3)");
/// let problem = Diagnostic::error(Code::E0201, "no op or block is called `conv2`")
///     .label(Span::new(5, 10), "unknown")
///     .hint("did you mean `conv2d`?");
/// assert!(render_text(&[problem], &file).contains("help: did you mean `conv2d`?"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Which kind of problem; `zellige explain CODE` tells more.
    pub code: Code,
    /// One sentence about this instance, without a full stop.
    pub message: String,
    /// The places that take part; none for a problem with a file as a whole.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic without labels, hints and notes.
    pub fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            labels: Vec::new(),
            hints: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// An error.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A warning.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Adds the place of the problem.
    pub fn label(self, span: Span, message: impl Into<String>) -> Self {
        self.with_label(span, message.into(), true)
    }

    /// Adds another place that takes part.
    pub fn secondary(self, span: Span, message: impl Into<String>) -> Self {
        self.with_label(span, message.into(), false)
    }

    /// Adds a way to mend it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a hint where there is one, as [`did_you_mean`](crate::suggest::did_you_mean) may have.
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hints.extend(hint);
        self
    }

    /// Adds something worth knowing.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Whether it is an error, and not only a warning.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Where the problem is: its first primary label, or else its first label.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.labels.iter().find(|label| label.primary).or(self.labels.first()).map(|label| label.span)
    }

    fn with_label(mut self, span: Span, message: String, primary: bool) -> Self {
        self.labels.push(Label { span, message, primary });
        self
    }
}

/// Whether any of the diagnostics is an error.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}

#[cfg(test)]
mod tests;
