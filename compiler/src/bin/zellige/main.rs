//! The `zellige` command: a file per subcommand.
//!
//! Exit statuses: 0 done; 1 `verify` found a difference; 2 the input is at fault, with a diagnostic; 130 interrupted.

mod bench;
mod borders;
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
mod usage;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use zellige_grammar::{Code, Diagnostic, SourceFile};

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
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    interrupt::install();
    let messages = arguments.message_format;
    let outcome = match &arguments.command {
        Command::Run(c) => c.run(messages),
        Command::Compile(c) => c.run(messages),
        Command::Plan(c) => c.run(messages),
        Command::Dump(c) => c.run(messages),
        Command::Opt(c) => c.run(messages),
        Command::Verify(c) => c.run(messages),
        Command::Bench(c) => c.run(messages),
        Command::Explain(c) => c.run(),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Different) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => {
            let note = Diagnostic::error(Code::E0901, "interrupted; no output was written");
            messages.report(&[note], &SourceFile::default());
            ExitCode::from(130)
        }
        Err(failure) => {
            messages.report(&failure.diagnostics, &failure.source);
            ExitCode::from(2)
        }
    }
}

/// Says what is wrong with the command line, or gives the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    match usage::diagnostic(error) {
        Some(diagnostic) => {
            wanted_format().report(&[diagnostic], &SourceFile::default());
            ExitCode::from(2)
        }
        // Prints to where the text belongs.
        None => error.exit(),
    }
}

/// `--message-format` of a command line that does not parse.
fn wanted_format() -> MessageFormat {
    let name = "--message-format";
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let value = arguments.iter().enumerate().find_map(|(i, argument)| {
        let argument = argument.to_str()?;
        if argument == name {
            return arguments.get(i + 1)?.to_str();
        }
        argument.strip_prefix(name)?.strip_prefix('=')
    });
    value.and_then(|v| MessageFormat::from_str(v, false).ok()).unwrap_or_default()
}
