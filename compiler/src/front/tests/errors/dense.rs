//! Reductions along axes, and products of matrices.

use expect_test::expect;

use super::{check, check_body};

#[test]
fn a_linear_layer_of_an_image() {
    check(
        "model m(x: f32[1, 3, 7, 7]) -> (y: f32[1, 4, 1, 1]) {\n    return linear(x, out: 4);\n}\n",
        &expect![[""]],
    );
    check_body("return image + linear(image, out: 3, in: 4);", &expect![[""]]);
}

#[test]
fn matrices_that_do_not_fit() {
    check(
        "model m(a: f32[1, 3, 7, 5], b: f32[1, 3, 7, 5]) -> (y: f32[1, 3, 7, 5]) {\n    return matmul(a, b);\n}\n",
        &expect![[""]],
    );
}

#[test]
fn axes_that_do_not_exist() {
    check_body("return image + mean(image, axes: [2, 4]);", &expect![[""]]);
    check_body("return image + sum(image, axes: []);", &expect![[""]]);
    check_body("return image + softmax(image, axis: 2);", &expect![[""]]);
}
