use std::fmt::Write;

use expect_test::{Expect, expect};
use zellige_grammar::{Diagnostic, SourceFile, render_text};
use zellige_runtime::program::sample;
use zellige_runtime::program::{Data, Instr, Source};

use super::{Module, parse, print, to_dot, to_json};
use crate::base::Shape;
use crate::fixtures::{self, Net, options, two_convs};
use crate::ir::{Directions, Graph, Sections};
use crate::passes::PIPELINE;

fn round_trip(module: &Module) {
    let printed = print(module);
    let parsed = parse(&printed).unwrap_or_else(|e| panic!("{}", render(&printed, &e)));
    assert!(parsed == *module, "{printed}");
    assert_eq!(print(&parsed), printed);
}

fn render(text: &str, problems: &[Diagnostic]) -> String {
    render_text(problems, &SourceFile::new("a.zir", text))
}

fn refused(text: &str, expected: Expect) {
    let problems = parse(text).expect_err("an error");
    expected.assert_eq(&render(text, &problems));
}

/// A graph of one input whose statements are given.
fn graph(statements: &str) -> String {
    format!(
        "graph g {{\n  input %x : f32[1, 2, H, W];\n  {statements}\n  %y = relu %x : f32[1, 2, H, W];\n  output y %y : f32[1, 2, H, W];\n}}\n"
    )
}

#[test]
fn graphs_read_back() {
    for graph in fixtures::symbolic().into_iter().chain(fixtures::bound()) {
        round_trip(&Module::Graph(graph));
    }
}

#[test]
fn names_may_be_anything() {
    let mut net = Net::new("two words");
    let x = net.input("a \"quoted\"\n name", Shape::new(1, 2, 4, 4));
    let y = net.conv(x, 2, 1, 1, "layer.0/weird path%");
    let mut graph = net.output("none", y).graph;
    graph.weights = Some("inf".into());
    round_trip(&Module::Graph(graph));
}

#[test]
fn not_a_number_is_written() {
    let mut net = Net::new("g");
    let x = net.input("x", Shape::new(1, 1, 2, 2));
    let data = vec![f32::NAN, f32::NEG_INFINITY, f32::MIN_POSITIVE / 8.0, -0.0];
    let k = net.graph.add_constant("k", Shape::new(1, 1, 2, 2), data);
    let y = net.op("add", serde_json::json!({}), &[x, k], "");
    let printed = print(&Module::Graph(net.output("y", y).graph));
    assert!(printed.contains("constant %k [nan, -inf, 1.469368e-39f, -0.0]"), "{printed}");
    assert_eq!(print(&parse(&printed).expect("a graph")), printed);
}

#[test]
fn programs_read_back() {
    for mut program in [
        sample::two_sections(),
        sample::every_instruction(),
        sample::whole_axes(),
        sample::adjoints(),
        sample::dropped(),
        sample::weight_gradients([8, 32], true),
    ] {
        // The values of weights are no part of the text.
        program.data = Data::default();
        program.graph = "no graph \u{1f980}".into();
        for section in &mut program.sections {
            for scheduled in &mut section.body {
                if let Instr::Copy(copy) = &mut scheduled.instr {
                    copy.outside = f32::NEG_INFINITY;
                }
            }
        }
        for weight in &mut program.weights {
            if let Source::Inline(values) = &mut weight.source {
                values[0] = f32::INFINITY;
            }
        }
        round_trip(&Module::Program(program));
    }
}

#[test]
fn an_unknown_op_is_named() {
    refused(
        &graph("%1 = rleu %x : f32[1, 2, H, W];\n  %2 = relu %1 : f32[1, 2, H, W];"),
        expect![[r#"
        error[E0601]: there is no `rleu` in a graph
          ┌─ a.zir:3:3
          │
        3 │   %1 = rleu %x : f32[1, 2, H, W];
          │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ unknown
          │
          = help: did you mean `relu`?

    "#]],
    );
}

#[test]
fn all_errors_are_found_in_one_run() {
    let text = graph(
        "param %w : f32[2];
  param @w : f32[2, H];
  input %x : f32[1, 2, H, W];
  constant %k [1.0, word] : f32[1, 1, 1, 1];
  constant %l [1.0] : f16[1, 1, 1];
  %a = relu %nothing : f32[1, 2, H, W];
  %b = relu %x @nothing : f32[1, 2, H, W];
  %c = clip %x (min: 0.0, maxx: 1.0) : f32[1, 2, H, W];
  %d = conv2d %x (out: 0) : f32[1, 2, H, W];
  relu %x : f32[1, 2, H, W];
  %e = relu %x;
  %f = relu %x (slope: 1.0) : f32[1, 2, H, W] { }
  exact (dividend: H);
  exact (dividend: H, divisor: 2, divsor: 3);",
    );
    refused(
        &text,
        expect![[r#"
            error[E0607]: `param` takes an `@` name
              ┌─ a.zir:3:3
              │
            3 │   param %w : f32[2];
              │   ^^^^^^^^^^^^^^^^^^

            error[E0607]: the type of a parameter is `f32[…]` with whole numbers for sizes
              ┌─ a.zir:4:3
              │
            4 │   param @w : f32[2, H];
              │   ^^^^^^^^^^^^^^^^^^^^^

            error[E0604]: value `%x` is defined twice
              ┌─ a.zir:5:9
              │
            5 │   input %x : f32[1, 2, H, W];
              │         ^^

            error[E0607]: the values of a constant are numbers
              ┌─ a.zir:6:21
              │
            6 │   constant %k [1.0, word] : f32[1, 1, 1, 1];
              │                     ^^^^

            error[E0607]: there is no element type `f16`: it is f32, u8 or u16
              ┌─ a.zir:7:23
              │
            7 │   constant %l [1.0] : f16[1, 1, 1];
              │                       ^^^^^^^^^^^^

            error[E0607]: a tensor has 4 dimensions (N, C, H, W), found 3
              ┌─ a.zir:7:23
              │
            7 │   constant %l [1.0] : f16[1, 1, 1];
              │                       ^^^^^^^^^^^^

            error[E0602]: there is no value `%nothing` before here
              ┌─ a.zir:8:13
              │
            8 │   %a = relu %nothing : f32[1, 2, H, W];
              │             ^^^^^^^^ not defined

            error[E0602]: there is no parameter `@nothing` before here
              ┌─ a.zir:9:16
              │
            9 │   %b = relu %x @nothing : f32[1, 2, H, W];
              │                ^^^^^^^^ not defined

            error[E0603]: `clip` has no attribute `maxx`
               ┌─ a.zir:10:33
               │
            10 │   %c = clip %x (min: 0.0, maxx: 1.0) : f32[1, 2, H, W];
               │                                 ^^^

            error[E0603]: attributes of `conv2d`: `kernel` is missing
               ┌─ a.zir:11:3
               │
            11 │   %d = conv2d %x (out: 0) : f32[1, 2, H, W];
               │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

            error[E0607]: `relu` takes one result, as in `%y = …`
               ┌─ a.zir:12:3
               │
            12 │   relu %x : f32[1, 2, H, W];
               │   ^^^^^^^^^^^^^^^^^^^^^^^^^^

            error[E0607]: `relu` has a tensor type, as in `: f32[1, 3, H, W]`
               ┌─ a.zir:13:3
               │
            13 │   %e = relu %x;
               │   ^^^^^^^^^^^^^

            error[E0607]: `relu` has no body
               ┌─ a.zir:14:3
               │
            14 │   %f = relu %x (slope: 1.0) : f32[1, 2, H, W] { }
               │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

            error[E0603]: `relu` has no attribute `slope`
               ┌─ a.zir:14:24
               │
            14 │   %f = relu %x (slope: 1.0) : f32[1, 2, H, W] { }
               │                        ^^^

            error[E0603]: attributes of `exact`: `divisor` is missing
               ┌─ a.zir:15:3
               │
            15 │   exact (dividend: H);
               │   ^^^^^^^^^^^^^^^^^^^^

            error[E0603]: attributes of `exact`: there is no `divsor`
               ┌─ a.zir:16:43
               │
            16 │   exact (dividend: H, divisor: 2, divsor: 3);
               │                                           ^
               │
               = help: did you mean `divisor`?

        "#]],
    );
}

#[test]
fn what_the_verifier_finds_is_shown_where_it_stands() {
    refused(
        &graph("%1 = add %x %x : f32[1, 3, H, W];"),
        expect![[r#"
        error[E0608]: `1` is declared [1, 3, H, W], and is [1, 2, H, W]
          ┌─ a.zir:3:3
          │
        3 │   %1 = add %x %x : f32[1, 3, H, W];
          │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ here

    "#]],
    );
    refused(
        &graph("param @w : f32[2];"),
        expect![[r#"
        error[E0608]: parameter `w` belongs to no op

    "#]],
    );
    refused(
        "graph g { input %x : f32[1, 99999999999, 1, 1]; output y %x : f32[1, 1, 1, 1]; }",
        expect![[r#"
        error[E0608]: a size of `x` is 99999999999, not between 1 and 2147483648

    "#]],
    );
}

#[test]
fn a_text_is_of_one_level() {
    refused(
        "",
        expect![[r#"
        error[E0607]: the text is empty: a `graph`, `sections` or a `program` is needed

    "#]],
    );
    refused(
        "grahp g {}",
        expect![[r#"
            error[E0601]: a text is a `graph`, `sections` or a `program`, not `grahp`
              ┌─ a.zir:1:1
              │
            1 │ grahp g {}
              │ ^^^^^ unknown
              │
              = help: did you mean `graph`?

        "#]],
    );
    refused(
        "graph a {} graph b {}",
        expect![[r#"
        error[E0607]: a text holds one graph, sections or program
          ┌─ a.zir:1:12
          │
        1 │ graph a {} graph b {}
          │ ---------- ^^^^^^^^^^ a second one
          │ │
          │ the first one

    "#]],
    );
    refused(
        "graph g { input %x : f32[1, 2, 3, 4]; ",
        expect![[r#"
        error[E0103]: unclosed `{`
          ┌─ a.zir:1:9
          │
        1 │ graph g { input %x : f32[1, 2, 3, 4];
          │         ^                             - `}` expected before this
          │         │
          │         opened here

    "#]],
    );
}

/// A training step: `c` and `d` are of the backward pass; `a` crosses a cut on its way to `c`, and `b` one on its way to `d`.
const TRAINING: &str = "\
sections (
  machine: (name: m, sram: \"64KiB\", memory: \"1GiB\", bandwidth: 8e9, units: 1, lanes: 16, clock: 1e9),
  sram: 65536, memory: 1073741824, threads: 1,
) {
  graph g {
    input %x : f32[1, 1, 4, 4];
    %a = relu %x : f32[1, 1, 4, 4];
    %b = relu %a : f32[1, 1, 4, 4];
    backward;
    %c = add %a %b : f32[1, 1, 4, 4];
    %e = add %c %x : f32[1, 1, 4, 4];
    %d = add %b %e : f32[1, 1, 4, 4];
    output d %d : f32[1, 1, 4, 4];
  }
  section s0 [%a] (tile: [4, 4]) {}
  section s1 [%b, %c] (tile: [4, 4]) {}
  section s2 [%e, %d] (tile: [4, 4]) {}
}
";

fn training() -> Sections {
    match parse(TRAINING).unwrap_or_else(|e| panic!("{}", render(TRAINING, &e))) {
        Module::Sections(ir) => ir,
        _ => panic!("the text is one of sections"),
    }
}

#[test]
fn sections_know_their_pass_and_what_is_kept_for_it() {
    let ir = training();
    let directions: Vec<_> = ir.sections.iter().map(|s| ir.direction(s)).collect();
    assert_eq!(directions, [Directions::Forward, Directions::Both, Directions::Backward].map(Some));
    let names = |section| {
        let kept = ir.kept(section).into_iter();
        kept.map(|v| ir.graph.values[v].name.as_str()).collect::<Vec<_>>()
    };
    // `b` is made where `c` reads it, `c` is of the backward pass, and `x` is the caller's.
    let kept: Vec<_> = ir.sections.iter().map(names).collect();
    assert_eq!(kept, [vec![], vec!["a"], vec!["b"]]);
    round_trip(&Module::Sections(ir));
}

#[test]
fn a_graph_of_one_pass_has_no_directions() {
    let Ok(Module::Sections(ir)) = parse(&planned()) else { panic!("the text is one of sections") };
    assert!(ir.sections.iter().all(|s| ir.direction(s).is_none() && ir.kept(s).is_empty()));
    assert!(!print(&Module::Sections(ir)).contains("//"));
}

#[test]
fn texts_say_the_pass_and_what_is_kept() {
    let options = options(64 << 10, Some([4, 4]));
    let passes = PIPELINE.iter().filter(|p| ["tile", "pad", "overlap", "materialize"].contains(&p.name));
    let run = |module, pass: &crate::passes::Pass| (pass.run)(module, &options).expect("tilings");
    let text = print(&passes.fold(Module::Sections(training()), run));
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let below = |comment: &str| {
        let at = |pair: &[&str]| {
            (pair[0] == comment).then(|| pair[1].split(['(', '[']).next().unwrap().to_owned())
        };
        lines.windows(2).filter_map(at).collect::<Vec<_>>()
    };
    assert_eq!(below("// forward"), ["section s0 "]);
    assert_eq!(below("// forward and backward"), ["section s1 "]);
    assert_eq!(below("// backward"), ["section s2 "]);
    let kept: Vec<_> = lines.iter().filter(|line| line.starts_with("materialize")).collect();
    assert_eq!(kept, [&"materialize %a (how: keep);", &"materialize %b (how: keep);"]);
}

#[test]
fn drawings_of_a_training_step_show_both_passes() {
    expect![[r##"
        digraph "g" {
          node [shape=box, fontname="sans-serif"];
          label="red and called backward: the backward pass\ndashed: a tensor of the forward pass, kept for the backward pass of another section"; labelloc=t;
          v0 [label="x", shape=ellipse];
          out0 [label="d", shape=ellipse];
          v5 -> out0 [label="f32[1, 1, 4, 4]"];
          subgraph cluster0 {
          label="s0 (forward) tile 4×4";
          v1 [label="relu\n%a", shape=box];
          }
          subgraph cluster1 {
          label="s1 (forward and backward) tile 4×4";
          color="#a3285f";
          v2 [label="relu\n%b", shape=box];
          v3 [label="add\n%c\nbackward", shape=box, color="#a3285f", style=filled, fillcolor="#fbeaf1"];
          }
          subgraph cluster2 {
          label="s2 (backward) tile 4×4";
          color="#a3285f";
          v4 [label="add\n%e\nbackward", shape=box, color="#a3285f", style=filled, fillcolor="#fbeaf1"];
          v5 [label="add\n%d\nbackward", shape=box, color="#a3285f", style=filled, fillcolor="#fbeaf1"];
          }
          v0 -> v1 [label="f32[1, 1, 4, 4]"];
          v1 -> v2 [label="f32[1, 1, 4, 4]"];
          v1 -> v3 [label="f32[1, 1, 4, 4]\nkept", color="#a3285f", fontcolor="#a3285f", style=dashed];
          v2 -> v3 [label="f32[1, 1, 4, 4]"];
          v3 -> v4 [label="f32[1, 1, 4, 4]"];
          v0 -> v4 [label="f32[1, 1, 4, 4]"];
          v2 -> v5 [label="f32[1, 1, 4, 4]\nkept", color="#a3285f", fontcolor="#a3285f", style=dashed];
          v4 -> v5 [label="f32[1, 1, 4, 4]"];
        }
    "##]].assert_eq(&to_dot(&Module::Sections(training())).expect("a drawing"));
    let graph = to_dot(&Module::Graph(training().graph)).expect("a drawing");
    let dashed: Vec<_> = graph.lines().filter(|l| l.contains("dashed")).map(str::trim).collect();
    // The legend, and what ops of the backward pass read of the forward pass.
    assert_eq!(dashed.len(), 4, "{dashed:?}");
    assert_eq!(graph.matches("\\nbackward\"").count(), 3);
}

/// The sections of two convolutions, planned.
fn planned() -> String {
    let graph = two_convs(Shape::new(1, 4, 32, 32));
    let overlap = Some(crate::ir::Overlap::Recompute);
    let cut_after = vec!["1".to_owned()];
    let options = crate::passes::Options { overlap, cut_after, ..options(64 << 10, Some([16, 16])) };
    let run = |module, pass: &crate::passes::Pass| (pass.run)(module, &options).expect("a plan");
    print(&PIPELINE[..PIPELINE.len() - 1].iter().fold(Module::Graph(graph), run))
}

#[test]
fn edits_of_sections_are_checked() {
    let text = planned();
    let mut all = String::new();
    for (from, to) in [
        ("role: input", "role: inputt"),
        ("anchor: true", "anchor: false"),
        ("reduced: false", "reduced: true"),
        ("extent: [32, 32]", "extent: [32, 33]"),
        ("tile: [18, 18]", "tile: [18, 17]"),
        ("repeats: 2", "repeats: 3"),
        ("repeats: 2", "repeats: 9223372036854775807"),
        ("advance: 16", "advance: 15"),
        ("period: [-1..17]", "period: [0..18]"),
        ("border: [1, 1, 1, 1]", "border: [0, 0, 0, 0]"),
        ("padded: [34, 34]", "padded: [32, 32]"),
        ("storage: on_chip", "storage: fused"),
        ("lanes: 4", "lanes: 3"),
        ("sram_bytes: ", "sram_bytes: 1"),
        ("grid: [2, 2]", "grid: [2, 3]"),
        ("arena_bytes: ", "arena_bytes: 9999999999"),
        ("section s0 [%1]", "section s0 [%1, %1]"),
        ("section s0 [%1]", "section s0 []"),
        ("section s0 [%1]", "section s0 [%2]"),
        ("section s0 [%1]", "section s0 [%image]"),
        ("tensor %image", "tensor %imag"),
        ("tensor %image", "tensor %1"),
        ("tensor %image", "tensr %image"),
        ("overlap: recompute", "overlap: reuse"),
        ("threads: ", "thraeds: "),
        ("live: [0, 1]", "live: [0, 2]"),
        ("composite %1", "composite %2"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "`{from}` is not in\n{text}");
        let problems = parse(&edited).expect_err(to);
        for problem in problems.iter().take(2) {
            let _ = writeln!(all, "{to}\n  {} {}", problem.code, problem.message);
        }
    }
    expect![[r#"
        role: inputt
          E0603 attributes of `tensor`: there is no `inputt`
        anchor: false
          E0609 section `s0`: one tensor is the anchor, and leaves the section; 0 are marked so, and 0 of them leave
        reduced: true
          E0609 section `s0`: `reduced` of `image` should be false
        extent: [32, 33]
          E0609 section `s0`: the extent of `image` is [32, 33], and should be [32, 32]
        tile: [18, 17]
          E0609 section `s0`: `image`, step 0 of x: covers -1..17, and tiles are 17 long
        repeats: 3
          E0609 section `s0`: `image`: 3 computed intervals of y for 2 steps
        repeats: 9223372036854775807
          E0609 section `s0`: `image`: 9223372036854775807 computed intervals of y for 2 steps
        advance: 15
          E0609 section `s0`: `1` reads 15..33 of `image` in step 1 of y, whose tile covers 14..32
        period: [0..18]
          E0609 section `s0`: `image`: the first tile of y is at 0, and its origin -1
        border: [0, 0, 0, 0]
          E0609 section `s0`: readers of `image` find zeros in a border of [1, 1, 1, 1], and it zeroes [0, 0, 0, 0]
        padded: [32, 32]
          E0609 section `s0`: `image` with its padding is [32, 32], and [34, 34] was to be expected
        storage: fused
          E0609 section `s0`: `image` is not stored, but more than the next op needs it
        lanes: 3
          E0609 section `s0`: the buffer of `image` has 3 lanes, not 1, 2, 4, 8 or 16
        sram_bytes: 1
          E0609 section `s0`: it takes 122592 bytes of SRAM, and a worker has 65536
        grid: [2, 3]
          E0609 section `s0`: the grid has 3 steps of x, and the anchor 2 tiles
        arena_bytes: 9999999999
          E0609 tensors in device memory take 999999999953888 bytes, and there are 1073741824
        section s0 [%1, %1]
          E0609 section `s0`: `1` is computed twice
        section s0 []
          E0609 section `s0`: it has no ops
        section s0 [%2]
          E0609 section `s0`: `2` is computed before `1`, which it reads
        section s0 [%2]
          E0609 section `s1`: `2` is computed before `1`, which it reads
        section s0 [%image]
          E0602 no op computes this value
        tensor %imag
          E0602 there is no value `%imag` in the graph
        tensor %1
          E0604 `tensor` is given twice
        tensr %image
          E0601 there is no `tensr` in `section`
        overlap: reuse
          E0609 section `s0`: `image`, step 1 of y: adds 15..33 to the rows above 17
        thraeds: 
          E0603 attributes of `sections`: there is no `thraeds`
        live: [0, 2]
          E0609 composite `1` is used by sections [0, 1], not [0, 2]
        composite %2
          E0609 `2` is a composite and crosses no sections
        composite %2
          E0609 `1` crosses sections and is no composite
    "#]].assert_eq(&all);
}

/// Texts made by exchanging and dropping words of good ones are refused or understood, and what is understood goes through
/// all passes that are left without a panic.
#[test]
fn no_text_makes_anything_panic() {
    let mut texts = vec![planned()];
    texts.extend(fixtures::bound().into_iter().step_by(3).map(|g| print(&Module::Graph(g))));
    texts.push(print(&Module::Program(sample::two_sections())));
    let options = options(1 << 20, None);
    let mut rng = fastrand::Rng::with_seed(11);
    let mut understood = 0;
    for text in &texts {
        let words: Vec<&str> = text.split_inclusive([' ', ',', '[', '(', ';', '.', ':', ']', ')']).collect();
        let numbers =
            ["0", "1", "-1", "2", "7", "16", "4096", "4294967295", "9223372036854775807", "inf", "none"];
        for _ in 0..400 {
            let mut edited: Vec<String> = words.iter().map(ToString::to_string).collect();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(0..edited.len());
                let is_number = edited[at].starts_with(|c: char| c.is_ascii_digit());
                edited[at] = match rng.u8(0..8) {
                    0 => String::new(),
                    1 => words[rng.usize(0..words.len())].to_owned(),
                    _ if is_number => {
                        let end = edited[at].trim_start_matches(|c: char| c.is_ascii_digit());
                        format!("{}{end}", numbers[rng.usize(0..numbers.len())])
                    }
                    _ => continue,
                };
            }
            let edited = edited.concat();
            let Ok(module) = parse(&edited) else { continue };
            understood += 1;
            round_trip(&module);
            let _ = (to_json(&module), to_dot(&module));
            let mut module = Some(module);
            for pass in PIPELINE {
                module = module.and_then(|m| {
                    if m.level() == pass.level { (pass.run)(m, &options).ok() } else { Some(m) }
                });
            }
        }
    }
    assert!(understood > 100, "{understood}");
}

#[test]
fn json_has_names_and_the_same_numbers() {
    let module = parse(&planned()).expect("sections");
    let json = to_json(&module);
    assert_eq!(json["sections"][0]["ops"][0], "1");
    assert_eq!(json["sections"][0]["tensors"]["image"]["tile"], serde_json::json!([18, 18]));
    assert_eq!(json["device"]["composites"]["1"]["live"], serde_json::json!([0, 1]));
    assert_eq!(json["graph"]["ops"][1]["params"], serde_json::json!(["b.weight", "b.bias"]));
}

#[test]
fn drawings_name_tiles_and_halos() {
    let module = parse(&planned()).expect("sections");
    expect![[r#"
        digraph "two_convs" {
          node [shape=box, fontname="sans-serif"];
          v0 [label="image", shape=ellipse];
          out0 [label="y", shape=ellipse];
          v2 -> out0 [label="f32[1, 4, 32, 32]"];
          subgraph cluster0 {
          label="s0 tile 16×16 grid 2×2";
          v1 [label="conv2d\n%1\ntile 16×16", shape=box];
          }
          subgraph cluster1 {
          label="s1 tile 16×16 grid 2×2";
          v2 [label="conv2d\n%2\ntile 16×16", shape=box];
          }
          v0 -> v1 [label="f32[1, 4, 32, 32]\ntile 18×18\noverlap 2×2\npadded 34×34\nzero-out [1, 1, 1, 1]"];
          v1 -> v2 [label="f32[1, 4, 32, 32]\ntile 18×18\noverlap 2×2\npadded 34×34\nzero-out [1, 1, 1, 1]"];
        }
    "#]]
    .assert_eq(&to_dot(&module).expect("a drawing"));
    assert_eq!(to_dot(&Module::Program(sample::two_sections())), None);
}

#[test]
fn large_sizes_and_deep_expressions_are_refused() {
    let sums = (0..40).map(|i| format!("(A{i} + B{i})")).collect::<Vec<_>>().join("*");
    let texts = [
        format!("graph g {{ input %x : f32[1, 1, {sums}, 1]; output y %x : f32[1, 1, 1, 1]; }}"),
        format!("graph g {{ exact (dividend: \"{sums}\", divisor: 2); }}"),
        format!("graph g {{ input %x : f32[1, 1, {}, 1]; }}", "(".repeat(100_000)),
        format!("graph g {{ input %x : f32[1, 1, H{}, 1]; }}", "+ H".repeat(100_000)),
        format!("graph g {{ {} }}", "a { ".repeat(100_000)),
    ];
    for text in texts {
        assert!(parse(&text).is_err());
    }
}

#[test]
fn many_statements_are_read_quickly() {
    let mut text = String::from("graph g {\n  input %0 : f32[1, 2, H, W];\n");
    for i in 1..20_000 {
        let _ = writeln!(text, "  %{i} = relu %{} : f32[1, 2, H, W];", i - 1);
    }
    text.push_str("  output y %19999 : f32[1, 2, H, W];\n}\n");
    let start = std::time::Instant::now();
    let module = parse(&text).expect("a graph");
    assert!(matches!(&module, Module::Graph(Graph { ops, .. }) if ops.len() == 19_999));
    assert!(start.elapsed().as_secs() < 20);
}
