//! Why a plan is as it is: what the next best choice would have cost, and what each cut is for.

use serde::Serialize;

use super::{Planner, Segment, Wishes};
use crate::analysis::cost::{Cost, section_cost};
use crate::analysis::materialized::{Ways, Weighing};
use crate::base::{OpId, ValueId};
use crate::ir::{Materialize, Overlap, Scheme, Section, Sections};

/// What else there was for a section.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternatives {
    /// The cheapest other tile or strategy; `None` where no other fits or is allowed.
    pub next_best: Option<Other>,
    /// What the cut between this section and the next is for; `None` after the last.
    pub cut_after: Option<Cut>,
    /// How its ops of the backward pass have tensors of the forward pass, and what the other ways would have taken.
    pub materialized: Vec<Having>,
}

/// How a section has a tensor that an earlier one computes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Having {
    /// Name of the tensor.
    pub tensor: String,
    /// How it is had.
    pub how: Materialize,
    /// Modelled time of the ways in which it could be.
    pub seconds: Ways,
}

/// A choice that was not taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Other {
    /// Target tile.
    pub tile: [u64; 2],
    /// How overlaps are had.
    pub overlap: Overlap,
    /// Modelled time.
    pub seconds: f64,
}

/// What a cut is for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// It was weighed.
    Weighed {
        /// Modelled time of the two sections.
        apart: f64,
        /// Modelled time of all their ops in one section, with the best tile for that.
        joined: f64,
    },
    /// No tile of one section of both fits SRAM.
    Sram,
    /// It was asked for.
    Asked,
    /// The next section reads what is complete only when this one has ended, such as a sum over space, or has another number of
    /// images.
    Forced,
}

/// What else there was for each section, as far as the wishes leave a choice.
pub fn alternatives(ir: &Sections, wishes: &Wishes) -> Vec<Alternatives> {
    let weighing = Weighing::of(ir);
    let next = ir.sections.iter().skip(1).map(Some).chain([None]);
    let of = |((s, section), next): ((usize, &Section), Option<&Section>)| {
        let wishes = Wishes { padding: section.padding, ..wishes.clone() };
        let found = Found { ir, wishes: &wishes };
        Alternatives {
            next_best: found.next_best(section),
            cut_after: next.map(|next| found.cut_between(section, next)),
            materialized: section
                .materialized
                .iter()
                .filter_map(|(&v, &how)| having(ir, &weighing, s, v, how))
                .collect(),
        }
    };
    ir.sections.iter().enumerate().zip(next).map(of).collect()
}

fn having(
    ir: &Sections,
    weighing: &Weighing<'_>,
    s: usize,
    value: ValueId,
    how: Materialize,
) -> Option<Having> {
    let composites = ir.device.iter().flat_map(|device| &device.composites);
    let spilled = composites.filter(|(v, _)| *v == value).any(|(_, composite)| composite.spilled);
    let tensor = ir.graph.values[value].name.clone();
    Some(Having { tensor, how, seconds: weighing.ways(s, value, spilled)? })
}

struct Found<'a> {
    ir: &'a Sections,
    wishes: &'a Wishes,
}

impl Found<'_> {
    /// A planner for some ops alone.
    fn planner(&self, ops: &[OpId]) -> Planner<'_> {
        let Sections { graph, target, .. } = self.ir;
        Planner::of_ops(graph, target, self.wishes, ops)
    }

    fn next_best(&self, section: &Section) -> Option<Other> {
        let planner = self.planner(&section.ops);
        let segment = planner.segment(&planner.groups)?;
        let chosen = (section.tile?, section.scheme().overlap);
        let best = planner.ranked(&segment).find(|c| (c.tile, c.overlap) != chosen)?;
        let seconds = planner.exact_cost(&segment, best.tile, planner.scheme(best.overlap)).seconds;
        Some(Other { tile: best.tile, overlap: best.overlap, seconds })
    }

    fn cut_between(&self, section: &Section, next: &Section) -> Cut {
        if section.ops.iter().any(|op| self.wishes.cut_after.contains(op)) {
            return Cut::Asked;
        }
        let planner = self.planner(&[section.ops.as_slice(), &next.ops].concat());
        if !planner.is_legal() {
            return Cut::Forced;
        }
        let joined = planner.segment(&planner.groups).and_then(|segment| {
            let best = planner.choose(&segment)?;
            Some(planner.exact_cost(&segment, best.tile, planner.scheme(best.overlap)).seconds)
        });
        let apart = self.as_it_is(section).zip(self.as_it_is(next));
        match (apart, joined) {
            (Some((first, second)), Some(joined)) => Cut::Weighed { apart: first + second, joined },
            _ => Cut::Sram,
        }
    }

    fn as_it_is(&self, section: &Section) -> Option<f64> {
        let planner = self.planner(&section.ops);
        let segment = planner.segment(&planner.groups)?;
        Some(planner.exact_cost(&segment, section.tile?, section.scheme()).seconds)
    }
}

impl Planner<'_> {
    /// The cost with a look at all steps.
    fn exact_cost(&self, segment: &Segment, tile: [u64; 2], scheme: Scheme) -> Cost {
        let [y, x] = segment.axes(tile, scheme);
        section_cost(&self.target.machine, self.target.threads, &segment.flow, [&y, &x])
    }
}
