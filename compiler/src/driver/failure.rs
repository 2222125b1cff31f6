//! What went wrong, with the text that it is about.

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

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        let code = match &error {
            FormatError::Io(_) => Code::E0001,
            FormatError::Magic => Code::E0801,
            FormatError::Version(_) => Code::E0802,
            FormatError::HeaderChecksum | FormatError::PartChecksum(_) => Code::E0803,
            FormatError::WeightsName(_)
            | FormatError::WeightsFile { .. }
            | FormatError::OtherWeights { .. } => Code::E0806,
            _ => Code::E0804,
        };
        Diagnostic::error(code, error.to_string()).into()
    }
}

/// An error of reading or writing images, arrays and weights.
pub fn io_failure(error: &IoError, writing: bool) -> Failure {
    let (inner, path) = match error {
        IoError::File { path, error } => {
            (&**error, path.extension().and_then(|e| e.to_str()).unwrap_or("").to_owned())
        }
        other => (other, String::new()),
    };
    let malformed = if path.eq_ignore_ascii_case("npy") { Code::E0502 } else { Code::E0501 };
    let code = match inner {
        IoError::Os(_) | IoError::OutOfMemory(_) if writing => Code::E0002,
        IoError::Os(_) | IoError::OutOfMemory(_) => Code::E0001,
        IoError::Extension(_) => Code::E0005,
        IoError::Unsupported { .. } => Code::E0509,
        IoError::Dtype { .. } => Code::E0404,
        IoError::NoTensor(_) => Code::E0401,
        _ => malformed,
    };
    Diagnostic::error(code, error.to_string()).into()
}

/// An error of loading or running a program.
pub fn engine_failure(error: &EngineError) -> Failure {
    let code = match error {
        EngineError::Verify(_) => Code::E0805,
        EngineError::Isa(_) => Code::E0003,
        EngineError::Missing { .. } => Code::E0504,
        EngineError::Unknown { .. } | EngineError::Twice { .. } => Code::E0507,
        EngineError::Size { .. } | EngineError::Length { .. } => Code::E0506,
        EngineError::Memory { .. } => Code::E0902,
        EngineError::Weights(_) => Code::E0403,
        EngineError::Compile(_) | EngineError::Cancelled | EngineError::Panic { .. } => Code::E0901,
    };
    Diagnostic::error(code, error.to_string()).into()
}
