use serde_json::json;

use super::{graph_violations, sections_violations};
use crate::base::{Id, OpId, ParamId, Shape, ValueId};
use crate::fixtures::{Net, bound, options, symbolic, two_convs};
use crate::ir::{Def, Direction, Graph, Module, Param, Sections};
use crate::passes::{PIPELINE, find};

/// The first violation of a graph that was damaged.
fn damaged(damage: impl FnOnce(&mut Graph)) -> String {
    let mut graph = two_convs(Shape::new(1, 4, 32, 32));
    damage(&mut graph);
    graph_violations(&graph).first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn good_graphs_pass() {
    for graph in symbolic().into_iter().chain(bound()) {
        assert_eq!(graph_violations(&graph), []);
    }
}

#[test]
fn each_invariant_of_graphs_is_held() {
    let value = ValueId::from_index;
    assert_eq!(damaged(|g| g.values[value(2)].name = "image".into()), "two values are called `image`");
    let twice = |g: &mut Graph| g.params[ParamId::from_index(1)].name = "a.weight".into();
    assert_eq!(damaged(twice), "two parameters are called `a.weight`");
    let out = |g: &mut Graph| g.ops[OpId::from_index(0)].inputs = vec![value(9)];
    assert_eq!(damaged(out), "value number 9 does not exist");
    let backward = |g: &mut Graph| g.ops[OpId::from_index(0)].inputs = vec![value(2)];
    assert_eq!(damaged(backward), "`1` reads `2` before it is defined");
    let direction = |g: &mut Graph| g.ops[OpId::from_index(0)].direction = Direction::Backward;
    assert_eq!(damaged(direction), "`2` is of the forward pass, and stands behind ops of the backward pass");
    let stolen = |g: &mut Graph| g.values[value(2)].def = Def::Op(OpId::from_index(0));
    assert_eq!(damaged(stolen), "`2` is not defined by the op that it names");
    let second = |g: &mut Graph| g.values[value(1)].def = Def::Input;
    assert!(!damaged(second).is_empty());
    let none = |g: &mut Graph| g.ops[OpId::from_index(1)].inputs.clear();
    assert_eq!(damaged(none), "`conv2d` takes one input, found 0");
    let shape = |g: &mut Graph| g.values[value(1)].ty.shape = Shape::new(1, 4, 31, 32);
    assert_eq!(damaged(shape), "`1` is declared [1, 4, 31, 32], and is [1, 4, 32, 32]");
    let huge = |g: &mut Graph| g.values[value(0)].ty.shape = Shape::new(1 << 20, 1 << 20, 1 << 20, 1 << 20);
    assert_eq!(
        damaged(huge),
        "`image` has 18446744073709551615 elements or more, and fewer than 281474976710656 are possible"
    );
    let surplus = |g: &mut Graph| g.ops[OpId::from_index(0)].params.truncate(1);
    assert_eq!(damaged(surplus), "`conv2d` has 2 parameters, found 1");
    let other = |g: &mut Graph| g.params[ParamId::from_index(0)].dims = vec![4, 4, 3, 5];
    assert_eq!(damaged(other), "parameter `a.weight` is [4, 4, 3, 5], and [4, 4, 3, 3] is needed");
    assert_eq!(damaged(|g| g.outputs.clear()), "the graph has no output");
    assert_eq!(damaged(|g| g.outputs[0].value = value(0)), "output `y` is not the result of an op");
    let declared = |g: &mut Graph| g.outputs[0].ty.shape = Shape::new(1, 4, 32, 64);
    assert!(damaged(declared).contains("must equal"), "{}", damaged(declared));
}

/// The first violation of a convolution that has absorbed a batch normalisation, and was damaged.
fn damaged_fold(damage: impl FnOnce(&mut Graph)) -> String {
    let mut net = Net::new("folded");
    let x = net.input("image", Shape::new(1, 3, 8, 8));
    let a = net.conv(x, 4, 3, 1, "c");
    let b = net.op("batch_norm", json!({"eps": 1e-5, "affine": true}), &[a], "n");
    let graph = net.output("y", b).graph;
    let fold = find("fold-batch-norm").expect("a pass");
    let Ok(Module::Graph(mut graph)) = (fold.run)(Module::Graph(graph), &options(1 << 20, None)) else {
        panic!("a graph")
    };
    assert_eq!(graph_violations(&graph), []);
    damage(&mut graph);
    graph_violations(&graph).first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn derived_parameters_follow_from_stored_ones() {
    let weights = |g: &Graph| {
        let folded = g.params.iter().find(|(_, p)| p.name == "c.weight.folded");
        folded.expect("a folded parameter").0
    };
    let dims = |g: &mut Graph| {
        let id = weights(g);
        g.params[id].dims = vec![4, 3, 5, 3];
    };
    assert_eq!(damaged_fold(dims), "parameter `c.weight.folded` is [4, 3, 5, 3], and [4, 3, 3, 3] is needed");
    let short = |g: &mut Graph| {
        let id = weights(g);
        g.params[id].derived.as_mut().expect("it is derived").sources.pop();
    };
    assert_eq!(
        damaged_fold(short),
        "parameter `c.weight.folded`: it does not follow from parameters of the shapes [[4, 3, 3, 3], [4], [4], [4]]"
    );
    let itself = |g: &mut Graph| {
        let id = weights(g);
        g.params[id].derived.as_mut().expect("it is derived").sources[0] = id;
    };
    assert_eq!(
        damaged_fold(itself),
        "parameter `c.weight.folded` does not follow from stored parameters that stand before it"
    );
    let surplus = |g: &mut Graph| {
        g.params.push(Param::stored("spare", vec![4]));
    };
    assert_eq!(damaged_fold(surplus), "parameter `spare` belongs to no op");
}

/// Sections after all passes that decide about them, and after each before.
fn stages(graph: &Graph) -> Vec<Sections> {
    let options = options(64 << 10, Some([8, 16]));
    let mut module = Module::Graph(graph.clone());
    let mut stages = Vec::new();
    for pass in &PIPELINE[..PIPELINE.len() - 1] {
        module = (pass.run)(module, &options).expect("a plan");
        if let Module::Sections(ir) = &module {
            stages.push(ir.clone());
        }
    }
    stages
}

#[test]
fn sections_pass_at_every_stage() {
    for ir in bound().iter().flat_map(stages) {
        assert_eq!(sections_violations(&ir), []);
    }
}

/// The first violation of a planned squeeze-and-excite block that was damaged.
fn damaged_sections(damage: impl FnOnce(&mut Sections)) -> String {
    let graph = bound().into_iter().find(|g| g.name == "squeeze excite").expect("a fixture");
    let mut ir = stages(&graph).pop().expect("a plan");
    damage(&mut ir);
    sections_violations(&ir).first().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn what_reductions_need_is_held() {
    let join = |ir: &mut Sections| {
        let ops: Vec<OpId> = ir.sections.iter().flat_map(|s| s.ops.clone()).collect();
        ir.sections.truncate(1);
        ir.sections[0].ops = ops;
    };
    assert!(damaged_sections(join).contains("which is complete only when the section has ended"));
    let grain = |ir: &mut Sections| {
        let tensors = ir.sections.iter_mut().flat_map(|s| s.tensors.values_mut());
        let reduced = tensors.into_iter().find(|t| t.reduced).expect("a reduced tensor");
        let mut owned: Vec<_> = reduced.steps[0].owned.iter().collect();
        let cut = owned.iter().position(|o| o.end < reduced.extent[0] as i64 && !o.is_empty());
        let cut = cut.expect("a cut");
        owned[cut].end -= 1;
        owned[cut + 1].start -= 1;
        reduced.steps[0].owned = zellige_runtime::program::Steps::compress(&owned);
    };
    let error = damaged_sections(grain);
    assert!(error.contains("grains of 8") || error.contains("target tile"), "{error}");
}

#[test]
fn buffers_that_live_together_are_held_apart() {
    let overlap = |ir: &mut Sections| {
        for tiling in ir.sections[0].tensors.values_mut() {
            if let Some(buffer) = &mut tiling.buffer {
                buffer.offset = 0;
            }
        }
    };
    assert!(damaged_sections(overlap).contains("share bytes"), "{}", damaged_sections(overlap));
}

#[test]
fn absurd_grids_are_refused_before_anybody_lists_them() {
    let mut net = Net::new("wide");
    let x = net.input("x", Shape::new(1, 1, 1, 1 << 31));
    let y = net.relu(x);
    let graph = net.output("y", y).graph;
    assert_eq!(graph_violations(&graph), []);
    let ops = graph.ops.ids().collect();
    let section = crate::ir::Section {
        name: "s0".into(),
        ops,
        tile: Some([1, 1]),
        overlap: None,
        padding: crate::ir::Padding::default(),
        gradient: crate::ir::Gradient::default(),
        colours: None,
        grid: None,
        tensors: indexmap::IndexMap::new(),
        materialized: Default::default(),
        sram_bytes: None,
    };
    let target = options(1 << 20, None).target;
    let ir = Sections { graph, target, sections: vec![section], device: None };
    let violations = sections_violations(&ir);
    assert!(violations[0].to_string().contains("too many"), "{violations:?}");
}
