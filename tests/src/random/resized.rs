//! Models for images of other sizes.

use zellige_compiler::base::{Dim, Shape, TensorType};
use zellige_compiler::ir::{Def, Graph, Output};

use super::gradients::Targets;

/// The same ops with the same parameters, for inputs whose rows and columns are `factor` times as many; those of targets are as many
/// as the outputs have. `None` where that does not suit an op, or its parameters.
pub(super) fn resized(graph: &Graph, targets: &Targets, factor: f64) -> Option<Graph> {
    let mut new = Graph { name: graph.name.clone(), ..Graph::default() };
    for (id, value) in graph.values.iter() {
        let added = match &value.def {
            Def::Input => {
                let shape = match targets.get(&id) {
                    Some(&output) => new.values[output].ty.shape.clone(),
                    None => scaled(&value.ty.shape, factor)?,
                };
                new.add_input(&value.name, TensorType::f32(shape))
            }
            Def::Constant(data) => new.add_constant(&value.name, value.ty.shape.clone(), data.to_vec()),
            Def::Op(op) => {
                let node = &graph.ops[*op];
                new.add_op(&value.name, node.op.clone(), node.inputs.clone(), &value.name, node.span).ok()?
            }
        };
        assert_eq!(added, id, "values keep their places");
    }
    let output = |output: &Output| Output { ty: new.values[output.value].ty.clone(), ..output.clone() };
    new.outputs = graph.outputs.iter().map(output).collect();
    (new.params == graph.params).then_some(new)
}

fn scaled(shape: &Shape, factor: f64) -> Option<Shape> {
    let scaled = |dim: &Dim| dim.constant().map(|size| Dim::from(((size as f64 * factor) as i64).max(1)));
    Some(Shape { n: shape.n.clone(), c: shape.c.clone(), h: scaled(&shape.h)?, w: scaled(&shape.w)? })
}
