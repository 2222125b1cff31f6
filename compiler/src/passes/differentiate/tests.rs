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
    expect![[r#"
        graph net {
          param @c.weight : f32[4, 2, 3, 3];
          param @c.bias : f32[4];
          input %image : f32[1, 2, 8, 9];
          %1 = conv2d %image @c.weight @c.bias (
            out: 4,
            kernel: [3, 3],
            stride: [2, 2],
            pad: [1, 1, 1, 1],
            dilation: [1, 1],
            groups: 1,
            bias: true,
          ) : f32[1, 4, 4, 5];
          %2 = relu %1 : f32[1, 4, 4, 5];
          %3 = spatial_mean %2 : f32[1, 4, 1, 1];
          constant %d.3.constant.1 [0.05f] : f32[1, 1, 1, 1];
          backward;
          %d.2.relu.dx = relu.dx %2 %d.3.constant.1 : f32[1, 4, 4, 5];
          %d.1.conv2d.dx = conv2d.dx %d.2.relu.dx @c.weight (
            forward: (
              out: 4,
              kernel: [3, 3],
              stride: [2, 2],
              pad: [1, 1, 1, 1],
              dilation: [1, 1],
              groups: 1,
              bias: true,
            ),
            size: [2, 8, 9],
          ) : f32[1, 2, 8, 9];
          %d.1.conv2d.dw = conv2d.dw %image %d.2.relu.dx (
            out: 4,
            kernel: [3, 3],
            stride: [2, 2],
            pad: [1, 1, 1, 1],
            dilation: [1, 1],
            groups: 1,
            bias: true,
            transposed: false,
          ) : f32[4, 18, 1, 1];
          %d.1.spatial_sum = spatial_sum %d.2.relu.dx : f32[1, 4, 1, 1];
          output loss %3 : f32[1, 4, 1, 1];
          output c.weight %d.1.conv2d.dw : f32[4, 18, 1, 1];
          output c.bias %d.1.spatial_sum : f32[1, 4, 1, 1];
          output d.image %d.1.conv2d.dx : f32[1, 2, 8, 9];
        }
    "#]]
    .assert_eq(&gradients(&graph, &all(&graph)).expect("all ops have gradients"));
}

#[test]
fn contributions_are_added_from_the_last_reader_to_the_first() {
    let mut net = Net::new("net");
    let x = net.input("x", Shape::new(1, 2, 8, 8));
    let a = net.op("tanh", json!({}), &[x], "");
    let b = net.op("mul", json!({}), &[x, a], "");
    let graph = net.output("y", b).graph;
    expect![[r#"
        graph net {
          input %x : f32[1, 2, 8, 8];
          %1 = tanh %x : f32[1, 2, 8, 8];
          %2 = mul %x %1 : f32[1, 2, 8, 8];
          backward;
          %d.1.tanh.dx = tanh.dx %1 %x : f32[1, 2, 8, 8];
          %d.1.add = add %1 %d.1.tanh.dx : f32[1, 2, 8, 8];
          output loss %2 : f32[1, 2, 8, 8];
          output d.x %d.1.add : f32[1, 2, 8, 8];
        }
    "#]]
    .assert_eq(&gradients(&graph, &all(&graph)).expect("all ops have gradients"));
}

#[test]
fn a_batch_normalisation_is_not_folded() {
    let mut net = Net::new("net");
    let x = net.input("x", Shape::new(2, 2, 8, 8));
    let y = net.op("batch_norm", json!({"eps": 0.1, "affine": true}), &[x], "n");
    let graph = net.output("y", y).graph;
    expect![[r#"
        graph net {
          param @n.weight : f32[2];
          param @n.bias : f32[2];
          param @n.running_mean : f32[2];
          param @n.running_var : f32[2];
          input %x : f32[2, 2, 8, 8];
          %1 = fixed_norm %x @n.weight @n.bias @n.running_mean @n.running_var (
            eps: 0.1,
            affine: true,
          ) : f32[2, 2, 8, 8];
          constant %d.1.constant [1.0] : f32[1, 1, 1, 1];
          backward;
          %d.1.repeat = repeat %1 %d.1.constant : f32[2, 2, 8, 8];
          %d.1.fixed_norm.dx = fixed_norm.dx %d.1.repeat @n.running_var (eps: 0.1) : f32[2, 2, 8, 8];
          %d.1.scaled_by = scaled_by %d.1.fixed_norm.dx @n.weight : f32[2, 2, 8, 8];
          %d.1.fixed_norm.dweight = fixed_norm.dweight %x %d.1.repeat @n.running_mean @n.running_var (
            eps: 0.1,
          ) : f32[2, 2, 8, 8];
          %d.1.spatial_sum = spatial_sum %d.1.fixed_norm.dweight (images: true) : f32[1, 2, 1, 1];
          %d.1.spatial_sum.1 = spatial_sum %d.1.repeat (images: true) : f32[1, 2, 1, 1];
          output loss %1 : f32[2, 2, 8, 8];
          output n.weight %d.1.spatial_sum : f32[1, 2, 1, 1];
          output n.bias %d.1.spatial_sum.1 : f32[1, 2, 1, 1];
          output d.x %d.1.scaled_by : f32[2, 2, 8, 8];
        }
    "#]]
    .assert_eq(&gradients(&graph, &all(&graph)).expect("all ops have gradients"));
}

#[test]
fn only_what_is_wanted_needs_a_gradient() {
    let mut net = Net::new("net");
    let x = net.input("x", Shape::new(1, 2, 8, 8));
    let images = net.input("images", Shape::new(3, 2, 8, 8));
    let a = net.conv(x, 2, 3, 1, "a");
    let repeated = net.op("mul", json!({}), &[images, a], "");
    let b = net.conv(repeated, 2, 1, 1, "b");
    let graph = net.output("y", b).graph;
    assert!(gradients(&graph, &params_of(&graph, "b.")).is_ok());
    let problems =
        gradients(&graph, &params_of(&graph, "a.")).expect_err("there is no sum over images alone");
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.code, Code::E0708);
    assert!(problem.message.contains("`mul`"), "{}", problem.message);
}

#[test]
fn a_loss_changes_with_something() {
    let mut net = Net::new("net");
    let x = net.input("x", Shape::new(1, 2, 8, 8));
    net.conv(x, 2, 3, 1, "a");
    let b = net.conv(x, 2, 1, 1, "b");
    let graph = net.output("y", b).graph;
    assert!(gradients(&graph, &all(&graph)).is_ok());
    assert!(gradients(&graph, &Wanted::default()).is_ok(), "the loss alone");
    let problems = gradients(&graph, &params_of(&graph, "a.")).expect_err("nothing reads it");
    assert_eq!(problems.iter().map(|p| p.code).collect::<Vec<_>>(), [Code::E0709]);
}

fn params_of(graph: &Graph, path: &str) -> Wanted {
    let params = graph.params.iter().filter(|(_, p)| p.name.starts_with(path)).map(|(id, _)| id);
    Wanted { params: params.collect(), inputs: Vec::new() }
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
    expect![[r#"
        graph net {
          input %a : f32[1, 2, 8, 8];
          input %b : f32[1, 2, 8, 8];
          input %unused : f32[1, 1, 1, 1];
          %3 = add %a %b : f32[1, 2, 8, 8];
          constant %d.3.constant [1.0] : f32[1, 1, 1, 1];
          backward;
          %d.a.repeat = repeat %a %d.3.constant : f32[1, 2, 8, 8];
          %d.b.repeat = repeat %b %d.3.constant : f32[1, 2, 8, 8];
          output loss %3 : f32[1, 2, 8, 8];
          output d.a %d.a.repeat : f32[1, 2, 8, 8];
          output d.b %d.b.repeat : f32[1, 2, 8, 8];
        }
    "#]]
    .assert_eq(&printed);
}
