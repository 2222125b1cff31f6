//! Invariants 3 and 4: ops take what their entry in the list of ops says, types are what ops infer, and sizes are sane.

use super::{GraphFound, MAX_ELEMENTS, MAX_EXTENT};
use crate::base::{Element, OpId, Shape};
use crate::ir::{Def, Graph, Node};
use crate::ops::{self, Inputs, Requirements, ShapeError};

/// A type that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// An op that nobody knows.
    #[error("there is no op `{0}`")]
    UnknownOp(String),
    /// Too many inputs or too few.
    #[error("`{op}` takes {expected}, found {found}")]
    Inputs {
        /// Name of the op.
        op: String,
        /// How many it takes.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// Inputs that the op cannot take.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Another type than the op gives.
    #[error("`{value}` is declared {declared}, and is {inferred}")]
    Inferred {
        /// The value.
        value: String,
        /// Its type as it stands.
        declared: String,
        /// Its type as the op infers it.
        inferred: String,
    },
    /// Integers are for inputs and outputs.
    #[error("`{0}` is no input: it has f32 elements")]
    Element(String),
    /// A size of nothing, or beyond all bounds.
    #[error("a size of `{value}` is {size}, not between 1 and {MAX_EXTENT}")]
    Size {
        /// The value or parameter.
        value: String,
        /// The size.
        size: i64,
    },
    /// A tensor beyond all bounds.
    #[error("`{value}` has {elements} elements or more, and fewer than {MAX_ELEMENTS} are possible")]
    Elements {
        /// The value or parameter.
        value: String,
        /// As far as they could be counted.
        elements: u64,
    },
    /// A constant of unknown or another size.
    #[error("constant `{value}` has {found} values, and its type {expected}")]
    Constant {
        /// The value.
        value: String,
        /// By its type.
        expected: String,
        /// There.
        found: usize,
    },
}

pub(super) fn check(graph: &Graph, found: &mut GraphFound) {
    for (id, value) in graph.values.iter() {
        let op = graph.producer(id);
        if value.def != Def::Input && value.ty.element != Element::F32 {
            found.push(op, TypeError::Element(value.name.clone()));
        }
        match (check_sizes(&value.name, &value.ty.shape), &value.def) {
            (Err(error), _) => found.push(op, error),
            (Ok(()), Def::Constant(data)) => {
                let elements = value.ty.shape.sizes().map(|s| s.iter().product());
                if elements != Some(data.len() as u64) {
                    let (value, expected) = (value.name.clone(), value.ty.to_string());
                    found.push(op, TypeError::Constant { value, expected, found: data.len() });
                }
            }
            (Ok(()), Def::Input | Def::Op(_)) => {}
        }
    }
    if !found.list.is_empty() {
        return;
    }
    for (op, node) in graph.ops.iter() {
        if let Err(error) = check_op(graph, op, node) {
            found.push(Some(op), error);
        }
    }
}

/// What is known of a shape is positive and bounded.
fn check_sizes(name: &str, shape: &Shape) -> Result<(), TypeError> {
    let known = shape.dims().into_iter().filter_map(|d| d.constant());
    let mut sizes = Vec::with_capacity(4);
    for size in known {
        match u64::try_from(size).ok().filter(|s| (1..=MAX_EXTENT).contains(s)) {
            Some(size) => sizes.push(size),
            None => return Err(TypeError::Size { value: name.to_owned(), size }),
        }
    }
    check_elements(name, &sizes)
}

/// Positive sizes whose product is bounded.
pub(super) fn check_elements(name: &str, sizes: &[u64]) -> Result<(), TypeError> {
    let elements = sizes.iter().fold(1, |n: u64, s| n.saturating_mul(*s));
    if elements < MAX_ELEMENTS {
        return Ok(());
    }
    Err(TypeError::Elements { value: name.to_owned(), elements })
}

fn check_op(graph: &Graph, op: OpId, node: &Node) -> Result<(), TypeError> {
    let name = node.op.name();
    let def = ops::find(name).ok_or_else(|| TypeError::UnknownOp(name.to_owned()))?;
    let wrong =
        |expected: String| TypeError::Inputs { op: name.to_owned(), expected, found: node.inputs.len() };
    match def.inputs {
        Inputs::Named([_]) if node.inputs.len() != 1 => return Err(wrong("one input".into())),
        Inputs::Named(names) if names.len() != node.inputs.len() => {
            return Err(wrong(format!("{} inputs", names.len())));
        }
        Inputs::Many if node.inputs.is_empty() => return Err(wrong("one input or more".into())),
        _ => {}
    }
    let inferred = node.op.infer(&graph.shapes(&node.inputs), &mut Requirements::default())?;
    let value = &graph.values[node.output];
    if value.ty.shape != inferred {
        let (declared, inferred) = (value.ty.shape.to_string(), inferred.to_string());
        return Err(TypeError::Inferred { value: value.name.clone(), declared, inferred });
    }
    debug_assert_eq!(graph.producer(node.output), Some(op));
    Ok(())
}
