//! `tile`: derives every tensor's tiling from the section's target tile by reverse traversal.
//!
//! ```text
//! before: section s0 (tile: [16, 16]) { %a = conv2d %x; %b = conv2d %a }            (32 × 32, kernels 3, pad 1)
//! after:  %x tile 20 × 20, origin −2; %a tile 18 × 18, origin −1; %b tile 16 × 16, origin 0; grid 2 × 2
//! ```
//!
//! Where a section adds up its tiles, the target tile cuts the gradient that it reads, and a tile of the gradient that it makes is what
//! that reaches:
//!
//! ```text
//! before: section s1 (tile: [16, 16], gradient: rmw) { %dx = conv2d.dx %dy }                 (32 × 32, kernel 3, pad 1)
//! after:  %dy tile 19 × 19, origin −1, of which 16 × 16 are its own; %dx tile 17 × 17, origin 0, all of it added; 2 × 2 colours
//! ```

use indexmap::IndexSet;
use zellige_grammar::{Code, Diagnostic};
use zellige_runtime::program::Steps;
use zellige_runtime::program::instr::AxisId;

use super::{Module, Options};
use crate::analysis::flow::{Flow, FlowReader, FlowTensor, Sum};
use crate::analysis::fusion::{addressing, is_inlined};
use crate::analysis::geometry::{AxisGeometry, axis_geometry, colours};
use crate::base::{AxisMap, OpId, ValueId};
use crate::ir::{Gradient, Graph, Reader, Role, Section, TensorSteps, Tiling};

pub(super) fn run(module: Module, options: &Options) -> Result<Module, Vec<Diagnostic>> {
    let mut ir = super::sections(module, "tile")?;
    let consumers = ir.graph.consumers();
    ir.device = None;
    for section in &mut ir.sections {
        let Some(tile) = section.tile.or(options.tile) else { return Err(vec![no_target(section)]) };
        section.tile = Some(tile);
        let overlap = options.overlap.filter(|_| section.gradient == Gradient::Halo);
        section.overlap = Some(section.overlap.or(overlap).unwrap_or_default());
        // What later passes have made of another tiling holds no more.
        section.sram_bytes = None;
        let flow = Flow::of_section(&ir.graph, section, &consumers)
            .ok_or_else(|| super::missing(&section.name, "output", "section-cut"))?;
        let anchor = &flow.tensors[flow.anchor];
        let extent = [anchor.sizes[2], anchor.sizes[3]];
        if super::too_many_steps(extent, tile) {
            return Err(vec![super::invalid_tile(&ir.graph.values[anchor.value].name, extent, tile)]);
        }
        let scheme = section.scheme();
        let axes = AxisId::BOTH.map(|axis| axis_geometry(&flow, axis, tile[axis.index()], scheme, u64::MAX));
        section.grid = Some([axes[0].steps, axes[1].steps]);
        let along = |sum: Sum| [0, 1].map(|axis| colours(&axes[axis].tensors[sum.output].owned));
        section.colours = flow.sum.map(along);
        let tilings = in_order(&ir.graph, section, &flow)
            .into_iter()
            .map(|t| (flow.tensors[t].value, tiling(&ir.graph, &flow, t, &axes)));
        section.tensors = tilings.collect();
    }
    Ok(Module::Sections(ir))
}

/// The tensors as the section lists them: inputs in the order in which its ops read them first, then what the ops make.
fn in_order(graph: &Graph, section: &Section, flow: &Flow) -> Vec<usize> {
    let reads_tiles = |op: &&OpId| addressing(graph, **op).is_none();
    let reads = section.ops.iter().filter(reads_tiles).flat_map(|&op| {
        graph.ops[op].inputs.iter().copied().filter(move |&value| !is_inlined(graph, value, op))
    });
    let first: IndexSet<ValueId> = reads.collect();
    let mut order: Vec<usize> = (0..flow.tensors.len()).collect();
    order.sort_by_key(|&t| {
        let FlowTensor { value, op, .. } = &flow.tensors[t];
        let made = op.and_then(|op| section.ops.iter().position(|o| *o == op));
        (made, first.get_index_of(value))
    });
    order
}

fn no_target(section: &Section) -> Diagnostic {
    Diagnostic::error(Code::E0703, format!("section `{}` has no target tile", section.name))
        .hint("write one, such as `tile: [64, 64]`, or give one with `--tile 64x64`")
}

fn tiling(graph: &Graph, flow: &Flow, t: usize, axes: &[AxisGeometry; 2]) -> Tiling {
    let tensor = &flow.tensors[t];
    let tiles = [&axes[0].tensors[t], &axes[1].tensors[t]];
    let first = |i: usize| tiles[i].computed.first().map_or(0, |c| c.start);
    Tiling {
        role: role(tensor),
        anchor: t == flow.anchor,
        reduced: tensor.reduced,
        extent: [tensor.sizes[2], tensor.sizes[3]],
        tile: tiles.map(|a| a.size as u64),
        origin: [first(0), first(1)],
        readers: tensor.readers.iter().map(|r| reader(graph, r)).collect(),
        steps: tiles.map(|a| TensorSteps {
            computed: Steps::compress(&a.computed),
            owned: Steps::compress(&a.owned),
        }),
        overlap: None,
        padding: None,
        padded: None,
        zero_out: None,
        storage: None,
        buffer: None,
    }
}

fn role(tensor: &FlowTensor) -> Role {
    match (tensor.op, tensor.exported, tensor.reduced) {
        (None, ..) => Role::Input,
        (_, true, _) => Role::Output,
        (_, _, true) => Role::Reduced,
        _ => Role::Intermediate,
    }
}

fn reader(graph: &Graph, reader: &FlowReader) -> Reader {
    let window = |map: AxisMap| match map {
        AxisMap::Window { kernel, stride, .. } | AxisMap::Transposed { kernel, stride, .. } => {
            (kernel, stride)
        }
        _ => (1, 1),
    };
    let [(ky, sy), (kx, sx)] = reader.maps.map(window);
    Reader { op: graph.ops[reader.op].op.name().to_owned(), kernel: [ky, kx], stride: [sy, sx] }
}
