//! Which argument of a call is which parameter of what is called.

use zellige_grammar::ast::{Call, Ident};
use zellige_grammar::suggest::did_you_mean;
use zellige_grammar::{Code, Diagnostic, Span};

use super::expander::{Expander, count};
use super::value::Value;

/// An argument as it was given.
#[derive(Clone, Debug)]
pub(super) struct Given<'a> {
    pub(super) name: Option<&'a Ident>,
    pub(super) value: Value,
    /// Place of the value.
    pub(super) span: Span,
}

impl Given<'_> {
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name.is_some_and(|ident| ident.value == name)
    }

    /// With its name, if it has one.
    fn whole(&self) -> Span {
        self.name.map_or(self.span, |name| name.span.to(self.span))
    }
}

/// A parameter of what is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Formal<'s> {
    pub(super) name: &'s str,
    pub(super) required: bool,
    /// What other frameworks call it.
    pub(super) elsewhere: &'s [&'s str],
}

impl<'s> Formal<'s> {
    pub(super) const fn required(name: &'s str) -> Self {
        Self { name, required: true, elsewhere: &[] }
    }

    pub(super) const fn optional(name: &'s str) -> Self {
        Self { name, required: false, elsewhere: &[] }
    }
}

/// The arguments of a call, put in order.
#[derive(Debug)]
pub(super) struct Matched<'a> {
    /// One for each formal parameter.
    pub(super) args: Vec<Option<Given<'a>>>,
    /// `name:`, what the paths of parameters begin with.
    pub(super) path: Option<(String, Span)>,
}

impl<'a> Expander<'a> {
    /// Puts arguments in order: positional ones are the parameters from the first on, named ones those of that name. Nothing
    /// where that cannot be done, which has been reported.
    pub(super) fn match_arguments(
        &mut self,
        call: &Call,
        given: Vec<Given<'a>>,
        formals: &[Formal<'_>],
        defined: Option<Span>,
    ) -> Option<Matched<'a>> {
        let mut matching = Matching { call, formals, defined, args: vec![None; formals.len()] };
        let (mut path, mut whole) = (None, true);
        let mut positional = 0;
        let number = given.iter().filter(|given| given.name.is_none()).count();
        for given in given {
            if given.is_called("name") {
                whole &= self.match_path(&mut path, given);
            } else if let Some(ident) = given.name {
                whole &= self.match_named(&mut matching, ident, given);
            } else {
                if positional < formals.len() {
                    whole &= self.put(&mut matching, positional, given);
                } else if positional == formals.len() {
                    self.too_many(&matching, &given, number);
                    whole = false;
                }
                positional += 1;
            }
        }
        let args = matching.args;
        (whole && self.nothing_missing(call, &args, formals, defined)).then_some(Matched { args, path })
    }

    fn match_path(&mut self, path: &mut Option<(String, Span)>, given: Given<'a>) -> bool {
        let problem = match &given.value {
            Value::Unknown => return false,
            Value::Text(text) if is_path(text) => match path {
                Some((_, first)) => {
                    let first = *first;
                    self.given_twice("name", first, given.whole());
                    return false;
                }
                None => {
                    *path = Some((text.to_string(), given.whole()));
                    return true;
                }
            },
            Value::Text(_) => Diagnostic::error(Code::E0209, "this cannot be the name of parameters")
                .label(given.span, "expected parts with a dot between")
                .hint(r#"as in `name: "layer1.0.conv1"`"#),
            _ => Diagnostic::error(Code::E0207, "`name` is a string")
                .label(given.span, format!("this is {}", self.describe(&given.value))),
        };
        self.error(problem);
        false
    }

    fn match_named(&mut self, matching: &mut Matching<'_, 'a>, ident: &Ident, given: Given<'a>) -> bool {
        let (name, callee) = (ident.value.as_str(), matching.callee());
        if let Some(i) = matching.formals.iter().position(|formal| formal.name == name) {
            return self.put(matching, i, given);
        }
        if let Some(i) = matching.formals.iter().position(|formal| formal.elsewhere.contains(&name)) {
            let here = matching.formals[i].name;
            let problem = Diagnostic::error(Code::E0217, format!("`{callee}` has no argument `{name}`"))
                .label(ident.span, format!("here it is `{here}`"))
                .hint(format!("write `{here}: …`"));
            self.error(problem);
            return false;
        }
        let known = matching.formals.iter().map(|formal| formal.name).chain(["name"]);
        let close = did_you_mean(name, known);
        let list: Vec<_> = matching.formals.iter().map(|formal| format!("`{}`", formal.name)).collect();
        let hint = close.or_else(|| (!list.is_empty()).then(|| format!("it takes {}", list.join(", "))));
        let problem = Diagnostic::error(Code::E0202, format!("`{callee}` has no argument `{name}`"))
            .label(ident.span, "unknown argument")
            .maybe_hint(hint);
        self.error(matching.with_definition(problem));
        false
    }

    fn put(&mut self, matching: &mut Matching<'_, 'a>, i: usize, given: Given<'a>) -> bool {
        match &matching.args[i] {
            Some(first) => {
                let first = first.whole();
                self.given_twice(matching.formals[i].name, first, given.whole());
                false
            }
            None => {
                matching.args[i] = Some(given);
                true
            }
        }
    }

    fn too_many(&mut self, matching: &Matching<'_, 'a>, given: &Given<'a>, number: usize) {
        let takes = count(matching.formals.len(), "argument");
        let message = format!("`{}` takes {takes}, not {number}", matching.callee());
        let problem = Diagnostic::error(Code::E0205, message).label(given.span, "one too many");
        self.error(matching.with_definition(problem));
    }

    fn nothing_missing(
        &mut self,
        call: &Call,
        args: &[Option<Given<'a>>],
        formals: &[Formal<'_>],
        defined: Option<Span>,
    ) -> bool {
        let missing = formals.iter().zip(args).filter(|(formal, arg)| formal.required && arg.is_none());
        let missing: Vec<_> = missing.map(|(formal, _)| format!("`{}`", formal.name)).collect();
        if missing.is_empty() {
            return true;
        }
        let message = format!("`{}` needs {}", call.callee.value, missing.join(" and "));
        let mut problem = Diagnostic::error(Code::E0206, message).label(call.span, "not given");
        if let Some(span) = defined {
            problem = problem.secondary(span, "defined here");
        }
        self.error(problem);
        false
    }
}

/// A call while its arguments are put in order.
struct Matching<'c, 'a> {
    call: &'c Call,
    formals: &'c [Formal<'c>],
    defined: Option<Span>,
    args: Vec<Option<Given<'a>>>,
}

impl<'c> Matching<'c, '_> {
    fn callee(&self) -> &'c str {
        &self.call.callee.value
    }

    fn with_definition(&self, problem: Diagnostic) -> Diagnostic {
        match self.defined {
            Some(span) => problem.secondary(span, "defined here"),
            None => problem,
        }
    }
}

/// Whether parameters can be called so: parts with dots between.
fn is_path(text: &str) -> bool {
    text.split('.').all(|part| !part.is_empty() && !part.contains(char::is_control))
}
