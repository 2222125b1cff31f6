//! Tests of the IR's text: parsing, printing, recovery, JSON.

use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};

use super::json::{from_json, from_value, to_json, to_value};
use super::*;
use crate::diagnostic::{Diagnostic, render_text};
use crate::dim::DimKind;
use crate::fuzz::tests::Random;
use crate::span::SourceFile;

/// Texts without mistakes.
pub(crate) const SAMPLES: [&str; 2] =
    [include_str!("../../tests/data/graph.zir"), include_str!("../../tests/data/everything.zir")];

fn parse_well(text: &str) -> Vec<Statement> {
    let (tree, problems) = parse(text);
    assert!(problems.is_empty(), "{}", render_text(&problems, &SourceFile::new("m.zir", text)));
    tree.unwrap()
}

fn check_problems(text: &str, expected: &Expect) {
    let (_, problems) = parse(text);
    expected.assert_eq(&render_text(&problems, &SourceFile::new("m.zir", text)));
}

fn codes(problems: &[Diagnostic]) -> Vec<&'static str> {
    problems.iter().map(|problem| problem.code.id()).collect()
}

#[test]
fn samples_are_printed_as_they_stand() {
    for text in SAMPLES {
        assert_eq!(print(&parse_well(text)), text);
    }
}

#[test]
fn a_statement_has_its_parts() {
    let tree = parse_well("%a, %b = split %x [1, -2] 0..5 (axis: 1, mode: strict) : f32[1, H/2] { stop; }");
    let built = Statement::new("split")
        .result("a")
        .result("b")
        .operand(Value::local("x"))
        .operand(Value::list([1i64, -2]))
        .operand(Value::interval(0, 5))
        .attr("axis", 1i64)
        .attr("mode", Value::word("strict"))
        .ty(Value::tensor(
            "f32",
            [DimExpr::int(1), DimKind::Div(Box::new(DimExpr::sym("H")), Box::new(DimExpr::int(2))).into()],
        ))
        .body(vec![Statement::new("stop")]);
    assert_eq!(tree, [built]);
}

#[test]
fn spans_are_kept_and_not_compared() {
    let text = "  foo  %x;";
    let tree = parse_well(text);
    assert_eq!(tree[0].span.text(text), "foo  %x;");
    assert_eq!(tree[0].operands[0].span.text(text), "%x");
    assert_eq!(tree, parse_well("foo %x;"));
}

#[test]
fn values_of_every_kind() {
    for (text, kind) in [
        ("none", ValueKind::None),
        ("true", ValueKind::Bool(true)),
        ("-9223372036854775808", ValueKind::Int(i128::from(i64::MIN))),
        ("18446744073709551615", ValueKind::Int(i128::from(u64::MAX))),
        ("-0.0", ValueKind::Float(-0.0)),
        ("0.1", ValueKind::Float(0.1)),
        ("0.1f", ValueKind::Float(f64::from(0.1f32))),
        ("3.4028235e38f", ValueKind::Float(f64::from(f32::MAX))),
        ("5e-324", ValueKind::Float(5e-324)),
        ("inf", ValueKind::Float(f64::INFINITY)),
        ("-inf", ValueKind::Float(f64::NEG_INFINITY)),
        ("nan", ValueKind::Float(f64::NAN)),
        (r#""a\n\"b\" π""#, ValueKind::Str("a\n\"b\" π".to_owned())),
        ("E1.x", ValueKind::Word("E1.x".to_owned())),
        ("%0", ValueKind::Local("0".to_owned())),
        ("@conv0.weight", ValueKind::Global("conv0.weight".to_owned())),
        ("%/m/Conv_0-out", ValueKind::Local("/m/Conv_0-out".to_owned())),
        (r#"@"a b//c""#, ValueKind::Global("a b//c".to_owned())),
        (r#"%"""#, ValueKind::Local(String::new())),
        ("-9223372036854775808..-1", ValueKind::Interval(i64::MIN, -1)),
        ("[]", ValueKind::List(Vec::new())),
        ("()", ValueKind::Map(IndexMap::new())),
        ("bf16[]", ValueKind::Tensor(TensorType { dtype: "bf16".to_owned(), dims: Vec::new() })),
    ] {
        let value = parse_value(text).unwrap();
        assert_eq!(value.kind, kind);
        assert_eq!(print_value(&value), text);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (text, code) in [
        ("-9223372036854775809", "E0104"),
        ("18446744073709551616", "E0104"),
        ("0..9223372036854775808", "E0104"),
        ("f32[9223372036854775808]", "E0104"),
        ("f32[a.b]", "E0115"),
        ("f32[floor(H)]", "E0115"),
        ("f32[ceil_div(H)]", "E0115"),
        ("(a: 1, b: 2, a: 3)", "E0605"),
        ("-nan", "E0101"),
        ("1 2", "E0101"),
        ("", "E0101"),
        ("f(x)", "E0101"),
        ("\"\\q\"", "E0112"),
    ] {
        assert_eq!(codes(&parse_value(text).unwrap_err()), [code], "{text}");
    }
    assert_eq!(codes(&parse("@a = f; %b, @c = f;").1), ["E0606", "E0606"]);
    assert_eq!(codes(&parse(&"f [".repeat(300)).1), ["E0113"]);
    assert_eq!(codes(&parse(&format!("f {};", "-1 ".repeat(1_000))).1), Vec::<&str>::new());
}

#[test]
fn problems_are_drawn() {
    check_problems(
        "graph g {\n  %0 = relu %x : f32[1, H\n  %1 = relu %0 (a: 1, b 2, c: ) : f32[1, H];\n  relu = 3;\n  output %1\n}\nplan\n",
        &expect![[r#"
            error[E0103]: unclosed `[`
              ┌─ m.zir:2:18
              │
            2 │   %0 = relu %x : f32[1, H
              │                  ^^^^ opened here
            3 │   %1 = relu %0 (a: 1, b 2, c: ) : f32[1, H];
              │   -- `]` expected before this

            error[E0101]: expected `:`, found `2`
              ┌─ m.zir:3:25
              │
            3 │   %1 = relu %0 (a: 1, b 2, c: ) : f32[1, H];
              │                         ^ unexpected

            error[E0101]: expected a value, found `)`
              ┌─ m.zir:3:31
              │
            3 │   %1 = relu %0 (a: 1, b 2, c: ) : f32[1, H];
              │                               ^ unexpected

            error[E0101]: expected `;`, `:`, `{` or a value, found `=`
              ┌─ m.zir:4:8
              │
            4 │   relu = 3;
              │        ^ unexpected

            error[E0102]: missing `;`
              ┌─ m.zir:5:12
              │
            5 │   output %1
              │            ^ a `;` belongs here

            error[E0101]: expected `;`, `:`, `{` or a value, found the end of the file
              ┌─ m.zir:8:1
              │
            8 │
              │ ^ unexpected

        "#]],
    );
}

#[test]
fn long_statements_are_wrapped() {
    let names: Vec<String> = (0..30).map(|i| format!("value_{i}")).collect();
    let mut concat = Statement::new("concat").result("r").attr("axis", 1i64).ty(Value::tensor("f32", []));
    for name in &names {
        concat = concat.operand(Value::local(name));
    }
    let table = Statement::new("table").attr("name", "steps").attr("numbers", Value::list(0..60i64)).attr(
        "rows",
        Value::list((0..2i64).map(|i| {
            Value::map([
                ("step", Value::from(i)),
                ("own", Value::interval(0, i)),
                ("of", Value::from("x".repeat(70))),
            ])
        })),
    );
    let tree = [Statement::new("section").body(vec![concat, table]), Statement::new("end")];
    let text = print(&tree);
    expect![[r#"
        section {
          %r = concat %value_0 %value_1 %value_2 %value_3 %value_4 %value_5 %value_6 %value_7 %value_8
              %value_9 %value_10 %value_11 %value_12 %value_13 %value_14 %value_15 %value_16 %value_17
              %value_18 %value_19 %value_20 %value_21 %value_22 %value_23 %value_24 %value_25 %value_26
              %value_27 %value_28 %value_29 (axis: 1) : f32[];
          table (
            name: "steps",
            numbers: [
              0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
              26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
              49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59,
            ],
            rows: [
              (
                step: 0,
                own: 0..0,
                of: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
              ),
              (
                step: 1,
                own: 0..1,
                of: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
              ),
            ],
          );
        }

        end;
    "#]]
    .assert_eq(&text);
    assert_eq!(parse_well(&text), tree);
}

#[test]
fn a_map_as_last_operand_is_no_attributes() {
    let tree = [Statement::new("f").operand(Value::map([("a", 1i64)]))];
    assert_eq!(print(&tree), "f (a: 1) ();\n");
    assert_eq!(parse_well("f (a: 1) ();"), tree);
}

#[test]
fn comments_are_for_readers() {
    let inner = Statement::new("inner").comment(Some("of two\nlines;"));
    let tree = [Statement::new("outer").comment(Some("above it")).body(vec![inner])];
    let text = print(&tree);
    assert_eq!(text, "// above it\nouter {\n  // of two\n  // lines;\n  inner;\n}\n");
    let read = parse_well(&text);
    assert_eq!(read, tree);
    assert_eq!(print(&read), "outer {\n  inner;\n}\n");
}

#[test]
fn what_is_generated_reads_back() {
    let mut random = Random::new(7);
    for _ in 0..500 {
        let tree: Vec<Statement> = (0..random.below(5)).map(|_| statement(&mut random, 3)).collect();
        let text = print(&tree);
        let (again, problems) = parse(&text);
        assert_eq!(problems, [], "{text}");
        assert_eq!(again.unwrap(), tree, "{text}");
    }
}

#[test]
fn json_comes_back() {
    let mut random = Random::new(8);
    for _ in 0..2_000 {
        // What came from JSON is in its canonical form.
        let value = from_json(&to_json(&value(&mut random, 4)));
        let json = to_json(&value);
        assert_eq!(from_json(&json), value, "{json}");
        assert_eq!(to_json(&from_json(&json)), json);
        assert_eq!(parse_value(&print_value(&value)).unwrap(), value);
    }
}

#[test]
fn strings_of_json_find_their_form() {
    for (json, text) in [
        ("strict", "strict"),
        ("Strict", "\"Strict\""),
        ("E1.x", "\"E1.x\""),
        ("true", "\"true\""),
        ("none", "\"none\""),
        ("inf", "inf"),
        ("-inf", "-inf"),
        ("%x", "%x"),
        ("@conv0.weight", "@conv0.weight"),
        ("@a b", "@\"a b\""),
        ("%", "\"%\""),
        ("-1..5", "-1..5"),
        ("01..5", "\"01..5\""),
        ("a..b", "\"a..b\""),
        ("f32[1, 3, 4*H, (W + 1)/2]", "f32[1, 3, 4*H, (W + 1)/2]"),
        ("f32[1,3]", "\"f32[1,3]\""),
        ("[1]", "\"[1]\""),
        ("", "\"\""),
        ("conv{i}", "\"conv{i}\""),
    ] {
        assert_eq!(print_value(&from_json(&serde_json::Value::from(json))), text);
    }
}

#[test]
fn structures_come_back() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        ZeroPad,
        Scale { by: f32 },
        Pair(u64, i8),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Attributes {
        name: String,
        label: String,
        modes: Vec<Mode>,
        missing: Option<u32>,
        #[serde(with = "serde_float")]
        lowest: f32,
        #[serde(with = "serde_float")]
        highest: f64,
        by_name: std::collections::BTreeMap<String, [i64; 2]>,
        unit: (),
    }

    let attributes = Attributes {
        name: "relu".to_owned(),
        label: "a \"b\"\n".to_owned(),
        modes: vec![Mode::ZeroPad, Mode::Scale { by: 0.1 }, Mode::Pair(u64::MAX, -3)],
        missing: None,
        lowest: f32::NEG_INFINITY,
        highest: 1e300,
        by_name: [("layer1.0".to_owned(), [-1, 2]), ("a b".to_owned(), [0, 0])].into(),
        unit: (),
    };
    let value = to_value(&attributes).unwrap();
    expect![[r#"
        op (
          attributes: (
            name: relu,
            label: "a \"b\"\n",
            modes: [zero_pad, (scale: (by: 0.1f)), (pair: [18446744073709551615, -3])],
            missing: none,
            lowest: -inf,
            highest: 1e300,
            by_name: ("a b": [0, 0], layer1.0: [-1, 2]),
            unit: none,
          ),
        );
    "#]]
    .assert_eq(&print(&[Statement::new("op").attr("attributes", value.clone())]));
    let read = parse_value(&print_value(&value)).unwrap();
    assert_eq!(from_value::<Attributes>(&read).unwrap(), attributes);
}

#[test]
fn numbers_that_json_lacks_are_refused_where_they_are_nonsense() {
    #[derive(Debug, Deserialize)]
    struct Holder {
        #[serde(with = "serde_float")]
        value: f32,
    }

    let holder = |text: &str| from_value::<Holder>(&parse_value(text).unwrap());
    assert_eq!(holder("(value: 3)").unwrap().value, 3.0);
    assert!(holder("(value: nan)").unwrap().value.is_nan());
    assert!(holder("(value: large)").is_err());
}

/// A random statement; every tree is reachable that the text can express.
fn statement(random: &mut Random, depth: usize) -> Statement {
    let mut statement = Statement::new(random.pick(&["relu", "conv2d.dw", "_x", "true", "E1"]));
    for _ in 0..random.below(3) {
        statement = statement.result(name(random));
    }
    for _ in 0..random.below(4) {
        statement = statement.operand(value(random, 2));
    }
    for _ in 0..random.below(5) {
        statement = statement.attr(name(random), value(random, 3));
    }
    if random.below(2) == 0 {
        statement = statement.ty(value(random, 2));
    }
    if depth > 0 && random.below(3) == 0 {
        let body = (0..random.below(4)).map(|_| self::statement(random, depth - 1)).collect();
        statement = statement.body(body);
    }
    statement
}

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 0 { 14 } else { 11 }) {
        0 => Value::none(),
        1 => Value::from(random.below(2) == 0),
        2 => Value::from(int(random)),
        3 => Value::from(random.next()),
        4 => Value::from(f64::from_bits(random.next())),
        5 => Value::from(f32::from_bits(random.next() as u32)),
        6 => Value::from(name(random)),
        7 => Value::word(random.pick(&["strict", "E1.x", "_", "conv2d.dw", "Nearest"])),
        8 => Value::local(name(random)),
        9 => Value::global(name(random)),
        10 => Value::interval(int(random), int(random)),
        11 => Value::list((0..random.below(12)).map(|_| value(random, depth - 1)).collect::<Vec<_>>()),
        12 => Value::map(
            (0..random.below(6)).map(|_| (name(random), value(random, depth - 1))).collect::<Vec<_>>(),
        ),
        _ => Value::tensor("f32", (0..random.below(5)).map(|_| dim(random, 3)).collect::<Vec<_>>()),
    }
}

fn dim(random: &mut Random, depth: usize) -> DimExpr {
    if depth == 0 || random.below(3) == 0 {
        return if random.below(2) == 0 {
            DimExpr::int(int(random))
        } else {
            DimExpr::sym(random.pick(&["H", "W", "n_1", "ceil_div"]))
        };
    }
    let a = Box::new(dim(random, depth - 1));
    let b = Box::new(dim(random, depth - 1));
    DimExpr::from(match random.below(6) {
        0 => DimKind::Add(a, b),
        1 => DimKind::Sub(a, b),
        2 => DimKind::Mul(a, b),
        3 => DimKind::Div(a, b),
        4 => DimKind::CeilDiv(a, b),
        _ => DimKind::Neg(a),
    })
}

fn int(random: &mut Random) -> i64 {
    let shift = random.below(64);
    (random.next() as i64) >> shift
}

fn name(random: &mut Random) -> String {
    let pieces =
        ["a", "x1", ".", "/", "-", " ", "_", "\"", "\\", "π", "\n", "..", "%", "0", "inf", "{", "//", "f32["];
    (0..random.below(5)).map(|_| random.pick(&pieces)).collect()
}
