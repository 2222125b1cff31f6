//! Inputs and outputs of a run: in memory, or window by window from and to files.

use std::path::{Path, PathBuf};

use zellige_compiler::driver::{Failure, io_failure};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{ArrayView, ArrayViewMut, Input, Output};
use zellige_runtime::io::{
    self, Array, Format, IoError, NewFile, NpySink, NpySource, ReadOptions, Scratch, WindowSource,
};
use zellige_runtime::program::{Element, Program, Role, Tensor};

/// An input.
pub(crate) enum Source {
    /// Read before the run.
    Array(Array),
    /// Read as tiles need it.
    Windows(Box<dyn WindowSource>),
}

/// An output.
pub(crate) enum Sink {
    /// Written after the run, if it has a file.
    Array(Array),
    /// Written as tiles make it.
    Windows(NpySink),
    /// Kept as tiles make it, in a temporary file.
    Scratch(Scratch),
}

/// The file of an input, and how it is read.
#[derive(Clone, Debug)]
pub(crate) struct InputFile {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) options: ReadOptions,
}

impl InputFile {
    /// Images, channels, rows and columns.
    pub(crate) fn sizes(&self) -> Result<[u64; 4], Failure> {
        let dims = io::read_dims(&self.path, &self.options).map_err(|e| io_failure(&e, false))?;
        Ok([dims.n, dims.c, dims.h, dims.w])
    }

    /// The whole of it.
    pub(crate) fn read(&self) -> Result<Array, Failure> {
        io::read(&self.path, &self.options).map_err(|e| io_failure(&e, false))
    }

    /// As the program wants it: whole, or, if memory has no room for that, open, an image by way of a temporary file in `spill`.
    pub(crate) fn open(&self, program: &Program, spill: Option<&Path>) -> Result<Source, Failure> {
        let fail = |e| io_failure(&e, false);
        match Format::of(&self.path) {
            Ok(Format::Npy) if program.streamed => {
                NpySource::open(&self.path).map(|s| Source::Windows(Box::new(s))).map_err(fail)
            }
            Ok(Format::Png) if program.streamed => {
                match io::spool(&self.path, &self.options, spill).map_err(fail)? {
                    Some(scratch) => Ok(Source::Windows(Box::new(scratch))),
                    None => self.read().map(Source::Array),
                }
            }
            _ => self.read().map(Source::Array),
        }
    }
}

impl Source {
    /// For the engine.
    pub(crate) fn input(&self) -> Input<'_> {
        match self {
            Self::Array(array) => Input::Array(ArrayView { dims: array.dims, data: &array.data }),
            Self::Windows(source) => Input::Windows(&**source),
        }
    }

    /// To be read in part.
    pub(crate) fn windows(&self) -> &dyn WindowSource {
        match self {
            Self::Array(array) => array,
            Self::Windows(source) => &**source,
        }
    }
}

impl Sink {
    /// An array of zeros.
    pub(crate) fn in_memory(tensor: &Tensor) -> Result<Self, Failure> {
        let zeros = Array::zeros(tensor.dims, u64::MAX);
        zeros.map(Self::Array).map_err(|e| Diagnostic::error(Code::E0906, e.to_string()).into())
    }

    /// What will go to `path`: written as tiles make it, if memory has no room for it, or its values are whole numbers; an image
    /// by way of a temporary file in `spill`.
    pub(crate) fn create(
        program: &Program,
        tensor: &Tensor,
        path: &Path,
        spill: Option<&Path>,
    ) -> Result<Self, Failure> {
        match Format::of(path) {
            Ok(Format::Npy) if program.streamed || tensor.element != Element::F32 => Self::npy(tensor, path),
            Ok(Format::Png) if program.streamed => Self::scratch(tensor, spill),
            _ => Self::in_memory(tensor),
        }
    }

    /// An array file.
    pub(crate) fn npy(tensor: &Tensor, path: &Path) -> Result<Self, Failure> {
        let sink = NpySink::create(path, tensor.dims, tensor.element);
        sink.map(Self::Windows).map_err(|e| io_failure(&e, true))
    }

    /// A temporary file in `spill`.
    pub(crate) fn scratch(tensor: &Tensor, spill: Option<&Path>) -> Result<Self, Failure> {
        let scratch = Scratch::create(spill, tensor.dims, tensor.element);
        scratch.map(Self::Scratch).map_err(|e| io_failure(&e, true))
    }

    /// For the engine.
    pub(crate) fn output(&mut self) -> Output<'_> {
        match self {
            Self::Array(array) => Output::Array(ArrayViewMut { dims: array.dims, data: &mut array.data }),
            Self::Windows(sink) => Output::Windows(sink),
            Self::Scratch(scratch) => Output::Windows(scratch),
        }
    }

    /// The file, complete, which appears when it is committed.
    pub(crate) fn stage(self, tensor: &Tensor, path: &Path) -> Result<NewFile, IoError> {
        match self {
            Self::Array(mut array) => {
                if let Some(max) = tensor.element.max() {
                    // Images are written from 0..1; dividing and multiplying gives whole numbers back.
                    array.data.iter_mut().for_each(|v| *v /= max);
                }
                io::stage(path, &array)
            }
            Self::Windows(sink) => Ok(sink.into_file()),
            Self::Scratch(scratch) => io::stage_png(path, &scratch, tensor.element.max().unwrap_or(1.0)),
        }
    }
}

/// The outputs of a program.
pub(crate) fn outputs(program: &Program) -> impl Iterator<Item = &Tensor> {
    program.tensors.iter().filter(|t| t.role == Role::Output)
}
