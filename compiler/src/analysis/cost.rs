//! What a section is modelled to cost on a machine.

use zellige_runtime::machine::Machine;

use super::flow::Flow;
use super::fusion::is_reduction;
use super::geometry::AxisGeometry;
use super::work::total_flops;
use crate::base::OpId;
use crate::ir::Graph;

/// Seconds that an instruction takes on a tile besides its arithmetic, and on each row of it.
const INSTRUCTION_OVERHEAD: f64 = 1.0e-6;
const ROW_OVERHEAD: f64 = 0.1e-6;
/// Share of the peak that kernels reach.
const EFFICIENCY: f64 = 0.7;
/// What a byte that is stored to device memory costs, in bytes read: a cache reads the line before it writes it, and the system
/// makes a page, all zeros, when it is first written (about a microsecond for 4 KiB).
const STORE_PASSES: f64 = 8.0;
/// Bytes a second to and from temporary files.
const SPILL_BANDWIDTH: f64 = 1e9;
/// Seconds that a call of the system takes for each stretch of a file that is read or written, besides its bytes.
const SPILL_CALL: f64 = 1e-6;
/// More is computed again than a tensor has: halos.
pub const HALO: f64 = 1.1;
/// Elements a lane moves in the time of a multiply-add, where an op only moves data.
const MOVE_FLOPS: f64 = 8.0;

/// Modelled cost of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Time: the larger of `compute` + `overhead` and `transfer`.
    pub seconds: f64,
    /// Seconds of arithmetic, with what it streams through the caches.
    pub compute: f64,
    /// Seconds that instructions and rows take besides.
    pub overhead: f64,
    /// Seconds of traffic to and from device memory.
    pub transfer: f64,
    /// Floating-point operations, halos included.
    pub flops: f64,
    /// Bytes read from and written to device memory.
    pub traffic: f64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            compute: self.compute + other.compute,
            overhead: self.overhead + other.overhead,
            transfer: self.transfer + other.transfer,
            flops: self.flops + other.flops,
            traffic: self.traffic + other.traffic,
        }
    }
}

/// Of the ops of a section with the given geometries.
pub fn section_cost(machine: &Machine, threads: u32, flow: &Flow, axes: [&AxisGeometry; 2]) -> Cost {
    let mut tally = Tally::default();
    let images = flow.images();
    for t in 0..flow.tensors.len() {
        tally.add(flow, axes, t);
    }
    tally.cost(machine, threads, images, axes, axes[0].keeps_rows())
}

/// What there is to do for some tensors of a section.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    flops: f64,
    /// Elements that ops write.
    moved: f64,
    /// Bytes that go through the caches.
    streamed: f64,
    /// Bytes from and to device memory.
    traffic: f64,
    /// Seconds that instructions and rows take.
    overhead: f64,
}

impl Tally {
    /// Adds tensor `t` of a section, with its tiles along both axes.
    #[inline]
    pub fn add(&mut self, flow: &Flow, axes: [&AxisGeometry; 2], t: usize) {
        let (tensor, images) = (&flow.tensors[t], flow.images());
        let sums = flow.sum.is_some_and(|sum| sum.output == t);
        let [n, channels, h, w] = tensor.sizes.map(|s| s as f64);
        let [rows, cols] = [axes[0].tensors[t].pixels, axes[1].tensors[t].pixels];
        let (pixels, bytes) = (rows * cols * images, channels * 4.0);
        let tiles = axes[0].steps as f64 * axes[1].steps as f64 * images;
        if tensor.parted {
            self.traffic += bytes * n * h * w;
            self.streamed += bytes * pixels;
        } else if tensor.loaded {
            self.traffic += bytes * pixels;
            self.streamed += bytes * pixels;
        }
        if tensor.op.is_some() {
            self.flops += tensor.flops * pixels;
            self.overhead +=
                INSTRUCTION_OVERHEAD * tiles + ROW_OVERHEAD * rows * axes[1].steps as f64 * images;
            self.moved += bytes * pixels / 4.0;
            self.streamed += tensor.weight_bytes * tiles;
        }
        if tensor.reduced {
            self.flops += tensor.reduced_flops;
            self.streamed += 2.0 * tensor.running_bytes * tiles;
        }
        if tensor.exported {
            let stored = bytes * n * h * w;
            // What several tiles add to is read and written once more for each.
            let again = if sums { bytes * (pixels - n * h * w).max(0.0) } else { 0.0 };
            self.traffic += stored + 2.0 * again;
            self.streamed += STORE_PASSES * stored + 2.0 * again;
        }
    }

    /// What it costs; `in_order` where tiles of a column wait for each other because one reads another's rows.
    pub fn cost(
        &self,
        machine: &Machine,
        threads: u32,
        images: f64,
        axes: [&AxisGeometry; 2],
        in_order: bool,
    ) -> Cost {
        let Self { flops, moved, streamed, traffic, overhead } = *self;
        let [rows, columns] = axes.map(|axis| axis.steps as f64);
        let jobs = if in_order { columns * images } else { rows * columns * images };
        let share = (jobs / f64::from(threads.max(1))).ceil() / jobs;
        let speed = speed(machine);
        let compute = share * ((flops + moved * MOVE_FLOPS) / speed + streamed / machine.bandwidth);
        let overhead = share * overhead;
        let transfer = traffic / machine.bandwidth;
        Cost { seconds: (compute + overhead).max(transfer), compute, overhead, transfer, flops, traffic }
    }
}

/// Floating-point operations a second that a worker gets through.
fn speed(machine: &Machine) -> f64 {
    f64::from(machine.lanes) * 2.0 * machine.clock * EFFICIENCY
}

/// Seconds of so many floating-point operations on all workers.
pub fn arithmetic_seconds(machine: &Machine, threads: u32, flops: f64) -> f64 {
    flops / speed(machine) / f64::from(threads.max(1))
}

/// Seconds that an op takes at least if all of its result is computed: without halos and traffic, in one tile.
pub fn least_seconds(machine: &Machine, threads: u32, graph: &Graph, op: OpId) -> f64 {
    let flops = total_flops(graph, op);
    if is_reduction(graph, op) {
        return arithmetic_seconds(machine, threads, flops);
    }
    let [n, c, h, w] = graph.sizes(graph.ops[op].output).unwrap_or([0; 4]).map(|s| s as f64);
    let arithmetic = arithmetic_seconds(machine, threads, flops + n * c * h * w * MOVE_FLOPS);
    arithmetic + INSTRUCTION_OVERHEAD + ROW_OVERHEAD * n * h / f64::from(threads.max(1))
}

/// Seconds that it takes to store so many bytes in device memory.
pub fn store_seconds(machine: &Machine, threads: u32, bytes: f64) -> f64 {
    STORE_PASSES * load_seconds(machine, threads, bytes)
}

/// Seconds that it takes to load so many bytes from device memory.
pub fn load_seconds(machine: &Machine, threads: u32, bytes: f64) -> f64 {
    bytes / machine.bandwidth / f64::from(threads.max(1))
}

/// Seconds that moving so many bytes to or from a temporary file takes, in so many calls.
pub fn file_seconds(bytes: f64, calls: f64) -> f64 {
    bytes / SPILL_BANDWIDTH + calls * SPILL_CALL
}
