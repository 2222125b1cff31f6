//! Which values an op's argument may have.

use zellige_grammar::suggest::did_you_mean;
use zellige_grammar::{Code, Diagnostic};

use super::arguments::Given;
use super::expander::Expander;
use super::value::Value;
use crate::ops::{ArgKind, ArgSpec, ArgValue};

const SIDES: [&str; 4] = ["top", "left", "bottom", "right"];

impl<'a> Expander<'a> {
    /// The value of an argument, if it is of the kind that the op asks for.
    pub(super) fn argument(&mut self, op: &str, spec: &ArgSpec, given: &Given<'a>) -> Option<ArgValue> {
        if given.value.is_unknown() {
            return None;
        }
        if let Ok(value) = ArgValue::try_from(&given.value)
            && is_of_kind(&given.value, spec.kind)
        {
            return Some(value);
        }
        let problem = self.wrong_kind(op, spec, given);
        self.error(problem);
        None
    }

    fn wrong_kind(&self, op: &str, spec: &ArgSpec, given: &Given<'a>) -> Diagnostic {
        let (name, kind) = (spec.name, spec.kind);
        let found = format!("this is {}", self.describe(&given.value));
        let problem =
            |code, message: String| Diagnostic::error(code, message).label(given.span, found.clone());
        match (&given.value, kind) {
            (Value::Text(word), ArgKind::Word(words)) => {
                Diagnostic::error(Code::E0209, format!("`{name}` of `{op}` is {kind}"))
                    .label(given.span, "no such word")
                    .maybe_hint(did_you_mean(word, words.iter().copied()).map(|hint| hint.replace('`', "\"")))
            }
            (Value::Size(_), _) | (Value::Tensor(_), _) => {
                problem(Code::E0213, format!("`{name}` of `{op}` must be known at compile time"))
            }
            (Value::Group(entries), ArgKind::Sides) => {
                match entries.keys().find(|entry| !SIDES.contains(&entry.as_str())) {
                    Some(unknown) => {
                        Diagnostic::error(Code::E0209, format!("`{name}` has no side `{unknown}`"))
                            .label(given.span, "sides are `top`, `left`, `bottom` and `right`")
                            .maybe_hint(did_you_mean(unknown, SIDES))
                    }
                    None => problem(Code::E0207, format!("the sides of `{name}` are integers")),
                }
            }
            _ => problem(Code::E0207, format!("`{name}` of `{op}` is {kind}")),
        }
    }
}

fn is_of_kind(value: &Value, kind: ArgKind) -> bool {
    let int = |value: &Value| matches!(value, Value::Int(_));
    let number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_));
    let size = |value: &Value| matches!(value, Value::Int(_) | Value::Size(_));
    let both = |value: &Value, one: fn(&Value) -> bool| match value {
        Value::List(list) => list.items.len() == 2 && list.items.iter().all(one),
        single => one(single),
    };
    match kind {
        ArgKind::Int => int(value),
        ArgKind::Float => number(value),
        ArgKind::Bool => matches!(value, Value::Bool(_)),
        ArgKind::Word(words) => matches!(value, Value::Text(text) if words.contains(&&**text)),
        ArgKind::Pair => both(value, int),
        ArgKind::Sides => match value {
            Value::Group(entries) => {
                entries.iter().all(|(side, amount)| SIDES.contains(&side.as_str()) && int(amount))
            }
            other => both(other, int),
        },
        ArgKind::Axes => matches!(value, Value::List(list) if list.items.iter().all(int)),
        ArgKind::Size => size(value),
        ArgKind::Shape => {
            matches!(value, Value::List(list) if list.items.len() == 3 && list.items.iter().all(size))
        }
        ArgKind::Sizes => both(value, size),
        ArgKind::Scale => both(value, number),
        ArgKind::Numbers => match value {
            Value::List(list) => list.items.iter().all(number),
            single => number(single),
        },
    }
}
