//! What a plan comes to: what `zellige plan` prints and `--stats` carries.

use std::collections::HashMap;

use serde::Serialize;
use zellige_runtime::program::instr::AxisId;

use crate::analysis::cost::section_cost;
use crate::analysis::flow::Flow;
use crate::analysis::geometry::{AxisGeometry, axis_geometry};
use crate::analysis::receptive::receptive_field;
use crate::analysis::work::{network_flops, total_flops};
use crate::base::{OpId, ValueId};
use crate::ir::{Directions, Materialize, Overlap, Role, Sections};

/// A plan in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Floating-point operations of the network without halos.
    pub flops: f64,
    /// Operations that are computed, halos included, over those of the network.
    pub recompute_ratio: f64,
    /// Rows and columns of each input that an output pixel depends on; `None` where it is all of them.
    pub receptive_field: Option<[u64; 2]>,
    /// Bytes of SRAM a worker.
    pub sram_bytes: u64,
    /// Bytes of device memory for composites, packed weights and accumulators.
    pub device_bytes: u64,
    /// Bytes of inputs and outputs.
    pub border_bytes: u64,
    /// Whether those are read and written window by window, and take no memory.
    pub streamed: bool,
    /// Bytes of tensors at section boundaries that lie in temporary files.
    pub spilled_bytes: u64,
    /// The sections.
    pub sections: Vec<SectionReport>,
}

/// A section in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct SectionReport {
    /// Its name.
    pub name: String,
    /// Which passes of a training step its ops are part of; not said of other networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Directions>,
    /// Number of ops.
    pub ops: usize,
    /// Tile of its anchor.
    pub tile: [u64; 2],
    /// Steps along rows and columns.
    pub grid: [u64; 2],
    /// Bytes of SRAM.
    pub sram_bytes: u64,
    /// Operations, halos included.
    pub flops: f64,
    /// Those over the network's.
    pub recompute_ratio: f64,
    /// The same with the halos along rows alone, and along columns alone.
    pub recompute_along: [f64; 2],
    /// How overlaps are had.
    pub overlap: Overlap,
    /// Where tiles are added up in memory: colours along rows and columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colours: Option<[u64; 2]>,
    /// Bytes to and from device memory.
    pub traffic: f64,
    /// Modelled seconds: the larger of the first two of these three together, and the third.
    pub seconds: f64,
    /// Seconds of arithmetic.
    pub compute_seconds: f64,
    /// Seconds that instructions and rows take besides.
    pub overhead_seconds: f64,
    /// Seconds of traffic to and from device memory.
    pub transfer_seconds: f64,
    /// Tensors read and written.
    pub inputs: Vec<TensorReport>,
    /// Tensors written.
    pub outputs: Vec<TensorReport>,
    /// Tensors summed over space.
    pub reduced: Vec<String>,
    /// Tensors that an earlier section has computed already.
    pub again: Vec<String>,
}

/// A tensor at the border of a section.
#[derive(Clone, Debug, Serialize)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: String,
    /// How it is kept from the forward pass for the backward pass in this section, if it is.
    pub materialized: Option<Materialize>,
    /// Its tile in this section.
    pub tile: [u64; 2],
    /// Pixels that neighbouring tiles share.
    pub overlap: [u64; 2],
    /// Cumulative padding.
    pub padding: [u64; 4],
}

impl Report {
    /// Of sections that have been through `allocate`. `None` if they have not.
    pub fn of(ir: &Sections) -> Option<Self> {
        let repeats = ir.graph.repeats();
        let sections = ir.sections.iter().map(|s| section(ir, s, &repeats)).collect::<Option<Vec<_>>>()?;
        let flops = network_flops(&ir.graph);
        let computed: f64 = sections.iter().map(|s| s.flops).sum();
        let device = ir.device.as_ref()?;
        Some(Self {
            flops,
            recompute_ratio: if flops > 0.0 { computed / flops } else { 1.0 },
            receptive_field: receptive_field(&ir.graph),
            sram_bytes: sections.iter().map(|s| s.sram_bytes).max()?,
            device_bytes: device.arena_bytes,
            border_bytes: device.border_bytes,
            streamed: device.streamed,
            spilled_bytes: device.composites.iter().filter(|(_, c)| c.spilled).map(|(_, c)| c.bytes).sum(),
            sections,
        })
    }

    /// All bytes that the budget of device memory counts.
    pub fn memory_bytes(&self) -> u64 {
        self.device_bytes.saturating_add(if self.streamed { 0 } else { self.border_bytes })
    }
}

fn section(
    ir: &Sections,
    section: &crate::ir::Section,
    repeats: &HashMap<ValueId, ValueId>,
) -> Option<SectionReport> {
    let graph = &ir.graph;
    let tile = section.tile?;
    let flow = Flow::of_section(graph, section, &graph.consumers())?;
    let axes =
        AxisId::BOTH.map(|axis| axis_geometry(&flow, axis, tile[axis.index()], section.scheme(), u64::MAX));
    let cost = section_cost(&ir.target.machine, ir.target.threads, &flow, [&axes[0], &axes[1]]);
    let name = |&op: &OpId| graph.values[graph.ops[op].output].name.clone();
    let along = AxisId::BOTH.map(|axis| recompute_along(&flow, axis, &axes[axis.index()]));
    let without_halo: f64 = section.ops.iter().map(|&op| total_flops(graph, op)).sum();
    let tensors = |wanted: &dyn Fn(&crate::ir::Tiling) -> bool| {
        section
            .tensors
            .iter()
            .filter(|(_, t)| wanted(t))
            .map(|(v, t)| TensorReport {
                name: graph.values[*v].name.clone(),
                shape: graph.values[*v].ty.to_string(),
                materialized: section.materialized.get(v).filter(|_| t.role == Role::Input).copied(),
                tile: t.tile,
                overlap: t.overlap.unwrap_or_default(),
                padding: t.padding.unwrap_or_default(),
            })
            .collect::<Vec<_>>()
    };
    Some(SectionReport {
        name: section.name.clone(),
        direction: ir.direction(section),
        ops: section.ops.len(),
        tile: anchor_tile(section, &flow)?,
        grid: section.grid?,
        sram_bytes: section.sram_bytes?,
        flops: cost.flops,
        recompute_ratio: if without_halo > 0.0 { cost.flops / without_halo } else { 1.0 },
        recompute_along: along,
        overlap: section.scheme().overlap,
        colours: section.colours,
        traffic: cost.traffic,
        seconds: cost.seconds,
        compute_seconds: cost.compute,
        overhead_seconds: cost.overhead,
        transfer_seconds: cost.transfer,
        inputs: tensors(&|t| t.role == Role::Input),
        outputs: tensors(&|t| t.role == Role::Output),
        reduced: tensors(&|t| t.reduced).into_iter().map(|t| t.name).collect(),
        again: section
            .ops
            .iter()
            .filter(|&&op| repeats.contains_key(&graph.ops[op].output))
            .map(name)
            .collect(),
    })
}

/// The anchor's tile; where it is surrounded by zeros, what of it is the tile's own.
fn anchor_tile(section: &crate::ir::Section, flow: &Flow) -> Option<[u64; 2]> {
    let anchor = flow.tensors.get(flow.anchor).and_then(|t| section.tensors.get(&t.value))?;
    let Some(tile) = section.tile.filter(|_| flow.sum.is_some()) else { return Some(anchor.tile) };
    Some([0, 1].map(|axis| tile[axis].min(anchor.extent[axis])))
}

/// Operations with the pixels of halos along one axis alone, divided by those without.
fn recompute_along(flow: &Flow, axis: AxisId, geometry: &AxisGeometry) -> f64 {
    let (mut computed, mut needed) = (0.0, 0.0);
    for (tensor, tiles) in flow.tensors.iter().zip(&geometry.tensors) {
        let [n, _, h, w] = tensor.sizes.map(|s| s as f64);
        let extent = tensor.extent(axis);
        needed += tensor.flops * n * h * w;
        computed += tensor.flops * n * h * w * tiles.pixels / extent.max(1) as f64;
    }
    if needed > 0.0 { computed / needed } else { 1.0 }
}
