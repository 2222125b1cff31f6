//! Blocks.

use expect_test::expect;

use super::check;

#[test]
fn an_error_in_a_block() {
    check(
        r#"block head(x, out) {
    return conv2d(x, out: out, kernel: 3) + x;
}
block twice(x) {
    return head(x, 8) |> relu;
}
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    return twice(image) + head(image, out: 3.5);
}
"#,
        &expect![[r#"
            error[E0207]: `out` of `conv2d` is an integer
              ┌─ m.zlg:2:27
              │
            2 │     return conv2d(x, out: out, kernel: 3) + x;
              │                           ^^^ this is the number 3.5
              ·
            8 │     return twice(image) + head(image, out: 3.5);
              │                           --------------------- in this call of `head`

            error[E0309]: the size 8 must equal 3, because `add` combines [1, 8, H - 2, W - 2] with [1, 3, H, W]
              ┌─ m.zlg:2:43
              │
            2 │     return conv2d(x, out: out, kernel: 3) + x;
              │            ------------------------------ ^ in this op
              │            │
              │            this is f32[1, 8, H - 2, W - 2]
              ·
            5 │     return head(x, 8) |> relu;
              │            ---------- in this call of `head`
            6 │ }
            7 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │         ---------------------- this is f32[1, 3, H, W]
            8 │     return twice(image) + head(image, out: 3.5);
              │            ------------ in this call of `twice`

        "#]],
    );
}

#[test]
fn a_block_that_calls_itself() {
    check(
        r#"block a(x) {
    return b(x);
}
block b(x) {
    return a(x);
}
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    return a(image);
}
"#,
        &expect![[r#"
            error[E0215]: the block `a` calls itself
              ┌─ m.zlg:5:12
              │
            1 │ block a(x) {
              │       - defined here
            2 │     return b(x);
              │            ---- in this call of `b`
              ·
            5 │     return a(x);
              │            ^ called while it is being expanded
              ·
            8 │     return a(image);
              │            -------- in this call of `a`
              │
              = help: a `for` loop repeats; blocks cannot

        "#]],
    );
}

#[test]
fn arguments_of_blocks() {
    check(
        r#"block up(x, skip, out = 8) {
    return concat(upsample(x, scale: 2), skip) |> conv2d(out: out, kernel: 1);
}
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    let a = up(image);
    let b = up(image, image, 3, 4);
    let c = up(image, skp: image);
    return a + b + c;
}
"#,
        &expect![[r#"
            error[E0206]: `up` needs `skip`
              ┌─ m.zlg:5:13
              │
            1 │ block up(x, skip, out = 8) {
              │       -- defined here
              ·
            5 │     let a = up(image);
              │             ^^^^^^^^^ not given

            error[E0205]: `up` takes 3 arguments, not 4
              ┌─ m.zlg:6:33
              │
            1 │ block up(x, skip, out = 8) {
              │       -- defined here
              ·
            6 │     let b = up(image, image, 3, 4);
              │                                 ^ one too many

            error[E0202]: `up` has no argument `skp`
              ┌─ m.zlg:7:23
              │
            1 │ block up(x, skip, out = 8) {
              │       -- defined here
              ·
            7 │     let c = up(image, skp: image);
              │                       ^^^ unknown argument
              │
              = help: did you mean `skip`?

        "#]],
    );
}

#[test]
fn results_of_blocks() {
    check(
        r#"block none(x) {
    let _y = relu(x);
}
block two(x) {
    return x, x;
}
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    return none(image) + two(image);
}
"#,
        &expect![[r#"
            error[E0218]: the block `none` returns nothing
              ┌─ m.zlg:3:1
              │
            3 │ }
              │ ^ a `return` is missing here
              ·
            8 │     return none(image) + two(image);
              │            ----------- in this call of `none`

            error[E0211]: a block returns one value, not 2
              ┌─ m.zlg:5:5
              │
            5 │     return x, x;
              │     ^^^^^^^^^^^^ 2 values
              ·
            8 │     return none(image) + two(image);
              │                          ---------- in this call of `two`
              │
              = help: what has several results can be written as several blocks

        "#]],
    );
}

#[test]
fn names_of_blocks() {
    check(
        r#"block relu(x) { return x; }
block a(x, x, name) { return x; }
block a(x) { return x; }
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    return a(image);
}
"#,
        &expect![[r#"
            error[E0204]: `relu` is an op already
              ┌─ m.zlg:1:7
              │
            1 │ block relu(x) { return x; }
              │       ^^^^ a block cannot be called so

            error[E0204]: `x` is defined twice
              ┌─ m.zlg:2:12
              │
            2 │ block a(x, x, name) { return x; }
              │         -  ^ defined again
              │         │
              │         first defined here
              │
              = help: give each parameter a name of its own

            error[E0204]: a parameter cannot be called `name`
              ┌─ m.zlg:2:15
              │
            2 │ block a(x, x, name) { return x; }
              │               ^^^^ reserved
              │
              = note: in a call, `name:` is what the paths of the block's weights begin with

            error[E0204]: `a` is defined twice
              ┌─ m.zlg:3:7
              │
            2 │ block a(x, x, name) { return x; }
              │       - first defined here
            3 │ block a(x) { return x; }
              │       ^ defined again
              │
              = help: give each block a name of its own

            error[E0222]: the output `out` is an input
              ┌─ m.zlg:5:12
              │
            4 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │         ---------------------- it is given by the caller
            5 │     return a(image);
              │            ^^^^^^^^ no op has computed this

        "#]],
    );
}

#[test]
fn a_block_expanded_twice_without_a_name() {
    check(
        r#"block c(x) {
    return conv2d(x, out: 3, kernel: 1, name: "conv");
}
model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
    return c(c(image));
}
"#,
        &expect![[r#"
            error[E0212]: the parameter `conv.weight` belongs to two ops
              ┌─ m.zlg:2:12
              │
            2 │     return conv2d(x, out: 3, kernel: 1, name: "conv");
              │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ to this one, each time that it is expanded
              ·
            5 │     return c(c(image));
              │            ----------- in this call of `c`
              │
              = help: give each a name of its own: `name: "conv1"`, in a loop `name: "conv{i}"`, for a block in its call

        "#]],
    );
}

#[test]
fn one_tensor_for_two_outputs() {
    check(
        r#"model m(x: f32[1, 3, H, W]) -> (a: f32[1, 3, H, W], b: f32[1, 3, H, W], c: f32[1, 3, 1, 1]) {
    let y = relu(x);
    return y, y, const([1, 2, 3], shape: [1, 3, 1, 1]);
}
"#,
        &expect![[r#"
            error[E0222]: the outputs `a` and `b` are one tensor
              ┌─ m.zlg:3:15
              │
            3 │     return y, y, const([1, 2, 3], shape: [1, 3, 1, 1]);
              │               ^ returned before
              │
              = help: return each tensor once

            error[E0222]: the output `c` is a constant
              ┌─ m.zlg:3:18
              │
            3 │     return y, y, const([1, 2, 3], shape: [1, 3, 1, 1]);
              │                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no op has computed this

        "#]],
    );
}
