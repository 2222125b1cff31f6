//! `pad`: moves all padding of a section to its inputs, and marks what intermediates must zero out.
//!
//! ```text
//! before: %x 32 × 32, tile 20 × 20;   %a 32 × 32, tile 18 × 18                          (two convolutions padded by 1)
//! after:  %x padding [2, 2, 2, 2], padded 36 × 36;   %a padded 34 × 34, zero-out of a border of 1
//! ```
//!
//! The padding of a tensor is what the whole output needs of it beyond its extent, and what its readers find there where they
//! compute more than is needed, before a crop for one. Where that is zeros, whoever writes a tile that reaches over the border
//! writes them.

use zellige_grammar::Diagnostic;
use zellige_runtime::program::Interval;
use zellige_runtime::program::instr::AxisId;

use super::{Module, Options};
use crate::analysis::flow::{Flow, FlowTensor};
use crate::analysis::footprint::need;
use crate::analysis::geometry::axis_geometry;
use crate::ir::{Scheme, ZeroOut};
use crate::ops::Outside;

pub(super) fn run(module: Module, _: &Options) -> Result<Module, Vec<Diagnostic>> {
    let mut ir = super::sections(module, "pad")?;
    let consumers = ir.graph.consumers();
    for section in &mut ir.sections {
        let flow = Flow::of_section(&ir.graph, section, &consumers)
            .ok_or_else(|| super::missing(&section.name, "output", "section-cut"))?;
        let anchor = &flow.tensors[flow.anchor];
        let extent = |axis| anchor.extent(axis) as u64;
        let whole = AxisId::BOTH.map(|axis| axis_geometry(&flow, axis, extent(axis), Scheme::default(), 1));
        for (t, tensor) in flow.tensors.iter().enumerate() {
            let tiling = section
                .tensors
                .get_mut(&tensor.value)
                .ok_or_else(|| super::missing(&section.name, "tilings", "tile"))?;
            let [y, x] = AxisId::BOTH.map(|axis| {
                let need = whole[axis.index()].tensors[t].computed.first().copied().unwrap_or_default();
                beyond(need, tensor.extent(axis))
            });
            tiling.zero_out = zero_out(&flow, tensor);
            let border = tiling.zero_out.as_ref().map_or([0; 4], |z| z.border);
            let needed = [y[0], x[0], y[1], x[1]];
            let [top, left, bottom, right] = [0, 1, 2, 3].map(|side| needed[side].max(border[side]));
            tiling.padding = Some([top, left, bottom, right]);
            let with = |extent: u64, a: u64, b: u64| extent.saturating_add(a).saturating_add(b);
            tiling.padded = Some([with(tensor.sizes[2], top, bottom), with(tensor.sizes[3], left, right)]);
        }
    }
    Ok(Module::Sections(ir))
}

/// How far an interval reaches before 0 and past the extent.
fn beyond(need: Interval, extent: i64) -> [u64; 2] {
    [0i64.saturating_sub(need.start).max(0) as u64, need.end.saturating_sub(extent).max(0) as u64]
}

/// The border that readers find zero, given that they compute nothing outside their own extents.
fn zero_out(flow: &Flow, tensor: &FlowTensor) -> Option<ZeroOut> {
    let readers = tensor.readers.iter().filter(|r| r.outside == Outside::Zero);
    let border = readers.fold([0; 4], |border: [u64; 4], reader| {
        let [y, x] = AxisId::BOTH.map(|axis| {
            let outputs = Interval::new(0, flow.tensors[reader.output].extent(axis));
            beyond(need(reader.maps[axis.index()], outputs, tensor.extent(axis)), tensor.extent(axis))
        });
        let new = [y[0], x[0], y[1], x[1]];
        [0, 1, 2, 3].map(|i| border[i].max(new[i]))
    });
    (border != [0; 4]).then_some(ZeroOut { value: 0.0, border })
}
