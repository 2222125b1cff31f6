//! The graph of a kept plan: that of the model, with the ops that the plan computes again.
//!
//! What is computed again, and where, was decided together with the plan's cuts, and the plan says it by its graph: that has ops which the
//! model has not, and each of them does what one of the model's does, to the same or to what was computed again of it.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::base::{Id, OpId, ValueId};
use crate::ir::text::graph_to_json;
use crate::ir::{Def, Direction, Graph, Origin, Output};

/// The graph with what `kept`, the ops of a plan's graph in their order, compute again. `None` if those are not the ops of the graph,
/// in their order, with such repetitions between them.
pub(super) fn with_repeats(graph: &Graph, kept: &[Json]) -> Option<Graph> {
    let new = graph.without_values();
    let ops = graph_to_json(graph)["ops"].take();
    let mut repeated = Repeated { old: graph, ops, new, values: HashMap::new() };
    let mut kept = kept.iter();
    for (id, value) in graph.values.iter() {
        let moved = match &value.def {
            Def::Input | Def::Constant(_) => repeated.new.add_given(value),
            Def::Op(op) => {
                let is_own = |kept: &Json| kept["name"].as_str() == Some(value.name.as_str());
                let mut next = kept.next()?;
                while !is_own(next) {
                    let first = repeated.first(next)?;
                    repeated.push(next, first)?;
                    next = kept.next()?;
                }
                repeated.push(next, *op)?;
                continue;
            }
        };
        repeated.values.insert(value.name.clone(), (moved, id));
    }
    let moved = |id: ValueId| repeated.values.get(&graph.values[id].name).map(|(new, _)| *new);
    let output = |o: &Output| Some(Output { value: moved(o.value)?, ..o.clone() });
    let outputs = graph.outputs.iter().map(output).collect::<Option<_>>()?;
    Some(Graph { outputs, ..repeated.new })
}

/// A graph with repetitions in the making.
struct Repeated<'a> {
    old: &'a Graph,
    /// The ops of the old graph, as JSON has them.
    ops: Json,
    new: Graph,
    /// By name, a value of the new graph, and that of the old one which it is or repeats.
    values: HashMap<String, (ValueId, ValueId)>,
}

impl Repeated<'_> {
    /// What the inputs of an op are, or repeat, in the old graph.
    fn inputs(&self, kept: &Json) -> Option<Vec<(ValueId, ValueId)>> {
        let names = kept["inputs"].as_array()?.iter();
        names.map(|name| self.values.get(name.as_str()?).copied()).collect()
    }

    /// The op of the old graph that an op repeats.
    fn first(&self, kept: &Json) -> Option<OpId> {
        let inputs: Vec<ValueId> = self.inputs(kept)?.into_iter().map(|(_, old)| old).collect();
        let same = |op: &OpId| {
            let here = &self.ops[op.index()];
            self.old.ops[*op].inputs == inputs
                && ["op", "attrs", "params"].iter().all(|key| here[key] == kept[key])
        };
        self.old.ops.ids().find(same)
    }

    /// Adds an op that does what `first` does.
    fn push(&mut self, kept: &Json, first: OpId) -> Option<()> {
        let name = kept["name"].as_str()?;
        let (node, inputs) = (&self.old.ops[first], self.inputs(kept)?);
        if self.values.contains_key(name) || !inputs.iter().map(|(_, old)| old).eq(&node.inputs) {
            return None;
        }
        let is_backward = kept["direction"].as_str() == Some("backward");
        let direction = if is_backward { Direction::Backward } else { node.direction };
        let ty = self.old.values[node.output].ty.clone();
        let (op, params, origin) =
            (node.op.clone(), node.params.clone(), Origin { direction, ..node.origin() });
        let inputs = inputs.into_iter().map(|(new, _)| new).collect();
        let value = self.new.push_op(name, op, inputs, params, ty, origin);
        self.values.insert(name.to_owned(), (value, node.output));
        Some(())
    }
}
