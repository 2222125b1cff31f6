//! Names of ops, arguments and values.

use expect_test::expect;

use super::check_body;

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
