//! Expressions, alone or as a tail: as many operands as inputs, each of the result's shape or repeated.

use super::{InstrError, Rule, equal};
use crate::program::instr::{Epilogue, Map, Operand};
use crate::program::verify::scope::Scope;
use crate::program::{BufferId, ExprId, Packing};

impl Rule for Map {
    fn mnemonic(&self) -> &'static str {
        "map"
    }

    fn check(&self, scope: &Scope<'_>) -> Result<(), InstrError> {
        check_expr(scope, self.dst, self.expr, &self.operands, 0)
    }

    fn operations(&self, scope: &Scope<'_>) -> u64 {
        expr_operations(scope, self.expr)
    }

    fn in_place(&self) -> bool {
        true
    }
}

pub(super) fn check_epilogue(
    scope: &Scope<'_>,
    dst: BufferId,
    epilogue: Option<&Epilogue>,
) -> Result<(), InstrError> {
    epilogue.map_or(Ok(()), |e| check_expr(scope, dst, e.expr, &e.operands, 1))
}

pub(super) fn epilogue_operations(scope: &Scope<'_>, epilogue: Option<&Epilogue>) -> u64 {
    epilogue.map_or(0, |e| expr_operations(scope, e.expr))
}

fn expr_operations(scope: &Scope<'_>, expr: ExprId) -> u64 {
    scope.expr(expr).map_or(0, |e| e.nodes().len() as u64)
}

/// `before` inputs are not operands.
fn check_expr(
    scope: &Scope<'_>,
    dst: BufferId,
    expr: ExprId,
    operands: &[Operand],
    before: u64,
) -> Result<(), InstrError> {
    let (inputs, given) = (scope.expr(expr)?.inputs() as u64, before + operands.len() as u64);
    if inputs > given {
        return Err(InstrError::Inputs { inputs, given });
    }
    operands.iter().try_for_each(|operand| check_operand(scope, dst, *operand))
}

fn check_operand(scope: &Scope<'_>, dst: BufferId, operand: Operand) -> Result<(), InstrError> {
    let result = scope.buffer(dst)?;
    match operand {
        Operand::Channels(id) => {
            let weight = scope.weight(id)?;
            if weight.packing != Packing::Channels {
                let (expected, found) = (Packing::Channels, weight.packing);
                return Err(InstrError::WeightPacking { id: id.to_string(), expected, found });
            }
            equal("values, one a channel", result.channels, weight.elements().unwrap_or(u64::MAX))
        }
        Operand::Buffer(id) => {
            let operand = scope.buffer(id)?;
            for (what, result, found) in [
                ("the number of channels", result.channels, operand.channels),
                ("the height", result.extent[0], operand.extent[0]),
                ("the width", result.extent[1], operand.extent[1]),
            ] {
                if found != 1 && found != result {
                    return Err(InstrError::Broadcast { operand: id, what, result, found });
                }
            }
            Ok(())
        }
    }
}
