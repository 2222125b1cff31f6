//! Sizes are bound, or refused with a reason.

use expect_test::{Expect, expect};

use super::{lower, render};
use crate::base::Bindings;
use crate::front::bind;
use crate::ops::Sizes;

const UNET: &str = include_str!("../../../../grammar/tests/data/unet.zlg");

const PAIR: &str = r#"
model m(a: f32[1, 3, 2*H, W], b: f32[N, C*2 + 1, H, (W + H)/2]) -> (out: f32[1, 3, H, W]) {
    return max_pool2d(a, kernel: [2, 1]) * global_avg_pool(global_avg_pool(a));
}"#;

fn given(sizes: &[(&str, Sizes)]) -> Vec<(String, Sizes)> {
    sizes.iter().map(|&(name, sizes)| (name.to_owned(), sizes)).collect()
}

fn explicit(values: &[(&str, i64)]) -> Bindings {
    values.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
}

fn refuse(text: &str, sizes: &[(&str, Sizes)], values: &[(&str, i64)], expected: &Expect) {
    let (graph, _) = lower(text);
    let problems = bind(&graph, &given(sizes), &explicit(values)).expect_err("these sizes do not fit");
    expected.assert_eq(&render(text, &problems));
}

#[test]
fn sizes_of_inputs_determine_symbols() {
    let (graph, _) = lower(PAIR);
    let sizes = [("a", [1, 3, 20, 6]), ("b", [4, 7, 10, 8])];
    let (bound, bindings) = bind(&graph, &given(&sizes), &Bindings::default()).unwrap();
    assert!(bound.is_bound());
    assert_eq!(bindings, explicit(&[("H", 10), ("W", 6), ("N", 4), ("C", 3)]));
    assert_eq!(bound.sizes(bound.outputs[0].value), Some([1, 3, 10, 6]));
}

#[test]
fn symbols_may_be_given_instead() {
    let (graph, _) = lower(UNET);
    let (bound, _) = bind(&graph, &[], &explicit(&[("H", 8), ("W", 12)])).unwrap();
    assert_eq!(bound.sizes(bound.outputs[0].value), Some([1, 3, 8, 12]));
    assert!(bound.requirements().is_empty());
}

#[test]
fn a_size_that_the_model_cannot_take() {
    refuse(
        UNET,
        &[("image", [1, 3, 101, 64])],
        &[],
        &expect![[r#"
        error[E0506]: the model cannot take H = 101: H must be a multiple of 4
          ┌─ m.zlg:9:12
          │
        9 │     return concat(y, skip, axis: 1) |> double_conv(out: out, name: "conv");
          │            ^^^^^^^^^^^^^^^^^^^^^^^^ because concat joins [1, 16, 4*(H/4), 4*(W/4)] with [1, 16, H, W], which differ in more than channels

    "#]],
    );
    refuse(
        UNET,
        &[("image", [1, 3, 2, 6])],
        &[],
        &expect![[r#"
            error[E0506]: the model cannot take H = 2: H must be a multiple of 4
              ┌─ m.zlg:9:12
              │
            9 │     return concat(y, skip, axis: 1) |> double_conv(out: out, name: "conv");
              │            ^^^^^^^^^^^^^^^^^^^^^^^^ because concat joins [1, 16, 4*(H/4), 4*(W/4)] with [1, 16, H, W], which differ in more than channels
              │
              = note: 5 more conditions on it do not hold

            error[E0506]: the model cannot take W = 6: W must be a multiple of 4
              ┌─ m.zlg:9:12
              │
            9 │     return concat(y, skip, axis: 1) |> double_conv(out: out, name: "conv");
              │            ^^^^^^^^^^^^^^^^^^^^^^^^ because concat joins [1, 16, 4*(H/4), 4*(W/4)] with [1, 16, H, W], which differ in more than channels
              │
              = note: one more condition on it does not hold

        "#]],
    );
}

#[test]
fn a_wrong_number_of_channels_or_images() {
    refuse(
        UNET,
        &[("image", [2, 4, 64, 64])],
        &[],
        &expect![[r#"
            error[E0506]: `image` has 2 images, but the model takes 1
               ┌─ m.zlg:12:12
               │
            12 │ model unet(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
               │            ^^^^^^^^^^^^^^^^^^^^^^ declared here

            error[E0503]: `image` has 4 channels, but the model takes 3
               ┌─ m.zlg:12:12
               │
            12 │ model unet(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
               │            ^^^^^^^^^^^^^^^^^^^^^^ declared here

        "#]],
    );
}

#[test]
fn contradictions() {
    refuse(
        PAIR,
        &[("a", [1, 3, 20, 6]), ("b", [4, 7, 11, 8])],
        &[],
        &expect![[r#"
            error[E0508]: `H` would be 10 by the rows of `a`, and 11 by the rows of `b`
              ┌─ m.zlg:2:31
              │
            2 │ model m(a: f32[1, 3, 2*H, W], b: f32[N, C*2 + 1, H, (W + H)/2]) -> (out: f32[1, 3, H, W]) {
              │         --------------------  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 11 by this
              │         │
              │         10 by this

        "#]],
    );
    refuse(
        PAIR,
        &[("a", [1, 3, 20, 6])],
        &[("H", 11)],
        &expect![[r#"
            error[E0508]: `H` would be 11 by `--bind`, and 10 by the rows of `a`
              ┌─ m.zlg:2:9
              │
            2 │ model m(a: f32[1, 3, 2*H, W], b: f32[N, C*2 + 1, H, (W + H)/2]) -> (out: f32[1, 3, H, W]) {
              │         ^^^^^^^^^^^^^^^^^^^^ 10 by this

        "#]],
    );
    refuse(
        PAIR,
        &[("a", [1, 3, 20, 6]), ("b", [4, 7, 10, 9])],
        &[],
        &expect![[r#"
            error[E0506]: the columns of `b` cannot be 9: the model takes (H + W)/2 with H = 10, W = 6
              ┌─ m.zlg:2:31
              │
            2 │ model m(a: f32[1, 3, 2*H, W], b: f32[N, C*2 + 1, H, (W + H)/2]) -> (out: f32[1, 3, H, W]) {
              │                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        "#]],
    );
}

#[test]
fn sizes_that_no_symbol_gives() {
    refuse(
        PAIR,
        &[("a", [1, 3, 21, 6]), ("b", [4, 8, 11, 8])],
        &[],
        &expect![[r#"
            error[E0506]: the rows of `a` cannot be 21: the model takes 2*H, for a whole `H` of at least 1
              ┌─ m.zlg:2:9
              │
            2 │ model m(a: f32[1, 3, 2*H, W], b: f32[N, C*2 + 1, H, (W + H)/2]) -> (out: f32[1, 3, H, W]) {
              │         ^^^^^^^^^^^^^^^^^^^^

            error[E0506]: the channels of `b` cannot be 8: the model takes 2*C + 1, for a whole `C` of at least 1
              ┌─ m.zlg:2:31
              │
            2 │ model m(a: f32[1, 3, 2*H, W], b: f32[N, C*2 + 1, H, (W + H)/2]) -> (out: f32[1, 3, H, W]) {
              │                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        "#]],
    );
    refuse(
        PAIR,
        &[("b", [4, 1, 11, 8])],
        &[],
        &expect![[r#"
            error[E0506]: the channels of `b` cannot be 1: the model takes 2*C + 1, for a whole `C` of at least 1
              ┌─ m.zlg:2:31
              │
            2 │ model m(a: f32[1, 3, 2*H, W], b: f32[N, C*2 + 1, H, (W + H)/2]) -> (out: f32[1, 3, H, W]) {
              │                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        "#]],
    );
}

#[test]
fn what_is_missing_or_unknown() {
    refuse(
        PAIR,
        &[("a", [1, 3, 20, 6])],
        &[],
        &expect![[r#"
            error[E0505]: the size of `N` and `C` is not known
              ┌─ m.zlg:2:31
              │
            2 │ model m(a: f32[1, 3, 2*H, W], b: f32[N, C*2 + 1, H, (W + H)/2]) -> (out: f32[1, 3, H, W]) {
              │                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              │
              = help: give it: `--bind N=…,C=…`

        "#]],
    );
    refuse(
        UNET,
        &[("imgae", [1, 3, 8, 8])],
        &[],
        &expect![[r#"
        error[E0507]: the model has no input `imgae`
         = help: did you mean `image`?

    "#]],
    );
    refuse(
        UNET,
        &[],
        &[("h", 8), ("W", 0)],
        &expect![[r#"
        error[E0003]: no input of the model has a dimension `h`
         = help: did you mean `H`?

        error[E0003]: `W` is at least 1, not 0

    "#]],
    );
}

#[test]
fn exact_quotients_are_checked() {
    let text =
        "model m(a: f32[1, 3, H, W]) -> (b: f32[1, 3, H/2, W]) { return max_pool2d(a, kernel: [2, 1]); }";
    refuse(
        text,
        &[("a", [1, 3, 7, 8])],
        &[],
        &expect![[r#"
            error[E0506]: the model cannot take H = 7: H must be even
              ┌─ m.zlg:1:46
              │
            1 │ model m(a: f32[1, 3, H, W]) -> (b: f32[1, 3, H/2, W]) { return max_pool2d(a, kernel: [2, 1]); }
              │                                              ^^^ because H/2 is a size of the model, and sizes are divided without remainder

        "#]],
    );
}

#[test]
fn sizes_beyond_all_bounds() {
    let huge = 1 << 40;
    refuse(
        UNET,
        &[("image", [1, 3, huge, huge])],
        &[],
        &expect![[r#"
            error[E0506]: `image` would be f32[1, 3, 1099511627776, 1099511627776], which is too large
               ┌─ m.zlg:12:12
               │
            12 │ model unet(image: f32[1, 3, H, W]) -> (out: f32[1, 3, H, W]) {
               │            ^^^^^^^^^^^^^^^^^^^^^^

        "#]],
    );
    refuse(
        UNET,
        &[("image", [1, 3, u64::MAX, 4])],
        &[],
        &expect![[r#"
            error[E0506]: `image` has 18446744073709551615 rows: that is not between 1 and 1099511627776

        "#]],
    );
}
