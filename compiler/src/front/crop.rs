//! `crop(x, to: y)`: the centre of a tensor, as large as another.

use indexmap::IndexMap;
use zellige_grammar::ast::Call;
use zellige_grammar::{Code, Diagnostic};

use super::arguments::{Formal, Given, Matched};
use super::expander::Expander;
use super::op::NewOp;
use super::value::Value;
use crate::base::{Dim, ValueId};
use crate::ops::{ArgValue, Args};

impl<'a> Expander<'a> {
    pub(super) fn crop_to(&mut self, call: &'a Call, given: Vec<Given<'a>>, name: Option<&str>) -> Value {
        let formals = [Formal::required("x"), Formal::required("to")];
        let Some(Matched { args, path }) = self.match_arguments(call, given, &formals, None) else {
            return Value::Unknown;
        };
        let tensors: Vec<_> = formals.iter().zip(args.iter().flatten()).collect();
        let tensors: Vec<Option<ValueId>> = tensors
            .into_iter()
            .map(|(formal, given)| match given.value {
                Value::Tensor(id) => Some(id),
                _ => {
                    self.not_a_tensor("crop", formal.name, given);
                    None
                }
            })
            .collect();
        let [Some(x), Some(to)] = tensors.as_slice() else { return Value::Unknown };
        let (from, onto) = (self.type_of(*x).shape.clone(), self.type_of(*to).shape.clone());
        let rows = self.margin(&from.h, &onto.h, call);
        let columns = self.margin(&from.w, &onto.w, call);
        let (Some(rows), Some(columns)) = (rows, columns) else { return Value::Unknown };
        let sides = [("top", &rows), ("left", &columns), ("bottom", &rows), ("right", &columns)];
        let sides = sides.map(|(side, amount)| (side.to_owned(), ArgValue::Dim(amount.clone())));
        let Some(Ok(op)) = self.ops.get("crop").map(|def| (def.build)(&Args::new(IndexMap::from(sides))))
        else {
            let problem =
                Diagnostic::error(Code::E0301, format!("{from} cannot be cropped to the size of {onto}"))
                    .label(call.span, "it has fewer rows or columns")
                    .secondary(self.span_of(*x), format!("this is {}", self.type_of(*x)))
                    .secondary(self.span_of(*to), format!("this is {}", self.type_of(*to)));
            self.error(problem);
            return Value::Unknown;
        };
        self.add(NewOp { op, inputs: vec![*x], path, span: call.span, name })
    }

    /// What is taken off at either end: half the difference, which must be even.
    fn margin(&mut self, from: &Dim, onto: &Dim, call: &Call) -> Option<Dim> {
        self.exact_quotient(&from.sub(onto), 2, call.span)
    }
}
