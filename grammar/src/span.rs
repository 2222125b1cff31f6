//! Places in a source text.

use serde::{Deserialize, Serialize};

/// A half-open range of byte offsets, `start..end`, in one source text.
///
/// An empty span stands for a place between two characters, such as the one
/// where a `;` is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
}

impl Span {
    /// The span `start..end`.
    #[must_use]
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The empty span at `offset`.
    #[must_use]
    pub const fn at(offset: u32) -> Self {
        Self { start: offset, end: offset }
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Whether the span covers no character.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// The text that the span covers; empty where the span does not fit the text.
    #[must_use]
    pub fn text(self, source: &str) -> &str {
        source.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

/// A value and where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, written at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Another value at the same place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

/// A source text and the name under which diagnostics mention it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// The name, usually the path as the user wrote it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// A source file; nothing is read.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Line and column of a byte offset, both from one; the column counts characters.
    ///
    /// An offset past the end counts as the end, one inside a character as its start.
    #[must_use]
    pub fn line_column(&self, offset: u32) -> (usize, usize) {
        let end = self.text.floor_char_boundary(offset as usize);
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_join_and_slice() {
        let span = Span::new(2, 4).to(Span::new(7, 9));
        assert_eq!(span, Span::new(2, 9));
        assert_eq!(span.text("ab let x = 3"), " let x ");
        assert_eq!(Span::new(4, 90).text("short"), "");
        assert!(Span::at(3).is_empty());
    }

    #[test]
    fn columns_count_characters() {
        let file = SourceFile::new("m.zlg", "é = 1\nπ = 2\n");
        assert_eq!(file.line_column(0), (1, 1));
        assert_eq!(file.line_column(1), (1, 1));
        assert_eq!(file.line_column(2), (1, 2));
        assert_eq!(file.line_column(7), (2, 1));
        assert_eq!(file.line_column(9), (2, 2));
        assert_eq!(file.line_column(900), (3, 1));
    }
}
