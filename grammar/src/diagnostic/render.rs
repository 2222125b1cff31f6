//! The three ways a diagnostic is shown: plain text, coloured text, JSON lines.

use std::ops::Range;

use codespan_reporting::diagnostic as codespan;
use codespan_reporting::files::SimpleFile;
use codespan_reporting::term::termcolor::{Ansi, NoColor, WriteColor};
use codespan_reporting::term::{self, DisplayStyle};
use serde_json::{Value, json};

use super::{Diagnostic, Label, Severity};
use crate::span::{SourceFile, Span};

/// Draws diagnostics with the lines that they speak of, without colours.
#[must_use]
pub fn render_text(diagnostics: &[Diagnostic], file: &SourceFile) -> String {
    let mut out = NoColor::new(Vec::new());
    draw(diagnostics, file, &mut out);
    let drawn = String::from_utf8_lossy(out.get_ref()).into_owned();
    // Lines that carry several labels end in blanks.
    drawn.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Draws diagnostics like [`render_text`], with ANSI colours.
#[must_use]
pub fn render_ansi(diagnostics: &[Diagnostic], file: &SourceFile) -> String {
    let mut out = Ansi::new(Vec::new());
    draw(diagnostics, file, &mut out);
    String::from_utf8_lossy(out.get_ref()).into_owned()
}

/// Writes each diagnostic as one JSON object on one line, for editors.
///
/// ```json
/// {"severity": "error", "code": "E0102", "message": "…", "file": "m.zlg",
///  "labels": [{"start": 10, "end": 12, "line": 1, "column": 11, "end_line": 1,
///              "end_column": 13, "message": "…", "primary": true}],
///  "hints": ["…"], "notes": ["…"]}
/// ```
///
/// `start` and `end` are byte offsets; lines and columns count from one, and
/// columns count characters.
#[must_use]
pub fn render_json(diagnostics: &[Diagnostic], file: &SourceFile) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let labels: Vec<Value> = diagnostic.labels.iter().map(|label| json_label(label, file)).collect();
        let object = json!({
            "severity": diagnostic.severity.name(),
            "code": diagnostic.code.id(),
            "message": diagnostic.message,
            "file": file.name,
            "labels": labels,
            "hints": diagnostic.hints,
            "notes": diagnostic.notes,
        });
        out.push_str(&object.to_string());
        out.push('\n');
    }
    out
}

fn json_label(label: &Label, file: &SourceFile) -> Value {
    let (line, column) = file.line_column(label.span.start);
    let (end_line, end_column) = file.line_column(label.span.end);
    json!({
        "start": label.span.start,
        "end": label.span.end,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "message": label.message,
        "primary": label.primary,
    })
}

fn draw(diagnostics: &[Diagnostic], file: &SourceFile, out: &mut impl WriteColor) {
    let files = SimpleFile::new(file.name.as_str(), file.text.as_str());
    let rich = term::Config::default();
    let brief = term::Config { display_style: DisplayStyle::Medium, ..term::Config::default() };
    for diagnostic in diagnostics {
        let readable = diagnostic.labels.iter().all(|label| is_readable(label.span, &file.text));
        let config = if readable { &rich } else { &brief };
        // Writing to a vector cannot fail and spans are clamped to the file. Should
        // drawing fail all the same, the message still has to reach the user.
        if term::emit_to_write_style(out, config, &files, &translate(diagnostic, &file.text)).is_err() {
            let Diagnostic { severity, code, message, .. } = diagnostic;
            let _ = writeln!(out, "{}[{}]: {message}", severity.name(), code.id());
        }
    }
}

fn translate(diagnostic: &Diagnostic, text: &str) -> codespan::Diagnostic<()> {
    let severity = match diagnostic.severity {
        Severity::Warning => codespan::Severity::Warning,
        Severity::Error => codespan::Severity::Error,
    };
    let labels = diagnostic.labels.iter().map(|label| {
        let style =
            if label.primary { codespan::LabelStyle::Primary } else { codespan::LabelStyle::Secondary };
        codespan::Label::new(style, (), shown(label.span, text)).with_message(&label.message)
    });
    let hints = diagnostic.hints.iter().map(|hint| format!("help: {hint}"));
    let notes = diagnostic.notes.iter().map(|note| format!("note: {note}"));
    codespan::Diagnostic::new(severity)
        .with_code(diagnostic.code.id())
        .with_message(&diagnostic.message)
        .with_labels(labels.collect())
        .with_notes(hints.chain(notes).collect())
}

/// The bytes of a label that are marked: a piece of many lines is marked at its first one.
fn shown(span: Span, text: &str) -> Range<usize> {
    const MOST_LINES: usize = 4;
    let range = clamp(span, text);
    let mut lines = text[range.clone()].lines();
    let first = lines.next().map_or(0, str::len);
    if lines.count() < MOST_LINES { range } else { range.start..range.start + first }
}

/// Whether the lines on which a label begins and ends are worth showing. Those of files that
/// no person wrote may be megabytes long.
fn is_readable(span: Span, text: &str) -> bool {
    const LONGEST: usize = 1000;
    let range = clamp(span, text);
    [range.start, range.end].into_iter().all(|at| {
        let (before, after) = text.as_bytes().split_at(at);
        let before = before.iter().rev().take(LONGEST).take_while(|&&byte| byte != b'\n').count();
        let after = after.iter().take(LONGEST).take_while(|&&byte| byte != b'\n').count();
        before + after < LONGEST
    })
}

/// The bytes of a span, made to fit the text and to begin and end between characters.
fn clamp(span: Span, text: &str) -> Range<usize> {
    let start = text.floor_char_boundary(span.start as usize);
    let end = text.ceil_char_boundary((span.end as usize).min(text.len()));
    start..end.max(start)
}
