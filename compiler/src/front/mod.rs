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
//! | `training` | training sections: losses, and settings |
//! | `optimizer`, `recipes` | calls of optimizers and schedules; which there are |
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
mod optimizer;
mod outputs;
mod recipes;
mod report;
mod scope;
mod stmt;
mod text;
mod training;
mod types;
mod value;

#[cfg(test)]
mod tests;

use zellige_grammar::{Code, Diagnostic, Span, ast, has_errors};

use crate::ir::Graph;

use expander::Expander;

pub use bind::{bind, solve};
pub use training::{LOSS, Training};

/// Expands the model of a file. There is no graph where there are errors; warnings come with one. Training sections are left out.
pub fn lower_model(file: &ast::File) -> (Option<Graph>, Vec<Diagnostic>) {
    let mut expander = Expander::new(file);
    if let Some(model) = the_model(file, &mut expander) {
        expander.model(model);
    }
    let (graph, diagnostics) = expander.finish();
    ((!has_errors(&diagnostics)).then_some(graph), diagnostics)
}

/// Expands the model of a file and its training section. There is nothing where there are errors; warnings come with it.
pub fn lower_training(file: &ast::File) -> (Option<Training>, Vec<Diagnostic>) {
    let mut expander = Expander::new(file);
    let (model, train) = (the_model(file, &mut expander), the_training(file, &mut expander));
    if let Some(model) = model {
        expander.model(model);
    }
    let inputs = expander.graph.inputs.len();
    let trained =
        model.zip(train).and_then(|(model, train)| Some((expander.train(model, train)?, train.span)));
    let (graph, diagnostics) = expander.finish();
    let training = trained.filter(|_| !has_errors(&diagnostics)).map(|((said, loss), span)| {
        let targets = graph.inputs[inputs..].to_vec();
        said.training(graph, loss, targets, span)
    });
    (training, diagnostics)
}

/// The model of a file, if it has one and no more.
fn the_model<'a>(file: &'a ast::File, expander: &mut Expander<'a>) -> Option<&'a ast::Model> {
    let mut models = file.models();
    match (models.next(), models.next()) {
        (Some(model), None) => return Some(model),
        (None, _) => expander.report.push(
            Diagnostic::error(Code::E0214, "the file has no model")
                .label(end_of(file), "expected `model NAME(inputs) -> (outputs) { … }`"),
        ),
        (Some(first), Some(second)) => expander.report.push(
            Diagnostic::error(Code::E0214, "the file has more than one model")
                .label(second.name.span, "another model")
                .secondary(first.name.span, "the first one")
                .hint("put each model into a file of its own"),
        ),
    }
    None
}

/// The training section of a file, if it has one and no more.
fn the_training<'a>(file: &'a ast::File, expander: &mut Expander<'a>) -> Option<&'a ast::Train> {
    let mut trains = file.trains();
    match (trains.next(), trains.next()) {
        (Some(train), None) => return Some(train),
        (None, _) => expander.report.push(
            Diagnostic::error(Code::E0220, "the file has no training section")
                .label(end_of(file), "expected `train(target: f32[…]) { loss …; optimizer …; }`"),
        ),
        (Some(first), Some(second)) => expander.report.push(
            Diagnostic::error(Code::E0220, "the file has more than one training section")
                .label(training::keyword(second.span), "another one")
                .secondary(training::keyword(first.span), "the first one")
                .hint("several losses stand in one section, which sums them"),
        ),
    }
    None
}

fn end_of(file: &ast::File) -> Span {
    Span::new(file.span.end, file.span.end)
}
