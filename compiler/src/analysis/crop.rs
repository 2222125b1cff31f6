//! The part of a network that a window of an output depends on, as a network of its own.
//!
//! Every value that the output depends on is cut to a range along each axis. Ranges begin at a multiple of the value's share of
//! a period, and end a multiple of it before the value's end, so that strides and resampling keep their phase, and every size
//! is what its op makes of the sizes of its inputs. They hold all that the window needs; where that reaches the border of a
//! value, so does the range. So each pixel that is needed is computed from the same pixels in the same order as in the whole
//! network. The others, near those ends of ranges that are no borders, are not: nothing that the window needs reads them.

use std::collections::HashMap;

use zellige_runtime::program::instr::AxisId;
use zellige_runtime::program::{Interval, Region};

use super::footprint::need;
use super::fusion::is_reduction;
use crate::base::{AxisMap, OpId, ValueId};
use crate::ir::{Def, Graph};

/// What is cut out of each value.
pub type Ranges = HashMap<ValueId, Region>;

/// The ops that a value depends on other than by reductions over space, in their order. The results of those are constants to
/// what reads them.
pub fn cone(graph: &Graph, output: ValueId) -> Vec<OpId> {
    let mut needed = vec![output];
    let mut ops = Vec::new();
    for (id, node) in graph.ops.iter().rev() {
        if needed.contains(&node.output) && !is_reduction(graph, id) {
            ops.push(id);
            needed.extend(&node.inputs);
        }
    }
    ops.reverse();
    ops
}

/// What to cut out of each value that `output` depends on, so that its pixels `window` can be computed; of a graph whose sizes
/// are known. Along an axis where an op reads all of its input, or no period is common to all, it is everything.
pub fn ranges(graph: &Graph, output: ValueId, window: Region) -> Option<Ranges> {
    let ops = cone(graph, output);
    let along = |axis, window| match (Axis { graph, ops: &ops, axis }).ranges(output, window) {
        Some(ranges) => Some(ranges),
        None => whole(graph, &ops, output, axis),
    };
    let (y, x) = (along(AxisId::Y, window.y)?, along(AxisId::X, window.x)?);
    y.into_iter().map(|(value, y)| Some((value, Region { y, x: *x.get(&value)? }))).collect()
}

/// As [`ranges`], where nothing is cut off.
pub fn everything(graph: &Graph, output: ValueId) -> Option<Ranges> {
    let ops = cone(graph, output);
    let [y, x] = AxisId::BOTH.map(|axis| whole(graph, &ops, output, axis));
    let x = x?;
    y?.into_iter().map(|(value, y)| Some((value, Region { y, x: *x.get(&value)? }))).collect()
}

fn whole(graph: &Graph, ops: &[OpId], output: ValueId, axis: AxisId) -> Option<HashMap<ValueId, Interval>> {
    let read = ops.iter().flat_map(|&op| graph.ops[op].inputs.iter().copied());
    let range = |value| Some((value, Interval::new(0, extent(graph, value, axis)?)));
    read.chain([output]).map(range).collect()
}

fn extent(graph: &Graph, value: ValueId, axis: AxisId) -> Option<i64> {
    i64::try_from(graph.sizes(value)?[2 + axis.index()]).ok()
}

/// One axis of what an output depends on.
struct Axis<'g> {
    graph: &'g Graph,
    ops: &'g [OpId],
    axis: AxisId,
}

/// A value along an axis.
struct Part {
    /// Its pixels for one of the output.
    ratio: Ratio,
    /// Those that are needed; inside its extent.
    need: Interval,
    extent: i64,
}

impl Axis<'_> {
    fn ranges(&self, output: ValueId, window: Interval) -> Option<HashMap<ValueId, Interval>> {
        let parts = self.parts(output, window)?;
        let period = parts.values().try_fold(1, |period, part| lcm(period, part.ratio.den))?;
        let share = |part: &Part| {
            let share = i128::from(period / part.ratio.den) * i128::from(part.ratio.num);
            i64::try_from(share).ok()
        };
        // Periods that are cut off at the start and at the end.
        let (mut before, mut after) = (i64::MAX, i64::MAX);
        for part in parts.values() {
            let share = share(part)?;
            if share > 0 {
                before = before.min(part.need.start / share);
                after = after.min((part.extent - part.need.end) / share);
            }
        }
        let range = |(value, part): (ValueId, Part)| {
            let share = share(&part)?;
            let cut = if share == 0 { [0; 2] } else { [before * share, after * share] };
            Some((value, Interval::new(cut[0], part.extent - cut[1])))
        };
        parts.into_iter().map(range).collect()
    }

    /// By reverse traversal. `None` if the axis cannot be cut.
    fn parts(&self, output: ValueId, window: Interval) -> Option<HashMap<ValueId, Part>> {
        let extent_of = |value| extent(self.graph, value, self.axis);
        let whole = extent_of(output)?;
        let first = Part { ratio: Ratio::ONE, need: inside(window, whole), extent: whole };
        let mut parts = HashMap::from([(output, first)]);
        for &op in self.ops.iter().rev() {
            let node = &self.graph.ops[op];
            let sizes = node.inputs.iter().map(|&v| self.graph.sizes(v)).collect::<Option<Vec<_>>>()?;
            let (out_ratio, out) = parts.get(&node.output).map(|part| (part.ratio, part.need))?;
            for (i, &input) in node.inputs.iter().enumerate() {
                let map = node.op.access(i, self.axis, &sizes);
                let (ratio, extent) = (out_ratio.times(scaling(map)?)?, extent_of(input)?);
                let need = inside(need(map, out, extent), extent);
                let part = parts.entry(input).or_insert(Part { ratio, need, extent });
                let is_constant = matches!(self.graph.values[input].def, Def::Constant(_));
                if part.ratio != ratio || (is_constant && ratio != Ratio::ZERO) {
                    return None;
                }
                part.need = part.need.hull(need);
            }
        }
        Some(parts)
    }
}

/// The part inside an extent; of what lies outside, the pixel at the border: ranges that have it have the border.
fn inside(need: Interval, extent: i64) -> Interval {
    let start = need.start.clamp(0, extent - 1);
    Interval::new(start, need.end.clamp(start + 1, extent))
}

/// Inputs for one output, where outputs a period apart read what lies a period apart.
fn scaling(map: AxisMap) -> Option<Ratio> {
    match map {
        // Where one folds it reads at a border, which ranges have that hold the output's border.
        AxisMap::Identity | AxisMap::Shift { .. } | AxisMap::Mirrored { .. } | AxisMap::Clamped { .. } => {
            Some(Ratio::ONE)
        }
        AxisMap::Broadcast => Some(Ratio::ZERO),
        AxisMap::Window { stride, .. } => Ratio::new(stride, 1),
        AxisMap::Transposed { stride, .. } => Ratio::new(1, stride),
        AxisMap::Scaled { num, den } | AxisMap::Resampled { num, den, .. } => Ratio::new(num, den),
        // Their ops have the size of what they give.
        AxisMap::ResampledTransposed { .. }
        | AxisMap::MirroredTransposed { .. }
        | AxisMap::ClampedTransposed { .. }
        | AxisMap::WrappedTransposed { .. } => None,
        AxisMap::Wrapped { .. } | AxisMap::All => None,
    }
}

/// A fraction in lowest terms, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ratio {
    num: i64,
    den: i64,
}

impl Ratio {
    const ZERO: Self = Self { num: 0, den: 1 };
    const ONE: Self = Self { num: 1, den: 1 };

    fn new(num: i64, den: i64) -> Option<Self> {
        let divisor = gcd(num, den);
        (num >= 0 && den > 0).then(|| Self { num: num / divisor, den: den / divisor })
    }

    fn times(self, other: Self) -> Option<Self> {
        Self::new(self.num.checked_mul(other.num)?, self.den.checked_mul(other.den)?)
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: i64, b: i64) -> Option<i64> {
    (a / gcd(a, b)).checked_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Bindings;
    use crate::front;

    fn bound(text: &str) -> Graph {
        let (file, problems) = zellige_grammar::parse_model(text);
        assert!(problems.is_empty(), "{problems:?}");
        let (graph, problems) = front::lower_model(&file.unwrap());
        assert!(problems.is_empty(), "{problems:?}");
        let sizes = [("H", 101), ("W", 64)].map(|(name, size)| (name.to_owned(), size));
        front::bind(&graph.unwrap(), &[], &Bindings::from_iter(sizes)).unwrap().0
    }

    fn input_of(text: &str, window: [i64; 2]) -> Interval {
        let graph = bound(text);
        let x = Interval::new(window[0], window[1]);
        let found = ranges(&graph, graph.outputs[0].value, Region { y: Interval::new(0, 1), x }).unwrap();
        found[&graph.inputs[0]].x
    }

    #[test]
    fn ranges_keep_the_phase_of_strides() {
        let text = "model m(x: f32[1, 1, H, W]) -> (y: f32[1, 1, H, W/4]) {
            return x |> avg_pool2d(kernel: 3, stride: 1, pad: 1)
                |> max_pool2d(kernel: [1, 2]) |> max_pool2d(kernel: [1, 2]);
        }";
        // Output 5 reads 19..25; the borders of pools are at multiples of 4.
        assert_eq!(input_of(text, [5, 6]), Interval::new(16, 28));
        assert_eq!(input_of(text, [0, 16]), Interval::new(0, 64));
    }

    #[test]
    fn an_axis_without_a_period_is_whole() {
        let text = "model m(x: f32[1, 1, H, W]) -> (y: f32[1, 1, H, W]) {
            let a = upsample(x, size: [height(x), 37], mode: \"nearest\");
            return upsample(a, size: [height(x), width(x)], mode: \"bilinear\", align_corners: true);
        }";
        assert_eq!(input_of(text, [5, 6]), Interval::new(0, 64));
    }

    #[test]
    fn what_is_needed_of_padding_reaches_the_border() {
        let text = "model m(x: f32[1, 1, H, W]) -> (y: f32[1, 1, H, W + 9]) { return pad(x, left: 9); }";
        assert_eq!(input_of(text, [3, 4]).start, 0);
        assert_eq!(input_of(text, [30, 40]), Interval::new(21, 31));
    }
}
