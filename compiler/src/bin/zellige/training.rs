//! What the subcommands that train have in common.

use clap::Args;
use wildmatch::WildMatch;
use zellige_compiler::driver::{Asked, Failure, Parameters, Trainee, Trainer};
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::engine::Options;

use crate::options::{Compiling, Running};
use crate::output::MessageFormat;

/// What is trained.
#[derive(Args, Clone, Debug)]
pub(crate) struct Training {
    /// Leave parameters as they are whose paths fit, such as 'encoder.*'; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub(crate) freeze: Vec<String>,
}

impl Training {
    /// A training with its parameters.
    pub(crate) fn trainer(
        &self,
        trainee: Trainee,
        inputs: Vec<String>,
        compiling: &Compiling,
        running: &Running,
        messages: MessageFormat,
    ) -> Result<Trainer, Failure> {
        messages.report(&trainee.model.warnings, &trainee.model.source);
        // A seed is that of what is drawn as well, which weights do not contradict.
        let seed = compiling.seed.filter(|_| compiling.weights.is_none());
        let compile = Compiling { seed, ..compiling.clone() }.options()?;
        let engine = running.options(compiling.threads, &compile.machine);
        let engine = Options { spill: compiling.spill.clone(), ..engine };
        let parameters = trainee.parameters(&compile)?;
        let asked = Asked { frozen: frozen(&self.freeze, &parameters)?, inputs };
        Ok(Trainer::new(trainee, asked, parameters, compile, engine))
    }
}

/// The parameters that patterns fit.
fn frozen(patterns: &[String], parameters: &Parameters) -> Result<Vec<String>, Failure> {
    let names: Vec<&str> = parameters.all().iter().map(|p| p.name.as_str()).collect();
    let mut frozen = Vec::new();
    for pattern in patterns {
        let wild = WildMatch::new(pattern);
        let before = frozen.len();
        frozen.extend(names.iter().filter(|name| wild.matches(name)).map(|name| (*name).to_owned()));
        if frozen.len() == before {
            let first = names.first().map(|name| format!("paths look like `{name}`"));
            let message = format!("`--freeze {pattern}` fits no parameter");
            return Err(Diagnostic::error(Code::E0407, message).maybe_hint(first).into());
        }
    }
    Ok(frozen)
}
