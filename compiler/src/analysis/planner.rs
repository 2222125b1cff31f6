//! Where to cut and how to tile: dynamic programming over the groups in topological order, by modelled time.
//!
//! For each group the sections that end with it are weighed, each with a group more in front than the one before. Nearly all of the work
//! is to see what the tiles of a section would cost, and most of it is spared:
//! - A section goes on from the one before: only tensors that it did not have are looked at (`trail`, `tiles`).
//! - A tile costs more with more groups. It is dropped where even the cheapest plan for the groups in front, at any cut, could not make
//!   up for that, given that those groups take their arithmetic in any case (`Limits`).
//! - A tile that takes too much SRAM is dropped: with more groups it takes more.
//! - What a section costs is remembered for all that are made of the same (`known`).
//! - An order is given up where even the least that its other groups cost makes it dearer than one before (`floors`).
//! - Images of a batch are kept apart (`parts`).

mod alternatives;
mod floors;
mod known;
mod orders;
mod parts;
mod path;
mod price;
mod segment;
mod tiles;
mod trail;

use std::collections::HashMap;
use std::ops::{Add, Range};

use super::buffers::Fixed;
use super::cost::Cost;
use super::fusion::{self, Group};
use crate::base::{Dim, Id, OpId, ValueId};
use crate::ir::{Gradient, Graph, Overlap, Padding, Target};
use known::KnownOf;
use path::Path;
use price::Price;
use segment::Segment;
use trail::Trail;

pub use alternatives::{Alternatives, Cut, Having, Other, alternatives};
pub use known::Known;

/// Most groups in a section.
const LONGEST_SECTION: usize = 48;
/// Most ops of a graph in which cuts inside of what could be one instruction are looked at, and of a part of a graph that is looked at
/// together with others.
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
    /// Modelled time, if all of them lie in files.
    Files,
}

/// Chooses sections and their target tiles. What is `known` is for this target and these wishes, cuts apart.
pub fn plan(
    graph: &Graph,
    target: &Target,
    wishes: &Wishes,
    objective: Objective,
    known: &mut Known,
) -> Result<Vec<Choice>, PlanError> {
    let mut known = known.of(graph, wishes);
    let planners = Planner::all(graph, target, wishes, objective);
    while let Some((planner, cuts)) = cheapest(&planners, &mut known) {
        match planner.settle(&cuts) {
            Ok(choices) => return Ok(choices),
            // A tile that fits in the steps looked at may not fit in all of them: a section for which no other tile does is not
            // considered again.
            Err(span) => planner.refuse(span, &mut known),
        }
    }
    let refused = planners.iter().map(Planner::too_small);
    refused.min_by_key(PlanError::needed).map_or(Ok(Vec::new()), Err)
}

/// The cheapest cuts of any planner. `None` if no plan of any of them fits.
fn cheapest<'p, 'a>(planners: &'p [Planner<'a>], known: &mut KnownOf<'_>) -> Option<(&'p Planner<'a>, Cuts)> {
    let mut found: Option<(&Planner<'_>, Cuts)> = None;
    for planner in planners {
        let limit = found.as_ref().map_or(Price::INFINITE, |(_, cuts)| cuts.weight);
        found = planner.cheapest(limit, known).map(|cuts| (planner, cuts)).or(found);
    }
    found
}

/// Whether there is a plan for the SRAM of the target: as [`smallest_sram`] has it.
pub fn fits_sram(graph: &Graph, target: &Target, wishes: &Wishes) -> bool {
    let planners = Planner::all(graph, target, wishes, Objective::Time);
    planners.iter().any(|planner| planner.too_small().needed() <= target.sram)
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

/// What the groups before each one cost at least, and all of them, given what ops do.
fn summed(floors: &[Price], groups: &[Group]) -> Vec<Price> {
    let mut sums = vec![Price::ZERO];
    for group in groups {
        let ops = group.ops.iter().map(|op| floors[op.index()]);
        sums.push(ops.fold(sums[sums.len() - 1], Price::add));
    }
    sums
}

/// Of each value, the last group that reads it, by number; 0 where none does.
fn read_last(graph: &Graph, groups: &[Group]) -> Vec<usize> {
    let mut last = vec![0; graph.values.len()];
    for (i, group) in groups.iter().enumerate() {
        let read = group.ops.iter().flat_map(|&op| &graph.ops[op].inputs);
        read.for_each(|value| last[value.index()] = i);
    }
    last
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
    /// Of each value, the last group that reads it, by number; 0 where none does.
    read_last: Vec<usize>,
    /// What the groups before each one cost at least, and all of them.
    floors: Vec<Price>,
    /// Whether reductions stay in the section that makes their input. That spares reading it again, but tiles are whole grains
    /// then, which may be too large for SRAM.
    reductions_inside: bool,
    /// Whether groups are single ops, which become one instruction only where they come to be in one section: a fused operand takes
    /// SRAM that larger tiles may need more.
    by_op: bool,
}

/// What is known of each op, whatever the order.
struct OfOps {
    /// What each costs at least.
    floors: Vec<Price>,
    /// The part of the graph that each is in.
    parts: Vec<Option<usize>>,
}

impl OfOps {
    fn new(graph: &Graph, target: &Target, objective: Objective) -> Self {
        Self { floors: floors::floors(graph, target, objective), parts: parts::parts(graph) }
    }
}

/// What decides which groups a group can be in one section with.
struct Traits {
    /// The part of the graph that it is in, if it is in one.
    part: Option<usize>,
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

/// Where a planner cuts, with what the sections cost together.
struct Cuts {
    weight: Price,
    spans: Vec<Range<usize>>,
}

/// What is known of the cost of a section.
#[derive(Clone, Copy)]
struct Weight {
    /// What the cheapest of the tiles costs that were looked at; infinite where none of them fits.
    least: Price,
    /// The other tiles cost no less than this; infinite where there are none.
    others: Price,
}

/// What a tile of a section may cost if it is to be of use.
#[derive(Clone, Copy)]
struct Limits {
    /// If the section begins where it does.
    now: Price,
    /// If it begins there or with any of the groups in front.
    growing: Price,
}

impl Weight {
    /// Where no tile fits.
    const NONE: Self = Self { least: Price::INFINITE, others: Price::INFINITE };

    /// Whether it says all that there is to know of tiles that cost no more than `limit`.
    fn holds_within(self, limit: Price) -> bool {
        self.least.min(limit) <= self.others
    }

    /// Whether no tile that fits costs less than `limit`, and none was looked at.
    fn is_beyond(self, limit: Price) -> bool {
        self.least == Price::INFINITE && self.others >= limit
    }
}

impl<'a> Planner<'a> {
    fn new(
        graph: &'a Graph,
        target: &'a Target,
        wishes: &'a Wishes,
        objective: Objective,
        groups: Vec<Group>,
        of_ops: &OfOps,
    ) -> Self {
        let traits = groups.iter().map(|group| Traits::of(graph, wishes, group, &of_ops.parts)).collect();
        let consumers = graph.consumers();
        let (reductions_inside, by_op) = (false, false);
        let floors = summed(&of_ops.floors, &groups);
        let read_last = read_last(graph, &groups);
        Self {
            graph,
            target,
            wishes,
            objective,
            consumers,
            groups,
            traits,
            read_last,
            floors,
            reductions_inside,
            by_op,
        }
    }

    /// Of some ops in their order, to look at sections of them and not for a plan.
    fn of_ops(graph: &'a Graph, target: &'a Target, wishes: &'a Wishes, ops: &[OpId]) -> Self {
        let (floors, parts) = (vec![Price::ZERO; graph.ops.len()], vec![None; graph.ops.len()]);
        let groups = groups(graph, wishes, ops);
        Self::new(graph, target, wishes, Objective::Time, groups, &OfOps { floors, parts })
    }

    /// For each order, with reductions where their inputs are made, if they can stay there, and anywhere. The latter come last: they can
    /// do with the least SRAM. In small graphs also op by op.
    fn all(graph: &'a Graph, target: &'a Target, wishes: &'a Wishes, objective: Objective) -> Vec<Self> {
        let of_ops = OfOps::new(graph, target, objective);
        let of = |groups| Self::new(graph, target, wishes, objective, groups, &of_ops);
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

    /// The sections between cuts with their tiles, or the groups of one that no tile of fits.
    fn settle(&self, cuts: &Cuts) -> Result<Vec<Choice>, Range<usize>> {
        let choose = |span: &Range<usize>| {
            let segment = self.segment(&self.groups[span.clone()]);
            segment.and_then(|segment| self.choose(&segment)).ok_or_else(|| span.clone())
        };
        cuts.spans.iter().map(choose).collect()
    }

    /// The cuts that cost the least; `None` if none fit that cost less than `limit`.
    fn cheapest(&self, limit: Price, known: &mut KnownOf<'_>) -> Option<Cuts> {
        let n = self.groups.len();
        // The least cost of the groups before `end`, and where the last section begins.
        let mut best: Vec<Option<(Price, usize)>> = vec![None; n + 1];
        best[0] = Some((Price::ZERO, 0));
        let (mut first, mut path) = (0, Path::new(self));
        for end in 1..=n {
            first = self.first_joining(first, end - 1);
            if self.may_cut_before(end) {
                let rest = self.floors[n] - self.floors[end];
                best[end] = self.best_section(first..end, limit - rest, &best, &mut path, known);
            }
        }
        let (weight, _) = best[n]?;
        let mut spans = Vec::new();
        let mut at = n;
        while let Some((_, start)) = best[at].filter(|_| at > 0) {
            spans.push(start..at);
            at = start;
        }
        spans.reverse();
        Some(Cuts { weight, spans })
    }

    /// Makes known that no tile of some groups fits.
    fn refuse(&self, groups: Range<usize>, known: &mut KnownOf<'_>) {
        let mut path = Path::new(self);
        path.begin(groups.end);
        for start in groups.clone().rev() {
            let weight = known.step(&mut path);
            if start == groups.start {
                *weight = Some(Weight::NONE);
            }
        }
    }

    /// The first group that a section can begin with which ends with group `last`, given the same for the group before.
    fn first_joining(&self, first: usize, last: usize) -> usize {
        let first = first.max((last + 1).saturating_sub(LONGEST_SECTION));
        (first..last).rev().find(|&i| !self.may_join(i, last)).map_or(first, |i| i + 1)
    }

    /// The least cost of the groups before the end of some, and which of these the last section begins with; given the same for fewer
    /// groups. `None` if it is not less than `limit`.
    fn best_section(
        &self,
        groups: Range<usize>,
        limit: Price,
        best: &[Option<(Price, usize)>],
        path: &mut Path<'_>,
        known: &mut KnownOf<'_>,
    ) -> Option<(Price, usize)> {
        let mut found: Option<(Price, usize)> = None;
        let mut trail = None;
        path.begin(groups.end);
        let excess = self.excess(&groups, best);
        for start in groups.clone().rev() {
            let known = known.step(path);
            let Some((before, _)) = best[start] else { continue };
            let least = found.map_or(Price::INFINITE, |(least, _)| least);
            let most = least.min(limit);
            let growing = most - excess[start - groups.start] - self.floors[start];
            let limits = Limits { now: most - before, growing };
            let floor = self.floors[groups.end] - self.floors[start];
            if floor > growing {
                break;
            }
            if floor > limits.now {
                continue;
            }
            let weight = known.filter(|known| known.holds_within(limits.now)).unwrap_or_else(|| {
                trail.get_or_insert_with(|| Trail::new(self, groups.end)).weight(start, limits)
            });
            *known = Some(weight);
            // With more groups in front it would cost still more.
            if weight.is_beyond(growing) || weight.least.min(weight.others) > least {
                break;
            }
            if before + weight.least < most {
                found = Some((before + weight.least, start));
            }
        }
        found
    }

    /// For each of some groups, the least of what plans for the groups before it, or before any of them in front, cost besides what those
    /// cost at least.
    fn excess(&self, groups: &Range<usize>, best: &[Option<(Price, usize)>]) -> Vec<Price> {
        let least = |excess: &mut Price, start: usize| {
            if let Some((before, _)) = best[start] {
                *excess = excess.min(before - self.floors[start]);
            }
            Some(*excess)
        };
        groups.clone().scan(Price::INFINITE, least).collect()
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
    /// one number of images, one part of the graph, no cut wished, no sum of tiles.
    fn may_join(&self, first: usize, later: usize) -> bool {
        let [a, b] = [first, later].map(|i| &self.traits[i]);
        !a.cut
            && !a.adds_up
            && !b.adds_up
            && a.images == b.images
            && (a.part == b.part || a.part.is_none() || b.part.is_none())
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
    fn of(graph: &Graph, wishes: &Wishes, group: &Group, parts: &[Option<usize>]) -> Self {
        let boundary = group.loads(graph).is_some();
        let is_complete = |op: &OpId| boundary || fusion::is_reduction(graph, *op);
        let read = group.ops.iter().flat_map(|&op| &graph.ops[op].inputs);
        Self {
            part: group.ops.iter().find_map(|op| parts[op.index()]),
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
