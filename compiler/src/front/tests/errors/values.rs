//! Parameters and compile-time values.

use expect_test::expect;

use super::check_body;

#[test]
fn parameters_used_twice() {
    check_body(
        r#"let x = conv2d(image, out: 3, kernel: 3, pad: 1, name: "a");
    return conv2d(x, out: 3, kernel: 3, pad: 1, name: "a");"#,
        &expect![[r#"
            error[E0212]: the parameter `a.weight` belongs to two ops
              ┌─ m.zlg:3:12
              │
            2 │     let x = conv2d(image, out: 3, kernel: 3, pad: 1, name: "a");
              │             --------------------------------------------------- to this one
            3 │     return conv2d(x, out: 3, kernel: 3, pad: 1, name: "a");
              │            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ and to this one
              │
              = help: give each a name of its own: `name: "conv1"`, in a loop `name: "conv{i}"`, for a block in its call

        "#]],
    );
}

#[test]
fn parameters_used_twice_in_a_loop() {
    check_body(
        r#"for i in 0..3 {
        image = conv2d(image, out: 3, kernel: 3, pad: 1, name: "conv");
    }
    return relu(image);"#,
        &expect![[r#"
            error[E0212]: the parameter `conv.weight` belongs to two ops
              ┌─ m.zlg:3:17
              │
            3 │         image = conv2d(image, out: 3, kernel: 3, pad: 1, name: "conv");
              │                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ to this one, each time that it is expanded
              │
              = help: give each a name of its own: `name: "conv1"`, in a loop `name: "conv{i}"`, for a block in its call
              = note: where i = 1

        "#]],
    );
}

#[test]
fn a_name_that_is_no_path() {
    check_body(
        r#"return conv2d(image, out: 3, kernel: 1, name: "a..b") |> conv2d(out: 3, kernel: 1, name: 3);"#,
        &expect![[r#"
            error[E0209]: this cannot be the name of parameters
              ┌─ m.zlg:2:51
              │
            2 │     return conv2d(image, out: 3, kernel: 1, name: "a..b") |> conv2d(out: 3, kernel: 1, name: 3);
              │                                                   ^^^^^^ expected parts with a dot between
              │
              = help: as in `name: "layer1.0.conv1"`

            error[E0207]: `name` is a string
              ┌─ m.zlg:2:94
              │
            2 │     return conv2d(image, out: 3, kernel: 1, name: "a..b") |> conv2d(out: 3, kernel: 1, name: 3);
              │                                                                                              ^ this is the integer 3

        "#]],
    );
}

#[test]
fn a_condition_on_a_tensor() {
    check_body(
        r#"if image { image = relu(image); }
    return relu(image);"#,
        &expect![[r#"
            error[E0213]: a condition is decided at compile time
              ┌─ m.zlg:2:8
              │
            2 │     if image { image = relu(image); }
              │        ^^^^^ this is a tensor f32[1, 3, H, W]

        "#]],
    );
}

#[test]
fn a_condition_on_a_size() {
    check_body(
        r#"if height(image) > 4 { image = conv2d(image, out: 8, kernel: 1); }
    return relu(image);"#,
        &expect![[r#"
            error[E0213]: whether H > 4 is not known at compile time
              ┌─ m.zlg:2:8
              │
            2 │     if height(image) > 4 { image = conv2d(image, out: 8, kernel: 1); }
              │        ^^^^^^^^^^^^^^^^^ computed here

        "#]],
    );
}

#[test]
fn a_condition_that_is_a_number() {
    check_body(
        r#"if channels(image) { image = relu(image); }
    return relu(image);"#,
        &expect![[r#"
            error[E0207]: a condition is `true` or `false`
              ┌─ m.zlg:2:8
              │
            2 │     if channels(image) { image = relu(image); }
              │        ^^^^^^^^^^^^^^^ this is the integer 3
              │
              = help: compare it: `… == …`

        "#]],
    );
}

#[test]
fn a_loop_over_a_size() {
    check_body(
        r#"for i in 0..height(image) { image = relu(image); }
    return relu(image);"#,
        &expect![[r#"
            error[E0213]: how often a loop runs must be known at compile time
              ┌─ m.zlg:2:17
              │
            2 │     for i in 0..height(image) { image = relu(image); }
              │                 ^^^^^^^^^^^^^ this is the size H

        "#]],
    );
}

#[test]
fn a_loop_over_a_fraction() {
    check_body(
        r#"for i in 0..2.5 { image = relu(image); }
    return relu(image);"#,
        &expect![[r#"
            error[E0207]: a loop runs from one integer to another
              ┌─ m.zlg:2:17
              │
            2 │     for i in 0..2.5 { image = relu(image); }
              │                 ^^^ this is the number 2.5

        "#]],
    );
}

#[test]
fn a_tensor_in_a_string() {
    check_body(
        r#"return conv2d(image, out: 3, kernel: 1, name: "conv{image}");"#,
        &expect![[r#"
            error[E0213]: this cannot be put into a string
              ┌─ m.zlg:2:57
              │
            2 │     return conv2d(image, out: 3, kernel: 1, name: "conv{image}");
              │                                                         ^^^^^ this is a tensor f32[1, 3, H, W]
              │
              = help: strings take integers, numbers, truth values and other strings

        "#]],
    );
}

#[test]
fn overflow() {
    check_body(
        r#"let big = 9223372036854775807 + 1;
    return image * big;"#,
        &expect![[r#"
            error[E0221]: 9223372036854775807 + 1 does not fit 64 bits
              ┌─ m.zlg:2:15
              │
            2 │     let big = 9223372036854775807 + 1;
              │               ^^^^^^^^^^^^^^^^^^^^^^^ computed here

        "#]],
    );
}

#[test]
fn division_by_zero() {
    check_body(
        r#"return image * (1 / (3 - channels(image)));"#,
        &expect![[r#"
            error[E0221]: 1 / 0 is a division by zero
              ┌─ m.zlg:2:21
              │
            2 │     return image * (1 / (3 - channels(image)));
              │                     ^^^^^^^^^^^^^^^^^^^^^^^^ computed here

        "#]],
    );
}

#[test]
fn a_quotient_with_a_remainder() {
    check_body(
        r#"return conv2d(image, out: channels(image) / 2, kernel: 1);"#,
        &expect![[r#"
            error[E0221]: 3 / 2 is not whole
              ┌─ m.zlg:2:31
              │
            2 │     return conv2d(image, out: channels(image) / 2, kernel: 1);
              │                               ^^^^^^^^^^^^^^^^^^^ computed here
              │
              = help: `3.0 / 2` has a fraction, `ceil_div(3, 2)` rounds up

        "#]],
    );
}

#[test]
fn strings_added() {
    check_body(
        r#"return conv2d(image, out: 3, kernel: 1, name: "conv" + 1) * conv2d(image, out: 3, kernel: 1, name: "a" + "b");"#,
        &expect![[r#"
            error[E0207]: `+` does not combine the string "conv" with the integer 1
              ┌─ m.zlg:2:51
              │
            2 │     return conv2d(image, out: 3, kernel: 1, name: "conv" + 1) * conv2d(image, out: 3, kernel: 1, name: "a" + "b");
              │                                                   ^^^^^^^^^^ not defined

            error[E0207]: strings are not added
              ┌─ m.zlg:2:104
              │
            2 │     return conv2d(image, out: 3, kernel: 1, name: "conv" + 1) * conv2d(image, out: 3, kernel: 1, name: "a" + "b");
              │                                                                                                        ^^^^^^^^^ computed here
              │
              = help: put one into the other: `"conv{i}.weight"`

        "#]],
    );
}

#[test]
fn a_remainder_of_tensors() {
    check_body(
        r#"return image % 2;"#,
        &expect![[r#"
            error[E0207]: `%` does not combine a tensor f32[1, 3, H, W] with the integer 2
              ┌─ m.zlg:2:12
              │
            2 │     return image % 2;
              │            ^^^^^^^^^ not defined
              │
              = help: tensors are combined by `+`, `-`, `*` and `/`, also with numbers

        "#]],
    );
}

#[test]
fn a_tensor_times_a_size() {
    check_body(
        r#"return image * height(image);"#,
        &expect![[r#"
            error[E0207]: `*` does not combine a tensor f32[1, 3, H, W] with the size H
              ┌─ m.zlg:2:12
              │
            2 │     return image * height(image);
              │            ^^^^^^^^^^^^^^^^^^^^^ not defined
              │
              = help: tensors are combined by `+`, `-`, `*` and `/`, also with numbers

        "#]],
    );
}

#[test]
fn a_constant_that_does_not_fill_its_shape() {
    check_body(
        r#"return image * const([1, 2], shape: [1, 3, 1, 1]);"#,
        &expect![[r#"
            error[E0301]: the values do not fill the shape
              ┌─ m.zlg:2:26
              │
            2 │     return image * const([1, 2], shape: [1, 3, 1, 1]);
              │                          ^^^^^^         ^^^^^^^^^^^^ room for 3
              │                          │
              │                          2 values

        "#]],
    );
}

#[test]
fn a_constant_of_something_else() {
    check_body(
        r#"return image * const([true], shape: [1, 1, 1, 1]) * const([1], shape: 1);"#,
        &expect![[r#"
            error[E0207]: a constant is made of numbers
              ┌─ m.zlg:2:26
              │
            2 │     return image * const([true], shape: [1, 1, 1, 1]) * const([1], shape: 1);
              │                          ^^^^^^ this is the list [true]
              │
              = help: as in `const([0.4, 0.5, 0.6], shape: [1, 3, 1, 1])`

            error[E0207]: the shape of a constant is a list of four positive integers
              ┌─ m.zlg:2:75
              │
            2 │     return image * const([true], shape: [1, 1, 1, 1]) * const([1], shape: 1);
              │                                                                           ^ this is the integer 1
              │
              = help: images, channels, rows, columns: `shape: [1, 3, 1, 1]`

        "#]],
    );
}

#[test]
fn weights_given_twice() {
    check_body(
        r#"weights "a.safetensors";
    weights "b.safetensors";
    return relu(image);"#,
        &expect![[r#"
            error[E0208]: `weights` is given twice
              ┌─ m.zlg:3:5
              │
            2 │     weights "a.safetensors";
              │     ------------------------ first given here
            3 │     weights "b.safetensors";
              │     ^^^^^^^^^^^^^^^^^^^^^^^^ given again

        "#]],
    );
}

#[test]
fn cropping_to_something_larger() {
    check_body(
        r#"let x = max_pool2d(image, kernel: 4);
    return crop(x, to: 3) + crop(const(1, shape: [1, 1, 4, 4]), to: const(1, shape: [1, 1, 6, 6]));"#,
        &expect![[r#"
            error[E0207]: `to` of `crop` is a tensor
              ┌─ m.zlg:3:24
              │
            3 │     return crop(x, to: 3) + crop(const(1, shape: [1, 1, 4, 4]), to: const(1, shape: [1, 1, 6, 6]));
              │                        ^ this is the integer 3

            error[E0301]: [1, 1, 4, 4] cannot be cropped to the size of [1, 1, 6, 6]
              ┌─ m.zlg:3:29
              │
            3 │     return crop(x, to: 3) + crop(const(1, shape: [1, 1, 4, 4]), to: const(1, shape: [1, 1, 6, 6]));
              │                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              │                             │    │                                  │
              │                             │    │                                  this is f32[1, 1, 6, 6]
              │                             │    this is f32[1, 1, 4, 4]
              │                             it has fewer rows or columns

        "#]],
    );
}
