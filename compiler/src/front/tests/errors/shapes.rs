//! Shapes, and what a model returns.

use expect_test::expect;

use super::check_body;

#[test]
fn shapes_that_do_not_broadcast() {
    check_body(
        r#"let x = conv2d(image, out: 64, kernel: 3, pad: 1);
    let y = conv2d(x, out: 32, kernel: 3, pad: 1);
    return x + y;"#,
        &expect![[r#"
            error[E0309]: the size 64 must equal 32, because `add` combines [1, 64, H, W] with [1, 32, H, W]
              ┌─ m.zlg:4:14
              │
            2 │     let x = conv2d(image, out: 64, kernel: 3, pad: 1);
              │             ----------------------------------------- this is f32[1, 64, H, W]
            3 │     let y = conv2d(x, out: 32, kernel: 3, pad: 1);
              │             ------------------------------------- this is f32[1, 32, H, W]
            4 │     return x + y;
              │              ^ in this op

        "#]],
    );
}

#[test]
fn sizes_that_never_agree() {
    check_body(
        r#"let x = max_pool2d(image, kernel: 2);
    return concat(image, x);"#,
        &expect![[r#"
            error[E0301]: H must equal H/2, because concat joins [1, 3, H, W] with [1, 3, H/2, W/2], which differ in more than channels
              ┌─ m.zlg:3:12
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │         ---------------------- this is f32[1, 3, H, W]
            2 │     let x = max_pool2d(image, kernel: 2);
              │             ---------------------------- this is f32[1, 3, H/2, W/2]
            3 │     return concat(image, x);
              │            ^^^^^^^^^^^^^^^^ in this op

        "#]],
    );
}

#[test]
fn a_window_larger_than_its_input() {
    check_body(
        r#"let x = global_avg_pool(image) |> conv2d(out: 3, kernel: 3);
    return image * x;"#,
        &expect![[r#"
            error[E0306]: the size 1 must be at least 3, because the window spans 3 rows and the padding adds 0
              ┌─ m.zlg:2:39
              │
            2 │     let x = global_avg_pool(image) |> conv2d(out: 3, kernel: 3);
              │             ----------------------    ^^^^^^^^^^^^^^^^^^^^^^^^^ in this op
              │             │
              │             this is f32[1, 3, 1, 1]

        "#]],
    );
}

#[test]
fn channels_that_do_not_shuffle() {
    check_body(
        r#"let x = relu(image);
    return x |> pixel_shuffle(2);"#,
        &expect![[r#"
            error[E0308]: the size 3 must be a multiple of 4, because 2 × 2 channels become one
              ┌─ m.zlg:3:17
              │
            2 │     let x = relu(image);
              │             ----------- this is f32[1, 3, H, W]
            3 │     return x |> pixel_shuffle(2);
              │                 ^^^^^^^^^^^^^^^^ in this op

        "#]],
    );
}

#[test]
fn an_output_of_another_shape() {
    check_body(
        r#"let x = conv2d(image, out: 32, kernel: 3, stride: 2, pad: 1);
    let y = relu(x);
    return y;"#,
        &expect![[r#"
            error[E0304]: expected f32[1, 3, H, W], found f32[1, 32, (H + 1)/2, (W + 1)/2]
              ┌─ m.zlg:4:12
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │                                     -------------------- `out` is declared f32[1, 3, H, W]
            2 │     let x = conv2d(image, out: 32, kernel: 3, stride: 2, pad: 1);
            3 │     let y = relu(x);
              │             ------- computed here
            4 │     return y;
              │            ^ this is f32[1, 32, (H + 1)/2, (W + 1)/2]

        "#]],
    );
}

#[test]
fn an_input_returned() {
    check_body(
        r#"return image;"#,
        &expect![[r#"
            error[E0222]: the output `out` is an input
              ┌─ m.zlg:2:12
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │         ---------------------- it is given by the caller
            2 │     return image;
              │            ^^^^^ no op has computed this

        "#]],
    );
}

#[test]
fn a_number_returned() {
    check_body(
        r#"return 3;"#,
        &expect![[r#"
            error[E0207]: a model returns tensors
              ┌─ m.zlg:2:12
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │                                     -------------------- returned as this output
            2 │     return 3;
              │            ^ this is the integer 3

        "#]],
    );
}

#[test]
fn too_many_values_returned() {
    check_body(
        r#"return relu(image), relu(image);"#,
        &expect![[r#"
            error[E0211]: the model `m` has 1 output, but 2 values are returned
              ┌─ m.zlg:2:5
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │                                     -------------------- 1 output
            2 │     return relu(image), relu(image);
              │     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 2 values

        "#]],
    );
}

#[test]
fn a_missing_return() {
    check_body(
        r#"let _x = relu(image);"#,
        &expect![[r#"
            error[E0218]: the model `m` returns nothing
              ┌─ m.zlg:3:1
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │       - it has 1 output
            2 │     let _x = relu(image);
            3 │ }
              │ ^ a `return` is missing here

        "#]],
    );
}
