//! `overlap`: settles how the overlap of neighbouring tiles is had, and where tiles are stored.
//!
//! ```text
//! before: %x tile 20 × 20, steps of 16
//! after:  %x overlap 4 × 4, storage on_chip
//! ```
//!
//! Where each tile computes its halo anew (*recompute*), tiles overlap. Where rows are reused, steps add rows to rings, if later
//! steps still read them. A tensor between the ops of one instruction is stored nowhere.

use std::collections::HashSet;

use zellige_grammar::Diagnostic;
use zellige_runtime::program::instr::AxisId;
use zellige_runtime::program::{Interval, Steps};

use super::{Module, Options};
use crate::analysis::flow::{Flow, FlowTensor};
use crate::analysis::footprint::need;
use crate::analysis::fusion::groups;
use crate::base::ValueId;
use crate::ir::{Overlap, Role, Section, Storage};

pub(super) fn run(module: Module, _: &Options) -> Result<Module, Vec<Diagnostic>> {
    let mut ir = super::sections(module, "overlap")?;
    let consumers = ir.graph.consumers();
    for section in &mut ir.sections {
        if section.tensors.is_empty() {
            return Err(super::missing(&section.name, "tilings", "tile"));
        }
        let flow = Flow::of_section(&ir.graph, section, &consumers)
            .ok_or_else(|| super::missing(&section.name, "output", "section-cut"))?;
        let rings = rings(section, &flow);
        let groups = groups(&ir.graph, &section.ops);
        for (value, tiling) in &mut section.tensors {
            tiling.overlap = Some([0, 1].map(|axis| shared(&tiling.steps[axis].computed)));
            let stored = tiling.role == Role::Input || groups.iter().any(|g| g.output == *value);
            tiling.storage = Some(match stored {
                true if rings.contains(value) => Storage::Ring,
                true => Storage::OnChip,
                false => Storage::Fused,
            });
        }
    }
    Ok(Module::Sections(ir))
}

/// The tensors of which some step needs rows that an earlier one has added.
fn rings(section: &Section, flow: &Flow) -> HashSet<ValueId> {
    if section.overlap != Some(Overlap::Reuse) {
        return HashSet::new();
    }
    let rows = |t: &FlowTensor| section.tensors.get(&t.value).map(|tiling| &tiling.steps[0]);
    let reads_earlier = |tensor: &&FlowTensor| {
        let Some(own) = rows(tensor) else { return false };
        let before = |i: u64, need: Interval| !need.is_empty() && need.start < own.computed.get(i).start;
        let extent = tensor.extent(AxisId::Y);
        tensor.readers.iter().any(|reader| {
            let output = &flow.tensors[reader.output];
            let whole = Interval::new(0, output.extent(AxisId::Y));
            let read_for = rows(output).map(|r| if reader.for_owned { &r.owned } else { &r.computed });
            let mut steps = read_for.into_iter().flat_map(Steps::iter).zip(0..);
            steps.any(|(new, i)| before(i, need(reader.maps[0], new.intersect(whole), extent)))
        }) || own.owned.iter().zip(0..).any(|(owned, i)| before(i, owned))
    };
    flow.tensors.iter().filter(reads_earlier).map(|t| t.value).collect()
}

/// The most that neighbouring tiles have in common.
fn shared(steps: &Steps) -> u64 {
    let tiles: Vec<Interval> = steps.iter().collect();
    tiles.windows(2).map(|w| w[0].intersect(w[1]).len() as u64).max().unwrap_or(0)
}
