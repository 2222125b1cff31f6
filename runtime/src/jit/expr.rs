//! Expressions, node by node.

use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{I32, I32X4};
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value};

use super::emit::{Emitter, Width};
use crate::scalar::{Binary, Compare, Expr, Node, Unary};

/// The value of `expr`, whose input `i` is `input(i)`.
pub(super) fn emit(
    e: &mut Emitter<'_>,
    width: Width,
    expr: &Expr,
    mut input: impl FnMut(&mut Emitter<'_>, usize) -> Value,
) -> Value {
    let mut values: Vec<Value> = Vec::with_capacity(expr.nodes().len());
    for &node in expr.nodes() {
        let v = |r: u32| values[r as usize];
        let value = match node {
            Node::Input(i) => input(e, i as usize),
            Node::Const(c) => e.float(width, c),
            Node::Unary(op, a) => unary(e, width, op, v(a)),
            Node::Binary(op, a, b) => binary(e, width, op, v(a), v(b)),
            Node::Fma(a, b, c) => e.builder.ins().fma(v(a), v(b), v(c)),
            Node::Select(op, a, b, yes, no) => {
                let condition = compare(e, op, v(a), v(b));
                select(e, width, condition, v(yes), v(no))
            }
        };
        values.push(value);
    }
    *values.last().expect("an expression has at least one node")
}

/// The larger of two values, NaN if one of them is, the first of equals: `if v is NaN or v > acc { v } else { acc }`.
pub(super) fn max_nan(e: &mut Emitter<'_>, width: Width, acc: Value, v: Value) -> Value {
    let nan = e.builder.ins().fcmp(FloatCC::Unordered, v, v);
    let greater = e.builder.ins().fcmp(FloatCC::GreaterThan, v, acc);
    let take = e.builder.ins().bor(nan, greater);
    select(e, width, take, v, acc)
}

fn unary(e: &mut Emitter<'_>, width: Width, op: Unary, a: Value) -> Value {
    match op {
        Unary::Neg => e.builder.ins().fneg(a),
        Unary::Abs => e.builder.ins().fabs(a),
        Unary::Sqrt => e.builder.ins().sqrt(a),
        Unary::Floor => e.builder.ins().floor(a),
        Unary::Round => e.builder.ins().nearest(a),
        Unary::Exp2i => exp2i(e, width, a),
    }
}

fn binary(e: &mut Emitter<'_>, width: Width, op: Binary, a: Value, b: Value) -> Value {
    match op {
        Binary::Add => e.builder.ins().fadd(a, b),
        Binary::Sub => e.builder.ins().fsub(a, b),
        Binary::Mul => e.builder.ins().fmul(a, b),
        Binary::Div => e.builder.ins().fdiv(a, b),
        Binary::Min => {
            let less = e.builder.ins().fcmp(FloatCC::LessThan, a, b);
            select(e, width, less, a, b)
        }
        Binary::Max => {
            let greater = e.builder.ins().fcmp(FloatCC::GreaterThan, a, b);
            select(e, width, greater, a, b)
        }
    }
}

fn compare(e: &mut Emitter<'_>, op: Compare, a: Value, b: Value) -> Value {
    let condition = match op {
        Compare::Lt => FloatCC::LessThan,
        Compare::Le => FloatCC::LessThanOrEqual,
        Compare::Eq => FloatCC::Equal,
    };
    e.builder.ins().fcmp(condition, a, b)
}

/// `if condition { yes } else { no }`, lane by lane; the condition is a comparison's result of the same width.
fn select(e: &mut Emitter<'_>, width: Width, condition: Value, yes: Value, no: Value) -> Value {
    match width {
        Width::One => e.builder.ins().select(condition, yes, no),
        Width::Four => {
            let mask = reinterpret(e, condition, width.ty());
            e.builder.ins().bitselect(mask, yes, no)
        }
    }
}

/// The bits `(n + 127) << 23`, for `n` the operand converted to i32, saturating.
fn exp2i(e: &mut Emitter<'_>, width: Width, a: Value) -> Value {
    let bias = e.builder.ins().iconst(I32, 127);
    let (ty, bias) = match width {
        Width::One => (I32, bias),
        Width::Four => (I32X4, e.builder.ins().splat(I32X4, bias)),
    };
    let n = e.builder.ins().fcvt_to_sint_sat(ty, a);
    let n = e.builder.ins().iadd(n, bias);
    let mantissa = e.builder.ins().iconst(I32, 23);
    let bits = e.builder.ins().ishl(n, mantissa);
    reinterpret(e, bits, width.ty())
}

fn reinterpret(e: &mut Emitter<'_>, bits: Value, ty: Type) -> Value {
    // Lanes are of one size before and after, so that either order of bytes would do; vectors want it named.
    let order = MemFlagsData::new().with_endianness(Endianness::Little);
    e.builder.ins().bitcast(ty, order, bits)
}
