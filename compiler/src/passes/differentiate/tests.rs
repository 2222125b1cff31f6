use expect_test::expect;
use serde_json::json;

use super::*;
use crate::fixtures::Net;
use crate::ir::text;
use crate::passes::Module;

/// The differentiated graph of a loss, verified, printed, and parsed again.
fn gradients(graph: &Graph, wanted: &Wanted) -> Result<String, Vec<Diagnostic>> {
    let loss = graph.outputs[0].value;
    let module = Module::Graph(differentiate(graph, loss, wanted)?);
    crate::ir::verify::verify(&module).expect("what is differentiated is a graph");
    let printed = text::print(&module);
    assert!(text::parse(&printed).expect("it is printed") == module, "{printed}");
    Ok(printed)
}

fn all(graph: &Graph) -> Wanted {
    Wanted { params: graph.params.ids().collect(), inputs: graph.inputs.clone() }
}

#[test]
fn weights_have_gradients_of_their_own_layout() {
    let mut net = Net::new("net");
    let x = net.input("image", Shape::new(1, 2, 8, 9));
    let y = net.conv(x, 4, 3, 2, "c");
    let y = net.relu(y);
    let loss = net.op("spatial_mean", json!({}), &[y], "");
    let graph = net.output("y", loss).graph;
    expect![[r#""#]].assert_eq(&gradients(&graph, &all(&graph)).expect("all ops have gradients"));
}

#[test]
fn contributions_are_added_from_the_last_reader_to_the_first() {
    let mut net = Net::new("net");
    let x = net.input("x", Shape::new(1, 2, 8, 8));
    let a = net.op("tanh", json!({}), &[x], "");
    let b = net.op("mul", json!({}), &[x, a], "");
    let graph = net.output("y", b).graph;
    expect![[r#""#]].assert_eq(&gradients(&graph, &all(&graph)).expect("all ops have gradients"));
}

#[test]
fn a_batch_normalisation_is_not_folded() {
    let mut net = Net::new("net");
    let x = net.input("x", Shape::new(2, 2, 8, 8));
    let y = net.op("batch_norm", json!({"eps": 0.1, "affine": true}), &[x], "n");
    let graph = net.output("y", y).graph;
    expect![[r#""#]].assert_eq(&gradients(&graph, &all(&graph)).expect("all ops have gradients"));
}

#[test]
fn only_what_is_wanted_needs_a_gradient() {
    let mut net = Net::new("net");
    let x = net.input("x", Shape::new(1, 2, 8, 8));
    let a = net.conv(x, 2, 3, 1, "a");
    let largest = net.op("global_max_pool", json!({}), &[a], "");
    let b = net.conv(largest, 2, 1, 1, "b");
    let graph = net.output("y", b).graph;
    let params = |path: &str| -> Vec<ParamId> {
        graph.params.iter().filter(|(_, p)| p.name.starts_with(path)).map(|(id, _)| id).collect()
    };
    let wanted = |path| Wanted { params: params(path), inputs: Vec::new() };
    assert!(gradients(&graph, &wanted("b.")).is_ok());
    let problems = gradients(&graph, &wanted("a.")).expect_err("there is no gradient of a maximum");
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.code, Code::E0708);
    assert!(problem.message.contains("`global_max_pool`"), "{}", problem.message);
}

#[test]
fn outputs_are_apart_from_one_another() {
    let mut net = Net::new("net");
    let a = net.input("a", Shape::new(1, 2, 8, 8));
    let b = net.input("b", Shape::new(1, 2, 8, 8));
    let unused = net.input("unused", Shape::new(1, 1, 1, 1));
    let sum = net.op("add", json!({}), &[a, b], "");
    let graph = net.output("y", sum).graph;
    let printed = gradients(&graph, &all(&graph)).expect("all ops have gradients");
    assert!(!printed.contains(&format!("d.{}", graph.values[unused].name)), "{printed}");
    expect![[r#""#]].assert_eq(&printed);
}
