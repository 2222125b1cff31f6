//! `materialize`: settles how sections have the tensors of the forward pass that their ops of the backward pass need.
//!
//! ```text
//! before: section s0 [%a, …] …   section s1 [%d.a, …] { tensor %a … }
//! after:  section s0 [%a, …] …   section s1 [%d.a, …] { materialize %a (how: tiles); tensor %a … }
//! ```
//!
//! A tensor that an earlier section computes is kept whole, where the section's tiles read it with overlaps; or tile by tile, with the
//! overlaps stored in each block, so that every tile reads one contiguous block. The latter takes more room and more writing, and spares
//! a file many short reads. Whichever is modelled to take less time is taken, or what was asked for. What is computed again
//! was decided with the cuts, and is written down.

use indexmap::IndexMap;
use zellige_grammar::Diagnostic;

use super::{Module, Options};
use crate::analysis::device;
use crate::analysis::materialized::{Weighing, may_be_tiled, needed};
use crate::base::{OpId, ValueId};
use crate::ir::{Materialize, Sections};

pub(super) fn run(module: Module, options: &Options) -> Result<Module, Vec<Diagnostic>> {
    let mut ir = super::sections(module, "materialize")?;
    if let Some(section) = ir.sections.iter().find(|s| s.tensors.is_empty() || s.grid.is_none()) {
        return Err(super::missing(&section.name, "tilings", "tile"));
    }
    let needed = needed(&ir);
    // Nothing is, where a network does not go backward.
    let spilled = if needed.iter().all(Vec::is_empty) { Vec::new() } else { spilled(&ir) };
    let weighing = Weighing::of(&ir);
    let how = |s: usize, value: ValueId, again: bool| {
        let kept = ir.sections[s].materialized.get(&value).copied().or(options.materialize);
        let tileable = || !options.untiled && may_be_tiled(&ir.sections, &ir.graph, s, value);
        match kept {
            _ if again => Materialize::Recompute,
            Some(Materialize::Tiles) if tileable() => Materialize::Tiles,
            None if spilled.contains(&value) && !options.untiled => {
                weighing.ways(s, value, true).map_or(Materialize::Keep, |ways| ways.kept())
            }
            _ => Materialize::Keep,
        }
    };
    let settled: Vec<IndexMap<ValueId, Materialize>> = needed
        .into_iter()
        .enumerate()
        .map(|(s, values)| values.into_iter().map(|(value, again)| (value, how(s, value, again))).collect())
        .collect();
    for (section, materialized) in ir.sections.iter_mut().zip(settled) {
        section.materialized = materialized;
    }
    Ok(Module::Sections(ir))
}

/// The tensors that have to go to files, where all are kept whole.
fn spilled(ir: &Sections) -> Vec<ValueId> {
    let ops: Vec<&[OpId]> = ir.sections.iter().map(|s| s.ops.as_slice()).collect();
    let plan = device::plan(&ir.graph, &ops, &[], ir.target.memory);
    let composites = plan.map(|plan| plan.device.composites).unwrap_or_default();
    composites.into_iter().filter(|(_, c)| c.spilled).map(|(value, _)| value).collect()
}
