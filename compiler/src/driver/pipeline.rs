//! Running passes one after the other, looking at what each gives.

use zellige_grammar::{Code, Diagnostic, suggest};

use crate::ir::{Module, text, verify};
use crate::passes::{Options, PIPELINE, Pass};

/// A run of some passes.
pub struct Pipeline<'a> {
    /// The passes in order.
    pub passes: Vec<&'static Pass>,
    /// What they are told.
    pub options: &'a Options,
    /// Whether to verify, print and parse after each pass.
    pub verify_each: bool,
    /// Called with the result of each pass.
    pub after: &'a mut dyn FnMut(&Pass, &Module),
}

impl Pipeline<'_> {
    /// Runs the passes.
    pub fn run(self, mut module: Module) -> Result<Module, Vec<Diagnostic>> {
        for pass in self.passes {
            module = (pass.run)(module, self.options)?;
            if self.verify_each {
                check(pass, &module)?;
            }
            if let (Some(plan), Module::Sections(ir)) = (&self.options.plan, &module) {
                plan.check(ir)?;
            }
            (self.after)(pass, &module);
        }
        Ok(module)
    }
}

/// The verifier, and that the text form gives the module back.
fn check(pass: &Pass, module: &Module) -> Result<(), Vec<Diagnostic>> {
    verify::verify(module)?;
    let text = text::print(module);
    match text::parse(&text) {
        Ok(parsed) if parsed == *module => Ok(()),
        Ok(_) => Err(vec![Diagnostic::error(
            Code::E0607,
            format!("after `{}` the text parses to something else", pass.name),
        )]),
        Err(diagnostics) => Err(diagnostics),
    }
}

/// The passes of these names, in the order given; all of them up to and with `stop_after` where no names are given.
pub fn passes_named(
    names: Option<&[String]>,
    stop_after: Option<&str>,
) -> Result<Vec<&'static Pass>, Diagnostic> {
    let find = |name: &str| {
        crate::passes::find(name).ok_or_else(|| {
            let known: Vec<_> = PIPELINE.iter().map(|p| p.name).collect();
            let hint = suggest::did_you_mean(name, known.iter().copied());
            Diagnostic::error(Code::E0611, format!("there is no pass `{name}`"))
                .maybe_hint(hint)
                .hint(format!("there are {}", known.join(", ")))
        })
    };
    if let Some(names) = names {
        return names.iter().map(|n| find(n)).collect();
    }
    let Some(last) = stop_after else { return Ok(PIPELINE.iter().collect()) };
    let last = find(last)?;
    let mut passes = Vec::new();
    for pass in PIPELINE {
        passes.push(pass);
        if pass.name == last.name {
            break;
        }
    }
    Ok(passes)
}
