//! Work: how many element operations a run takes.

use super::instr::rule;
use super::scope::Scope;
use super::{Limits, VerifyError};
use crate::program::{Program, Scheduled};

/// The element operations of a run (the largest number if they are more), if they are within the limit.
pub(super) fn check(program: &Program, limits: &Limits) -> Result<u64, VerifyError> {
    let mut work: u64 = 0;
    for section in &program.sections {
        let scope = Scope { program, section };
        let tile = section.body.iter().map(|i| of_instruction(&scope, i)).fold(0, u64::saturating_add);
        let tiles = section.y.steps.saturating_mul(section.x.steps).saturating_mul(section.images);
        work = work.saturating_add(tile.saturating_mul(tiles));
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

/// Of one tile.
fn of_instruction(scope: &Scope<'_>, scheduled: &Scheduled) -> u64 {
    let rule = rule(&scheduled.instr);
    let Some(buffer) = rule.writes().or(rule.exports()).and_then(|b| scope.buffer(b).ok()) else { return 0 };
    [buffer.rows, buffer.cols, rule.operations(scope)].into_iter().fold(buffer.channels, u64::saturating_mul)
}
