//! What lies in memory while a program runs: tile buffers instruction by instruction, device memory section by section.

use serde_json::{Value as Json, json};

use super::instructions::{Instruction, instructions};
use super::tiling::role;
use crate::base::units;
use crate::ir::{Sections, Storage};

/// Both levels of memory, for the page; `None` before `allocate`.
pub(super) fn to_json(ir: &Sections) -> Option<Json> {
    let device = ir.device.as_ref()?;
    let mut columns = Vec::new();
    let mut spans = Vec::new();
    let mut buffers = Vec::new();
    let mut used = 0;
    for (s, section) in ir.sections.iter().enumerate() {
        let instructions = instructions(&ir.graph, section);
        let first = columns.len();
        for instruction in &instructions {
            columns.push(json!({"label": label(ir, instruction), "section": s}));
        }
        spans.push([first, columns.len()]);
        let mut top = 0;
        for (&value, tiling) in section.tensors.iter().filter(|(_, t)| t.storage != Some(Storage::Fused)) {
            let Some(buffer) = &tiling.buffer else { continue };
            // A ring keeps its rows from tile to tile.
            let ring = tiling.storage == Some(Storage::Ring);
            let made = instructions.iter().position(|i| i.output == value);
            let reads = |i: &Instruction| i.reads(&ir.graph, value);
            let from = made.or_else(|| instructions.iter().position(reads)).unwrap_or(0);
            let to = instructions.iter().rposition(reads).unwrap_or(from).max(from);
            let life = if ring { [first, columns.len()] } else { [first + from, first + to + 1] };
            top = top.max(buffer.offset + buffer.bytes);
            buffers.push(block(
                &ir.graph.values[value].name,
                role(tiling.role),
                life,
                [buffer.offset, buffer.bytes],
            ));
        }
        let bytes = section.sram_bytes?;
        used = used.max(bytes);
        if bytes > top {
            let name = "scratch and a block of weights";
            buffers.push(block(name, "fixed", [first, columns.len()], [top, bytes - top]));
        }
    }
    let all = [0, columns.len()];
    // What is streamed, or lies in a temporary file, takes no memory.
    let borders = if device.streamed { 0 } else { device.border_bytes };
    let mut tensors = vec![
        block("weights", "fixed", all, [0, device.weight_bytes]),
        block("accumulators", "summed", all, [device.weight_bytes, device.accumulator_bytes]),
        block("inputs and outputs", "input", all, [device.arena_bytes, borders]),
    ];
    tensors.extend(device.composites.iter().filter(|(_, c)| !c.spilled).map(|(value, composite)| {
        let [from, to] = composite.live.map(|s| spans.get(s as usize).copied().unwrap_or_default());
        let name = &ir.graph.values[*value].name;
        block(name, "output", [from[0], to[1]], [composite.offset, composite.bytes])
    }));
    tensors.retain(|block| block["bytes"] != 0);
    let total = device.arena_bytes.saturating_add(borders);
    Some(json!({
        "columns": columns,
        "sections": spans,
        "sram": level(buffers, used, ir.target.sram),
        "device": level(tensors, total, ir.target.memory),
    }))
}

fn label(ir: &Sections, instruction: &Instruction) -> String {
    let names: Vec<_> = instruction.ops.iter().map(|&op| ir.graph.ops[op].op.name()).collect();
    format!("{} → %{}", names.join(" + "), ir.graph.values[instruction.output].name)
}

fn level(blocks: Vec<Json>, used: u64, budget: u64) -> Json {
    json!({
        "blocks": blocks,
        "used": used,
        "budget": budget,
        "budget_text": units::bytes(budget),
        "used_text": units::bytes(used),
    })
}

/// Something that lies at `[offset, bytes]` during `columns`.
fn block(name: &str, role: &str, columns: [usize; 2], [offset, bytes]: [u64; 2]) -> Json {
    json!({
        "name": name,
        "role": role,
        "columns": columns,
        "offset": offset,
        "bytes": bytes,
        "text": units::bytes(bytes),
    })
}
