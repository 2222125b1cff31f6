//! Declared types.

use zellige_grammar::ast::{Model, TensorDecl, TensorType as Declared};
use zellige_grammar::dim::{DimExpr, DimKind};
use zellige_grammar::suggest::did_you_mean;
use zellige_grammar::{Code, Diagnostic, Span};

use super::bind::undetermined;
use super::expander::Expander;
use super::value::Value;
use crate::base::{Dim, Element, Shape, TensorType};
use crate::ir::Exact;

/// Largest size along an axis. Coordinates have 64 bits, and are multiplied with strides.
pub(super) const LARGEST: i64 = 1 << 40;

/// How long a size may be when it is written down.
const LONGEST: usize = 400;

/// Whether a size that depends on symbols can be computed with: it is short, and its coefficients are not huge.
pub(super) fn is_manageable(dim: &Dim) -> bool {
    if dim.constant().is_some() {
        return true;
    }
    let ones = dim.symbols().into_iter().map(|symbol| (symbol, 1)).collect();
    let least = dim.eval(&ones).is_some_and(|size| size.unsigned_abs() <= LARGEST.unsigned_abs());
    least && dim.to_string().len() <= LONGEST
}

impl<'a> Expander<'a> {
    /// Adds the model's inputs to the graph and to the scope.
    pub(super) fn declare_inputs(&mut self, model: &'a Model) {
        if model.inputs.is_empty() {
            self.error(
                Diagnostic::error(Code::E0504, "the model has no input")
                    .label(model.name.span, "expected `NAME: f32[…]` in the parentheses that follow"),
            );
        }
        self.declare_tensors(&model.inputs);
    }

    /// Adds inputs to the graph and to the scope: those of the model, or of its training.
    pub(super) fn declare_tensors(&mut self, inputs: &'a [TensorDecl]) {
        for input in inputs {
            let name = input.name.value.as_str();
            let value = match self.declared_type(&input.ty) {
                Some(ty) => {
                    let unique = self.fresh_name(name);
                    let id = self.graph.add_input(&unique, ty);
                    self.graph.spans.inputs.insert(id, input.span);
                    Value::Tensor(self.place(id, input.span))
                }
                None => Value::Unknown,
            };
            if let Some(first) = self.frame.scopes.define(name, value, input.name.span) {
                self.defined_twice(name, first, input.name.span, "give each input a name of its own");
            }
            self.introduce(name, "the input", input.name.span);
        }
        for symbol in undetermined(&self.graph) {
            let uses = inputs.iter().flat_map(|input| &input.ty.dims);
            let Some(dim) = uses.into_iter().find(|dim| dim.symbols().contains(&symbol.as_str())) else {
                continue;
            };
            self.error(
                Diagnostic::error(
                    Code::E0505,
                    format!("`{symbol}` does not follow from the sizes of the inputs"),
                )
                .label(dim.span, format!("this size does not tell what `{symbol}` is"))
                .hint(format!("a size that is `{symbol}` times a number plus a number would")),
            );
        }
    }

    /// The outputs' types; nothing for those with a mistake in them.
    pub(super) fn declare_outputs(&mut self, model: &'a Model) -> Vec<Option<TensorType>> {
        let known = self.graph.symbols();
        let complete = self.graph.inputs.len() == model.inputs.len();
        let mut seen: Vec<&TensorDecl> = model.inputs.iter().collect();
        let mut types = Vec::new();
        for output in &model.outputs {
            if let Some(first) = seen.iter().find(|other| other.name.value == output.name.value) {
                let hint = "a training section sees inputs and outputs by their names";
                self.defined_twice(&output.name.value, first.name.span, output.name.span, hint);
            }
            seen.push(output);
            let ty = self.declared_type(&output.ty);
            // An input with a mistake in its type may be where a symbol is from.
            let known = !complete || self.symbols_are_known(output, &known);
            types.push(ty.filter(|_| known));
        }
        if model.outputs.is_empty() {
            self.error(
                Diagnostic::error(Code::E0504, "the model has no output")
                    .label(Span::at(model.body.span.start), "expected `-> (NAME: f32[…])` before this"),
            );
        }
        types
    }

    /// Whether the symbols of an output's type are all among those of the inputs.
    fn symbols_are_known(&mut self, output: &TensorDecl, known: &[String]) -> bool {
        let uses = output
            .ty
            .dims
            .iter()
            .flat_map(|dim| dim.symbols().into_iter().map(move |symbol| (symbol, dim.span)));
        let unknown: Vec<_> = uses.filter(|(symbol, _)| known.iter().all(|other| other != symbol)).collect();
        for &(symbol, span) in &unknown {
            self.error(
                Diagnostic::error(Code::E0505, format!("`{symbol}` is in no input's type"))
                    .label(span, "its value could not be known")
                    .maybe_hint(did_you_mean(symbol, known.iter().map(String::as_str))),
            );
        }
        unknown.is_empty()
    }

    /// A type, if there is nothing wrong with it.
    fn declared_type(&mut self, ty: &Declared) -> Option<TensorType> {
        let element = self.element(ty);
        let dims: Vec<_> = ty.dims.iter().map(|dim| self.declared_dim(dim)).collect();
        let Ok([n, c, h, w]) = <[Option<Dim>; 4]>::try_from(dims) else {
            self.error(
                Diagnostic::error(
                    Code::E0303,
                    format!("a tensor has four dimensions, not {}", ty.dims.len()),
                )
                .label(ty.span, "expected images, channels, rows, columns")
                .hint("as in `f32[1, 3, H, W]`"),
            );
            return None;
        };
        let shape = Shape { n: n?, c: c?, h: h?, w: w? };
        element.map(|element| TensorType { element, shape })
    }

    fn element(&mut self, ty: &Declared) -> Option<Element> {
        let name = ty.dtype.value.as_str();
        let problem = match name {
            "f32" => return Some(Element::F32),
            "u8" => return Some(Element::U8),
            "u16" => return Some(Element::U16),
            "float" | "float32" | "fp32" | "f64" | "double" | "f16" | "half" | "bf16" => {
                Diagnostic::error(Code::E0310, format!("there is no element type `{name}`"))
                    .label(ty.dtype.span, "unknown type")
                    .hint("arithmetic is `f32` throughout")
            }
            _ => Diagnostic::error(Code::E0310, format!("there is no element type `{name}`"))
                .label(ty.dtype.span, "expected `f32`, `u8` or `u16`")
                .maybe_hint(did_you_mean(name, ["f32", "u8", "u16"])),
        };
        self.error(problem);
        None
    }

    /// A size in a declared type.
    fn declared_dim(&mut self, expr: &DimExpr) -> Option<Dim> {
        let dim = self.dim(expr)?;
        if dim.constant().is_some_and(|size| !(1..=LARGEST).contains(&size)) {
            let problem =
                Diagnostic::error(Code::E0311, format!("a size is between 1 and {LARGEST}, found {dim}"))
                    .label(expr.span, "out of range");
            self.error(problem);
            return None;
        }
        Some(dim)
    }

    fn dim(&mut self, expr: &DimExpr) -> Option<Dim> {
        let dim = match &expr.kind {
            DimKind::Int(value) => (*value).into(),
            DimKind::Sym(name) => Dim::symbol(name),
            DimKind::Neg(a) => self.dim(a)?.times(-1),
            DimKind::Add(a, b) => self.dim(a)?.add(&self.dim(b)?),
            DimKind::Sub(a, b) => self.dim(a)?.sub(&self.dim(b)?),
            DimKind::Mul(a, b) => self.dim(a)?.mul(&self.dim(b)?),
            DimKind::Div(a, b) => {
                let (dividend, divisor) = (self.dim(a)?, self.divisor(b)?);
                self.exact_quotient(&dividend, divisor, expr.span)?
            }
            DimKind::CeilDiv(a, b) => self.dim(a)?.ceil_div(self.divisor(b)?),
        };
        if !is_manageable(&dim) {
            let problem = Diagnostic::error(Code::E0311, "this size is too large or too complicated").label(
                expr.span,
                format!("more than {LARGEST}, or than {LONGEST} characters when it is multiplied out"),
            );
            self.error(problem);
            return None;
        }
        Some(dim)
    }

    fn divisor(&mut self, expr: &DimExpr) -> Option<i64> {
        let dim = self.dim(expr)?;
        let divisor = dim.constant().filter(|value| *value >= 1);
        if divisor.is_none() {
            self.error(
                Diagnostic::error(
                    Code::E0311,
                    format!("sizes are divided by positive integers, found {dim}"),
                )
                .label(expr.span, "the divisor"),
            );
        }
        divisor
    }

    /// `dividend / divisor`, which must be whole: at once where that is known, or else a condition on the sizes.
    pub(super) fn exact_quotient(&mut self, dividend: &Dim, divisor: i64, span: Span) -> Option<Dim> {
        if !dividend.divisible_by(divisor) {
            if dividend.constant().is_some() {
                self.error(
                    Diagnostic::error(Code::E0308, format!("{dividend} is not a multiple of {divisor}"))
                        .label(span, "sizes are divided without remainder")
                        .hint(format!("`ceil_div({dividend}, {divisor})` rounds up")),
                );
                return None;
            }
            let exact = Exact { dividend: dividend.clone(), divisor };
            if !self.graph.exact.contains(&exact) {
                self.graph.exact.push(exact);
                self.graph.spans.exact.push(span);
            }
        }
        Some(dividend.floor_div(divisor))
    }

    pub(super) fn defined_twice(&mut self, name: &str, first: Span, second: Span, hint: &str) {
        self.error(
            Diagnostic::error(Code::E0204, format!("`{name}` is defined twice"))
                .label(second, "defined again")
                .secondary(first, "first defined here")
                .hint(hint),
        );
    }
}
