//! Which ops of a section are one instruction, as the section says by what it stores nowhere.

use crate::base::{OpId, ValueId};
use crate::ir::{Graph, Section, Storage};

/// Ops that are one instruction.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Instruction {
    /// The ops in order.
    pub(super) ops: Vec<OpId>,
    /// What it writes.
    pub(super) output: ValueId,
}

impl Instruction {
    /// Whether one of its ops reads a value.
    pub(super) fn reads(&self, graph: &Graph, value: ValueId) -> bool {
        self.ops.iter().any(|&op| graph.ops[op].inputs.contains(&value))
    }
}

/// The instructions of a section in the order in which they run; one an op where nothing has been fused yet.
pub(super) fn instructions(graph: &Graph, section: &Section) -> Vec<Instruction> {
    let fused =
        |value: ValueId| section.tensors.get(&value).is_some_and(|t| t.storage == Some(Storage::Fused));
    let mut instructions: Vec<Instruction> = Vec::new();
    for &op in &section.ops {
        let node = &graph.ops[op];
        let mut ops = Vec::new();
        // An instruction runs where its last op stands: what it joins moves there.
        instructions.retain_mut(|before| {
            let joins = fused(before.output) && node.inputs.contains(&before.output);
            if joins {
                ops.append(&mut before.ops);
            }
            !joins
        });
        ops.push(op);
        instructions.push(Instruction { ops, output: node.output });
    }
    instructions
}
