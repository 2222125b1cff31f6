//! `zellige opt`: passes on an IR file.

use std::path::PathBuf;

use clap::Args;
use zellige_compiler::driver::{Failure, Opened, Pipeline, passes_named};
use zellige_compiler::ir::{Module, text};
use zellige_compiler::passes::PIPELINE;
use zellige_grammar::{Code, Diagnostic};

use crate::options::{Binding, Compiling};
use crate::output::{self, MessageFormat, Outcome};

/// Run passes on an IR file and print what they give
#[derive(Args)]
#[command(after_help = passes_help())]
pub(crate) struct Opt {
    /// IR file (.zir)
    file: PathBuf,
    /// Passes to run, in order, separated by commas
    #[arg(long, value_name = "PASS,…", value_delimiter = ',', required = true)]
    passes: Vec<String>,
    /// File to write; standard output if not given
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Verify the IR, print it and parse it back after each pass
    #[arg(long)]
    verify_each: bool,
    #[command(flatten)]
    binding: Binding,
    #[command(flatten)]
    compiling: Compiling,
}

fn passes_help() -> String {
    let lines =
        PIPELINE.iter().map(|p| format!("  {:13} takes {}\n                {}\n", p.name, p.level, p.doc));
    format!("Passes:\n{}", lines.collect::<String>())
}

impl Opt {
    pub(crate) fn run(&self, messages: MessageFormat) -> Result<Outcome, Failure> {
        let passes = passes_named(Some(&self.passes), None)?;
        let (module, source) = match messages.open(&self.file)? {
            Opened::Model(model) => {
                let bindings = self.binding.bindings()?;
                let graph =
                    if bindings.is_empty() { model.graph } else { model.bind(&Vec::new(), &bindings)? };
                (Module::Graph(graph), model.source)
            }
            Opened::Ir(module, source) => {
                self.compiling.refuse_planned(&module, &self.binding)?;
                (*module, source)
            }
            Opened::Program(_) => {
                return Err(Diagnostic::error(Code::E0005, "passes take IR text, not a program file").into());
            }
        };
        let options = self.compiling.options()?.for_passes();
        let pipeline =
            Pipeline { passes, options: &options, verify_each: self.verify_each, after: &mut |_, _| {} };
        let module = pipeline.run(module).map_err(|d| Failure::new(d, &source))?;
        output::save(&self.output, text::print(&module).as_bytes())?;
        Ok(Outcome::Done)
    }
}
