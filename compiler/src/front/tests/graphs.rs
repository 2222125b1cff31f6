//! Models become the graphs that they describe.

use expect_test::{Expect, expect};

use super::{lower, render, show};

fn check(text: &str, expected: &Expect) {
    let (graph, problems) = lower(text);
    assert!(problems.is_empty(), "{}", render(text, &problems));
    expected.assert_eq(&show(&graph));
}

#[test]
fn stack8_has_eight_convolutions() {
    let (graph, problems) = lower(include_str!("../../../../grammar/tests/data/stack8.zlg"));
    assert!(problems.is_empty());
    assert_eq!(graph.weights.as_deref(), Some("stack8.safetensors"));
    assert_eq!((graph.ops.len(), graph.params.len()), (16, 16));
    let paths: Vec<_> = graph.params.iter().map(|(_, p)| p.name.as_str()).collect();
    assert_eq!(paths[..3], ["conv0.weight", "conv0.bias", "conv1.weight"]);
    assert_eq!(paths[15], "conv7.bias");
}

#[test]
fn unet_prefixes_paths_and_asks_for_multiples_of_four() {
    check(
        include_str!("../../../../grammar/tests/data/unet.zlg"),
        &expect![[r#"
            input image: f32[1, 3, H, W]
            enc1.0 = conv2d(image) [enc1.0.weight [16, 3, 3, 3], enc1.0.bias [16]]: f32[1, 16, H, W]
            enc1.y = relu(enc1.0): f32[1, 16, H, W]
            enc1.1 = conv2d(enc1.y) [enc1.1.weight [16, 16, 3, 3], enc1.1.bias [16]]: f32[1, 16, H, W]
            e1 = relu(enc1.1): f32[1, 16, H, W]
            max_pool2d = max_pool2d(e1): f32[1, 16, H/2, W/2]
            enc2.0 = conv2d(max_pool2d) [enc2.0.weight [32, 16, 3, 3], enc2.0.bias [32]]: f32[1, 32, H/2, W/2]
            enc2.y = relu(enc2.0): f32[1, 32, H/2, W/2]
            enc2.1 = conv2d(enc2.y) [enc2.1.weight [32, 32, 3, 3], enc2.1.bias [32]]: f32[1, 32, H/2, W/2]
            e2 = relu(enc2.1): f32[1, 32, H/2, W/2]
            max_pool2d.1 = max_pool2d(e2): f32[1, 32, H/4, W/4]
            enc3.0 = conv2d(max_pool2d.1) [enc3.0.weight [64, 32, 3, 3], enc3.0.bias [64]]: f32[1, 64, H/4, W/4]
            enc3.y = relu(enc3.0): f32[1, 64, H/4, W/4]
            enc3.1 = conv2d(enc3.y) [enc3.1.weight [64, 64, 3, 3], enc3.1.bias [64]]: f32[1, 64, H/4, W/4]
            e3 = relu(enc3.1): f32[1, 64, H/4, W/4]
            dec2.upsample = upsample(e3): f32[1, 64, 2*(H/4), 2*(W/4)]
            dec2.up = conv2d(dec2.upsample) [dec2.up.weight [32, 64, 3, 3], dec2.up.bias [32]]: f32[1, 32, 2*(H/4), 2*(W/4)]
            dec2.y = relu(dec2.up): f32[1, 32, 2*(H/4), 2*(W/4)]
            dec2.concat = concat(dec2.y, e2): f32[1, 64, 2*(H/4), 2*(W/4)]
            dec2.conv.0 = conv2d(dec2.concat) [dec2.conv.0.weight [32, 64, 3, 3], dec2.conv.0.bias [32]]: f32[1, 32, 2*(H/4), 2*(W/4)]
            dec2.conv.y = relu(dec2.conv.0): f32[1, 32, 2*(H/4), 2*(W/4)]
            dec2.conv.1 = conv2d(dec2.conv.y) [dec2.conv.1.weight [32, 32, 3, 3], dec2.conv.1.bias [32]]: f32[1, 32, 2*(H/4), 2*(W/4)]
            d2 = relu(dec2.conv.1): f32[1, 32, 2*(H/4), 2*(W/4)]
            dec1.upsample = upsample(d2): f32[1, 32, 4*(H/4), 4*(W/4)]
            dec1.up = conv2d(dec1.upsample) [dec1.up.weight [16, 32, 3, 3], dec1.up.bias [16]]: f32[1, 16, 4*(H/4), 4*(W/4)]
            dec1.y = relu(dec1.up): f32[1, 16, 4*(H/4), 4*(W/4)]
            dec1.concat = concat(dec1.y, e1): f32[1, 32, 4*(H/4), 4*(W/4)]
            dec1.conv.0 = conv2d(dec1.concat) [dec1.conv.0.weight [16, 32, 3, 3], dec1.conv.0.bias [16]]: f32[1, 16, 4*(H/4), 4*(W/4)]
            dec1.conv.y = relu(dec1.conv.0): f32[1, 16, 4*(H/4), 4*(W/4)]
            dec1.conv.1 = conv2d(dec1.conv.y) [dec1.conv.1.weight [16, 16, 3, 3], dec1.conv.1.bias [16]]: f32[1, 16, 4*(H/4), 4*(W/4)]
            d1 = relu(dec1.conv.1): f32[1, 16, 4*(H/4), 4*(W/4)]
            out = conv2d(d1) [head.weight [3, 16, 1, 1], head.bias [3]]: f32[1, 3, 4*(H/4), 4*(W/4)]
            output out = out: f32[1, 3, H, W]
            conv2d: H must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W must be at least 1, because the window spans 3 columns and the padding adds 2
            conv2d: H must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W must be at least 1, because the window spans 3 columns and the padding adds 2
            max_pool2d: H must be at least 2, because the window spans 2 rows and the padding adds 0
            max_pool2d: W must be at least 2, because the window spans 2 columns and the padding adds 0
            conv2d: H/2 must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W/2 must be at least 1, because the window spans 3 columns and the padding adds 2
            conv2d: H/2 must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W/2 must be at least 1, because the window spans 3 columns and the padding adds 2
            max_pool2d: H/2 must be at least 2, because the window spans 2 rows and the padding adds 0
            max_pool2d: W/2 must be at least 2, because the window spans 2 columns and the padding adds 0
            conv2d: H/4 must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W/4 must be at least 1, because the window spans 3 columns and the padding adds 2
            conv2d: H/4 must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W/4 must be at least 1, because the window spans 3 columns and the padding adds 2
            conv2d: 2*(H/4) must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: 2*(W/4) must be at least 1, because the window spans 3 columns and the padding adds 2
            concat: H/2 must be even, because concat joins [1, 32, 2*(H/4), 2*(W/4)] with [1, 32, H/2, W/2], which differ in more than channels
            concat: W/2 must be even, because concat joins [1, 32, 2*(H/4), 2*(W/4)] with [1, 32, H/2, W/2], which differ in more than channels
            conv2d: 2*(H/4) must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: 2*(W/4) must be at least 1, because the window spans 3 columns and the padding adds 2
            conv2d: 2*(H/4) must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: 2*(W/4) must be at least 1, because the window spans 3 columns and the padding adds 2
            conv2d: 4*(H/4) must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: 4*(W/4) must be at least 1, because the window spans 3 columns and the padding adds 2
            concat: H must be a multiple of 4, because concat joins [1, 16, 4*(H/4), 4*(W/4)] with [1, 16, H, W], which differ in more than channels
            concat: W must be a multiple of 4, because concat joins [1, 16, 4*(H/4), 4*(W/4)] with [1, 16, H, W], which differ in more than channels
            conv2d: 4*(H/4) must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: 4*(W/4) must be at least 1, because the window spans 3 columns and the padding adds 2
            conv2d: 4*(H/4) must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: 4*(W/4) must be at least 1, because the window spans 3 columns and the padding adds 2
            conv2d: 4*(H/4) must be at least 1, because the window spans 1 rows and the padding adds 0
            conv2d: 4*(W/4) must be at least 1, because the window spans 1 columns and the padding adds 0
            types: H must be a multiple of 4, because output `out` is declared f32[1, 3, H, W]
            types: W must be a multiple of 4, because output `out` is declared f32[1, 3, H, W]
        "#]],
    );
}

#[test]
fn the_upscaler_of_the_manual() {
    let text = include_str!("../../../../grammar/tests/data/language.zlg");
    let (graph, problems) = lower(text);
    assert!(problems.is_empty());
    assert_eq!((graph.ops.len(), graph.params.len()), (38, 18 * 2 + 17));
    let tail: Vec<_> = show(&graph).lines().rev().take(5).map(str::to_owned).collect();
    expect![[r#"
        conv2d: W must be at least 1, because the window spans 3 columns and the padding adds 2
        conv2d: H must be at least 1, because the window spans 3 rows and the padding adds 2
        conv2d: W must be at least 1, because the window spans 3 columns and the padding adds 2
        conv2d: H must be at least 1, because the window spans 3 rows and the padding adds 2
        conv2d: W must be at least 1, because the window spans 3 columns and the padding adds 2"#]]
    .assert_eq(&tail.join("\n"));
    let (bench, problems) = lower(include_str!("../../../../grammar/tests/data/upscaler.zlg"));
    assert!(problems.is_empty());
    assert_eq!(bench.ops.len(), 37);
}

#[test]
fn squeeze_and_excite() {
    check(
        r#"
block squeeze_excite(x, hidden) {
    let s = global_avg_pool(x) |> conv2d(out: hidden, kernel: 1, name: "down") |> relu;
    return x * (conv2d(s, out: channels(x), kernel: 1, name: "up") |> sigmoid);
}
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 16, H, W]) {
    let x = conv2d(image, out: 16, kernel: 3, pad: 1);
    return x |> squeeze_excite(4, name: "layer1.0.se");
}"#,
        &expect![[r#"
            input image: f32[1, 3, H, W]
            x = conv2d(image) [conv2d_0.weight [16, 3, 3, 3], conv2d_0.bias [16]]: f32[1, 16, H, W]
            layer1.0.se.global_avg_pool = global_avg_pool(x): f32[1, 16, 1, 1]
            layer1.0.se.down = conv2d(layer1.0.se.global_avg_pool) [layer1.0.se.down.weight [4, 16, 1, 1], layer1.0.se.down.bias [4]]: f32[1, 4, 1, 1]
            layer1.0.se.s = relu(layer1.0.se.down): f32[1, 4, 1, 1]
            layer1.0.se.up = conv2d(layer1.0.se.s) [layer1.0.se.up.weight [16, 4, 1, 1], layer1.0.se.up.bias [16]]: f32[1, 16, 1, 1]
            layer1.0.se.sigmoid = sigmoid(layer1.0.se.up): f32[1, 16, 1, 1]
            out = mul(x, layer1.0.se.sigmoid): f32[1, 16, H, W]
            output out = out: f32[1, 16, H, W]
            conv2d: H must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W must be at least 1, because the window spans 3 columns and the padding adds 2
        "#]],
    );
}

#[test]
fn blocks_take_defaults_and_arguments_in_any_order() {
    check(
        r#"
block residual(x, width = channels(x), act = "relu", again = width > 4) {
    let y = conv2d(x, width, kernel: [3, 1], pad: (top: 1, bottom: 1), name: "a");
    if act == "relu" { y = relu(y); } else if act == "leaky" { y = leaky_relu(y, 0.2); } else { y = sigmoid(y); }
    if again { y = conv2d(y, out: channels(x), kernel: 1, bias: false, name: "b"); }
    return x + y;
}
block twice(x) {
    for i in 0..2 { x = residual(x, act: "leaky", name: "{i}"); }
    return x;
}
model m(image: f32[N, 3, H, W]) -> (out: f32[N, 8, H, W], small: f32[N, 3, H, W]) {
    let x = conv2d(image, out: 8, kernel: 1);
    let small = residual(again: true, x: image, name: "small");
    return twice(x, name: "body.layers"), small;
}"#,
        &expect![[r#"
            input image: f32[N, 3, H, W]
            x = conv2d(image) [conv2d_0.weight [8, 3, 1, 1], conv2d_0.bias [8]]: f32[N, 8, H, W]
            small.y = conv2d(image) [small.a.weight [3, 3, 3, 1], small.a.bias [3]]: f32[N, 3, H, W]
            small.y.1 = relu(small.y): f32[N, 3, H, W]
            small.y.2 = conv2d(small.y.1) [small.b.weight [3, 3, 1, 1]]: f32[N, 3, H, W]
            small = add(image, small.y.2): f32[N, 3, H, W]
            body.layers.0.y = conv2d(x) [body.layers.0.a.weight [8, 8, 3, 1], body.layers.0.a.bias [8]]: f32[N, 8, H, W]
            body.layers.0.y.1 = leaky_relu(body.layers.0.y): f32[N, 8, H, W]
            body.layers.0.y.2 = conv2d(body.layers.0.y.1) [body.layers.0.b.weight [8, 8, 1, 1]]: f32[N, 8, H, W]
            body.layers.x = add(x, body.layers.0.y.2): f32[N, 8, H, W]
            body.layers.1.y = conv2d(body.layers.x) [body.layers.1.a.weight [8, 8, 3, 1], body.layers.1.a.bias [8]]: f32[N, 8, H, W]
            body.layers.1.y.1 = leaky_relu(body.layers.1.y): f32[N, 8, H, W]
            body.layers.1.y.2 = conv2d(body.layers.1.y.1) [body.layers.1.b.weight [8, 8, 1, 1]]: f32[N, 8, H, W]
            body.layers.x.1 = add(body.layers.x, body.layers.1.y.2): f32[N, 8, H, W]
            output out = body.layers.x.1: f32[N, 8, H, W]
            output small = small: f32[N, 3, H, W]
            conv2d: H must be at least 1, because the window spans 1 rows and the padding adds 0
            conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
            conv2d: H must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
            conv2d: H must be at least 1, because the window spans 1 rows and the padding adds 0
            conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
            conv2d: H must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
            conv2d: H must be at least 1, because the window spans 1 rows and the padding adds 0
            conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
            conv2d: H must be at least 1, because the window spans 3 rows and the padding adds 2
            conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
            conv2d: H must be at least 1, because the window spans 1 rows and the padding adds 0
            conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
        "#]],
    );
}

#[test]
fn numbers_become_constants_once() {
    check(
        r#"
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    let mean = const([0.5, [0.25, 1]], shape: [1, 3, 1, 1]);
    let half = 1 / 2.0;
    let x = (image - mean) / 0.5 * half;
    return -x + 2 - half * 4 % 3;
}"#,
        &expect![[r#"
            input image: f32[1, 3, H, W]
            const mean: f32[1, 3, 1, 1] = [0.5, 0.25, 1.0]
            sub = sub(image, mean): f32[1, 3, H, W]
            const 0.5: f32[1, 1, 1, 1] = [0.5]
            div = div(sub, 0.5): f32[1, 3, H, W]
            x = mul(div, 0.5): f32[1, 3, H, W]
            const -1: f32[1, 1, 1, 1] = [-1.0]
            mul = mul(x, -1): f32[1, 3, H, W]
            const 2: f32[1, 1, 1, 1] = [2.0]
            add = add(mul, 2): f32[1, 3, H, W]
            out = sub(add, 2): f32[1, 3, H, W]
            output out = out: f32[1, 3, H, W]
        "#]],
    );
}

#[test]
fn names_follow_scopes() {
    check(
        r#"
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    let x = relu(image);
    for i in 0..2 {
        let x = sigmoid(x);
        image = x + image;
    }
    if 2 * 3 == 6 && !(channels(x) < 3) || false { x = x + image; }
    return relu(x);
}"#,
        &expect![[r#"
            input image: f32[1, 3, H, W]
            x = relu(image): f32[1, 3, H, W]
            x.1 = sigmoid(x): f32[1, 3, H, W]
            image.1 = add(x.1, image): f32[1, 3, H, W]
            x.2 = sigmoid(x): f32[1, 3, H, W]
            image.2 = add(x.2, image.1): f32[1, 3, H, W]
            x.3 = add(x, image.2): f32[1, 3, H, W]
            out = relu(x.3): f32[1, 3, H, W]
            output out = out: f32[1, 3, H, W]
        "#]],
    );
}

#[test]
fn sizes_are_values() {
    check(
        r#"
model m(image: f32[1, 3, 2*H, W], mask: f32[1, 1, (W + 2)/2, W/3]) -> (out: f32[1, 3, ceil_div(H, 2), W - 3]) {
    let a = pad(image, right: width(image) / 4) |> crop(top: height(image) / 2, right: width(image) / 4 + 3);
    let b = max_pool2d(a, kernel: [2, 1], pad: 0);
    let c = global_avg_pool(mask);
    if channels(c) == 1 { b = b * c; }
    return relu(b);
}"#,
        &expect![[r#"
            input image: f32[1, 3, 2*H, W]
            input mask: f32[1, 1, (W/2) + 1, W/3]
            pad = pad(image): f32[1, 3, 2*H, W + (W/4)]
            a = crop(pad): f32[1, 3, H, W - 3]
            b = max_pool2d(a): f32[1, 3, H/2, W - 3]
            c = global_avg_pool(mask): f32[1, 1, 1, 1]
            b.1 = mul(b, c): f32[1, 3, H/2, W - 3]
            out = relu(b.1): f32[1, 3, H/2, W - 3]
            output out = out: f32[1, 3, (H + 1)/2, W - 3]
            types: W + 2 must be even, because (W/2) + 1 is a size of the model, and sizes are divided without remainder
            types: W must be a multiple of 3, because W/3 is a size of the model, and sizes are divided without remainder
            types: W must be a multiple of 4, because W/4 is a size of the model, and sizes are divided without remainder
            pad: W/4 must be at least 0, because it is the `right` of a pad
            crop: H must be at least 0, because it is the `top` of a crop
            crop: (W/4) + 3 must be at least 0, because it is the `right` of a crop
            crop: H must be at least 1, because the crop takes H off 2*H
            crop: W - 3 must be at least 1, because the crop takes (W/4) + 3 off W + (W/4)
            max_pool2d: H must be at least 2, because the window spans 2 rows and the padding adds 0
            max_pool2d: W - 3 must be at least 1, because the window spans 1 columns and the padding adds 0
            types: (H + 1)/2 must equal H/2, because output `out` is declared f32[1, 3, (H + 1)/2, W - 3]
        "#]],
    );
}

#[test]
fn resampled_sizes_follow_symbols() {
    check(
        "model m(x: f32[1, 4, H, W]) -> (a: f32[1, 4, 2*H, 2*W], b: f32[1, 2, (17*H)/10, W/2], c: f32[1, 4, 2*W, 5]) {
    let a = upsample(x, scale: 2, mode: \"bilinear\", align_corners: true);
    let b = slice(x, from: 1, to: 3) |> upsample(scale: [1.7, 0.5], mode: \"bicubic\");
    return a, b, upsample(x, size: [2 * width(x), 5], mode: \"nearest-exact\");
}",
        &expect![[r#"
            input x: f32[1, 4, H, W]
            a = upsample(x): f32[1, 4, 2*H, 2*W]
            slice = slice(x): f32[1, 2, H, W]
            b = upsample(slice): f32[1, 2, (17*H)/10, W/2]
            c = upsample(x): f32[1, 4, 2*W, 5]
            output a = a: f32[1, 4, 2*H, 2*W]
            output b = b: f32[1, 2, (17*H)/10, W/2]
            output c = c: f32[1, 4, 2*W, 5]
            types: 17*H must be a multiple of 10, because (17*H)/10 is a size of the model, and sizes are divided without remainder
            types: W must be even, because W/2 is a size of the model, and sizes are divided without remainder
            upsample: W/2 must be at least 1, because it is the number of columns of a resampled tensor
            upsample: 2*W must be at least 1, because it is the number of rows of a resampled tensor
        "#]],
    );
}

#[test]
fn crop_to_the_size_of_another_tensor() {
    check(
        r#"
model m(a: f32[1, 3, H, W], b: f32[1, 8, h, W]) -> (out: f32[1, 16, H - 4, W - 4]) {
    let x = conv2d(a, out: 8, kernel: 5, name: "x");
    let c = b |> crop(to: x);
    return concat(x, c, 1);
}"#,
        &expect![[r#"
            input a: f32[1, 3, H, W]
            input b: f32[1, 8, h, W]
            x = conv2d(a) [x.weight [8, 3, 5, 5], x.bias [8]]: f32[1, 8, H - 4, W - 4]
            c = crop(b): f32[1, 8, h - 2*((-H + h)/2) - 4, W - 4]
            out = concat(x, c): f32[1, 16, H - 4, W - 4]
            output out = out: f32[1, 16, H - 4, W - 4]
            crop: -H + h + 4 must be even, because ((-H + h)/2) + 2 is a size of the model, and sizes are divided without remainder
            conv2d: H must be at least 5, because the window spans 5 rows and the padding adds 0
            conv2d: W must be at least 5, because the window spans 5 columns and the padding adds 0
            crop: ((-H + h)/2) + 2 must be at least 0, because it is the `top` of a crop
            crop: ((-H + h)/2) + 2 must be at least 0, because it is the `bottom` of a crop
            crop: h - 2*((-H + h)/2) - 4 must be at least 1, because the crop takes 2*((-H + h)/2) + 4 off h
            crop: W - 4 must be at least 1, because the crop takes 4 off W
            concat: H - 4 must equal h - 2*((-H + h)/2) - 4, because concat joins [1, 8, H - 4, W - 4] with [1, 8, h - 2*((-H + h)/2) - 4, W - 4], which differ in more than channels
        "#]],
    );
}

#[test]
fn warnings_do_not_stop_anything() {
    let text = r#"
model m(image: f32[1, 3, H, W], mask: f32[1, 1, H, W]) -> (out: f32[1, 3, H, W]) {
    let x = relu(image);
    let y = sigmoid(image);
    let _z = sigmoid(image);
    for i in 0..3 { let k = 3 * i; }
    return relu(x);
}
train(target: f32[1, 3, H, W]) { loss l1(out, target); }
"#;
    let (_, problems) = lower(text);
    expect![[r#"
        warning[E0219]: the input `mask` is never used
          ┌─ m.zlg:2:33
          │
        2 │ model m(image: f32[1, 3, H, W], mask: f32[1, 1, H, W]) -> (out: f32[1, 3, H, W]) {
          │                                 ^^^^ not used

        warning[E0219]: the value `y` is never used
          ┌─ m.zlg:4:9
          │
        4 │     let y = sigmoid(image);
          │         ^ not used

        warning[E0219]: the value `k` is never used
          ┌─ m.zlg:6:25
          │
        6 │     for i in 0..3 { let k = 3 * i; }
          │                         ^ not used

    "#]]
    .assert_eq(&render(text, &problems));
}
