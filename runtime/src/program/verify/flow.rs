//! Device tensors and accumulators between sections: stored once, whole, before they are read.

use super::instr::rule;
use crate::program::{AccumulatorId, Program, Role, TensorId};

/// What is wrong between sections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// A second writer.
    #[error("{tensor} `{name}` is stored twice, in sections {first} and {second}")]
    StoredTwice {
        /// The tensor.
        tensor: TensorId,
        /// Its name.
        name: String,
        /// Section of one.
        first: usize,
        /// Section of the other.
        second: usize,
    },
    /// No writer.
    #[error("{tensor} `{name}` is never stored")]
    NeverStored {
        /// The tensor.
        tensor: TensorId,
        /// Its name.
        name: String,
    },
    /// A read in the section that stores it, or before.
    #[error("{tensor} `{name}` is loaded in section {load}, but stored in section {store}")]
    LoadedTooEarly {
        /// The tensor.
        tensor: TensorId,
        /// Its name.
        name: String,
        /// Section that loads it.
        load: usize,
        /// Section that stores it.
        store: usize,
    },
    /// Two sums in one accumulator.
    #[error("{accumulator} is filled by two instructions, in sections {first} and {second}")]
    AccumulatedTwice {
        /// The accumulator.
        accumulator: AccumulatorId,
        /// Section of one.
        first: usize,
        /// Section of the other.
        second: usize,
    },
    /// A sum that is not there.
    #[error("section {section} rounds {accumulator}, which it does not fill")]
    NotAccumulated {
        /// The accumulator.
        accumulator: AccumulatorId,
        /// The section.
        section: usize,
    },
}

/// The sections in which a tensor is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// That stores it.
    pub(super) first: usize,
    /// That loads it last, or stores it.
    pub(super) last: usize,
}

/// Checks who stores and who loads, and gives the life of each tensor; `None` for those that come with the caller or the
/// program.
pub(super) fn check(program: &Program) -> Result<Vec<Option<Life>>, FlowError> {
    check_accumulators(program)?;
    let mut lives = stores(program)?;
    for (load, tensor) in loads(program) {
        let Some(life) = &mut lives[tensor.index()] else { continue };
        if load <= life.first {
            let name = program.tensors[tensor.index()].name.clone();
            return Err(FlowError::LoadedTooEarly { tensor, name, load, store: life.first });
        }
        life.last = life.last.max(load);
    }
    Ok(lives)
}

fn loads(program: &Program) -> impl Iterator<Item = (usize, TensorId)> {
    program
        .sections
        .iter()
        .enumerate()
        .flat_map(|(s, section)| section.body.iter().filter_map(move |i| Some((s, rule(&i.instr).loads()?))))
}

fn stores(program: &Program) -> Result<Vec<Option<Life>>, FlowError> {
    let mut lives: Vec<Option<Life>> = vec![None; program.tensors.len()];
    for (second, section) in program.sections.iter().enumerate() {
        let body = section.body.iter().filter_map(|i| rule(&i.instr).stores());
        for tensor in body.chain(section.end.iter().map(|r| r.dst)) {
            let life = &mut lives[tensor.index()];
            if let Some(Life { first, .. }) = *life {
                let name = program.tensors[tensor.index()].name.clone();
                return Err(FlowError::StoredTwice { tensor, name, first, second });
            }
            *life = Some(Life { first: second, last: second });
        }
    }
    for (index, (tensor, life)) in program.tensors.iter().zip(&lives).enumerate() {
        if matches!(tensor.role, Role::Composite(_) | Role::Spilled | Role::Output) && life.is_none() {
            let id = TensorId(index as u32);
            return Err(FlowError::NeverStored { tensor: id, name: tensor.name.clone() });
        }
    }
    Ok(lives)
}

fn check_accumulators(program: &Program) -> Result<(), FlowError> {
    let mut filled: Vec<Option<usize>> = vec![None; program.accumulators.len()];
    for (section, at) in program.sections.iter().enumerate() {
        for accumulator in at.body.iter().filter_map(|i| rule(&i.instr).accumulates()) {
            if let Some(first) = filled[accumulator.index()].replace(section) {
                return Err(FlowError::AccumulatedTwice { accumulator, first, second: section });
            }
        }
        for reduce in &at.end {
            if filled[reduce.acc.index()] != Some(section) {
                return Err(FlowError::NotAccumulated { accumulator: reduce.acc, section });
            }
        }
    }
    Ok(())
}
