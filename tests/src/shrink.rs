//! Makes a graph that fails as small as it gets.

use std::collections::{HashMap, HashSet};

use zellige_compiler::base::ValueId;
use zellige_compiler::ir::{Def, Graph, Node, Output};

/// The smallest graph found that still fails. Outputs are left out or moved towards the inputs, and tensors become inputs,
/// as long as that makes the graph smaller and it fails.
pub fn shrink(graph: &Graph, fails: impl Fn(&Graph) -> bool) -> Graph {
    let mut smallest = graph.clone();
    loop {
        let mut smaller: Vec<Graph> = candidates(&smallest);
        smaller.retain(|g| size(g) < size(&smallest));
        smaller.sort_by_key(size);
        match smaller.into_iter().find(&fails) {
            Some(graph) => smallest = graph,
            None => return smallest,
        }
    }
}

/// What is to become less, the most important first.
fn size(graph: &Graph) -> [usize; 3] {
    [graph.ops.len(), graph.outputs.len(), graph.inputs.len()]
}

fn candidates(graph: &Graph) -> Vec<Graph> {
    let computed = || graph.ops.iter().map(|(_, node)| node.output);
    let given: Vec<ValueId> = graph.outputs.iter().map(|o| o.value).collect();
    let alone = computed().map(|value| part(graph, &[value], None));
    let fewer = given.iter().map(|left_out| {
        let others: Vec<ValueId> = given.iter().copied().filter(|v| v != left_out).collect();
        part(graph, &others, None)
    });
    let cut = computed().filter(|v| !given.contains(v)).map(|value| part(graph, &given, Some(value)));
    alone.chain(fewer).chain(cut).filter(|g| !g.outputs.is_empty() && !g.inputs.is_empty()).collect()
}

/// The part of a graph that some of its values depend on, which become its outputs; `cut` becomes an input.
fn part(graph: &Graph, outputs: &[ValueId], cut: Option<ValueId>) -> Graph {
    let needed = needed(graph, outputs, cut);
    let mut new = Graph { name: graph.name.clone(), ..Graph::default() };
    let (mut values, mut params) = (HashMap::new(), HashMap::new());
    for (id, value) in graph.values.iter().filter(|(id, _)| needed.contains(id)) {
        let moved = match &value.def {
            _ if cut == Some(id) => new.add_input(&value.name, value.ty.clone()),
            Def::Input => new.add_input(&value.name, value.ty.clone()),
            Def::Constant(data) => new.add_constant(&value.name, value.ty.shape.clone(), data.to_vec()),
            Def::Op(op) => {
                let node @ Node { op, inputs, params: old, .. } = &graph.ops[*op];
                let inputs = inputs.iter().map(|v| values[v]).collect();
                let own = old.iter().map(|&p| new.take_param(graph, p, &mut params)).collect();
                new.push_op(&value.name, op.clone(), inputs, own, value.ty.clone(), node.origin())
            }
        };
        values.insert(id, moved);
    }
    for &value in outputs {
        let old = graph.outputs.iter().find(|o| o.value == value);
        let (name, ty) = match old {
            Some(output) => (output.name.clone(), output.ty.clone()),
            None => (format!("{}_out", graph.values[value].name), graph.values[value].ty.clone()),
        };
        new.outputs.push(Output { name, value: values[&value], ty });
    }
    new
}

fn needed(graph: &Graph, outputs: &[ValueId], cut: Option<ValueId>) -> HashSet<ValueId> {
    let mut needed = HashSet::new();
    let mut stack = outputs.to_vec();
    while let Some(value) = stack.pop() {
        if needed.insert(value)
            && cut != Some(value)
            && let Some(op) = graph.producer(value)
        {
            stack.extend(&graph.ops[op].inputs);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use zellige_compiler::ir::verify;

    use super::*;
    use crate::random;

    /// Whatever one op is the mistake, it is all that is left, with no more inputs than it has.
    #[test]
    fn one_op_remains_of_a_random_model() {
        for seed in 0..20 {
            let graph = random::model(seed);
            // What reads constants alone is no graph by itself.
            let is_given = |v: &ValueId| matches!(graph.values[*v].def, Def::Constant(_));
            let ops = graph.ops.iter().map(|(_, node)| node);
            let ops: Vec<&Node> = ops.filter(|node| !node.inputs.iter().all(is_given)).collect();
            let bad = ops[seed as usize * 7 % ops.len()].op.clone();
            let small = shrink(&graph, |g| g.ops.iter().any(|(_, node)| *node.op == *bad));
            assert_eq!(small.ops.len(), 1);
            assert_eq!(small.outputs.len(), 1);
            verify::verify_graph(&small).expect("what is left is a graph");
        }
    }
}
