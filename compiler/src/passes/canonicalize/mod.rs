//! `canonicalize`: expands ops that are made of simpler ones, drops what nothing reads or what changes nothing, and joins equal ops.
//!
//! ```text
//! before: %a = crop %x (top: 0, …);   %b = relu %a;   %c = relu %x;   %d = add %b %c;   %e = relu %d;   output y %d;
//! after:  %b = relu %x;   %d = add %b %b;   output y %d;
//! ```
//!
//! Bits are preserved: only what returns its input as it is (see [`Op::is_identity`]) counts as changing nothing.

pub(super) mod expand;

use std::collections::{HashMap, HashSet};

use zellige_grammar::{Code, Diagnostic};

use crate::base::{ParamId, ValueId};
use crate::ir::{Computations, Def, Graph, Node, Output};
#[cfg(doc)]
use crate::ops::Op;
use crate::passes::{self, Module, Options};

pub(super) fn run(module: Module, options: &Options) -> Result<Module, Vec<Diagnostic>> {
    let graph = passes::graph(module, "canonicalize")?;
    let graph = expand::run(&graph);
    let canonical = canonical_values(&graph);
    let rebuilt = rebuild(&graph, &canonical);
    let lost = options.cut_after.iter().filter(|name| passes::op_called(&rebuilt, name).is_none());
    let lost: Vec<_> = lost.filter_map(|name| cut_lost(&graph, &canonical, name)).collect();
    if lost.is_empty() { Ok(Module::Graph(rebuilt)) } else { Err(lost) }
}

/// A graph of simple ops without those that nothing reads, that change nothing, or that another one equals.
pub(super) fn simplified(graph: &Graph) -> Graph {
    rebuild(graph, &canonical_values(graph))
}

/// A graph without the ops that nothing reads.
pub(super) fn without_dead_ops(graph: &Graph) -> Graph {
    rebuild(graph, &graph.values.ids().map(|v| (v, v)).collect())
}

/// Why there is no op any more that `--cut-after` names; `None` if there never was.
fn cut_lost(graph: &Graph, canonical: &HashMap<ValueId, ValueId>, name: &str) -> Option<Diagnostic> {
    let node = &graph.ops[passes::op_called(graph, name)?];
    let stands = canonical[&node.output];
    let other = &graph.values[stands].name;
    let (why, hint) = if stands == node.output {
        ("no output depends on it".to_owned(), None)
    } else if graph.producer(stands).is_some() {
        (format!("it gives what `{other}` gives"), Some(format!("cut after that: `--cut-after {other}`")))
    } else {
        (format!("it gives `{other}` as it is"), None)
    };
    Some(
        Diagnostic::error(
            Code::E0707,
            format!("there is no cut after `{name}`, which is not computed: {why}"),
        )
        .label(node.span, "")
        .maybe_hint(hint),
    )
}

/// For every value the one that stands for it.
fn canonical_values(graph: &Graph) -> HashMap<ValueId, ValueId> {
    let mut canonical: HashMap<ValueId, ValueId> = graph.values.ids().map(|v| (v, v)).collect();
    let mut computations = Computations::default();
    for (op, node) in graph.ops.iter() {
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| canonical[v]).collect();
        let is_output = graph.is_output(node.output);
        if node.op.is_identity(&graph.shapes(&node.inputs)) && !is_output {
            canonical.insert(node.output, inputs[0]);
        } else if let Some(twin) = computations.twin(graph, op, inputs).filter(|_| !is_output) {
            canonical.insert(node.output, canonical[&graph.ops[twin].output]);
        }
    }
    canonical
}

/// Values that an output depends on.
fn needed(graph: &Graph, canonical: &HashMap<ValueId, ValueId>) -> HashSet<ValueId> {
    let mut stack: Vec<ValueId> = graph.outputs.iter().map(|o| canonical[&o.value]).collect();
    let mut needed = HashSet::new();
    while let Some(value) = stack.pop() {
        if needed.insert(value)
            && let Some(op) = graph.producer(value)
        {
            stack.extend(graph.ops[op].inputs.iter().map(|v| canonical[v]));
        }
    }
    needed
}

/// The graph with just the values that are needed; inputs stay, whether they are read or not.
fn rebuild(graph: &Graph, canonical: &HashMap<ValueId, ValueId>) -> Graph {
    let needed = needed(graph, canonical);
    let mut new = Graph {
        name: graph.name.clone(),
        weights: graph.weights.clone(),
        exact: graph.exact.clone(),
        ..Graph::default()
    };
    let mut values: HashMap<ValueId, ValueId> = HashMap::new();
    let mut params: HashMap<ParamId, ParamId> = HashMap::new();
    for (id, value) in graph.values.iter() {
        let moved = match &value.def {
            Def::Input => new.add_given(value),
            _ if !needed.contains(&id) => continue,
            Def::Constant(_) => new.add_given(value),
            Def::Op(op) => {
                let node @ Node { op, inputs, params: old, .. } = &graph.ops[*op];
                let inputs = inputs.iter().map(|v| values[&canonical[v]]).collect();
                let own = old.iter().map(|&p| new.take_param(graph, p, &mut params)).collect();
                new.push_op(&value.name, op.clone(), inputs, own, value.ty.clone(), node.origin())
            }
        };
        values.insert(id, moved);
    }
    new.outputs =
        graph.outputs.iter().map(|o| Output { value: values[&canonical[&o.value]], ..o.clone() }).collect();
    new
}
