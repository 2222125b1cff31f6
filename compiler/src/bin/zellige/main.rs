//! The `zellige` command: a file per subcommand.
//!
//! Its exit statuses are listed by `zellige --help` and tested in `tests/cli/endings.rs`.

mod bench;
mod borders;
mod check;
mod compile;
mod difference;
mod dump;
mod execute;
mod explain;
mod grad;
mod interrupt;
mod opt;
mod options;
mod output;
mod plan;
mod run;
mod stats;
mod train;
mod training;
mod usage;
mod verify;
mod windows;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use zellige_grammar::SourceFile;

use output::{MessageFormat, Outcome};

const EXIT_STATUSES: &str = "\
Exit statuses:
  0    done, or nobody reads standard output any more
  1    `verify` found a difference, or `check` something that is not proved
  2    the input is at fault, or an output cannot be written: a diagnostic says what is wrong
  130  interrupted by Ctrl-C (SIGINT)
  143  ended by SIGTERM";

/// Compiles convolution networks into tiled programs and runs them: the same bits as untiled, within a memory budget.
#[derive(Parser)]
#[command(name = "zellige", version, max_term_width = 110, after_help = EXIT_STATUSES)]
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
    Check(check::Check),
    Verify(verify::Verify),
    Grad(grad::Grad),
    Train(train::Train),
    Bench(bench::Bench),
    Explain(explain::Explain),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let messages = arguments.message_format;
    interrupt::install(messages);
    let outcome = match &arguments.command {
        Command::Run(c) => c.run(messages),
        Command::Compile(c) => c.run(messages),
        Command::Plan(c) => c.run(messages),
        Command::Dump(c) => c.run(messages),
        Command::Opt(c) => c.run(messages),
        Command::Check(c) => c.run(messages),
        Command::Verify(c) => c.run(messages),
        Command::Grad(c) => c.run(messages),
        Command::Train(c) => c.run(messages),
        Command::Bench(c) => c.run(messages),
        Command::Explain(c) => c.run(),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Different | Outcome::Refuted) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => interrupted(None),
        Ok(Outcome::Paused { steps }) => interrupted(Some(format!(
            "the checkpoint is that of step {steps}; `--resume` goes on from there"
        ))),
        Err(failure) => {
            messages.report(&failure.diagnostics, &failure.source);
            ExitCode::from(2)
        }
    }
}

fn interrupted(hint: Option<String>) -> ExitCode {
    interrupt::report(hint);
    ExitCode::from(interrupt::status())
}

/// Says what is wrong with the command line, or gives the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    match usage::diagnostic(error) {
        Some(diagnostic) => {
            wanted_format().report(&[diagnostic], &SourceFile::default());
            ExitCode::from(2)
        }
        // It knows where the text belongs, and with which status: mistakes go to standard error.
        None => match error.print() {
            Err(failed) if !error.use_stderr() && failed.kind() != ErrorKind::BrokenPipe => {
                wanted_format().report(&output::unwritten(&failed).diagnostics, &SourceFile::default());
                ExitCode::from(2)
            }
            _ => ExitCode::from(u8::from(error.use_stderr()) * 2),
        },
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
