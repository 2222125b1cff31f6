//! The tree of a model file.
//!
//! Nodes say what was written and where, and nothing about what it means: names are
//! not resolved, blocks not expanded, arguments not matched with parameters. Where a
//! piece of text could not be understood, the tree has an [`ExprKind::Error`] or lacks
//! the piece, and the parser has returned a diagnostic about it.

use crate::dim::DimExpr;
use crate::span::{Span, Spanned};

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// Models, blocks and training sections, in the order of the text.
    pub items: Vec<Item>,
    /// The whole text.
    pub span: Span,
}

impl File {
    /// The models of the file.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.items.iter().filter_map(|item| if let Item::Model(model) = item { Some(model) } else { None })
    }

    /// The blocks of the file.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.items.iter().filter_map(|item| if let Item::Block(block) = item { Some(block) } else { None })
    }

    /// The training sections of the file.
    pub fn trains(&self) -> impl Iterator<Item = &Train> {
        self.items.iter().filter_map(|item| if let Item::Train(train) = item { Some(train) } else { None })
    }
}

/// What may stand at the top level.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `model NAME(inputs) -> (outputs) { … }`.
    Model(Model),
    /// `block NAME(parameters) { … }`.
    Block(Block),
    /// `train(inputs) { … }`.
    Train(Train),
}

impl Item {
    /// Where the item was written.
    #[must_use]
    pub const fn span(&self) -> Span {
        match self {
            Self::Model(model) => model.span,
            Self::Block(block) => block.span,
            Self::Train(train) => train.span,
        }
    }
}

/// A name.
pub type Ident = Spanned<String>;

/// A model: the network itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its name.
    pub name: Ident,
    /// Its inputs.
    pub inputs: Vec<TensorDecl>,
    /// Its outputs, in the order in which `return` gives them.
    pub outputs: Vec<TensorDecl>,
    /// Its statements.
    pub body: Body,
    /// The whole item.
    pub span: Span,
}

/// A reusable sub-graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its name.
    pub name: Ident,
    /// Its parameters: tensors and compile-time values alike.
    pub params: Vec<Param>,
    /// Its statements.
    pub body: Body,
    /// The whole item.
    pub span: Span,
}

/// A parameter of a block: `hidden`, or `hidden = 16` with a default.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Ident,
    /// What it is where a call does not say.
    pub default: Option<Expr>,
    /// The parameter with its default.
    pub span: Span,
}

/// How the model is trained. It sees the model's inputs and outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Train {
    /// Further inputs, such as the target.
    pub inputs: Vec<TensorDecl>,
    /// Its statements, among them [`StmtKind::Loss`] and [`StmtKind::Optimizer`].
    pub body: Body,
    /// The whole item.
    pub span: Span,
}

/// A tensor with its type: `image: f32[1, 3, H, W]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorDecl {
    /// Its name.
    pub name: Ident,
    /// Its type.
    pub ty: TensorType,
    /// Name and type.
    pub span: Span,
}

/// The type of a tensor: `f32[1, 3, 4*H, W/2]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorType {
    /// The element type, as written; the parser takes any name.
    pub dtype: Ident,
    /// The dimensions.
    pub dims: Vec<DimExpr>,
    /// The whole type.
    pub span: Span,
}

/// Statements in braces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The statements.
    pub stmts: Vec<Stmt>,
    /// From brace to brace.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// The statement with its semicolon or braces.
    pub span: Span,
}

/// The forms of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    /// `weights "file";`
    Weights(StringLit),
    /// `let x = e;` introduces a name.
    Let {
        /// The new name.
        name: Ident,
        /// Its value.
        value: Expr,
    },
    /// `x = e;` gives a name another value.
    Assign {
        /// The name.
        name: Ident,
        /// Its new value.
        value: Expr,
    },
    /// `for i in a..b { … }`.
    For {
        /// The loop variable.
        var: Ident,
        /// The first value.
        start: Expr,
        /// The value before which the loop ends.
        end: Expr,
        /// What is repeated.
        body: Body,
    },
    /// `if c { … } else if d { … } else { … }`.
    If {
        /// Conditions and what they guard; at least one.
        arms: Vec<IfArm>,
        /// What happens where none of them holds.
        otherwise: Option<Body>,
    },
    /// `return a, b;`
    Return(Vec<Expr>),
    /// `loss e;`, in a training section.
    Loss(Expr),
    /// `optimizer e;`, in a training section.
    Optimizer(Expr),
    /// `schedule e;`, in a training section.
    Schedule(Expr),
    /// `accumulate e;`, in a training section.
    Accumulate(Expr),
    /// `clip e;`, in a training section.
    Clip(Expr),
}

/// One `if c { … }` of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct IfArm {
    /// The condition.
    pub cond: Expr,
    /// What happens where it is the first to hold.
    pub body: Body,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it was written, without enclosing parentheses.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A whole number; negative ones are [`UnaryOp::Neg`] of a positive one.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `"conv{i}"`.
    Str(StringLit),
    /// A name.
    Name(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `(top: 0, left: 1)`.
    Group(Vec<NamedValue>),
    /// `f(a, k: b)`.
    Call(Call),
    /// `a |> f(b)`.
    Pipe {
        /// What goes into the call as its first argument.
        input: Box<Expr>,
        /// The call; a bare name is a call without arguments.
        call: Call,
    },
    /// `-a`, `!a`.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// Its operand.
        operand: Box<Expr>,
    },
    /// `a + b`.
    Binary {
        /// The operator and its place.
        op: Spanned<BinaryOp>,
        /// The left operand.
        lhs: Box<Expr>,
        /// The right operand.
        rhs: Box<Expr>,
    },
    /// Something that could not be parsed; there is a diagnostic about it.
    Error,
}

/// `name: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedValue {
    /// The name.
    pub name: Ident,
    /// The value.
    pub value: Expr,
}

/// A call of an op, a block or a compile-time function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is called.
    pub callee: Ident,
    /// The arguments in the order of the text; positional ones need not come first.
    pub args: Vec<Arg>,
    /// The whole call.
    pub span: Span,
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// Its name, where it has one.
    pub name: Option<Ident>,
    /// Its value.
    pub value: Expr,
    /// Name and value.
    pub span: Span,
}

/// A string and its interpolations.
#[derive(Clone, Debug, PartialEq)]
pub struct StringLit {
    /// The pieces; neighbouring texts are joined, and the empty string has none.
    pub pieces: Vec<Piece>,
    /// The string with its quotes.
    pub span: Span,
}

impl StringLit {
    /// The text of a string without interpolations.
    #[must_use]
    pub fn as_plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// A piece of a string.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text, escapes resolved.
    Text(String),
    /// `{e}`: the value of a compile-time expression.
    Expr(Expr),
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-a`.
    Neg,
    /// `!a`.
    Not,
}

impl UnaryOp {
    /// The operator as written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Neg => "-",
            Self::Not => "!",
        }
    }
}

/// Infix operators. Arithmetic works on tensors and on compile-time values, the rest
/// on compile-time values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
    /// `a / b`.
    Div,
    /// `a % b`.
    Rem,
    /// `a == b`.
    Eq,
    /// `a != b`.
    Ne,
    /// `a < b`.
    Lt,
    /// `a <= b`.
    Le,
    /// `a > b`.
    Gt,
    /// `a >= b`.
    Ge,
    /// `a && b`.
    And,
    /// `a || b`.
    Or,
}

impl BinaryOp {
    /// The operator as written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::And => "&&",
            Self::Or => "||",
        }
    }
}
