//! The sections level as statements.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zellige_grammar::zir::{Statement, Value as Text};
use zellige_grammar::{Code, Diagnostic};

use super::reader::{Part, Reader, name_value};
use super::{codec, graph};
use crate::base::{OpId, ValueId};
use crate::ir::{
    Composite, Device, Gradient, Graph, Materialize, Overlap, Padding, Section, Sections, Target, Tiling,
};

/// What a `section` statement says besides its tensors.
#[derive(Serialize, Deserialize)]
struct SectionAttrs {
    tile: Option<[u64; 2]>,
    overlap: Option<Overlap>,
    #[serde(default, skip_serializing_if = "is_post")]
    padding: Padding,
    #[serde(default, skip_serializing_if = "is_halo")]
    gradient: Gradient,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    colours: Option<[u64; 2]>,
    grid: Option<[u64; 2]>,
    sram_bytes: Option<u64>,
}

fn is_halo(gradient: &Gradient) -> bool {
    *gradient == Gradient::Halo
}

fn is_post(padding: &Padding) -> bool {
    *padding == Padding::Post
}

/// What a `materialize` statement says of its tensor.
#[derive(Serialize, Deserialize)]
struct MaterializeAttrs {
    how: Materialize,
}

/// What a `device` statement says besides its composites.
#[derive(Serialize, Deserialize)]
struct DeviceAttrs {
    weight_bytes: u64,
    accumulator_bytes: u64,
    arena_bytes: u64,
    border_bytes: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    streamed: bool,
}

pub(super) fn write(ir: &Sections) -> Statement {
    let mut body = vec![graph::write(&ir.graph)];
    body.extend(ir.sections.iter().map(|s| write_section(ir, s)));
    body.extend(ir.device.iter().map(|d| write_device(&ir.graph, d)));
    Statement { attrs: codec::encode(&ir.target), ..Statement::new("sections") }.body(body)
}

fn value_text(graph: &Graph, value: ValueId) -> Text {
    Text::local(graph.values.get(value).map_or("?", |v| &v.name))
}

/// A comment says what follows from the ops: which pass of a training step a section is part of.
fn write_section(ir: &Sections, section: &Section) -> Statement {
    let graph = &ir.graph;
    let &Section { tile, overlap, padding, gradient, colours, grid, sram_bytes, .. } = section;
    let computed =
        section.ops.iter().filter_map(|&op| graph.ops.get(op)).map(|n| value_text(graph, n.output));
    let tensors = section.tensors.iter().map(|(&value, tiling)| {
        Statement { attrs: codec::encode(tiling), ..Statement::new("tensor") }
            .operand(value_text(graph, value))
    });
    let materialized = section.materialized.iter().map(|(&value, &how)| {
        Statement { attrs: codec::encode(&MaterializeAttrs { how }), ..Statement::new("materialize") }
            .operand(value_text(graph, value))
    });
    let attrs = codec::encode(&SectionAttrs { tile, overlap, padding, gradient, colours, grid, sram_bytes });
    Statement { attrs, ..Statement::new("section") }
        .operand(name_value(&section.name))
        .operand(Text::list(computed))
        .comment(ir.direction(section).map(|d| d.to_string()))
        .body(materialized.chain(tensors).collect())
}

fn write_device(graph: &Graph, device: &Device) -> Statement {
    let &Device { weight_bytes, accumulator_bytes, arena_bytes, border_bytes, streamed, .. } = device;
    let attrs =
        codec::encode(&DeviceAttrs { weight_bytes, accumulator_bytes, arena_bytes, border_bytes, streamed });
    let composites = device.composites.iter().map(|(value, composite)| {
        Statement { attrs: codec::encode(composite), ..Statement::new("composite") }
            .operand(value_text(graph, *value))
    });
    Statement { attrs, ..Statement::new("device") }.body(composites.collect())
}

/// The section of that name.
pub(super) fn find<'s>(statement: &'s Statement, name: &str) -> Option<&'s Statement> {
    let body = statement.body.as_deref().unwrap_or_default();
    let called = |s: &&Statement| s.operands.first().and_then(Text::as_str) == Some(name);
    body.iter().filter(|s| s.keyword == "section").find(called)
}

/// The sections of a statement; `None` where something is wrong, which the reader then knows.
pub(super) fn read(statement: &Statement, reader: &mut Reader) -> Option<Sections> {
    reader.only(statement, &[Part::Attrs, Part::Body]);
    let target: Option<Target> = reader.attrs(statement);
    let body = reader.body(statement);
    let Some(graph_text) = body.iter().find(|s| s.keyword == "graph") else {
        reader.error(Code::E0607, "`sections` begins with its graph", statement.span);
        return None;
    };
    let graph = graph::read(graph_text, reader)?;
    let names = graph.values.iter().map(|(id, value)| (value.name.clone(), id)).collect();
    let mut builder = Builder { reader, graph: &graph, names };
    let (mut sections, mut device) = (Vec::new(), None);
    for inner in body {
        match inner.keyword.as_str() {
            "graph" if std::ptr::eq(inner, graph_text) => {}
            "section" => sections.extend(builder.section(inner)),
            "device" if device.is_none() => device = builder.device(inner),
            "graph" | "device" => builder.twice(inner),
            _ => builder.reader.unknown(inner, "sections", ["graph", "section", "device"]),
        }
    }
    Some(Sections { target: target?, graph, sections, device })
}

struct Builder<'r, 'g> {
    reader: &'r mut Reader,
    graph: &'g Graph,
    names: HashMap<String, ValueId>,
}

impl Builder<'_, '_> {
    fn twice(&mut self, statement: &Statement) {
        let message = format!("`{}` is given twice", statement.keyword);
        self.reader.error(Code::E0604, message, statement.span);
    }

    fn section(&mut self, statement: &Statement) -> Option<Section> {
        self.reader.only(statement, &[Part::Operands, Part::Attrs, Part::Body]);
        let attrs: Option<SectionAttrs> = self.reader.attrs(statement);
        let [name, computed] = statement.operands.as_slice() else {
            self.reader.expected(statement, "a name and the list of values that it computes");
            return None;
        };
        let name = self.reader.name_of(statement, name);
        let ops = computed.as_list().unwrap_or_default().iter().map(|v| self.op(v)).collect::<Vec<_>>();
        if computed.as_list().is_none() {
            self.reader.expected(statement, "a name and the list of values that it computes");
        }
        let (mut tensors, mut materialized) = (IndexMap::new(), IndexMap::new());
        for inner in self.reader.body(statement) {
            match inner.keyword.as_str() {
                "tensor" => {
                    let entry: Option<(ValueId, Tiling)> = self.entry(inner);
                    self.insert(&mut tensors, inner, entry);
                }
                "materialize" => {
                    let entry: Option<(ValueId, MaterializeAttrs)> = self.entry(inner);
                    self.insert(&mut materialized, inner, entry.map(|(value, attrs)| (value, attrs.how)));
                }
                _ => self.reader.unknown(inner, "`section`", ["tensor", "materialize"]),
            }
        }
        let SectionAttrs { tile, overlap, padding, gradient, colours, grid, sram_bytes } = attrs?;
        let ops = ops.into_iter().collect::<Option<_>>()?;
        Some(Section {
            name: name?,
            ops,
            tile,
            overlap,
            padding,
            gradient,
            colours,
            grid,
            tensors,
            materialized,
            sram_bytes,
        })
    }

    fn device(&mut self, statement: &Statement) -> Option<Device> {
        self.reader.only(statement, &[Part::Attrs, Part::Body]);
        let attrs: Option<DeviceAttrs> = self.reader.attrs(statement);
        let mut composites: Vec<(ValueId, Composite)> = Vec::new();
        for inner in self.reader.body(statement) {
            if inner.keyword != "composite" {
                self.reader.unknown(inner, "`device`", ["composite"]);
                continue;
            }
            let Some((value, composite)) = self.entry::<Composite>(inner) else { continue };
            let section = |c: &Composite| c.blocks.map(|blocks| blocks.section);
            if composites.iter().any(|(v, c)| *v == value && section(c) == section(&composite)) {
                self.twice(inner);
            }
            composites.push((value, composite));
        }
        let DeviceAttrs { weight_bytes, accumulator_bytes, arena_bytes, border_bytes, streamed } = attrs?;
        Some(Device { composites, weight_bytes, accumulator_bytes, arena_bytes, border_bytes, streamed })
    }

    /// A `keyword %value (…);`.
    fn entry<T: Serialize + DeserializeOwned>(&mut self, statement: &Statement) -> Option<(ValueId, T)> {
        self.reader.only(statement, &[Part::Operands, Part::Attrs]);
        let attrs: Option<T> = self.reader.attrs(statement);
        let [operand] = statement.operands.as_slice() else {
            self.reader.expected(statement, "a `%` name");
            return None;
        };
        self.value(operand).zip(attrs)
    }

    /// Adds what is said of a value, once.
    fn insert<T>(
        &mut self,
        entries: &mut IndexMap<ValueId, T>,
        statement: &Statement,
        entry: Option<(ValueId, T)>,
    ) {
        if let Some((value, entry)) = entry
            && entries.insert(value, entry).is_some()
        {
            self.twice(statement);
        }
    }

    fn value(&mut self, operand: &Text) -> Option<ValueId> {
        let value = operand.as_local().and_then(|name| self.names.get(name)).copied();
        if value.is_none() {
            let name = operand.as_local().unwrap_or_default();
            let known = self.graph.values.iter().map(|(_, v)| v.name.as_str());
            let closest = zellige_grammar::suggest::closest(name, known);
            self.reader.push(
                Diagnostic::error(Code::E0602, format!("there is no value `%{name}` in the graph"))
                    .label(operand.span, "not defined")
                    .maybe_hint(closest.map(|n| format!("did you mean `%{n}`?"))),
            );
        }
        value
    }

    fn op(&mut self, operand: &Text) -> Option<OpId> {
        let value = self.value(operand)?;
        let op = self.graph.producer(value);
        if op.is_none() {
            self.reader.error(Code::E0602, "no op computes this value", operand.span);
        }
        op
    }
}
