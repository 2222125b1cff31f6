//! Training sections become graphs with a loss, and settings.

use expect_test::{Expect, expect};
use zellige_grammar::{Diagnostic, parse_model};

use zellige_runtime::optimizer::{Optimizer, Schedule};

use super::super::{Training, lower_model, lower_training};
use super::{render, show};

pub(super) fn try_train(text: &str) -> (Option<Training>, Vec<Diagnostic>) {
    let (file, problems) = parse_model(text);
    assert!(problems.is_empty(), "{}", render(text, &problems));
    lower_training(&file.unwrap())
}

/// The training of a text without mistakes.
fn train(text: &str) -> Training {
    let (training, problems) = try_train(text);
    assert!(problems.is_empty(), "{}", render(text, &problems));
    training.unwrap()
}

/// A model with a training section of this body.
pub(super) fn training(body: &str) -> String {
    format!(
        "model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {{\n    return conv2d(image, out: 3, kernel: 1, name: \"c\");\n}}\ntrain(target: f32[1, 3, H, W]) {{\n    {body}\n}}\n"
    )
}

fn check(text: &str, expected: &Expect) {
    expected.assert_eq(&show(&train(text).graph));
}

#[test]
fn a_loss_is_the_last_output() {
    let text = training("loss l1(out, target); optimizer sgd;");
    check(
        &text,
        &expect![[r#"
        input image: f32[1, 3, H, W]
        out = conv2d(image) [c.weight [3, 3, 1, 1], c.bias [3]]: f32[1, 3, H, W]
        input target: f32[1, 3, H, W]
        loss = l1(out, target): f32[1, 1, 1, 1]
        output out = out: f32[1, 3, H, W]
        output loss = loss: f32[1, 1, 1, 1]
        conv2d: H must be at least 1, because the window spans 1 rows and the padding adds 0
        conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
    "#]],
    );
    let found = train(&text);
    let name = |id| found.graph.values[id].name.as_str();
    assert_eq!(
        (name(found.loss), found.targets.iter().map(|&id| name(id)).collect::<Vec<_>>()),
        ("loss", vec!["target"])
    );
    assert_eq!((found.schedule, found.accumulate, found.clip), (Schedule::Constant, 1, None));
    assert_eq!(&text[found.span.start as usize..][..6], "train(");
}

#[test]
fn losses_are_summed_in_the_order_of_the_text() {
    check(
        &training(
            "let d = out - target;\n    loss mean(d * d, axes: [1, 2, 3]);\n    loss 0.1 * mse(out, image, reduction: \"sum\");\n    loss dice(sigmoid(out), target);",
        ),
        &expect![[r#"
            input image: f32[1, 3, H, W]
            out = conv2d(image) [c.weight [3, 3, 1, 1], c.bias [3]]: f32[1, 3, H, W]
            input target: f32[1, 3, H, W]
            d = sub(out, target): f32[1, 3, H, W]
            mul = mul(d, d): f32[1, 3, H, W]
            mean = mean(mul): f32[1, 1, 1, 1]
            mse = mse(out, image): f32[1, 1, 1, 1]
            const 0.1: f32[1, 1, 1, 1] = [0.1]
            mul.1 = mul(0.1, mse): f32[1, 1, 1, 1]
            sigmoid = sigmoid(out): f32[1, 3, H, W]
            dice = dice(sigmoid, target): f32[1, 1, 1, 1]
            add = add(mean, mul.1): f32[1, 1, 1, 1]
            loss = add(add, dice): f32[1, 1, 1, 1]
            output out = out: f32[1, 3, H, W]
            output loss = loss: f32[1, 1, 1, 1]
            conv2d: H must be at least 1, because the window spans 1 rows and the padding adds 0
            conv2d: W must be at least 1, because the window spans 1 columns and the padding adds 0
        "#]],
    );
}

#[test]
fn blocks_and_targets_of_other_sizes() {
    check(
        r#"
block edges(x) { return x - avg_pool2d(x, kernel: 3, stride: 1, pad: 1); }
model segment(image: f32[N, 3, H, W]) -> (scores: f32[N, 5, H/2, W/2], features: f32[N, 8, H/2, W/2]) {
    let x = conv2d(image, out: 8, kernel: 2, stride: 2, name: "a");
    return conv2d(relu(x), out: 5, kernel: 1, name: "b"), x;
}
train(classes: u8[N, 1, H/2, W/2], wanted: f32[N, 8, ceil_div(H, 2), ceil_div(W, 2)]) {
    let weights = [1, 2, 0.5, 0.5, 1.5];
    loss cross_entropy(scores, classes, weight: weights, ignore_index: 255);
    if 1 < 2 { wanted = edges(wanted); }
    loss mse(edges(features), wanted);
}
"#,
        &expect![[r#"
            input image: f32[N, 3, H, W]
            x = conv2d(image) [a.weight [8, 3, 2, 2], a.bias [8]]: f32[N, 8, H/2, W/2]
            relu = relu(x): f32[N, 8, H/2, W/2]
            scores = conv2d(relu) [b.weight [5, 8, 1, 1], b.bias [5]]: f32[N, 5, H/2, W/2]
            input classes: u8[N, 1, H/2, W/2]
            input wanted: f32[N, 8, (H + 1)/2, (W + 1)/2]
            cross_entropy = cross_entropy(scores, classes): f32[1, 1, 1, 1]
            avg_pool2d = avg_pool2d(wanted): f32[N, 8, (H + 1)/2, (W + 1)/2]
            wanted.1 = sub(wanted, avg_pool2d): f32[N, 8, (H + 1)/2, (W + 1)/2]
            avg_pool2d.1 = avg_pool2d(x): f32[N, 8, H/2, W/2]
            sub = sub(x, avg_pool2d.1): f32[N, 8, H/2, W/2]
            mse = mse(sub, wanted.1): f32[1, 1, 1, 1]
            loss = add(cross_entropy, mse): f32[1, 1, 1, 1]
            output scores = scores: f32[N, 5, H/2, W/2]
            output features = x: f32[N, 8, H/2, W/2]
            output loss = loss: f32[1, 1, 1, 1]
            types: H must be even, because H/2 is a size of the model, and sizes are divided without remainder
            types: W must be even, because W/2 is a size of the model, and sizes are divided without remainder
            conv2d: H must be at least 2, because the window spans 2 rows and the padding adds 0
            conv2d: W must be at least 2, because the window spans 2 columns and the padding adds 0
            conv2d: H/2 must be at least 1, because the window spans 1 rows and the padding adds 0
            conv2d: W/2 must be at least 1, because the window spans 1 columns and the padding adds 0
            avg_pool2d: (H + 1)/2 must be at least 1, because the window spans 3 rows and the padding adds 2
            avg_pool2d: (W + 1)/2 must be at least 1, because the window spans 3 columns and the padding adds 2
            avg_pool2d: H/2 must be at least 1, because the window spans 3 rows and the padding adds 2
            avg_pool2d: W/2 must be at least 1, because the window spans 3 columns and the padding adds 2
            mse: H/2 must equal (H + 1)/2, because `mse` compares [N, 8, H/2, W/2] with [N, 8, (H + 1)/2, (W + 1)/2]
            mse: W/2 must equal (W + 1)/2, because `mse` compares [N, 8, H/2, W/2] with [N, 8, (H + 1)/2, (W + 1)/2]
        "#]],
    );
}

#[test]
fn a_loss_may_be_an_output_of_the_model() {
    check(
        r#"
model m(image: f32[1, 3, 8, 8]) -> (cost: f32[1, 1, 1, 1]) {
    return mean(conv2d(image, out: 3, kernel: 1, name: "c"), axes: [1, 2, 3]);
}
train() { loss cost; }
"#,
        &expect![[r#"
            input image: f32[1, 3, 8, 8]
            c = conv2d(image) [c.weight [3, 3, 1, 1], c.bias [3]]: f32[1, 3, 8, 8]
            cost = mean(c): f32[1, 1, 1, 1]
            const 1: f32[1, 1, 1, 1] = [1.0]
            loss = mul(cost, 1): f32[1, 1, 1, 1]
            output cost = cost: f32[1, 1, 1, 1]
            output loss = loss: f32[1, 1, 1, 1]
        "#]],
    );
}

#[test]
fn settings_are_typed() {
    let settings = |text: &str| {
        let Training { optimizer, schedule, accumulate, clip, .. } =
            train(&training(&format!("loss mse(out, target);\n    {text}")));
        (optimizer, schedule, accumulate, clip)
    };
    let adamw = |lr, weight_decay| Optimizer::AdamW { lr, betas: [0.9, 0.999], eps: 1e-8, weight_decay };
    assert_eq!(settings(""), (None, Schedule::Constant, 1, None));
    assert_eq!(
        settings("optimizer sgd(0.1, momentum: 0.9, nesterov: true); accumulate 2 * 2; clip 1;"),
        (
            Some(Optimizer::Sgd { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0 }),
            Schedule::Constant,
            4,
            Some(1.0)
        )
    );
    let cautious = Optimizer::Cautious(Box::new(adamw(1e-3, 0.0)));
    for text in [
        "cautious(adamw(weight_decay: 0))",
        "adamw(weight_decay: 0) |> cautious",
        "cautious(optimizer: adamw(weight_decay: 0.0))",
    ] {
        assert_eq!(settings(&format!("optimizer {text};")).0, Some(cautious.clone()));
    }
    let lion = Optimizer::Lion { lr: 1e-4, betas: [0.95, 0.98], weight_decay: 0.5 };
    assert_eq!(
        settings("let b = [0.95, 0.98]; optimizer lion(betas: b, weight_decay: 1/2.0) |> subspace(rank: channels(image), lr: 1e-2);").0,
        Some(Optimizer::Subspace { inner: Box::new(lion), rank: 3, lr: 1e-2, penalty: 0.1 })
    );
    assert_eq!(
        settings("optimizer subspace(cautious(adamw), 16);").0,
        Some(Optimizer::Subspace {
            inner: Box::new(Optimizer::Cautious(Box::new(adamw(1e-3, 0.01)))),
            rank: 16,
            lr: 0.005,
            penalty: 0.1
        })
    );
    let cosine = Schedule::Cosine { steps: 1000, min: 1e-5 };
    assert_eq!(settings("schedule cosine(1000, 1e-5);").1, cosine);
    assert_eq!(
        settings("schedule warmup(10, cosine(steps: 1000, min: 1e-5)); clip 0.5;"),
        (None, Schedule::Warmup { steps: 10, then: Box::new(cosine) }, 1, Some(0.5))
    );
    assert_eq!(settings("schedule constant;").1, Schedule::Constant);
}

#[test]
fn an_optimizer_is_asked_for_where_it_is_needed() {
    let text = training("loss mse(out, target);");
    let problem = train(&text).optimizer().unwrap_err();
    expect![[r#"
        error[E0225]: the training section has no optimizer
          ┌─ m.zlg:4:1
          │
        4 │ train(target: f32[1, 3, H, W]) {
          │ ^^^^^ expected `optimizer …;` in this section
          │
          = help: as in `optimizer adamw(lr: 1e-3);`

    "#]]
    .assert_eq(&render(&text, &[problem]));
    let with = train(&training("loss mse(out, target); optimizer lion;"));
    assert!(with.optimizer().is_ok());
}

#[test]
fn a_model_is_what_it_is_without_its_training() {
    let text = training("loss mse(out, target); optimizer adamw();");
    let (file, _) = parse_model(&text);
    let (graph, problems) = lower_model(&file.unwrap());
    assert_eq!(problems, []);
    let (alone, _) = parse_model(text.split("train").next().unwrap());
    assert_eq!(graph, lower_model(&alone.unwrap()).0);
    // A mistake in it is for who trains.
    let (file, _) = parse_model(&training("loss nothing(out);"));
    assert_eq!(lower_model(&file.unwrap()).0, graph);
}
