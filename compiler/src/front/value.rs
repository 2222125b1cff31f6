//! What expressions evaluate to.

use std::rc::Rc;

use indexmap::IndexMap;
use zellige_runtime::optimizer::{Optimizer, Schedule};

use crate::base::{Dim, ValueId};
use crate::ir::Graph;
use crate::ops::ArgValue;

/// A value at compile time.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A tensor of the graph.
    Tensor(ValueId),
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(Rc<str>),
    /// A size that depends on symbols; one that does not is an integer.
    Size(Dim),
    List(List),
    Group(Rc<IndexMap<String, Value>>),
    Optimizer(Rc<Optimizer>),
    Schedule(Rc<Schedule>),
    /// What came out of a mistake that has been reported.
    Unknown,
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// With article: `a tensor`, `the integer 3`.
    pub(super) fn describe(&self, graph: &Graph) -> String {
        match self {
            Self::Tensor(id) => format!("a tensor {}", graph.values[*id].ty),
            Self::Int(v) => format!("the integer {v}"),
            Self::Float(v) => format!("the number {v:?}"),
            Self::Bool(v) => format!("`{v}`"),
            Self::Text(v) => format!("the string {v:?}"),
            Self::Size(dim) => format!("the size {dim}"),
            Self::List(list) => match ArgValue::try_from(self) {
                Ok(value) if list.leaves <= 8 => format!("the list {value}"),
                _ => "a list".to_owned(),
            },
            Self::Group(_) => {
                ArgValue::try_from(self).map_or("a group".to_owned(), |v| format!("the group {v}"))
            }
            Self::Optimizer(_) => "an optimizer".to_owned(),
            Self::Schedule(_) => "a schedule".to_owned(),
            Self::Unknown => "something unknown".to_owned(),
        }
    }
}

/// Sizes without symbols are integers.
impl From<Dim> for Value {
    fn from(dim: Dim) -> Self {
        dim.constant().map_or(Self::Size(dim), Self::Int)
    }
}

/// A tensor is not an argument's value, nor is an optimizer, or what came out of a mistake.
impl TryFrom<&Value> for ArgValue {
    type Error = ();

    fn try_from(value: &Value) -> Result<Self, ()> {
        Ok(match value {
            Value::Tensor(_) | Value::Optimizer(_) | Value::Schedule(_) | Value::Unknown => return Err(()),
            Value::Int(v) => Self::Int(*v),
            Value::Float(v) => Self::Float(*v),
            Value::Bool(v) => Self::Bool(*v),
            Value::Text(v) => Self::Text((**v).to_owned()),
            Value::Size(dim) => Self::Dim(dim.clone()),
            Value::List(list) => Self::List(list.items.iter().map(Self::try_from).collect::<Result<_, _>>()?),
            Value::Group(entries) => {
                let entry = |(name, value): (&String, &Value)| Ok((name.clone(), Self::try_from(value)?));
                Self::Group(entries.iter().map(entry).collect::<Result<_, ()>>()?)
            }
        })
    }
}

/// A list, which may be shared: its size and depth are known without walking it.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) items: Rc<[Value]>,
    /// Items that are no lists, however deep.
    pub(super) leaves: usize,
}

/// How many values a list may hold, nested ones included.
pub(super) const MOST_LEAVES: usize = 1 << 16;
/// How deep lists may be nested.
const DEEPEST: usize = 4;

impl List {
    /// Nothing where it is too large or too deep.
    pub(super) fn new(items: Vec<Value>) -> Option<Self> {
        let leaves = items.iter().map(|item| if let Value::List(list) = item { list.leaves } else { 1 });
        let leaves = leaves.fold(0, usize::saturating_add);
        let list = Self { items: items.into(), leaves };
        (leaves <= MOST_LEAVES && list.fits(DEEPEST)).then_some(list)
    }

    fn fits(&self, depth: usize) -> bool {
        depth > 0
            && self
                .items
                .iter()
                .all(|item| if let Value::List(list) = item { list.fits(depth - 1) } else { true })
    }
}
