//! Networks for tests, built with the API.

use serde_json::json;
use zellige_grammar::Span;
use zellige_runtime::machine::Machine;

use crate::base::{Bindings, Dim, Element, Shape, TensorType, ValueId};
use crate::ir::{Exact, Graph, Output, Target};
use crate::ops;
use crate::passes::Options;

/// A graph in the making.
pub(crate) struct Net {
    pub(crate) graph: Graph,
}

impl Net {
    pub(crate) fn new(name: &str) -> Self {
        Self { graph: Graph { name: name.into(), ..Graph::default() } }
    }

    pub(crate) fn input(&mut self, name: &str, shape: Shape) -> ValueId {
        self.graph.add_input(name, TensorType::f32(shape))
    }

    /// An op from its printed attributes.
    pub(crate) fn op(
        &mut self,
        name: &str,
        attrs: serde_json::Value,
        inputs: &[ValueId],
        path: &str,
    ) -> ValueId {
        let op = (ops::find(name).expect("op").parse)(attrs).expect("attributes");
        let fresh = self.graph.values.len().to_string();
        self.graph.add_op(&fresh, op, inputs.to_vec(), path, Span::default()).expect("shapes")
    }

    pub(crate) fn conv(&mut self, x: ValueId, out: u32, kernel: u32, stride: u32, path: &str) -> ValueId {
        let pad = kernel / 2;
        let attrs = json!({
            "out": out, "kernel": [kernel, kernel], "stride": [stride, stride], "pad": [pad, pad, pad, pad],
            "dilation": [1, 1], "groups": 1, "bias": true,
        });
        self.op("conv2d", attrs, &[x], path)
    }

    pub(crate) fn relu(&mut self, x: ValueId) -> ValueId {
        self.op("relu", json!({}), &[x], "relu")
    }

    pub(crate) fn output(mut self, name: &str, value: ValueId) -> Self {
        let ty = self.graph.values[value].ty.clone();
        self.graph.outputs.push(Output { name: name.into(), value, ty });
        self
    }
}

fn symbols(channels: i64) -> Shape {
    Shape::new(1, channels, Dim::symbol("H"), Dim::symbol("W"))
}

/// Two 3 × 3 convolutions padded by 1.
pub(crate) fn two_convs(shape: Shape) -> Graph {
    let mut net = Net::new("two_convs");
    let x = net.input("image", shape);
    let a = net.conv(x, 4, 3, 1, "a");
    let b = net.conv(a, 4, 3, 1, "b");
    net.output("y", b).graph
}

/// Encoder and decoder with a skip: pooling, concatenation, upsampling and a transposed convolution.
fn unet() -> Graph {
    let mut net = Net::new("unet");
    let x = net.input("image", symbols(3));
    let a = net.conv(x, 8, 3, 1, "enc0");
    let a = net.relu(a);
    let pool = json!({"kernel": [2, 2], "stride": [2, 2], "pad": [0, 0, 0, 0]});
    let p = net.op("max_pool2d", pool, &[a], "");
    let b = net.conv(p, 16, 3, 1, "enc1");
    let b = net.relu(b);
    let up = net.op("upsample", json!({"scale": [2, 2]}), &[b], "");
    let even = Dim::symbol("H").floor_div(2).times(2);
    let joined = net.graph.values[up].ty.shape.clone();
    assert_eq!(joined.h, even);
    let crop = json!({"top": 0, "left": 0, "bottom": "H - 2*(H/2)", "right": "W - 2*(W/2)"});
    let skip = net.op("crop", crop, &[a], "");
    let c = net.op("concat", json!({}), &[up, skip], "");
    let d = net.conv(c, 8, 3, 1, "dec");
    let transposed = json!({
        "out": 3, "kernel": [4, 4], "stride": [2, 2], "pad": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1,
        "bias": false, "output_pad": [0, 0],
    });
    let d = net.op("conv_transpose2d", transposed, &[d], "up");
    let mut graph = net.output("mask", d).graph;
    graph.exact.push(Exact { dividend: Dim::symbol("H"), divisor: 2 });
    graph
}

/// A squeeze-and-excite block with strides, average pooling, a padded branch and numbers of the model text.
fn squeeze_excite() -> Graph {
    let mut net = Net::new("squeeze excite");
    net.graph.weights = Some("se.safetensors".into());
    let x = net.graph.add_input("image", TensorType { element: Element::U8, shape: symbols(3) });
    let mean = net.graph.add_constant("mean", Shape::new(1, 3, 1, 1), vec![0.485, 0.1, -0.0]);
    let half = net.graph.add_constant("half", Shape::new(1, 1, 1, 1), vec![f32::INFINITY]);
    let x = net.op("sub", json!({}), &[x, mean], "");
    let x = net.op("clip", json!({"min": "-inf", "max": 0.1}), &[x], "");
    let x = net.conv(x, 16, 3, 2, "stem");
    let x = net.op("prelu", json!({}), &[x], "stem.act");
    let s = net.op("global_avg_pool", json!({}), &[x], "");
    let s = net.conv(s, 4, 1, 1, "down");
    let s = net.relu(s);
    let s = net.conv(s, 16, 1, 1, "up");
    let s = net.op("sigmoid", json!({}), &[s], "");
    let y = net.op("mul", json!({}), &[x, s], "");
    let pool = json!({"kernel": [3, 3], "stride": [2, 2], "pad": [1, 1, 1, 1], "count_include_pad": false});
    let y = net.op("avg_pool2d", pool, &[y], "");
    let z = net.op("mul", json!({}), &[y, half], "");
    let padded = net.op("pad", json!({"top": 1, "left": 0, "bottom": 2, "right": 3}), &[z], "");
    let net = net.output("features", y);
    net.output("padded one", padded).graph
}

/// The upscaler of the documentation, with few channels.
fn upscaler() -> Graph {
    let mut net = Net::new("upscale");
    let image = net.input("image", symbols(3));
    let mut x = net.conv(image, 8, 3, 1, "conv0");
    x = net.op("prelu", json!({}), &[x], "prelu0");
    x = net.conv(x, 12, 3, 1, "conv1");
    let detail = net.op("pixel_shuffle", json!({"factor": 2}), &[x], "");
    let coarse = net.op("upsample", json!({"scale": [2, 2]}), &[image], "");
    let y = net.op("add", json!({}), &[detail, coarse], "");
    net.output("upscaled", y).graph
}

/// A constant that is loaded as a tensor, a value that is read twice by one op, and two images.
fn constants() -> Graph {
    let mut net = Net::new("constants");
    let x = net.input("image", Shape::new(2, 5, Dim::symbol("H"), 8));
    let row =
        net.graph.add_constant("row", Shape::new(1, 5, 1, 8), (0..40).map(|i| i as f32 * 0.3).collect());
    let a = net.op("mul", json!({}), &[x, x], "");
    let b = net.op("add", json!({}), &[a, row], "");
    let m = net.op("global_avg_pool", json!({}), &[b], "");
    let c = net.op("sub", json!({}), &[b, m], "");
    let net = net.output("mean", m);
    net.output("centred", c).graph
}

/// Padding of all kinds, within a section and at its border, and reads of device memory with other addressings: of an input,
/// of a constant, of what a section makes, and of an output; two images.
fn boundaries() -> Graph {
    let sides = |mode: &str| json!({"top": 3, "left": 1, "bottom": 2, "right": 4, "mode": mode});
    let mut net = Net::new("boundaries");
    let x = net.input("image", Shape::new(2, 3, Dim::symbol("H"), Dim::symbol("W")));
    let numbers = (0..48).map(|i| i as f32).collect();
    let grid = net.graph.add_constant("grid", Shape::new(1, 3, 4, 4), numbers);
    let a = net.op("pad", sides("circular"), &[x], "");
    let a = net.conv(a, 4, 3, 1, "a");
    let a = net.op("pad", sides("reflect"), &[a], "");
    let low = json!({"top": 1, "left": 0, "bottom": 0, "right": 1, "value": "-inf"});
    let a = net.op("pad", low, &[a], "");
    let conv = json!({
        "out": 5, "kernel": [3, 3], "stride": [1, 2], "pad": [2, 1, 0, 1], "dilation": [1, 1], "groups": 1,
        "bias": true, "pad_mode": "replicate",
    });
    let b = net.op("conv2d", conv, &[a], "b");
    let t = net.op("transpose", json!({}), &[b], "");
    let t = net.conv(t, 6, 1, 1, "t");
    let r = net.op("reshape", json!({"shape": [2, -1, 1]}), &[t], "");
    let r = net.relu(r);
    let flat = net.op("reshape", json!({"shape": [1, "3*H", "W"]}), &[x], "");
    let mean = grid_mean(&mut net, grid);
    let image = net.op("add", json!({}), &[x, mean], "");
    let f = net.op("flatten", json!({}), &[image], "");
    let net = net.output("transposed", t).output("column", r);
    net.output("flat", f).output("rows", flat).graph
}

/// The mean of a constant that is wrapped first, of one image.
fn grid_mean(net: &mut Net, grid: ValueId) -> ValueId {
    let sides = json!({"top": 4, "left": 0, "bottom": 0, "right": 1, "mode": "circular"});
    let wrapped = net.op("pad", sides, &[grid], "");
    net.op("global_avg_pool", json!({}), &[wrapped], "")
}

/// What relates channels, rows and columns to one another.
fn attention() -> Graph {
    let mut net = Net::new("attention");
    let x = net.input("x", symbols(4));
    let normal = net.op("layer_norm", json!({"eps": 1e-5, "affine": true}), &[x], "norm");
    let rows = net.op("mean", json!({"axes": [3]}), &[normal], "");
    let columns = net.op("sum", json!({"axes": [1, 2]}), &[normal], "");
    let product = net.op("matmul", json!({}), &[rows, columns], "");
    let scores = net.op("mul", json!({}), &[product, normal], "");
    let weights = net.op("softmax", json!({}), &[scores], "");
    let mean = net.op("global_avg_pool", json!({}), &[weights], "");
    let linear = net.op("linear", json!({"out": 4, "bias": true}), &[mean], "linear");
    let all = net.op("mean", json!({"axes": [1, 2, 3]}), &[weights], "");
    let y = net.op("mul", json!({}), &[weights, linear], "");
    let y = net.op("add", json!({}), &[y, all], "");
    let class = net.op("argmax", json!({}), &[y], "");
    net.output("y", y).output("class", class).graph
}

/// Graphs for images of any size.
pub(crate) fn symbolic() -> Vec<Graph> {
    vec![two_convs(symbols(4)), unet(), squeeze_excite(), upscaler(), constants(), boundaries(), attention()]
}

/// The same for some sizes.
pub(crate) fn bound() -> Vec<Graph> {
    let sizes = [(32, 32), (37, 50), (90, 24)];
    let bind = |graph: &Graph, (h, w): (i64, i64)| {
        let even = |n: i64| if graph.name == "unet" { n / 2 * 2 } else { n };
        graph
            .bind(&Bindings::from_iter([("H".to_owned(), even(h)), ("W".to_owned(), even(w))]))
            .expect("sizes")
    };
    symbolic().iter().flat_map(|g| sizes.map(|s| bind(g, s))).collect()
}

/// Options for a machine with little memory.
pub(crate) fn options(sram: u64, tile: Option<[u64; 2]>) -> Options {
    let machine = Machine::builtin("tiny").expect("built in");
    let memory = machine.memory;
    Options {
        target: Target { machine, sram, memory, threads: 2 },
        tile,
        untiled: false,
        cut_after: Vec::new(),
        materialize: None,
        overlap: None,
        padding: crate::ir::Padding::default(),
        gradient: crate::ir::Gradient::default(),
        plan: None,
    }
}
