//! Strings and their interpolations.

use zellige_grammar::ast::{Piece, StringLit};
use zellige_grammar::{Code, Diagnostic};

use super::expander::Expander;
use super::value::Value;

/// Longest string.
const LONGEST: usize = 4096;

impl<'a> Expander<'a> {
    /// The value of a string: a text, or unknown.
    pub(super) fn string(&mut self, string: &'a StringLit) -> Value {
        let mut text = String::new();
        let mut known = true;
        for piece in &string.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Expr(expr) => match self.eval(expr, None) {
                    Value::Int(v) => text.push_str(&v.to_string()),
                    Value::Float(v) => text.push_str(&format!("{v:?}")),
                    Value::Bool(v) => text.push_str(&v.to_string()),
                    Value::Text(v) => text.push_str(&v),
                    Value::Unknown => known = false,
                    other => {
                        known = false;
                        let code = match other {
                            Value::Tensor(_) | Value::Size(_) => Code::E0213,
                            _ => Code::E0207,
                        };
                        let problem = Diagnostic::error(code, "this cannot be put into a string")
                            .label(expr.span, format!("this is {}", self.describe(&other)))
                            .hint("strings take integers, numbers, truth values and other strings");
                        self.error(problem);
                    }
                },
            }
        }
        if text.len() > LONGEST {
            self.error(
                Diagnostic::error(Code::E0221, "the string is too long")
                    .label(string.span, format!("{} bytes, of at most {LONGEST}", text.len())),
            );
            known = false;
        }
        if known { Value::text(&text) } else { Value::Unknown }
    }
}
