//! `overlap`: settles how the overlap of neighbouring tiles is had, and where tiles are stored.
//!
//! ```text
//! before: %x tile 20 × 20, steps of 16
//! after:  section (overlap: recompute);   %x overlap 4 × 4, storage on_chip
//! ```
//!
//! Each tile computes its halo anew (*recompute*). A tensor between the ops of one instruction is stored nowhere.

use zellige_grammar::Diagnostic;
use zellige_runtime::program::{Interval, Steps};

use super::{Module, Options};
use crate::analysis::fusion::groups;
use crate::ir::{Overlap, Role, Storage};

pub(super) fn run(module: Module, _: &Options) -> Result<Module, Vec<Diagnostic>> {
    let mut ir = super::sections(module, "overlap")?;
    for section in &mut ir.sections {
        if section.tensors.is_empty() {
            return Err(super::missing(&section.name, "tilings", "tile"));
        }
        section.overlap = Some(Overlap::Recompute);
        let groups = groups(&ir.graph, &section.ops);
        for (value, tiling) in &mut section.tensors {
            tiling.overlap = Some([0, 1].map(|axis| shared(&tiling.steps[axis].computed)));
            let stored = tiling.role == Role::Input || groups.iter().any(|g| g.output == *value);
            tiling.storage = Some(if stored { Storage::OnChip } else { Storage::Fused });
        }
    }
    Ok(Module::Sections(ir))
}

/// The most that neighbouring tiles have in common.
fn shared(steps: &Steps) -> u64 {
    let tiles: Vec<Interval> = steps.iter().collect();
    tiles.windows(2).map(|w| w[0].intersect(w[1]).len() as u64).max().unwrap_or(0)
}
