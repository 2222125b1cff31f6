//! What went wrong, with the text that it is about.

use std::io;
use std::path::Path;

use zellige_grammar::{Code, Diagnostic, SourceFile};
use zellige_runtime::engine::EngineError;
use zellige_runtime::io::IoError;
use zellige_runtime::program::format::FormatError;

/// Diagnostics and the source text that their labels point into.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong; at least one error.
    pub diagnostics: Vec<Diagnostic>,
    /// The text.
    pub source: SourceFile,
}

impl Failure {
    /// About a text.
    pub fn new(diagnostics: Vec<Diagnostic>, source: &SourceFile) -> Self {
        Self { diagnostics, source: source.clone() }
    }
}

/// About no text.
impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic], source: SourceFile::default() }
    }
}

/// An error of reading a program file.
pub(super) fn program_failure(path: &Path, error: &FormatError) -> Failure {
    let (code, message) = match error {
        FormatError::Io(e) => return unreadable(path, e).into(),
        FormatError::WeightsFile { name, source } => (
            Code::E0001,
            format!("cannot read `{name}`, the file of the program's weights: {}", reason(source)),
        ),
        FormatError::Magic => (Code::E0801, "it does not begin as a program does".to_owned()),
        FormatError::Version(_) => (Code::E0802, error.to_string()),
        FormatError::Truncated { .. } | FormatError::HeaderChecksum | FormatError::PartChecksum(_) => {
            (Code::E0803, error.to_string())
        }
        FormatError::OtherWeights { .. } => (Code::E0807, error.to_string()),
        _ => (Code::E0804, error.to_string()),
    };
    Diagnostic::error(code, format!("cannot open program `{}`: {message}", path.display())).into()
}

/// A file that the operating system does not let read.
pub fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(Code::E0001, format!("cannot read `{}`: {}", path.display(), reason(error)))
}

/// An error of reading or writing images, arrays and weights.
pub fn io_failure(error: &IoError, writing: bool) -> Failure {
    let IoError::File { path, error: inner } = error else {
        return Diagnostic::error(io_code(error, writing, Code::E0501), io_reason(error)).into();
    };
    let is_array = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
    let code = io_code(inner, writing, if is_array { Code::E0502 } else { Code::E0501 });
    let (verb, formats) = if writing { ("write", ".png or .npy") } else { ("read", ".png, .jpg or .npy") };
    let message = format!("cannot {verb} `{}`: {}", path.display(), io_reason(inner));
    let hint = matches!(**inner, IoError::Extension(_)).then(|| format!("its name should end in {formats}"));
    Diagnostic::error(code, message).maybe_hint(hint).into()
}

fn io_code(error: &IoError, writing: bool, malformed: Code) -> Code {
    match error {
        IoError::Os(_) if writing => Code::E0002,
        IoError::Os(_) => Code::E0001,
        IoError::OutOfMemory(_) | IoError::TooLarge { .. } => Code::E0906,
        IoError::Extension(_) => Code::E0005,
        IoError::Unsupported { .. } => Code::E0509,
        IoError::Dtype { .. } => Code::E0404,
        IoError::NoTensor(_) => Code::E0401,
        _ => malformed,
    }
}

fn io_reason(error: &IoError) -> String {
    match error {
        IoError::Os(e) => reason(e),
        IoError::Extension(e) if e.is_empty() => {
            "a name without an extension does not tell the format".to_owned()
        }
        IoError::Extension(e) => format!("the format `.{e}` is not known"),
        other => other.to_string(),
    }
}

/// What the operating system says, without its number for it.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words);
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// An error of loading or running a program.
pub fn engine_failure(error: &EngineError) -> Failure {
    let code = match error {
        EngineError::Verify(_) => Code::E0805,
        EngineError::Isa(_) => Code::E0905,
        EngineError::Missing { .. } => Code::E0504,
        EngineError::Unknown { .. } | EngineError::Twice { .. } => Code::E0507,
        EngineError::Size { .. } => Code::E0806,
        EngineError::Memory { .. } => Code::E0906,
        EngineError::Weights(_) => Code::E0403,
        EngineError::Compile(_) => Code::E0905,
        EngineError::Window(_) | EngineError::Spill(_) => Code::E0902,
        EngineError::Cancelled => Code::E0901,
        EngineError::Length { .. } | EngineError::Panic { .. } => Code::E0908,
    };
    Diagnostic::error(code, error.to_string()).into()
}
