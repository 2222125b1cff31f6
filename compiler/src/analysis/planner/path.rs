//! How the sections are spelled that end with one group, each with a group more in front than the one before.
//!
//! A section is spelled from its last group to its first, and tensors and parameters are numbered as they are met. So what it is made of
//! is told, whichever ops of a graph that are; and sections that end alike begin alike.

use super::Planner;
use crate::base::Id;

/// Nodes of the tree of what is known that paths begin at, and which are no sections.
pub(super) const ROOTS: u32 = 6;

pub(super) struct Path<'a> {
    planner: &'a Planner<'a>,
    /// The groups of the section are those from `start` to before `end`.
    start: usize,
    end: usize,
    /// Where the path has led to in the tree of what is known.
    pub(super) node: u32,
    values: Numbers,
    params: Numbers,
    /// How the last group is spelled.
    spelled: Vec<u32>,
}

/// Numbers of what has been met, in that order.
struct Numbers {
    /// Of all that can be, with the `end` for which it holds.
    numbers: Vec<(usize, u32)>,
    met: u32,
}

impl Numbers {
    fn new(of: usize) -> Self {
        Self { numbers: vec![(0, 0); of], met: 0 }
    }

    /// The number of an item, for an `end`.
    fn meet(&mut self, item: usize, end: usize) -> u32 {
        let (for_end, number) = &mut self.numbers[item];
        if *for_end != end {
            (*for_end, *number) = (end, self.met);
            self.met += 1;
        }
        *number
    }
}

impl<'a> Path<'a> {
    pub(super) fn new(planner: &'a Planner<'a>) -> Self {
        Self {
            planner,
            start: 0,
            end: 0,
            node: 0,
            values: Numbers::new(planner.graph.values.len()),
            params: Numbers::new(planner.graph.params.len()),
            spelled: Vec::new(),
        }
    }

    /// Begins with no group, before group `end`.
    pub(super) fn begin(&mut self, end: usize) {
        let planner = self.planner;
        self.node = 2 * planner.objective as u32 + u32::from(planner.by_op);
        (self.start, self.end) = (end, end);
        (self.values.met, self.params.met) = (0, 0);
    }

    /// Goes on to the group in front. Gives where it comes from and how the group is spelled, given what ops are like.
    pub(super) fn step(&mut self, kinds: &[u32]) -> &[u32] {
        self.start -= 1;
        self.spelled.clear();
        self.spelled.push(self.node);
        let (planner, graph) = (self.planner, self.planner.graph);
        for &op in planner.groups[self.start].ops.iter().rev() {
            let node = &graph.ops[op];
            let is_read_later = planner.read_last[node.output.index()] >= self.end;
            self.spelled.extend([kinds[op.index()], u32::from(is_read_later)]);
            for value in [&node.output].into_iter().chain(&node.inputs) {
                self.spelled.push(self.values.meet(value.index(), self.end));
            }
            for param in &node.params {
                self.spelled.push(self.params.meet(param.index(), self.end));
            }
        }
        &self.spelled
    }
}
