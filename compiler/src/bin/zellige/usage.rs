//! What is wrong with the command line itself, as diagnostics like all others.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use zellige_grammar::{Code, Diagnostic};

/// Of an error of the parser; `None` where it is no error but the help or the version that was asked for.
pub(crate) fn diagnostic(error: &clap::Error) -> Option<Diagnostic> {
    let given = |kind| strings(error, kind);
    let option = || option_name(&given(ContextKind::InvalidArg));
    let diagnostic = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => bad_value(error, &option()),
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<_> = given(ContextKind::InvalidArg).iter().map(|a| quoted(a)).collect();
            Diagnostic::error(Code::E0007, format!("{} is missing", missing.join(" and ")))
        }
        ErrorKind::UnknownArgument => {
            let what = if option().starts_with("`-") { "option" } else { "argument" };
            Diagnostic::error(Code::E0008, format!("there is no {what} {}", option()))
        }
        ErrorKind::InvalidSubcommand => {
            let name = given(ContextKind::InvalidSubcommand).concat();
            Diagnostic::error(Code::E0008, format!("there is no subcommand {}", quoted(&name)))
        }
        ErrorKind::ArgumentConflict => {
            let prior = option_name(&given(ContextKind::PriorArg));
            let message = if prior == option() {
                format!("{prior} is given twice")
            } else {
                format!("{} and {prior} contradict each other", option())
            };
            Diagnostic::error(Code::E0004, message)
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Diagnostic::error(Code::E0003, first.trim_start_matches("error: "))
        }
    };
    Some(diagnostic.maybe_hint(suggestion(error).or_else(|| usage(error))))
}

fn bad_value(error: &clap::Error, option: &str) -> Diagnostic {
    let value = strings(error, ContextKind::InvalidValue).concat();
    if value.is_empty() {
        return Diagnostic::error(Code::E0003, format!("{option} needs a value"));
    }
    let message = format!("{option} cannot be {}", quoted(&value));
    let known = strings(error, ContextKind::ValidValue);
    let reason = std::error::Error::source(error).map(ToString::to_string);
    let known = (!known.is_empty()).then(|| format!("it is one of {}", known.join(", ")));
    Diagnostic::error(Code::E0003, message).maybe_hint(reason.or(known))
}

/// The name of the closest thing there is.
fn suggestion(error: &clap::Error) -> Option<String> {
    let kinds = [ContextKind::SuggestedValue, ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand];
    let name = kinds.into_iter().find_map(|kind| strings(error, kind).into_iter().next())?;
    Some(format!("did you mean {}?", quoted(&name)))
}

/// How the subcommand is used, where something is missing or superfluous.
fn usage(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    let line = usage.trim_start_matches("Usage: ").split_whitespace().collect::<Vec<_>>().join(" ");
    match error.kind() {
        ErrorKind::MissingRequiredArgument => Some(format!("usage: {line}")),
        ErrorKind::UnknownArgument => {
            let command: Vec<_> =
                line.split(' ').take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
            Some(format!("`{} --help` lists what there is", command.join(" ")))
        }
        _ => None,
    }
}

fn strings(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

/// `--tile` of `--tile <HxW>`.
fn option_name(names: &[String]) -> String {
    let first = names.first().map_or("", String::as_str);
    quoted(first.split_whitespace().next().unwrap_or(first))
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}
