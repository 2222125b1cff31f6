//! Elementwise expressions, alone or as the tail of another instruction.

use serde::{Deserialize, Serialize};

use super::{AxisId, Instruction, Read};
use crate::program::{BufferId, ExprId, Interval, WeightId};

/// An operand of an expression, broadcast to the shape of the result: a buffer whose tensor has one row, one column or one
/// channel is repeated along that axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// A tile of a tensor.
    Buffer(BufferId),
    /// One value a channel, packed as [`crate::program::Packing::Channels`].
    Channels(WeightId),
}

impl Operand {
    fn read(self, out: Interval) -> Option<Read> {
        match self {
            Self::Buffer(buffer) => Some(Read { broadcast: true, ..Read::new(buffer, out) }),
            Self::Channels(_) => None,
        }
    }
}

/// `dst = expr(operands…)`, element by element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// Buffer written; it may be one of the operands.
    pub dst: BufferId,
    /// Inputs 0, 1, … of the expression.
    pub operands: Vec<Operand>,
    /// What to compute.
    pub expr: ExprId,
}

impl Instruction for Map {
    fn writes(&self) -> Option<BufferId> {
        Some(self.dst)
    }

    fn reads(&self, _: AxisId, out: Interval) -> Vec<Read> {
        self.operands.iter().filter_map(|o| o.read(out)).collect()
    }
}

/// The elementwise tail of an instruction: input 0 of the expression is the instruction's value, 1, 2, … are the operands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epilogue {
    /// Inputs 1, 2, … of the expression.
    pub operands: Vec<Operand>,
    /// What to compute.
    pub expr: ExprId,
}

impl Epilogue {
    /// What the operands read for the outputs `out`.
    pub fn reads(&self, out: Interval) -> Vec<Read> {
        self.operands.iter().filter_map(|o| o.read(out)).collect()
    }
}
