//! Examples from folders, as the engine takes them.

use std::collections::HashSet;
use std::path::Path;

use zellige_compiler::base::Bindings;
use zellige_compiler::driver::{Failure, Given, Opened, Trainee, io_failure};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::dataset::{DataError, Dataset, Kept, Sample, Sampling, Sizes, TensorSource};
use zellige_runtime::io::NpySource;
use zellige_runtime::program::Dims;

use crate::borders::Source;
use crate::run::read_options;

/// Examples, and how they are drawn.
pub(super) struct Examples {
    dataset: Dataset,
    sampling: Sampling,
    /// Names of the tensors.
    names: Vec<String>,
}

impl Examples {
    /// Looks for the files of each input of a training.
    pub(super) fn open(trainee: &Trainee, directory: &Path, sampling: Sampling) -> Result<Self, Failure> {
        let graph = &trainee.model.graph;
        let names: Vec<String> = graph.inputs.iter().map(|&v| graph.values[v].name.clone()).collect();
        let opened = Opened::Model(Box::new(trainee.model.clone()));
        let source =
            |name: &String| TensorSource { name: name.clone(), options: read_options(&opened, name) };
        let sources: Vec<_> = names.iter().map(source).collect();
        let dataset = Dataset::open(directory, &sources).map_err(|e| data_failure(&e))?;
        let examples = Self { dataset, sampling, names };
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
            bound.map_err(|failure| {
                let files = self.dataset.items()[item].files.iter();
                let files: Vec<_> = files.map(|file| file.display().to_string()).collect();
                let turned = if transposed { ", turned by a quarter" } else { "" };
                let note = format!("in `{}`{turned}", files.join("`, `"));
                let diagnostics = failure.diagnostics.into_iter().map(|d| d.note(note.clone())).collect();
                Failure { diagnostics, ..failure }
            })?;
        }
        Ok(())
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
        self.names.iter().cloned().zip(dims.into_iter().map(sizes)).collect()
    }

    /// The first of a sample's files, by which people know it.
    pub(super) fn file(&self, sample: &Sample) -> &Path {
        &self.dataset.items()[sample.item].files[0]
    }

    /// A sample's tensors: read, or where memory has no room for them and their files give them as they are, open.
    pub(super) fn load(
        &self,
        sample: &Sample,
        streamed: bool,
        kept: &mut Kept,
    ) -> Result<Vec<(String, Source)>, Failure> {
        let mut source = |tensor: usize| match self.dataset.file(sample, tensor).filter(|_| streamed) {
            Some(path) => {
                let source = NpySource::open(path).map_err(|e| io_failure(&e, false))?;
                Ok(Source::Windows(Box::new(source)))
            }
            None => {
                let array = self.dataset.tensor(sample, tensor, kept);
                array.map(Source::Array).map_err(|e| data_failure(&e))
            }
        };
        self.names.iter().enumerate().map(|(i, name)| Ok((name.clone(), source(i)?))).collect()
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

fn data_failure(error: &DataError) -> Failure {
    match error {
        DataError::Io(e) => io_failure(e, false),
        other => Diagnostic::error(Code::E0511, other.to_string()).into(),
    }
}
