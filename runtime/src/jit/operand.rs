//! Operands of elementwise expressions, and the epilogues of other instructions.

use cranelift_codegen::ir::Value;

use super::JitError;
use super::buffer::TileBuffer;
use super::emit::{Emitter, Width};
use super::expr;
use super::scope::{Packed, Scope};
use crate::program::ExprId;
use crate::program::instr;
use crate::scalar::Expr;

/// An operand, broadcast to the shape of the result.
#[derive(Clone, Copy)]
enum Operand {
    /// A buffer; repeated along the axes (channels, rows, columns) on which its tensor has extent 1.
    Buffer(TileBuffer),
    /// One value a channel, padded to whole blocks of 16.
    Channels(Packed),
}

impl Operand {
    fn new(scope: &Scope<'_>, operand: instr::Operand) -> Result<Self, JitError> {
        Ok(match operand {
            instr::Operand::Buffer(id) => Self::Buffer(scope.buffer(id)?),
            instr::Operand::Channels(id) => Self::Channels(scope.weight(id)?),
        })
    }

    /// Whether four channels can be read at once.
    fn is_wide(&self) -> bool {
        match self {
            Self::Buffer(buffer) => buffer.is_wide() || buffer.channels == 1,
            Self::Channels(_) => true,
        }
    }

    /// Its value for channel `c` of pixel `(y, x)` of the result.
    fn load(&self, e: &mut Emitter<'_>, width: Width, c: Value, y: Value, x: Value) -> Value {
        match self {
            Self::Buffer(buffer) => {
                let zero = e.int(0);
                let y = if buffer.rows == 1 { zero } else { y };
                let x = if buffer.cols == 1 { zero } else { x };
                if buffer.channels == 1 {
                    let value = buffer.load(e, Width::One, zero, y, x);
                    e.splat(width, value)
                } else {
                    buffer.load(e, width, c, y, x)
                }
            }
            Self::Channels(weight) => {
                let values = weight.address(e);
                let address = e.element(values, c);
                e.load(width, address)
            }
        }
    }
}

/// An expression with its operands.
pub(super) struct Elementwise<'p> {
    expr: &'p Expr,
    operands: Vec<Operand>,
}

impl<'p> Elementwise<'p> {
    /// Inputs `given..` of the expression are `operands`.
    fn new(
        scope: &Scope<'p>,
        expr: ExprId,
        operands: &[instr::Operand],
        given: usize,
    ) -> Result<Self, JitError> {
        let expr = scope.expr(expr)?;
        if expr.inputs() > given + operands.len() {
            return Err(JitError::Malformed("an expression has more inputs than there are operands"));
        }
        let operands = operands.iter().map(|&o| Operand::new(scope, o)).collect::<Result<_, _>>()?;
        Ok(Self { expr, operands })
    }

    pub(super) fn map(scope: &Scope<'p>, map: &instr::Map) -> Result<Self, JitError> {
        Self::new(scope, map.expr, &map.operands, 0)
    }

    pub(super) fn epilogue(scope: &Scope<'p>, epilogue: &instr::Epilogue) -> Result<Self, JitError> {
        Self::new(scope, epilogue.expr, &epilogue.operands, 1)
    }

    /// Whether four channels can be computed at once.
    pub(super) fn is_wide(&self) -> bool {
        self.operands.iter().all(Operand::is_wide)
    }

    /// The value for channel `c` of pixel `(y, x)`; `given` are the first inputs of the expression.
    pub(super) fn emit(
        &self,
        e: &mut Emitter<'_>,
        width: Width,
        given: &[Value],
        [c, y, x]: [Value; 3],
    ) -> Value {
        expr::emit(e, width, self.expr, |e, i| match given.get(i) {
            Some(&value) => value,
            None => self.operands[i - given.len()].load(e, width, c, y, x),
        })
    }
}
