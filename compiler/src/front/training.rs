//! Training sections: losses, and how the weights follow their gradients.

use indexmap::IndexMap;
use zellige_grammar::ast::{Expr, Model, StmtKind, TensorDecl, Train};
use zellige_grammar::{Code, Diagnostic, Span};
use zellige_runtime::optimizer::{Optimizer, Schedule};

use super::expander::{Expander, Frame, closing_brace};
use super::op::Operand;
use super::value::Value;
use crate::base::{TensorType, ValueId};
use crate::ir::{Def, Graph, Output};

/// Name of the output that is minimised.
pub const LOSS: &str = "loss";

/// How a model is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// The model's graph with the training's inputs after its own, and with the loss as its last output, [`LOSS`].
    pub graph: Graph,
    /// The loss: a tensor of one number.
    pub loss: ValueId,
    /// The inputs that the training has besides the model's.
    pub targets: Vec<ValueId>,
    /// How weights follow their gradients, if that is said: gradients alone need none. See [`Training::optimizer`].
    pub optimizer: Option<Optimizer>,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// The weights change once in so many steps, by the mean of their gradients; at least 1.
    pub accumulate: u64,
    /// Greatest norm of all gradients together.
    pub clip: Option<f64>,
    /// The section in the text.
    pub span: Span,
}

impl Training {
    /// How weights follow their gradients.
    ///
    /// # Errors
    ///
    /// If the section does not say it.
    pub fn optimizer(&self) -> Result<&Optimizer, Diagnostic> {
        self.optimizer.as_ref().ok_or_else(|| {
            Diagnostic::error(Code::E0225, "the training section has no optimizer")
                .label(keyword(self.span), "expected `optimizer …;` in this section")
                .hint("as in `optimizer adamw(lr: 1e-3);`")
        })
    }
}

/// What a training section has said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Losses, and where they stand; none for one with a mistake.
    losses: Vec<Option<(ValueId, Span)>>,
    /// Whether there is only one, which then gets the name of the sum.
    single: bool,
    optimizer: Option<Optimizer>,
    schedule: Option<Schedule>,
    accumulate: Option<u64>,
    clip: Option<f64>,
    /// Statements that there may be one of, and where they stand.
    once: IndexMap<&'static str, Span>,
}

/// `train`, where a section begins.
pub(super) fn keyword(section: Span) -> Span {
    Span::new(section.start, section.start.saturating_add(5))
}

impl<'a> Expander<'a> {
    /// Adds a training section to the graph of its model. What comes of it is complete only where nothing has been reported.
    pub(super) fn train(&mut self, model: &'a Model, train: &'a Train) -> Option<(Said, ValueId)> {
        self.frame = Frame::default();
        self.frame.scopes.push();
        self.see_model(model);
        for decl in model.inputs.iter().chain(&model.outputs).chain(&train.inputs) {
            self.refuse_name_of_loss(decl);
        }
        self.declare_tensors(&train.inputs);
        let losses = train.body.stmts.iter().filter(|stmt| matches!(stmt.kind, StmtKind::Loss(_))).count();
        self.training = Some(Box::new(Said { single: losses == 1, ..Said::default() }));
        self.body(&train.body);
        let said = *self.training.take()?;
        if said.losses.is_empty() && !self.exhausted {
            let problem = Diagnostic::error(Code::E0225, "the training section has no loss")
                .label(closing_brace(&train.body), "a `loss` is missing before this")
                .secondary(keyword(train.span), "in this section")
                .hint("as in `loss l1(out, target);`");
            self.error(problem);
        }
        let loss = self.total(&said, train)?;
        let name = LOSS.to_owned();
        let ty = TensorType::f32(self.type_of(loss).shape.clone());
        self.graph.outputs.push(Output { name, value: loss, ty });
        Some((said, loss))
    }

    /// Makes the model's inputs and outputs known.
    fn see_model(&mut self, model: &'a Model) {
        for decl in &model.inputs {
            let named = |id: &&ValueId| self.graph.values[**id].name == decl.name.value;
            let value = self.graph.inputs.iter().find(named).map_or(Value::Unknown, |&id| Value::Tensor(id));
            self.frame.scopes.define(&decl.name.value, value, decl.name.span);
        }
        for decl in &model.outputs {
            let output = self.graph.outputs.iter().find(|output| output.name == decl.name.value);
            let value = output.map_or(Value::Unknown, |output| Value::Tensor(output.value));
            self.frame.scopes.define(&decl.name.value, value, decl.name.span);
        }
    }

    fn refuse_name_of_loss(&mut self, decl: &TensorDecl) {
        if decl.name.value == LOSS {
            let problem = Diagnostic::error(Code::E0204, "`loss` is what a training's result is called")
                .label(decl.name.span, "cannot be called so where there is a training section");
            self.error(problem);
        }
    }

    /// The sum of all losses in the order of the text: the output of an op, and none of the model's outputs.
    fn total(&mut self, said: &Said, train: &Train) -> Option<ValueId> {
        let losses: Vec<(ValueId, Span)> = said.losses.iter().copied().collect::<Option<_>>()?;
        let (&(first, span), rest) = losses.split_first()?;
        let mut sum = first;
        for (i, &(next, span)) in rest.iter().enumerate() {
            let name = (i + 1 == rest.len()).then_some(LOSS);
            let (a, b) = (Operand::Tensor(sum), Operand::Tensor(next));
            let Value::Tensor(id) = self.infix("add", a, b, span, name) else { return None };
            sum = id;
        }
        if self.graph.is_output(sum) {
            let (a, one) = (Operand::Tensor(sum), Operand::Number(1.0));
            let Value::Tensor(id) = self.infix("mul", a, one, span, Some(LOSS)) else { return None };
            sum = id;
        }
        self.graph.spans.outputs.insert(LOSS.to_owned(), train.span);
        Some(sum)
    }

    /// A statement of a training section; elsewhere it has been reported.
    pub(super) fn training_statement(&mut self, kind: &'a StmtKind, span: Span) {
        if self.training.is_none() {
            return;
        }
        match kind {
            StmtKind::Loss(value) => self.loss(value),
            StmtKind::Optimizer(value) => self.optimizer_statement(value, span),
            StmtKind::Schedule(value) => self.schedule_statement(value, span),
            StmtKind::Accumulate(value) => self.accumulate(value, span),
            StmtKind::Clip(value) => self.clip(value, span),
            _ => {}
        }
    }

    /// Notes what a training section says; where it has been closed by then, nobody asks.
    fn say(&mut self, say: impl FnOnce(&mut Said)) {
        if let Some(said) = &mut self.training {
            say(said);
        }
    }

    /// Whether a statement that there may be one of is the first.
    fn is_first(&mut self, keyword: &'static str, span: Span) -> bool {
        let Some(said) = &mut self.training else { return false };
        let first = *said.once.entry(keyword).or_insert(span);
        if first == span {
            return true;
        }
        self.given_twice(keyword, first, span);
        false
    }

    fn loss(&mut self, expr: &'a Expr) {
        let name = self.training.as_ref().is_some_and(|said| said.single).then_some(LOSS);
        let value = self.eval(expr, name);
        let loss = self.single_number(&value, expr.span).map(|id| (id, expr.span));
        self.say(|said| said.losses.push(loss));
    }

    /// The tensor that a loss is, if it can be one.
    fn single_number(&mut self, value: &Value, span: Span) -> Option<ValueId> {
        let problem = match value {
            Value::Unknown => return None,
            Value::Tensor(id) => {
                let one = self.type_of(*id).shape.dims().iter().all(|dim| dim.constant() == Some(1));
                match self.graph.values[*id].def {
                    Def::Op(_) if one => return Some(*id),
                    Def::Op(_) => {
                        Diagnostic::error(Code::E0223, "a loss is a single number, f32[1, 1, 1, 1]")
                    }
                    Def::Input | Def::Constant(_) => {
                        Diagnostic::error(Code::E0223, "a loss is what an op computes of the model's outputs")
                    }
                }
            }
            _ => Diagnostic::error(Code::E0223, "a loss is a tensor of one number"),
        };
        let found = format!("this is {}", self.describe(value));
        let hint = "`mse`, `l1`, `cross_entropy`, `bce_with_logits` and `dice` give one: `l1(out, target)`";
        self.error(problem.label(span, found).hint(hint));
        None
    }

    fn optimizer_statement(&mut self, expr: &'a Expr, span: Span) {
        let value = self.recipe(expr);
        if !self.is_first("optimizer", span) {
            return;
        }
        match value {
            Value::Optimizer(optimizer) => self.say(|said| said.optimizer = Some((*optimizer).clone())),
            other => self.not_a(&other, "`optimizer` takes an optimizer", "adamw(lr: 1e-3)", expr.span),
        }
    }

    fn schedule_statement(&mut self, expr: &'a Expr, span: Span) {
        let value = self.recipe(expr);
        if !self.is_first("schedule", span) {
            return;
        }
        match value {
            Value::Schedule(schedule) => self.say(|said| said.schedule = Some((*schedule).clone())),
            other => self.not_a(&other, "`schedule` takes a schedule", "cosine(steps: 1000)", expr.span),
        }
    }

    fn accumulate(&mut self, expr: &'a Expr, span: Span) {
        let value = self.eval(expr, None);
        if !self.is_first("accumulate", span) {
            return;
        }
        match value {
            Value::Int(steps @ 1..) => self.say(|said| said.accumulate = Some(steps.unsigned_abs())),
            other => self.not_a(&other, "`accumulate` takes a positive number of steps", "4", expr.span),
        }
    }

    fn clip(&mut self, expr: &'a Expr, span: Span) {
        let value = self.eval(expr, None);
        if !self.is_first("clip", span) {
            return;
        }
        let norm = match value {
            Value::Int(norm) => Some(norm as f64),
            Value::Float(norm) => Some(norm),
            _ => None,
        };
        match norm.filter(|norm| *norm > 0.0 && norm.is_finite()) {
            Some(norm) => self.say(|said| said.clip = Some(norm)),
            None => self.not_a(&value, "`clip` takes the greatest norm, a positive number", "1.0", expr.span),
        }
    }

    /// Reports that a statement takes something else.
    fn not_a(&mut self, value: &Value, message: &str, example: &str, span: Span) {
        if value.is_unknown() {
            return;
        }
        let keyword = message.split('`').nth(1).unwrap_or_default();
        self.error(
            Diagnostic::error(Code::E0207, message)
                .label(span, format!("this is {}", self.describe(value)))
                .hint(format!("as in `{keyword} {example};`")),
        );
    }
}

impl Said {
    /// What it comes to.
    pub(super) fn training(self, graph: Graph, loss: ValueId, targets: Vec<ValueId>, span: Span) -> Training {
        Training {
            graph,
            loss,
            targets,
            optimizer: self.optimizer,
            schedule: self.schedule.unwrap_or_default(),
            accumulate: self.accumulate.unwrap_or(1),
            clip: self.clip,
            span,
        }
    }
}
