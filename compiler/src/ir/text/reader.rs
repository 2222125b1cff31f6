//! What readers of all levels share: problems, names, and the parts that a statement may have.

use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zellige_grammar::zir::{Statement, Value, ValueKind, parse_value};
use zellige_grammar::{Code, Diagnostic, Span};

use super::codec;

/// As many problems as anybody reads.
const MOST: usize = 100;

/// Collects what is wrong while a text is read.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Diagnostic>,
}

/// A part of a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Results,
    Operands,
    Attrs,
    Type,
    Body,
}

impl Reader {
    pub(super) fn push(&mut self, problem: Diagnostic) {
        if self.problems.len() < MOST {
            self.problems.push(problem);
        }
    }

    pub(super) fn error(&mut self, code: Code, message: impl Into<String>, span: Span) {
        self.push(Diagnostic::error(code, message).label(span, ""));
    }

    /// Reports the parts that the statement has and should not.
    pub(super) fn only(&mut self, statement: &Statement, parts: &[Part]) -> Option<()> {
        let there = [
            (Part::Results, "results", !statement.results.is_empty()),
            (Part::Operands, "operands", !statement.operands.is_empty()),
            (Part::Attrs, "attributes", !statement.attrs.is_empty()),
            (Part::Type, "type", statement.ty.is_some()),
            (Part::Body, "body", statement.body.is_some()),
        ];
        let surplus: Vec<_> =
            there.into_iter().filter(|(p, _, there)| *there && !parts.contains(p)).collect();
        for (_, what, _) in &surplus {
            self.error(Code::E0607, format!("`{}` has no {what}", statement.keyword), statement.span);
        }
        surplus.is_empty().then_some(())
    }

    /// A statement that is none of those that may stand here.
    pub(super) fn unknown<'a>(
        &mut self,
        statement: &Statement,
        place: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let keyword = &statement.keyword;
        self.push(
            Diagnostic::error(Code::E0601, format!("there is no `{keyword}` in {place}"))
                .label(statement.span, "unknown")
                .maybe_hint(zellige_grammar::suggest::did_you_mean(keyword, known)),
        );
    }

    /// The statement's one operand, which is a name.
    pub(super) fn name(&mut self, statement: &Statement) -> Option<String> {
        match statement.operands.as_slice() {
            [name] => self.name_of(statement, name),
            _ => {
                self.expected(statement, "a name");
                None
            }
        }
    }

    /// A word or string that is a name.
    pub(super) fn name_of(&mut self, statement: &Statement, value: &Value) -> Option<String> {
        let name = value.as_str().map(str::to_owned);
        if name.is_none() {
            let message =
                format!("the name of `{}` is a word, not {}", statement.keyword, value.kind.description());
            self.error(Code::E0607, message, value.span);
        }
        name
    }

    /// A statement whose operands are others than it takes.
    pub(super) fn expected(&mut self, statement: &Statement, what: &str) {
        self.error(Code::E0607, format!("`{}` takes {what}", statement.keyword), statement.span);
    }

    /// The statements of a body; a missing one is reported.
    pub(super) fn body<'a>(&mut self, statement: &'a Statement) -> &'a [Statement] {
        if statement.body.is_none() {
            self.error(Code::E0607, format!("`{}` has a body in braces", statement.keyword), statement.span);
        }
        statement.body.as_deref().unwrap_or_default()
    }

    /// The statement's attributes as a structure.
    pub(super) fn attrs<T: Serialize + DeserializeOwned>(&mut self, statement: &Statement) -> Option<T> {
        self.decode(statement, &statement.attrs)
    }

    /// Attributes as a structure.
    pub(super) fn decode<T: Serialize + DeserializeOwned>(
        &mut self,
        statement: &Statement,
        attrs: &IndexMap<String, Value>,
    ) -> Option<T> {
        codec::decode(attrs).map_err(|error| self.bad_attrs(statement, &error.message, error.hint)).ok()
    }

    /// Attributes that cannot be understood; the place is that of the attribute which the message names first.
    pub(super) fn bad_attrs(&mut self, statement: &Statement, message: &str, hint: Option<String>) {
        let place = |name: &str| message.find(&format!("`{name}`"));
        let named = statement.attrs.iter().filter_map(|(key, value)| {
            let places = [place(key), value.as_str().and_then(place)];
            Some((places.into_iter().flatten().min()?, value.span))
        });
        let span = named.min_by_key(|(place, _)| *place).map_or(statement.span, |(_, span)| span);
        let keyword = format!("`{}`", statement.keyword);
        let message = if message.contains(&keyword) {
            message.to_owned()
        } else {
            format!("attributes of {keyword}: {message}")
        };
        self.push(Diagnostic::error(Code::E0603, message).label(span, "").maybe_hint(hint));
    }
}

/// A name as it is written: bare where it is a word.
pub(super) fn name_value(name: &str) -> Value {
    match parse_value(name) {
        Ok(Value { kind: ValueKind::Word(word), .. }) if word == name => Value::word(word),
        _ => name.into(),
    }
}
