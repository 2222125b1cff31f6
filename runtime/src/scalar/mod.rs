//! Scalar arithmetic: expressions over exactly rounded primitives, and the functions built from them.

mod expr;
pub mod functions;

pub use expr::{Binary, Builder, Compare, Expr, ExprError, MAX_NODES, Node, Ref, Unary};
