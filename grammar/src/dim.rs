//! Dimension expressions, as they stand in tensor types: `f32[1, 3, 4*H + 2, ceil_div(W, 2)]`.

use std::fmt;

use crate::span::Span;

/// A dimension as it was written. Equality does not look at spans.
#[derive(Clone, Debug)]
pub struct DimExpr {
    /// The expression.
    pub kind: DimKind,
    /// Where it was written.
    pub span: Span,
}

/// The forms of a dimension expression.
#[derive(Clone, Debug, PartialEq)]
pub enum DimKind {
    /// A number.
    Int(i64),
    /// A symbol, such as `H`.
    Sym(String),
    /// `a + b`.
    Add(Box<DimExpr>, Box<DimExpr>),
    /// `a - b`.
    Sub(Box<DimExpr>, Box<DimExpr>),
    /// `a * b`.
    Mul(Box<DimExpr>, Box<DimExpr>),
    /// `a / b`, which has to be exact.
    Div(Box<DimExpr>, Box<DimExpr>),
    /// `ceil_div(a, b)`, rounded up.
    CeilDiv(Box<DimExpr>, Box<DimExpr>),
    /// `-a`.
    Neg(Box<DimExpr>),
}

impl PartialEq for DimExpr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl DimExpr {
    /// An expression written at `span`.
    #[must_use]
    pub const fn new(kind: DimKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// A number that was written nowhere.
    #[must_use]
    pub fn int(value: i64) -> Self {
        DimKind::Int(value).into()
    }

    /// A symbol that was written nowhere.
    #[must_use]
    pub fn sym(name: impl Into<String>) -> Self {
        DimKind::Sym(name.into()).into()
    }

    /// The symbols of the expression, from left to right, repetitions included.
    #[must_use]
    pub fn symbols(&self) -> Vec<&str> {
        match &self.kind {
            DimKind::Int(_) => Vec::new(),
            DimKind::Sym(name) => vec![name],
            DimKind::Neg(a) => a.symbols(),
            DimKind::Add(a, b)
            | DimKind::Sub(a, b)
            | DimKind::Mul(a, b)
            | DimKind::Div(a, b)
            | DimKind::CeilDiv(a, b) => [a.symbols(), b.symbols()].concat(),
        }
    }
}

impl From<DimKind> for DimExpr {
    fn from(kind: DimKind) -> Self {
        Self::new(kind, Span::default())
    }
}

/// How tightly a form binds; an operand that binds less tightly than its place
/// demands is put in parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Sum,
    Product,
    Prefix,
    Atom,
}

impl DimKind {
    fn binding(&self) -> Binding {
        match self {
            Self::Add(..) | Self::Sub(..) => Binding::Sum,
            Self::Mul(..) | Self::Div(..) => Binding::Product,
            Self::Neg(_) => Binding::Prefix,
            Self::Int(value) if *value < 0 => Binding::Prefix,
            Self::Int(_) | Self::Sym(_) | Self::CeilDiv(..) => Binding::Atom,
        }
    }
}

/// Writes the canonical form: `4*H + 2`, `(W + 1)/2`. It parses back to an equal expression.
impl fmt::Display for DimExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            DimKind::Int(value) => write!(f, "{value}"),
            DimKind::Sym(name) => f.write_str(name),
            DimKind::Add(a, b) => infix(f, a, " + ", b, Binding::Sum, Binding::Product),
            DimKind::Sub(a, b) => infix(f, a, " - ", b, Binding::Sum, Binding::Product),
            DimKind::Mul(a, b) => infix(f, a, "*", b, Binding::Product, Binding::Prefix),
            DimKind::Div(a, b) => infix(f, a, "/", b, Binding::Product, Binding::Prefix),
            DimKind::CeilDiv(a, b) => write!(f, "ceil_div({a}, {b})"),
            DimKind::Neg(a) => {
                f.write_str("-")?;
                // `-3` reads back as a number: a negated number keeps its parentheses.
                let bare = !matches!(a.kind, DimKind::Int(_)) && a.kind.binding() >= Binding::Prefix;
                if bare { write!(f, "{a}") } else { write!(f, "({a})") }
            }
        }
    }
}

fn infix(
    f: &mut fmt::Formatter<'_>,
    a: &DimExpr,
    operator: &str,
    b: &DimExpr,
    left: Binding,
    right: Binding,
) -> fmt::Result {
    operand(f, a, left)?;
    f.write_str(operator)?;
    operand(f, b, right)
}

fn operand(f: &mut fmt::Formatter<'_>, expr: &DimExpr, place: Binding) -> fmt::Result {
    if expr.kind.binding() >= place { write!(f, "{expr}") } else { write!(f, "({expr})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(expr: DimExpr) -> Box<DimExpr> {
        Box::new(expr)
    }

    fn add(a: DimExpr, b: DimExpr) -> DimExpr {
        DimKind::Add(boxed(a), boxed(b)).into()
    }

    fn div(a: DimExpr, b: DimExpr) -> DimExpr {
        DimKind::Div(boxed(a), boxed(b)).into()
    }

    #[test]
    fn parentheses_stand_only_where_needed() {
        let (h, w) = (DimExpr::sym("H"), DimExpr::sym("W"));
        assert_eq!(div(add(w.clone(), DimExpr::int(1)), DimExpr::int(2)).to_string(), "(W + 1)/2");
        assert_eq!(div(w.clone(), div(h.clone(), DimExpr::int(2))).to_string(), "W/(H/2)");
        assert_eq!(add(h.clone(), add(w.clone(), DimExpr::int(-1))).to_string(), "H + (W + -1)");
        assert_eq!(DimExpr::from(DimKind::Neg(boxed(DimExpr::int(3)))).to_string(), "-(3)");
        let ceil = DimExpr::from(DimKind::CeilDiv(boxed(add(h, DimExpr::int(1))), boxed(w)));
        assert_eq!(ceil.to_string(), "ceil_div(H + 1, W)");
        assert_eq!(ceil.symbols(), ["H", "W"]);
    }
}
