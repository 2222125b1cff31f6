//! From the tree of a model file to its graph: names are resolved, types declared, blocks and loops expanded.
//!
//! A model's statements are run at compile time. What they compute with is a `Value`: a number, a text, a size, or a
//! tensor, which stands for an op added to the graph. Every mistake becomes a diagnostic; what it concerns becomes
//! `Value::Unknown`, about which nothing more is said, so that one mistake gives one message.
//!
//! | file | subject |
//! |---|---|
//! | `expander` | the state of an expansion, its bounds |
//! | `scope`, `value`, `report` | names, values, diagnostics |
//! | `types` | declared types |
//! | `stmt`, `expr`, `text`, `arith` | statements, expressions, strings, arithmetic on values |
//! | `call` | what a call calls; `arguments` which argument is which |
//! | `block`, `op`, `constant`, `function`, `crop` | the kinds of calls |
//! | `outputs` | what a model returns |
//! | `bind` | sizes of inputs given: values of symbols, and whether the model can take them |

mod arguments;
mod arith;
mod bind;
mod block;
mod call;
mod constant;
mod crop;
mod expander;
mod expr;
mod function;
mod kinds;
mod op;
mod outputs;
mod report;
mod scope;
mod stmt;
mod text;
mod types;
mod value;

#[cfg(test)]
mod tests;

use zellige_grammar::{Code, Diagnostic, Span, ast, has_errors};

use crate::ir::Graph;

pub use bind::{bind, solve};

/// Expands the model of a file. There is no graph where there are errors; warnings come with one.
pub fn lower_model(file: &ast::File) -> (Option<Graph>, Vec<Diagnostic>) {
    let mut expander = expander::Expander::new(file);
    let mut models = file.models();
    match (models.next(), models.next()) {
        (Some(model), None) => expander.model(model),
        (None, _) => expander.report.push(Diagnostic::error(Code::E0214, "the file has no model").label(
            Span::new(file.span.end, file.span.end),
            "expected `model NAME(inputs) -> (outputs) { … }`",
        )),
        (Some(first), Some(second)) => expander.report.push(
            Diagnostic::error(Code::E0214, "the file has more than one model")
                .label(second.name.span, "another model")
                .secondary(first.name.span, "the first one")
                .hint("put each model into a file of its own"),
        ),
    }
    for train in file.trains() {
        let keyword = Span::new(train.span.start, train.span.start.saturating_add(5));
        expander.report.push(
            Diagnostic::warning(Code::E0220, "training is not supported yet")
                .label(keyword, "this section is ignored"),
        );
    }
    let (graph, diagnostics) = expander.finish();
    ((!has_errors(&diagnostics)).then_some(graph), diagnostics)
}
