//! From a tree to its text: stable, indented, at most 100 columns where that can be had.

use indexmap::IndexMap;

use super::{Statement, Value, ValueKind, is_plain_name, is_word};
use crate::literal::quote;

const WIDTH: usize = 100;
const INDENT: usize = 2;

/// Writes statements so that [`parse`](super::parse()) reads them back.
///
/// The same tree always gives the same text. Statements with a body stand apart by an
/// empty line at the outermost level; attributes that do not fit a line go one to a line.
#[must_use]
pub fn print(statements: &[Statement]) -> String {
    let mut printer = Printer { out: String::new(), line_start: 0, indent: 0 };
    for (index, statement) in statements.iter().enumerate() {
        let apart = |index: usize| statements.get(index).is_some_and(|statement| statement.body.is_some());
        if index > 0 && (apart(index) || apart(index - 1)) {
            printer.newline();
        }
        printer.statement(statement);
    }
    printer.out
}

/// Writes a value on one line.
#[must_use]
pub fn print_value(value: &Value) -> String {
    let mut out = String::new();
    flat(value, &mut out);
    out
}

struct Printer {
    out: String,
    /// Where the current line begins in `out`.
    line_start: usize,
    indent: usize,
}

impl Printer {
    fn statement(&mut self, statement: &Statement) {
        for line in statement.comment.iter().flat_map(|comment| comment.lines()) {
            self.begin_line();
            self.push("// ");
            self.push(line);
            self.newline();
        }
        self.begin_line();
        for (index, result) in statement.results.iter().enumerate() {
            self.push(if index == 0 { "" } else { ", " });
            reference('%', result, &mut self.out);
        }
        if !statement.results.is_empty() {
            self.push(" = ");
        }
        self.push(&statement.keyword);
        for operand in &statement.operands {
            self.operand(operand);
        }
        let ends_in_map =
            statement.operands.last().is_some_and(|last| matches!(last.kind, ValueKind::Map(_)));
        let ty = statement.ty.as_ref().map(print_value);
        let tail = ty.as_ref().map_or(0, |ty| ty.len() + " : ".len()) + " {".len();
        if !statement.attrs.is_empty() || ends_in_map {
            self.push(" ");
            self.map(&statement.attrs, tail);
        }
        if let Some(ty) = ty {
            self.push(" : ");
            self.push(&ty);
        }
        match &statement.body {
            None => self.push(";"),
            Some(body) if body.is_empty() => self.push(" {}"),
            Some(body) => {
                self.push(" {");
                self.newline();
                self.indent += INDENT;
                body.iter().for_each(|inner| self.statement(inner));
                self.indent -= INDENT;
                self.begin_line();
                self.push("}");
            }
        }
        self.newline();
    }

    /// An operand after a space, on a line of its own where this one is full.
    fn operand(&mut self, operand: &Value) {
        let text = print_value(operand);
        if self.fits(text.len() + 2) {
            self.push(" ");
            self.push(&text);
        } else if self.indent + 2 * INDENT + text.len() < WIDTH {
            self.newline();
            self.indent += 2 * INDENT;
            self.begin_line();
            self.indent -= 2 * INDENT;
            self.push(&text);
        } else {
            self.push(" ");
            self.value(operand, 1);
        }
    }

    /// A value, after which `tail` bytes follow on the same line.
    fn value(&mut self, value: &Value, tail: usize) {
        match &value.kind {
            ValueKind::List(elements) => self.list(elements, tail),
            ValueKind::Map(entries) => self.map(entries, tail),
            _ => flat(value, &mut self.out),
        }
    }

    fn list(&mut self, elements: &[Value], tail: usize) {
        let mut text = String::new();
        flat_list(elements, &mut text);
        if elements.is_empty() || self.fits(text.len() + tail) {
            return self.push(&text);
        }
        let nested =
            elements.iter().any(|element| matches!(element.kind, ValueKind::List(_) | ValueKind::Map(_)));
        self.push("[");
        self.newline();
        self.indent += INDENT;
        for (index, element) in elements.iter().enumerate() {
            // Plain numbers fill their lines, everything else has a line to itself.
            let mut text = String::new();
            if !nested {
                flat(element, &mut text);
            }
            if index == 0 {
                self.begin_line();
            } else if !nested && self.fits(text.len() + 2) {
                self.push(" ");
            } else {
                self.newline();
                self.begin_line();
            }
            if nested {
                self.value(element, 1);
            } else {
                self.push(&text);
            }
            self.push(",");
        }
        self.close("]");
    }

    fn map(&mut self, entries: &IndexMap<String, Value>, tail: usize) {
        let mut text = String::new();
        flat_map(entries, &mut text);
        if entries.is_empty() || self.fits(text.len() + tail) {
            return self.push(&text);
        }
        self.push("(");
        self.newline();
        self.indent += INDENT;
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.newline();
            }
            self.begin_line();
            write_key(key, &mut self.out);
            self.push(": ");
            self.value(value, 1);
            self.push(",");
        }
        self.close(")");
    }

    fn close(&mut self, bracket: &str) {
        self.newline();
        self.indent -= INDENT;
        self.begin_line();
        self.push(bracket);
    }

    fn fits(&self, bytes: usize) -> bool {
        self.out.len() - self.line_start + bytes <= WIDTH
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn newline(&mut self) {
        self.out.push('\n');
        self.line_start = self.out.len();
    }

    fn begin_line(&mut self) {
        self.out.extend(std::iter::repeat_n(' ', self.indent));
    }
}

fn flat(value: &Value, out: &mut String) {
    match &value.kind {
        ValueKind::None => out.push_str("none"),
        ValueKind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        ValueKind::Int(value) => out.push_str(&value.to_string()),
        ValueKind::Float(value) => out.push_str(&float(*value)),
        ValueKind::Str(text) => out.push_str(&quote(text)),
        ValueKind::Word(word) => out.push_str(word),
        ValueKind::Local(name) => reference('%', name, out),
        ValueKind::Global(name) => reference('@', name, out),
        ValueKind::Interval(a, b) => out.push_str(&format!("{a}..{b}")),
        ValueKind::List(elements) => flat_list(elements, out),
        ValueKind::Map(entries) => flat_map(entries, out),
        ValueKind::Tensor(ty) => {
            out.push_str(&ty.dtype);
            let dims: Vec<String> = ty.dims.iter().map(ToString::to_string).collect();
            out.push_str(&format!("[{}]", dims.join(", ")));
        }
    }
}

fn flat_list(elements: &[Value], out: &mut String) {
    out.push('[');
    for (index, element) in elements.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        flat(element, out);
    }
    out.push(']');
}

fn flat_map(entries: &IndexMap<String, Value>, out: &mut String) {
    out.push('(');
    for (index, (key, value)) in entries.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        write_key(key, out);
        out.push_str(": ");
        flat(value, out);
    }
    out.push(')');
}

fn write_key(key: &str, out: &mut String) {
    if is_word(key) { out.push_str(key) } else { out.push_str(&quote(key)) }
}

fn reference(sigil: char, name: &str, out: &mut String) {
    out.push(sigil);
    if is_plain_name(name) { out.push_str(name) } else { out.push_str(&quote(name)) }
}

/// The shortest text that reads back to the same bits: `0.5`, and `0.1f` for the `f32`.
fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let double = format!("{value:?}");
    let single = value as f32;
    if f64::from(single).to_bits() == value.to_bits() && value.is_finite() {
        let single = format!("{single:?}f");
        if single.len() < double.len() {
            return single;
        }
    }
    double
}
