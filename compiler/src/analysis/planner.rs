//! Where to cut and how to tile: dynamic programming over the groups in topological order, by modelled time.

mod alternatives;
mod orders;

use std::collections::HashMap;

use zellige_runtime::program::instr::AxisId;

use super::buffers::{self, Buffer};
use super::cost::{Cost, section_cost};
use super::flow::Flow;
use super::fusion::{self, Group};
use super::geometry::{AxisGeometry, MAX_STEPS, axis_geometry};
use crate::base::{OpId, ValueId};
use crate::ir::{Graph, Overlap, Padding, Scheme, Target};

pub use alternatives::{Alternatives, Cut, Other, alternatives};

/// Steps of an axis that are looked at while choosing: more than a period of any usual stride.
const LOOK: u64 = 12;
/// Rows that a strip advances at a time.
const BANDS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];
/// Most groups in a section.
const LONGEST_SECTION: usize = 48;
/// Most ops of a graph in which cuts inside of what could be one instruction are looked at.
const SMALL_GRAPH: usize = 16;
/// A section that makes the way to its end so many times as long as another way is not made longer still.
const HOPELESS: f64 = 1.5;

/// What the caller fixes.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Target tile of every section.
    pub tile: Option<[u64; 2]>,
    /// One tile a section, cuts only where they must be.
    pub untiled: bool,
    /// Ops after which to cut.
    pub cut_after: Vec<OpId>,
    /// How overlaps are had, in every section.
    pub overlap: Option<Overlap>,
    /// Where padding goes.
    pub padding: Padding,
}

/// A chosen section.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Its ops in order.
    pub ops: Vec<OpId>,
    /// Target tile.
    pub tile: [u64; 2],
    /// How overlaps are had.
    pub overlap: Overlap,
    /// Modelled cost.
    pub cost: Cost,
    /// Bytes of SRAM.
    pub sram: u64,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// An op's smallest tile does not fit SRAM, or a prescribed tile does not; with the bytes that would do.
    Sram {
        /// The op.
        op: OpId,
        /// Bytes that suffice for all sections.
        needed: u64,
    },
}

impl PlanError {
    fn needed(&self) -> u64 {
        let Self::Sram { needed, .. } = *self;
        needed
    }
}

/// What to make small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Modelled time.
    Time,
    /// Bytes of the tensors at section boundaries; time decides ties.
    Memory,
}

/// Chooses sections and their target tiles.
pub fn plan(
    graph: &Graph,
    target: &Target,
    wishes: &Wishes,
    objective: Objective,
) -> Result<Vec<Choice>, PlanError> {
    let mut weights = HashMap::new();
    let mut best: Option<Plan> = None;
    let mut refused: Option<PlanError> = None;
    for planner in Planner::all(graph, target, wishes, objective) {
        match planner.search(&mut weights) {
            Ok(plan) if best.as_ref().is_none_or(|b| plan.weight < b.weight) => best = Some(plan),
            Ok(_) => {}
            Err(error) if refused.as_ref().is_none_or(|r| error.needed() < r.needed()) => {
                refused = Some(error)
            }
            Err(_) => {}
        }
    }
    match (best, refused) {
        (Some(plan), _) => Ok(plan.choices),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(Vec::new()),
    }
}

/// The SRAM that suffices for some plan: the most that any op takes by itself with its smallest tile.
pub fn smallest_sram(graph: &Graph, target: &Target, wishes: &Wishes) -> u64 {
    let planners = Planner::all(graph, target, wishes, Objective::Time);
    planners.iter().map(|planner| planner.too_small().needed()).min().unwrap_or(0)
}

/// The groups with every reduction right after the group that makes its input; reductions of what the network is given come first.
/// So statistics of one tensor stand together, and follow from one pass over it.
fn with_reductions_beside_their_inputs(graph: &Graph, groups: Vec<Group>) -> Vec<Group> {
    let mut ordered: Vec<Group> = Vec::with_capacity(groups.len());
    for group in groups {
        let Some(input) = reduced_input(graph, &group) else {
            ordered.push(group);
            continue;
        };
        let inputs = &graph.ops[group.ops[0]].inputs;
        let maker = ordered.iter().rposition(|g| inputs.contains(&g.output));
        let first = maker.map_or(0, |at| at + 1);
        let before = ordered[first..].iter().take_while(|g| reduced_input(graph, g) == Some(input)).count();
        ordered.insert(first + before, group);
    }
    ordered
}

/// What a group sums over space, if that is what it does.
fn reduced_input(graph: &Graph, group: &Group) -> Option<ValueId> {
    let first = group.ops[0];
    if fusion::is_reduction(graph, first) { graph.ops[first].inputs.last().copied() } else { None }
}

/// The ops of some groups, sorted.
fn ops_of(groups: &[Group]) -> Vec<OpId> {
    let mut ops: Vec<OpId> = groups.iter().flat_map(|g| g.ops.iter().copied()).collect();
    ops.sort_unstable();
    ops
}

struct Planner<'a> {
    graph: &'a Graph,
    target: &'a Target,
    wishes: &'a Wishes,
    objective: Objective,
    consumers: HashMap<ValueId, Vec<OpId>>,
    groups: Vec<Group>,
    /// Whether reductions stay in the section that makes their input. That spares reading it again, but tiles are whole grains
    /// then, which may be too large for SRAM.
    reductions_inside: bool,
    /// Whether groups are single ops, which become one instruction only where they come to be in one section: a fused operand takes
    /// SRAM that larger tiles may need more.
    by_op: bool,
}

/// A size of tiles along one axis.
struct Candidate {
    tile: u64,
    overlap: Overlap,
    geometry: AxisGeometry,
}

/// Sections with what they cost together: seconds or bytes, as the objective has it.
struct Plan {
    weight: f64,
    choices: Vec<Choice>,
}

/// What sections of the given ops, sorted, have been found to cost; `None` where no tile fits.
type Weights = HashMap<Vec<OpId>, Option<f64>>;

/// First group of a section, and the group that it ends before.
type Span = (usize, usize);

/// A section that is weighed: its flow and buffers, whatever the tile.
struct Segment {
    ops: Vec<OpId>,
    flow: Flow,
    buffers: Vec<Buffer>,
    fixed: u64,
}

impl<'a> Planner<'a> {
    /// For ops in the order in which they are written, each by itself if need be.
    fn new(graph: &'a Graph, target: &'a Target, wishes: &'a Wishes, objective: Objective) -> Self {
        let order: Vec<OpId> = graph.ops.ids().collect();
        let groups = fusion::groups(graph, &order);
        let consumers = graph.consumers();
        Self { graph, target, wishes, objective, consumers, groups, reductions_inside: false, by_op: false }
    }

    /// For each order, with reductions where their inputs are made, and anywhere. The latter come last: they can do with the least
    /// SRAM. In small graphs also op by op.
    fn all(graph: &'a Graph, target: &'a Target, wishes: &'a Wishes, objective: Objective) -> Vec<Self> {
        let orders = orders::orders(graph);
        let groups = orders.iter().map(|order| fusion::groups(graph, order));
        let anywhere = groups.map(|groups| Self { groups, ..Self::new(graph, target, wishes, objective) });
        let anywhere: Vec<Self> = anywhere.collect();
        let single = |order: &Vec<OpId>| Self {
            groups: order.iter().flat_map(|op| fusion::groups(graph, &[*op])).collect(),
            by_op: true,
            ..Self::new(graph, target, wishes, objective)
        };
        let by_op: Vec<Self> = orders.iter().filter(|o| o.len() <= SMALL_GRAPH).map(single).collect();
        let reduces = graph.ops.ids().any(|op| fusion::is_reduction(graph, op));
        let inside = anywhere.iter().filter(|_| reduces).map(|planner| Self {
            groups: with_reductions_beside_their_inputs(graph, planner.groups.clone()),
            reductions_inside: true,
            ..Self::new(graph, target, wishes, objective)
        });
        inside.collect::<Vec<_>>().into_iter().chain(anywhere).chain(by_op).collect()
    }

    /// A tile that fits in the steps looked at may not fit in all of them: a section for which no other tile does is not
    /// considered again.
    fn search(&self, weights: &mut Weights) -> Result<Plan, PlanError> {
        loop {
            let (weight, spans) = self.cheapest(weights)?;
            let settle = |span: Span| {
                let choice = self.segment(&self.groups[span.0..span.1]).and_then(|s| self.choose(&s, true));
                choice.ok_or(span)
            };
            match spans.into_iter().map(settle).collect() {
                Ok(choices) => return Ok(Plan { weight, choices }),
                Err(span) => weights.insert(ops_of(&self.groups[span.0..span.1]), None),
            };
        }
    }

    /// The least weight, and the sections that have it together.
    fn cheapest(&self, weights: &mut Weights) -> Result<(f64, Vec<Span>), PlanError> {
        let n = self.groups.len();
        // The least cost of the groups before `j`, and where the last section begins.
        let mut best: Vec<Option<(f64, usize)>> = vec![None; n + 1];
        best[0] = Some((0.0, 0));
        for i in (0..n).filter(|&i| self.may_cut_before(i)) {
            let (before, _) = best[i].ok_or_else(|| self.too_small())?;
            for (j, slot) in best.iter_mut().enumerate().take(i + LONGEST_SECTION + 1).skip(i + 1) {
                let groups = &self.groups[i..j];
                if !self.is_legal(groups) {
                    break;
                }
                if !self.may_cut_before(j) {
                    continue;
                }
                let weigh = || {
                    let segment = self.segment(groups)?;
                    self.choose(&segment, false).map(|choice| self.weight(&segment, &choice))
                };
                let Some(weight) = *weights.entry(ops_of(groups)).or_insert_with(weigh) else { break };
                let total = before + weight;
                match *slot {
                    Some((least, _)) if total > least * HOPELESS => break,
                    Some((least, _)) if total >= least => {}
                    _ => *slot = Some((total, i)),
                }
            }
        }
        let mut spans = Vec::new();
        let mut at = n;
        while at > 0 {
            let (_, start) = best[at].ok_or_else(|| self.too_small())?;
            spans.push((start, at));
            at = start;
        }
        spans.reverse();
        Ok((best[n].map_or(0.0, |(weight, _)| weight), spans))
    }

    /// Whether a section may begin with group `i`.
    fn may_cut_before(&self, i: usize) -> bool {
        if !self.reductions_inside {
            return true;
        }
        let input = self.groups.get(i).and_then(|g| reduced_input(self.graph, g));
        input.is_none_or(|v| self.graph.producer(v).is_none())
    }

    fn weight(&self, segment: &Segment, choice: &Choice) -> f64 {
        let exported = segment.flow.tensors.iter().filter(|t| t.exported && !self.graph.is_output(t.value));
        match self.objective {
            Objective::Time => choice.cost.seconds,
            Objective::Memory => {
                exported.map(|t| t.sizes.iter().product::<u64>() as f64).sum::<f64>()
                    + choice.cost.seconds * 1e-9
            }
        }
    }

    /// Whether the last of some groups may be in a section with the others, if those may: what is read in device memory is made
    /// before, one number of images, no cut wished.
    fn is_legal(&self, groups: &[Group]) -> bool {
        let [before @ .., last] = groups else { return true };
        let counted = |g: &Group| reduced_input(self.graph, g).unwrap_or(g.output);
        let images = |g: &Group| self.graph.values[counted(g)].ty.shape.n.clone();
        let boundary = last.loads(self.graph).is_some();
        let too_early = |v: &ValueId| {
            self.graph.producer(*v).is_some_and(|op| {
                (boundary || fusion::is_reduction(self.graph, op))
                    && groups.iter().any(|g| g.ops.contains(&op))
            })
        };
        let reads_too_early = last.ops.iter().flat_map(|&op| &self.graph.ops[op].inputs).any(too_early);
        let cut = before.last().is_some_and(|g| g.ops.iter().any(|op| self.wishes.cut_after.contains(op)));
        !reads_too_early && !cut && before.first().is_none_or(|first| images(first) == images(last))
    }

    fn segment(&self, groups: &[Group]) -> Option<Segment> {
        let ops: Vec<OpId> = groups.iter().flat_map(|g| g.ops.iter().copied()).collect();
        let flow = Flow::of(self.graph, &ops, &self.consumers)?;
        let fused = self.by_op.then(|| fusion::groups(self.graph, &ops));
        let groups = fused.as_deref().unwrap_or(groups);
        let buffers = buffers::buffers(self.graph, &flow, groups);
        Some(Segment { ops, flow, buffers, fixed: buffers::fixed_bytes(self.graph, groups) })
    }

    /// The cheapest tile that fits; `exact` looks at all steps instead of a few.
    fn choose(&self, segment: &Segment, exact: bool) -> Option<Choice> {
        self.ranked(segment, exact).next()
    }

    /// The tiles that fit, the cheapest first.
    fn ranked(&self, segment: &Segment, exact: bool) -> impl Iterator<Item = Choice> {
        let limit = if exact { u64::MAX } else { LOOK };
        let budget = if self.wishes.untiled { u64::MAX } else { self.target.sram };
        let mut choices = self.weigh(segment, budget);
        choices.sort_by(|a, b| a.cost.seconds.total_cmp(&b.cost.seconds));
        choices.into_iter().filter_map(move |choice| {
            let sram = segment.sram(choice.tile, self.scheme(choice.overlap), limit);
            (sram <= budget).then_some(Choice { sram, ..choice })
        })
    }

    /// All candidate tiles whose buffers could fit, each with its cost.
    fn weigh(&self, segment: &Segment, budget: u64) -> Vec<Choice> {
        let axes = [self.rows(segment), self.geometries(segment, AxisId::X, Overlap::Recompute)];
        let mut choices = Vec::new();
        for Candidate { tile: rows, overlap, geometry: y } in &axes[0] {
            for Candidate { tile: cols, geometry: x, .. } in &axes[1] {
                if segment.fixed.saturating_add(segment.peak(y, x)) > budget {
                    break;
                }
                let cost = section_cost(&self.target.machine, self.target.threads, &segment.flow, [y, x]);
                let (tile, overlap) = ([*rows, *cols], *overlap);
                choices.push(Choice { ops: segment.ops.clone(), tile, overlap, cost, sram: 0 });
            }
        }
        choices
    }

    /// Tiles and bands, each with its geometry along y.
    fn rows(&self, segment: &Segment) -> Vec<Candidate> {
        let mut rows = Vec::new();
        if self.may_be(Overlap::Recompute) {
            rows.extend(self.geometries(segment, AxisId::Y, Overlap::Recompute));
        }
        if self.may_be(Overlap::Reuse) {
            let bands = self.geometries(segment, AxisId::Y, Overlap::Reuse);
            // Without a ring a strip is tiles that happen to lie below each other.
            let forced = self.wishes.overlap.is_some();
            rows.extend(bands.into_iter().filter(|c| forced || c.geometry.tensors.iter().any(|t| t.ring)));
        }
        rows
    }

    fn may_be(&self, overlap: Overlap) -> bool {
        if self.wishes.untiled {
            return overlap == Overlap::Recompute;
        }
        self.wishes.overlap.is_none_or(|wish| wish == overlap)
    }

    fn geometries(&self, segment: &Segment, axis: AxisId, overlap: Overlap) -> Vec<Candidate> {
        let extent = segment.flow.tensors[segment.flow.anchor].extent(axis) as u64;
        let sizes = self.candidates(extent, axis, overlap);
        let geometry = |tile: u64| axis_geometry(&segment.flow, axis, tile, self.scheme(overlap), LOOK);
        sizes.into_iter().map(|tile| Candidate { tile, overlap, geometry: geometry(tile) }).collect()
    }

    fn scheme(&self, overlap: Overlap) -> Scheme {
        Scheme { overlap, padding: self.wishes.padding }
    }

    /// Tile sizes along an axis, ascending: the extent in up to six parts, and round numbers; for rows that are reused, heights of
    /// bands.
    fn candidates(&self, extent: u64, axis: AxisId, overlap: Overlap) -> Vec<u64> {
        if self.wishes.untiled {
            return vec![extent];
        }
        if let Some(tile) = self.wishes.tile {
            return vec![tile[axis.index()].clamp(extent.div_ceil(MAX_STEPS), extent)];
        }
        if overlap == Overlap::Reuse && axis == AxisId::Y {
            let fits = |b: &u64| *b <= extent && extent.div_ceil(*b) <= MAX_STEPS;
            return BANDS.into_iter().filter(fits).collect();
        }
        let parts = (1..=6).map(|k| extent.div_ceil(k).next_multiple_of(8).min(extent));
        let round = [1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 512, 1024];
        let mut sizes: Vec<u64> =
            parts.chain(round).filter(|&s| s <= extent && extent.div_ceil(s) <= MAX_STEPS).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// The error that names the SRAM which would do: the largest of what each group needs by itself with its smallest tile.
    fn too_small(&self) -> PlanError {
        let mut worst = (self.groups[0].ops[0], 0);
        for i in (0..self.groups.len()).filter(|&i| self.may_cut_before(i)) {
            let next = (i + 1..).find(|&j| self.may_cut_before(j)).unwrap_or(i + 1);
            let Some(segment) = self.segment(&self.groups[i..next]) else { continue };
            let anchor = &segment.flow.tensors[segment.flow.anchor];
            let overlap = self.wishes.overlap.filter(|_| !self.wishes.untiled).unwrap_or_default();
            let smallest = AxisId::BOTH.map(|axis| {
                let extent = anchor.extent(axis) as u64;
                self.candidates(extent, axis, overlap).first().copied().unwrap_or(extent)
            });
            let sram = segment.sram(smallest, self.scheme(overlap), u64::MAX);
            if sram > worst.1 {
                worst = (self.groups[i].ops[0], sram);
            }
        }
        PlanError::Sram { op: worst.0, needed: worst.1 }
    }
}

impl Segment {
    fn bytes(&self, y: &AxisGeometry, x: &AxisGeometry) -> Vec<u64> {
        self.buffers.iter().map(|b| b.bytes(&self.flow, y, x)).collect()
    }

    fn lives(&self, y: &AxisGeometry) -> Vec<[usize; 2]> {
        self.buffers.iter().map(|b| b.life(y)).collect()
    }

    fn peak(&self, y: &AxisGeometry, x: &AxisGeometry) -> u64 {
        buffers::peak(&self.lives(y), &self.bytes(y, x))
    }

    fn axes(&self, tile: [u64; 2], scheme: Scheme, limit: u64) -> [AxisGeometry; 2] {
        AxisId::BOTH.map(|axis| axis_geometry(&self.flow, axis, tile[axis.index()], scheme, limit))
    }

    /// Bytes of SRAM with buffers placed.
    fn sram(&self, tile: [u64; 2], scheme: Scheme, limit: u64) -> u64 {
        let [y, x] = self.axes(tile, scheme, limit);
        let (_, end) = buffers::place(&self.lives(&y), &self.bytes(&y, &x));
        end.saturating_add(self.fixed)
    }
}

#[cfg(test)]
mod tests;
