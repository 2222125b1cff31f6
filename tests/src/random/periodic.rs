//! Random networks on images that are continued circularly: chains of windows, with skips, branches, statistics, and what cannot be
//! continued in between.

use fastrand::Rng;
use zellige_compiler::ir::Graph;

use crate::op_cases;
use crate::run::differentiated;

/// The network of a seed, or its gradients. It is large beside its windows, so that rims are small beside it.
pub fn periodic(seed: u64) -> Graph {
    let text = network(&mut Rng::with_seed(seed));
    let graph = op_cases::graph(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    if seed.is_multiple_of(2) {
        graph
    } else {
        differentiated(&graph).unwrap_or_else(|e| panic!("{e}\n{text}"))
    }
}

fn network(rng: &mut Rng) -> String {
    let [h, w] = [0; 2].map(|_| rng.u64(80..112));
    let images = if rng.u8(0..4) == 0 { 2 } else { 1 };
    let (channels, layers) = (rng.u64(1..5), rng.usize(2..6));
    let mut body = String::new();
    for i in 1..=layers {
        let (x, any) = (format!("x{}", i - 1), format!("x{}", rng.usize(0..i)));
        let layer = match rng.u8(0..12) {
            0 => format!("{x} + {any}"),
            1 => format!("concat({x}, {any}) |> conv2d(out: {channels}, kernel: 1, name: \"c{i}\")"),
            2 => format!("{x} |> instance_norm(affine: true, name: \"n{i}\")"),
            3 => format!("{x} |> conv2d(out: {channels}, kernel: 3, pad: 1, name: \"c{i}\")"),
            4 => format!("{x} * (global_avg_pool({any}) |> sigmoid)"),
            5 => {
                let [a, b] = [0; 2].map(|_| rng.u8(0..3));
                let pad = format!("top: {a}, left: {b}, bottom: {}, right: {}", 2 - a, 2 - b);
                let pool = ["max_pool2d", "avg_pool2d"][rng.usize(0..2)];
                format!("{x} |> pad({pad}, mode: \"circular\") |> {pool}(kernel: 3, stride: 1)")
            }
            _ => format!("{x} |> {}", convolution(rng, channels, i)),
        };
        body += &format!("let x{i} = {layer}{};\n", ["", " |> relu", " |> silu"][rng.usize(0..3)]);
    }
    let ty = format!("f32[{images}, {channels}, {h}, {w}]");
    format!(
        "model m(x0: {ty}) -> (y: {ty}) {{\n{body}return x{layers} |> conv2d(out: {channels}, kernel: 1, name: \"last\");\n}}"
    )
}

/// A convolution that keeps the size, with what its windows reach over in circular padding on either side.
fn convolution(rng: &mut Rng, channels: u64, i: usize) -> String {
    let [ky, kx] = [0; 2].map(|_| rng.u64(1..4));
    let dilation = rng.u64(1..3);
    let [top, left] = [ky, kx].map(|k| rng.u64(0..=(k - 1) * dilation));
    let [bottom, right] = [(ky, top), (kx, left)].map(|(k, before)| (k - 1) * dilation - before);
    let groups = if rng.u8(0..4) == 0 { channels } else { 1 };
    format!(
        "conv2d(out: {channels}, kernel: [{ky}, {kx}], dilation: {dilation}, groups: {groups}, \
         pad: (top: {top}, left: {left}, bottom: {bottom}, right: {right}), pad_mode: \"circular\", name: \"c{i}\")"
    )
}
