//! Tests of the model language: trees, diagnostics, recovery.

use expect_test::{Expect, expect};

use super::*;
use crate::ast::{Body, Call, Stmt, StmtKind, UnaryOp};
use crate::diagnostic::render_text;
use crate::span::SourceFile;

/// Texts without mistakes.
pub(crate) const SAMPLES: [(&str, &str); 5] = [
    ("stack8", include_str!("../../tests/data/stack8.zlg")),
    ("unet", include_str!("../../tests/data/unet.zlg")),
    ("upscaler", include_str!("../../tests/data/upscaler.zlg")),
    ("language", include_str!("../../tests/data/language.zlg")),
    ("everything", include_str!("../../tests/data/everything.zlg")),
];

fn parse_well(text: &str) -> File {
    let (file, problems) = parse_model(text);
    assert!(problems.is_empty(), "{}", render_text(&problems, &SourceFile::new("m.zlg", text)));
    file.unwrap()
}

/// The body of a model.
fn model(body: &str) -> String {
    format!("model m(a: f32[1, 3, H, W]) -> (b: f32[1, 3, H, W]) {{\n{body}\n}}\n")
}

fn expression(text: &str) -> Expr {
    let file = parse_well(&model(&format!("return {text};")));
    let Item::Model(model) = &file.items[0] else { panic!("not a model") };
    let StmtKind::Return(values) = &model.body.stmts[0].kind else { panic!("not a return") };
    values[0].clone()
}

/// An expression with all its parentheses.
fn show(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Int(value) => value.to_string(),
        ExprKind::Float(value) => format!("{value:?}"),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Str(string) => show_string(string),
        ExprKind::Name(name) => name.clone(),
        ExprKind::List(elements) => format!("[{}]", join(elements.iter().map(show))),
        ExprKind::Group(entries) => {
            format!(
                "({})",
                join(entries.iter().map(|entry| format!("{}: {}", entry.name.value, show(&entry.value))))
            )
        }
        ExprKind::Call(call) => show_call(call),
        ExprKind::Pipe { input, call } => format!("({} |> {})", show(input), show_call(call)),
        ExprKind::Unary { op, operand } => format!("({}{})", op.symbol(), show(operand)),
        ExprKind::Binary { op, lhs, rhs } => format!("({} {} {})", show(lhs), op.value.symbol(), show(rhs)),
        ExprKind::Error => "?".to_owned(),
    }
}

fn show_string(string: &StringLit) -> String {
    let pieces = string.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => format!("{text:?}"),
        Piece::Expr(expr) => format!("{{{}}}", show(expr)),
    });
    format!("str({})", join(pieces))
}

fn show_call(call: &Call) -> String {
    let args = call.args.iter().map(|arg| match &arg.name {
        Some(name) => format!("{}: {}", name.value, show(&arg.value)),
        None => show(&arg.value),
    });
    format!("{}({})", call.callee.value, join(args))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// One line a statement.
fn show_body(body: &Body, depth: usize, out: &mut String) {
    for Stmt { kind, .. } in &body.stmts {
        let indent = "  ".repeat(depth);
        let line = match kind {
            StmtKind::Weights(file) => format!("weights {}", show_string(file)),
            StmtKind::Let { name, value } => format!("let {} = {}", name.value, show(value)),
            StmtKind::Assign { name, value } => format!("{} = {}", name.value, show(value)),
            StmtKind::For { var, start, end, .. } => {
                format!("for {} in {} .. {}", var.value, show(start), show(end))
            }
            StmtKind::If { arms, .. } => format!("if {}", join(arms.iter().map(|arm| show(&arm.cond)))),
            StmtKind::Return(values) => format!("return {}", join(values.iter().map(show))),
            StmtKind::Loss(value) => format!("loss {}", show(value)),
            StmtKind::Optimizer(value) => format!("optimizer {}", show(value)),
            StmtKind::Schedule(value) => format!("schedule {}", show(value)),
            StmtKind::Accumulate(value) => format!("accumulate {}", show(value)),
            StmtKind::Clip(value) => format!("clip {}", show(value)),
        };
        out.push_str(&format!("{indent}{line}\n"));
        match kind {
            StmtKind::For { body, .. } => show_body(body, depth + 1, out),
            StmtKind::If { arms, otherwise } => {
                arms.iter()
                    .map(|arm| &arm.body)
                    .chain(otherwise)
                    .for_each(|body| show_body(body, depth + 1, out));
            }
            _ => {}
        }
    }
}

fn check_problems(text: &str, expected: &Expect) {
    let (_, problems) = parse_model(text);
    expected.assert_eq(&render_text(&problems, &SourceFile::new("m.zlg", text)));
}

fn codes(text: &str) -> Vec<&'static str> {
    parse_model(text).1.iter().map(|problem| problem.code.id()).collect()
}

#[test]
fn samples_parse() {
    for (name, text) in SAMPLES {
        let file = parse_well(text);
        assert_eq!(file.models().count(), 1, "{name}");
        assert_eq!(file.span.text(text), text);
    }
    let language = parse_well(SAMPLES[3].1);
    assert_eq!((language.blocks().count(), language.trains().count()), (1, 1));
}

#[test]
fn every_construct_has_its_tree() {
    let file = parse_well(SAMPLES[4].1);
    let mut out = String::new();
    for item in &file.items {
        let types = |declarations: &[crate::ast::TensorDecl]| {
            join(declarations.iter().map(|declaration| {
                let dims = join(declaration.ty.dims.iter().map(ToString::to_string));
                format!("{}: {}[{dims}]", declaration.name.value, declaration.ty.dtype.value)
            }))
        };
        let (head, body) = match item {
            Item::Model(model) => {
                let (inputs, outputs) = (types(&model.inputs), types(&model.outputs));
                (format!("model {}({inputs}) -> ({outputs})", model.name.value), &model.body)
            }
            Item::Block(block) => {
                let params = block.params.iter().map(|param| match &param.default {
                    Some(default) => format!("{} = {}", param.name.value, show(default)),
                    None => param.name.value.clone(),
                });
                (format!("block {}({})", block.name.value, join(params)), &block.body)
            }
            Item::Train(train) => (format!("train({})", types(&train.inputs)), &train.body),
        };
        out.push_str(&format!("{head}\n"));
        show_body(body, 1, &mut out);
    }
    expect![[r#"
        block residual(x, channels, groups = 1, scales = [1, 2])
          let y = conv2d(x, out: channels, kernel: [3, 3], pad: (top: 0, left: 1, bottom: 2, right: 1), groups: groups)
          if ((((channels % 2) == 0) && (!(groups > 4))) || false), (channels != 3)
            y = (y |> relu())
            y = (leaky_relu(y, slope: 0.01) |> dropout(p: 0.5))
            y = ((((-y) / 2) + (0.5 * y)) - 1)
          return (x + y), y
        model everything(image: u8[1, 3, H, W], depth: f32[N, 2*(H + 1)/2, ceil_div(W, 2), -1 + 2]) -> (out: u16[1, 3, 4*H - 2, W/2])
          weights str("every\"thing.safetensors")
          let mean = const([[0.4, (-0.5)], [0.6, 0]], shape: [1, 4, 1, 1])
          for i in 0 .. (channels(image) - 1)
            let name = str("stage", {(i + 1)}, ".", {(i % 2)}, "{literal}")
            image = (image |> residual((8 * i), name: name))
            for j in i .. (2 * i)
              image = image
          return ((image - mean) |> clip(min: (-1.5), max: 1000))
        train(target: f32[1, 3, H, W])
          let difference = (out - target)
          loss mean((difference * difference))
          optimizer (adamw(lr: 0.001) |> cautious())
          schedule warmup(100, cosine(steps: 10000, min: 1e-5))
          accumulate (2 * 2)
          clip 1.0
    "#]].assert_eq(&out);
}

#[test]
fn precedence() {
    for (text, shown) in [
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("a / b % c * d", "(((a / b) % c) * d)"),
        ("-a * -b", "((-a) * (-b))"),
        ("a + b |> f |> g(c)", "(((a + b) |> f()) |> g(c))"),
        ("(a |> f) + b", "((a |> f()) + b)"),
        ("f(a |> g, k: b |> h)", "f((a |> g()), k: (b |> h()))"),
        ("a < b + 1 && c == d || !e", "(((a < (b + 1)) && (c == d)) || (!e))"),
        ("((((a))))", "a"),
        ("(top: 0, left: -1,)", "(top: 0, left: (-1))"),
        ("[[1, 2], [3, 4,],]", "[[1, 2], [3, 4]]"),
        (r#""a{i * 2}b\n""#, r#"str("a", {(i * 2)}, "b\n")"#),
        (r#""""#, "str()"),
    ] {
        assert_eq!(show(&expression(text)), shown);
    }
}

#[test]
fn spans_cover_what_was_written() {
    let text = model("return x * (conv2d(a, out: 3) |> relu);");
    let file = parse_well(&text);
    let StmtKind::Return(values) = &file.models().next().unwrap().body.stmts[0].kind else { panic!() };
    let ExprKind::Binary { op, rhs, .. } = &values[0].kind else { panic!() };
    assert_eq!(op.span.text(&text), "*");
    assert_eq!(rhs.span.text(&text), "conv2d(a, out: 3) |> relu");
    let ExprKind::Pipe { input, call } = &rhs.kind else { panic!() };
    assert_eq!(call.span.text(&text), "relu");
    let ExprKind::Call(conv) = &input.kind else { panic!() };
    assert_eq!(conv.args[1].span.text(&text), "out: 3");
    assert_eq!(values[0].span.text(&text), "x * (conv2d(a, out: 3) |> relu)");
}

#[test]
fn interpolations_know_where_they_are() {
    let text = model(r#"return f(name: "conv{i}");"#);
    let file = parse_well(&text);
    let StmtKind::Return(values) = &file.models().next().unwrap().body.stmts[0].kind else { panic!() };
    let ExprKind::Call(call) = &values[0].kind else { panic!() };
    let ExprKind::Str(string) = &call.args[0].value.kind else { panic!() };
    assert_eq!(string.span.text(&text), "\"conv{i}\"");
    assert_eq!(string.as_plain(), None);
    let Piece::Expr(expr) = &string.pieces[1] else { panic!() };
    assert_eq!(expr.span.text(&text), "i");
}

#[test]
fn dimensions_tell_numbers_from_negations() {
    let file = parse_well("model m(a: f32[-3, -(3), - -3, -H, H - -1, ((2*H))]) -> () {}");
    let dims: Vec<String> =
        file.models().next().unwrap().inputs[0].ty.dims.iter().map(ToString::to_string).collect();
    assert_eq!(dims, ["-3", "-(3)", "-(-3)", "-H", "H - -1", "2*H"]);
}

#[test]
fn a_forgotten_semicolon_costs_one_line() {
    check_problems(
        &model("    let x = a\n    let y = x;\n    y = relu(y)\n    return y;"),
        &expect![[r#"
        error[E0102]: missing `;`
          ┌─ m.zlg:2:14
          │
        2 │     let x = a
          │              ^ a `;` belongs here

        error[E0102]: missing `;`
          ┌─ m.zlg:4:16
          │
        4 │     y = relu(y)
          │                ^ a `;` belongs here

    "#]],
    );
}

#[test]
fn a_forgotten_bracket_is_shown_where_it_opens() {
    check_problems(
        &model("    let x = conv2d(a, out: 3;\n    let y = [1, 2\n    return f((x), [y);"),
        &expect![[r#"
            error[E0103]: unclosed `(`
              ┌─ m.zlg:2:19
              │
            2 │     let x = conv2d(a, out: 3;
              │                   ^         - `)` expected before this
              │                   │
              │                   opened here

            error[E0103]: unclosed `[`
              ┌─ m.zlg:3:13
              │
            3 │     let y = [1, 2
              │             ^ opened here
            4 │     return f((x), [y);
              │     ------ `]` expected before this

            error[E0103]: unclosed `[`
              ┌─ m.zlg:4:19
              │
            4 │     return f((x), [y);
              │                   ^ - `]` expected before this
              │                   │
              │                   opened here

        "#]],
    );
    check_problems(
        "model m(a: f32[1, 3 -> (b: f32[1]) {\n    for i in 0..3 {\n        return a;\n}\nblock b(x) { return x; }\n",
        &expect![[r#"
            error[E0103]: unclosed `(`
              ┌─ m.zlg:1:8
              │
            1 │ model m(a: f32[1, 3 -> (b: f32[1]) {
              │        ^            -- `)` expected before this
              │        │
              │        opened here

            error[E0103]: unclosed `[`
              ┌─ m.zlg:1:15
              │
            1 │ model m(a: f32[1, 3 -> (b: f32[1]) {
              │               ^     -- `]` expected before this
              │               │
              │               opened here

            error[E0103]: unclosed `{`
              ┌─ m.zlg:1:36
              │
            1 │ model m(a: f32[1, 3 -> (b: f32[1]) {
              │                                    ^ opened here
              ·
            5 │ block b(x) { return x; }
              │ ----- `}` expected before this

        "#]],
    );
}

#[test]
fn brackets_that_close_nothing() {
    check_problems(
        &model("    let x = f(a, [1, 2)]);\n    let y = f(a];\n    let z = a);\n    return a; } }"),
        &expect![[r#"
            error[E0106]: expected `]`, found `)`
              ┌─ m.zlg:2:23
              │
            2 │     let x = f(a, [1, 2)]);
              │                  -    ^ does not close `[`
              │                  │
              │                  opened here

            error[E0106]: expected `)`, found `]`
              ┌─ m.zlg:3:16
              │
            3 │     let y = f(a];
              │              - ^ does not close `(`
              │              │
              │              opened here

            error[E0106]: `)` closes nothing
              ┌─ m.zlg:4:14
              │
            4 │     let z = a);
              │              ^ no `(` is open here
              │
              = help: remove it

            error[E0106]: `}` closes nothing
              ┌─ m.zlg:5:17
              │
            5 │     return a; } }
              │                 ^ no `{` is open here
              │
              = help: remove it

            error[E0106]: `}` closes nothing
              ┌─ m.zlg:6:1
              │
            6 │ }
              │ ^ no `{` is open here
              │
              = help: remove it

        "#]],
    );
}

#[test]
fn arguments_recover_one_by_one() {
    check_problems(
        &model("    return conv2d(a, out 3, kernel = 3, pad: , (1 + ), groups: 2);"),
        &expect![[r#"
            error[E0101]: expected `,`, `:`, `)` or an operator, found `3`
              ┌─ m.zlg:2:26
              │
            2 │     return conv2d(a, out 3, kernel = 3, pad: , (1 + ), groups: 2);
              │                          ^ unexpected

            error[E0107]: a named argument is written with `:`
              ┌─ m.zlg:2:36
              │
            2 │     return conv2d(a, out 3, kernel = 3, pad: , (1 + ), groups: 2);
              │                                    ^ not `=`
              │
              = help: write `kernel: …`

            error[E0101]: expected an expression, found `,`
              ┌─ m.zlg:2:46
              │
            2 │     return conv2d(a, out 3, kernel = 3, pad: , (1 + ), groups: 2);
              │                                              ^ unexpected

            error[E0101]: expected an expression, found `)`
              ┌─ m.zlg:2:53
              │
            2 │     return conv2d(a, out 3, kernel = 3, pad: , (1 + ), groups: 2);
              │                                                     ^ unexpected

        "#]],
    );
}

#[test]
fn statements_recover_one_by_one() {
    check_problems(
        &model(
            "    let in = 3;\n    let = 4;\n    let x 5, 6;\n    x = ;\n    a |> relu;\n    return a |> relu + 1;",
        ),
        &expect![[r#"
            error[E0105]: `in` is a keyword and cannot be a name
              ┌─ m.zlg:2:9
              │
            2 │     let in = 3;
              │         ^^ expected a name
              │
              = help: another name will do, such as `in_`

            error[E0101]: expected a name, found `=`
              ┌─ m.zlg:3:9
              │
            3 │     let = 4;
              │         ^ unexpected

            error[E0101]: expected `=`, found `5`
              ┌─ m.zlg:4:11
              │
            4 │     let x 5, 6;
              │           ^ unexpected

            error[E0101]: expected an expression, found `;`
              ┌─ m.zlg:5:9
              │
            5 │     x = ;
              │         ^ unexpected

            error[E0108]: this statement has no effect
              ┌─ m.zlg:6:5
              │
            6 │     a |> relu;
              │     ^^^^^^^^^ the value is dropped
              │
              = help: name it, `let y = …;`, or hand it out, `return …;`

            error[E0101]: expected `|>`, `,` or `;`, found `+`
              ┌─ m.zlg:7:22
              │
            7 │     return a |> relu + 1;
              │                      ^ unexpected
              │
              = help: `|>` binds weakest: put the whole pipe in parentheses

        "#]],
    );
}

#[test]
fn heads_recover_and_bodies_are_still_read() {
    check_problems(
        &model(
            "    for i in {\n        let x = ;\n    }\n    for i on 0..3 { let y == 3; }\n    if { let z = a b; } else if c { w = ; }",
        ),
        &expect![[r#"
            error[E0101]: expected an expression, found `{`
              ┌─ m.zlg:2:14
              │
            2 │     for i in {
              │              ^ unexpected

            error[E0101]: expected an expression, found `;`
              ┌─ m.zlg:3:17
              │
            3 │         let x = ;
              │                 ^ unexpected

            error[E0101]: expected `in`, found `on`
              ┌─ m.zlg:5:11
              │
            5 │     for i on 0..3 { let y == 3; }
              │           ^^ unexpected

            error[E0101]: expected `=`, found `==`
              ┌─ m.zlg:5:27
              │
            5 │     for i on 0..3 { let y == 3; }
              │                           ^^ unexpected

            error[E0101]: expected an expression, found `{`
              ┌─ m.zlg:6:8
              │
            6 │     if { let z = a b; } else if c { w = ; }
              │        ^ unexpected

            error[E0101]: expected `;` or an operator, found `b`
              ┌─ m.zlg:6:20
              │
            6 │     if { let z = a b; } else if c { w = ; }
              │                    ^ unexpected

            error[E0101]: expected an expression, found `;`
              ┌─ m.zlg:6:41
              │
            6 │     if { let z = a b; } else if c { w = ; }
              │                                         ^ unexpected

        "#]],
    );
    assert_eq!(codes("block (x) { let = 3; }\nmodel m { let = 4; }\ntrain(x y) {}\nfoo bar"), ["E0101"; 6]);
}

#[test]
fn strings_are_read_to_the_end() {
    check_problems(
        &model("    let s = \"a{}b{i\";\n    let t = \"{i + }{f(1}{a b}\\q\";\n    return \"open;\n"),
        &expect![[r#"
            error[E0112]: nothing to interpolate
              ┌─ m.zlg:2:15
              │
            2 │     let s = "a{}b{i";
              │               ^^ empty braces
              │
              = help: a brace that means itself is written `\{`

            error[E0112]: this interpolation does not end
              ┌─ m.zlg:2:18
              │
            2 │     let s = "a{}b{i";
              │                  ^^ no `}` before the string ends
              │
              = help: a brace that means itself is written `\{`

            error[E0101]: expected an expression, found the end of the interpolation
              ┌─ m.zlg:3:19
              │
            3 │     let t = "{i + }{f(1}{a b}\q";
              │                   ^ unexpected

            error[E0103]: unclosed `(`
              ┌─ m.zlg:3:22
              │
            3 │     let t = "{i + }{f(1}{a b}\q";
              │                      ^ - `)` expected before this
              │                      │
              │                      opened here

            error[E0101]: expected an operator, found `b`
              ┌─ m.zlg:3:28
              │
            3 │     let t = "{i + }{f(1}{a b}\q";
              │                            ^ unexpected

            error[E0112]: unknown escape `\q`
              ┌─ m.zlg:3:30
              │
            3 │     let t = "{i + }{f(1}{a b}\q";
              │                              ^^ not an escape
              │
              = help: the escapes are `\\`, `\"`, `\n`, `\t`, `\r`, `\0`, `\{`, `\}` and `\u{…}`

            error[E0110]: this string does not end
              ┌─ m.zlg:4:12
              │
            4 │     return "open;
              │            ^^^^^^ no closing quote on this line
              │
              = help: close it with `"`; a line break within a string is written `\n`

            error[E0102]: missing `;`
              ┌─ m.zlg:4:18
              │
            4 │     return "open;
              │                  ^ a `;` belongs here

        "#]],
    );
}

#[test]
fn groups_need_names() {
    assert_eq!(codes(&model("return f((a, b), (), (top: 1, 2), (a,));")), ["E0118"; 3]);
    assert_eq!(codes(&model("return (top = 1, left: 2);")), ["E0107"]);
}

#[test]
fn statements_stand_where_they_belong() {
    check_problems(
        &model(
            "    loss a;\n    for i in 0..2 { weights \"w\"; }\n} train() { return a; optimizer sgd(); }\nblock b() {\n    weights \"w\";",
        ),
        &expect![[r#"
            error[E0116]: `loss` does not belong here
              ┌─ m.zlg:2:5
              │
            2 │     loss a;
              │     ^^^^^^^ out of place
              │
              = help: `loss` stands directly in a training section, `train(…) { … }`

            error[E0116]: `weights` does not belong here
              ┌─ m.zlg:3:21
              │
            3 │     for i in 0..2 { weights "w"; }
              │                     ^^^^^^^^^^^^ out of place
              │
              = help: `weights` stands directly in the body of a model

            error[E0116]: `return` does not belong here
              ┌─ m.zlg:4:13
              │
            4 │ } train() { return a; optimizer sgd(); }
              │             ^^^^^^^^^ out of place
              │
              = help: `return` stands in models and blocks

            error[E0116]: `weights` does not belong here
              ┌─ m.zlg:6:5
              │
            6 │     weights "w";
              │     ^^^^^^^^^^^^ out of place
              │
              = help: `weights` stands directly in the body of a model

        "#]],
    );
}

#[test]
fn settings_of_a_training_stand_in_it() {
    assert_eq!(
        codes(&model(
            "schedule constant();
 accumulate 4;
 clip -1.0;
 return a;"
        )),
        ["E0116"; 3]
    );
    assert_eq!(codes("train() { for i in 0..2 { clip 1.0; } }"), ["E0116"]);
    assert_eq!(
        codes(
            "train() { optimizer sgd()
 schedule constant()
 accumulate 2
 clip 0.5
 }"
        ),
        ["E0102"; 4]
    );
    assert_eq!(codes("train() { schedule ; accumulate 3 4; clip 1.0; loss ; }"), ["E0108", "E0101", "E0101"]);
}

#[test]
fn three_mistakes_give_three_diagnostics() {
    let text = "model m(a f32[1]) -> (b: f32[1]) {\n    let x = conv2d(a, out: 3x);\n    return x\n}\n";
    assert_eq!(codes(text), ["E0101", "E0111", "E0102"]);
}

#[test]
fn recovered_trees_keep_what_was_understood() {
    let (file, problems) = parse_model(&model("let x = a\nlet y = f(x, 3 4, k: x);\nlet = 3;\nreturn y;"));
    assert_eq!(problems.len(), 3);
    let mut out = String::new();
    show_body(&file.unwrap().models().next().unwrap().body, 0, &mut out);
    assert_eq!(out, "let x = a\nlet y = f(x, k: x)\nreturn y\n");
}

#[test]
fn nesting_is_bounded() {
    for deep in [
        "(".repeat(100_000),
        "[".repeat(300),
        "-".repeat(300),
        "a + ".repeat(300),
        "a |> ".repeat(300),
        "f(-".repeat(150),
        format!("{}a{}", "(".repeat(250), ")".repeat(250)),
    ] {
        let (file, problems) = parse_model(&model(&format!("return {deep};")));
        assert_eq!((file, problems[0].code), (None, Code::E0113));
    }
    assert!(codes(&model(&"if a + b { } ".repeat(300))).is_empty());
    assert!(codes(&model(&format!("return {}a{};", "(".repeat(190), ")".repeat(190)))).is_empty());
    assert!(codes(&model(&format!("return [{}];", "-1, ".repeat(10_000)))).is_empty());
    let chain = format!("if a {{}} {}", "else if a == b {}".repeat(1_000));
    assert!(codes(&model(&chain)).is_empty());
}

#[test]
fn large_garbage_is_soon_done_with() {
    for garbage in [")", "}", "§", "let ", "model m(", "\"", "a b ", "f(a;", "; ", "0..", "= "] {
        let text = garbage.repeat(50_000);
        let (_, problems) = parse_model(&text);
        assert!(problems.len() <= 100, "{garbage}");
        let (_, problems) = parse_model(&model(&text));
        assert!(problems.len() <= 100, "{garbage}");
    }
}

#[test]
fn unary_operators_have_symbols() {
    assert_eq!((UnaryOp::Neg.symbol(), UnaryOp::Not.symbol()), ("-", "!"));
}
