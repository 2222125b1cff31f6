//! What the command says, and where.

use std::io::{IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;
use zellige_compiler::driver::{Failure, io_failure};
use zellige_grammar::{Code, Diagnostic, SourceFile, render_ansi, render_json, render_text};
use zellige_runtime::io::{IoError, write_atomically};

/// How a command ended, if not with a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As it should.
    Done,
    /// Bits differ.
    Different,
    /// The user stopped it.
    Interrupted,
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Writes diagnostics to standard error.
pub(crate) fn report(diagnostics: &[Diagnostic], source: &SourceFile, format: MessageFormat) {
    let mut stderr = std::io::stderr();
    let text = match format {
        MessageFormat::Json => render_json(diagnostics, source),
        MessageFormat::Text if stderr.is_terminal() => render_ansi(diagnostics, source),
        MessageFormat::Text => render_text(diagnostics, source),
    };
    // Nobody is left to be told if standard error is closed.
    let _ = stderr.write_all(text.as_bytes());
}

/// Writes to standard output.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written
        .map_err(|e| Diagnostic::error(Code::E0002, format!("cannot write to standard output: {e}")).into())
}

/// Writes a file that appears complete or not at all; `-` is standard output.
pub(crate) fn save(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    if path == Path::new("-") {
        return say(&String::from_utf8_lossy(contents));
    }
    write_atomically(path, |file| Ok(file.write_all(contents)?)).map_err(|e| unwritable(path, &e))
}

/// The failure to write a file.
pub(crate) fn unwritable(path: &Path, error: &IoError) -> Failure {
    match error {
        IoError::File { .. } => io_failure(error, true),
        other => Diagnostic::error(Code::E0002, format!("{}: {other}", path.display())).into(),
    }
}
