//! The program level as statements.
//!
//! Numbers that may be infinite are written here, since JSON, which everything else goes through, has none.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zellige_grammar::zir::{Statement, Value as Text, ValueKind};
use zellige_grammar::{Code, parse_zir, print_zir};
use zellige_runtime::program::instr::Reduce;
use zellige_runtime::program::{
    Accumulator, Axis, Buffer, BufferSteps, Data, Element, Instr, Numerics, Program, Running, Scheduled,
    Section, Source, Tensor, Token, Weight,
};
use zellige_runtime::scalar::Expr;

use super::codec;
use super::reader::{Part, Reader, name_value};

type Attrs = IndexMap<String, Text>;

/// What a `program` statement says besides its body.
#[derive(Serialize, Deserialize)]
struct ProgramAttrs {
    numerics: Numerics,
    sram_bytes: u64,
    device_bytes: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    streamed: bool,
}

/// What a `section` statement says besides its body.
#[derive(Serialize, Deserialize)]
struct SectionAttrs {
    images: u64,
    #[serde(default = "one_colour", skip_serializing_if = "is_one_colour")]
    colours: [u64; 2],
}

fn one_colour() -> [u64; 2] {
    [1; 2]
}

fn is_one_colour(colours: &[u64; 2]) -> bool {
    *colours == one_colour()
}

/// What an axis says besides its buffers.
#[derive(Serialize, Deserialize)]
struct AxisAttrs {
    steps: u64,
}

/// What an instruction waits for.
#[derive(Serialize, Deserialize)]
struct Waits {
    #[serde(default)]
    wait: Vec<Token>,
    #[serde(default)]
    wait_previous: Vec<Token>,
}

pub(super) fn write(program: &Program) -> Statement {
    let &Program { numerics, sram_bytes, device_bytes, streamed, .. } = program;
    let mut body = vec![with("machine", codec::encode(&program.machine)), write_graph(&program.graph)];
    body.extend(numbered("tensor", "t", &program.tensors, write_tensor));
    body.extend(numbered("weight", "w", &program.weights, write_weight));
    body.extend(numbered("accumulator", "a", &program.accumulators, |a| named(&a.name, codec::encode(a))));
    let expression = |e: &Expr| (Some(nodes(e)), Attrs::new());
    body.extend(numbered("expression", "e", &program.expressions, expression));
    body.extend(program.sections.iter().map(write_section));
    with("program", codec::encode(&ProgramAttrs { numerics, sram_bytes, device_bytes, streamed }))
        .operand(name_value(&program.name))
        .body(body)
}

fn with(keyword: &str, attrs: Attrs) -> Statement {
    Statement { attrs, ..Statement::new(keyword) }
}

/// `keyword @x0 operand (attributes);` for each item.
fn numbered<T>(
    keyword: &'static str,
    sigil: &'static str,
    items: &[T],
    write: impl Fn(&T) -> (Option<Text>, Attrs),
) -> Vec<Statement> {
    let item = |(i, item): (usize, &T)| {
        let (operand, attrs) = write(item);
        let mut statement = with(keyword, attrs).operand(Text::global(format!("{sigil}{i}")));
        statement.operands.extend(operand);
        statement
    };
    items.iter().enumerate().map(item).collect()
}

/// The field `name` as an operand.
fn named(name: &str, mut attrs: Attrs) -> (Option<Text>, Attrs) {
    attrs.shift_remove("name");
    (Some(name_value(name)), attrs)
}

/// As a block where that gives the text back, as a string otherwise.
fn write_graph(text: &str) -> Statement {
    if let (Some(statements), problems) = parse_zir(text)
        && problems.is_empty()
        && let [statement] = statements.as_slice()
        && statement.keyword == "graph"
        && statement.body.is_some()
        && print_zir(&statements) == text
    {
        return statement.clone();
    }
    Statement::new("graph").operand(text)
}

fn write_tensor(tensor: &Tensor) -> (Option<Text>, Attrs) {
    let dims = tensor.dims;
    let mut attrs = codec::encode(tensor);
    if tensor.element == Element::F32 {
        attrs.shift_remove("element");
    }
    attrs.insert("dims".into(), Text::list([dims.n, dims.c, dims.h, dims.w]));
    named(&tensor.name, attrs)
}

fn write_weight(weight: &Weight) -> (Option<Text>, Attrs) {
    let (name, mut attrs) = named(&weight.name, codec::encode(weight));
    if let Source::Inline(values) = &weight.source {
        attrs.insert("source".into(), Text::map([("inline", Text::list(values.iter().copied()))]));
    }
    (name, attrs)
}

fn nodes(expr: &Expr) -> Text {
    Text::list(expr.nodes().iter().map(|node| Text::from(node.to_string())))
}

fn write_section(section: &Section) -> Statement {
    let buffers = section.buffers.iter().enumerate().map(|(i, buffer)| {
        let (name, mut attrs) = named(&buffer.name, codec::encode(buffer));
        insert_float(&mut attrs, "outside", buffer.outside);
        if !buffer.ring {
            attrs.shift_remove("ring");
        }
        let mut statement = with("buffer", attrs).operand(Text::local(format!("b{i}")));
        statement.operands.extend(name);
        statement
    });
    let axes = [write_axis("y", &section.y), write_axis("x", &section.x)];
    let end = section.end.iter().map(|reduce| with("reduce", codec::encode(reduce)));
    let running = section.running.iter().map(|running| with("running", codec::encode(running)));
    let body =
        buffers.chain(axes).chain(running).chain(section.body.iter().map(write_instruction)).chain(end);
    with("section", codec::encode(&SectionAttrs { images: section.images, colours: section.colours }))
        .operand(name_value(&section.name))
        .body(body.collect())
}

fn write_axis(name: &str, axis: &Axis) -> Statement {
    let buffer = |(i, steps): (usize, &BufferSteps)| {
        with("buffer", codec::encode(steps)).operand(Text::local(format!("b{i}")))
    };
    with(name, codec::encode(&AxisAttrs { steps: axis.steps }))
        .body(axis.buffers.iter().enumerate().map(buffer).collect())
}

/// Enums are maps of one entry: the instruction's name, and its fields.
fn write_instruction(scheduled: &Scheduled) -> Statement {
    let (keyword, mut attrs) = entry(codec::encode(&scheduled.instr));
    if let Instr::Copy(copy) = &scheduled.instr {
        insert_float(&mut attrs, "outside", Some(copy.outside));
    }
    let waits = Waits { wait: scheduled.wait.clone(), wait_previous: scheduled.wait_previous.clone() };
    let waits = codec::encode(&waits).into_iter();
    attrs.extend(waits.filter(|(_, tokens)| tokens.as_list().is_some_and(|t| !t.is_empty())));
    let mut statement = with(&keyword, attrs);
    statement.results.extend(scheduled.signal.map(|token| format!("t{}", token.0)));
    statement
}

/// The one entry of an enum that was encoded.
fn entry(mut encoded: Attrs) -> (String, Attrs) {
    match encoded.pop() {
        Some((keyword, Text { kind: ValueKind::Map(attrs), .. })) => (keyword, attrs),
        Some((keyword, _)) => (keyword, Attrs::new()),
        None => (String::new(), Attrs::new()),
    }
}

fn insert_float(attrs: &mut Attrs, key: &str, value: Option<f32>) {
    if let Some(value) = value {
        attrs.insert(key.to_owned(), value.into());
    }
}

/// The program of a statement; `None` where something is wrong with it, which the reader then knows.
pub(super) fn read(statement: &Statement, reader: &mut Reader) -> Option<Program> {
    let before = reader.problems.len();
    reader.only(statement, &[Part::Operands, Part::Attrs, Part::Body]);
    let name = reader.name(statement);
    let attrs: Option<ProgramAttrs> = reader.attrs(statement);
    let mut tables = Tables::default();
    for inner in reader.body(statement) {
        tables.statement(inner, reader);
    }
    for (there, what) in [(tables.machine.is_some(), "machine"), (tables.graph.is_some(), "graph")] {
        if !there {
            reader.error(Code::E0607, format!("the program has no `{what}`"), statement.span);
        }
    }
    let ProgramAttrs { numerics, sram_bytes, device_bytes, streamed } = attrs?;
    let program = Program {
        name: name?,
        numerics,
        machine: tables.machine?,
        graph: tables.graph?,
        sram_bytes,
        device_bytes,
        streamed,
        tensors: tables.tensors,
        weights: tables.weights,
        accumulators: tables.accumulators,
        expressions: tables.expressions,
        sections: tables.sections,
        data: Data::default(),
    };
    (reader.problems.len() == before).then_some(program)
}

/// The parts of a program, as they are read.
#[derive(Default)]
struct Tables {
    machine: Option<zellige_runtime::machine::Machine>,
    graph: Option<String>,
    tensors: Vec<Tensor>,
    weights: Vec<Weight>,
    accumulators: Vec<Accumulator>,
    expressions: Vec<Expr>,
    sections: Vec<Section>,
}

const PARTS: [&str; 7] = ["machine", "graph", "tensor", "weight", "accumulator", "expression", "section"];

impl Tables {
    fn statement(&mut self, statement: &Statement, reader: &mut Reader) {
        match statement.keyword.as_str() {
            "machine" if self.machine.is_none() => {
                reader.only(statement, &[Part::Attrs]);
                self.machine = reader.attrs(statement);
            }
            "graph" if self.graph.is_none() => self.graph = read_graph(statement, reader),
            "tensor" => {
                let at = position(statement, '@', "t", self.tensors.len(), reader);
                self.tensors.extend(at.and_then(|()| read_tensor(statement, reader)));
            }
            "weight" => {
                let at = position(statement, '@', "w", self.weights.len(), reader);
                self.weights.extend(at.and_then(|()| read_weight(statement, reader)));
            }
            "accumulator" => {
                let at = position(statement, '@', "a", self.accumulators.len(), reader);
                let read = |()| with_name(statement, statement.attrs.clone(), reader);
                self.accumulators.extend(at.and_then(read));
            }
            "expression" => {
                let at = position(statement, '@', "e", self.expressions.len(), reader);
                self.expressions.extend(at.and_then(|()| read_expression(statement, reader)));
            }
            "section" => self.sections.extend(read_section(statement, reader)),
            "machine" | "graph" => {
                let message = format!("`{}` is given twice", statement.keyword);
                reader.error(Code::E0604, message, statement.span);
            }
            _ => reader.unknown(statement, "a program", PARTS),
        }
    }
}

fn read_graph(statement: &Statement, reader: &mut Reader) -> Option<String> {
    match (statement.operands.as_slice(), &statement.body) {
        (_, Some(_)) => Some(print_zir(std::slice::from_ref(statement))),
        ([Text { kind: ValueKind::Str(text), .. }], None) => Some(text.clone()),
        _ => {
            reader.expected(statement, "a name and a body, or a string");
            None
        }
    }
}

/// Ids are positions, and written down for the reader's sake: the first operand must be the next one.
fn position(
    statement: &Statement,
    sigil: char,
    letter: &str,
    next: usize,
    reader: &mut Reader,
) -> Option<()> {
    let expected = format!("{letter}{next}");
    let first = statement.operands.first();
    let found = first.and_then(|o| if sigil == '@' { o.as_global() } else { o.as_local() });
    if found == Some(expected.as_str()) {
        return Some(());
    }
    let span = first.map_or(statement.span, |o| o.span);
    let message = format!("the next `{}` is `{sigil}{expected}`", statement.keyword);
    reader.error(Code::E0607, message, span);
    None
}

/// A structure whose field `name` is the second operand.
fn with_name<T: Serialize + serde::de::DeserializeOwned>(
    statement: &Statement,
    mut attrs: Attrs,
    reader: &mut Reader,
) -> Option<T> {
    reader.only(statement, &[Part::Operands, Part::Attrs])?;
    let [_, name] = statement.operands.as_slice() else {
        reader.expected(statement, "an id and a name");
        return None;
    };
    let name = reader.name_of(statement, name)?;
    attrs.insert("name".into(), Text::from(name));
    reader.decode(statement, &attrs)
}

fn read_tensor(statement: &Statement, reader: &mut Reader) -> Option<Tensor> {
    let mut attrs = statement.attrs.clone();
    if let Some(dims) = attrs.get_mut("dims")
        && let Some([n, c, h, w]) = dims.as_list()
    {
        *dims = Text::map([("n", n.clone()), ("c", c.clone()), ("h", h.clone()), ("w", w.clone())]);
    }
    with_name(statement, attrs, reader)
}

fn read_weight(statement: &Statement, reader: &mut Reader) -> Option<Weight> {
    let mut attrs = statement.attrs.clone();
    let inline = attrs.get("source").and_then(Text::as_map).and_then(|source| source.get("inline"));
    let Some(values) = inline.cloned() else { return with_name(statement, attrs, reader) };
    let numbers = values.as_list().and_then(|list| list.iter().map(float).collect::<Option<Vec<f32>>>());
    let Some(numbers) = numbers else {
        reader.error(Code::E0603, "`inline` is a list of numbers", values.span);
        return None;
    };
    attrs.insert("source".into(), Text::map([("inline", Text::list::<Text>([]))]));
    let weight: Weight = with_name(statement, attrs, reader)?;
    Some(Weight { source: Source::Inline(numbers), ..weight })
}

fn float(value: &Text) -> Option<f32> {
    value.as_float().map(|v| v as f32)
}

fn read_expression(statement: &Statement, reader: &mut Reader) -> Option<Expr> {
    reader.only(statement, &[Part::Operands])?;
    let [_, nodes] = statement.operands.as_slice() else {
        reader.expected(statement, "an id and a list of nodes");
        return None;
    };
    let json = zellige_grammar::zir::json::to_json(nodes);
    let expr = zellige_grammar::zir::decode::decode(json);
    expr.map_err(|e| reader.error(Code::E0607, e.to_string(), nodes.span)).ok()
}

fn read_section(statement: &Statement, reader: &mut Reader) -> Option<Section> {
    reader.only(statement, &[Part::Operands, Part::Attrs, Part::Body]);
    let name = reader.name(statement);
    let attrs: Option<SectionAttrs> = reader.attrs(statement);
    let (mut y, mut x) = (None, None);
    let (mut buffers, mut body, mut end, mut running) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for inner in reader.body(statement) {
        match inner.keyword.as_str() {
            "buffer" => {
                let at = position(inner, '%', "b", buffers.len(), reader);
                buffers.extend(at.and_then(|()| read_buffer(inner, reader)));
            }
            "y" if y.is_none() => y = read_axis(inner, reader),
            "x" if x.is_none() => x = read_axis(inner, reader),
            "y" | "x" => {
                reader.error(Code::E0604, format!("`{}` is given twice", inner.keyword), inner.span);
            }
            "reduce" => {
                reader.only(inner, &[Part::Attrs]);
                end.extend(reader.attrs::<Reduce>(inner));
            }
            "running" => {
                reader.only(inner, &[Part::Attrs]);
                running.extend(reader.attrs::<Running>(inner));
            }
            _ => body.extend(read_instruction(inner, reader)),
        }
    }
    for (axis, name) in [(&y, "y"), (&x, "x")] {
        if axis.is_none() {
            reader.error(Code::E0607, format!("the section has no step table `{name}`"), statement.span);
        }
    }
    let SectionAttrs { images, colours } = attrs?;
    Some(Section { name: name?, images, y: y?, x: x?, buffers, body, end, running, colours })
}

fn read_buffer(statement: &Statement, reader: &mut Reader) -> Option<Buffer> {
    let mut attrs = statement.attrs.clone();
    let outside = take_float(statement, &mut attrs, "outside", reader)?;
    let buffer: Buffer = with_name(statement, attrs, reader)?;
    Some(Buffer { outside, ..buffer })
}

/// The number of that name, if there is one, out of the attributes. `None` if it is no number.
fn take_float(
    statement: &Statement,
    attrs: &mut Attrs,
    key: &str,
    reader: &mut Reader,
) -> Option<Option<f32>> {
    let Some(value) = attrs.shift_remove(key) else { return Some(None) };
    let number = float(&value);
    if number.is_none() {
        reader.bad_attrs(statement, &format!("`{key}` is a number"), None);
    }
    number.map(Some)
}

fn read_axis(statement: &Statement, reader: &mut Reader) -> Option<Axis> {
    reader.only(statement, &[Part::Attrs, Part::Body]);
    let attrs: Option<AxisAttrs> = reader.attrs(statement);
    let mut buffers = Vec::new();
    for inner in reader.body(statement) {
        if inner.keyword != "buffer" {
            reader.unknown(inner, "a step table", ["buffer"]);
            continue;
        }
        reader.only(inner, &[Part::Operands, Part::Attrs]);
        let at = position(inner, '%', "b", buffers.len(), reader);
        buffers.extend(at.and_then(|()| reader.attrs::<BufferSteps>(inner)));
    }
    Some(Axis { steps: attrs?.steps, buffers })
}

/// The names of all instructions.
const INSTRUCTIONS: [&str; 18] = [
    "load",
    "store",
    "conv2d",
    "conv_transpose2d",
    "pool",
    "resize",
    "pixel_shuffle",
    "pixel_unshuffle",
    "copy",
    "map",
    "fold",
    "matmul",
    "accumulate",
    "conv_dw",
    "max_pool_dx",
    "adjoint",
    "dropout",
    "store_rmw",
];

fn read_instruction(statement: &Statement, reader: &mut Reader) -> Option<Scheduled> {
    if !INSTRUCTIONS.contains(&statement.keyword.as_str()) {
        let parts = ["buffer", "y", "x", "running", "reduce"];
        reader.unknown(statement, "a section", INSTRUCTIONS.into_iter().chain(parts));
        return None;
    }
    reader.only(statement, &[Part::Results, Part::Attrs])?;
    let signal = read_signal(statement, reader)?;
    let mut attrs = statement.attrs.clone();
    let waits = ["wait", "wait_previous"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), attrs.shift_remove(key)?)));
    let waits: Attrs = waits.collect();
    let Waits { wait, wait_previous } = reader.decode(statement, &waits)?;
    let is_copy = statement.keyword == "copy";
    let outside = if is_copy { take_float(statement, &mut attrs, "outside", reader)? } else { None };
    if outside.is_some() {
        attrs.insert("outside".into(), 0.0.into());
    }
    let fields = Text::from(ValueKind::Map(attrs));
    let mut instr: Instr =
        reader.decode(statement, &IndexMap::from([(statement.keyword.clone(), fields)]))?;
    if let (Instr::Copy(copy), Some(outside)) = (&mut instr, outside) {
        copy.outside = outside;
    }
    Some(Scheduled { instr, wait, wait_previous, signal })
}

/// The token that an instruction gives: its result.
fn read_signal(statement: &Statement, reader: &mut Reader) -> Option<Option<Token>> {
    let token = match statement.results.as_slice() {
        [] => return Some(None),
        [name] => serde_json::from_value(json!(format!("%{name}"))).ok(),
        _ => None,
    };
    if token.is_none() {
        reader.expected(statement, "one token as its result, such as `%t0`");
    }
    token.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_instructions_is_complete() {
        let error = serde_json::from_value::<Instr>(json!({"?": {}})).expect_err("no instruction");
        let known = INSTRUCTIONS.map(|name| format!("`{name}`")).join(", ");
        assert!(error.to_string().contains(&known), "{error}");
    }
}
