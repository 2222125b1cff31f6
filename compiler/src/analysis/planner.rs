//! Where to cut and how to tile: dynamic programming over the groups in topological order, by modelled time.

mod alternatives;
mod orders;
mod segment;
mod tiles;
mod trail;

use std::collections::HashMap;
use std::ops::Range;

use super::buffers::Fixed;
use super::cost::Cost;
use super::fusion::{self, Group};
use crate::base::{Dim, OpId, ValueId};
use crate::ir::{Gradient, Graph, Overlap, Padding, Target};
use segment::Segment;
use trail::Trail;

pub use alternatives::{Alternatives, Cut, Having, Other, alternatives};

/// Most groups in a section.
const LONGEST_SECTION: usize = 48;
/// Most ops of a graph in which cuts inside of what could be one instruction are looked at.
const SMALL_GRAPH: usize = 16;

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
    /// How the overlap of gradients is had.
    pub gradient: Gradient,
}

impl Wishes {
    /// Whether an op is to be the sum of tiles, in a section of its own.
    fn adds_up(&self, graph: &Graph, op: OpId) -> bool {
        self.gradient == Gradient::Rmw && !self.untiled && graph.added_up(op).is_some()
    }
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
    /// How the overlap of gradients is had.
    pub gradient: Gradient,
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

/// The groups of some ops; what is the sum of its tiles is one by itself.
fn groups(graph: &Graph, wishes: &Wishes, ops: &[OpId]) -> Vec<Group> {
    let adds_up = |op: &OpId| wishes.adds_up(graph, *op);
    let runs = ops.chunk_by(|a, b| !adds_up(a) && !adds_up(b));
    runs.flat_map(|run| fusion::groups(graph, run)).collect()
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
    /// What is known of each group by itself.
    traits: Vec<Traits>,
    /// Whether reductions stay in the section that makes their input. That spares reading it again, but tiles are whole grains
    /// then, which may be too large for SRAM.
    reductions_inside: bool,
    /// Whether groups are single ops, which become one instruction only where they come to be in one section: a fused operand takes
    /// SRAM that larger tiles may need more.
    by_op: bool,
}

/// What decides which groups a group can be in one section with.
struct Traits {
    /// Images that it goes over.
    images: Dim,
    /// The ops whose results must be complete before it runs.
    after: Vec<OpId>,
    /// Whether a cut behind it was asked for.
    cut: bool,
    /// Whether it is the sum of its tiles: what reads it reads all of it.
    adds_up: bool,
    fixed: Fixed,
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

impl<'a> Planner<'a> {
    fn new(
        graph: &'a Graph,
        target: &'a Target,
        wishes: &'a Wishes,
        objective: Objective,
        groups: Vec<Group>,
    ) -> Self {
        let traits = groups.iter().map(|group| Traits::of(graph, wishes, group)).collect();
        let consumers = graph.consumers();
        let (reductions_inside, by_op) = (false, false);
        Self { graph, target, wishes, objective, consumers, groups, traits, reductions_inside, by_op }
    }

    /// For each order, with reductions where their inputs are made, if they can stay there, and anywhere. The latter come last: they can
    /// do with the least SRAM. In small graphs also op by op.
    fn all(graph: &'a Graph, target: &'a Target, wishes: &'a Wishes, objective: Objective) -> Vec<Self> {
        let of = |groups| Self::new(graph, target, wishes, objective, groups);
        let orders = orders::orders(graph);
        let anywhere: Vec<Self> = orders.iter().map(|order| of(groups(graph, wishes, order))).collect();
        let single = |order: &Vec<OpId>| Self {
            by_op: true,
            ..of(order.iter().flat_map(|op| fusion::groups(graph, &[*op])).collect())
        };
        let by_op: Vec<Self> = orders.iter().filter(|o| o.len() <= SMALL_GRAPH).map(single).collect();
        let reduces = graph.ops.ids().any(|op| fusion::is_reduction(graph, op));
        let inside = anywhere.iter().filter(|_| reduces).map(|planner| Self {
            reductions_inside: true,
            ..of(with_reductions_beside_their_inputs(graph, planner.groups.clone()))
        });
        let inside: Vec<Self> = inside.filter(Self::is_feasible).collect();
        inside.into_iter().chain(anywhere).chain(by_op).collect()
    }

    /// A tile that fits in the steps looked at may not fit in all of them: a section for which no other tile does is not
    /// considered again.
    fn search(&self, weights: &mut Weights) -> Result<Plan, PlanError> {
        loop {
            let (weight, spans) = self.cheapest(weights)?;
            let settle = |span: Span| {
                let choice = self.segment(&self.groups[span.0..span.1]).and_then(|s| self.choose(&s));
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
        // The least cost of the groups before `end`, and where the last section begins.
        let mut best: Vec<Option<(f64, usize)>> = vec![None; n + 1];
        best[0] = Some((0.0, 0));
        for end in (1..=n).filter(|&end| self.may_cut_before(end)) {
            let ending = self.best_ending_before(end, &best, weights);
            best[end] = Some(ending.ok_or_else(|| self.too_small())?);
        }
        let mut spans = Vec::new();
        let mut at = n;
        while let Some((_, start)) = best[at].filter(|_| at > 0) {
            spans.push((start, at));
            at = start;
        }
        spans.reverse();
        Ok((best[n].map_or(0.0, |(weight, _)| weight), spans))
    }

    /// The least cost of the groups before `end`, and where the last of the sections that have it begins; given the same for fewer
    /// groups.
    fn best_ending_before(
        &self,
        end: usize,
        best: &[Option<(f64, usize)>],
        weights: &mut Weights,
    ) -> Option<(f64, usize)> {
        let mut found: Option<(f64, usize)> = None;
        let mut trail = Trail::new(self);
        for start in (end.saturating_sub(LONGEST_SECTION)..end).rev() {
            let joins = (start + 1..end).all(|later| self.may_join(start, later));
            if !joins || trail.grow(start).is_none() {
                break;
            }
            let Some((before, _)) = best[start].filter(|_| self.may_cut_before(start)) else { continue };
            let ops = ops_of(&self.groups[start..end]);
            let Some(weight) = *weights.entry(ops).or_insert_with(|| trail.weight(start..end)) else { break };
            let total = before + weight;
            match found {
                // With more groups in front it would cost still more.
                Some((least, _)) if weight > least => break,
                Some((least, _)) if total >= least => {}
                _ => found = Some((total, start)),
            }
        }
        found
    }

    /// Whether a section may begin with group `i`.
    fn may_cut_before(&self, i: usize) -> bool {
        if !self.reductions_inside {
            return true;
        }
        let input = self.groups.get(i).and_then(|g| reduced_input(self.graph, g));
        let complete = |op| self.wishes.adds_up(self.graph, op);
        input.is_none_or(|v| self.graph.producer(v).is_none_or(complete))
    }

    /// Whether two groups may be in one section, the first of them before the other: what is read in device memory is made before,
    /// one number of images, no cut wished, no sum of tiles.
    fn may_join(&self, first: usize, later: usize) -> bool {
        let [a, b] = [first, later].map(|i| &self.traits[i]);
        !a.cut
            && !a.adds_up
            && !b.adds_up
            && a.images == b.images
            && !self.groups[first].ops.iter().any(|op| b.after.contains(op))
    }

    /// Whether a section of these groups adds up its tiles.
    fn adds_up(&self, groups: &[Group]) -> bool {
        groups.iter().any(|g| self.wishes.adds_up(self.graph, g.ops[0]))
    }

    /// Whether sections can be made of the groups at all: where reductions stay with their inputs, a cut that is asked for or another
    /// reduction may stand between.
    fn is_feasible(&self) -> bool {
        self.runs().all(|run| self.may_be_one(run.clone()) && self.segment(&self.groups[run]).is_some())
    }

    /// Whether all groups may be in one section.
    fn is_legal(&self) -> bool {
        self.may_be_one(0..self.groups.len())
    }

    /// Whether some groups may be in one section.
    fn may_be_one(&self, run: Range<usize>) -> bool {
        run.clone().all(|first| (first + 1..run.end).all(|later| self.may_join(first, later)))
    }

    /// The shortest runs of groups that sections may be made of.
    fn runs(&self) -> impl Iterator<Item = Range<usize>> {
        let n = self.groups.len();
        let starts = (0..n).filter(|&i| i == 0 || self.may_cut_before(i));
        starts.map(move |start| start..(start + 1..n).find(|&i| self.may_cut_before(i)).unwrap_or(n))
    }

    /// The error that names the SRAM which would do: the largest of what each group needs by itself with its smallest tile.
    fn too_small(&self) -> PlanError {
        let mut worst = (self.groups[0].ops[0], 0);
        for run in self.runs() {
            let first = self.groups[run.start].ops[0];
            let Some(segment) = self.segment(&self.groups[run]) else { continue };
            let sram = self.smallest(&segment);
            if sram > worst.1 {
                worst = (first, sram);
            }
        }
        PlanError::Sram { op: worst.0, needed: worst.1 }
    }
}

impl Traits {
    fn of(graph: &Graph, wishes: &Wishes, group: &Group) -> Self {
        let boundary = group.loads(graph).is_some();
        let is_complete = |op: &OpId| boundary || fusion::is_reduction(graph, *op);
        let read = group.ops.iter().flat_map(|&op| &graph.ops[op].inputs);
        Self {
            images: graph.images(group.ops[0]).clone(),
            after: read.filter_map(|&v| graph.producer(v)).filter(is_complete).collect(),
            cut: group.ops.iter().any(|op| wishes.cut_after.contains(op)),
            adds_up: wishes.adds_up(graph, group.ops[0]),
            fixed: Fixed::of(graph, group),
        }
    }
}

#[cfg(test)]
mod tests;
