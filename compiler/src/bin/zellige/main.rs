//! The `zellige` command: a file per subcommand.
//!
//! Exit statuses: 0 done; 1 `verify` found a difference; 2 the input is at fault, with a diagnostic; 130 interrupted.

mod bench;
mod compile;
mod dump;
mod execute;
mod explain;
mod interrupt;
mod opt;
mod options;
mod output;
mod plan;
mod run;
mod stats;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::{MessageFormat, Outcome};

/// Compiles convolution networks into tiled programs and runs them: the same bits as untiled, within a memory budget.
#[derive(Parser)]
#[command(name = "zellige", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// How diagnostics are written
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    message_format: MessageFormat,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Compile(compile::Compile),
    Plan(plan::Plan),
    Dump(dump::Dump),
    Opt(opt::Opt),
    Verify(verify::Verify),
    Bench(bench::Bench),
    Explain(explain::Explain),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    interrupt::install();
    let outcome = match &arguments.command {
        Command::Run(c) => c.run(),
        Command::Compile(c) => c.run(),
        Command::Plan(c) => c.run(),
        Command::Dump(c) => c.run(),
        Command::Opt(c) => c.run(),
        Command::Verify(c) => c.run(),
        Command::Bench(c) => c.run(),
        Command::Explain(c) => c.run(),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Different) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            output::report(&failure.diagnostics, &failure.source, arguments.message_format);
            ExitCode::from(2)
        }
    }
}
