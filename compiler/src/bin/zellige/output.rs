//! What the command says, and where.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;
use zellige_compiler::driver::{Failure, Opened, Trainee, io_failure, reason};
use zellige_grammar::{Code, Diagnostic, SourceFile, render_ansi, render_json, render_text};
use zellige_runtime::io::{can_write, write_atomically};

/// How a command ended, if not with a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As it should.
    Done,
    /// Bits differ.
    Different,
    /// A program is not proved.
    Refuted,
    /// The user stopped it.
    Interrupted,
    /// The user stopped a training, of which there is a checkpoint.
    Paused {
        /// Steps done.
        steps: u64,
    },
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl MessageFormat {
    /// Writes diagnostics to standard error.
    pub(crate) fn report(self, diagnostics: &[Diagnostic], source: &SourceFile) {
        let mut stderr = std::io::stderr();
        let text = match self {
            Self::Json => render_json(diagnostics, source),
            Self::Text if stderr.is_terminal() => render_ansi(diagnostics, source),
            Self::Text => render_text(diagnostics, source),
        };
        // Nobody is left to be told if standard error is closed.
        let _ = stderr.write_all(text.as_bytes());
    }

    /// Opens a model, IR or program, and reports the warnings about it.
    pub(crate) fn open(self, path: &Path) -> Result<Opened, Failure> {
        self.with_warnings(Opened::open(path)?)
    }

    /// As [`Self::open`]; where `train` says so a step of the model's training in its place.
    pub(crate) fn open_step(self, path: &Path, train: bool) -> Result<Opened, Failure> {
        if !train {
            return self.open(path);
        }
        let model = Trainee::open(path)?.differentiated();
        self.with_warnings(Opened::Model(Box::new(model)))
    }

    fn with_warnings(self, opened: Opened) -> Result<Opened, Failure> {
        if let Opened::Model(model) = &opened {
            self.report(&model.warnings, &model.source);
        }
        Ok(opened)
    }
}

/// A number of things.
pub(crate) fn count(n: u64, thing: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {thing}{plural}")
}

/// Writes to standard output. That nobody reads on, as behind `head`, is no failure.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    say_bytes(text.as_bytes())
}

fn say_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(unwritten(&e)),
        _ => Ok(()),
    }
}

/// The failure to write to standard output.
pub(crate) fn unwritten(error: &std::io::Error) -> Failure {
    let message = format!("cannot write to standard output: {}", reason(error));
    Diagnostic::error(Code::E0002, message).into()
}

/// Writes a file that appears complete or not at all; `-` is standard output.
pub(crate) fn save(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    if path == Path::new("-") {
        return say_bytes(contents);
    }
    write_atomically(path, |file| Ok(file.write_all(contents)?)).map_err(|e| io_failure(&e, true))
}

/// That a file can be written, said before the work and not after it; `-` always can.
pub(crate) fn probe(path: &Path) -> Result<(), Failure> {
    if path == Path::new("-") {
        return Ok(());
    }
    can_write(path).map_err(|e| io_failure(&e, true))
}

/// A file with another extension could not be opened again; what is there and is no file, such as a pipe, is not asked.
pub(crate) fn check_extension(path: &Path, wanted: &str, what: &str) -> Result<(), Failure> {
    let other = path.extension().is_none_or(|e| e != wanted);
    if other && (path.is_file() || !path.exists()) {
        let message = format!("`{}` is not a name for {what}", path.display());
        let hint = format!("it should end in .{wanted}");
        return Err(Diagnostic::error(Code::E0005, message).hint(hint).into());
    }
    Ok(())
}
