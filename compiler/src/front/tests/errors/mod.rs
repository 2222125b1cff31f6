//! Mistakes and what is said about them.

mod arguments;
mod blocks;
mod boundaries;
mod dense;
mod models;
mod names;
mod shapes;
mod training;
mod values;

use expect_test::Expect;

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
