//! Graphviz drawings of graphs and sections.

use std::fmt::Write;

use crate::base::{Id, OpId, ValueId};
use crate::ir::{Direction, Directions, Graph, Materialize, Module, Node, Section, Sections, Tiling};

/// How the backward pass is drawn, and a tensor of the forward pass that it reads.
const BACKWARD: &str = "color=\"#a3285f\", style=filled, fillcolor=\"#fbeaf1\"";
const KEPT: &str = "color=\"#a3285f\", fontcolor=\"#a3285f\", style=dashed";

/// A drawing for `dot`: ops as boxes and types on edges; for sections a cluster each, with tile, overlap and padding of
/// its tensors. Of a training step, the backward pass and what it reads of the forward pass are marked. Programs have none.
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

    /// The op that makes a value.
    fn op(&mut self, graph: &Graph, node: &Node, tiling: &str) {
        let label = format!("{}\n%{}{tiling}", node.op.name(), graph.values[node.output].name);
        match node.direction {
            Direction::Forward => self.node(&id(node.output), &label, "box"),
            Direction::Backward => {
                let label = quote(&format!("{label}\nbackward"));
                self.line(&format!("{} [label={label}, shape=box, {BACKWARD}];", id(node.output)));
            }
        }
    }

    fn edge(&mut self, from: &str, to: &str, label: &str) {
        self.line(&format!("{from} -> {to} [label={}];", quote(label)));
    }

    /// What the marks of a training step mean.
    fn legend(&mut self, graph: &Graph, dashed: &str) {
        if graph.ops.iter().any(|(_, node)| node.direction == Direction::Backward) {
            let text = format!("red and called backward: the backward pass\ndashed: {dashed}");
            self.line(&format!("label={}; labelloc=t;", quote(&text)));
        }
    }

    fn graph(&mut self, graph: &Graph) {
        self.legend(graph, "a tensor of the forward pass that the backward pass reads");
        self.borders(graph);
        for (_, node) in graph.ops.iter() {
            self.op(graph, node, "");
        }
        let direction = |op: OpId| graph.ops[op].direction;
        let returns = |value, op| graph.producer(value).is_some_and(|made| direction(made) < direction(op));
        self.edges(graph, |value, op| (graph.values[value].ty.to_string(), returns(value, op)));
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

    /// Reads of values by ops, with a label each, and whether it is dashed.
    fn edges(&mut self, graph: &Graph, read: impl Fn(ValueId, OpId) -> (String, bool)) {
        for (op, node) in graph.ops.iter() {
            for &value in &node.inputs {
                let [from, to] = [id(value), id(node.output)];
                match read(value, op) {
                    (label, false) => self.edge(&from, &to, &label),
                    (label, true) => self.line(&format!("{from} -> {to} [label={}, {KEPT}];", quote(&label))),
                }
            }
        }
    }

    fn sections(&mut self, ir: &Sections) {
        let graph = &ir.graph;
        self.legend(graph, "a tensor of the forward pass, kept for the backward pass of another section");
        self.borders(graph);
        for (i, section) in ir.sections.iter().enumerate() {
            self.line(&format!("subgraph cluster{i} {{"));
            let direction = ir.direction(section);
            self.line(&format!("label={};", quote(&section_label(section, direction))));
            if direction.is_some_and(|d| d != Directions::Forward) {
                self.line("color=\"#a3285f\";");
            }
            for &op in &section.ops {
                let node = &graph.ops[op];
                let tiling = section.tensors.get(&node.output).map(tiling_label).unwrap_or_default();
                self.op(graph, node, &tiling);
            }
            self.line("}");
        }
        let materialized: Vec<_> = ir.sections.iter().map(|s| ir.kept(s)).collect();
        let is_backward = |op: OpId| graph.ops[op].direction == Direction::Backward;
        self.edges(graph, |value, op| {
            let section = ir.section_of(op);
            let tiling = section.and_then(|s| ir.sections[s].tensors.get(&value)).map(tiling_label);
            let kept = is_backward(op) && section.is_some_and(|s| materialized[s].contains(&value));
            let how = section.and_then(|s| ir.sections[s].materialized.get(&value));
            let word = match how {
                Some(Materialize::Tiles) if kept => "\nkept in tiles",
                _ if kept => "\nkept",
                _ => "",
            };
            (format!("{}{}{word}", graph.values[value].ty, tiling.unwrap_or_default()), kept)
        });
    }
}

fn id(value: ValueId) -> String {
    format!("v{}", value.index())
}

fn section_label(section: &Section, direction: Option<Directions>) -> String {
    let direction = direction.map(|d| format!(" ({d})")).unwrap_or_default();
    let tile = section.tile.map(|t| format!(" tile {}", both(t))).unwrap_or_default();
    let grid = section.grid.map(|g| format!(" grid {}", both(g))).unwrap_or_default();
    format!("{}{direction}{tile}{grid}", section.name)
}

fn tiling_label(tiling: &Tiling) -> String {
    let overlap = tiling.overlap.filter(|o| *o != [0, 0]).map(|o| format!("\noverlap {}", both(o)));
    let padded = tiling.padded.filter(|p| *p != tiling.extent).map(|p| format!("\npadded {}", both(p)));
    let zero = tiling.zero_out.as_ref().map(|z| format!("\nzero-out {:?}", z.border));
    let parts = [Some(format!("\ntile {}", both(tiling.tile))), overlap, padded, zero];
    parts.into_iter().flatten().collect()
}
