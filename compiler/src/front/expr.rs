//! Expressions.

use std::rc::Rc;

use indexmap::IndexMap;
use zellige_grammar::ast::{BinaryOp, Expr, ExprKind, NamedValue, UnaryOp};
use zellige_grammar::suggest::did_you_mean;
use zellige_grammar::{Code, Diagnostic, Span, Spanned};

use super::arith::{self, Combined, Failure};
use super::expander::Expander;
use super::op::Operand;
use super::value::{List, Value};

impl<'a> Expander<'a> {
    /// The value of an expression. An op at its root gets `name` for its output.
    pub(super) fn eval(&mut self, expr: &'a Expr, name: Option<&str>) -> Value {
        let value = if self.enter(expr.span) { self.eval_kind(expr, name) } else { Value::Unknown };
        self.leave();
        value
    }

    fn eval_kind(&mut self, expr: &'a Expr, name: Option<&str>) -> Value {
        match &expr.kind {
            ExprKind::Int(v) => Value::Int(*v),
            ExprKind::Float(v) => Value::Float(*v),
            ExprKind::Bool(v) => Value::Bool(*v),
            ExprKind::Str(string) => self.string(string),
            ExprKind::Name(name) => self.name(name, expr.span),
            ExprKind::List(items) => self.list(items, expr.span),
            ExprKind::Group(entries) => self.group(entries),
            ExprKind::Call(call) => self.call(call, None, name),
            ExprKind::Pipe { input, call } => {
                let value = self.eval(input, None);
                self.call(call, Some((value, input.span)), name)
            }
            ExprKind::Unary { op, operand } => self.unary(*op, operand, expr.span, name),
            ExprKind::Binary { op, lhs, rhs } => self.binary(*op, lhs, rhs, name),
            ExprKind::Error => Value::Unknown,
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Value {
        if let Some(value) = self.look_up(name) {
            return value;
        }
        let problem =
            Diagnostic::error(Code::E0203, format!("nothing is called `{name}`")).label(span, "unknown name");
        let close = did_you_mean(name, self.frame.scopes.names());
        let problem = if close.is_some() {
            problem.maybe_hint(close)
        } else if self.ops.contains_key(name) || self.blocks.contains_key(name) {
            problem.hint(format!("an op or block is applied: `{name}(x)` or `x |> {name}`"))
        } else if self.graph.symbols().iter().any(|symbol| symbol == name) {
            problem.hint("symbols stand in types only; `height(x)` and `width(x)` are sizes of a tensor")
        } else {
            problem
        };
        self.error(problem);
        // Once is enough.
        self.frame.scopes.define_outermost(name, Value::Unknown, span);
        Value::Unknown
    }

    fn list(&mut self, items: &'a [Expr], span: Span) -> Value {
        let items: Vec<_> = items.iter().map(|item| self.eval(item, None)).collect();
        if items.iter().any(Value::is_unknown) {
            return Value::Unknown;
        }
        List::new(items).map_or_else(
            || {
                let problem = Diagnostic::error(Code::E0209, "this list is too large, or nested too deeply");
                self.error(problem.label(span, "larger than any constant"));
                Value::Unknown
            },
            Value::List,
        )
    }

    fn group(&mut self, entries: &'a [NamedValue]) -> Value {
        let mut group = IndexMap::new();
        let mut places: IndexMap<&str, Span> = IndexMap::new();
        let mut known = true;
        for NamedValue { name, value } in entries {
            let (place, value) = (value.span, self.eval(value, None));
            if let Some(first) = places.insert(&name.value, name.span) {
                self.given_twice(&name.value, first, name.span);
                known = false;
            }
            match value {
                Value::Unknown => known = false,
                Value::Tensor(_) | Value::List(_) | Value::Group(_) => {
                    let found = format!("this is {}", self.describe(&value));
                    let problem = Diagnostic::error(Code::E0207, "a group holds single values");
                    self.error(problem.label(place, found));
                    known = false;
                }
                value => {
                    group.insert(name.value.clone(), value);
                }
            }
        }
        if known { Value::Group(Rc::new(group)) } else { Value::Unknown }
    }

    fn unary(&mut self, op: UnaryOp, operand: &'a Expr, span: Span, name: Option<&str>) -> Value {
        let value = self.eval(operand, None);
        let outcome = match (op, &value) {
            (_, Value::Unknown) => return Value::Unknown,
            // 0 - x would turn 0 into 0, and not into -0.
            (UnaryOp::Neg, Value::Tensor(x)) => {
                return self.infix("mul", Operand::Tensor(*x), Operand::Number(-1.0), span, name);
            }
            (UnaryOp::Neg, value) => arith::negate(value),
            (UnaryOp::Not, Value::Bool(v)) => Ok(Combined::Value(Value::Bool(!v))),
            (UnaryOp::Not, _) => Ok(Combined::Undefined),
        };
        let undefined = format!("`{}` is not defined for {}", op.symbol(), self.describe(&value));
        self.outcome(outcome, undefined, span, &[(operand.span, &value)])
    }

    fn binary(&mut self, op: Spanned<BinaryOp>, lhs: &'a Expr, rhs: &'a Expr, name: Option<&str>) -> Value {
        let a = self.eval(lhs, None);
        match (op.value, &a) {
            (BinaryOp::And, Value::Bool(false)) => return Value::Bool(false),
            (BinaryOp::Or, Value::Bool(true)) => return Value::Bool(true),
            _ => {}
        }
        let b = self.eval(rhs, None);
        if a.is_unknown() || b.is_unknown() {
            return Value::Unknown;
        }
        let tensors = [&a, &b].into_iter().any(|value| matches!(value, Value::Tensor(_)));
        if let (true, Some(x), Some(y), Some(infix)) =
            (tensors, Operand::of(&a), Operand::of(&b), infix_name(op.value))
        {
            return self.infix(infix, x, y, op.span, name);
        }
        let undefined = format!(
            "`{}` does not combine {} with {}",
            op.value.symbol(),
            self.describe(&a),
            self.describe(&b)
        );
        let outcome = match (&a, &b) {
            (Value::Tensor(_), _) | (_, Value::Tensor(_)) => Ok(Combined::Undefined),
            _ => arith::binary(op.value, &a, &b),
        };
        let span = lhs.span.to(rhs.span);
        self.outcome(outcome, undefined, span, &[(lhs.span, &a), (rhs.span, &b)])
    }

    /// What came out of arithmetic, or a report of why nothing did.
    fn outcome(
        &mut self,
        outcome: Result<Combined, Failure>,
        undefined: String,
        span: Span,
        operands: &[(Span, &Value)],
    ) -> Value {
        match outcome {
            Ok(Combined::Value(value)) => value,
            Ok(Combined::Quotient(dividend, divisor)) => {
                self.exact_quotient(&dividend, divisor, span).map_or(Value::Unknown, Value::from)
            }
            Ok(Combined::Undefined) => {
                let tensor = operands.iter().any(|(_, value)| matches!(value, Value::Tensor(_)));
                let mut problem = Diagnostic::error(Code::E0207, undefined).label(span, "not defined");
                if tensor {
                    problem =
                        problem.hint("tensors are combined by `+`, `-`, `*` and `/`, also with numbers");
                }
                self.error(problem);
                Value::Unknown
            }
            Err(Failure { code, message, hint }) => {
                self.error(Diagnostic::error(code, message).label(span, "computed here").maybe_hint(hint));
                Value::Unknown
            }
        }
    }

    /// The truth value of a condition; nothing where it is not known, which has been reported.
    pub(super) fn condition(&mut self, expr: &'a Expr) -> Option<bool> {
        let value = self.eval(expr, None);
        let problem = match &value {
            Value::Bool(v) => return Some(*v),
            Value::Unknown => return None,
            Value::Tensor(_) => Diagnostic::error(Code::E0213, "a condition is decided at compile time")
                .label(expr.span, format!("this is {}", self.describe(&value))),
            _ => Diagnostic::error(Code::E0207, "a condition is `true` or `false`")
                .label(expr.span, format!("this is {}", self.describe(&value)))
                .hint("compare it: `… == …`"),
        };
        self.error(problem);
        None
    }
}

/// The op that an operator on tensors stands for.
fn infix_name(op: BinaryOp) -> Option<&'static str> {
    match op {
        BinaryOp::Add => Some("add"),
        BinaryOp::Sub => Some("sub"),
        BinaryOp::Mul => Some("mul"),
        BinaryOp::Div => Some("div"),
        _ => None,
    }
}
