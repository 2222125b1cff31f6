//! Mistakes and what is said about them.

use expect_test::{Expect, expect};

use super::{render, try_lower};

fn check(text: &str, expected: &Expect) {
    let (graph, problems) = try_lower(text);
    assert!(graph.is_none(), "no mistake has been found");
    expected.assert_eq(&render(text, &problems));
}

/// A model with one input and one output of the same type.
fn model(body: &str) -> String {
    format!("model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {{\n    {body}\n}}\n")
}

fn check_body(body: &str, expected: &Expect) {
    check(&model(body), expected);
}

#[test]
fn an_unknown_op() {
    check_body(
        r#"let x = conv2(image, out: 8, kernel: 3);
    return relu(x);"#,
        &expect![[r#"
            error[E0201]: no op or block is called `conv2`
              ┌─ m.zlg:2:13
              │
            2 │     let x = conv2(image, out: 8, kernel: 3);
              │             ^^^^^ unknown op
              │
              = help: did you mean `conv2d`?

        "#]],
    );
}

#[test]
fn an_op_of_another_framework() {
    check_body(
        r#"return cat(image, image) |> Interpolate(scale: 2);"#,
        &expect![[r#"
            error[E0201]: no op or block is called `cat`
              ┌─ m.zlg:2:12
              │
            2 │     return cat(image, image) |> Interpolate(scale: 2);
              │            ^^^ unknown op
              │
              = help: here it is `concat`

            error[E0201]: no op or block is called `Interpolate`
              ┌─ m.zlg:2:33
              │
            2 │     return cat(image, image) |> Interpolate(scale: 2);
              │                                 ^^^^^^^^^^^ unknown op
              │
              = help: here it is `upsample`

        "#]],
    );
}

#[test]
fn an_unknown_argument() {
    check_body(
        r#"return conv2d(image, out: 3, kernal: 3);"#,
        &expect![[r#"
            error[E0202]: `conv2d` has no argument `kernal`
              ┌─ m.zlg:2:34
              │
            2 │     return conv2d(image, out: 3, kernal: 3);
              │                                  ^^^^^^ unknown argument
              │
              = help: did you mean `kernel`?

        "#]],
    );
}

#[test]
fn an_argument_of_an_op_without_any() {
    check_body(
        r#"return relu(image, inplace: true);"#,
        &expect![[r#"
            error[E0202]: `relu` has no argument `inplace`
              ┌─ m.zlg:2:24
              │
            2 │     return relu(image, inplace: true);
              │                        ^^^^^^^ unknown argument
              │
              = help: it takes `x`

        "#]],
    );
}

#[test]
fn arguments_of_other_frameworks() {
    check_body(
        r#"return conv2d(image, out_channels: 3, kernel_size: 3, padding: 1);"#,
        &expect![[r#"
            error[E0217]: `conv2d` has no argument `out_channels`
              ┌─ m.zlg:2:26
              │
            2 │     return conv2d(image, out_channels: 3, kernel_size: 3, padding: 1);
              │                          ^^^^^^^^^^^^ here it is `out`
              │
              = help: write `out: …`

            error[E0217]: `conv2d` has no argument `kernel_size`
              ┌─ m.zlg:2:43
              │
            2 │     return conv2d(image, out_channels: 3, kernel_size: 3, padding: 1);
              │                                           ^^^^^^^^^^^ here it is `kernel`
              │
              = help: write `kernel: …`

            error[E0217]: `conv2d` has no argument `padding`
              ┌─ m.zlg:2:59
              │
            2 │     return conv2d(image, out_channels: 3, kernel_size: 3, padding: 1);
              │                                                           ^^^^^^^ here it is `pad`
              │
              = help: write `pad: …`

        "#]],
    );
}

#[test]
fn an_unknown_name() {
    check_body(
        r#"let skip = relu(image);
    return relu(skpi) + skpi;"#,
        &expect![[r#"
            error[E0203]: nothing is called `skpi`
              ┌─ m.zlg:3:17
              │
            3 │     return relu(skpi) + skpi;
              │                 ^^^^ unknown name
              │
              = help: did you mean `skip`?

        "#]],
    );
}

#[test]
fn an_op_used_as_a_value() {
    check_body(
        r#"return relu(image + relu);"#,
        &expect![[r#"
            error[E0203]: nothing is called `relu`
              ┌─ m.zlg:2:25
              │
            2 │     return relu(image + relu);
              │                         ^^^^ unknown name
              │
              = help: an op or block is applied: `relu(x)` or `x |> relu`

        "#]],
    );
}

#[test]
fn a_symbol_used_as_a_value() {
    check_body(
        r#"return crop(image, top: H / 2);"#,
        &expect![[r#"
            error[E0203]: nothing is called `H`
              ┌─ m.zlg:2:29
              │
            2 │     return crop(image, top: H / 2);
              │                             ^ unknown name
              │
              = help: symbols stand in types only; `height(x)` and `width(x)` are sizes of a tensor

        "#]],
    );
}

#[test]
fn a_name_defined_twice() {
    check_body(
        r#"let x = relu(image);
    let x = relu(x);
    return relu(x);"#,
        &expect![[r#"
            error[E0204]: `x` is defined twice
              ┌─ m.zlg:3:9
              │
            2 │     let x = relu(image);
              │         - first defined here
            3 │     let x = relu(x);
              │         ^ defined again
              │
              = help: a name is given another value without `let`: `x = …;`

        "#]],
    );
}

#[test]
fn an_input_defined_again() {
    check_body(
        r#"let image = relu(image);
    return relu(image);"#,
        &expect![[r#"
            error[E0204]: `image` is defined twice
              ┌─ m.zlg:2:9
              │
            1 │ model m(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
              │         ----- first defined here
            2 │     let image = relu(image);
              │         ^^^^^ defined again
              │
              = help: a name is given another value without `let`: `image = …;`

        "#]],
    );
}

#[test]
fn assignment_without_let() {
    check_body(
        r#"x = relu(image);
    return relu(x);"#,
        &expect![[r#"
            error[E0210]: nothing is called `x` that could get another value
              ┌─ m.zlg:2:5
              │
            2 │     x = relu(image);
              │     ^ unknown name
              │
              = help: a new name is introduced by `let`: `let x = …;`

        "#]],
    );
}

#[test]
fn assignment_to_a_misspelt_name() {
    check_body(
        r#"let detail = relu(image);
    detial = relu(detail);
    return relu(detail);"#,
        &expect![[r#"
            error[E0210]: nothing is called `detial` that could get another value
              ┌─ m.zlg:3:5
              │
            3 │     detial = relu(detail);
              │     ^^^^^^ unknown name
              │
              = help: did you mean `detail`?

        "#]],
    );
}

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
            error[E0209]: `mode` of `upsample` is one of "nearest"
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

#[test]
fn shapes_that_do_not_broadcast() {
    check_body(
        r#"let x = conv2d(image, out: 64, kernel: 3, pad: 1);
    let y = conv2d(x, out: 32, kernel: 3, pad: 1);
    return x + y;"#,
        &expect![[r#"
            error[E0309]: 64 must equal 32, because `add` combines [1, 64, H, W] with [1, 32, H, W]
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
            error[E0306]: 1 must be at least 3, because the window spans 3 rows and the padding adds 0
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
            error[E0308]: 3 must be a multiple of 4, because 2 × 2 channels become one
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
            error[E0310]: `u8` is not supported yet
              ┌─ m.zlg:1:12
              │
            1 │ model m(a: u8[1, 3, H, W], b: float[1, 3, H, W], c: f23[1, 3, H, W]) -> (out: f32[1, 3, H, W]) { return a + b + c; }
              │            ^^ not supported
              │
              = help: declare it `f32`; files with integers are converted when they are read and written

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
              │                                                     ^^^ expected `f32`
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

            error[E0309]: 8 must equal 3, because `add` combines [1, 8, H - 2, W - 2] with [1, 3, H, W]
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
