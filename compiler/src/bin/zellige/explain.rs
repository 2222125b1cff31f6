//! `zellige explain`: the page of a diagnostic's code.

use clap::Args;
use zellige_compiler::driver::Failure;
use zellige_grammar::{Code, Diagnostic, suggest};

use crate::output::{self, Outcome};

/// Explain the code of a diagnostic
#[derive(Args)]
pub(crate) struct Explain {
    /// Code, such as E0103; all codes with their titles if not given
    code: Option<String>,
}

impl Explain {
    pub(crate) fn run(&self) -> Result<Outcome, Failure> {
        let Some(text) = &self.code else {
            let lines = Code::all().iter().map(|c| format!("{}  {}\n", c.id(), c.title()));
            output::say(&lines.collect::<String>())?;
            return Ok(Outcome::Done);
        };
        let code = Code::parse(text).ok_or_else(|| unknown(text))?;
        output::say(code.explanation())?;
        Ok(Outcome::Done)
    }
}

fn unknown(text: &str) -> Diagnostic {
    let hint = suggest::did_you_mean(text, Code::all().iter().map(|c| c.id()));
    let hint = hint.unwrap_or_else(|| "codes look like E0103; `zellige explain` lists them all".to_owned());
    Diagnostic::error(Code::E0006, format!("there is no code `{text}`")).hint(hint)
}
