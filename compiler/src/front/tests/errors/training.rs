//! Mistakes in training sections.

use expect_test::{Expect, expect};

use super::super::render;
use super::super::training::{training, try_train};

fn check(text: &str, expected: &Expect) {
    let (found, problems) = try_train(text);
    assert!(found.is_none(), "no mistake has been found");
    expected.assert_eq(&render(text, &problems));
}

fn check_body(body: &str, expected: &Expect) {
    check(&training(body), expected);
}

#[test]
fn unknown_losses_and_optimizers() {
    check_body(
        "loss mse_loss(out, target);\n    loss crossentropy(out, target);\n    optimizer Adam(lr: 1e-3);\n    schedule cosin(steps: 4);",
        &expect![[r#"
            error[E0201]: no op or block is called `mse_loss`
              ┌─ m.zlg:5:10
              │
            5 │     loss mse_loss(out, target);
              │          ^^^^^^^^ unknown op
              │
              = help: here it is `mse`

            error[E0201]: no op or block is called `crossentropy`
              ┌─ m.zlg:6:10
              │
            6 │     loss crossentropy(out, target);
              │          ^^^^^^^^^^^^ unknown op
              │
              = help: did you mean `cross_entropy`?

            error[E0224]: no optimizer or schedule is called `Adam`
              ┌─ m.zlg:7:15
              │
            7 │     optimizer Adam(lr: 1e-3);
              │               ^^^^ unknown
              │
              = help: here it is `adamw`

            error[E0224]: no optimizer or schedule is called `cosin`
              ┌─ m.zlg:8:14
              │
            8 │     schedule cosin(steps: 4);
              │              ^^^^^ unknown
              │
              = help: did you mean `cosine`?

        "#]],
    );
    check_body(
        "let o = adamw(lr: 1e-3);\n    loss mse(out, targets);\n    optimizer rmsprop;\n    schedule mse(out, target);",
        &expect![[r#"
            error[E0201]: no op or block is called `adamw`
              ┌─ m.zlg:5:13
              │
            5 │     let o = adamw(lr: 1e-3);
              │             ^^^^^ unknown op
              │
              = help: optimizers and schedules stand in a training section: `optimizer …;`, `schedule …;`

            error[E0203]: nothing is called `targets`
              ┌─ m.zlg:6:19
              │
            6 │     loss mse(out, targets);
              │                   ^^^^^^^ unknown name
              │
              = help: did you mean `target`?

            error[E0224]: no optimizer or schedule is called `rmsprop`
              ┌─ m.zlg:7:15
              │
            7 │     optimizer rmsprop;
              │               ^^^^^^^ unknown
              │
              = help: there are `sgd`, `adamw`, `lion`, `cautious`, `subspace`, `constant`, `cosine`, `warmup`

            error[E0224]: no optimizer or schedule is called `mse`
              ┌─ m.zlg:8:14
              │
            8 │     schedule mse(out, target);
              │              ^^^ unknown
              │
              = help: there are `sgd`, `adamw`, `lion`, `cautious`, `subspace`, `constant`, `cosine`, `warmup`

        "#]],
    );
    check_body(
        "loss mse(out, target); optimizer cautious(prodigy(1.0));",
        &expect![[r#"
        error[E0224]: no optimizer or schedule is called `prodigy`
          ┌─ m.zlg:5:47
          │
        5 │     loss mse(out, target); optimizer cautious(prodigy(1.0));
          │                                               ^^^^^^^ unknown
          │
          = help: there are `sgd`, `adamw`, `lion`, `cautious`, `subspace`, `constant`, `cosine`, `warmup`

    "#]],
    );
}

#[test]
fn arguments_of_losses() {
    check_body(
        "loss l1(out, target, reduction: \"none\");\n    loss bce_with_logits(out, target, pos_weight: [1, 2]);\n    loss cross_entropy(out, target);\n    loss dice(out, target, smooth: -1);\n    loss mse(out, avg_pool2d(target, kernel: 2));\n    loss l1(out);",
        &expect![[r#"
            error[E0209]: `reduction` of `l1` is one of "mean", "sum"
              ┌─ m.zlg:5:37
              │
            5 │     loss l1(out, target, reduction: "none");
              │                                     ^^^^^^ no such word

            error[E0301]: the size 3 must equal 2, because `pos_weight` has 2 numbers
              ┌─ m.zlg:6:10
              │
            2 │     return conv2d(image, out: 3, kernel: 1, name: "c");
              │            ------------------------------------------- this is f32[1, 3, H, W]
            3 │ }
            4 │ train(target: f32[1, 3, H, W]) {
              │       ----------------------- this is f32[1, 3, H, W]
            5 │     loss l1(out, target, reduction: "none");
            6 │     loss bce_with_logits(out, target, pos_weight: [1, 2]);
              │          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op

            error[E0301]: the target of `cross_entropy` has one channel, found [1, 3, H, W]
              ┌─ m.zlg:7:10
              │
            2 │     return conv2d(image, out: 3, kernel: 1, name: "c");
              │            ------------------------------------------- this is f32[1, 3, H, W]
            3 │ }
            4 │ train(target: f32[1, 3, H, W]) {
              │       ----------------------- this is f32[1, 3, H, W]
              ·
            7 │     loss cross_entropy(out, target);
              │          ^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op
              │
              = help: its values are numbers of classes: 0 for the first channel of `x`, and so on

            error[E0209]: `smooth` of `dice` is at least 0, found -1
              ┌─ m.zlg:8:36
              │
            8 │     loss dice(out, target, smooth: -1);
              │                                    ^^ not possible

            error[E0301]: H must equal H/2, because `mse` compares [1, 3, H, W] with [1, 3, H/2, W/2]
              ┌─ m.zlg:9:10
              │
            2 │     return conv2d(image, out: 3, kernel: 1, name: "c");
              │            ------------------------------------------- this is f32[1, 3, H, W]
              ·
            9 │     loss mse(out, avg_pool2d(target, kernel: 2));
              │          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              │          │        │
              │          │        this is f32[1, 3, H/2, W/2]
              │          in this op

            error[E0206]: `l1` needs `target`
               ┌─ m.zlg:10:10
               │
            10 │     loss l1(out);
               │          ^^^^^^^ not given

        "#]],
    );
    check(
        r#"model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    return conv2d(image, out: 3, kernel: 1);
}
train(classes: u8[1, 1, H, W]) {
    loss cross_entropy(out, classes, weight: [1, 2]);
    loss cross_entropy(out, classes, weight: "balanced");
    loss cross_entropy(out, classes, weight: [1, -2, 3], ignore_index: 0.5);
    loss cross_entropy(out, classes, ignore_index: 100_000_000);
}
"#,
        &expect![[r#"
            error[E0301]: `weight` has a length of 2 for the 3 channels of [1, 3, H, W]
              ┌─ m.zlg:5:10
              │
            2 │     return conv2d(image, out: 3, kernel: 1);
              │            -------------------------------- this is f32[1, 3, H, W]
            3 │ }
            4 │ train(classes: u8[1, 1, H, W]) {
              │       ----------------------- this is u8[1, 1, H, W]
            5 │     loss cross_entropy(out, classes, weight: [1, 2]);
              │          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op
              │
              = help: there is one weight for each class

            error[E0207]: `weight` of `cross_entropy` is a number or a list of numbers
              ┌─ m.zlg:6:46
              │
            6 │     loss cross_entropy(out, classes, weight: "balanced");
              │                                              ^^^^^^^^^^ this is the string "balanced"

            error[E0207]: `ignore_index` of `cross_entropy` is an integer
              ┌─ m.zlg:7:72
              │
            7 │     loss cross_entropy(out, classes, weight: [1, -2, 3], ignore_index: 0.5);
              │                                                                        ^^^ this is the number 0.5

            error[E0209]: `ignore_index` of `cross_entropy` is at most 16777216, found 100000000
              ┌─ m.zlg:8:52
              │
            8 │     loss cross_entropy(out, classes, ignore_index: 100_000_000);
              │                                                    ^^^^^^^^^^^ not possible

        "#]],
    );
}

#[test]
fn arguments_of_optimizers() {
    check_body(
        "loss mse(out, target);\n    optimizer adamw(learning_rate: 1e-3);\n    schedule cosine(T_max: 100);",
        &expect![[r#"
            error[E0217]: `adamw` has no argument `learning_rate`
              ┌─ m.zlg:6:21
              │
            6 │     optimizer adamw(learning_rate: 1e-3);
              │                     ^^^^^^^^^^^^^ here it is `lr`
              │
              = help: write `lr: …`

            error[E0217]: `cosine` has no argument `T_max`
              ┌─ m.zlg:7:21
              │
            7 │     schedule cosine(T_max: 100);
              │                     ^^^^^ here it is `steps`
              │
              = help: write `steps: …`

        "#]],
    );
    check_body(
        "loss mse(out, target);\n    optimizer adamw(betas: [0.9, 1.0]);\n    schedule cosine(min: 0.1);",
        &expect![[r#"
            error[E0209]: `betas` of `adamw` are at least 0 and less than 1, found [0.9, 1.0]
              ┌─ m.zlg:6:28
              │
            6 │     optimizer adamw(betas: [0.9, 1.0]);
              │                            ^^^^^^^^^^ not possible

            error[E0206]: `cosine` needs `steps`
              ┌─ m.zlg:7:14
              │
            7 │     schedule cosine(min: 0.1);
              │              ^^^^^^^^^^^^^^^^ not given

        "#]],
    );
    check_body(
        "loss mse(out, target);\n    optimizer sgd(lr: -1, nesterov: true);\n    schedule warmup(0, constant());",
        &expect![[r#"
            error[E0209]: `nesterov` of `sgd` wants a `momentum`
              ┌─ m.zlg:6:37
              │
            6 │     optimizer sgd(lr: -1, nesterov: true);
              │                                     ^^^^ not possible

            error[E0209]: `steps` of `warmup` is at least 1, found 0
              ┌─ m.zlg:7:21
              │
            7 │     schedule warmup(0, constant());
              │                     ^ not possible

        "#]],
    );
    check_body(
        "loss mse(out, target);\n    optimizer sgd(lr: 0);\n    schedule warmup(10, adamw());",
        &expect![[r#"
            error[E0209]: `lr` of `sgd` is positive, found 0.0
              ┌─ m.zlg:6:23
              │
            6 │     optimizer sgd(lr: 0);
              │                       ^ not possible

            error[E0207]: `then` of `warmup` is a schedule
              ┌─ m.zlg:7:25
              │
            7 │     schedule warmup(10, adamw());
              │                         ^^^^^^^ this is an optimizer

        "#]],
    );
    check_body(
        "loss mse(out, target);\n    optimizer cautious(subspace(cautious(lion), rank: 4));\n    schedule warmup(10);",
        &expect![[r#"
            error[E0209]: `optimizer` of `cautious` is cautious already
              ┌─ m.zlg:6:24
              │
            6 │     optimizer cautious(subspace(cautious(lion), rank: 4));
              │                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not possible

            error[E0206]: `warmup` needs `then`
              ┌─ m.zlg:7:14
              │
            7 │     schedule warmup(10);
              │              ^^^^^^^^^^ not given

        "#]],
    );
    check_body(
        "loss mse(out, target);\n    optimizer subspace(adamw(betas: 0.9), rank: 0.5, lr: \"fast\");\n    schedule adamw();",
        &expect![[r#"
            error[E0209]: `betas` of `adamw` are two numbers, found 1
              ┌─ m.zlg:6:37
              │
            6 │     optimizer subspace(adamw(betas: 0.9), rank: 0.5, lr: "fast");
              │                                     ^^^ not possible

            error[E0207]: `rank` of `subspace` is an integer
              ┌─ m.zlg:6:49
              │
            6 │     optimizer subspace(adamw(betas: 0.9), rank: 0.5, lr: "fast");
              │                                                 ^^^ this is the number 0.5

            error[E0207]: `lr` of `subspace` is a number
              ┌─ m.zlg:6:58
              │
            6 │     optimizer subspace(adamw(betas: 0.9), rank: 0.5, lr: "fast");
              │                                                          ^^^^^^ this is the string "fast"

            error[E0207]: `schedule` takes a schedule
              ┌─ m.zlg:7:14
              │
            7 │     schedule adamw();
              │              ^^^^^^^ this is an optimizer
              │
              = help: as in `schedule cosine(steps: 1000);`

        "#]],
    );
}

#[test]
fn a_loss_is_one_number() {
    check_body(
        "loss out - target;\n    loss 3;\n    loss target;\n    loss mean(out, axes: [2, 3]);\n    loss const(1, shape: [1, 1, 1, 1]);",
        &expect![[r#"
            error[E0223]: a loss is a single number, f32[1, 1, 1, 1]
              ┌─ m.zlg:5:10
              │
            5 │     loss out - target;
              │          ^^^^^^^^^^^^ this is a tensor f32[1, 3, H, W]
              │
              = help: `mse`, `l1`, `cross_entropy`, `bce_with_logits` and `dice` give one: `l1(out, target)`

            error[E0223]: a loss is a tensor of one number
              ┌─ m.zlg:6:10
              │
            6 │     loss 3;
              │          ^ this is the integer 3
              │
              = help: `mse`, `l1`, `cross_entropy`, `bce_with_logits` and `dice` give one: `l1(out, target)`

            error[E0223]: a loss is what an op computes of the model's outputs
              ┌─ m.zlg:7:10
              │
            7 │     loss target;
              │          ^^^^^^ this is a tensor f32[1, 3, H, W]
              │
              = help: `mse`, `l1`, `cross_entropy`, `bce_with_logits` and `dice` give one: `l1(out, target)`

            error[E0223]: a loss is a single number, f32[1, 1, 1, 1]
              ┌─ m.zlg:8:10
              │
            8 │     loss mean(out, axes: [2, 3]);
              │          ^^^^^^^^^^^^^^^^^^^^^^^ this is a tensor f32[1, 3, 1, 1]
              │
              = help: `mse`, `l1`, `cross_entropy`, `bce_with_logits` and `dice` give one: `l1(out, target)`

            error[E0223]: a loss is what an op computes of the model's outputs
              ┌─ m.zlg:9:10
              │
            9 │     loss const(1, shape: [1, 1, 1, 1]);
              │          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this is a tensor f32[1, 1, 1, 1]
              │
              = help: `mse`, `l1`, `cross_entropy`, `bce_with_logits` and `dice` give one: `l1(out, target)`

        "#]],
    );
}

#[test]
fn what_is_missing_and_what_is_twice() {
    check_body(
        "optimizer adamw;",
        &expect![[r#"
        error[E0225]: the training section has no loss
          ┌─ m.zlg:6:1
          │
        4 │ train(target: f32[1, 3, H, W]) {
          │ ----- in this section
        5 │     optimizer adamw;
        6 │ }
          │ ^ a `loss` is missing before this
          │
          = help: as in `loss l1(out, target);`

    "#]],
    );
    check_body(
        "loss mse(out, target);\n    optimizer adamw;\n    optimizer sgd;\n    clip 1.0;\n    clip 2.0;\n    schedule constant;\n    schedule constant;\n    accumulate 2;\n    accumulate 3;",
        &expect![[r#"
            error[E0208]: `optimizer` is given twice
              ┌─ m.zlg:7:5
              │
            6 │     optimizer adamw;
              │     ---------------- first given here
            7 │     optimizer sgd;
              │     ^^^^^^^^^^^^^^ given again

            error[E0208]: `clip` is given twice
              ┌─ m.zlg:9:5
              │
            8 │     clip 1.0;
              │     --------- first given here
            9 │     clip 2.0;
              │     ^^^^^^^^^ given again

            error[E0208]: `schedule` is given twice
               ┌─ m.zlg:11:5
               │
            10 │     schedule constant;
               │     ------------------ first given here
            11 │     schedule constant;
               │     ^^^^^^^^^^^^^^^^^^ given again

            error[E0208]: `accumulate` is given twice
               ┌─ m.zlg:13:5
               │
            12 │     accumulate 2;
               │     ------------- first given here
            13 │     accumulate 3;
               │     ^^^^^^^^^^^^^ given again

        "#]],
    );
    check(
        "train(target: f32[1, 3, H, W]) { loss mse(target, target); }\n",
        &expect![[r#"
        error[E0214]: the file has no model
          ┌─ m.zlg:2:1
          │
        2 │
          │ ^ expected `model NAME(inputs) -> (outputs) { … }`

    "#]],
    );
    let text = training("loss mse(out, target);");
    check(
        text.split("train").next().unwrap(),
        &expect![[r#"
        error[E0220]: the file has no training section
          ┌─ m.zlg:4:1
          │
        4 │
          │ ^ expected `train(target: f32[…]) { loss …; optimizer …; }`

    "#]],
    );
    check(
        &format!("{text}train() {{ loss mse(out, image); }}\n"),
        &expect![[r#"
        error[E0220]: the file has more than one training section
          ┌─ m.zlg:7:1
          │
        4 │ train(target: f32[1, 3, H, W]) {
          │ ----- the first one
          ·
        7 │ train() { loss mse(out, image); }
          │ ^^^^^ another one
          │
          = help: several losses stand in one section, which sums them

    "#]],
    );
}

#[test]
fn numbers_of_steps_and_norms() {
    check_body(
        "loss mse(out, target);\n    accumulate 0;\n    clip -1.0;",
        &expect![[r#"
        error[E0207]: `accumulate` takes a positive number of steps
          ┌─ m.zlg:6:16
          │
        6 │     accumulate 0;
          │                ^ this is the integer 0
          │
          = help: as in `accumulate 4;`

        error[E0207]: `clip` takes the greatest norm, a positive number
          ┌─ m.zlg:7:10
          │
        7 │     clip -1.0;
          │          ^^^^ this is the number -1.0
          │
          = help: as in `clip 1.0;`

    "#]],
    );
    check_body(
        "loss mse(out, target);\n    accumulate 1.5;\n    clip target;",
        &expect![[r#"
        error[E0207]: `accumulate` takes a positive number of steps
          ┌─ m.zlg:6:16
          │
        6 │     accumulate 1.5;
          │                ^^^ this is the number 1.5
          │
          = help: as in `accumulate 4;`

        error[E0207]: `clip` takes the greatest norm, a positive number
          ┌─ m.zlg:7:10
          │
        7 │     clip target;
          │          ^^^^^^ this is a tensor f32[1, 3, H, W]
          │
          = help: as in `clip 1.0;`

    "#]],
    );
}

#[test]
fn names_in_a_training_section() {
    check(
        r#"model m(image: f32[1, 3, H, W], loss: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    let hidden = conv2d(image + loss, out: 3, kernel: 1);
    return relu(hidden);
}
train(image: f32[1, 3, H, W], other: f32[1, 3, H, K*K]) {
    loss mse(hidden, image);
}
"#,
        &expect![[r#"
            error[E0204]: `loss` is what a training's result is called
              ┌─ m.zlg:1:33
              │
            1 │ model m(image: f32[1, 3, H, W], loss: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │                                 ^^^^ cannot be called so where there is a training section

            error[E0204]: `image` is defined twice
              ┌─ m.zlg:5:7
              │
            1 │ model m(image: f32[1, 3, H, W], loss: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │         ----- first defined here
              ·
            5 │ train(image: f32[1, 3, H, W], other: f32[1, 3, H, K*K]) {
              │       ^^^^^ defined again
              │
              = help: give each input a name of its own

            error[E0505]: `K` does not follow from the sizes of the inputs
              ┌─ m.zlg:5:51
              │
            5 │ train(image: f32[1, 3, H, W], other: f32[1, 3, H, K*K]) {
              │                                                   ^^^ this size does not tell what `K` is
              │
              = help: a size that is `K` times a number plus a number would

            error[E0203]: nothing is called `hidden`
              ┌─ m.zlg:6:14
              │
            6 │     loss mse(hidden, image);
              │              ^^^^^^ unknown name

        "#]],
    );
    let text = training("loss mse(out, image);\n    let unused = 3;");
    let (found, problems) = try_train(&text);
    assert!(found.is_some());
    expect![[r#"
        warning[E0219]: the input `target` is never used
          ┌─ m.zlg:4:7
          │
        4 │ train(target: f32[1, 3, H, W]) {
          │       ^^^^^^ not used

        warning[E0219]: the value `unused` is never used
          ┌─ m.zlg:6:9
          │
        6 │     let unused = 3;
          │         ^^^^^^ not used

    "#]]
    .assert_eq(&render(&text, &problems));
}

#[test]
fn parameters_belong_to_the_model() {
    check_body(
        "let features = conv2d(out, out: 8, kernel: 1) |> prelu;\n    loss mse(features, features);",
        &expect![[r#"
            error[E0226]: a training section has no parameters, as `conv2d` does
              ┌─ m.zlg:5:20
              │
            5 │     let features = conv2d(out, out: 8, kernel: 1) |> prelu;
              │                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ belongs into the model
              │
              = help: make it an output of the model

        "#]],
    );
}

#[test]
fn mistakes_of_the_model_are_reported_once() {
    check(
        r#"model m(image: f32[1, 3, H, W]) -> (out: f32[1, 4, H, W], wrong: f32[1, 3, H]) {
    return conv2d(image, out: 3, kernel: 1), image;
}
train(target: f32[1, 3, H, W]) {
    loss mse(out, target);
    loss mse(wrong, target);
}
"#,
        &expect![[r#"
            error[E0303]: a tensor has four dimensions, not 3
              ┌─ m.zlg:1:66
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 4, H, W], wrong: f32[1, 3, H]) {
              │                                                                  ^^^^^^^^^^^^ expected images, channels, rows, columns
              │
              = help: as in `f32[1, 3, H, W]`

            error[E0304]: expected f32[1, 4, H, W], found f32[1, 3, H, W]
              ┌─ m.zlg:2:12
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 4, H, W], wrong: f32[1, 3, H]) {
              │                                     -------------------- `out` is declared f32[1, 4, H, W]
            2 │     return conv2d(image, out: 3, kernel: 1), image;
              │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this is f32[1, 3, H, W]

            error[E0222]: the output `wrong` is an input
              ┌─ m.zlg:2:46
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 4, H, W], wrong: f32[1, 3, H]) {
              │         ---------------------- it is given by the caller
            2 │     return conv2d(image, out: 3, kernel: 1), image;
              │                                              ^^^^^ no op has computed this

        "#]],
    );
}
