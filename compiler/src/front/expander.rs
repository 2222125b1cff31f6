//! The state of an expansion.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use zellige_grammar::ast::{self, Block, Model};
use zellige_grammar::{Code, Diagnostic, Span};

use super::report::Report;
use super::scope::Scopes;
use super::training::Said;
use super::value::Value;
use crate::base::{Id, TensorType, ValueId};
use crate::ir::Graph;
use crate::ops::{self, OpDef};

/// Ops that a graph may have.
pub(super) const MOST_OPS: usize = 10_000;
/// Expressions, statements and rounds of loops that an expansion may evaluate.
pub(super) const MOST_STEPS: u64 = 1_000_000;
/// Statements and expressions that may be pending at a time, over all nested blocks.
const DEEPEST: usize = 400;

/// Expands one model.
pub(super) struct Expander<'a> {
    pub(super) graph: Graph,
    pub(super) report: Report,
    pub(super) blocks: IndexMap<&'a str, &'a Block>,
    pub(super) ops: HashMap<&'static str, OpDef>,
    /// The model or block that is being expanded.
    pub(super) frame: Frame,
    /// The calls of blocks that led here, outermost first.
    pub(super) calls: Vec<CallSite<'a>>,
    /// Where the graph's values were written.
    spans: Vec<Span>,
    /// Paths of parameters, and the ops that they belong to.
    pub(super) paths: HashMap<String, Span>,
    /// How many ops of a kind have got a path made up for them.
    pub(super) unnamed: HashMap<String, usize>,
    /// Constants made of numbers, by their bits.
    pub(super) numbers: HashMap<u32, ValueId>,
    names: Names,
    /// Where `weights` stands.
    pub(super) weights_at: Option<Span>,
    /// What the training section has said that is being expanded.
    pub(super) training: Option<Box<Said>>,
    /// Every name introduced by `let`, by its place, and every input.
    pub(super) introduced: IndexMap<Span, Introduced>,
    pub(super) steps: u64,
    pub(super) depth: usize,
    /// Set when a bound is reached: nothing is evaluated any more.
    pub(super) exhausted: bool,
}

/// A model or block that is being expanded.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) scopes: Scopes,
    /// What the paths of its parameters begin with: empty, or ending in a dot.
    pub(super) prefix: String,
    /// Variables of the loops that it is in, and their values.
    pub(super) rounds: Vec<(String, i64)>,
    /// Names of the outputs, where it is the model: what it returns is called so.
    pub(super) results: Vec<String>,
}

/// A call of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallSite<'a> {
    pub(super) block: &'a str,
    pub(super) span: Span,
}

/// A name that ought to be used.
#[derive(Debug)]
pub(super) struct Introduced {
    name: String,
    what: &'static str,
    used: bool,
}

/// What a statement or its body does to the control flow.
#[derive(Debug)]
pub(super) enum Flow<'a> {
    /// On to the next one.
    Next,
    /// `return`: values, their places, and the place of the statement.
    Return(Vec<(Value, Span)>, &'a ast::Stmt),
    /// It is not known whether there was a `return`.
    Unknown,
}

impl<'a> Expander<'a> {
    pub(super) fn new(file: &'a ast::File) -> Self {
        let mut expander = Self {
            graph: Graph::default(),
            report: Report::default(),
            blocks: IndexMap::new(),
            ops: ops::all().filter(|def| !def.internal).map(|def| (def.name, def)).collect(),
            frame: Frame::default(),
            calls: Vec::new(),
            spans: Vec::new(),
            paths: HashMap::new(),
            unnamed: HashMap::new(),
            numbers: HashMap::new(),
            names: Names::default(),
            weights_at: None,
            training: None,
            introduced: IndexMap::new(),
            steps: 0,
            depth: 0,
            exhausted: false,
        };
        file.blocks().for_each(|block| expander.declare_block(block));
        expander
    }

    /// Expands the model into the graph.
    pub(super) fn model(&mut self, model: &'a Model) {
        self.graph.name.clone_from(&model.name.value);
        self.frame.scopes.push();
        self.declare_inputs(model);
        let outputs = self.declare_outputs(model);
        self.frame.results = model.outputs.iter().map(|output| output.name.value.clone()).collect();
        match self.body(&model.body) {
            Flow::Return(values, stmt) => self.outputs(model, outputs, values, stmt),
            Flow::Next => self.error(
                Diagnostic::error(Code::E0218, format!("the model `{}` returns nothing", model.name.value))
                    .label(closing_brace(&model.body), "a `return` is missing here")
                    .secondary(model.name.span, format!("it has {}", count(model.outputs.len(), "output"))),
            ),
            Flow::Unknown => {}
        }
    }

    /// The graph and what there is to say about it.
    pub(super) fn finish(mut self) -> (Graph, Vec<Diagnostic>) {
        // A mistake elsewhere may be why a value is not used.
        if !self.report.has_errors() {
            for (span, Introduced { name, what, .. }) in self.introduced.iter().filter(|(_, i)| !i.used) {
                self.report.push(
                    Diagnostic::warning(Code::E0219, format!("{what} `{name}` is never used"))
                        .label(*span, "not used"),
                );
            }
        }
        (self.graph, self.report.finish())
    }

    /// Reports a mistake, with the calls of blocks and the rounds of loops that led to it.
    pub(super) fn error(&mut self, mut diagnostic: Diagnostic) {
        for call in self.calls.iter().rev().take(3) {
            diagnostic = diagnostic.secondary(call.span, format!("in this call of `{}`", call.block));
        }
        // Mistakes in names do not depend on the round; those in values may.
        let depends = diagnostic.code >= Code::E0301
            || matches!(diagnostic.code, Code::E0209 | Code::E0212 | Code::E0213 | Code::E0221);
        if depends && !self.frame.rounds.is_empty() {
            let rounds: Vec<_> =
                self.frame.rounds.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            diagnostic = diagnostic.note(format!("where {}", rounds.join(", ")));
        }
        self.report.push(diagnostic);
    }

    /// Says that `name` has been introduced and ought to be used.
    pub(super) fn introduce(&mut self, name: &str, what: &'static str, span: Span) {
        if !name.starts_with('_') {
            let new = || Introduced { name: name.to_owned(), what, used: false };
            self.introduced.entry(span).or_insert_with(new);
        }
    }

    /// Counts a step; false when there were too many.
    pub(super) fn step(&mut self, span: Span) -> bool {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            self.exhaust(
                Diagnostic::error(Code::E0216, "the model takes too many steps to expand")
                    .label(span, format!("this is evaluated after {MOST_STEPS} steps")),
            );
        }
        !self.exhausted
    }

    /// Evaluates something that nests; false when it is too deep.
    pub(super) fn enter(&mut self, span: Span) -> bool {
        self.depth += 1;
        if self.depth > DEEPEST {
            self.exhaust(
                Diagnostic::error(Code::E0113, "this is nested too deeply")
                    .label(span, format!("more than {DEEPEST} statements and expressions are pending here")),
            );
        }
        self.step(span)
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn exhaust(&mut self, diagnostic: Diagnostic) {
        if !self.exhausted {
            self.error(diagnostic);
        }
        self.exhausted = true;
    }

    /// A name for a value of the graph that is not taken yet: the given one, or that with a number.
    pub(super) fn fresh_name(&mut self, name: &str) -> String {
        self.names.fresh(name)
    }

    /// Where a value was written.
    pub(super) fn span_of(&self, value: ValueId) -> Span {
        self.spans.get(value.index()).copied().unwrap_or_default()
    }

    /// Notes where the graph's newest value was written.
    pub(super) fn place(&mut self, value: ValueId, span: Span) -> ValueId {
        self.spans.resize(value.index() + 1, Span::default());
        self.spans[value.index()] = span;
        value
    }

    pub(super) fn type_of(&self, value: ValueId) -> &TensorType {
        &self.graph.values[value].ty
    }

    pub(super) fn describe(&self, value: &Value) -> String {
        value.describe(&self.graph)
    }

    /// What a name stands for, which thereby is used.
    pub(super) fn look_up(&mut self, name: &str) -> Option<Value> {
        let binding = self.frame.scopes.get(name)?;
        if let Some(introduced) = self.introduced.get_mut(&binding.origin) {
            introduced.used = true;
        }
        Some(binding.value.clone())
    }
}

/// Names of values, each once.
#[derive(Debug, Default)]
struct Names {
    taken: HashSet<String>,
    /// How far the numbers of a name have been used up.
    numbers: HashMap<String, u64>,
}

impl Names {
    fn fresh(&mut self, name: &str) -> String {
        if self.taken.insert(name.to_owned()) {
            return name.to_owned();
        }
        let number = self.numbers.entry(name.to_owned()).or_insert(0);
        loop {
            *number += 1;
            let numbered = format!("{name}.{number}");
            if self.taken.insert(numbered.clone()) {
                return numbered;
            }
        }
    }
}

/// `1 output`, `2 outputs`.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Where a body ends.
pub(super) fn closing_brace(body: &ast::Body) -> Span {
    Span::new(body.span.end.saturating_sub(1).max(body.span.start), body.span.end)
}
