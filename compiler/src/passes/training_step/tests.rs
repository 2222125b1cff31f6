use expect_test::expect;
use serde_json::json;

use super::*;
use crate::fixtures::Net;
use crate::ir::text;
use crate::passes::Module;

/// The graph of a network of dropout and batch norm with its loss, for an image of this size.
fn image(rows: i64, columns: i64) -> (Graph, ValueId) {
    let mut net = Net::new("net");
    let x = net.input("image", Shape::new(1, 2, rows, columns));
    let dropped = net.op("dropout", json!({"p": 0.5}), &[x], "");
    let normal = net.op("batch_norm", json!({"eps": 1e-5, "affine": true}), &[dropped], "n");
    let loss = net.op("spatial_sum", json!({}), &[normal], "");
    (net.output("y", normal).graph, loss)
}

fn printed(sizes: &[(i64, i64)], frozen: &dyn Fn(&str) -> bool) -> String {
    let images: Vec<(Graph, ValueId)> = sizes.iter().map(|&(h, w)| image(h, w)).collect();
    let loss = images[0].1;
    let graphs: Vec<Graph> = images.into_iter().map(|(graph, _)| graph).collect();
    let step = training_step(&graphs, loss, frozen).expect("it can be trained");
    let module = Module::Graph(step.graph);
    crate::ir::verify::verify(&module).expect("a step is a graph");
    let printed = text::print(&module);
    assert!(text::parse(&printed).expect("it is printed") == module, "{printed}");
    printed
}

#[test]
fn images_of_a_batch_share_parameters_and_statistics() {
    expect![[r#"
        graph net {
          param @n.weight : f32[2];
          param @n.bias : f32[2];
          input %image.0 : f32[1, 2, 4, 5];
          input %image.1 : f32[1, 2, 3, 2];
          input %dropout.key : f32[1, 4, 1, 1];
          %1.0 = dropped %image.0 %dropout.key (p: 0.5, stream: [0, 0]) : f32[1, 2, 4, 5];
          %1.1 = dropped %image.1 %dropout.key (p: 0.5, stream: [0, 1]) : f32[1, 2, 3, 2];
          %2.spatial_mean = spatial_mean %1.0 : f32[1, 2, 1, 1];
          %2.spatial_mean_rest = spatial_mean_rest %1.0 : f32[1, 2, 1, 1];
          %2.spatial_variance = spatial_variance %1.0 : f32[1, 2, 1, 1];
          %2.spatial_mean.1 = spatial_mean %1.1 : f32[1, 2, 1, 1];
          %2.spatial_mean_rest.1 = spatial_mean_rest %1.1 : f32[1, 2, 1, 1];
          %2.spatial_variance.1 = spatial_variance %1.1 : f32[1, 2, 1, 1];
          %2.batch_mean = batch_mean %2.spatial_mean %2.spatial_mean.1 (
            counts: [20, 6],
            all: 26,
            continued: false,
          ) : f32[1, 2, 1, 1];
          %2.batch_mean_rest = batch_mean_rest %2.batch_mean %2.spatial_mean %2.spatial_mean_rest
              %2.spatial_mean.1 %2.spatial_mean_rest.1 (
            counts: [20, 6],
            all: 26,
            continued: false,
          ) : f32[1, 2, 1, 1];
          %2.batch_deviation = batch_deviation %2.spatial_mean %2.spatial_mean_rest %2.batch_mean
              %2.batch_mean_rest : f32[1, 2, 1, 1];
          %2.batch_deviation.1 = batch_deviation %2.spatial_mean.1 %2.spatial_mean_rest.1 %2.batch_mean
              %2.batch_mean_rest : f32[1, 2, 1, 1];
          %2.batch_variance = batch_variance %2.spatial_variance %2.batch_deviation %2.spatial_variance.1
              %2.batch_deviation.1 (counts: [20, 6], all: 26, continued: false) : f32[1, 2, 1, 1];
          %2.norm_scale = norm_scale %2.batch_variance @n.weight (
            eps: 1e-5,
            affine: true,
          ) : f32[1, 2, 1, 1];
          %2.norm_shift = norm_shift %2.batch_mean_rest %2.norm_scale @n.bias (
            affine: true,
          ) : f32[1, 2, 1, 1];
          %2.0 = norm_apply %1.0 %2.batch_mean %2.norm_scale %2.norm_shift : f32[1, 2, 4, 5];
          %2.1 = norm_apply %1.1 %2.batch_mean %2.norm_scale %2.norm_shift : f32[1, 2, 3, 2];
          %2.add = add %2.batch_mean %2.batch_mean_rest : f32[1, 2, 1, 1];
          constant %2.constant [1.04f] : f32[1, 1, 1, 1];
          %2.mul = mul %2.batch_variance %2.constant : f32[1, 2, 1, 1];
          %3.0 = spatial_sum %2.0 : f32[1, 2, 1, 1];
          %3.1 = spatial_sum %2.1 : f32[1, 2, 1, 1];
          %loss.add = add %3.0 %3.1 : f32[1, 2, 1, 1];
          constant %loss.constant [2.0] : f32[1, 1, 1, 1];
          %loss.div = div %loss.add %loss.constant : f32[1, 2, 1, 1];
          output loss %loss.div : f32[1, 2, 1, 1];
          output n.running_mean.batch %2.add : f32[1, 2, 1, 1];
          output n.running_var.batch %2.mul : f32[1, 2, 1, 1];
        }
    "#]]
    .assert_eq(&printed(&[(4, 5), (3, 2)], &|_| false));
}

#[test]
fn frozen_statistics_are_used_and_a_single_image_keeps_its_names() {
    expect![[r#"
        graph net {
          param @n.weight : f32[2];
          param @n.bias : f32[2];
          param @n.running_mean : f32[2];
          param @n.running_var : f32[2];
          input %image : f32[1, 2, 4, 5];
          input %dropout.key : f32[1, 4, 1, 1];
          %1 = dropped %image %dropout.key (p: 0.5, stream: [0, 0]) : f32[1, 2, 4, 5];
          %2 = batch_norm %1 @n.weight @n.bias @n.running_mean @n.running_var (
            eps: 1e-5,
            affine: true,
          ) : f32[1, 2, 4, 5];
          %3 = spatial_sum %2 : f32[1, 2, 1, 1];
          output loss %3 : f32[1, 2, 1, 1];
        }
    "#]]
    .assert_eq(&printed(&[(4, 5)], &|path| path.starts_with("n.running")));
}

#[test]
fn averages_are_named_by_their_parameters() {
    let (graph, loss) = image(4, 5);
    let step = training_step(&[graph], loss, &|_| false).expect("it can be trained");
    let average = |param: &str| RunningAverage {
        param: param.to_owned(),
        output: format!("{param}.batch"),
        momentum: 0.1,
    };
    assert_eq!(step.averages, ["n.running_mean", "n.running_var"].map(average));
    let wanted = Wanted { params: step.graph.params.ids().collect(), inputs: Vec::new() };
    let graph = step.differentiate(&wanted).expect("all ops have gradients");
    let outputs: Vec<&str> = graph.outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(outputs, ["loss", "n.weight", "n.bias", "n.running_mean.batch", "n.running_var.batch"]);
}

#[test]
fn batches_of_nothing_or_of_different_networks_are_refused() {
    let (graph, loss) = image(4, 5);
    let refusal =
        |images: &[Graph]| training_step(images, loss, &|_| false).expect_err("it is refused")[0].clone();
    assert_eq!(refusal(&[]).code, Code::E0506);
    let mut other = graph.clone();
    other.params = Default::default();
    assert_eq!(refusal(&[graph, other]).code, Code::E0506);
}
