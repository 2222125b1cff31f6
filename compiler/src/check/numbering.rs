//! The graph as terms: what each of its values is.

use std::collections::HashMap;

use zellige_runtime::program::instr::AxisId;

use super::error::{CheckError, OpError};
use super::meaning::{Beyond, Definition, Meaning, Operation, of_op};
use super::relation;
use super::term::{Apply, Channels, Term, TermId, Terms};
use crate::base::{AxisMap, ParamId, ValueId};
use crate::ir::{Def, Graph, Node};
use crate::ops::{Outside, Sizes};

/// The graph's values as terms, and all terms that occur in it.
pub(super) struct Numbering<'a> {
    pub(super) graph: &'a Graph,
    pub(super) terms: Terms,
    values: HashMap<ValueId, TermId>,
    /// Terms below this number occur in the graph.
    of_graph: usize,
    /// Names of values, for messages.
    names: HashMap<TermId, String>,
    /// Coordinates for which an access relation was compared.
    pub(super) relations: u64,
}

/// Along one axis, a relation that was compared already.
#[derive(PartialEq)]
struct Compared {
    axis: AxisId,
    /// Which of the op's inputs.
    operand: usize,
    meaning: Option<Meaning>,
    map: AxisMap,
    output: u64,
    input: u64,
}

impl<'a> Numbering<'a> {
    /// Gives every value of a graph whose sizes are known its term, and compares the access relations that ops state with their
    /// meaning.
    pub(super) fn of(graph: &'a Graph) -> Result<Self, CheckError> {
        let mut numbering = Self {
            graph,
            terms: Terms::default(),
            values: HashMap::new(),
            of_graph: 0,
            names: HashMap::new(),
            relations: 0,
        };
        let mut compared = Vec::new();
        for (id, value) in graph.values.iter() {
            let sizes = |error| op_error(graph, id, error);
            let own = graph.sizes(id).ok_or_else(|| sizes(OpError::Sizes))?;
            let term = match &value.def {
                Def::Input => {
                    let position = graph.inputs.iter().position(|i| *i == id).unwrap_or(usize::MAX);
                    numbering.terms.input(position, own)
                }
                Def::Constant(data) => numbering.terms.constant(own, data),
                Def::Op(op) => {
                    let node = &graph.ops[*op];
                    numbering.node(node, own, &mut compared).map_err(sizes)?
                }
            };
            numbering.values.insert(id, term);
            numbering.names.entry(term).or_insert_with(|| value.name.clone());
        }
        for (id, param) in graph.params.iter() {
            numbering.terms.parameter(id, elements(&param.dims));
        }
        numbering.of_graph = numbering.terms.len();
        Ok(numbering)
    }

    fn node(
        &mut self,
        node: &Node,
        sizes: Sizes,
        compared: &mut Vec<(Compared, bool)>,
    ) -> Result<TermId, OpError> {
        let inputs: Vec<TermId> = node
            .inputs
            .iter()
            .map(|v| self.values.get(v).copied())
            .collect::<Option<_>>()
            .ok_or(OpError::Sizes)?;
        let input_sizes: Vec<Sizes> =
            node.inputs.iter().map(|&v| self.graph.sizes(v)).collect::<Option<_>>().ok_or(OpError::Sizes)?;
        let params: Vec<TermId> = node.params.iter().map(|&p| self.parameter(p)).collect();
        let term = if let Some(expr) = node.op.expression() {
            let operands = [inputs.as_slice(), params.as_slice()].concat();
            self.compare(node, None, &input_sizes, sizes, compared)?;
            self.terms.expression(&expr, &operands).ok_or(OpError::Sizes)?
        } else {
            let attrs = node.op.attrs();
            let operation =
                Operation { name: node.op.name(), attrs: &attrs, inputs: &input_sizes, output: sizes };
            match of_op(&operation).ok_or(OpError::Unknown)? {
                Definition::Apply(meaning) => {
                    self.compare(node, Some(&meaning), &input_sizes, sizes, compared)?;
                    self.terms.apply(Apply { meaning, inputs, params, sizes })
                }
                Definition::Channels(parts) => {
                    self.compare(node, None, &input_sizes, sizes, compared)?;
                    let parts: Option<Vec<Channels>> = parts
                        .iter()
                        .map(|&(i, from, to)| Some(Channels { of: *inputs.get(i)?, from, to }))
                        .collect();
                    self.terms.channels(&parts.ok_or(OpError::Sizes)?).ok_or(OpError::Sizes)?
                }
            }
        };
        if self.terms.sizes(term) == sizes { Ok(term) } else { Err(OpError::Sizes) }
    }

    /// Compares what an op states about what it reads with what it means, for each coordinate of its output along both axes.
    fn compare(
        &mut self,
        node: &Node,
        meaning: Option<&Meaning>,
        inputs: &[Sizes],
        output: Sizes,
        compared: &mut Vec<(Compared, bool)>,
    ) -> Result<(), OpError> {
        let stated_outside = |input| match node.op.outside(input) {
            Outside::Skipped => None,
            Outside::Zero => Some(0f32.to_bits()),
        };
        let meant_outside = match meaning.map(Meaning::beyond) {
            Some(Beyond::Reads(bits)) => Some(bits),
            Some(Beyond::Never | Beyond::Skipped) | None => None,
        };
        // What a reduction of several operands reads it reads for the pixels of one of them.
        let output =
            meaning.and_then(Meaning::gathers).and_then(|of| inputs.get(of)).copied().unwrap_or(output);
        for (input, sizes) in inputs.iter().enumerate() {
            for axis in AxisId::BOTH {
                let along = |s: &Sizes| s[2 + axis.index()];
                let this = Compared {
                    axis,
                    operand: input,
                    meaning: meaning.cloned(),
                    map: node.op.access(input, axis, inputs),
                    output: along(&output),
                    input: along(sizes),
                };
                let leaves = match compared.iter().find(|(c, _)| *c == this) {
                    Some((_, leaves)) => *leaves,
                    None => {
                        self.relations += this.output;
                        let leaves = this.compare()?;
                        compared.push((this, leaves));
                        leaves
                    }
                };
                if leaves && stated_outside(input) != meant_outside {
                    return Err(OpError::Outside { input });
                }
            }
        }
        Ok(())
    }

    /// The term of a parameter.
    pub(super) fn parameter(&mut self, id: ParamId) -> TermId {
        let elements = elements(&self.graph.params[id].dims);
        self.terms.parameter(id, elements)
    }

    /// What a value of the graph is.
    pub(super) fn value(&self, id: ValueId) -> Option<TermId> {
        self.values.get(&id).copied()
    }

    /// Whether a term occurs in the graph, by itself or within an expression.
    pub(super) fn is_of_graph(&self, term: TermId) -> bool {
        self.terms.is_among(term, self.of_graph)
    }

    /// A term in words: the name of its value, or how it is built of such.
    pub(super) fn describe(&self, term: TermId) -> String {
        match self.names.get(&term) {
            Some(name) => format!("`%{name}`"),
            None => self.describe_parts(term),
        }
    }

    /// A term of the graph with how it is built.
    pub(super) fn explain(&self, term: TermId) -> String {
        match self.names.get(&term) {
            Some(name) => format!("`%{name}`, {}", self.describe_parts(term)),
            None => self.describe_parts(term),
        }
    }

    fn describe_parts(&self, term: TermId) -> String {
        let name = |id: &TermId| match (self.names.get(id), self.terms.get(*id)) {
            (Some(name), _) => format!("`%{name}`"),
            (None, Term::Number(bits)) => format!("{:?}", f32::from_bits(*bits)),
            (None, Term::Parameter(id, _)) => format!("`@{}`", self.graph.params[*id].name),
            _ => "an intermediate result".to_owned(),
        };
        let names = |ids: &[TermId]| ids.iter().map(name).collect::<Vec<_>>().join(", ");
        match self.terms.get(term) {
            Term::Number(_) | Term::Parameter(..) => name(&term),
            Term::Constant(sizes, _) => format!("a constant of {sizes:?}"),
            Term::Input(position, _) => format!("input {position}"),
            Term::Unary(op, a) => format!("{op:?} of {}", name(a)),
            Term::Binary(op, a, b) => format!("{op:?} of {}", names(&[*a, *b])),
            Term::Fma(a, b, c) => format!("fma of {}", names(&[*a, *b, *c])),
            Term::Select(op, of) => format!("a choice by {op:?} of {}", names(of)),
            Term::Channels(parts) => {
                let part = |p: &Channels| format!("{}..{} of {}", p.from, p.to, name(&p.of));
                format!("channels {}", parts.iter().map(part).collect::<Vec<_>>().join(", "))
            }
            Term::Part(part) => format!("a tile's part of {}", name(&part.of)),
            Term::Apply(Apply { meaning, inputs, params, sizes }) => {
                let with = if params.is_empty() { String::new() } else { format!(" with {}", names(params)) };
                format!("{meaning:?} of {}{with} as {sizes:?}", names(inputs))
            }
        }
    }

    /// What the graph has that is most like `term`: the same operation of the same operands, or of others.
    pub(super) fn nearest(&self, term: TermId) -> Option<TermId> {
        let Term::Apply(apply) = self.terms.get(term) else { return None };
        let likeness = |other: &Apply| {
            let same_kind = std::mem::discriminant(&other.meaning) == std::mem::discriminant(&apply.meaning);
            same_kind.then(|| {
                usize::from(other.meaning == apply.meaning)
                    + usize::from(other.inputs == apply.inputs)
                    + usize::from(other.params == apply.params)
                    + usize::from(other.sizes == apply.sizes)
            })
        };
        let candidates = self.terms.ids(self.of_graph).filter_map(|id| match self.terms.get(id) {
            Term::Apply(other) => Some((likeness(other)?, std::cmp::Reverse(id))),
            _ => None,
        });
        candidates.max().map(|(_, id)| id.0)
    }
}

impl Compared {
    /// Whether a coordinate outside the input is named, if all that is stated is meant.
    fn compare(&self) -> Result<bool, OpError> {
        let size = self.input as i64;
        if self.map == AxisMap::All && self.meaning.as_ref().is_some_and(Meaning::reads_all) {
            return Ok(false);
        }
        let mut leaves = false;
        let (mut meant, mut stated) = (Vec::new(), Vec::new());
        for output in 0..self.output as i64 {
            meant.clear();
            stated.clear();
            match &self.meaning {
                Some(meaning) => meaning.sources(self.operand, self.axis.index(), output, size, &mut meant),
                None => meant.push(if size == 1 { 0 } else { output }),
            }
            relation::sources(self.map, output, size, &mut stated);
            for list in [&mut meant, &mut stated] {
                list.sort_unstable();
                list.dedup();
            }
            if meant != stated {
                let (input, axis) = (self.operand, self.axis);
                return Err(OpError::Access { input, axis, output, meant, stated });
            }
            leaves |= meant.first().is_some_and(|&i| i < 0) || meant.last().is_some_and(|&i| i >= size);
        }
        Ok(leaves)
    }
}

fn op_error(graph: &Graph, value: ValueId, error: OpError) -> CheckError {
    let op = graph.producer(value).map_or("input", |op| graph.ops[op].op.name());
    CheckError::Op { value: graph.values[value].name.clone(), op: op.to_owned(), error }
}

/// Number of values of a parameter.
pub(super) fn elements(dims: &[u64]) -> u64 {
    dims.iter().fold(1, |n, d| n.saturating_mul(*d))
}
