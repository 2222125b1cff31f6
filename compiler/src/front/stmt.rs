//! Statements.

use zellige_grammar::ast::{Body, Expr, Ident, IfArm, Stmt, StmtKind, StringLit};
use zellige_grammar::suggest::did_you_mean;
use zellige_grammar::{Code, Diagnostic, Span};

use super::expander::{Expander, Flow, MOST_STEPS};
use super::value::Value;

impl<'a> Expander<'a> {
    /// Runs statements in the innermost scope.
    pub(super) fn body(&mut self, body: &'a Body) -> Flow<'a> {
        let mut flow = Flow::Next;
        if self.enter(body.span) {
            for stmt in &body.stmts {
                flow = if self.step(stmt.span) { self.stmt(stmt) } else { Flow::Unknown };
                if !matches!(flow, Flow::Next) {
                    break;
                }
            }
        }
        self.leave();
        if self.exhausted { Flow::Unknown } else { flow }
    }

    fn scoped(&mut self, body: &'a Body) -> Flow<'a> {
        self.frame.scopes.push();
        let flow = self.body(body);
        self.frame.scopes.pop();
        flow
    }

    fn stmt(&mut self, stmt: &'a Stmt) -> Flow<'a> {
        match &stmt.kind {
            StmtKind::Weights(file) => self.weights(file, stmt.span),
            StmtKind::Let { name, value } => self.introduction(name, value),
            StmtKind::Assign { name, value } => self.assignment(name, value),
            StmtKind::For { var, start, end, body } => {
                return self.repetition(var, start, end, body, stmt.span);
            }
            StmtKind::If { arms, otherwise } => return self.choice(arms, otherwise.as_ref()),
            StmtKind::Return(values) => {
                let names = std::mem::take(&mut self.frame.results);
                let values = values.iter().enumerate();
                let values =
                    values.map(|(i, value)| (self.eval(value, names.get(i).map(String::as_str)), value.span));
                return Flow::Return(values.collect(), stmt);
            }
            StmtKind::Loss(_)
            | StmtKind::Optimizer(_)
            | StmtKind::Schedule(_)
            | StmtKind::Accumulate(_)
            | StmtKind::Clip(_) => self.training_statement(&stmt.kind, stmt.span),
        }
        Flow::Next
    }

    fn weights(&mut self, file: &'a StringLit, span: Span) {
        let Value::Text(path) = self.string(file) else { return };
        if path.is_empty() {
            self.error(
                Diagnostic::error(Code::E0209, "the name of the weights' file is empty")
                    .label(file.span, "empty"),
            );
        }
        match self.weights_at {
            Some(first) => self.given_twice("weights", first, span),
            None => self.graph.weights = Some(path.to_string()),
        }
        self.weights_at = self.weights_at.or(Some(span));
    }

    fn introduction(&mut self, name: &'a Ident, value: &'a Expr) {
        let qualified = format!("{}{}", self.frame.prefix, name.value);
        let value = self.eval(value, Some(&qualified));
        if let Some(first) = self.frame.scopes.define(&name.value, value, name.span) {
            let hint = format!("a name is given another value without `let`: `{} = …;`", name.value);
            self.defined_twice(&name.value, first, name.span, &hint);
        }
        self.introduce(&name.value, "the value", name.span);
    }

    fn assignment(&mut self, name: &'a Ident, value: &'a Expr) {
        let qualified = format!("{}{}", self.frame.prefix, name.value);
        let value = self.eval(value, Some(&qualified));
        if let Some(binding) = self.frame.scopes.get_mut(&name.value) {
            binding.value = value;
            return;
        }
        let close = did_you_mean(&name.value, self.frame.scopes.names());
        let hint =
            close.unwrap_or_else(|| format!("a new name is introduced by `let`: `let {} = …;`", name.value));
        self.error(
            Diagnostic::error(
                Code::E0210,
                format!("nothing is called `{}` that could get another value", name.value),
            )
            .label(name.span, "unknown name")
            .hint(hint),
        );
        self.frame.scopes.define(&name.value, value, name.span);
    }

    fn repetition(
        &mut self,
        var: &'a Ident,
        start: &'a Expr,
        end: &'a Expr,
        body: &'a Body,
        span: Span,
    ) -> Flow<'a> {
        let (first, last) = (self.loop_bound(start), self.loop_bound(end));
        let (Some(first), Some(last)) = (first, last) else { return self.skip(vec![body]) };
        if last.saturating_sub(first) > MOST_STEPS as i64 {
            let rounds = i128::from(last) - i128::from(first);
            self.exhaust(
                Diagnostic::error(Code::E0216, "the model takes too many steps to expand")
                    .label(start.span.to(end.span), format!("{rounds} rounds, of at most {MOST_STEPS}")),
            );
            return Flow::Unknown;
        }
        for round in first..last {
            if !self.step(span) {
                return Flow::Unknown;
            }
            self.frame.scopes.push();
            self.frame.scopes.define(&var.value, Value::Int(round), var.span);
            self.frame.rounds.push((var.value.clone(), round));
            let flow = self.scoped(body);
            self.frame.rounds.pop();
            self.frame.scopes.pop();
            if !matches!(flow, Flow::Next) {
                return flow;
            }
        }
        Flow::Next
    }

    fn loop_bound(&mut self, expr: &'a Expr) -> Option<i64> {
        let value = self.eval(expr, None);
        let problem = match &value {
            Value::Int(v) => return Some(*v),
            Value::Unknown => return None,
            Value::Tensor(_) | Value::Size(_) => {
                Diagnostic::error(Code::E0213, "how often a loop runs must be known at compile time")
            }
            _ => Diagnostic::error(Code::E0207, "a loop runs from one integer to another"),
        };
        self.error(problem.label(expr.span, format!("this is {}", self.describe(&value))));
        None
    }

    fn choice(&mut self, arms: &'a [IfArm], otherwise: Option<&'a Body>) -> Flow<'a> {
        for (i, arm) in arms.iter().enumerate() {
            match self.condition(&arm.cond) {
                Some(true) => return self.scoped(&arm.body),
                Some(false) => {}
                None => return self.skip(bodies(&arms[i..], otherwise)),
            }
        }
        otherwise.map_or(Flow::Next, |body| self.scoped(body))
    }

    /// Leaves out statements of which it is not known whether they run: what they would assign is unknown from then on.
    fn skip(&mut self, skipped: Vec<&'a Body>) -> Flow<'a> {
        let mut returns = false;
        for body in skipped {
            for stmt in &body.stmts {
                let flow = match &stmt.kind {
                    StmtKind::Assign { name, .. } => {
                        if let Some(binding) = self.frame.scopes.get_mut(&name.value) {
                            binding.value = Value::Unknown;
                        }
                        Flow::Next
                    }
                    StmtKind::For { body, .. } => self.skip(vec![body]),
                    StmtKind::If { arms, otherwise } => self.skip(bodies(arms, otherwise.as_ref())),
                    StmtKind::Return(_) => Flow::Unknown,
                    _ => Flow::Next,
                };
                returns |= !matches!(flow, Flow::Next);
            }
        }
        if returns { Flow::Unknown } else { Flow::Next }
    }
}

fn bodies<'a>(arms: &'a [IfArm], otherwise: Option<&'a Body>) -> Vec<&'a Body> {
    arms.iter().map(|arm| &arm.body).chain(otherwise).collect()
}
