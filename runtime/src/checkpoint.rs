//! Checkpoints: all that a training needs to go on with the same bits.
//!
//! A checkpoint is a safetensors file. Its tensors are `weights/NAME` for each parameter and `state/NAME/SLOT` for what the
//! optimizer remembers of it; its metadata has the number of steps done, the seed, the configuration of the run, a line
//! each, and a checksum of all that. It is written beside its name and renamed, so that there is always a whole one.

use std::path::{Path, PathBuf};

use indexmap::{IndexMap, IndexSet};

use crate::io::IoError;
use crate::io::safetensors::{self, Metadata, Safetensors, TensorInfo, Values};
use crate::optimizer::{Optimizer, State};

/// What the metadata says the file is.
const FORMAT: &str = "zellige.checkpoint";
const VERSION: &str = "1";
/// Before the names of the configuration in the metadata.
const CONFIGURATION: &str = "configuration.";
const CHECKSUM: &str = "checksum";
/// Before the names of parameters.
const WEIGHTS: &str = "weights/";

/// What a run is made of, by name: model, optimizer, schedule, data. Runs of different configurations do not continue each other.
pub type Configuration = IndexMap<String, String>;

/// A few digits for something long, such as the text of a model, to have in a [`Configuration`].
pub fn fingerprint(bytes: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(bytes))
}

/// A parameter to be written.
#[derive(Clone, Copy, Debug)]
pub struct Parameter<'a> {
    /// Its path.
    pub name: &'a str,
    /// Its shape.
    pub dims: &'a [u64],
    /// Its values.
    pub values: &'a [f32],
    /// What the optimizer remembers, if it is trained.
    pub state: Option<&'a State>,
}

/// A parameter that a checkpoint is expected to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared<'a> {
    /// Its path.
    pub name: &'a str,
    /// Its shape.
    pub dims: &'a [u64],
    /// Whether it is trained.
    pub trained: bool,
}

/// What a checkpoint has.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Steps done.
    pub step: u64,
    /// The seed of the run.
    pub seed: u64,
    /// The parameters' values, as they were declared.
    pub values: Vec<Vec<f32>>,
    /// What the optimizer remembers of each of them that is trained.
    pub states: Vec<Option<State>>,
}

/// Why a run cannot go on from a file.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It cannot be read or written as safetensors.
    #[error(transparent)]
    File(IoError),
    /// It is not a checkpoint of this run.
    #[error("{}: {mismatch}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        mismatch: Mismatch,
    },
}

/// What is wrong with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A safetensors file of another kind.
    #[error("this safetensors file is not a checkpoint: its metadata do not say `{FORMAT}`")]
    Foreign,
    /// Written by another version.
    #[error("a checkpoint of version {0}, and this is version {VERSION}")]
    Version(String),
    /// The bytes are not those that were written.
    #[error("the checkpoint is damaged: its checksum is not that of its contents")]
    Checksum,
    /// A number that is none.
    #[error("the checkpoint has no usable `{0}`")]
    Number(&'static str),
    /// Another configuration.
    #[error(
        "the checkpoint is of another run: its {name} is {}, and this run's is {}",
        found.as_deref().unwrap_or("not given"),
        wanted.as_deref().unwrap_or("not given")
    )]
    Configuration {
        /// What differs.
        name: String,
        /// As in the checkpoint.
        found: Option<String>,
        /// As in this run.
        wanted: Option<String>,
    },
    /// A tensor that is not there.
    #[error("the checkpoint has no tensor `{0}`")]
    Missing(String),
    /// A tensor that this run has no use for.
    #[error("the checkpoint has a tensor `{0}`, which this run does not have")]
    Unknown(String),
    /// A tensor of another shape.
    #[error("tensor `{name}` of the checkpoint has the shape {found:?}, and this run's {wanted:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// As in the checkpoint.
        found: Vec<u64>,
        /// As in this run.
        wanted: Vec<u64>,
    },
}

/// The parameters of a checkpoint, by their paths; another file as it is.
pub fn parameters_of(file: Safetensors) -> Safetensors {
    if file.metadata().get("format").map(String::as_str) != Some(FORMAT) {
        return file;
    }
    file.renamed(|name| name.strip_prefix(WEIGHTS).map(str::to_owned))
}

/// Writes a checkpoint; it appears complete or not at all.
///
/// # Errors
///
/// What the file system says; two parameters of one name.
pub fn write(
    path: &Path,
    step: u64,
    seed: u64,
    configuration: &Configuration,
    parameters: &[Parameter<'_>],
) -> Result<(), CheckpointError> {
    let mut tensors: Vec<(String, &[u64], &[f32])> = Vec::new();
    let slots: Vec<_> = parameters.iter().map(|p| p.state.map(State::slots).unwrap_or_default()).collect();
    for (parameter, slots) in parameters.iter().zip(&slots) {
        tensors.push((weights(parameter.name), parameter.dims, parameter.values));
        for slot in slots {
            tensors.push((state(parameter.name, slot.name), &slot.dims, slot.values));
        }
    }
    let mut metadata = Metadata::from([
        ("format".to_owned(), FORMAT.to_owned()),
        ("version".to_owned(), VERSION.to_owned()),
        ("step".to_owned(), step.to_string()),
        ("seed".to_owned(), seed.to_string()),
    ]);
    let entry = |(name, value): (&String, &String)| (format!("{CONFIGURATION}{name}"), value.clone());
    metadata.extend(configuration.iter().map(entry));
    let mut checksum = Checksum::of(&metadata);
    for (name, dims, values) in &tensors {
        checksum.tensor(name, dims);
        checksum.values(values);
    }
    metadata.insert(CHECKSUM.to_owned(), checksum.text());
    let values: Vec<_> = tensors.iter().map(|(name, shape, values)| Values { name, shape, values }).collect();
    safetensors::write_with(path, &metadata, &values).map_err(CheckpointError::File)
}

/// Reads a checkpoint of a run with this configuration, optimizer and parameters: the bits that were written.
///
/// # Errors
///
/// If the file is not a checkpoint, is damaged, or is one of another run.
pub fn read(
    path: &Path,
    configuration: &Configuration,
    optimizer: &Optimizer,
    parameters: &[Declared<'_>],
) -> Result<Checkpoint, CheckpointError> {
    let file = Safetensors::open(path).map_err(CheckpointError::File)?;
    let read = || -> Result<Checkpoint, Mismatch> {
        let [step, seed] = header(&file, configuration)?;
        let mut tensors = Tensors { file: &file, left: file.tensors().keys().map(String::as_str).collect() };
        let (mut values, mut states) = (Vec::new(), Vec::new());
        for Declared { name, dims, trained } in parameters {
            values.push(tensors.take(&weights(name), dims)?);
            states.push(trained.then(|| tensors.state(name, State::new(optimizer, dims))).transpose()?);
        }
        match tensors.left.first() {
            Some(name) => Err(Mismatch::Unknown((*name).to_owned())),
            None => Ok(Checkpoint { step, seed, values, states }),
        }
    };
    read().map_err(|mismatch| CheckpointError::Mismatch { path: path.to_owned(), mismatch })
}

/// The steps done and the seed of a checkpoint that is whole and of this configuration.
fn header(file: &Safetensors, configuration: &Configuration) -> Result<[u64; 2], Mismatch> {
    let metadata = file.metadata();
    let entry = |name: &str| metadata.get(name).map(String::as_str);
    if entry("format") != Some(FORMAT) {
        return Err(Mismatch::Foreign);
    }
    if entry("version") != Some(VERSION) {
        return Err(Mismatch::Version(entry("version").unwrap_or("unknown").to_owned()));
    }
    let mut checksum = Checksum::of(metadata);
    for (name, info) in file.tensors() {
        checksum.tensor(name, &info.shape);
        checksum.0.update(file.bytes(info));
    }
    if entry(CHECKSUM) != Some(&checksum.text()) {
        return Err(Mismatch::Checksum);
    }
    let found = metadata.iter().filter_map(|(name, value)| Some((name.strip_prefix(CONFIGURATION)?, value)));
    let found: IndexMap<&str, &String> = found.collect();
    let names: IndexSet<&str> =
        configuration.keys().map(String::as_str).chain(found.keys().copied()).collect();
    for name in names {
        let [found, wanted] = [found.get(name).copied().cloned(), configuration.get(name).cloned()];
        if found != wanted {
            return Err(Mismatch::Configuration { name: name.to_owned(), found, wanted });
        }
    }
    let number = |name| entry(name).and_then(|text| text.parse().ok()).ok_or(Mismatch::Number(name));
    Ok([number("step")?, number("seed")?])
}

/// The tensors of a file that nobody has taken yet.
struct Tensors<'a> {
    file: &'a Safetensors,
    left: IndexSet<&'a str>,
}

impl Tensors<'_> {
    fn take(&mut self, name: &str, dims: &[u64]) -> Result<Vec<f32>, Mismatch> {
        let missing = || Mismatch::Missing(name.to_owned());
        let TensorInfo { shape, .. } = self.file.f32(name).map_err(|_| missing())?;
        if shape != dims {
            let (name, found, wanted) = (name.to_owned(), shape.clone(), dims.to_vec());
            return Err(Mismatch::Shape { name, found, wanted });
        }
        self.left.shift_remove(name);
        self.file.values(name).map_err(|_| missing())
    }

    fn state(&mut self, parameter: &str, mut state: State) -> Result<State, Mismatch> {
        for slot in state.slots_mut() {
            let values = self.take(&self::state(parameter, slot.name), &slot.dims)?;
            // The shapes are the same.
            slot.values.copy_from_slice(&values);
        }
        Ok(state)
    }
}

fn weights(parameter: &str) -> String {
    format!("{WEIGHTS}{parameter}")
}

fn state(parameter: &str, slot: &str) -> String {
    format!("state/{parameter}/{slot}")
}

/// CRC-32 of metadata and tensors.
struct Checksum(crc32fast::Hasher);

impl Checksum {
    fn of(metadata: &Metadata) -> Self {
        let mut checksum = Self(crc32fast::Hasher::new());
        for (name, value) in metadata.iter().filter(|(name, _)| *name != CHECKSUM) {
            checksum.string(name);
            checksum.string(value);
        }
        checksum
    }

    fn string(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    fn tensor(&mut self, name: &str, dims: &[u64]) {
        self.string(name);
        dims.iter().for_each(|dim| self.0.update(&dim.to_le_bytes()));
    }

    fn values(&mut self, values: &[f32]) {
        let mut bytes = [[0; 4]; 1024];
        for values in values.chunks(bytes.len()) {
            let bytes = &mut bytes[..values.len()];
            bytes.iter_mut().zip(values).for_each(|(bytes, value)| *bytes = value.to_le_bytes());
            self.0.update(bytes.as_flattened());
        }
    }

    fn text(self) -> String {
        format!("{:08x}", self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::optimizer::Step;

    const NAMES: [&str; 3] = ["conv0.weight", "conv0.bias", "norm.running_mean"];
    const DIMS: [&[u64]; 3] = [&[4, 3, 1, 1], &[4], &[4]];

    struct Run {
        optimizer: Optimizer,
        configuration: Configuration,
        values: Vec<Vec<f32>>,
        states: Vec<Option<State>>,
    }

    impl Run {
        fn new() -> Self {
            let optimizer = Optimizer::adamw().subspace(2);
            let pairs = [("model", "m 12ab"), ("optimizer", &optimizer.to_string())];
            let configuration = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let values =
                DIMS.map(|dims| (0..dims.iter().product()).map(|i| (i as f32 - 2.5) / 3.0).collect()).into();
            let states = DIMS
                .iter()
                .zip(NAMES)
                .map(|(dims, name)| (!name.contains("running")).then(|| State::new(&optimizer, dims)));
            Self { states: states.collect(), optimizer, configuration, values }
        }

        fn step(&mut self, number: u64) {
            for (values, state) in self.values.iter_mut().zip(&mut self.states) {
                let gradient: Vec<f32> = values.iter().map(|v| v.sqrt().max(v - 0.3)).collect();
                if let Some(state) = state {
                    state.step(Step { number, rate: 1e-2 }, values, &gradient);
                }
            }
        }

        fn write(&self, path: &Path, step: u64) {
            let parameters: Vec<_> = (0..3)
                .map(|i| Parameter {
                    name: NAMES[i],
                    dims: DIMS[i],
                    values: &self.values[i],
                    state: self.states[i].as_ref(),
                })
                .collect();
            write(path, step, u64::MAX, &self.configuration, &parameters).unwrap();
        }

        fn declared(&self) -> Vec<Declared<'static>> {
            let declared =
                |i: usize| Declared { name: NAMES[i], dims: DIMS[i], trained: self.states[i].is_some() };
            (0..3).map(declared).collect()
        }

        fn read(&self, path: &Path) -> Result<Checkpoint, CheckpointError> {
            read(path, &self.configuration, &self.optimizer, &self.declared())
        }
    }

    #[test]
    fn a_run_that_is_resumed_has_the_same_bits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.safetensors");
        let mut run = Run::new();
        for resumed_at in [0, 1, 5] {
            run.write(&path, resumed_at);
            let found = run.read(&path).unwrap();
            assert_eq!((found.step, found.seed), (resumed_at, u64::MAX));
            let mut other = Run { values: found.values, states: found.states, ..Run::new() };
            let mut whole = Run { values: run.values.clone(), states: run.states.clone(), ..Run::new() };
            for number in resumed_at..resumed_at + 3 {
                whole.step(number);
                other.step(number);
            }
            let bits = |run: &Run| run.values.concat().into_iter().map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(bits(&whole), bits(&other));
            (resumed_at..5).for_each(|number| run.step(number));
        }
    }

    #[test]
    fn odd_values_keep_their_bits() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.safetensors");
        let mut run = Run::new();
        run.values[1] = vec![f32::from_bits(0xffc1_2345), -0.0, 1e-45, f32::NEG_INFINITY];
        run.write(&path, 3);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&run.read(&path).unwrap().values[1]), bits(&run.values[1]));
    }

    fn message(error: CheckpointError) -> String {
        let text = error.to_string();
        text.split_once("c.safetensors: ").map_or(text.clone(), |(_, rest)| rest.to_owned())
    }

    #[test]
    fn another_run_is_told_by_what_differs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.safetensors");
        let run = Run::new();
        run.write(&path, 7);
        let error = |change: &dyn Fn(&mut Run)| {
            let mut other = Run::new();
            change(&mut other);
            message(other.read(&path).unwrap_err())
        };
        let found = error(&|run| run.configuration["model"].push('c'));
        assert_eq!(found, "the checkpoint is of another run: its model is m 12ab, and this run's is m 12abc");
        let found = error(&|run| drop(run.configuration.insert("clip".to_owned(), "1".to_owned())));
        assert_eq!(found, "the checkpoint is of another run: its clip is not given, and this run's is 1");
        let found = error(&|run| run.optimizer = Optimizer::sgd());
        assert_eq!(
            found,
            "the checkpoint has a tensor `state/conv0.weight/first`, which this run does not have"
        );
        let found = error(&|run| run.optimizer = Optimizer::adamw());
        assert_eq!(
            found,
            "tensor `state/conv0.weight/first` of the checkpoint has the shape [2, 3], and this run's [4, 3, 1, 1]"
        );
        let found = error(&|run| run.states[2] = Some(State::new(&run.optimizer, DIMS[2])));
        assert_eq!(found, "the checkpoint has no tensor `state/norm.running_mean/first`");
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.safetensors");
        let run = Run::new();
        safetensors::write(&path, &[Values { name: "w", shape: &[1], values: &[1.0] }]).unwrap();
        let found = message(run.read(&path).unwrap_err());
        assert_eq!(
            found,
            "this safetensors file is not a checkpoint: its metadata do not say `zellige.checkpoint`"
        );
        let metadata = [("format", FORMAT), ("version", "9")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        safetensors::write_with(&path, &metadata.into(), &[]).unwrap();
        assert_eq!(message(run.read(&path).unwrap_err()), "a checkpoint of version 9, and this is version 1");
        assert!(matches!(run.read(&directory.path().join("none")), Err(CheckpointError::File(_))));
    }

    /// Prefixes, and bits that are turned: an error, or, where only the header's spelling changed, the same contents.
    #[test]
    fn damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.safetensors");
        let mut run = Run::new();
        run.step(0);
        run.write(&path, 1);
        let bytes = fs::read(&path).unwrap();
        let whole = run.read(&path).unwrap();
        for len in (0..bytes.len()).step_by(7) {
            fs::write(&path, &bytes[..len]).unwrap();
            assert!(run.read(&path).is_err(), "{len} of {} bytes", bytes.len());
        }
        for at in (0..bytes.len()).step_by(5) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(&path, &damaged).unwrap();
            if let Ok(found) = run.read(&path) {
                assert_eq!(found, whole, "byte {at}");
            }
        }
    }
}
