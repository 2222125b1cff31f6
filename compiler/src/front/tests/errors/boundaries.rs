//! Padding with a tensor's own pixels, and other shapes of the same values.

use expect_test::expect;

use super::{check, check_body};

#[test]
fn a_mirrored_border_as_large_as_the_tensor() {
    check(
        r#"model m(image: f32[1, 3, 4, W]) -> (out: f32[1, 3, 8, W]) {
    return pad(image, top: 4, mode: "reflect");
}
"#,
        &expect![[r#"
            error[E0306]: the size 4 must be at least 5, because `top: 4` mirrors as many rows
              ┌─ m.zlg:2:12
              │
            1 │ model m(image: f32[1, 3, 4, W]) -> (out: f32[1, 3, 8, W]) {
              │         ---------------------- this is f32[1, 3, 4, W]
            2 │     return pad(image, top: 4, mode: "reflect");
              │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op

        "#]],
    );
}

#[test]
fn a_convolution_that_wraps_too_far() {
    check_body(
        r#"let x = global_avg_pool(image) |> conv2d(out: 3, kernel: 5, pad: 2, pad_mode: "circular");
    return image * x;"#,
        &expect![[r#"
            error[E0306]: the size 1 must be at least 2, because `top: 2` repeats as many rows
              ┌─ m.zlg:2:39
              │
            2 │     let x = global_avg_pool(image) |> conv2d(out: 3, kernel: 5, pad: 2, pad_mode: "circular");
              │             ----------------------    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op
              │             │
              │             this is f32[1, 3, 1, 1]

        "#]],
    );
}

#[test]
fn a_value_of_what_has_values_of_its_own() {
    check_body(
        r#"return pad(image, value: 1, mode: "reflect");"#,
        &expect![[r#"
        error[E0209]: `value` of `pad` goes with mode "zero"
          ┌─ m.zlg:2:30
          │
        2 │     return pad(image, value: 1, mode: "reflect");
          │                              ^ not possible

    "#]],
    );
}

#[test]
fn shapes_that_hold_something_else() {
    check_body(
        "return reshape(image, shape: [4, height(image), width(image)]);",
        &expect![[r#"
        error[E0301]: 4*H*W must equal 3*H*W, because [1, 3, H, W] is reshaped
          ┌─ m.zlg:2:12
          │
        1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
          │         ---------------------- this is f32[1, 3, H, W]
        2 │     return reshape(image, shape: [4, height(image), width(image)]);
          │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op

    "#]],
    );
    check_body(
        "return reshape(image, shape: [-1, height(image) + 1, 3]);",
        &expect![[r#"
        error[E0301]: 3*H*W values cannot be divided by 3*H + 3
          ┌─ m.zlg:2:12
          │
        1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
          │         ---------------------- this is f32[1, 3, H, W]
        2 │     return reshape(image, shape: [-1, height(image) + 1, 3]);
          │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op
          │
          = help: write the size in place of -1

    "#]],
    );
    check_body(
        "return reshape(image, shape: [-1, -1, 3]);",
        &expect![[r#"
        error[E0209]: `shape` of `reshape` has one -1 at most
          ┌─ m.zlg:2:34
          │
        2 │     return reshape(image, shape: [-1, -1, 3]);
          │                                  ^^^^^^^^^^^ not possible

    "#]],
    );
    check_body(
        "return reshape(image, shape: [3, 4]);",
        &expect![[r#"
        error[E0207]: `shape` of `reshape` is a list `[channels, rows, columns]` of sizes
          ┌─ m.zlg:2:34
          │
        2 │     return reshape(image, shape: [3, 4]);
          │                                  ^^^^^^ this is the list [3, 4]

    "#]],
    );
}
