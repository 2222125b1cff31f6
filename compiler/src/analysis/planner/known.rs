//! What sections have been found to cost, by what they are made of instead of which ops they have: repeated blocks, images of one size in a
//! batch, other orders of a graph, and a graph that is planned again with a few ops more have most sections in common.
//!
//! Sections are the nodes of a tree: one with a group more in front is a step further ([`super::path`]).

use std::collections::HashMap;
use std::fmt::Write;

use super::path::{Path, ROOTS};
use super::{Weight, Wishes};
use crate::analysis::fusion::is_inlined;
use crate::base::OpId;
use crate::ir::{Def, Graph};

/// What is known, for one target and one set of wishes.
#[derive(Default)]
pub struct Known {
    /// Numbers of what ops can be like.
    kinds: HashMap<String, u32>,
    /// Where steps lead: a node and how a group is spelled.
    steps: HashMap<Vec<u32>, u32>,
    /// What the section of each node costs.
    weights: Vec<Option<Weight>>,
}

/// What is known of the sections of a graph.
pub(super) struct KnownOf<'k> {
    known: &'k mut Known,
    /// What each op is like.
    kinds: Vec<u32>,
}

impl Known {
    /// Of the sections of a graph.
    pub(super) fn of(&mut self, graph: &Graph, wishes: &Wishes) -> KnownOf<'_> {
        let kinds = graph.ops.ids().map(|op| {
            let (described, next) = (described(graph, wishes, op), self.kinds.len() as u32);
            *self.kinds.entry(described).or_insert(next)
        });
        KnownOf { kinds: kinds.collect(), known: self }
    }
}

/// All of an op that costs follow from, besides who else reads what it reads and gives.
fn described(graph: &Graph, wishes: &Wishes, op: OpId) -> String {
    let node = &graph.ops[op];
    let mut described = format!("{} {} {:?}", node.op.name(), node.op.attrs(), graph.sizes(node.output));
    // Writing to a string does not fail.
    for &value in &node.inputs {
        let _ = write!(described, " {:?}", graph.sizes(value));
        if let Def::Constant(numbers) = &graph.values[value].def
            && is_inlined(graph, value, op)
        {
            let _ = write!(described, " {:?}", numbers.first().filter(|_| numbers.len() == 1));
        }
    }
    for &param in &node.params {
        let _ = write!(described, " {:?}", graph.params[param].dims);
    }
    let _ = write!(described, " {} {}", graph.is_output(node.output), wishes.adds_up(graph, op));
    described
}

impl KnownOf<'_> {
    /// Goes on to the group in front, and gives what the section costs that begins with it.
    pub(super) fn step(&mut self, path: &mut Path<'_>) -> &mut Option<Weight> {
        let known = &mut *self.known;
        let step = path.step(&self.kinds);
        let node = match known.steps.get(step) {
            Some(&node) => node,
            None => {
                let node = known.weights.len() as u32 + ROOTS;
                known.weights.push(None);
                known.steps.insert(step.to_vec(), node);
                node
            }
        };
        path.node = node;
        &mut known.weights[(node - ROOTS) as usize]
    }
}
