//! Constants: `const([…], shape: […])`, and numbers among tensors.

use zellige_grammar::ast::Call;
use zellige_grammar::{Code, Diagnostic, Span};

use super::arguments::{Formal, Given};
use super::expander::Expander;
use super::value::{List, MOST_LEAVES, Value};
use crate::base::{Shape, ValueId};

impl<'a> Expander<'a> {
    /// `const(values, shape: [n, c, h, w])`: nested lists in raster order, or one number for all.
    pub(super) fn constant(&mut self, call: &'a Call, given: Vec<Given<'a>>, name: Option<&str>) -> Value {
        let formals = [Formal::required("values"), Formal::required("shape")];
        let Some(matched) = self.match_arguments(call, given, &formals, None) else { return Value::Unknown };
        let args: Vec<_> = matched.args.into_iter().flatten().collect();
        let [values, shape] = args.as_slice() else { return Value::Unknown };
        if values.value.is_unknown() || shape.value.is_unknown() {
            return Value::Unknown;
        }
        let (data, sizes) = (self.constant_data(values), self.constant_shape(shape));
        let (Some(mut data), Some(sizes)) = (data, sizes) else { return Value::Unknown };
        let volume: i64 = sizes.iter().product();
        if !matches!(values.value, Value::List(_)) {
            data = vec![data[0]; volume as usize];
        }
        if data.len() as i64 != volume {
            self.error(
                Diagnostic::error(Code::E0301, "the values do not fill the shape")
                    .label(values.span, format!("{} values", data.len()))
                    .label(shape.span, format!("room for {volume}")),
            );
            return Value::Unknown;
        }
        let [n, c, h, w] = sizes;
        let default = format!("{}const", self.frame.prefix);
        let name = self.fresh_name(name.unwrap_or(&default));
        let id = self.graph.add_constant(&name, Shape::new(n, c, h, w), data);
        Value::Tensor(self.place(id, call.span))
    }

    fn constant_data(&mut self, values: &Given<'a>) -> Option<Vec<f32>> {
        let mut data = Vec::new();
        let whole = match &values.value {
            Value::List(list) => flatten(list, &mut data),
            single => number(single).map(|v| data.push(v)).is_some(),
        };
        if whole && !data.is_empty() {
            return Some(data);
        }
        let found = format!("this is {}", self.describe(&values.value));
        self.error(
            Diagnostic::error(Code::E0207, "a constant is made of numbers")
                .label(values.span, found)
                .hint("as in `const([0.4, 0.5, 0.6], shape: [1, 3, 1, 1])`"),
        );
        None
    }

    fn constant_shape(&mut self, shape: &Given<'a>) -> Option<[i64; 4]> {
        let size = |value: &Value| match value {
            Value::Int(v @ 1..) => Some(*v),
            _ => None,
        };
        let sizes = match &shape.value {
            Value::List(list) => list.items.iter().map(size).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let Some(Ok(sizes)) = sizes.map(<[i64; 4]>::try_from) else {
            let found = format!("this is {}", self.describe(&shape.value));
            self.error(
                Diagnostic::error(Code::E0207, "the shape of a constant is a list of four positive integers")
                    .label(shape.span, found)
                    .hint("images, channels, rows, columns: `shape: [1, 3, 1, 1]`"),
            );
            return None;
        };
        let volume = sizes.iter().try_fold(1i64, |volume, &size| volume.checked_mul(size));
        if volume.is_none_or(|volume| volume > MOST_LEAVES as i64) {
            self.error(
                Diagnostic::error(Code::E0311, format!("a constant has at most {MOST_LEAVES} values"))
                    .label(shape.span, "too large"),
            );
            return None;
        }
        Some(sizes)
    }

    /// A tensor of one number, made once for all its uses.
    pub(super) fn number(&mut self, value: f32, span: Span) -> ValueId {
        if let Some(&id) = self.numbers.get(&value.to_bits()) {
            return id;
        }
        let name = self.fresh_name(&value.to_string());
        let id = self.graph.add_constant(&name, Shape::new(1, 1, 1, 1), vec![value]);
        self.numbers.insert(value.to_bits(), id);
        self.place(id, span)
    }
}

/// The numbers of a list, nested ones included, in order; false where something else is among them.
fn flatten(list: &List, data: &mut Vec<f32>) -> bool {
    list.items.iter().all(|item| match item {
        Value::List(inner) => flatten(inner, data),
        single => number(single).map(|v| data.push(v)).is_some(),
    })
}

/// As a float, rounded once.
pub(super) fn number(value: &Value) -> Option<f32> {
    match value {
        Value::Int(v) => Some(*v as f32),
        Value::Float(v) => Some(*v as f32),
        _ => None,
    }
}
