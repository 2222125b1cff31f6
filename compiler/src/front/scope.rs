//! Names and what they stand for.

use indexmap::IndexMap;
use zellige_grammar::Span;

use super::value::Value;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) value: Value,
    /// Where the name was introduced.
    pub(super) origin: Span,
}

/// The scopes of a model or block, innermost last.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    stack: Vec<IndexMap<String, Binding>>,
}

impl Scopes {
    pub(super) fn push(&mut self) {
        self.stack.push(IndexMap::new());
    }

    pub(super) fn pop(&mut self) {
        self.stack.pop();
    }

    pub(super) fn get(&self, name: &str) -> Option<&Binding> {
        self.stack.iter().rev().find_map(|scope| scope.get(name))
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Binding> {
        self.stack.iter_mut().rev().find_map(|scope| scope.get_mut(name))
    }

    /// Introduces a name in the innermost scope; the place where it was introduced before in that scope, if it was.
    pub(super) fn define(&mut self, name: &str, value: Value, origin: Span) -> Option<Span> {
        if self.stack.is_empty() {
            self.push();
        }
        let scope = self.stack.last_mut()?;
        scope.insert(name.to_owned(), Binding { value, origin }).map(|previous| previous.origin)
    }

    /// Introduces a name in the outermost scope, so that it is known from now on everywhere.
    pub(super) fn define_outermost(&mut self, name: &str, value: Value, origin: Span) {
        if let Some(scope) = self.stack.first_mut() {
            scope.insert(name.to_owned(), Binding { value, origin });
        }
    }

    /// All names that can be seen.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.stack.iter().rev().flat_map(|scope| scope.keys().map(String::as_str))
    }
}
