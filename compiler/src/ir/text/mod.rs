//! Textual forms of the three levels, `.zir`: [`parse`] gives back what [`print()`] was given, spans and the values of a
//! program's weights apart. They are what one debugs with, so they are made to be read and edited.
//!
//! ```text
//! graph denoise (weights: "denoise.safetensors") {
//!   param @conv0.weight : f32[3, 3, 3, 3];
//!   input %image : f32[1, 3, H, W];
//!   constant %half [0.5] : f32[1, 1, 1, 1];
//!   %0 = conv2d %image @conv0.weight (out: 3, kernel: [3, 3], …) : f32[1, 3, H, W];
//!   %1 = mul %0 %half : f32[1, 3, H, W];
//!   output result %1 : f32[1, 3, H, W];
//!   exact (dividend: H, divisor: 2);
//! }
//! ```
//!
//! Values stand in the order of their arena, parameters before them. The sections level holds its graph, then for each section
//! the values that its ops compute, in the order in which they run, and a tiling for each tensor:
//!
//! ```text
//! sections (machine: (…), sram: 65536, memory: 1073741824, threads: 1) {
//!   graph denoise { … }
//!   section s0 [%0, %1] (tile: [16, 16], overlap: recompute, grid: [2, 2], sram_bytes: 9472) {
//!     tensor %image (role: input, …, steps: [(computed: [-1..17, 15..33], owned: []), …], …);
//!   }
//!   device (weight_bytes: 2304, …) {
//!     composite %m (lanes: 4, offset: 2304, bytes: 64, live: [0, 1]);
//!   }
//! }
//! ```
//!
//! What a pass has not decided yet is left out. In a program every id is the position of its statement, and the result of an
//! instruction is the token that it signals:
//!
//! ```text
//! program denoise (numerics: strict, sram_bytes: 9472, device_bytes: 2304) {
//!   machine (…);
//!   graph denoise { … }
//!   tensor @t0 image (role: input, dims: [1, 3, 32, 32], lanes: 1);
//!   …
//!   section s0 (images: 1) {
//!     buffer %b0 image (channels: 3, lanes: 4, rows: 18, cols: 18, extent: [32, 32], outside: 0.0, offset: 0);
//!     y (steps: 2) {
//!       buffer %b0 (computed: [-1..17, 15..33], owned: []);
//!     }
//!     …
//!     %t0 = load (dst: %b0, src: @t0, wait_previous: [%t1]);
//!     %t1 = conv2d (dst: %b1, src: %b0, weight: @w0, window: (…), groups: 1, wait: [%t0]);
//!   }
//! }
//! ```

mod codec;
mod dot;
mod graph;
mod json;
mod program;
mod reader;
mod sections;

use zellige_grammar::zir::Statement;
use zellige_grammar::{Code, Diagnostic, Span, has_errors};

use super::{Graph, Module, verify};
use reader::Reader;

pub use dot::to_dot;
pub use json::{graph_to_json, sections_to_json, to_json};

/// The text of a graph.
pub fn print_graph(graph: &Graph) -> String {
    zellige_grammar::print_zir(&[graph::write(graph)])
}

/// The text of a module.
pub fn print(module: &Module) -> String {
    let statement = match module {
        Module::Graph(graph) => graph::write(graph),
        Module::Sections(ir) => sections::write(ir),
        Module::Program(program) => program::write(program),
    };
    zellige_grammar::print_zir(&[statement])
}

/// The module that a text describes. It holds the invariants of the IR: [`verify`] has seen it.
///
/// # Errors
///
/// Everything that is wrong with the text, as far as one thing does not hide another.
pub fn parse(text: &str) -> Result<Module, Vec<Diagnostic>> {
    let (statements, problems) = zellige_grammar::parse_zir(text);
    let statements = match statements {
        Some(statements) if !has_errors(&problems) => statements,
        _ => return Err(problems),
    };
    let statement = only_statement(&statements)?;
    let mut reader = Reader::default();
    let module = read(statement, &mut reader)?;
    let module = module.filter(|_| reader.problems.is_empty()).ok_or(reader.problems)?;
    verify_text(&module, statement)?;
    Ok(module)
}

const LEVELS: [&str; 3] = ["graph", "sections", "program"];

fn read(statement: &Statement, reader: &mut Reader) -> Result<Option<Module>, Vec<Diagnostic>> {
    match statement.keyword.as_str() {
        "graph" => Ok(graph::read(statement, reader).map(Module::Graph)),
        "sections" => Ok(sections::read(statement, reader).map(Module::Sections)),
        "program" => Ok(program::read(statement, reader).map(Module::Program)),
        other => Err(vec![
            Diagnostic::error(
                Code::E0601,
                format!("a text is a `graph`, `sections` or a `program`, not `{other}`"),
            )
            .label(first_word(statement), "unknown")
            .maybe_hint(zellige_grammar::suggest::did_you_mean(other, LEVELS)),
        ]),
    }
}

/// Where the keyword of a statement without results is.
fn first_word(statement: &Statement) -> Span {
    let start = statement.span.start;
    Span::new(start, start.saturating_add(statement.keyword.len() as u32).min(statement.span.end))
}

fn only_statement(statements: &[Statement]) -> Result<&Statement, Vec<Diagnostic>> {
    match statements {
        [statement] => Ok(statement),
        [] => {
            let message = "the text is empty: a `graph`, `sections` or a `program` is needed";
            Err(vec![Diagnostic::error(Code::E0607, message)])
        }
        [first, second, ..] => Err(vec![
            Diagnostic::error(Code::E0607, "a text holds one graph, sections or program")
                .label(second.span, "a second one")
                .secondary(first.span, "the first one"),
        ]),
    }
}

/// Verifies, and points at the statements that take part.
fn verify_text(module: &Module, statement: &Statement) -> Result<(), Vec<Diagnostic>> {
    match module {
        Module::Sections(ir) => {
            let diagnostic = |violation: &verify::SectionsViolation| {
                let diagnostic = verify::sections_diagnostic(&ir.graph, violation);
                match violation.section.as_ref().and_then(|name| sections::find(statement, name)) {
                    Some(section) => diagnostic.label(section.span, "in this section"),
                    None => diagnostic,
                }
            };
            let problems: Vec<_> = verify::sections_violations(ir).iter().map(diagnostic).collect();
            if problems.is_empty() { Ok(()) } else { Err(problems) }
        }
        _ => verify::verify(module),
    }
}

#[cfg(test)]
mod tests;
