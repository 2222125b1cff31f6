//! Whole models.

use expect_test::expect;

use super::{check, check_body};

#[test]
fn three_mistakes_give_three_messages() {
    check_body(
        r#"let x = conv2(image, out: 8, kernel: 3) |> relu;
    let y = conv2d(x, out: 8, kernel: 3, pad: 1) + relu(image, 7);
    let z = x + y |> max_pool2d(kernel_size: 2);
    return x + y + z;"#,
        &expect![[r#"
            error[E0201]: no op or block is called `conv2`
              ┌─ m.zlg:2:13
              │
            2 │     let x = conv2(image, out: 8, kernel: 3) |> relu;
              │             ^^^^^ unknown op
              │
              = help: did you mean `conv2d`?

            error[E0205]: `relu` takes 1 argument, not 2
              ┌─ m.zlg:3:64
              │
            3 │     let y = conv2d(x, out: 8, kernel: 3, pad: 1) + relu(image, 7);
              │                                                                ^ one too many

            error[E0217]: `max_pool2d` has no argument `kernel_size`
              ┌─ m.zlg:4:33
              │
            4 │     let z = x + y |> max_pool2d(kernel_size: 2);
              │                                 ^^^^^^^^^^^ here it is `kernel`
              │
              = help: write `kernel: …`

        "#]],
    );
}

#[test]
fn what_cannot_be_decided_is_not_pursued() {
    check_body(
        r#"if channels(imag) == 3 { image = conv2d(image, out: 64, kernel: 3); } else { return relu(image); }
    image = image + const(1, shape: [1, 5, 1, 1]);"#,
        &expect![[r#"
            error[E0203]: nothing is called `imag`
              ┌─ m.zlg:2:17
              │
            2 │     if channels(imag) == 3 { image = conv2d(image, out: 64, kernel: 3); } else { return relu(image); }
              │                 ^^^^ unknown name
              │
              = help: did you mean `image`?

        "#]],
    );
}

#[test]
fn no_model() {
    check(
        r#"block b(x) { return relu(x); }
"#,
        &expect![[r#"
            error[E0214]: the file has no model
              ┌─ m.zlg:2:1
              │
            2 │
              │ ^ expected `model NAME(inputs) -> (outputs) { … }`

        "#]],
    );
}

#[test]
fn two_models() {
    check(
        r#"model a(x: f32[1, 3, H, W]) -> (y: f32[1, 3, H, W]) { return relu(x); }
model b(x: f32[1, 3, H, W]) -> (y: f32[1, 3, H, W]) { return relu(x); }
"#,
        &expect![[r#"
            error[E0214]: the file has more than one model
              ┌─ m.zlg:2:7
              │
            1 │ model a(x: f32[1, 3, H, W]) -> (y: f32[1, 3, H, W]) { return relu(x); }
              │       - the first one
            2 │ model b(x: f32[1, 3, H, W]) -> (y: f32[1, 3, H, W]) { return relu(x); }
              │       ^ another model
              │
              = help: put each model into a file of its own

        "#]],
    );
}

#[test]
fn element_types() {
    check(
        r#"model m(a: u8[1, 3, H, W], b: float[1, 3, H, W], c: f23[1, 3, H, W]) -> (out: f32[1, 3, H, W]) { return a + b + c; }
"#,
        &expect![[r#"
            error[E0310]: there is no element type `float`
              ┌─ m.zlg:1:31
              │
            1 │ model m(a: u8[1, 3, H, W], b: float[1, 3, H, W], c: f23[1, 3, H, W]) -> (out: f32[1, 3, H, W]) { return a + b + c; }
              │                               ^^^^^ unknown type
              │
              = help: arithmetic is `f32` throughout

            error[E0310]: there is no element type `f23`
              ┌─ m.zlg:1:53
              │
            1 │ model m(a: u8[1, 3, H, W], b: float[1, 3, H, W], c: f23[1, 3, H, W]) -> (out: f32[1, 3, H, W]) { return a + b + c; }
              │                                                     ^^^ expected `f32`, `u8` or `u16`
              │
              = help: did you mean `f32`?

        "#]],
    );
}

#[test]
fn ranks_and_sizes() {
    check(
        r#"model m(a: f32[3, H, W], b: f32[1, 0, H/0, W/H]) -> (out: f32[1, 7/2, H, W]) { return a * b; }
"#,
        &expect![[r#"
            error[E0303]: a tensor has four dimensions, not 3
              ┌─ m.zlg:1:12
              │
            1 │ model m(a: f32[3, H, W], b: f32[1, 0, H/0, W/H]) -> (out: f32[1, 7/2, H, W]) { return a * b; }
              │            ^^^^^^^^^^^^ expected images, channels, rows, columns
              │
              = help: as in `f32[1, 3, H, W]`

            error[E0311]: a size is between 1 and 1099511627776, found 0
              ┌─ m.zlg:1:36
              │
            1 │ model m(a: f32[3, H, W], b: f32[1, 0, H/0, W/H]) -> (out: f32[1, 7/2, H, W]) { return a * b; }
              │                                    ^ out of range

            error[E0311]: sizes are divided by positive integers, found 0
              ┌─ m.zlg:1:41
              │
            1 │ model m(a: f32[3, H, W], b: f32[1, 0, H/0, W/H]) -> (out: f32[1, 7/2, H, W]) { return a * b; }
              │                                         ^ the divisor

            error[E0311]: sizes are divided by positive integers, found H
              ┌─ m.zlg:1:46
              │
            1 │ model m(a: f32[3, H, W], b: f32[1, 0, H/0, W/H]) -> (out: f32[1, 7/2, H, W]) { return a * b; }
              │                                              ^ the divisor

            error[E0308]: 7 is not a multiple of 2
              ┌─ m.zlg:1:66
              │
            1 │ model m(a: f32[3, H, W], b: f32[1, 0, H/0, W/H]) -> (out: f32[1, 7/2, H, W]) { return a * b; }
              │                                                                  ^^^ sizes are divided without remainder
              │
              = help: `ceil_div(7, 2)` rounds up

        "#]],
    );
}

#[test]
fn symbols_that_nothing_determines() {
    check(
        r#"model m(a: f32[1, 3, H*W, W*H], b: f32[1, 3, ceil_div(K, 2), 4]) -> (out: f32[1, 3, h, w]) { return a + b; }
"#,
        &expect![[r#"
            error[E0505]: `H` does not follow from the sizes of the inputs
              ┌─ m.zlg:1:22
              │
            1 │ model m(a: f32[1, 3, H*W, W*H], b: f32[1, 3, ceil_div(K, 2), 4]) -> (out: f32[1, 3, h, w]) { return a + b; }
              │                      ^^^ this size does not tell what `H` is
              │
              = help: a size that is `H` times a number plus a number would

            error[E0505]: `K` does not follow from the sizes of the inputs
              ┌─ m.zlg:1:46
              │
            1 │ model m(a: f32[1, 3, H*W, W*H], b: f32[1, 3, ceil_div(K, 2), 4]) -> (out: f32[1, 3, h, w]) { return a + b; }
              │                                              ^^^^^^^^^^^^^^ this size does not tell what `K` is
              │
              = help: a size that is `K` times a number plus a number would

            error[E0505]: `h` is in no input's type
              ┌─ m.zlg:1:85
              │
            1 │ model m(a: f32[1, 3, H*W, W*H], b: f32[1, 3, ceil_div(K, 2), 4]) -> (out: f32[1, 3, h, w]) { return a + b; }
              │                                                                                     ^ its value could not be known
              │
              = help: did you mean `H`?

            error[E0505]: `w` is in no input's type
              ┌─ m.zlg:1:88
              │
            1 │ model m(a: f32[1, 3, H*W, W*H], b: f32[1, 3, ceil_div(K, 2), 4]) -> (out: f32[1, 3, h, w]) { return a + b; }
              │                                                                                        ^ its value could not be known
              │
              = help: did you mean `W`?

        "#]],
    );
}

#[test]
fn names_of_inputs_and_outputs() {
    check(
        r#"model m(a: f32[1, 3, H, W], a: f32[1, 3, H, W]) -> (a: f32[1, 3, H, W]) { return relu(a); }
"#,
        &expect![[r#"
            error[E0204]: `a` is defined twice
              ┌─ m.zlg:1:29
              │
            1 │ model m(a: f32[1, 3, H, W], a: f32[1, 3, H, W]) -> (a: f32[1, 3, H, W]) { return relu(a); }
              │         -                   ^ defined again
              │         │
              │         first defined here
              │
              = help: give each input a name of its own

            error[E0204]: `a` is defined twice
              ┌─ m.zlg:1:53
              │
            1 │ model m(a: f32[1, 3, H, W], a: f32[1, 3, H, W]) -> (a: f32[1, 3, H, W]) { return relu(a); }
              │         -                                           ^ defined again
              │         │
              │         first defined here
              │
              = help: a training section sees inputs and outputs by their names

        "#]],
    );
}

#[test]
fn nothing_in_nothing_out() {
    check(
        r#"model m() -> () { return 3; }
"#,
        &expect![[r#"
            error[E0504]: the model has no input
              ┌─ m.zlg:1:7
              │
            1 │ model m() -> () { return 3; }
              │       ^ expected `NAME: f32[…]` in the parentheses that follow

            error[E0504]: the model has no output
              ┌─ m.zlg:1:17
              │
            1 │ model m() -> () { return 3; }
              │                 ^ expected `-> (NAME: f32[…])` before this

        "#]],
    );
}
