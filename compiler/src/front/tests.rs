//! Tests of the expansion: graphs, diagnostics as users see them, and binding of sizes.

mod binding;
mod errors;
mod graphs;
mod limits;
mod training;

use zellige_grammar::{Diagnostic, SourceFile, parse_model, render_text};

use super::lower_model;
use crate::ir::{Def, Graph};

/// The graph of a text without mistakes, and warnings about it.
fn lower(text: &str) -> (Graph, Vec<Diagnostic>) {
    let (graph, problems) = try_lower(text);
    (graph.unwrap_or_else(|| panic!("{}", render(text, &problems))), problems)
}

fn try_lower(text: &str) -> (Option<Graph>, Vec<Diagnostic>) {
    let (file, problems) = parse_model(text);
    assert!(problems.is_empty(), "{}", render(text, &problems));
    lower_model(&file.unwrap())
}

fn render(text: &str, problems: &[Diagnostic]) -> String {
    render_text(problems, &SourceFile::new("m.zlg", text))
}

/// A line for each op.
fn show(graph: &Graph) -> String {
    let mut out = String::new();
    let name = |id| &graph.values[id].name;
    for (_, value) in graph.values.iter() {
        match &value.def {
            Def::Input => out.push_str(&format!("input {}: {}\n", value.name, value.ty)),
            Def::Constant(data) => {
                out.push_str(&format!(
                    "const {}: {} = {:?}\n",
                    value.name,
                    value.ty,
                    &data[..data.len().min(4)]
                ));
            }
            Def::Op(op) => {
                let node = &graph.ops[*op];
                let inputs: Vec<_> = node.inputs.iter().map(|&id| name(id).clone()).collect();
                let params = node.params.iter().map(|&id| &graph.params[id]);
                let params: Vec<_> = params.map(|p| format!("{} {:?}", p.name, p.dims)).collect();
                let params =
                    if params.is_empty() { String::new() } else { format!(" [{}]", params.join(", ")) };
                let inputs = inputs.join(", ");
                out.push_str(&format!(
                    "{} = {}({inputs}){params}: {}\n",
                    value.name,
                    node.op.name(),
                    value.ty
                ));
            }
        }
    }
    for output in &graph.outputs {
        out.push_str(&format!("output {} = {}: {}\n", output.name, name(output.value), output.ty));
    }
    for (span, requirement) in graph.requirements() {
        let op = graph.ops.iter().find(|(_, node)| Some(node.span) == span);
        let op = op.map_or("types", |(_, node)| node.op.name());
        out.push_str(&format!("{op}: {}, because {}\n", requirement.condition, requirement.because));
    }
    out
}
