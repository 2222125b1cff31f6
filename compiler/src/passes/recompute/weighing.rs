//! What it is modelled to take to compute a value again, and to keep it.

use std::collections::BTreeSet;

use super::{At, Rewrite, reads_whole};
use crate::analysis::cost::{self, HALO};
use crate::analysis::work::total_flops;
use crate::base::{OpId, ValueId};
use crate::ir::{Def, Direction, Materialize};

/// Recomputing must be so many times as fast: the rest of the section takes SRAM and time for it as well.
const MARGIN: f64 = 1.5;

impl Rewrite<'_> {
    /// The ops that compute a value again, in order, if that is what is wanted or modelled to be cheaper.
    pub(super) fn cheaper_again(&self, value: ValueId, stage: usize) -> Option<Vec<OpId>> {
        let is_there = self.is_there(value);
        if is_there && !self.may_spare_loading(value, stage) {
            return None;
        }
        let ops = self.ops_again(value, stage);
        if self.wish == Some(Materialize::Recompute) {
            return Some(ops);
        }
        let is_new = |op: &&OpId| !self.repeated.contains(&(self.first(self.old.ops[**op].output), stage));
        let new: Vec<OpId> = ops.iter().filter(is_new).copied().collect();
        let again = self.arithmetic_seconds(&new);
        let (again, kept) = match is_there {
            true => {
                let loaded = self.loaded_for(&new, stage);
                (again + self.load_seconds(loaded), self.load_seconds([value]))
            }
            false => (again, self.store_seconds(value) + self.load_seconds([value])),
        };
        (again * MARGIN < kept).then_some(ops)
    }

    /// Whether a stage does not load a value from a file if it computes it again, which is there in any case.
    fn may_spare_loading(&self, value: ValueId, stage: usize) -> bool {
        let Some(maker) = self.old.producer(value) else { return false };
        let is_forward = |op: &OpId| self.old.ops[*op].direction == Direction::Forward;
        self.at == At::ChosenCuts
            && self.spills
            && self.wish.is_none()
            && !self.old.is_output(value)
            && !self.is_little(value, maker)
            && !self.tiles_read(value, stage).any(is_forward)
    }

    /// The ops of a stage that read tiles of a value.
    fn tiles_read(&self, value: ValueId, stage: usize) -> impl Iterator<Item = &OpId> {
        let readers = self.consumers.get(&value).into_iter().flatten();
        readers.filter(move |op| self.stages.of_op(**op) == stage && !reads_whole(&self.old.ops[**op]))
    }

    fn arithmetic_seconds(&self, ops: &[OpId]) -> f64 {
        let flops = ops.iter().map(|&op| total_flops(self.old, op)).sum();
        HALO * cost::arithmetic_seconds(&self.target.machine, self.target.threads, flops)
    }

    fn store_seconds(&self, value: ValueId) -> f64 {
        let bytes = self.bytes(value) as f64;
        let file = if self.spills { cost::file_seconds(bytes, 0.0) } else { 0.0 };
        cost::store_seconds(&self.target.machine, self.target.threads, bytes) + file
    }

    fn load_seconds(&self, values: impl IntoIterator<Item = ValueId>) -> f64 {
        let bytes: f64 = values.into_iter().map(|value| self.bytes(value) as f64).sum();
        let file = if self.spills { cost::file_seconds(bytes, 0.0) } else { 0.0 };
        cost::load_seconds(&self.target.machine, self.target.threads, bytes) + file
    }

    /// What a stage loads for ops that compute something again, and not for others as well.
    fn loaded_for(&self, ops: &[OpId], stage: usize) -> BTreeSet<ValueId> {
        let is_made =
            |v: ValueId| self.old.producer(v).is_some_and(|op| ops.contains(&op) || self.is_open(v, stage));
        let is_loaded =
            |v: ValueId| self.own(v, stage).is_some() || self.tiles_read(v, stage).next().is_some();
        let is_constant = |v: ValueId| matches!(self.old.values[v].def, Def::Constant(_));
        let inputs = ops.iter().flat_map(|&op| self.old.ops[op].inputs.iter().copied());
        inputs.filter(|&v| !is_made(v) && !is_loaded(v) && !is_constant(v)).collect()
    }
}
