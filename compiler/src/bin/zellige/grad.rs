//! `zellige grad`: the loss of a training, and its gradients.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use zellige_compiler::driver::{Failure, Found, Opened, Trainee, Trainer, TrainingProgram, io_failure};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::{Input, Output};
use zellige_runtime::io::safetensors::{self, Metadata, Values};
use zellige_runtime::io::{Format, NewFile};
use zellige_runtime::program::Program;
use zellige_runtime::random::Key;

use crate::borders::{self, Sink, Source};
use crate::execute;
use crate::options::{Compiling, NamedFile, Running, given, named_file};
use crate::output::{self, MessageFormat, Outcome};
use crate::run::input_files;
use crate::stats::{Compiled, Stats};
use crate::training::Training;

/// Compute the loss of a training and its gradients
#[derive(Args)]
pub(crate) struct Grad {
    /// Model (.zlg) with a training section
    model: PathBuf,
    /// Input of the model or of its training: .png, .jpg or .npy
    #[arg(short, long, value_name = "[NAME=]FILE", value_parser = named_file)]
    input: Vec<NamedFile>,
    /// File for the gradients of the parameters: .safetensors
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// File for the gradient of an input: .npy
    #[arg(long, value_name = "NAME=FILE", value_parser = named_file)]
    input_gradient: Vec<NamedFile>,
    /// Write figures of the run as JSON; `-` for standard output
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,
    #[command(flatten)]
    training: Training,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    running: Running,
}

impl Grad {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let trainee = Trainee::open(&self.model)?;
        let inputs = input_files(&Opened::Model(Box::new(trainee.model.clone())), &self.input)?;
        let wanted = self.wanted()?;
        let names = wanted.iter().map(|(name, _)| name.clone()).collect();
        let mut trainer = self.training.trainer(trainee, names, &self.compiling, &self.running, messages)?;

        let start = Instant::now();
        let program = trainer.program(&[given(&inputs)?])?;
        let compiled = Compiled::since(start, program.report.clone());
        let spill = self.compiling.spill.as_deref();
        let open = |file: &borders::InputFile| Ok((file.name.clone(), file.open(&program.program, spill)?));
        let inputs = inputs.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
        let mut sinks = sinks(&program.program, &wanted)?;
        let random = Key::of_dropout(self.compiling.seed.unwrap_or(0), 0);
        let Some(found) = gradients(&mut trainer, &program, &inputs, random, &mut sinks)? else {
            return Ok(Outcome::Interrupted);
        };
        let staged = staged(sinks, &program.program, &wanted)?;
        self.write(&trainer, &program, &found)?;
        staged.into_iter().try_for_each(NewFile::commit).map_err(|e| io_failure(&e, true))?;
        if let Some(path) = &self.stats {
            let stats = Stats::new(&compiled, 0.0, std::slice::from_ref(&found.stats));
            output::save(path, format!("{}\n", stats.json()).as_bytes())?;
        }
        output::say(&format!("loss {}\n", found.loss))?;
        Ok(Outcome::Done)
    }

    /// Inputs of which gradients are wanted, and their files. That those can be written is said before the work.
    fn wanted(&self) -> Result<Vec<(String, PathBuf)>, Failure> {
        output::check_extension(&self.output, "safetensors", "gradients")?;
        output::probe(&self.output)?;
        let wanted = self.input_gradient.iter().map(|file| {
            let name = file.name.clone().ok_or_else(|| {
                let message = format!("it is not said which input `{}` is for", file.path.display());
                Diagnostic::error(Code::E0004, message).hint("as in `--input-gradient image=d.npy`")
            })?;
            if !matches!(Format::of(&file.path), Ok(Format::Npy)) {
                let message = format!("`{}` is for a gradient", file.path.display());
                return Err(Diagnostic::error(Code::E0005, message)
                    .hint("its name should end in .npy")
                    .into());
            }
            output::probe(&file.path)?;
            Ok((name, file.path.clone()))
        });
        wanted.collect()
    }

    fn write(&self, trainer: &Trainer, program: &TrainingProgram, found: &Found) -> Result<(), Failure> {
        let all = trainer.parameters().all();
        let tensors: Vec<_> = program
            .trained
            .iter()
            .zip(&found.gradients)
            .map(|(&i, values)| Values { name: &all[i].name, shape: &all[i].dims, values })
            .collect();
        let metadata = Metadata::from([("loss".to_owned(), found.loss.to_string())]);
        safetensors::write_with(&self.output, &metadata, &tensors).map_err(|e| io_failure(&e, true))
    }
}

/// What the gradients of inputs go to.
fn sinks(program: &Program, wanted: &[(String, PathBuf)]) -> Result<Vec<(String, Sink)>, Failure> {
    let sink = |(name, path): &(String, PathBuf)| {
        let output = format!("d.{name}");
        let tensor = borders::outputs(program).find(|t| t.name == output).ok_or_else(|| {
            Diagnostic::error(Code::E0504, format!("no gradient of the loss goes into input `{name}`"))
        })?;
        Ok((output, Sink::npy(tensor, path)?))
    };
    wanted.iter().map(sink).collect()
}

/// `None` if the user stopped it.
pub(crate) fn gradients(
    trainer: &mut Trainer,
    program: &Arc<TrainingProgram>,
    inputs: &[(String, Source)],
    random: Key,
    sinks: &mut [(String, Sink)],
) -> Result<Option<Found>, Failure> {
    let inputs: Vec<(&str, Input<'_>)> =
        inputs.iter().map(|(n, source)| (n.as_str(), source.input())).collect();
    let mut others: Vec<(&str, Output<'_>)> =
        sinks.iter_mut().map(|(n, sink)| (n.as_str(), sink.output())).collect();
    let run = execute::shown(|control| trainer.gradients(program, &[&inputs], random, &mut others, control));
    run.transpose().map(Option::flatten)
}

/// The files of the inputs' gradients, complete, which appear when they are committed.
fn staged(
    sinks: Vec<(String, Sink)>,
    program: &Program,
    wanted: &[(String, PathBuf)],
) -> Result<Vec<NewFile>, Failure> {
    let staged = sinks.into_iter().zip(wanted).filter_map(|((name, sink), (_, path))| {
        let tensor = borders::outputs(program).find(|t| t.name == name)?;
        Some(sink.stage(tensor, path))
    });
    staged.collect::<Result<_, _>>().map_err(|e| io_failure(&e, true))
}
