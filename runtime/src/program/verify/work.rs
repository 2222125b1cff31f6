//! Work: how many element operations a run takes.

use super::instr::rule;
use super::scope::Scope;
use super::{Limits, VerifyError};
use crate::program::{Blocks, BufferId, Program, Scheduled};

/// The element operations of a run (the largest number if they are more), if they are within the limit.
pub(super) fn check(program: &Program, limits: &Limits) -> Result<u64, VerifyError> {
    let mut work: u64 = 0;
    for section in &program.sections {
        let scope = Scope { program, section };
        let image = section.body.iter().map(|i| of_instruction(&scope, i)).fold(0, u64::saturating_add);
        work = work.saturating_add(image.saturating_mul(section.images));
        for reduce in &section.end {
            let sums = scope.accumulator(reduce.acc).map_or(0, |a| a.images.saturating_mul(a.channels));
            work = work.saturating_add(sums);
        }
    }
    match limits.work {
        Some(limit) if work > limit => Err(VerifyError::Work { work, limit }),
        _ => Ok(work),
    }
}

/// Rows and columns of all blocks along their axes: what is stored in them.
fn pixels_of(scope: &Scope<'_>, blocks: Blocks) -> [u64; 2] {
    let section = &scope.program.sections[blocks.section as usize];
    [&section.y, &section.x].map(|axis| axis.buffers[blocks.buffer.index()].computed.pixels())
}

/// Of all tiles of one image.
fn of_instruction(scope: &Scope<'_>, scheduled: &Scheduled) -> u64 {
    let rule = rule(&scheduled.instr);
    let section = scope.section;
    let tables = |b: BufferId| [&section.y, &section.x].map(|axis| &axis.buffers[b.index()]);
    let (id, pixels) = match (rule.writes(), rule.exports()) {
        (Some(b), _) => (b, tables(b).map(|t| t.computed.pixels())),
        (None, Some(b)) => {
            let blocks = rule.stores().and_then(|t| scope.tensor(t).ok()?.blocks);
            (b, blocks.map_or_else(|| tables(b).map(|t| t.owned.pixels()), |b| pixels_of(scope, b)))
        }
        (None, None) => return 0,
    };
    let channels = scope.buffer(id).map_or(0, |b| b.channels);
    let work = [pixels[0], pixels[1], rule.operations(scope)].into_iter().fold(channels, u64::saturating_mul);
    // A tile that computes nothing takes its time, too.
    work.saturating_add(section.y.steps.saturating_mul(section.x.steps))
}
