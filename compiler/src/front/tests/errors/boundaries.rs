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
        &expect![""],
    );
}

#[test]
fn a_convolution_that_wraps_too_far() {
    check_body(
        r#"let x = global_avg_pool(image) |> conv2d(out: 3, kernel: 5, pad: 2, pad_mode: "circular");
    return image * x;"#,
        &expect![""],
    );
}

#[test]
fn a_value_of_what_has_values_of_its_own() {
    check_body(r#"return pad(image, value: 1, mode: "reflect");"#, &expect![""]);
}

#[test]
fn shapes_that_hold_something_else() {
    check_body("return reshape(image, shape: [4, height(image), width(image)]);", &expect![""]);
    check_body("return reshape(image, shape: [-1, 5, height(image)]);", &expect![""]);
    check_body("return reshape(image, shape: [-1, -1, 3]);", &expect![""]);
    check_body("return reshape(image, shape: [3, 4]);", &expect![""]);
}
