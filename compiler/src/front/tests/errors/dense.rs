//! Reductions along axes, and products of matrices.

use expect_test::expect;

use super::{check, check_body};

#[test]
fn a_linear_layer_of_an_image() {
    check(
        "model m(x: f32[1, 3, 7, 7]) -> (y: f32[1, 4, 1, 1]) {\n    return linear(x, out: 4);\n}\n",
        &expect![[r#"
            error[E0301]: the size 7 must equal 1, because `linear` takes one pixel, found [1, 3, 7, 7]
              ┌─ m.zlg:2:12
              │
            1 │ model m(x: f32[1, 3, 7, 7]) -> (y: f32[1, 4, 1, 1]) {
              │         ------------------ this is f32[1, 3, 7, 7]
            2 │     return linear(x, out: 4);
              │            ^^^^^^^^^^^^^^^^^ in this op
              │
              = help: `flatten` first makes all values of an image channels of one pixel

        "#]],
    );
}

#[test]
fn matrices_that_do_not_fit() {
    check(
        "model m(a: f32[1, 3, 7, 5], b: f32[1, 3, 7, 5]) -> (y: f32[1, 3, 7, 5]) {\n    return matmul(a, b);\n}\n",
        &expect![[r#"
            error[E0301]: the size 5 must equal 7, because `matmul` multiplies [1, 3, 7, 5] by [1, 3, 7, 5]
              ┌─ m.zlg:2:12
              │
            1 │ model m(a: f32[1, 3, 7, 5], b: f32[1, 3, 7, 5]) -> (y: f32[1, 3, 7, 5]) {
              │         ------------------  ------------------ this is f32[1, 3, 7, 5]
              │         │
              │         this is f32[1, 3, 7, 5]
            2 │     return matmul(a, b);
              │            ^^^^^^^^^^^^ in this op

        "#]],
    );
}

#[test]
fn axes_that_do_not_exist() {
    check_body(
        "return image + mean(image, axes: [2, 4]);",
        &expect![[r#"
            error[E0209]: `axes` of `mean` is a list of axes among 1, 2 and 3, found [2, 4]
              ┌─ m.zlg:2:38
              │
            2 │     return image + mean(image, axes: [2, 4]);
              │                                      ^^^^^^ not possible

        "#]],
    );
    check_body(
        "return image + softmax(image, axis: 2);",
        &expect![[r#"
            error[E0209]: `axis` of `softmax` is 1 (channels), found 2
              ┌─ m.zlg:2:41
              │
            2 │     return image + softmax(image, axis: 2);
              │                                         ^ not possible

        "#]],
    );
}
