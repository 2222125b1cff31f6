//! Bodies for fuzzing: fuzz targets call them, and the tests run them for a moment.
//!
//! A body takes any text and panics where one of the crate's promises is broken.

use crate::diagnostic::{Diagnostic, render_ansi, render_json, render_text};
use crate::model::parse_model;
use crate::span::SourceFile;
use crate::zir;

/// Parses the text as a model: no panic, every diagnostic can be drawn, and a text
/// without a tree has a diagnostic.
pub fn model(text: &str) {
    let (file, problems) = parse_model(text);
    assert!(file.is_some() || !problems.is_empty());
    draw(&problems, text);
}

/// Parses the text as IR, and what was understood of it is printed and parsed again.
pub fn ir(text: &str) {
    let (tree, problems) = zir::parse(text);
    assert!(tree.is_some() || !problems.is_empty());
    draw(&problems, text);
    if let Some(tree) = tree {
        let printed = zir::print(&tree);
        let (again, problems) = zir::parse(&printed);
        assert_eq!(problems, [], "{printed}");
        assert_eq!(again.as_deref(), Some(tree.as_slice()), "{printed}");
        assert_eq!(again.map(|again| zir::print(&again)), Some(printed));
    }
}

fn draw(problems: &[Diagnostic], text: &str) {
    let file = SourceFile::new("fuzz", text);
    for problem in problems {
        let span = problem.span().unwrap_or_default();
        assert!(span.start <= span.end && span.end as usize <= text.len(), "{problem:?}");
        assert!(text.is_char_boundary(span.start as usize) && text.is_char_boundary(span.end as usize));
    }
    let drawn = render_text(problems, &file);
    assert!(drawn.matches("error[E").count() >= problems.len(), "{drawn}");
    assert!(render_ansi(problems, &file).len() >= drawn.len() || problems.is_empty());
    assert_eq!(render_json(problems, &file).lines().count(), problems.len());
}

#[cfg(test)]
pub(crate) mod tests;
