//! From the sizes of inputs to the values of symbols, and whether the model can take them.

use indexmap::IndexMap;
use zellige_grammar::suggest::did_you_mean;
use zellige_grammar::{Code, Diagnostic, Span};

use super::types::LARGEST;
use crate::base::{Bindings, Dim, ValueId};
use crate::ir::{Graph, Value};
use crate::ops::{Requirement, Sizes};

/// Names of the axes.
const AXES: [&str; 4] = ["images", "channels", "rows", "columns"];

/// Largest tensor in elements; its bytes are counted in 64 bits.
const MOST_ELEMENTS: i128 = 1 << 60;

/// The graph for inputs of the given sizes, and the values of its symbols: [`solve`], then every condition on sizes is
/// checked, and they are put in.
///
/// `given` may name some of the inputs only, as long as every symbol gets a value by them or by `explicit`.
pub fn bind(
    graph: &Graph,
    given: &[(String, Sizes)],
    explicit: &Bindings,
) -> Result<(Graph, Bindings), Vec<Diagnostic>> {
    let bindings = solve(graph, given, explicit)?;
    let violated = violations(graph, &bindings);
    if !violated.is_empty() {
        return Err(violated);
    }
    let bound = graph.bind(&bindings).map_err(|error| vec![Diagnostic::error(Code::E0506, error.message)])?;
    if let Some((id, problem)) = bound.values.iter().find_map(|(id, value)| Some((id, out_of_range(value)?)))
    {
        return Err(vec![at(problem, bound.span_of(id), "")]);
    }
    Ok((bound, bindings))
}

/// The problem with its place, where that is known.
fn at(problem: Diagnostic, span: Option<Span>, label: impl Into<String>) -> Diagnostic {
    match span {
        Some(span) => problem.label(span, label),
        None => problem,
    }
}

/// What is wrong with a tensor's sizes, if they are too small or too large.
fn out_of_range(value: &Value) -> Option<Diagnostic> {
    let sizes = value.ty.shape.dims().map(|dim| dim.constant().filter(|size| *size >= 1));
    let elements =
        sizes.iter().try_fold(1i128, |elements, size| Some(elements.saturating_mul((*size)?.into())));
    let what = match elements {
        Some(elements) if elements <= MOST_ELEMENTS => return None,
        Some(_) => "which is too large",
        None => "which has no elements",
    };
    let message = format!("`{}` would be {}, {what}", value.name, value.ty);
    Some(Diagnostic::error(Code::E0506, message))
}

/// The values of all symbols, from the sizes of inputs and from explicit bindings (`--bind H=480`).
pub fn solve(
    graph: &Graph,
    given: &[(String, Sizes)],
    explicit: &Bindings,
) -> Result<Bindings, Vec<Diagnostic>> {
    let mut solver = Solver { graph, known: IndexMap::new(), problems: Vec::new() };
    solver.take_explicit(explicit);
    let equations = solver.equations(given);
    solver.propagate(equations);
    solver.finish()
}

/// `dim` is `size`, because an axis of an input has the declared size `declared`, and in fact `given`.
struct Equation {
    dim: Dim,
    size: i64,
    given: i64,
    input: String,
    span: Option<Span>,
    axis: &'static str,
    declared: Dim,
}

impl Equation {
    fn source(&self) -> String {
        format!("the {} of `{}`", self.axis, self.input)
    }
}

/// What a symbol is, and who says so.
struct Known {
    value: i64,
    source: String,
    span: Option<Span>,
}

struct Solver<'g> {
    graph: &'g Graph,
    known: IndexMap<String, Known>,
    problems: Vec<Diagnostic>,
}

impl Solver<'_> {
    fn take_explicit(&mut self, explicit: &Bindings) {
        let symbols = self.graph.symbols();
        for (name, &value) in explicit {
            if !symbols.contains(name) {
                let known = symbols.iter().map(String::as_str);
                self.problems.push(
                    Diagnostic::error(Code::E0003, format!("no input of the model has a dimension `{name}`"))
                        .maybe_hint(did_you_mean(name, known)),
                );
            } else if value < 1 {
                self.problems
                    .push(Diagnostic::error(Code::E0003, format!("`{name}` is at least 1, not {value}")));
            } else {
                self.known.insert(name.clone(), Known { value, source: "`--bind`".to_owned(), span: None });
            }
        }
    }

    /// An equation for each axis of the inputs; sizes that are no symbols' are compared at once.
    fn equations(&mut self, given: &[(String, Sizes)]) -> Vec<Equation> {
        let mut equations = Vec::new();
        for (name, sizes) in given {
            let name_of = |id: ValueId| self.graph.values[id].name.as_str();
            let inputs = self.graph.inputs.iter().copied();
            let Some(id) = inputs.clone().find(|&id| name_of(id) == *name) else {
                let hint = did_you_mean(name, inputs.map(name_of));
                self.problems.push(
                    Diagnostic::error(Code::E0507, format!("the model has no input `{name}`"))
                        .maybe_hint(hint),
                );
                continue;
            };
            let (input, span) = (&self.graph.values[id], self.graph.span_of(id));
            for ((declared, &size), axis) in input.ty.shape.dims().into_iter().zip(sizes).zip(AXES) {
                let given = i64::try_from(size).unwrap_or(i64::MAX);
                if !(1..=LARGEST).contains(&given) {
                    let message = format!("`{name}` has {size} {axis}: that is not between 1 and {LARGEST}");
                    self.problems.push(Diagnostic::error(Code::E0506, message));
                    continue;
                }
                match declared.constant() {
                    Some(expected) if expected == given => {}
                    Some(expected) => {
                        let code = if axis == "channels" { Code::E0503 } else { Code::E0506 };
                        let message = format!("`{name}` has {size} {axis}, but the model takes {expected}");
                        let problem = Diagnostic::error(code, message);
                        self.problems.push(match span {
                            Some(span) => problem.label(span, "declared here"),
                            None => problem.note(format!("`{name}` is declared {}", input.ty)),
                        });
                    }
                    None => {
                        let (dim, size) = undivided(self.graph, declared, given);
                        let (input, declared) = (name.clone(), declared.clone());
                        equations.push(Equation { dim, size, given, input, span, axis, declared });
                    }
                }
            }
        }
        equations
    }

    /// Solves one equation after the other, until those that are left have more than one unknown.
    fn propagate(&mut self, mut equations: Vec<Equation>) {
        loop {
            let before = equations.len();
            equations = equations.into_iter().filter_map(|equation| self.apply(equation)).collect();
            if equations.len() == before {
                return;
            }
        }
    }

    /// Uses an equation; gives it back where it does not tell anything yet.
    fn apply(&mut self, equation: Equation) -> Option<Equation> {
        let dim = equation.dim.substitute(&self.bindings());
        if let Some(value) = dim.constant() {
            // A symbol that has got no value, or another one, because of an earlier problem is none of its own.
            if value != equation.size && self.problems.is_empty() {
                self.contradiction(&equation);
            }
            return None;
        }
        let symbols = dim.symbols();
        let [symbol] = symbols.as_slice() else { return Some(equation) };
        let Some((factor, constant)) = dim.as_linear_in(symbol) else { return Some(equation) };
        let rest = equation.size.saturating_sub(constant);
        match rest.checked_rem(factor) {
            Some(0) if rest / factor >= 1 => {
                let (value, source) = (rest / factor, equation.source());
                self.known.insert(symbol.clone(), Known { value, source, span: equation.span });
            }
            _ => {
                let message = format!(
                    "{} cannot be {}: the model takes {}, for a whole `{symbol}` of at least 1",
                    equation.source(),
                    equation.given,
                    equation.declared
                );
                self.problems.push(at(Diagnostic::error(Code::E0506, message), equation.span, ""));
            }
        }
        None
    }

    /// The known values do not give the size that an input has.
    fn contradiction(&mut self, equation: &Equation) {
        let symbols = equation.dim.symbols();
        let linear = symbols.first().and_then(|symbol| {
            let (factor, constant) = equation.dim.as_linear_in(symbol)?;
            let rest = equation.size.checked_sub(constant)?;
            (rest.checked_rem(factor)? == 0).then_some((symbol, rest / factor))
        });
        let problem = match linear {
            Some((symbol, value)) if let Some(known) = self.known.get(symbol) => {
                let message = format!(
                    "`{symbol}` would be {} by {}, and {value} by {}",
                    known.value,
                    known.source,
                    equation.source()
                );
                let problem = Diagnostic::error(Code::E0508, message);
                let problem = at(problem, equation.span, format!("{value} by this"));
                match known.span.filter(|&span| Some(span) != equation.span) {
                    Some(span) => problem.secondary(span, format!("{} by this", known.value)),
                    None => problem,
                }
            }
            _ => {
                let values = self.describe(&symbols);
                let message = format!(
                    "{} cannot be {}: the model takes {} with {values}",
                    equation.source(),
                    equation.given,
                    equation.declared
                );
                at(Diagnostic::error(Code::E0506, message), equation.span, "")
            }
        };
        self.problems.push(problem);
    }

    fn describe(&self, symbols: &[String]) -> String {
        let known = symbols.iter().filter_map(|name| self.known.get(name).map(|known| (name, known)));
        known.map(|(name, known)| format!("{name} = {}", known.value)).collect::<Vec<_>>().join(", ")
    }

    fn bindings(&self) -> Bindings {
        self.known.iter().map(|(name, known)| (name.clone(), known.value)).collect()
    }

    fn finish(mut self) -> Result<Bindings, Vec<Diagnostic>> {
        let unbound: Vec<_> =
            self.graph.symbols().into_iter().filter(|s| !self.known.contains_key(s)).collect();
        // Where something else is wrong, it may be why a symbol has no value.
        if !unbound.is_empty() && self.problems.is_empty() {
            let names: Vec<_> = unbound.iter().map(|name| format!("`{name}`")).collect();
            let binds: Vec<_> = unbound.iter().map(|name| format!("{name}=…")).collect();
            let message = format!("the size of {} is not known", names.join(" and "));
            let has_some = |id: &&ValueId| {
                let dims = self.graph.values[**id].ty.shape.dims();
                dims.iter().any(|dim| dim.symbols().iter().any(|symbol| unbound.contains(symbol)))
            };
            let declared = self.graph.inputs.iter().find(has_some).and_then(|&id| self.graph.span_of(id));
            self.problems.push(
                at(Diagnostic::error(Code::E0505, message), declared, "")
                    .hint(format!("give it: `--bind {}`", binds.join(","))),
            );
        }
        if self.problems.is_empty() { Ok(self.bindings()) } else { Err(self.problems) }
    }
}

/// The declared size `dim`, and what it is; `d/k`, which is exact, is told as `d`.
fn undivided(graph: &Graph, dim: &Dim, size: i64) -> (Dim, i64) {
    let exact = graph.exact.iter().find(|exact| exact.dividend.floor_div(exact.divisor) == *dim);
    exact.map_or_else(
        || (dim.clone(), size),
        |exact| (exact.dividend.clone(), size.saturating_mul(exact.divisor)),
    )
}

/// Symbols of the inputs that no sizes of inputs determine.
pub(super) fn undetermined(graph: &Graph) -> Vec<String> {
    let shapes = graph.inputs.iter().map(|&id| &graph.values[id].ty.shape);
    let dims: Vec<Dim> =
        shapes.flat_map(|shape| shape.dims()).map(|dim| undivided(graph, dim, 1).0).collect();
    // Any value will do for a symbol that is known: what counts is whether the rest is linear then.
    let mut known = Bindings::default();
    loop {
        let before = known.len();
        for dim in dims.iter().map(|dim| dim.substitute(&known)).collect::<Vec<_>>() {
            if let [symbol] = dim.symbols().as_slice()
                && dim.as_linear_in(symbol).is_some()
            {
                known.insert(symbol.clone(), 1);
            }
        }
        if known.len() == before {
            return graph.symbols().into_iter().filter(|symbol| !known.contains_key(symbol)).collect();
        }
    }
}

/// The conditions on sizes that do not hold, each with its reason, at the place that asks for it. Those on the same symbols
/// usually have one cause: the plainest is told, and how many there are.
fn violations(graph: &Graph, bindings: &Bindings) -> Vec<Diagnostic> {
    let mut by_symbols: IndexMap<Vec<String>, Vec<(Option<Span>, Requirement)>> = IndexMap::new();
    for (span, requirement) in graph.requirements() {
        if requirement.condition.decide(bindings) == Some(false) {
            let violated = by_symbols.entry(requirement.condition.symbols()).or_default();
            if violated.iter().all(|(_, other)| other.condition != requirement.condition) {
                violated.push((span, requirement));
            }
        }
    }
    let problems = by_symbols.into_iter().filter_map(|(symbols, violated)| {
        let others = violated.len() - 1;
        // Ops come in order: without a plain one, the first is the cause of the rest.
        let (span, requirement) =
            violated.into_iter().min_by_key(|(_, requirement)| !requirement.condition.is_plain())?;
        let problem = violation(span, &requirement, &symbols, bindings);
        Some(match others {
            0 => problem,
            1 => problem.note("one more condition on it does not hold"),
            _ => problem.note(format!("{others} more conditions on it do not hold")),
        })
    });
    problems.collect()
}

fn violation(
    span: Option<Span>,
    requirement: &Requirement,
    symbols: &[String],
    bindings: &Bindings,
) -> Diagnostic {
    let Requirement { condition, because } = requirement;
    let sizes = symbols.iter().filter_map(|name| bindings.get(name).map(|value| format!("{name} = {value}")));
    let message = format!("the model cannot take {}: {condition}", sizes.collect::<Vec<_>>().join(", "));
    let problem = Diagnostic::error(Code::E0506, message);
    match span {
        Some(span) => problem.label(span, format!("because {because}")),
        None => problem.note(format!("because {because}")),
    }
}
