//! Straight-line expressions: what an elementwise instruction or an epilogue computes.
//!
//! An expression is a list of nodes in evaluation order; its value is the last one. Both engines evaluate exactly the
//! nodes as written: no contraction, no reassociation.

use serde::{Deserialize, Serialize};

/// Index of an earlier node of the same expression.
pub type Ref = u32;

/// A primitive of one operand, exactly rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unary {
    /// Sign flipped, NaN included.
    Neg,
    /// Sign cleared.
    Abs,
    /// Square root.
    Sqrt,
    /// Largest integer not above.
    Floor,
    /// Nearest integer, ties to even.
    Round,
    /// `2^n` for an integral `n` in −126..=127 (the bits `(n + 127) << 23`); other operands give an unspecified but
    /// engine-independent value: the operand is converted to i32 (saturating, NaN to 0), 127 added (wrapping), and shifted.
    Exp2i,
}

/// A primitive of two operands, exactly rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binary {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// `if a < b { a } else { b }`: `b` where the operands are equal or unordered.
    Min,
    /// `if a > b { a } else { b }`: `b` where the operands are equal or unordered.
    Max,
}

/// A comparison; false where an operand is NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// `a < b`
    Lt,
    /// `a <= b`
    Le,
    /// `a == b`
    Eq,
}

/// One step of an expression. Constants are equal where their bits are.
#[derive(Clone, Copy, Debug)]
pub enum Node {
    /// Operand number `n` of the instruction.
    Input(u32),
    /// A constant.
    Const(f32),
    /// One operand.
    Unary(Unary, Ref),
    /// Two operands.
    Binary(Binary, Ref, Ref),
    /// `a · b + c`, rounded once.
    Fma(Ref, Ref, Ref),
    /// `if a ? b { yes } else { no }`: fields are comparison, a, b, yes, no.
    Select(Compare, Ref, Ref, Ref, Ref),
}

/// A checked expression: every node refers to earlier ones; the last node is its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    nodes: Vec<Node>,
}

/// Why a list of nodes is not an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// No value.
    #[error("an expression has at least one node")]
    Empty,
    /// Too large to be meant.
    #[error("an expression has at most {MAX_NODES} nodes")]
    TooLong,
    /// A reference to itself or a later node.
    #[error("node {0} refers to a node that is not before it")]
    Forward(usize),
    /// A node's text is not understood.
    #[error("`{0}` is not a node of an expression")]
    Syntax(String),
}

/// Longest expression; evaluators keep one value a node.
pub const MAX_NODES: usize = 256;

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Const(a), Self::Const(b)) => a.to_bits() == b.to_bits(),
            (Self::Input(a), Self::Input(b)) => a == b,
            (Self::Unary(op, a), Self::Unary(other, b)) => (op, a) == (other, b),
            (Self::Binary(op, a, b), Self::Binary(other, c, d)) => (op, a, b) == (other, c, d),
            (Self::Fma(a, b, c), Self::Fma(d, e, f)) => (a, b, c) == (d, e, f),
            (Self::Select(op, a, b, c, d), Self::Select(other, e, f, g, h)) => {
                (op, a, b, c, d) == (other, e, f, g, h)
            }
            _ => false,
        }
    }
}

impl Node {
    /// The earlier nodes that it uses.
    pub fn operands(self) -> impl Iterator<Item = Ref> {
        let (refs, n) = match self {
            Self::Input(_) | Self::Const(_) => ([0; 4], 0),
            Self::Unary(_, a) => ([a, 0, 0, 0], 1),
            Self::Binary(_, a, b) => ([a, b, 0, 0], 2),
            Self::Fma(a, b, c) => ([a, b, c, 0], 3),
            Self::Select(_, a, b, yes, no) => ([a, b, yes, no], 4),
        };
        refs.into_iter().take(n)
    }
}

impl Expr {
    /// Checks the nodes.
    pub fn new(nodes: Vec<Node>) -> Result<Self, ExprError> {
        if nodes.is_empty() {
            return Err(ExprError::Empty);
        }
        if nodes.len() > MAX_NODES {
            return Err(ExprError::TooLong);
        }
        match nodes.iter().enumerate().find(|(i, n)| n.operands().any(|r| r as usize >= *i)) {
            Some((i, _)) => Err(ExprError::Forward(i)),
            None => Ok(Self { nodes }),
        }
    }

    /// The nodes, in evaluation order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Number of operands: one more than the largest input used.
    pub fn inputs(&self) -> usize {
        let input = |n: &Node| if let Node::Input(i) = n { *i as usize + 1 } else { 0 };
        self.nodes.iter().map(input).max().unwrap_or(0)
    }

    /// The value for the given operands; inputs that are not given are NaN.
    pub fn eval(&self, inputs: &[f32]) -> f32 {
        let mut values = Vec::with_capacity(self.nodes.len());
        for &node in &self.nodes {
            let v = |r: Ref| -> f32 { values[r as usize] };
            let value = match node {
                Node::Input(i) => inputs.get(i as usize).copied().unwrap_or(f32::NAN),
                Node::Const(c) => c,
                Node::Unary(op, a) => op.apply(v(a)),
                Node::Binary(op, a, b) => op.apply(v(a), v(b)),
                Node::Fma(a, b, c) => v(a).mul_add(v(b), v(c)),
                Node::Select(op, a, b, yes, no) => {
                    if op.apply(v(a), v(b)) {
                        v(yes)
                    } else {
                        v(no)
                    }
                }
            };
            values.push(value);
        }
        values.last().copied().unwrap_or(f32::NAN)
    }
}

impl Unary {
    /// The value.
    #[inline(always)]
    pub fn apply(self, a: f32) -> f32 {
        match self {
            Self::Neg => -a,
            Self::Abs => a.abs(),
            Self::Sqrt => a.sqrt(),
            Self::Floor => a.floor(),
            Self::Round => a.round_ties_even(),
            Self::Exp2i => f32::from_bits(((a as i32).wrapping_add(127) as u32) << 23),
        }
    }
}

impl Binary {
    /// The value.
    #[inline(always)]
    pub fn apply(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Min => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            Self::Max => {
                if a > b {
                    a
                } else {
                    b
                }
            }
        }
    }
}

impl Compare {
    /// The truth.
    #[inline(always)]
    pub fn apply(self, a: f32, b: f32) -> bool {
        match self {
            Self::Lt => a < b,
            Self::Le => a <= b,
            Self::Eq => a == b,
        }
    }
}

/// Builds expressions bottom-up; equal nodes are shared.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    nodes: Vec<Node>,
}

impl Builder {
    /// An empty expression.
    pub fn new() -> Self {
        Self::default()
    }

    fn push(&mut self, node: Node) -> Ref {
        let at = self.nodes.iter().position(|n| *n == node).unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        at as Ref
    }

    /// Operand `i`.
    pub fn input(&mut self, i: u32) -> Ref {
        self.push(Node::Input(i))
    }

    /// A constant.
    pub fn constant(&mut self, value: f32) -> Ref {
        self.push(Node::Const(value))
    }

    /// A primitive of one operand.
    pub fn unary(&mut self, op: Unary, a: Ref) -> Ref {
        self.push(Node::Unary(op, a))
    }

    /// A primitive of two operands.
    pub fn binary(&mut self, op: Binary, a: Ref, b: Ref) -> Ref {
        self.push(Node::Binary(op, a, b))
    }

    /// `a · b + c`, rounded once.
    pub fn fma(&mut self, a: Ref, b: Ref, c: Ref) -> Ref {
        self.push(Node::Fma(a, b, c))
    }

    /// `if a ? b { yes } else { no }`.
    pub fn select(&mut self, op: Compare, a: Ref, b: Ref, yes: Ref, no: Ref) -> Ref {
        self.push(Node::Select(op, a, b, yes, no))
    }

    /// The value of `expr` with its operands taken from `inputs`, one for each of [`Expr::inputs`].
    pub fn inline(&mut self, expr: &Expr, inputs: &[Ref]) -> Ref {
        let mut at: Vec<Ref> = Vec::with_capacity(expr.nodes.len());
        for &node in &expr.nodes {
            let m = |r: Ref| at[r as usize];
            let r = match node {
                Node::Input(i) => inputs[i as usize],
                Node::Const(c) => self.constant(c),
                Node::Unary(op, a) => self.unary(op, m(a)),
                Node::Binary(op, a, b) => self.binary(op, m(a), m(b)),
                Node::Fma(a, b, c) => self.fma(m(a), m(b), m(c)),
                Node::Select(op, a, b, yes, no) => self.select(op, m(a), m(b), m(yes), m(no)),
            };
            at.push(r);
        }
        at[expr.nodes.len() - 1]
    }

    /// The expression whose value is `result`.
    pub fn finish(mut self, result: Ref) -> Result<Expr, ExprError> {
        if let Some(value) = self.nodes.get(result as usize).copied()
            && result as usize + 1 != self.nodes.len()
        {
            // Nodes past the result are dead unless the result was shared; only the last node is the value.
            self.nodes.truncate(result as usize);
            self.nodes.push(value);
        }
        Expr::new(self.nodes)
    }
}

mod text {
    //! Nodes as text: `in 0`, `const 0.1`, `mul t0 t1`, `fma t0 t1 t2`, `select lt t0 t1 t2 t3`.

    use super::{Binary, Compare, Expr, ExprError, Node, Ref, Unary};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    const UNARY: [(&str, Unary); 6] = [
        ("neg", Unary::Neg),
        ("abs", Unary::Abs),
        ("sqrt", Unary::Sqrt),
        ("floor", Unary::Floor),
        ("round", Unary::Round),
        ("exp2i", Unary::Exp2i),
    ];
    const BINARY: [(&str, Binary); 6] = [
        ("add", Binary::Add),
        ("sub", Binary::Sub),
        ("mul", Binary::Mul),
        ("div", Binary::Div),
        ("min", Binary::Min),
        ("max", Binary::Max),
    ];
    const COMPARE: [(&str, Compare); 3] = [("lt", Compare::Lt), ("le", Compare::Le), ("eq", Compare::Eq)];

    fn name_of<T: PartialEq>(table: &[(&'static str, T)], op: &T) -> &'static str {
        table.iter().find(|(_, o)| o == op).map_or("?", |(n, _)| n)
    }

    fn op_of<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
        table.iter().find(|(n, _)| *n == name).map(|(_, o)| *o)
    }

    impl std::fmt::Display for Node {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            match self {
                Self::Input(i) => write!(f, "in {i}"),
                Self::Const(c) if c.is_nan() => write!(f, "bits {:08x}", c.to_bits()),
                Self::Const(c) => write!(f, "const {c:?}"),
                Self::Unary(op, a) => write!(f, "{} t{a}", name_of(&UNARY, op)),
                Self::Binary(op, a, b) => write!(f, "{} t{a} t{b}", name_of(&BINARY, op)),
                Self::Fma(a, b, c) => write!(f, "fma t{a} t{b} t{c}"),
                Self::Select(op, a, b, y, n) => {
                    write!(f, "select {} t{a} t{b} t{y} t{n}", name_of(&COMPARE, op))
                }
            }
        }
    }

    impl std::str::FromStr for Node {
        type Err = ExprError;

        fn from_str(text: &str) -> Result<Self, ExprError> {
            parse(text).ok_or_else(|| ExprError::Syntax(text.to_owned()))
        }
    }

    fn parse(text: &str) -> Option<Node> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let r = |w: &str| -> Option<Ref> { w.strip_prefix('t')?.parse().ok() };
        Some(match *words.as_slice() {
            ["in", i] => Node::Input(i.parse().ok()?),
            ["bits", b] => Node::Const(f32::from_bits(u32::from_str_radix(b, 16).ok()?)),
            ["const", c] => Node::Const(c.parse().ok()?),
            [op, a] => Node::Unary(op_of(&UNARY, op)?, r(a)?),
            [op, a, b] => Node::Binary(op_of(&BINARY, op)?, r(a)?, r(b)?),
            ["fma", a, b, c] => Node::Fma(r(a)?, r(b)?, r(c)?),
            ["select", op, a, b, y, n] => Node::Select(op_of(&COMPARE, op)?, r(a)?, r(b)?, r(y)?, r(n)?),
            _ => return None,
        })
    }

    impl Serialize for Node {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            s.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Node {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            String::deserialize(d)?.parse().map_err(D::Error::custom)
        }
    }

    impl Serialize for Expr {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            self.nodes.serialize(s)
        }
    }

    impl<'de> Deserialize<'de> for Expr {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Expr::new(Vec::deserialize(d)?).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_equal_to_what_their_text_says() {
        let constants = [f32::NAN, -f32::NAN, 0.0, -0.0, f32::INFINITY, 1e-42, 0.1].map(Node::Const);
        let others = [Node::Input(2), Node::Fma(1, 2, 3), Node::Select(Compare::Le, 4, 3, 2, 1)];
        let nodes: Vec<Node> = constants.into_iter().chain(others).collect();
        for (i, node) in nodes.iter().enumerate() {
            let read: Node = node.to_string().parse().unwrap();
            assert_eq!(nodes.iter().position(|n| *n == read), Some(i), "{node}");
        }
    }
}
