//! No text, however strange, takes long, or more of the stack than there is.

use zellige_grammar::parse_model;

use crate::front::lower_model;

fn codes(text: &str) -> Vec<&'static str> {
    let (file, problems) = parse_model(text);
    assert!(problems.is_empty(), "{problems:?}");
    lower_model(&file.unwrap()).1.iter().map(|problem| problem.code.id()).collect()
}

fn model(body: &str) -> String {
    format!("model m(a: f32[1, 3, H, W]) -> (b: f32[1, 3, H, W]) {{ {body} return relu(a); }}")
}

#[test]
fn loops_are_bounded() {
    assert_eq!(codes(&model("for i in 0..1000000000000 { }")), ["E0216"]);
    assert_eq!(codes(&model("for i in 0..900000 { for j in 0..900000 { let x = i * j; } }")), ["E0216"]);
    assert_eq!(codes(&model("for i in -9223372036854775807..9223372036854775807 { }")), ["E0216"]);
    assert_eq!(codes(&model("for i in 5..3 { a = b; }")), [""; 0]);
}

#[test]
fn ops_are_bounded() {
    assert_eq!(codes(&model("for i in 0..200 { for j in 0..200 { a = a + 1; } }")), ["E0216"]);
}

#[test]
fn values_are_bounded() {
    assert_eq!(codes(&model(r#"let s = "ab"; for i in 0..100 { s = "{s}{s}"; }"#)), ["E0221"]);
    assert_eq!(codes(&model("let l = [1, 2]; for i in 0..100 { l = [l, l]; }")), ["E0209"]);
    assert_eq!(codes(&model("let d = height(a) + width(a); for i in 0..100 { d = d * d; }")), ["E0221"]);
    assert_eq!(codes(&model("let n = 3; for i in 0..100 { n = n * n; }")), ["E0221"]);
    assert_eq!(codes(&model("let n = 3.0; for i in 0..100 { n = n * n; }")), ["E0221"]);
    assert_eq!(
        codes(&model("for i in 0..100 { a = upsample(a, scale: [1, 7]) |> pad(top: height(a)); }")),
        ["E0311"]
    );
}

#[test]
fn sizes_are_bounded() {
    let product = ["(A + B + C + D + E + F)"; 60].join("*");
    let text = format!(
        "model m(a: f32[A, B, C, D], b: f32[1, 1, E, F], c: f32[1, 1, 1, {product}]) -> (o: f32[A, B, C, D]) {{ return relu(a); }}"
    );
    assert_eq!(codes(&text), ["E0311"]);
}

/// In a thread with the stack of a test, which is that of most threads.
#[test]
fn nesting_is_bounded() {
    let parens = format!("a = {}a{};", "relu(".repeat(190), ")".repeat(190));
    assert_eq!(codes(&model(&parens)), [""; 0]);
    let mut blocks = String::new();
    for i in 0..500 {
        let call = if i == 0 { "relu(x)".to_owned() } else { format!("b{}(x)", i - 1) };
        let sum = format!("{}{call}{}", "(x + ".repeat(90), ")".repeat(90));
        blocks.push_str(&format!("block b{i}(x) {{ return {sum}; }}\n"));
    }
    let text = format!("{blocks}{}", model("a = b499(a);"));
    assert_eq!(codes(&text), ["E0113"]);
}
