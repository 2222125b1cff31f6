//! Inputs and outputs of a run: in memory, or window by window from and to files.

use std::path::{Path, PathBuf};

use zellige_compiler::driver::{Failure, io_failure};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{ArrayView, ArrayViewMut, Input, Output};
use zellige_runtime::io::{self, Array, Format, IoError, NewFile, NpySink, NpySource, ReadOptions};
use zellige_runtime::program::{Element, Program, Role, Tensor};

/// An input.
pub(crate) enum Source {
    /// Read before the run.
    Array(Array),
    /// Read as tiles need it.
    Windows(NpySource),
}

/// An output.
pub(crate) enum Sink {
    /// Written after the run, if it has a file.
    Array(Array),
    /// Written as tiles make it.
    Windows(NpySink),
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

    /// As the program wants it: whole, or, of an array that memory has no room for, open.
    pub(crate) fn open(&self, program: &Program) -> Result<Source, Failure> {
        if program.streamed && is_npy(&self.path) {
            return NpySource::open(&self.path).map(Source::Windows).map_err(|e| io_failure(&e, false));
        }
        self.read().map(Source::Array)
    }
}

impl Source {
    /// For the engine.
    pub(crate) fn input(&self) -> Input<'_> {
        match self {
            Self::Array(array) => Input::Array(ArrayView { dims: array.dims, data: &array.data }),
            Self::Windows(source) => Input::Windows(source),
        }
    }
}

impl Sink {
    /// An array of zeros.
    pub(crate) fn in_memory(tensor: &Tensor) -> Result<Self, Failure> {
        let zeros = Array::zeros(tensor.dims, u64::MAX);
        zeros.map(Self::Array).map_err(|e| Diagnostic::error(Code::E0906, e.to_string()).into())
    }

    /// What will go to `path`: written as tiles make it, if memory has no room for it, or its values are whole numbers.
    pub(crate) fn create(program: &Program, tensor: &Tensor, path: &Path) -> Result<Self, Failure> {
        if is_npy(path) && (program.streamed || tensor.element != Element::F32) {
            let sink = NpySink::create(path, tensor.dims, tensor.element);
            return sink.map(Self::Windows).map_err(|e| io_failure(&e, true));
        }
        Self::in_memory(tensor)
    }

    /// For the engine.
    pub(crate) fn output(&mut self) -> Output<'_> {
        match self {
            Self::Array(array) => Output::Array(ArrayViewMut { dims: array.dims, data: &mut array.data }),
            Self::Windows(sink) => Output::Windows(sink),
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
        }
    }
}

/// The outputs of a program.
pub(crate) fn outputs(program: &Program) -> impl Iterator<Item = &Tensor> {
    program.tensors.iter().filter(|t| t.role == Role::Output)
}

fn is_npy(path: &Path) -> bool {
    Format::of(path).ok() == Some(Format::Npy)
}
