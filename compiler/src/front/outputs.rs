//! What a model returns, compared with what it declares.

use zellige_grammar::ast::{Model, Stmt, TensorDecl};
use zellige_grammar::{Code, Diagnostic, Span};

use super::expander::{Expander, count};
use super::value::Value;
use crate::base::{TensorType, ValueId};
use crate::ir::{Def, Output};
use crate::ops::Requirements;

impl<'a> Expander<'a> {
    /// Adds the outputs to the graph; `types` are the declared ones, as far as they are known.
    pub(super) fn outputs(
        &mut self,
        model: &'a Model,
        types: Vec<Option<TensorType>>,
        values: Vec<(Value, Span)>,
        stmt: &Stmt,
    ) {
        if model.outputs.is_empty() {
            return;
        }
        if values.len() != model.outputs.len() {
            let (expected, found) = (count(model.outputs.len(), "output"), count(values.len(), "value"));
            let are = if values.len() == 1 { "is" } else { "are" };
            let message =
                format!("the model `{}` has {expected}, but {found} {are} returned", model.name.value);
            let mut problem = Diagnostic::error(Code::E0211, message).label(stmt.span, found);
            if let (Some(first), Some(last)) = (model.outputs.first(), model.outputs.last()) {
                problem = problem.secondary(first.span.to(last.span), expected);
            }
            self.error(problem);
            return;
        }
        for ((declared, ty), (value, span)) in model.outputs.iter().zip(types).zip(values) {
            match value {
                Value::Tensor(id) => self.output(declared, ty, id, span),
                Value::Unknown => {}
                other => {
                    let problem = Diagnostic::error(Code::E0207, "a model returns tensors")
                        .label(span, format!("this is {}", self.describe(&other)))
                        .secondary(declared.span, "returned as this output");
                    self.error(problem);
                }
            }
        }
    }

    fn output(&mut self, declared: &TensorDecl, ty: Option<TensorType>, id: ValueId, span: Span) {
        let name = &declared.name.value;
        let repeated = self.graph.outputs.iter().find(|output| output.value == id).map(|output| &output.name);
        let problem = match (&self.graph.values[id].def, repeated) {
            (Def::Op(_), None) => {
                let Some(ty) = ty else { return };
                if self.agrees(&ty, id) {
                    self.graph.spans.outputs.insert(name.clone(), declared.span);
                    self.graph.outputs.push(Output { name: name.clone(), value: id, ty });
                    return;
                }
                self.disagreement(declared, &ty, id, span)
            }
            (Def::Op(_), Some(other)) => {
                Diagnostic::error(Code::E0222, format!("the outputs `{other}` and `{name}` are one tensor"))
                    .label(span, "returned before")
                    .hint("return each tensor once")
            }
            (Def::Input, _) => Diagnostic::error(Code::E0222, format!("the output `{name}` is an input"))
                .label(span, "no op has computed this")
                .secondary(self.span_of(id), "it is given by the caller"),
            (Def::Constant(_), _) => {
                Diagnostic::error(Code::E0222, format!("the output `{name}` is a constant"))
                    .label(span, "no op has computed this")
            }
        };
        self.error(problem);
    }

    /// Whether a value may have its declared type; what symbols leave open becomes a requirement of the graph.
    fn agrees(&self, declared: &TensorType, value: ValueId) -> bool {
        let found = &self.type_of(value).shape;
        let mut dims = declared.shape.dims().into_iter().zip(found.dims());
        dims.all(|(declared, found)| Requirements::default().equal(declared, found, "").is_ok())
    }

    fn disagreement(&self, declared: &TensorDecl, ty: &TensorType, id: ValueId, span: Span) -> Diagnostic {
        let found = self.type_of(id);
        let mut problem = Diagnostic::error(Code::E0304, format!("expected {ty}, found {found}"))
            .label(span, format!("this is {found}"))
            .secondary(declared.span, format!("`{}` is declared {ty}", declared.name.value));
        let computed = self.span_of(id);
        if computed.end <= span.start || computed.start >= span.end {
            problem = problem.secondary(computed, "computed here");
        }
        problem
    }
}
