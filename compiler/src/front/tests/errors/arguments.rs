//! Arguments of ops.

use expect_test::expect;

use super::check_body;

#[test]
fn too_many_arguments() {
    check_body(
        r#"return relu(image, 3);"#,
        &expect![[r#"
            error[E0205]: `relu` takes 1 argument, not 2
              ┌─ m.zlg:2:24
              │
            2 │     return relu(image, 3);
              │                        ^ one too many

        "#]],
    );
}

#[test]
fn missing_arguments() {
    check_body(
        r#"return conv2d(image, pad: 1);"#,
        &expect![[r#"
            error[E0206]: `conv2d` needs `out` and `kernel`
              ┌─ m.zlg:2:12
              │
            2 │     return conv2d(image, pad: 1);
              │            ^^^^^^^^^^^^^^^^^^^^^ not given

        "#]],
    );
}

#[test]
fn no_tensor_at_all() {
    check_body(
        r#"return concat();"#,
        &expect![[r#"
            error[E0206]: `concat` needs a tensor
              ┌─ m.zlg:2:12
              │
            2 │     return concat();
              │            ^^^^^^^^ not given

        "#]],
    );
}

#[test]
fn an_argument_given_twice() {
    check_body(
        r#"return conv2d(image, 3, 3, kernel: 1);"#,
        &expect![[r#"
            error[E0208]: `kernel` is given twice
              ┌─ m.zlg:2:32
              │
            2 │     return conv2d(image, 3, 3, kernel: 1);
              │                             -  ^^^^^^^^^ given again
              │                             │
              │                             first given here

        "#]],
    );
}

#[test]
fn a_string_for_an_integer() {
    check_body(
        r#"return conv2d(image, out: "3", kernel: 3);"#,
        &expect![[r#"
            error[E0207]: `out` of `conv2d` is an integer
              ┌─ m.zlg:2:31
              │
            2 │     return conv2d(image, out: "3", kernel: 3);
              │                               ^^^ this is the string "3"

        "#]],
    );
}

#[test]
fn a_tensor_for_an_integer() {
    check_body(
        r#"return conv2d(image, out: image, kernel: 3);"#,
        &expect![[r#"
            error[E0213]: `out` of `conv2d` must be known at compile time
              ┌─ m.zlg:2:31
              │
            2 │     return conv2d(image, out: image, kernel: 3);
              │                               ^^^^^ this is a tensor f32[1, 3, H, W]

        "#]],
    );
}

#[test]
fn a_symbolic_size_for_an_integer() {
    check_body(
        r#"return conv2d(image, out: height(image), kernel: 3);"#,
        &expect![[r#"
            error[E0213]: `out` of `conv2d` must be known at compile time
              ┌─ m.zlg:2:31
              │
            2 │     return conv2d(image, out: height(image), kernel: 3);
              │                               ^^^^^^^^^^^^^ this is the size H

        "#]],
    );
}

#[test]
fn an_integer_for_a_tensor() {
    check_body(
        r#"return relu(3);"#,
        &expect![[r#"
            error[E0207]: `x` of `relu` is a tensor
              ┌─ m.zlg:2:17
              │
            2 │     return relu(3);
              │                 ^ this is the integer 3

        "#]],
    );
}

#[test]
fn a_list_of_tensors() {
    check_body(
        r#"return concat([image, image]);"#,
        &expect![[r#"
            error[E0207]: `concat` takes tensors, not a list
              ┌─ m.zlg:2:19
              │
            2 │     return concat([image, image]);
              │                   ^^^^^^^^^^^^^^ this is a list
              │
              = help: leave out the brackets: `concat(a, b)`

        "#]],
    );
}

#[test]
fn a_pair_that_is_none() {
    check_body(
        r#"return conv2d(image, out: 3, kernel: [3, 3, 3]);"#,
        &expect![[r#"
            error[E0207]: `kernel` of `conv2d` is an integer or `[y, x]`
              ┌─ m.zlg:2:42
              │
            2 │     return conv2d(image, out: 3, kernel: [3, 3, 3]);
              │                                          ^^^^^^^^^ this is the list [3, 3, 3]

        "#]],
    );
}

#[test]
fn an_unknown_side() {
    check_body(
        r#"return conv2d(image, out: 3, kernel: 3, pad: (top: 1, botom: 1));"#,
        &expect![[r#"
            error[E0209]: `pad` has no side `botom`
              ┌─ m.zlg:2:50
              │
            2 │     return conv2d(image, out: 3, kernel: 3, pad: (top: 1, botom: 1));
              │                                                  ^^^^^^^^^^^^^^^^^^ sides are `top`, `left`, `bottom` and `right`
              │
              = help: did you mean `bottom`?

        "#]],
    );
}

#[test]
fn a_word_that_is_none() {
    check_body(
        r#"return upsample(image, scale: 2, mode: "nearst");"#,
        &expect![[r#"
            error[E0209]: `mode` of `upsample` is one of "nearest", "nearest-exact", "bilinear", "bicubic"
              ┌─ m.zlg:2:44
              │
            2 │     return upsample(image, scale: 2, mode: "nearst");
              │                                            ^^^^^^^^ no such word
              │
              = help: did you mean "nearest"?

        "#]],
    );
}

#[test]
fn a_resampling_to_nothing() {
    check_body(
        r#"return upsample(image);"#,
        &expect![[r#"
        error[E0209]: `scale` of `upsample` is missing, and so is `size`: one of them must be given
          ┌─ m.zlg:2:12
          │
        2 │     return upsample(image);
          │            ^^^^^^^^ not possible

    "#]],
    );
}

#[test]
fn a_resampling_to_two_sizes() {
    check_body(
        r#"return upsample(image, scale: 2, size: [8, 8]);"#,
        &expect![[r#"
        error[E0209]: `size` of `upsample` is given besides `scale`: one of them is enough
          ┌─ m.zlg:2:44
          │
        2 │     return upsample(image, scale: 2, size: [8, 8]);
          │                                            ^^^^^^ not possible

    "#]],
    );
}

#[test]
fn a_scale_that_is_too_small() {
    check_body(
        r#"return upsample(image, scale: [0.001, 1]);"#,
        &expect![[r#"
        error[E0209]: `scale` of `upsample` is between 1/256 and 4096, found 0.001
          ┌─ m.zlg:2:35
          │
        2 │     return upsample(image, scale: [0.001, 1]);
          │                                   ^^^^^^^^^^ not possible

    "#]],
    );
}

#[test]
fn a_scale_of_a_size() {
    check_body(
        r#"return upsample(image, scale: height(image));"#,
        &expect![[r#"
        error[E0213]: `scale` of `upsample` must be known at compile time
          ┌─ m.zlg:2:35
          │
        2 │     return upsample(image, scale: height(image));
          │                                   ^^^^^^^^^^^^^ this is the size H

    "#]],
    );
}

#[test]
fn a_scale_that_makes_no_size() {
    check_body(
        r#"return upsample(image, scale: 0.123456789);"#,
        &expect![[r#"
        error[E0301]: the size H is not known, and 0.123456789 has too many digits for it
          ┌─ m.zlg:2:12
          │
        1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
          │         ---------------------- this is f32[1, 3, H, W]
        2 │     return upsample(image, scale: 0.123456789);
          │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op
          │
          = help: give `size`, or a scale with a few digits

    "#]],
    );
}

#[test]
fn corners_of_whole_pixels() {
    check_body(
        r#"return upsample(image, scale: 2, align_corners: true);"#,
        &expect![[r#"
        error[E0209]: `align_corners` of `upsample` is for bilinear and bicubic
          ┌─ m.zlg:2:53
          │
        2 │     return upsample(image, scale: 2, align_corners: true);
          │                                                     ^^^^ not possible

    "#]],
    );
}

#[test]
fn coordinates_of_whole_pixels() {
    check_body(
        r#"return upsample(image, scale: 2, coordinates: "asymmetric");"#,
        &expect![[r#"
        error[E0209]: `coordinates` of `upsample` is for bilinear and bicubic: "nearest" is asymmetric, "nearest-exact" is half_pixel
          ┌─ m.zlg:2:51
          │
        2 │     return upsample(image, scale: 2, coordinates: "asymmetric");
          │                                                   ^^^^^^^^^^^^ not possible

    "#]],
    );
}

#[test]
fn a_slice_past_the_end() {
    check_body(
        r#"return slice(image, from: 1, to: 4);"#,
        &expect![[r#"
        error[E0306]: the size 3 must be at least 4, because the slice ends at channel 4
          ┌─ m.zlg:2:12
          │
        1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
          │         ---------------------- this is f32[1, 3, H, W]
        2 │     return slice(image, from: 1, to: 4);
          │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op

    "#]],
    );
}

#[test]
fn a_slice_of_nothing() {
    check_body(
        r#"return slice(image, from: 2, to: 2);"#,
        &expect![[r#"
        error[E0209]: `to` of `slice` is beyond `from`, 2, and at most 65536, found 2
          ┌─ m.zlg:2:38
          │
        2 │     return slice(image, from: 2, to: 2);
          │                                      ^ not possible

    "#]],
    );
}

#[test]
fn a_value_that_an_op_does_not_take() {
    check_body(
        r#"return conv2d(image, out: 3, kernel: 0);"#,
        &expect![[r#"
            error[E0209]: `kernel` of `conv2d` is between 1 and 65536, found 0
              ┌─ m.zlg:2:42
              │
            2 │     return conv2d(image, out: 3, kernel: 0);
              │                                          ^ not possible

        "#]],
    );
}

#[test]
fn groups_that_do_not_divide_outputs() {
    check_body(
        r#"return conv2d(image, out: 4, kernel: 3, groups: 3);"#,
        &expect![[r#"
            error[E0209]: `out` of `conv2d` is a multiple of `groups`, found 4 with 3 groups
              ┌─ m.zlg:2:31
              │
            2 │     return conv2d(image, out: 4, kernel: 3, groups: 3);
              │                               ^ not possible

        "#]],
    );
}

#[test]
fn groups_that_do_not_divide_inputs() {
    check_body(
        r#"return conv2d(image, out: 4, kernel: 3, groups: 2);"#,
        &expect![[r#"
            error[E0307]: 3 channels cannot be divided into 2 groups
              ┌─ m.zlg:2:12
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │         ---------------------- this is f32[1, 3, H, W]
            2 │     return conv2d(image, out: 4, kernel: 3, groups: 2);
              │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this op

        "#]],
    );
}
