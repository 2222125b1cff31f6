//! Free names for values, without a look at all those that there are.

use std::collections::{HashMap, HashSet};

use super::graph::Value;
use crate::base::{Arena, Id, ValueId};

/// Which names the values of a graph have or had. It follows from the graph, and plays no part in comparing graphs.
#[derive(Clone, Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
    /// Values whose names are in `taken`.
    seen: usize,
    /// For a name that was asked for when it was taken, the number that may be free next.
    next: HashMap<String, u64>,
}

impl PartialEq for Names {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Names {
    /// `name`, or `name.1`, `name.2`, … if a value has it.
    pub(super) fn free(&mut self, name: &str, values: &Arena<ValueId, Value>) -> String {
        let new = (self.seen..values.len()).map(|i| values[ValueId::from_index(i)].name.clone());
        self.taken.extend(new);
        self.seen = values.len();
        if !self.taken.contains(name) {
            return name.to_owned();
        }
        let number = self.next.entry(name.to_owned()).or_insert(1);
        loop {
            let numbered = format!("{name}.{number}");
            *number += 1;
            if !self.taken.contains(&numbered) {
                return numbered;
            }
        }
    }

    /// Takes note of a name that a value was given later.
    pub(super) fn take(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::Graph;
    use crate::base::{Shape, TensorType};

    #[test]
    fn names_are_numbered_where_they_are_taken() {
        let mut graph = Graph::default();
        let mut add = |name: &str| {
            let id = graph.add_input(name, TensorType::f32(Shape::new(1, 1, 1, 1)));
            if name == "renamed" {
                graph.rename(id, "b");
            }
            graph.values[id].name.clone()
        };
        let names = ["a", "a", "a.1", "a", "a.1", "renamed", "b", "b"].map(&mut add);
        assert_eq!(names, ["a", "a.1", "a.1.1", "a.2", "a.1.2", "b", "b.1", "b.2"]);
    }
}
