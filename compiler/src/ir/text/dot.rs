//! Graphviz drawings of graphs and sections.

use std::fmt::Write;

use crate::base::{Id, ValueId};
use crate::ir::{Graph, Module, Section, Sections, Tiling};

/// A drawing for `dot`: ops as boxes and types on edges; for sections a cluster each, with tile, overlap and padding of
/// its tensors. Programs have none.
pub fn to_dot(module: &Module) -> Option<String> {
    let mut drawing = Drawing::default();
    let name = match module {
        Module::Graph(graph) => {
            drawing.graph(graph);
            &graph.name
        }
        Module::Sections(ir) => {
            drawing.sections(ir);
            &ir.graph.name
        }
        Module::Program(_) => return None,
    };
    Some(drawing.finish(name))
}

#[derive(Default)]
struct Drawing {
    body: String,
}

/// Text between quotes.
fn quote(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// Something about both axes: `16×16`.
fn both(pair: [u64; 2]) -> String {
    format!("{}×{}", pair[0], pair[1])
}

impl Drawing {
    fn finish(self, name: &str) -> String {
        format!("digraph {} {{\n  node [shape=box, fontname=\"sans-serif\"];\n{}}}\n", quote(name), self.body)
    }

    fn line(&mut self, text: &str) {
        // Writing into a string does not fail.
        let _ = writeln!(self.body, "  {text}");
    }

    fn node(&mut self, id: &str, label: &str, shape: &str) {
        self.line(&format!("{id} [label={}, shape={shape}];", quote(label)));
    }

    fn edge(&mut self, from: &str, to: &str, label: &str) {
        self.line(&format!("{from} -> {to} [label={}];", quote(label)));
    }

    fn graph(&mut self, graph: &Graph) {
        self.borders(graph);
        for (_, node) in graph.ops.iter() {
            self.node(&id(node.output), &op_label(graph, node.output), "box");
        }
        self.edges(graph, |value, _| graph.values[value].ty.to_string());
    }

    fn borders(&mut self, graph: &Graph) {
        for (value, of) in graph.values.iter().filter(|(v, _)| graph.producer(*v).is_none()) {
            self.node(&id(value), &of.name, "ellipse");
        }
        for (i, output) in graph.outputs.iter().enumerate() {
            self.node(&format!("out{i}"), &output.name, "ellipse");
            self.edge(&id(output.value), &format!("out{i}"), &output.ty.to_string());
        }
    }

    /// Reads of values by ops.
    fn edges(&mut self, graph: &Graph, label: impl Fn(ValueId, crate::base::OpId) -> String) {
        for (op, node) in graph.ops.iter() {
            for &value in &node.inputs {
                self.edge(&id(value), &id(node.output), &label(value, op));
            }
        }
    }

    fn sections(&mut self, ir: &Sections) {
        let graph = &ir.graph;
        self.borders(graph);
        for (i, section) in ir.sections.iter().enumerate() {
            self.line(&format!("subgraph cluster{i} {{"));
            self.line(&format!("label={};", quote(&section_label(section))));
            for &op in &section.ops {
                let value = graph.ops[op].output;
                let tiling = section.tensors.get(&value).map(tiling_label).unwrap_or_default();
                self.node(&id(value), &format!("{}{tiling}", op_label(graph, value)), "box");
            }
            self.line("}");
        }
        self.edges(graph, |value, op| {
            let section = ir.section_of(op).and_then(|s| ir.sections.get(s));
            let tiling = section.and_then(|s| s.tensors.get(&value)).map(tiling_label);
            format!("{}{}", graph.values[value].ty, tiling.unwrap_or_default())
        });
    }
}

fn id(value: ValueId) -> String {
    format!("v{}", value.index())
}

fn op_label(graph: &Graph, value: ValueId) -> String {
    let op = graph.producer(value).map_or("", |op| graph.ops[op].op.name());
    format!("{op}\n%{}", graph.values[value].name)
}

fn section_label(section: &Section) -> String {
    let tile = section.tile.map(|t| format!(" tile {}", both(t))).unwrap_or_default();
    let grid = section.grid.map(|g| format!(" grid {}", both(g))).unwrap_or_default();
    format!("{}{tile}{grid}", section.name)
}

fn tiling_label(tiling: &Tiling) -> String {
    let overlap = tiling.overlap.filter(|o| *o != [0, 0]).map(|o| format!("\noverlap {}", both(o)));
    let padded = tiling.padded.filter(|p| *p != tiling.extent).map(|p| format!("\npadded {}", both(p)));
    let zero = tiling.zero_out.as_ref().map(|z| format!("\nzero-out {:?}", z.border));
    let parts = [Some(format!("\ntile {}", both(tiling.tile))), overlap, padded, zero];
    parts.into_iter().flatten().collect()
}
