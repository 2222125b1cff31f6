//! Arithmetic on compile-time values. Integers and sizes are exact: overflow and remainders are mistakes.

use std::cmp::Ordering;

use zellige_grammar::Code;
use zellige_grammar::ast::BinaryOp;

use super::types::is_manageable;
use super::value::Value;
use crate::base::Dim;

/// Why two values do not combine.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Failure {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What two values combine to.
#[derive(Debug)]
pub(super) enum Combined {
    Value(Value),
    /// A size divided by an integer, which must be whole.
    Quotient(Dim, i64),
    /// The operator is not defined for such values.
    Undefined,
}

type Outcome = Result<Combined, Failure>;

/// `a op b` for values that are not tensors.
pub(super) fn binary(op: BinaryOp, a: &Value, b: &Value) -> Outcome {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => integers(op, *a, *b),
        (Value::Int(a), Value::Size(b)) => sizes(op, &(*a).into(), b),
        (Value::Size(a), Value::Int(b)) => sizes(op, a, &(*b).into()),
        (Value::Size(a), Value::Size(b)) => sizes(op, a, b),
        (Value::Float(a), Value::Float(b)) => floats(op, *a, *b),
        (Value::Int(a), Value::Float(b)) => floats(op, *a as f64, *b),
        (Value::Float(a), Value::Int(b)) => floats(op, *a, *b as f64),
        (Value::Size(dim), Value::Float(_)) | (Value::Float(_), Value::Size(dim)) => {
            let message =
                format!("the size {dim} is not known at compile time, and does not combine with a fraction");
            Err(Failure::new(Code::E0213, message))
        }
        (Value::Bool(a), Value::Bool(b)) => Ok(match op {
            BinaryOp::Eq => truth(a == b),
            BinaryOp::Ne => truth(a != b),
            BinaryOp::And => truth(*a && *b),
            BinaryOp::Or => truth(*a || *b),
            _ => Combined::Undefined,
        }),
        (Value::Text(a), Value::Text(b)) => match op {
            BinaryOp::Eq => Ok(truth(a == b)),
            BinaryOp::Ne => Ok(truth(a != b)),
            BinaryOp::Add => Err(Failure::new(Code::E0207, "strings are not added")
                .hint(r#"put one into the other: `"conv{i}.weight"`"#)),
            _ => Ok(Combined::Undefined),
        },
        _ => Ok(Combined::Undefined),
    }
}

/// `-a`; nothing where it is not defined.
pub(super) fn negate(a: &Value) -> Outcome {
    Ok(match a {
        Value::Int(v) => {
            let negated = v.checked_neg().ok_or_else(|| overflow(&format!("-({v})")))?;
            Combined::Value(Value::Int(negated))
        }
        Value::Float(v) => Combined::Value(Value::Float(-v)),
        Value::Size(dim) => Combined::Value(dim.times(-1).into()),
        _ => Combined::Undefined,
    })
}

fn truth(value: bool) -> Combined {
    Combined::Value(Value::Bool(value))
}

fn overflow(what: &str) -> Failure {
    Failure::new(Code::E0221, format!("{what} does not fit 64 bits"))
}

fn compare(op: BinaryOp, order: Option<Ordering>) -> Option<Combined> {
    let holds = match op {
        BinaryOp::Eq => order == Some(Ordering::Equal),
        BinaryOp::Ne => order != Some(Ordering::Equal),
        BinaryOp::Lt => order == Some(Ordering::Less),
        BinaryOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        BinaryOp::Gt => order == Some(Ordering::Greater),
        BinaryOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        _ => return None,
    };
    Some(truth(holds))
}

fn integers(op: BinaryOp, a: i64, b: i64) -> Outcome {
    if let Some(truth) = compare(op, Some(a.cmp(&b))) {
        return Ok(truth);
    }
    if b == 0 && matches!(op, BinaryOp::Div | BinaryOp::Rem) {
        return Err(Failure::new(Code::E0221, format!("{a} {} 0 is a division by zero", op.symbol())));
    }
    let result = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Rem => a.checked_rem_euclid(b),
        BinaryOp::Div => match a.checked_rem(b) {
            Some(0) => a.checked_div(b),
            Some(_) => {
                return Err(Failure::new(Code::E0221, format!("{a} / {b} is not whole"))
                    .hint(format!("`{a}.0 / {b}` has a fraction, `ceil_div({a}, {b})` rounds up")));
            }
            None => None,
        },
        _ => return Ok(Combined::Undefined),
    };
    match result {
        Some(value) => Ok(Combined::Value(Value::Int(value))),
        None => Err(overflow(&format!("{a} {} {b}", op.symbol()))),
    }
}

fn floats(op: BinaryOp, a: f64, b: f64) -> Outcome {
    if let Some(truth) = compare(op, a.partial_cmp(&b)) {
        return Ok(truth);
    }
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Rem => a.rem_euclid(b),
        _ => return Ok(Combined::Undefined),
    };
    if result.is_finite() {
        Ok(Combined::Value(Value::Float(result)))
    } else {
        Err(Failure::new(Code::E0221, format!("{a:?} {} {b:?} is not a finite number", op.symbol())))
    }
}

/// At least one of the two depends on symbols.
fn sizes(op: BinaryOp, a: &Dim, b: &Dim) -> Outcome {
    let symbol = op.symbol();
    let result = match op {
        BinaryOp::Add => a.add(b),
        BinaryOp::Sub => a.sub(b),
        BinaryOp::Mul => a.mul(b),
        BinaryOp::Div => match b.constant() {
            Some(divisor) if divisor >= 1 => return Ok(Combined::Quotient(a.clone(), divisor)),
            _ => {
                let message = format!("sizes are divided by positive integers, found {b}");
                return Err(Failure::new(Code::E0221, message));
            }
        },
        BinaryOp::Rem => match b.constant() {
            Some(divisor) if divisor >= 1 && a.divisible_by(divisor) => 0.into(),
            _ => return Err(open(&format!("the remainder of {a} by {b}"))),
        },
        _ => {
            let difference = a.sub(b);
            let order = difference.constant().map(|d| d.cmp(&0));
            return match (order, op) {
                (Some(order), _) => Ok(compare(op, Some(order)).unwrap_or(Combined::Undefined)),
                (None, BinaryOp::Eq) if difference.never_zero() => Ok(truth(false)),
                (None, BinaryOp::Ne) if difference.never_zero() => Ok(truth(true)),
                (None, BinaryOp::And | BinaryOp::Or) => Ok(Combined::Undefined),
                (None, _) => Err(open(&format!("whether {a} {symbol} {b}"))),
            };
        }
    };
    if is_manageable(&result) {
        Ok(Combined::Value(result.into()))
    } else {
        Err(Failure::new(Code::E0221, "the size has become too large or too complicated"))
    }
}

fn open(what: &str) -> Failure {
    Failure::new(Code::E0213, format!("{what} is not known at compile time"))
}
