//! `allocate`: places tile buffers in SRAM and tensors in device memory, within the budgets.
//!
//! ```text
//! before: %x tile 20 × 20, storage on_chip
//! after:  %x buffer (lanes: 4, offset: 0, bytes: 6400);   device (composites: …)
//! ```

use zellige_grammar::{Code, Diagnostic};

use super::{Module, Options, bytes};
use crate::analysis::buffers::{ALIGNMENT, Buffer, Fixed, buffers, place};
use crate::analysis::device;
use crate::analysis::flow::Flow;
use crate::analysis::fusion::groups;
use crate::base::OpId;
use crate::ir::{BufferPlan, Graph, Section, Sections, Storage, Tiling};

pub(super) fn run(module: Module, options: &Options) -> Result<Module, Vec<Diagnostic>> {
    let mut ir = super::sections(module, "allocate")?;
    let consumers = ir.graph.consumers();
    for section in &mut ir.sections {
        let flow = Flow::of_section(&ir.graph, section, &consumers)
            .ok_or_else(|| super::missing(&section.name, "output", "section-cut"))?;
        place_buffers(&ir.graph, section, &flow)?;
        if section.sram_bytes.is_some_and(|bytes| bytes > ir.target.sram) && !options.untiled {
            return Err(vec![sram_exceeded(section, ir.target.sram)]);
        }
    }
    place_device(&mut ir)?;
    Ok(Module::Sections(ir))
}

fn place_buffers(graph: &Graph, section: &mut Section, flow: &Flow) -> Result<(), Vec<Diagnostic>> {
    let groups = groups(graph, &section.ops);
    let buffers = buffers(flow, &groups);
    let mut bytes = Vec::with_capacity(buffers.len());
    for buffer in &buffers {
        let tensor = &flow.tensors[buffer.tensor];
        let tiling = section
            .tensors
            .get(&tensor.value)
            .ok_or_else(|| super::missing(&section.name, "tilings", "tile"))?;
        let lanes = u64::from(buffer.lanes);
        let of = tensor.sizes[1].next_multiple_of(lanes).checked_mul(4).and_then(|b| {
            b.checked_mul(tiling.tile[0])?.checked_mul(tiling.tile[1])?.checked_next_multiple_of(ALIGNMENT)
        });
        bytes.push(of.unwrap_or(u64::MAX));
    }
    // A ring keeps its rows from one tile to the next: its bytes are its own.
    let is_ring = |v| section.tensors.get(&v).is_some_and(|t: &Tiling| t.storage == Some(Storage::Ring));
    let life = |b: &Buffer| if is_ring(flow.tensors[b.tensor].value) { [0, usize::MAX] } else { b.live };
    let live: Vec<_> = buffers.iter().map(life).collect();
    let (offsets, end) = place(&live, &bytes);
    for ((buffer, bytes), offset) in buffers.iter().zip(bytes).zip(offsets) {
        let value = flow.tensors[buffer.tensor].value;
        if let Some(tiling) = section.tensors.get_mut(&value) {
            tiling.buffer = Some(BufferPlan { lanes: buffer.lanes, offset, bytes });
        }
    }
    section.sram_bytes = Some(end.saturating_add(Fixed::of_all(graph, &groups).bytes()));
    Ok(())
}

fn sram_exceeded(section: &Section, budget: u64) -> Diagnostic {
    let needed = section.sram_bytes.unwrap_or(0);
    let message = format!(
        "section `{}` takes {} of SRAM, and a worker has {}",
        section.name,
        bytes(needed),
        bytes(budget)
    );
    Diagnostic::error(Code::E0701, message)
        .hint(format!("the smallest that would do is `--sram {needed}`, or a smaller tile"))
}

fn place_device(ir: &mut Sections) -> Result<(), Vec<Diagnostic>> {
    let ops: Vec<&[OpId]> = ir.sections.iter().map(|s| s.ops.as_slice()).collect();
    let plan = device::plan(&ir.graph, &ops, &device::tiled(ir), ir.target.memory).ok_or_else(|| {
        vec![Diagnostic::error(Code::E0702, "the tensors in device memory take more than 2^64 bytes")]
    })?;
    let total = plan.total();
    if total > ir.target.memory {
        let message = format!(
            "the tensors in device memory take {}, and `--memory` is {}",
            bytes(total),
            bytes(ir.target.memory)
        );
        return Err(vec![
            Diagnostic::error(Code::E0702, message)
                .hint(format!("cut like this, the smallest that would do is `--memory {total}`"))
                .note("inputs, outputs, packed weights and the tensors at section boundaries count"),
        ]);
    }
    ir.device = Some(plan.device);
    Ok(())
}
