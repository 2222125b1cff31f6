//! The planner against all there is: every partition of small graphs into convex sections, every tile and strategy.

use serde_json::json;
use zellige_runtime::machine::Machine;

use super::*;
use crate::analysis::cost::section_cost;
use crate::analysis::geometry::AxisGeometry;
use crate::base::{Dim, Shape};
use crate::fixtures::Net;

/// Modelled time that the planner may lose.
const SLACK: f64 = 1.05;

/// Exhaustive search: least modelled time over all orders of all partitions of the ops into sections that can run one after the
/// other, which are the chains of sets that contain what they read.
struct Search<'a> {
    planner: &'a Planner<'a>,
    ops: Vec<OpId>,
    /// Modelled time of each set of ops as a section, once it has been weighed.
    weighed: HashMap<usize, f64>,
}

impl Search<'_> {
    fn least(&mut self) -> f64 {
        let all = (1 << self.ops.len()) - 1;
        let mut least = vec![f64::INFINITY; all + 1];
        least[0] = 0.0;
        for done in 0..all {
            if least[done].is_infinite() {
                continue;
            }
            let rest = all & !done;
            let mut next = rest;
            while next > 0 {
                if self.has_its_inputs(done | next) {
                    least[done | next] = least[done | next].min(least[done] + self.section(next));
                }
                next = (next - 1) & rest;
            }
        }
        least[all]
    }

    fn has_its_inputs(&self, set: usize) -> bool {
        let holds = |op: OpId| self.ops.iter().position(|o| *o == op).is_some_and(|i| set >> i & 1 == 1);
        let graph = self.planner.graph;
        let inputs = |op: &OpId| graph.ops[*op].inputs.iter().filter_map(|&v| graph.producer(v)).all(holds);
        self.ops.iter().filter(|&&op| holds(op)).all(inputs)
    }

    /// The least modelled time of a set of ops as one section; infinite where it cannot be one.
    fn section(&mut self, set: usize) -> f64 {
        if let Some(&seconds) = self.weighed.get(&set) {
            return seconds;
        }
        let ops: Vec<OpId> = (0..self.ops.len()).filter(|i| set >> i & 1 == 1).map(|i| self.ops[i]).collect();
        let Planner { graph, target, wishes, .. } = *self.planner;
        let planner = Planner::of_ops(graph, target, wishes, &ops);
        let segment = if planner.is_legal() { planner.segment(&planner.groups) } else { None };
        let seconds = segment.map_or(f64::INFINITY, |segment| cheapest_tile(&planner, &segment));
        self.weighed.insert(set, seconds);
        seconds
    }
}

/// Over all candidates, none left out.
fn cheapest_tile(planner: &Planner<'_>, segment: &Segment) -> f64 {
    let target = planner.target;
    let mut tiles = planner.tiles(&segment.flow);
    tiles.extend_to(&segment.flow, segment.flow.tensors.len());
    let mut least = f64::INFINITY;
    for rows in &tiles.rows {
        for columns in &tiles.cols {
            let axes = [&rows.geometry, &columns.geometry];
            let seconds = section_cost(&target.machine, target.threads, &segment.flow, axes).seconds;
            let scheme = planner.scheme(rows.overlap);
            let fits = || segment.sram(axes.map(AxisGeometry::tile), scheme) <= target.sram;
            if seconds < least && fits() {
                least = seconds;
            }
        }
    }
    least
}

/// A random network of at most seven ops with branches and skips. All of its ends are outputs.
fn network(rng: &mut fastrand::Rng) -> Graph {
    let mut net = Net::new("random");
    let side = |rng: &mut fastrand::Rng| Dim::from(rng.i64(4..40) * 16);
    let (h, w) = (side(rng), side(rng));
    let image = net.input("image", Shape::new(1, rng.i64(1..9), h, w));
    let mut values = vec![image];
    for i in 0..rng.usize(3..8) {
        // Mostly the last value, so that chains grow; sometimes an earlier one, so that they branch.
        let x = if rng.u8(0..3) > 0 { values[values.len() - 1] } else { values[rng.usize(0..values.len())] };
        let shape = net.graph.values[x].ty.shape.clone();
        let other = |v: &ValueId, ok: &dyn Fn(&Shape) -> bool| *v != x && ok(&net.graph.values[*v].ty.shape);
        let pick = |rng: &mut fastrand::Rng, ok: &dyn Fn(&Shape) -> bool| {
            let fitting: Vec<ValueId> = values.iter().copied().filter(|v| other(v, ok)).collect();
            rng.choice(fitting)
        };
        let same = pick(rng, &|s| *s == shape);
        let beside = pick(rng, &|s| (&s.n, &s.h, &s.w) == (&shape.n, &shape.h, &shape.w));
        let large = shape.h.constant() > Some(16) && shape.w.constant() > Some(16);
        let channels = [4, 8, 16, 32, 64][rng.usize(0..5)];
        let path = format!("c{i}");
        let pool = json!({"kernel": [2, 2], "stride": [2, 2], "pad": [0, 0, 0, 0]});
        let y = match rng.u8(0..10) {
            0 if large => net.op("max_pool2d", pool, &[x], ""),
            1 if large => net.conv(x, channels, 3, 2, &path),
            2 => net.relu(x),
            3 | 4 if same.is_some() => net.op("add", json!({}), &[x, same.unwrap()], ""),
            5 if beside.is_some() => net.op("concat", json!({}), &[x, beside.unwrap()], ""),
            6 if large => net.op("global_avg_pool", json!({}), &[x], ""),
            7 => net.conv(x, channels, 1, 1, &path),
            8 => net.conv(x, channels, 5, 1, &path),
            _ => net.conv(x, channels, 3, 1, &path),
        };
        values.push(y);
    }
    let readers = net.graph.consumers();
    let ends = values[1..].iter().filter(|v| !readers.contains_key(v)).copied().collect::<Vec<_>>();
    ends.into_iter().enumerate().fold(net, |net, (i, v)| net.output(&format!("y{i}"), v)).graph
}

#[test]
fn no_other_partition_is_much_faster() {
    let machine = Machine::builtin("tiny").unwrap();
    let (mut planned, mut slow) = (0, Vec::new());
    for seed in 0.. {
        if planned == 50 {
            break;
        }
        let rng = &mut fastrand::Rng::with_seed(seed);
        let graph = network(rng);
        let sram = [32, 64, 128, 512, 4096][rng.usize(0..5)] << 10;
        let target = Target { machine: machine.clone(), sram, memory: 1 << 40, threads: rng.u32(1..4) };
        let wishes = Wishes::default();
        let Ok(choices) = plan(&graph, &target, &wishes, Objective::Time, &mut Known::default()) else {
            continue;
        };
        planned += 1;
        let seconds: f64 = choices.iter().map(|c| c.cost.seconds).sum();
        let planner = Planner::of_ops(&graph, &target, &wishes, &[]);
        let ops = graph.ops.ids().collect();
        let least = Search { planner: &planner, ops, weighed: HashMap::new() }.least();
        eprintln!("{seed}: {} ops, {} sections, {}", graph.ops.len(), choices.len(), seconds / least);
        if seconds > least * SLACK {
            slow.push((seed, seconds / least));
        }
    }
    assert!(slow.is_empty(), "seeds, and times the least modelled time: {slow:?}");
}
