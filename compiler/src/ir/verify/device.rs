//! Invariant 16: where device memory is laid out, it holds just the tensors that cross sections, apart from one another and
//! within the budget.

use std::collections::{HashMap, HashSet};

use super::{Sections, SectionsFound};
use crate::base::{OpId, ValueId};
use crate::ir::{Blocks, Composite, Device, Materialize};
use crate::ops::Placement;

/// Device memory that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Others than the tensors that cross sections.
    #[error("`{name}` {}", if *.crosses { "crosses sections and is no composite" } else { "is a composite and crosses no sections" })]
    Composites {
        /// The tensor.
        name: String,
        /// Whether it crosses sections.
        crosses: bool,
    },
    /// Another life.
    #[error("composite `{name}` is used by sections {expected:?}, not {found:?}")]
    Life {
        /// The tensor.
        name: String,
        /// First and last section that use it.
        expected: [u32; 2],
        /// There.
        found: [u32; 2],
    },
    /// Lanes that nobody implements.
    #[error("composite `{name}` has {lanes} lanes, not 1, 2, 4, 8 or 16")]
    Lanes {
        /// The tensor.
        name: String,
        /// Its lanes.
        lanes: u32,
    },
    /// Channels side by side where values are read in raster order.
    #[error("composite `{name}` has {lanes} lanes, and is read as if it were planar")]
    Planar {
        /// The tensor.
        name: String,
        /// Its lanes.
        lanes: u32,
    },
    /// Across cache lines.
    #[error("composite `{name}` is at {offset}, which is no multiple of {ALIGNMENT}")]
    Unaligned {
        /// The tensor.
        name: String,
        /// Its offset.
        offset: u64,
    },
    /// A composite that its tensor does not fit.
    #[error("composite `{name}` has {found} bytes, and its tensor takes {expected}")]
    Bytes {
        /// The tensor.
        name: String,
        /// Of the tensor.
        expected: u64,
        /// Of the composite.
        found: u64,
    },
    /// The same twice.
    #[error("a tensor has two composites, or two for one section")]
    Twice,
    /// Blocks that are not the tiles of the section that reads them.
    #[error("the blocks of composite `{name}` are not the tiles of the section that they are for")]
    Blocks {
        /// The tensor.
        name: String,
    },
    /// Outside its part of the arena.
    #[error("composite `{name}` lies at {start}..{end}, and composites lie in {from}..{to}")]
    Outside {
        /// The tensor.
        name: String,
        /// Its first byte.
        start: u64,
        /// The byte after its last.
        end: u64,
        /// End of weights and accumulators.
        from: u64,
        /// End of the arena.
        to: u64,
    },
    /// Two composites in one place.
    #[error("composites `{first}` and `{second}` share bytes, and are alive at the same time")]
    Overlap {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// More than there is.
    #[error("tensors in device memory take {needed} bytes, and there are {budget}")]
    Budget {
        /// What they take.
        needed: u64,
        /// What there is.
        budget: u64,
    },
}

const ALIGNMENT: u64 = 64;

pub(super) fn check(ir: &Sections, found: &mut SectionsFound) {
    let Some(device) = &ir.device else { return };
    let crossing = crossing(ir);
    let name = |value: ValueId| ir.graph.values.get(value).map_or("?", |v| &v.name).to_owned();
    for &(value, _) in device.composites.iter().filter(|(v, c)| !crossing.contains_key(&crossed(*v, c))) {
        found.push(None, DeviceError::Composites { name: name(value), crosses: false });
    }
    let there: HashSet<Crossed> = device.composites.iter().map(|(v, c)| crossed(*v, c)).collect();
    if there.len() < device.composites.len() {
        found.push(None, DeviceError::Twice);
    }
    let mut missing: Vec<Crossed> = crossing.keys().filter(|c| !there.contains(*c)).copied().collect();
    missing.sort_unstable();
    for (value, section) in missing {
        // An output can be read where it was written.
        if section.is_some() || !ir.graph.is_output(value) {
            found.push(None, DeviceError::Composites { name: name(value), crosses: true });
        }
    }
    let borders = if device.streamed { 0 } else { device.border_bytes };
    let needed = device.arena_bytes.saturating_add(borders);
    if needed > ir.target.memory {
        found.push(None, DeviceError::Budget { needed, budget: ir.target.memory });
    }
    let mut before: Vec<(ValueId, &Composite)> = Vec::new();
    for (value, composite) in device.composites.iter().map(|(v, c)| (*v, c)) {
        let Some(&life) = crossing.get(&crossed(value, composite)) else { continue };
        let in_memory = !composite.spilled;
        if let Err(error) = check_composite(ir, device, value, composite, life) {
            found.push(None, error);
            continue;
        }
        let clash = |(_, other): &&(ValueId, &Composite)| {
            let together = other.live[0] <= composite.live[1] && composite.live[0] <= other.live[1];
            let bytes = |c: &Composite| (c.offset, c.offset.saturating_add(c.bytes));
            in_memory
                && !other.spilled
                && together
                && bytes(other).0 < bytes(composite).1
                && bytes(composite).0 < bytes(other).1
        };
        if let Some((other, _)) = before.iter().find(clash) {
            found.push(None, DeviceError::Overlap { first: name(*other), second: name(value) });
        }
        before.push((value, composite));
    }
}

/// A value that a section writes for later ones, or, in blocks, for one alone.
type Crossed = (ValueId, Option<u32>);

fn crossed(value: ValueId, composite: &Composite) -> Crossed {
    (value, composite.blocks.map(|blocks| blocks.section))
}

/// Values that a section writes for later ones (results of reductions always leave), with the first and last section.
fn crossing(ir: &Sections) -> HashMap<Crossed, [u32; 2]> {
    let home: HashMap<OpId, usize> = ir
        .sections
        .iter()
        .enumerate()
        .flat_map(|(s, section)| section.ops.iter().map(move |&op| (op, s)))
        .collect();
    let readers = ir.graph.consumers();
    let mut crossing = HashMap::new();
    for (op, node) in ir.graph.ops.iter() {
        let Some(&made) = home.get(&op) else { continue };
        let mut last = made;
        for (reader, &section) in
            readers.get(&node.output).into_iter().flatten().filter_map(|r| home.get_key_value(r))
        {
            let how = ir.sections[section].materialized.get(&node.output);
            let by_tiles = !matches!(ir.graph.ops[*reader].op.placement(), Placement::Boundary(_));
            if how == Some(&Materialize::Tiles) && by_tiles {
                let section = section as u32;
                crossing.insert((node.output, Some(section)), [made as u32, section]);
            } else {
                last = last.max(section);
            }
        }
        if last > made || node.op.placement() == Placement::Reduce {
            crossing.insert((node.output, None), [made as u32, last as u32]);
        }
    }
    crossing
}

fn check_composite(
    ir: &Sections,
    device: &Device,
    value: ValueId,
    composite: &Composite,
    expected: [u32; 2],
) -> Result<(), DeviceError> {
    let name = || ir.graph.values[value].name.clone();
    let Composite { lanes, offset, bytes, live, spilled, blocks } = *composite;
    if live != expected {
        return Err(DeviceError::Life { name: name(), expected, found: live });
    }
    if ![1, 2, 4, 8, 16].contains(&lanes) {
        return Err(DeviceError::Lanes { name: name(), lanes });
    }
    if lanes != 1 && blocks.is_none() && is_read_in_raster_order(ir, value) {
        return Err(DeviceError::Planar { name: name(), lanes });
    }
    if !offset.is_multiple_of(ALIGNMENT) {
        return Err(DeviceError::Unaligned { name: name(), offset });
    }
    let [n, c, mut h, mut w] = ir.graph.sizes(value).unwrap_or([u64::MAX; 4]);
    if let Some(blocks) = blocks {
        check_blocks(ir, value, blocks)?;
        [h, w] = [0, 1].map(|axis| blocks.grid[axis].saturating_mul(blocks.size[axis]));
    }
    let channels = c.checked_next_multiple_of(lanes.into()).unwrap_or(u64::MAX);
    let needed = [n, h, w, 4].iter().fold(channels, |product: u64, f| product.saturating_mul(*f));
    if bytes < needed {
        return Err(DeviceError::Bytes { name: name(), expected: needed, found: bytes });
    }
    let (from, end) =
        (device.weight_bytes.saturating_add(device.accumulator_bytes), offset.saturating_add(bytes));
    if !spilled && (offset < from || end > device.arena_bytes) {
        return Err(DeviceError::Outside { name: name(), start: offset, end, from, to: device.arena_bytes });
    }
    Ok(())
}

/// There is a block for each tile of the section that reads them, as large.
fn check_blocks(ir: &Sections, value: ValueId, blocks: Blocks) -> Result<(), DeviceError> {
    let section = ir.sections.get(blocks.section as usize);
    let tile = section.and_then(|s| Some((s.grid?, s.tensors.get(&value)?)));
    let fits = tile.is_some_and(|(grid, tiling)| {
        let covers = |axis: usize| tiling.steps[axis].computed.iter().map(|i| i.len() as u64).max();
        let room = |axis| covers(axis).is_none_or(|covered: u64| covered <= blocks.size[axis]);
        grid == blocks.grid && room(0) && room(1)
    });
    if fits { Ok(()) } else { Err(DeviceError::Blocks { name: ir.graph.values[value].name.clone() }) }
}

fn is_read_in_raster_order(ir: &Sections, value: ValueId) -> bool {
    let reading = ir.graph.ops.iter().filter(|(_, node)| node.inputs.contains(&value));
    let mut placements = reading.map(|(_, node)| node.op.placement());
    placements.any(|p| matches!(p, Placement::Boundary(addressing) if addressing.is_planar()))
}
