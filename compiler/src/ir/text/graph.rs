//! The graph level as statements.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zellige_grammar::dim::{DimExpr, DimKind};
use zellige_grammar::zir::json::{attrs_to_json, from_json};
use zellige_grammar::zir::{Statement, TensorType as TypeText, Value as Text, ValueKind, parse_value};
use zellige_grammar::{Code, Diagnostic};

use super::codec;
use super::reader::{Part, Reader, name_value};
use crate::base::{Dim, Element, Id, OpId, ParamId, Shape, TensorType, ValueId};
use crate::ir::{Def, Derived, Direction, Exact, Graph, Node, Output, Param, Value};
use crate::ops::{self, Op};

const KEYWORDS: [&str; 6] = ["param", "input", "constant", "output", "exact", BACKWARD];

/// The statement behind which all ops are those of the backward pass.
const BACKWARD: &str = "backward";

/// What an `exact` statement says.
#[derive(Serialize, Deserialize)]
struct ExactAttrs {
    dividend: Dim,
    divisor: i64,
}

pub(super) fn write(graph: &Graph) -> Statement {
    let params = graph.params.iter().map(|(_, param)| write_param(graph, param));
    let first_backward = graph.ops.ids().find(|&op| graph.ops[op].direction == Direction::Backward);
    let values = graph.values.iter().flat_map(|(_, value)| {
        let begins = matches!(value.def, Def::Op(op) if Some(op) == first_backward);
        begins.then(|| Statement::new(BACKWARD)).into_iter().chain([write_value(graph, value)])
    });
    let outputs = graph.outputs.iter().map(|o| {
        let value = Text::local(&*graph.values[o.value].name);
        Statement::new("output").operand(name_value(&o.name)).operand(value).ty(type_text(&o.ty))
    });
    let exact = graph.exact.iter().map(|e| {
        let attrs = ExactAttrs { dividend: e.dividend.clone(), divisor: e.divisor };
        Statement { attrs: codec::encode(&attrs), ..Statement::new("exact") }
    });
    let mut statement = Statement::new("graph").operand(name_value(&graph.name));
    if let Some(weights) = &graph.weights {
        statement = statement.attr("weights", weights.as_str());
    }
    statement.body(params.chain(values).chain(outputs).chain(exact).collect())
}

/// A parameter's name, and the names of those that it follows from.
fn write_param(graph: &Graph, param: &Param) -> Statement {
    let mut names = vec![Text::global(&*param.name)];
    let mut statement = Statement::new("param").ty(sizes("f32", &param.dims));
    if let Some(derived) = &param.derived {
        names.extend(derived.sources.iter().map(|&s| Text::global(&*graph.params[s].name)));
        statement.attrs = codec::encode(&derived.formula);
    }
    Statement { operands: names, ..statement }
}

fn write_value(graph: &Graph, value: &Value) -> Statement {
    let ty = type_text(&value.ty);
    match &value.def {
        Def::Input => Statement::new("input").operand(Text::local(&*value.name)).ty(ty),
        Def::Constant(data) => {
            let data = Text::list(data.iter().copied());
            Statement::new("constant").operand(Text::local(&*value.name)).operand(data).ty(ty)
        }
        Def::Op(op) => {
            let node = &graph.ops[*op];
            let inputs = node.inputs.iter().map(|&v| Text::local(&*graph.values[v].name));
            let params = node.params.iter().map(|&p| Text::global(&*graph.params[p].name));
            let attrs = match from_json(&node.op.attrs()).kind {
                ValueKind::Map(attrs) => attrs,
                _ => indexmap::IndexMap::new(),
            };
            Statement { operands: inputs.chain(params).collect(), attrs, ..Statement::new(node.op.name()) }
                .result(&*value.name)
                .ty(ty)
        }
    }
}

fn type_text(ty: &TensorType) -> Text {
    let dims: Option<Vec<DimExpr>> =
        ty.shape.dims().into_iter().map(|d| d.constant().map(DimExpr::int)).collect();
    match dims {
        Some(dims) => Text::tensor(ty.element.name(), dims),
        // Sizes print as the grammar reads them.
        None => parse_value(&ty.to_string()).unwrap_or_else(|_| ty.to_string().into()),
    }
}

fn sizes(element: &str, sizes: &[u64]) -> Text {
    let size = |&size: &u64| DimExpr::int(i64::try_from(size).unwrap_or(i64::MAX));
    Text::tensor(element, sizes.iter().map(size))
}

/// The graph of a statement; `None` where something is wrong with it, which the reader then knows.
pub(super) fn read(statement: &Statement, reader: &mut Reader) -> Option<Graph> {
    let before = reader.problems.len();
    reader.only(statement, &[Part::Operands, Part::Attrs, Part::Body]);
    let mut builder = Builder::new(reader);
    builder.graph.name = builder.reader.name(statement).unwrap_or_default();
    builder.head(statement);
    for inner in builder.reader.body(statement) {
        builder.statement(inner);
    }
    let graph = builder.graph;
    (reader.problems.len() == before).then_some(graph)
}

/// A graph in the making.
struct Builder<'r> {
    reader: &'r mut Reader,
    graph: Graph,
    values: HashMap<String, ValueId>,
    params: HashMap<String, ParamId>,
    outputs: HashSet<String>,
    /// Of the ops that come now.
    direction: Direction,
    /// Names whose definitions are wrong, so that their uses are not.
    broken: HashSet<String>,
}

impl<'r> Builder<'r> {
    fn new(reader: &'r mut Reader) -> Self {
        Self {
            reader,
            graph: Graph::default(),
            values: HashMap::new(),
            params: HashMap::new(),
            outputs: HashSet::new(),
            direction: Direction::Forward,
            broken: HashSet::new(),
        }
    }

    fn head(&mut self, statement: &Statement) {
        for (key, value) in &statement.attrs {
            match (key.as_str(), value.as_str()) {
                ("weights", Some(file)) => self.graph.weights = Some(file.to_owned()),
                ("weights", None) => self.reader.bad_attrs(statement, "`weights` is a string", None),
                _ => {
                    let hint = zellige_grammar::suggest::did_you_mean(key, ["weights"]);
                    self.reader.bad_attrs(statement, &format!("there is no `{key}`"), hint);
                }
            }
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let done = match statement.keyword.as_str() {
            "param" => self.param(statement),
            "input" => self.input(statement),
            "constant" => self.constant(statement),
            "output" => self.output(statement),
            "exact" => self.exact(statement),
            BACKWARD => self.backward(statement),
            _ => self.op(statement),
        };
        if done.is_none() {
            let named =
                statement.operands.iter().find_map(|o| o.as_local().or(o.as_global())).map(str::to_owned);
            let defined = if KEYWORDS.contains(&statement.keyword.as_str()) { named } else { None };
            self.broken.extend(statement.results.iter().cloned().chain(defined));
        }
    }

    fn param(&mut self, statement: &Statement) -> Option<()> {
        self.reader.only(statement, &[Part::Operands, Part::Attrs, Part::Type])?;
        let [Text { kind: ValueKind::Global(name), span }, sources @ ..] = statement.operands.as_slice()
        else {
            self.reader.expected(statement, "an `@` name");
            return None;
        };
        let dims = self.param_dims(statement)?;
        let derived = self.derived(statement, sources)?;
        if self.params.contains_key(name) {
            self.reader.error(Code::E0604, format!("parameter `{name}` is defined twice"), *span);
            return None;
        }
        let id = self.graph.params.push(Param { name: name.clone(), dims, derived });
        self.params.insert(name.clone(), id);
        Some(())
    }

    /// What a parameter follows from, if it follows from others; `None` if something is wrong with that.
    fn derived(&mut self, statement: &Statement, sources: &[Text]) -> Option<Option<Derived>> {
        if sources.is_empty() && statement.attrs.is_empty() {
            return Some(None);
        }
        let formula = self.reader.attrs(statement);
        let sources: Vec<_> = sources.iter().map(|s| self.param_operand(statement, s)).collect();
        let sources = sources.into_iter().collect::<Option<_>>()?;
        Some(Some(Derived { formula: formula?, sources }))
    }

    fn param_dims(&mut self, statement: &Statement) -> Option<Vec<u64>> {
        let ty = self.type_text(statement)?;
        let size = |d: &DimExpr| if let DimKind::Int(n) = d.kind { u64::try_from(n).ok() } else { None };
        let dims: Option<Vec<u64>> = ty.dims.iter().map(size).collect();
        if dims.is_none() || ty.dtype != "f32" {
            let message = "the type of a parameter is `f32[…]` with whole numbers for sizes";
            self.reader.error(Code::E0607, message, statement.span);
            return None;
        }
        dims
    }

    fn input(&mut self, statement: &Statement) -> Option<()> {
        self.reader.only(statement, &[Part::Operands, Part::Type])?;
        let [Text { kind: ValueKind::Local(name), span }] = statement.operands.as_slice() else {
            self.reader.expected(statement, "a `%` name");
            return None;
        };
        let ty = self.ty(statement)?;
        self.fresh(name, *span)?;
        let id = self.define(name, ty, Def::Input);
        self.graph.inputs.push(id);
        self.graph.spans.inputs.insert(id, statement.span);
        Some(())
    }

    fn constant(&mut self, statement: &Statement) -> Option<()> {
        self.reader.only(statement, &[Part::Operands, Part::Type])?;
        let [Text { kind: ValueKind::Local(name), span }, Text { kind: ValueKind::List(list), .. }] =
            statement.operands.as_slice()
        else {
            self.reader.expected(statement, "a `%` name and a list of numbers");
            return None;
        };
        let ty = self.ty(statement)?;
        let number = |value: &Text| value.as_float().map(|v| v as f32).ok_or(value.span);
        let data = match list.iter().map(number).collect::<Result<Vec<f32>, _>>() {
            Ok(data) => data,
            Err(span) => {
                self.reader.error(Code::E0607, "the values of a constant are numbers", span);
                return None;
            }
        };
        self.fresh(name, *span)?;
        self.define(name, ty, Def::Constant(data.into()));
        Some(())
    }

    fn output(&mut self, statement: &Statement) -> Option<()> {
        self.reader.only(statement, &[Part::Operands, Part::Type])?;
        let [name, value] = statement.operands.as_slice() else {
            self.reader.expected(statement, "a name and a `%` name");
            return None;
        };
        let name_text = self.reader.name_of(statement, name)?;
        let ty = self.ty(statement);
        let value = self.value(statement, value)?;
        if !self.outputs.insert(name_text.clone()) {
            self.reader.error(Code::E0604, format!("output `{name_text}` is defined twice"), name.span);
            return None;
        }
        self.graph.spans.outputs.insert(name_text.clone(), statement.span);
        self.graph.outputs.push(Output { name: name_text, value, ty: ty? });
        Some(())
    }

    fn exact(&mut self, statement: &Statement) -> Option<()> {
        self.reader.only(statement, &[Part::Attrs])?;
        let ExactAttrs { dividend, divisor } = self.reader.attrs(statement)?;
        self.graph.exact.push(Exact { dividend, divisor });
        self.graph.spans.exact.push(statement.span);
        Some(())
    }

    fn backward(&mut self, statement: &Statement) -> Option<()> {
        self.reader.only(statement, &[])?;
        if std::mem::replace(&mut self.direction, Direction::Backward) == Direction::Backward {
            let message = "the backward pass begins twice";
            self.reader.error(Code::E0604, message, statement.span);
            return None;
        }
        Some(())
    }

    fn op(&mut self, statement: &Statement) -> Option<()> {
        let Some(def) = ops::find(&statement.keyword) else {
            let known: Vec<_> = ops::all().map(|def| def.name).chain(KEYWORDS).collect();
            self.reader.unknown(statement, "a graph", known);
            return None;
        };
        let shape = self.reader.only(statement, &[Part::Results, Part::Operands, Part::Attrs, Part::Type]);
        let [name] = statement.results.as_slice() else {
            self.reader.expected(statement, "one result, as in `%y = …`");
            return None;
        };
        let op: Option<Arc<dyn Op>> = (def.parse)(attrs_to_json(&statement.attrs))
            .map_err(|message| self.reader.bad_attrs(statement, &message, None))
            .ok();
        let operands = self.operands(statement);
        let ty = self.ty(statement);
        self.fresh(name, statement.span)?;
        let (op, (inputs, params), ty, ()) = (op?, operands?, ty?, shape?);
        let id = OpId::from_index(self.graph.ops.len());
        let output = self.define(name, ty, Def::Op(id));
        let (span, direction) = (statement.span, self.direction);
        self.graph.ops.push(Node { op, inputs, params, output, span, direction });
        Some(())
    }

    /// Values, then parameters.
    fn operands(&mut self, statement: &Statement) -> Option<(Vec<ValueId>, Vec<ParamId>)> {
        let values = statement.operands.iter().take_while(|o| o.as_global().is_none());
        let params = statement.operands.iter().skip_while(|o| o.as_global().is_none());
        let values: Vec<_> = values.map(|o| self.value(statement, o)).collect();
        let params: Vec<_> = params.map(|o| self.param_operand(statement, o)).collect();
        Some((values.into_iter().collect::<Option<_>>()?, params.into_iter().collect::<Option<_>>()?))
    }

    fn value(&mut self, statement: &Statement, operand: &Text) -> Option<ValueId> {
        let Some(name) = operand.as_local() else {
            let message = format!("`{}` takes `%` names, then `@` names", statement.keyword);
            self.reader.error(Code::E0607, message, operand.span);
            return None;
        };
        let id = self.values.get(name).copied();
        if id.is_none() && !self.broken.contains(name) {
            let known = self.values.keys().map(String::as_str);
            self.reader.push(undefined("value", '%', name, known, operand));
        }
        id
    }

    fn param_operand(&mut self, statement: &Statement, operand: &Text) -> Option<ParamId> {
        let Some(name) = operand.as_global() else {
            let message = format!("`{}` takes `%` names, then `@` names", statement.keyword);
            self.reader.error(Code::E0607, message, operand.span);
            return None;
        };
        let id = self.params.get(name).copied();
        if id.is_none() && !self.broken.contains(name) {
            let known = self.params.keys().map(String::as_str);
            self.reader.push(undefined("parameter", '@', name, known, operand));
        }
        id
    }

    fn fresh(&mut self, name: &str, span: zellige_grammar::Span) -> Option<()> {
        if self.values.contains_key(name) {
            self.reader.error(Code::E0604, format!("value `%{name}` is defined twice"), span);
            return None;
        }
        Some(())
    }

    fn define(&mut self, name: &str, ty: TensorType, def: Def) -> ValueId {
        let id = self.graph.values.push(Value { name: name.to_owned(), ty, def });
        self.values.insert(name.to_owned(), id);
        id
    }

    fn type_text<'s>(&mut self, statement: &'s Statement) -> Option<&'s TypeText> {
        let ty = statement.ty.as_ref().and_then(Text::as_tensor);
        if ty.is_none() {
            let span = statement.ty.as_ref().map_or(statement.span, |t| t.span);
            let message = format!("`{}` has a tensor type, as in `: f32[1, 3, H, W]`", statement.keyword);
            self.reader.error(Code::E0607, message, span);
        }
        ty
    }

    fn ty(&mut self, statement: &Statement) -> Option<TensorType> {
        let text = self.type_text(statement)?;
        let span = statement.ty.as_ref().map_or(statement.span, |t| t.span);
        let element = [Element::F32, Element::U8, Element::U16].into_iter().find(|e| e.name() == text.dtype);
        if element.is_none() {
            let message = format!("there is no element type `{}`: it is f32, u8 or u16", text.dtype);
            self.reader.error(Code::E0607, message, span);
        }
        let dims: Option<Vec<Dim>> = text.dims.iter().map(|d| Dim::from_expr(d, &mut Vec::new())).collect();
        match (element, dims.as_deref()) {
            (Some(element), Some([n, c, h, w])) => {
                let shape = Shape { n: n.clone(), c: c.clone(), h: h.clone(), w: w.clone() };
                Some(TensorType { element, shape })
            }
            (_, Some(dims)) if dims.len() != 4 => {
                let message = format!("a tensor has 4 dimensions (N, C, H, W), found {}", dims.len());
                self.reader.error(Code::E0607, message, span);
                None
            }
            (_, None) => {
                let message = "sizes are whole numbers and symbols, divided by positive numbers only";
                self.reader.error(Code::E0607, message, span);
                None
            }
            _ => None,
        }
    }
}

fn undefined<'a>(
    what: &str,
    sigil: char,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    operand: &Text,
) -> Diagnostic {
    // The order of a map is nobody's: sorted, the same text always gives the same hint.
    let mut known: Vec<_> = known.into_iter().collect();
    known.sort_unstable();
    let closest =
        zellige_grammar::suggest::closest(name, known).map(|n| format!("did you mean `{sigil}{n}`?"));
    Diagnostic::error(Code::E0602, format!("there is no {what} `{sigil}{name}` before here"))
        .label(operand.span, "not defined")
        .maybe_hint(closest)
}
