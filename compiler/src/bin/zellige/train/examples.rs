//! Examples from folders, as the engine takes them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use zellige_compiler::base::{Bindings, ValueId};
use zellige_compiler::driver::{Failure, Given, Opened, Trainee, io_failure};
use zellige_compiler::ops::Classes;
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::dataset::{DataError, Dataset, Kept, Sample, Sampling, Sizes, TensorSource};
use zellige_runtime::io::{Array, Format, NpySource};
use zellige_runtime::program::Dims;

use crate::borders::Source;
use crate::run::read_options;

/// Examples, and how they are drawn.
pub(super) struct Examples {
    dataset: Dataset,
    sampling: Sampling,
    tensors: Vec<Tensor>,
}

/// What each example has one of.
struct Tensor {
    name: String,
    /// Whether images are read as whole numbers.
    whole: bool,
    /// Of the numbers that it holds, if it holds such.
    classes: Vec<Classes>,
}

impl Examples {
    /// Looks for the files of each input of a training.
    pub(super) fn open(trainee: &Trainee, directory: &Path, sampling: Sampling) -> Result<Self, Failure> {
        let graph = &trainee.model.graph;
        let names = graph.inputs.iter().map(|&v| graph.values[v].name.clone());
        let opened = Opened::Model(Box::new(trainee.model.clone()));
        let source = |name: String| TensorSource { options: read_options(&opened, &name), name };
        let sources: Vec<_> = names.map(source).collect();
        let dataset = Dataset::open(directory, &sources).map_err(|e| data_failure(&e))?;
        let tensor = |(TensorSource { name, options }, &input): (TensorSource, &ValueId)| Tensor {
            name,
            whole: options.whole,
            classes: trainee.classes(input),
        };
        let tensors = sources.into_iter().zip(&graph.inputs).map(tensor).collect();
        let examples = Self { dataset, sampling, tensors };
        examples.check(trainee)?;
        Ok(examples)
    }

    /// That the model takes the sizes of all items: said before the first step, and not when it is an item's turn.
    fn check(&self, trainee: &Trainee) -> Result<(), Failure> {
        let sizes = self.dataset.sizes(&self.sampling).map_err(|e| data_failure(&e))?;
        let mut seen = HashSet::new();
        for Sizes { item, transposed, dims } in sizes {
            let given = self.given(dims);
            if !seen.insert(given.clone()) {
                continue;
            }
            let bound = trainee.model.bind(&given, &Bindings::default());
            bound.map_err(|failure| self.with_files(failure, item, transposed))?;
        }
        Ok(())
    }

    /// Has something done with the sizes of the item that has the most pixels; if it fails, that is said of its files.
    pub(super) fn with_largest<T>(
        &self,
        does: impl FnOnce(Given) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let sizes = self.dataset.sizes(&self.sampling).map_err(|e| data_failure(&e))?;
        let pixels = |dims: &[Dims]| dims.iter().map(|d| d.h.saturating_mul(d.w)).max();
        let Some(Sizes { item, transposed, dims }) =
            sizes.into_iter().max_by_key(|sizes| pixels(&sizes.dims))
        else {
            return does(Given::default());
        };
        does(self.given(dims)).map_err(|failure| self.with_files(failure, item, transposed))
    }

    /// A failure with the files of the item that it is about.
    fn with_files(&self, failure: Failure, item: usize, transposed: bool) -> Failure {
        let files = self.dataset.items()[item].files.iter();
        let files: Vec<_> = files.map(|file| file.display().to_string()).collect();
        let turned = if transposed { ", turned by a quarter" } else { "" };
        let note = format!("in `{}`{turned}", files.join("`, `"));
        let diagnostics = failure.diagnostics.into_iter().map(|d| d.note(note.clone())).collect();
        Failure { diagnostics, ..failure }
    }

    /// The sizes of what runs first: of one image, or where a batch is one step of all of its images.
    pub(super) fn first_step(&self, is_joint: bool) -> Result<Vec<Given>, Failure> {
        let samples = self.batch(0)?;
        let together = if is_joint { samples.len() } else { 1 };
        Ok(samples.iter().take(together).map(|sample| self.sizes(sample)).collect())
    }

    /// What a batch has. A program is for images of its sizes in its order; they are given the fewest orders.
    pub(super) fn batch(&self, number: u64) -> Result<Vec<Sample>, Failure> {
        let samples = self.dataset.batch(&self.sampling, number);
        let mut samples = samples.map_err(|e| data_failure(&e))?;
        samples.sort_by_key(|sample| self.sizes(sample));
        Ok(samples)
    }

    /// All of every item, as it is.
    pub(super) fn whole(&self) -> impl ExactSizeIterator<Item = Sample> {
        (0..self.dataset.items().len()).map(|item| self.dataset.whole(item))
    }

    /// Names and sizes of a sample's tensors.
    pub(super) fn sizes(&self, sample: &Sample) -> Given {
        self.given(self.dataset.dims(sample))
    }

    fn given(&self, dims: Vec<Dims>) -> Given {
        let sizes = |Dims { n, c, h, w }| [n, c, h, w];
        self.names().zip(dims.into_iter().map(sizes)).collect()
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.tensors.iter().map(|tensor| tensor.name.clone())
    }

    /// A sample's files, one of each tensor. People know it by the first.
    pub(super) fn files(&self, sample: &Sample) -> &[PathBuf] {
        &self.dataset.items()[sample.item].files
    }

    /// A sample's tensors: read, or where memory has no room for them and their files give them as they are, open.
    pub(super) fn load(
        &self,
        sample: &Sample,
        streamed: bool,
        kept: &mut Kept,
    ) -> Result<Vec<(String, Source)>, Failure> {
        let mut source = |tensor: usize| -> Result<Source, Failure> {
            match self.dataset.file(sample, tensor).filter(|_| streamed) {
                Some(path) => {
                    let source = NpySource::open(path).map_err(|e| io_failure(&e, false))?;
                    Ok(Source::Windows(Box::new(source)))
                }
                None => {
                    let array = self.dataset.tensor(sample, tensor, kept).map_err(|e| data_failure(&e))?;
                    self.tensors[tensor].check(&array, &self.files(sample)[tensor])?;
                    Ok(Source::Array(array))
                }
            }
        };
        self.names().enumerate().map(|(i, name)| Ok((name, source(i)?))).collect()
    }

    /// What a training that goes on should find again.
    pub(super) fn summary(&self) -> [(&'static str, String); 2] {
        let Sampling { batch, crop, flips, turns, .. } = self.sampling;
        let crop = crop.map_or_else(|| "whole images".to_owned(), |[h, w]| format!("crops of {h}x{w}"));
        let augmented = [(flips, ", flips"), (turns, ", turns")].map(|(on, name)| if on { name } else { "" });
        [
            ("data", self.dataset.summary()),
            ("sampling", format!("batches of {batch} {crop}{}", augmented.concat())),
        ]
    }

    /// The seed of order, crops and augmentation.
    pub(super) fn seed(&self) -> u64 {
        self.sampling.seed
    }
}

impl Tensor {
    /// That what should be numbers of classes are such. (The loss would be NaN, and nobody would know why.)
    fn check(&self, array: &Array, file: &Path) -> Result<(), Failure> {
        let stray = |classes: &Classes| array.data.iter().find(|value| !classes.contains(**value)).copied();
        let Some((classes, value)) = self.classes.iter().find_map(|c| Some((c, stray(c)?))) else {
            return Ok(());
        };
        let Classes { count, ignored } = classes;
        let message = format!("`{}` has the value {value}, which is no class", file.display());
        let is_image = !matches!(Format::of(file), Ok(Format::Npy));
        let hint = match (is_image, self.whole) {
            (true, false) => Some(format!(
                "an image is scaled to 0..1, unless `{0}` is declared with whole numbers: `{0}: u8[…]`",
                self.name
            )),
            (true, true) if value.fract() != 0.0 => Some(
                "an image of colours, or with a palette, is made grey; save the numbers as grey levels"
                    .to_owned(),
            ),
            _ => None,
        };
        let note = format!(
            "classes of `{}` are 0 to {}, and {ignored} is ignored",
            self.name,
            count.saturating_sub(1)
        );
        Err(Diagnostic::error(Code::E0511, message).maybe_hint(hint).note(note).into())
    }
}

fn data_failure(error: &DataError) -> Failure {
    match error {
        DataError::Io(e) => io_failure(e, false),
        other => Diagnostic::error(Code::E0511, other.to_string()).into(),
    }
}
