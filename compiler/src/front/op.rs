//! Ops: from a call to a node of the graph.

use std::sync::Arc;

use indexmap::IndexMap;
use zellige_grammar::ast::Call;
use zellige_grammar::{Code, Diagnostic, Span};

use super::arguments::{Formal, Given, Matched};
use super::constant::number;
use super::expander::{Expander, MOST_OPS};
use super::types::{LARGEST, is_manageable};
use super::value::Value;
use crate::base::ValueId;
use crate::ir::GraphError;
use crate::ops::{ArgError, ArgSpec, Args, Inputs, Op, OpDef, ShapeError};

/// An op that is about to be added to the graph.
pub(super) struct NewOp<'n> {
    pub(super) op: Arc<dyn Op>,
    pub(super) inputs: Vec<ValueId>,
    /// Its name in the call, and the place of that.
    pub(super) path: Option<(String, Span)>,
    pub(super) span: Span,
    /// What its output is called, if that is known.
    pub(super) name: Option<&'n str>,
}

impl<'a> Expander<'a> {
    pub(super) fn call_op(
        &mut self,
        def: &OpDef,
        call: &'a Call,
        mut given: Vec<Given<'a>>,
        name: Option<&str>,
    ) -> Value {
        let tensors =
            if def.inputs == Inputs::Many { self.variadic(def, call, &mut given) } else { Some(Vec::new()) };
        let formals = formals(def);
        let Some(Matched { args, path }) = self.match_arguments(call, given, &formals, None) else {
            return Value::Unknown;
        };
        let named = formals.len() - def.args.len();
        let (first, rest) = args.split_at(named);
        let (inputs, op) = (self.inputs(def, tensors, first), self.build(def, call, rest));
        let (Some(inputs), Some(op)) = (inputs, op) else { return Value::Unknown };
        self.add(NewOp { op, inputs, path, span: call.span, name })
    }

    /// Takes out the tensors of a call that may have any number of them.
    fn variadic(&mut self, def: &OpDef, call: &Call, given: &mut Vec<Given<'a>>) -> Option<Vec<ValueId>> {
        let is_input = |given: &Given<'a>| {
            given.name.is_none() && matches!(given.value, Value::Tensor(_) | Value::Unknown | Value::List(_))
        };
        let inputs: Vec<_> = given.extract_if(.., |given| is_input(given)).collect();
        if inputs.is_empty() {
            self.error(
                Diagnostic::error(Code::E0206, format!("`{}` needs a tensor", def.name))
                    .label(call.span, "not given"),
            );
            return None;
        }
        let mut tensors = Some(Vec::with_capacity(inputs.len()));
        for input in &inputs {
            match (&input.value, &mut tensors) {
                (Value::Tensor(id), Some(tensors)) => tensors.push(*id),
                (Value::Tensor(_), None) => {}
                (Value::List(_), _) => {
                    let problem =
                        Diagnostic::error(Code::E0207, format!("`{}` takes tensors, not a list", def.name))
                            .label(input.span, "this is a list")
                            .hint(format!("leave out the brackets: `{}(a, b)`", def.name));
                    self.error(problem);
                    tensors = None;
                }
                _ => tensors = None,
            }
        }
        tensors
    }

    fn inputs(
        &mut self,
        def: &OpDef,
        variadic: Option<Vec<ValueId>>,
        given: &[Option<Given<'a>>],
    ) -> Option<Vec<ValueId>> {
        let Inputs::Named(names) = def.inputs else { return variadic };
        let mut tensors = Some(Vec::with_capacity(names.len()));
        for (name, given) in names.iter().zip(given.iter().flatten()) {
            match (&given.value, &mut tensors) {
                (Value::Tensor(id), Some(tensors)) => tensors.push(*id),
                (Value::Tensor(_), None) => {}
                _ => {
                    self.not_a_tensor(def.name, name, given);
                    tensors = None;
                }
            }
        }
        tensors
    }

    /// The op with its attributes.
    fn build(&mut self, def: &OpDef, call: &Call, given: &[Option<Given<'a>>]) -> Option<Arc<dyn Op>> {
        let values = self.read_arguments(def.name, &def.args, given)?;
        match (def.build)(&values) {
            Ok(op) => Some(op),
            Err(error) => {
                let specs = def.args.iter().zip(given).find(|(spec, _)| spec.name == error.arg);
                let span =
                    specs.and_then(|(_, given)| given.as_ref()).map_or(call.callee.span, |given| given.span);
                self.impossible(def.name, &error, span);
                None
            }
        }
    }

    /// The arguments of a call, if each is of the kind that is asked for.
    pub(super) fn read_arguments(
        &mut self,
        callee: &str,
        specs: &[ArgSpec],
        given: &[Option<Given<'a>>],
    ) -> Option<Args> {
        let mut values = IndexMap::new();
        let mut whole = true;
        for (spec, given) in specs.iter().zip(given) {
            let Some(given) = given else { continue };
            match self.argument(callee, spec, given) {
                Some(value) => {
                    values.insert(spec.name.to_owned(), value);
                }
                None => whole = false,
            }
        }
        whole.then(|| Args::new(values))
    }

    /// Reports an argument that has been refused.
    pub(super) fn impossible(&mut self, callee: &str, ArgError { arg, message }: &ArgError, span: Span) {
        self.error(
            Diagnostic::error(Code::E0209, format!("`{arg}` of `{callee}` {message}"))
                .label(span, "not possible"),
        );
    }

    /// `a op b`, at least one of them a tensor.
    pub(super) fn infix(
        &mut self,
        op: &str,
        a: Operand,
        b: Operand,
        span: Span,
        name: Option<&str>,
    ) -> Value {
        let Some(op) = self.ops.get(op).and_then(|def| (def.build)(&Args::default()).ok()) else {
            return Value::Unknown;
        };
        let inputs = [a, b].map(|operand| match operand {
            Operand::Tensor(id) => id,
            Operand::Number(value) => self.number(value, span),
        });
        self.add(NewOp { op, inputs: inputs.into(), path: None, span, name })
    }

    /// Adds an op to the graph.
    pub(super) fn add(&mut self, new: NewOp<'_>) -> Value {
        let NewOp { op, inputs, path, span, name } = new;
        if self.graph.ops.len() >= MOST_OPS {
            self.exhaust(
                Diagnostic::error(Code::E0216, format!("a model has at most {MOST_OPS} ops"))
                    .label(span, "one too many"),
            );
            return Value::Unknown;
        }
        let kind = op.name();
        if self.training.is_some() && self.has_parameters(&*op, &inputs) {
            self.error(
                Diagnostic::error(
                    Code::E0226,
                    format!("a training section has no parameters, as `{kind}` does"),
                )
                .label(span, "belongs into the model")
                .hint("make it an output of the model"),
            );
            return Value::Unknown;
        }
        let given = path.as_ref().map(|(path, _)| format!("{}{path}", self.frame.prefix));
        let output = match (name, &given) {
            (Some(name), _) => name.to_owned(),
            (None, Some(path)) => path.clone(),
            (None, None) => format!("{}{kind}", self.frame.prefix),
        };
        let path = given.unwrap_or_else(|| self.made_up_path(&*op, &inputs));
        let output = self.fresh_name(&output);
        match self.graph.add_op(&output, op, inputs.clone(), &path, span) {
            Ok(id) => {
                self.place(id, span);
                self.claim_paths(span);
                if self.is_in_range(id, span) { Value::Tensor(id) } else { Value::Unknown }
            }
            Err(GraphError::Shape(error)) => {
                self.shape_error(error, &inputs, span);
                Value::Unknown
            }
            Err(GraphError::Duplicate(parameter)) => {
                let first = self.paths.get(&parameter).copied().unwrap_or(span);
                self.path_twice(&parameter, first, span);
                Value::Unknown
            }
        }
    }

    /// The path of an op with parameters that has been given none: its name and a number.
    fn made_up_path(&mut self, op: &dyn Op, inputs: &[ValueId]) -> String {
        let base = format!("{}{}", self.frame.prefix, op.name());
        // Ops without parameters need none, and do not count.
        if !self.has_parameters(op, inputs) {
            return base;
        }
        let number = self.unnamed.entry(base.clone()).or_insert(0);
        let path = format!("{base}_{number}");
        *number += 1;
        path
    }

    fn has_parameters(&self, op: &dyn Op, inputs: &[ValueId]) -> bool {
        !op.params(&self.graph.shapes(inputs)).is_ok_and(|params| params.is_empty())
    }

    /// Notes whose parameters those of the newest op are.
    fn claim_paths(&mut self, span: Span) {
        let Some((_, node)) = self.graph.ops.iter().next_back() else { return };
        for &param in &node.params {
            self.paths.insert(self.graph.params[param].name.clone(), span);
        }
    }

    fn path_twice(&mut self, parameter: &str, first: Span, second: Span) {
        let problem =
            Diagnostic::error(Code::E0212, format!("the parameter `{parameter}` belongs to two ops"));
        let problem = if first == second {
            problem.label(second, "to this one, each time that it is expanded")
        } else {
            problem.label(second, "and to this one").secondary(first, "to this one")
        };
        let hint = r#"give each a name of its own: `name: "conv1"`, in a loop `name: "conv{i}"`, for a block in its call"#;
        self.error(problem.hint(hint));
    }

    fn is_in_range(&mut self, id: ValueId, span: Span) -> bool {
        let ty = self.type_of(id);
        let dims = ty.shape.dims();
        let fits = dims.iter().all(|dim| dim.constant().is_none_or(|size| size <= LARGEST));
        if fits && dims.into_iter().all(is_manageable) {
            return true;
        }
        let problem = if fits {
            Diagnostic::error(Code::E0311, "the sizes have become too large or too complicated")
        } else {
            Diagnostic::error(Code::E0311, format!("a size is at most {LARGEST}, found {ty}"))
        };
        self.error(problem.label(span, "the output of this"));
        false
    }

    fn shape_error(&mut self, error: ShapeError, inputs: &[ValueId], span: Span) {
        let ShapeError { code, message, hint, .. } = error;
        let mut problem = Diagnostic::error(code, message).label(span, "in this op").maybe_hint(hint);
        let mut shown = Vec::new();
        for &input in inputs {
            if !shown.contains(&input) {
                problem = problem.secondary(self.span_of(input), format!("this is {}", self.type_of(input)));
                shown.push(input);
            }
        }
        self.error(problem);
    }
}

/// An operand of an operator between tensors.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand {
    Tensor(ValueId),
    Number(f32),
}

impl Operand {
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Tensor(id) => Some(Self::Tensor(*id)),
            other => number(other).map(Self::Number),
        }
    }
}

/// The parameters of an op: its tensors, where they have names, then its arguments.
fn formals(def: &OpDef) -> Vec<Formal<'_>> {
    let tensors = match def.inputs {
        Inputs::Named(names) => names,
        Inputs::Many => &[],
    };
    let tensors = tensors.iter().map(|name| Formal::required(name));
    let args = def.args.iter().map(|spec| Formal {
        name: spec.name,
        required: spec.required,
        elsewhere: spec.elsewhere,
    });
    tensors.chain(args).collect()
}
