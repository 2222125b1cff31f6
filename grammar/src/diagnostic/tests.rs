//! Tests of how diagnostics are drawn.

use expect_test::expect;

use super::*;
use crate::span::SourceFile;

fn file() -> SourceFile {
    SourceFile::new("net.zlg", "// π\nlet y = conv2(é, kernal: 3);\n")
}

fn problems() -> Vec<Diagnostic> {
    vec![
        Diagnostic::error(Code::E0202, "`conv2d` has no argument `kernal`")
            .label(Span::new(24, 30), "unknown")
            .secondary(Span::new(14, 19), "in this call")
            .hint("did you mean `kernel`?")
            .maybe_hint(None)
            .note("its arguments are `out`, `kernel`, …"),
        Diagnostic::warning(Code::E0219, "`y` is never used").label(Span::new(10, 11), ""),
        Diagnostic::error(Code::E0001, "cannot read `net.safetensors`").note("no such file"),
    ]
}

#[test]
fn as_text() {
    expect![[r#"
        error[E0202]: `conv2d` has no argument `kernal`
          ┌─ net.zlg:2:18
          │
        2 │ let y = conv2(é, kernal: 3);
          │         -----    ^^^^^^ unknown
          │         │
          │         in this call
          │
          = help: did you mean `kernel`?
          = note: its arguments are `out`, `kernel`, …

        warning[E0219]: `y` is never used
          ┌─ net.zlg:2:5
          │
        2 │ let y = conv2(é, kernal: 3);
          │     ^

        error[E0001]: cannot read `net.safetensors`
         = note: no such file

    "#]]
    .assert_eq(&render_text(&problems(), &file()));
}

#[test]
fn as_json() {
    expect![[r#"
        {"severity":"error","code":"E0202","message":"`conv2d` has no argument `kernal`","file":"net.zlg","labels":[{"start":24,"end":30,"line":2,"column":18,"end_line":2,"end_column":24,"message":"unknown","primary":true},{"start":14,"end":19,"line":2,"column":9,"end_line":2,"end_column":14,"message":"in this call","primary":false}],"hints":["did you mean `kernel`?"],"notes":["its arguments are `out`, `kernel`, …"]}
        {"severity":"warning","code":"E0219","message":"`y` is never used","file":"net.zlg","labels":[{"start":10,"end":11,"line":2,"column":5,"end_line":2,"end_column":6,"message":"","primary":true}],"hints":[],"notes":[]}
        {"severity":"error","code":"E0001","message":"cannot read `net.safetensors`","file":"net.zlg","labels":[],"hints":[],"notes":["no such file"]}
    "#]].assert_eq(&render_json(&problems(), &file()));
}

#[test]
fn in_colour() {
    let drawn = render_ansi(&problems(), &file());
    assert!(drawn.contains("\u{1b}[") && drawn.contains("E0202"));
}

#[test]
fn spans_that_do_not_fit_are_clamped() {
    let odd = [Span::new(4, 5), Span::new(3, 4), Span::new(90, 99), Span::new(9, 2), Span::new(0, u32::MAX)];
    for span in odd {
        let problem =
            [Diagnostic::error(Code::E0101, "odd").label(span, "here").secondary(Span::at(40), "there")];
        assert!(render_text(&problem, &file()).contains("error[E0101]: odd"));
        assert!(render_text(&problem, &SourceFile::default()).contains("error[E0101]: odd"));
        assert_eq!(render_json(&problem, &file()).lines().count(), 1);
    }
}

#[test]
fn the_primary_label_says_where() {
    let problem = &problems()[0];
    assert_eq!(problem.span(), Some(Span::new(24, 30)));
    assert_eq!(problems()[2].span(), None);
    assert!(has_errors(&problems()) && !has_errors(&problems()[1..2]));
}

#[test]
fn endless_lines_are_not_shown() {
    let file = SourceFile::new("net.zlg", format!("// {}\nlet", "x".repeat(2_000)));
    let problem = |span| Diagnostic::error(Code::E0101, "odd").label(span, "here").hint("even it out");
    let drawn = render_text(&[problem(Span::new(5, 6)), problem(Span::new(2_004, 2_007))], &file);
    expect![[r#"
        net.zlg:1:6: error[E0101]: odd
         = help: even it out
        error[E0101]: odd
          ┌─ net.zlg:2:1
          │
        2 │ let
          │ ^^^ here
          │
          = help: even it out

    "#]]
    .assert_eq(&drawn);
}
