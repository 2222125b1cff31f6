//! Optimizers and learning-rate schedules: what a training section says of them.

use std::rc::Rc;

use zellige_grammar::ast::{Call, Expr, ExprKind};
use zellige_grammar::suggest::did_you_mean;
use zellige_grammar::{Code, Diagnostic, Span, Spanned};
use zellige_runtime::optimizer::{Optimizer, Schedule};

use super::arguments::Given;
use super::expander::Expander;
use super::function::FUNCTIONS;
use super::recipes::{Build, RECIPES, Recipe};
use super::value::Value;

/// What other frameworks call them.
const ELSEWHERE: [(&str, &str); 7] = [
    ("adam", "adamw"),
    ("momentum", "sgd"),
    ("cosine_annealing", "cosine"),
    ("cosineannealinglr", "cosine"),
    ("linear_warmup", "warmup"),
    ("linearlr", "warmup"),
    ("constantlr", "constant"),
];

/// The optimizer or schedule of that name.
pub(super) fn find(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

impl<'a> Expander<'a> {
    /// The value of an expression in which calls are of optimizers and schedules.
    pub(super) fn recipe(&mut self, expr: &'a Expr) -> Value {
        let value = if self.enter(expr.span) { self.recipe_kind(expr) } else { Value::Unknown };
        self.leave();
        value
    }

    fn recipe_kind(&mut self, expr: &'a Expr) -> Value {
        match &expr.kind {
            ExprKind::Call(call) if !is_function(call) => self.recipe_call(call, None),
            ExprKind::Pipe { input, call } if !is_function(call) => {
                let inner = self.recipe(input);
                self.recipe_call(call, Some((inner, input.span)))
            }
            // As in a pipe, what has no arguments needs no parentheses.
            ExprKind::Name(name) if self.frame.scopes.get(name).is_none() => {
                let callee = Spanned::new(name.clone(), expr.span);
                self.made(&Call { callee, args: Vec::new(), span: expr.span }, Vec::new())
            }
            _ => self.eval(expr, None),
        }
    }

    fn recipe_call(&mut self, call: &'a Call, piped: Option<(Value, Span)>) -> Value {
        let mut given: Vec<Given<'a>> =
            piped.map(|(value, span)| Given { name: None, value, span }).into_iter().collect();
        for arg in &call.args {
            let value = self.recipe(&arg.value);
            given.push(Given { name: arg.name.as_ref(), value, span: arg.value.span });
        }
        self.made(call, given)
    }

    /// The optimizer or schedule that a call makes.
    fn made(&mut self, call: &Call, given: Vec<Given<'a>>) -> Value {
        let Some(recipe) = find(&call.callee.value) else { return self.unknown_recipe(call) };
        let formals = recipe.formals();
        let Some(matched) = self.match_arguments(call, given, &formals, None) else { return Value::Unknown };
        let mut args = matched.args;
        let inner = recipe.inner.map(|(_, at)| args.remove(at));
        let Some(values) = self.read_arguments(recipe.name, recipe.args(), &args) else {
            return Value::Unknown;
        };
        let inner_span = inner.iter().flatten().next().map_or(call.callee.span, |given| given.span);
        let inner = inner.flatten().map(|given| (given.value.clone(), given));
        let made = match (&recipe.build, inner) {
            (Build::Optimizer(build), None) => build(&values).map(optimizer),
            (Build::Schedule(build), None) => build(&values).map(schedule),
            (Build::Around(build), Some((Value::Optimizer(inner), _))) => {
                build(&values, (*inner).clone()).map(optimizer)
            }
            (Build::Before(build), Some((Value::Schedule(inner), _))) => {
                build(&values, (*inner).clone()).map(schedule)
            }
            (_, Some((_, given))) => return self.wrong_inner(recipe, &given),
            // That it is missing has been reported.
            (_, None) => return Value::Unknown,
        };
        made.unwrap_or_else(|error| {
            let specs = recipe.args();
            let of_args = specs.iter().zip(&args).find(|(spec, _)| spec.name == error.arg);
            let span = of_args.and_then(|(_, given)| given.as_ref()).map_or(inner_span, |given| given.span);
            self.impossible(recipe.name, &error, span);
            Value::Unknown
        })
    }

    fn wrong_inner(&mut self, recipe: &Recipe, given: &Given<'a>) -> Value {
        if given.value.is_unknown() {
            return Value::Unknown;
        }
        let (what, name) = (recipe.kind(), recipe.inner.map_or("", |(name, _)| name));
        let found = format!("this is {}", self.describe(&given.value));
        self.error(
            Diagnostic::error(Code::E0207, format!("`{name}` of `{}` is {what}", recipe.name))
                .label(given.span, found),
        );
        Value::Unknown
    }

    fn unknown_recipe(&mut self, call: &Call) -> Value {
        let name = call.callee.value.as_str();
        let folded = name.to_lowercase();
        let here = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == folded).map(|(_, here)| *here);
        let hint = match here.or_else(|| find(&folded).map(|recipe| recipe.name)) {
            Some(here) => Some(format!("here it is `{here}`")),
            None => did_you_mean(name, RECIPES.iter().map(|recipe| recipe.name)).or_else(|| {
                let names: Vec<_> = RECIPES.iter().map(|recipe| format!("`{}`", recipe.name)).collect();
                Some(format!("there are {}", names.join(", ")))
            }),
        };
        self.error(
            Diagnostic::error(Code::E0224, format!("no optimizer or schedule is called `{name}`"))
                .label(call.callee.span, "unknown")
                .maybe_hint(hint),
        );
        Value::Unknown
    }
}

fn optimizer(made: Optimizer) -> Value {
    Value::Optimizer(Rc::new(made))
}

fn schedule(made: Schedule) -> Value {
    Value::Schedule(Rc::new(made))
}

fn is_function(call: &Call) -> bool {
    FUNCTIONS.contains(&call.callee.value.as_str())
}
