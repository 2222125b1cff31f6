//! Functions of compile time: the sizes of a tensor, and a division that rounds up.

use zellige_grammar::ast::Call;
use zellige_grammar::{Code, Diagnostic};

use super::arguments::{Formal, Given};
use super::expander::Expander;
use super::types::is_manageable;
use super::value::Value;
use crate::base::Dim;

/// Their names.
pub(super) const FUNCTIONS: [&str; 4] = ["channels", "height", "width", "ceil_div"];

impl<'a> Expander<'a> {
    pub(super) fn function(&mut self, call: &Call, given: Vec<Given<'a>>) -> Value {
        let formals: &[Formal<'_>] = match call.callee.value.as_str() {
            "ceil_div" => &[Formal::required("a"), Formal::required("b")],
            _ => &[Formal::required("x")],
        };
        let Some(matched) = self.match_arguments(call, given, formals, None) else { return Value::Unknown };
        let args: Vec<_> = matched.args.into_iter().flatten().collect();
        match args.as_slice() {
            [x] => self.size_of(call, x),
            [a, b] => self.ceil_div(call, a, b),
            _ => Value::Unknown,
        }
    }

    fn size_of(&mut self, call: &Call, x: &Given<'a>) -> Value {
        let Value::Tensor(id) = x.value else { return self.not_a_tensor(&call.callee.value, "x", x) };
        let shape = &self.type_of(id).shape;
        let dim = match call.callee.value.as_str() {
            "channels" => &shape.c,
            "height" => &shape.h,
            _ => &shape.w,
        };
        dim.clone().into()
    }

    fn ceil_div(&mut self, call: &Call, a: &Given<'a>, b: &Given<'a>) -> Value {
        let dim = |value: &Value| match value {
            Value::Int(v) => Some(Dim::from(*v)),
            Value::Size(dim) => Some(dim.clone()),
            _ => None,
        };
        if a.value.is_unknown() || b.value.is_unknown() {
            return Value::Unknown;
        }
        let wrong = match (dim(&a.value), &b.value) {
            (Some(dividend), Value::Int(divisor @ 1..)) => {
                let fits = dividend.constant().is_none_or(|v| v.checked_add(divisor - 1).is_some());
                let quotient = dividend.ceil_div(*divisor);
                if fits && is_manageable(&quotient) {
                    return quotient.into();
                }
                self.error(
                    Diagnostic::error(Code::E0221, "the quotient is too large or too complicated")
                        .label(call.span, "computed here"),
                );
                return Value::Unknown;
            }
            (None, _) => a,
            _ => b,
        };
        let found = format!("this is {}", self.describe(&wrong.value));
        self.error(
            Diagnostic::error(Code::E0207, "`ceil_div` divides a size by a positive integer")
                .label(wrong.span, found),
        );
        Value::Unknown
    }

    /// Reports that an argument must be a tensor.
    pub(super) fn not_a_tensor(&mut self, callee: &str, param: &str, given: &Given<'a>) -> Value {
        if given.value.is_unknown() {
            return Value::Unknown;
        }
        let found = format!("this is {}", self.describe(&given.value));
        self.error(
            Diagnostic::error(Code::E0207, format!("`{param}` of `{callee}` is a tensor"))
                .label(given.span, found),
        );
        Value::Unknown
    }
}
