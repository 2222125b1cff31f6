//! Invariant 1: names are unique.

use std::collections::HashSet;

use super::GraphFound;
use crate::ir::Graph;

/// A name that is not unique.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Of values.
    #[error("two values are called `{0}`")]
    Value(String),
    /// Of parameters.
    #[error("two parameters are called `{0}`")]
    Param(String),
    /// Of outputs.
    #[error("two outputs are called `{0}`")]
    Output(String),
}

pub(super) fn check(graph: &Graph, found: &mut GraphFound) {
    let mut seen = HashSet::new();
    for (id, value) in graph.values.iter().filter(|(_, v)| !seen.insert(v.name.as_str())) {
        found.push(graph.producer(id), NameError::Value(value.name.clone()));
    }
    let mut seen = HashSet::new();
    for (_, param) in graph.params.iter().filter(|(_, p)| !seen.insert(p.name.as_str())) {
        found.push(None, NameError::Param(param.name.clone()));
    }
    let mut seen = HashSet::new();
    for output in graph.outputs.iter().filter(|o| !seen.insert(o.name.as_str())) {
        found.push(None, NameError::Output(output.name.clone()));
    }
}
