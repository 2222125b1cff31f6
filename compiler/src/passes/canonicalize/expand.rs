//! Replaces ops that are made of simpler ones by those.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Id, ParamId, Shape, TensorType, ValueId};
use crate::ir::{Def, Graph, Node, Origin, Output};
use crate::ops::{Builder, Op, Requirements};

/// The graph with no op left that expands. Values keep their names; what an op is expanded into is named after it.
pub(super) fn run(graph: &Graph) -> Graph {
    let mut new = graph.without_values();
    let mut values: HashMap<ValueId, ValueId> = HashMap::new();
    for (id, value) in graph.values.iter() {
        let moved = match &value.def {
            Def::Input | Def::Constant(_) => new.add_given(value),
            Def::Op(op) => {
                let node = &graph.ops[*op];
                let inputs: Vec<ValueId> = node.inputs.iter().map(|v| values[v]).collect();
                Expansion { graph: &mut new, name: &value.name, origin: node.origin() }
                    .node(node, &inputs, &value.ty)
            }
        };
        values.insert(id, moved);
    }
    new.outputs = graph.outputs.iter().map(|o| Output { value: values[&o.value], ..o.clone() }).collect();
    new
}

/// One op that is added, or what it is made of, with where its values' names come from.
pub(in crate::passes) struct Expansion<'a> {
    pub(in crate::passes) graph: &'a mut Graph,
    pub(in crate::passes) name: &'a str,
    pub(in crate::passes) origin: Origin,
}

impl Expansion<'_> {
    /// Adds the op of a node with other inputs, or what it is made of.
    pub(in crate::passes) fn node(&mut self, node: &Node, inputs: &[ValueId], ty: &TensorType) -> ValueId {
        let before = self.graph.values.len();
        match node.op.expand(self, inputs, &node.params) {
            Some(value) => {
                if value.index() >= before {
                    self.graph.rename(value, self.name);
                }
                value
            }
            None => self.graph.push_op(
                self.name,
                node.op.clone(),
                inputs.to_vec(),
                node.params.clone(),
                ty.clone(),
                self.origin,
            ),
        }
    }
}

impl Builder for Expansion<'_> {
    fn op(&mut self, op: Arc<dyn Op>, inputs: &[ValueId], params: &[ParamId]) -> ValueId {
        if let Some(value) = op.expand(self, inputs, params) {
            return value;
        }
        let name = format!("{}.{}", self.name, op.name());
        let shapes = self.graph.shapes(inputs);
        let shape = op.infer(&shapes, &mut Requirements::default()).expect("an op expands into ops that fit");
        self.graph.push_op(&name, op, inputs.to_vec(), params.to_vec(), TensorType::f32(shape), self.origin)
    }

    fn constant(&mut self, shape: Shape, data: Vec<f32>) -> ValueId {
        self.graph.add_constant(&format!("{}.constant", self.name), shape, data)
    }

    fn number(&self, value: ValueId) -> Option<f32> {
        match &self.graph.values[value].def {
            Def::Constant(data) => <[f32; 1]>::try_from(&**data).ok().map(|[number]| number),
            Def::Input | Def::Op(_) => None,
        }
    }

    fn given_to(&self, op: &(dyn Op + 'static), value: ValueId) -> Option<ValueId> {
        let node = &self.graph.ops[self.graph.producer(value)?];
        (*node.op == *op).then(|| node.inputs[0])
    }

    fn shape(&self, value: ValueId) -> Shape {
        self.graph.values[value].ty.shape.clone()
    }
}
