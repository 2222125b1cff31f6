//! Stages: which ops cuts keep apart.

use std::collections::HashMap;

use crate::base::OpId;
use crate::ir::Graph;
use crate::ops::Placement;

/// The stage of every op: ops of different stages are not in one section, and those of a higher one run later. Of what forced cuts keep apart,
/// an op is in the last stage from which what it gives is there in time.
///
/// What reads the result of a reduction is in a later stage than it, and what must find its input whole in device memory in a
/// later one than whatever makes that.
#[derive(Clone, Debug)]
pub struct Stages(HashMap<OpId, usize>);

impl Stages {
    /// Of a graph.
    pub fn of(graph: &Graph) -> Self {
        let placement = |op: OpId| graph.ops[op].op.placement();
        let lag = |maker: OpId, reader: OpId| {
            let waits = matches!(placement(reader), Placement::Boundary(_));
            usize::from(waits || placement(maker) == Placement::Reduce)
        };
        let ops: Vec<OpId> = graph.ops.ids().collect();
        let mut first: HashMap<OpId, usize> = HashMap::new();
        for &op in &ops {
            let makers = graph.ops[op].inputs.iter().filter_map(|&v| graph.producer(v));
            first.insert(op, makers.map(|maker| first[&maker] + lag(maker, op)).max().unwrap_or(0));
        }
        let consumers = graph.consumers();
        let mut last: HashMap<OpId, usize> = HashMap::new();
        for &op in ops.iter().rev() {
            let readers = consumers.get(&graph.ops[op].output).into_iter().flatten();
            let stage = readers.map(|reader| last[reader] - lag(op, *reader)).min();
            last.insert(op, stage.unwrap_or(first[&op]));
        }
        Self(last)
    }

    /// Of sections, each of some ops: the stages are their numbers.
    pub fn of_sections<'a>(sections: impl IntoIterator<Item = &'a [OpId]>) -> Self {
        let numbered = sections.into_iter().enumerate();
        Self(numbered.flat_map(|(stage, ops)| ops.iter().map(move |&op| (op, stage))).collect())
    }

    /// Of an op.
    pub fn of_op(&self, op: OpId) -> usize {
        self.0[&op]
    }
}
