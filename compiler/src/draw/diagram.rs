//! What is drawn of a graph or of sections: cards, clusters, and who is connected with whom. Where they lie is decided later.

use std::collections::{HashMap, HashSet};

use super::attributes::{Kind, listing, path, summary};
use super::instructions::{Instruction, instructions};
use super::text::shorten;
use crate::base::units;
use crate::base::{OpId, ValueId};
use crate::driver::{Report, SectionReport};
use crate::ir::{Def, Direction, Directions, Graph, Overlap, Role, Section, Sections, Storage, Tiling};

/// Longest texts in a card, in characters.
const TITLE: usize = 22;
const NOTE: usize = 30;

/// A drawing without places.
#[derive(Default)]
pub(super) struct Diagram {
    /// Groups of cards.
    pub(super) clusters: Vec<Cluster>,
    /// Cards.
    pub(super) cards: Vec<Card>,
    /// Pairs of cards, from and to.
    pub(super) edges: Vec<[usize; 2]>,
}

/// A group of cards: a section.
pub(super) struct Cluster {
    /// Its name.
    pub(super) title: String,
    /// Which passes of a training step it is part of; the first line below its name says so.
    pub(super) direction: Option<Directions>,
    /// Lines below its name.
    pub(super) notes: Vec<String>,
}

/// A card.
pub(super) struct Card {
    /// Index of the cluster that it lies in.
    pub(super) cluster: Option<usize>,
    /// What it stands for.
    pub(super) role: CardRole,
    /// The tensor that it makes, reads or writes.
    pub(super) value: ValueId,
    /// Its lines.
    pub(super) rows: Vec<Row>,
    /// A last line, less prominent.
    pub(super) foot: String,
    /// Which passes its ops are part of.
    pub(super) direction: Directions,
    /// Right of the last line: the pass, where what is around the card does not say it.
    pub(super) remark: String,
    /// Whether a section reads or writes it to keep it from the forward pass for the backward pass.
    pub(super) kept: bool,
    /// Written on the edges that leave it.
    pub(super) label: String,
    /// Everything there is to know, in lines.
    pub(super) details: Vec<String>,
}

/// What a card stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CardRole {
    /// An input, a constant or an output of the model.
    Border,
    /// An instruction, or an op.
    Ops,
    /// A tensor that a section reads.
    Load,
    /// A tensor that a section writes or sums.
    Store,
}

/// A line of a card.
pub(super) struct Row {
    /// Kind of op.
    pub(super) kind: Option<Kind>,
    /// What it is.
    pub(super) title: String,
    /// More about it.
    pub(super) note: String,
}

/// `16×18`.
pub(super) fn both(pair: [u64; 2]) -> String {
    format!("{}×{}", pair[0], pair[1])
}

/// `2` for both axes, or `2×3`.
pub(super) fn either(pair: [u64; 2]) -> String {
    if pair[0] == pair[1] { pair[0].to_string() } else { both(pair) }
}

impl Diagram {
    /// Of a graph: a card an op.
    pub(super) fn of_graph(graph: &Graph) -> Self {
        let mut builder = Builder::new(graph);
        builder.borders(|value| is_large(graph, value));
        for (op, node) in graph.ops.iter() {
            let instruction = Instruction { ops: vec![op], output: node.output };
            let label = graph.values[node.output].ty.to_string();
            let at = builder.instruction(None, &instruction, String::new(), label, Vec::new());
            builder.made.insert(node.output, at);
        }
        for (_, node) in graph.ops.iter() {
            for input in &node.inputs {
                builder.edge(builder.made.get(input).copied(), builder.made.get(&node.output).copied());
            }
        }
        builder.outputs();
        builder.diagram
    }

    /// Whether it shows a training step, forward and backward.
    pub(super) fn trains(&self) -> bool {
        self.cards.iter().any(|card| card.direction != Directions::Forward)
    }

    /// Whether an edge is a tensor of the forward pass that the backward pass reads; of sections, one that is kept between them.
    pub(super) fn returns(&self, [from, to]: [usize; 2]) -> bool {
        let [from, to] = [from, to].map(|at| &self.cards[at]);
        let of = |card: &Card, direction| card.role == CardRole::Ops && card.direction == direction;
        match to.role {
            CardRole::Load => to.kept,
            _ => to.cluster.is_none() && of(from, Directions::Forward) && of(to, Directions::Backward),
        }
    }

    /// Of sections: a cluster a section, a card an instruction.
    pub(super) fn of_sections(ir: &Sections, report: Option<&Report>) -> Self {
        let graph = &ir.graph;
        let mut builder = Builder::new(graph);
        let loaded =
            |value| ir.sections.iter().any(|s| s.tensors.get(&value).is_some_and(|t| t.role == Role::Input));
        builder.borders(|value| loaded(value) || (is_untiled(ir) && is_large(graph, value)));
        let consumers = graph.consumers();
        let materialized: Vec<_> = ir.sections.iter().map(|s| ir.kept(s)).collect();
        builder.kept = materialized.iter().flatten().copied().collect();
        for (i, section) in ir.sections.iter().enumerate() {
            let report = report.and_then(|r| r.sections.get(i));
            let cluster = cluster_of(section, ir.direction(section), report);
            let kept = |value| materialized[i].contains(&value);
            builder.section(cluster, section, kept, |value| {
                let readers = consumers.get(&value).map_or(&[][..], Vec::as_slice);
                graph.is_output(value) || readers.iter().any(|op| !section.ops.contains(op))
            });
        }
        builder.outputs();
        builder.diagram
    }
}

/// Whether no section has tilings yet.
fn is_untiled(ir: &Sections) -> bool {
    ir.sections.iter().all(|s| s.tensors.is_empty())
}

/// Whether a value is no constant, or one of several numbers; single numbers are written where they are read.
fn is_large(graph: &Graph, value: ValueId) -> bool {
    !matches!(&graph.values[value].def, Def::Constant(data) if data.len() == 1)
}

struct Builder<'a> {
    graph: &'a Graph,
    diagram: Diagram,
    /// The box that holds a value for those that come after.
    made: HashMap<ValueId, usize>,
    /// What some section keeps for the backward pass.
    kept: HashSet<ValueId>,
}

impl<'a> Builder<'a> {
    fn new(graph: &'a Graph) -> Self {
        Self { graph, diagram: Diagram::default(), made: HashMap::new(), kept: HashSet::new() }
    }

    fn push(&mut self, item: Card) -> usize {
        self.diagram.cards.push(item);
        self.diagram.cards.len() - 1
    }

    fn edge(&mut self, from: Option<usize>, to: Option<usize>) {
        if let (Some(from), Some(to)) = (from, to)
            && !self.diagram.edges.contains(&[from, to])
        {
            self.diagram.edges.push([from, to]);
        }
    }

    fn name(&self, value: ValueId) -> &'a str {
        &self.graph.values[value].name
    }

    /// Inputs, and those constants that are drawn.
    fn borders(&mut self, drawn: impl Fn(ValueId) -> bool) {
        for (value, of) in self.graph.values.iter() {
            let what = match of.def {
                Def::Input => "input",
                Def::Constant(_) if drawn(value) => "constant",
                Def::Constant(_) | Def::Op(_) => continue,
            };
            let at = self.border(value, what, &of.name, of.ty.to_string());
            self.made.insert(value, at);
        }
    }

    fn outputs(&mut self) {
        for output in &self.graph.outputs {
            let at = self.border(output.value, "output", &output.name, output.ty.to_string());
            self.edge(self.made.get(&output.value).copied(), Some(at));
        }
    }

    fn border(&mut self, value: ValueId, what: &str, name: &str, ty: String) -> usize {
        let row = Row { kind: None, title: shorten(name, TITLE), note: what.to_owned() };
        let details = vec![format!("{what} {name}"), ty.clone()];
        self.push(Card {
            cluster: None,
            role: CardRole::Border,
            value,
            rows: vec![row],
            foot: shorten(&ty, NOTE),
            direction: Directions::Forward,
            remark: String::new(),
            kept: false,
            label: String::new(),
            details,
        })
    }

    fn section(
        &mut self,
        of: Cluster,
        section: &Section,
        kept: impl Fn(ValueId) -> bool,
        exported: impl Fn(ValueId) -> bool,
    ) {
        let cluster = self.diagram.clusters.len();
        self.diagram.clusters.push(of);
        let label = |value| section.tensors.get(&value).map_or_else(String::new, tiling_label);
        let details = |value| section.tensors.get(&value).map_or_else(Vec::new, tiling_details);
        let mut inside: HashMap<ValueId, usize> = HashMap::new();
        for value in self.reads(section) {
            let padding = section.tensors.get(&value).and_then(padding_label);
            let load = self.port(cluster, CardRole::Load, "load", value, padding, kept(value));
            self.diagram.cards[load].label = label(value);
            self.diagram.cards[load].details.extend(details(value));
            self.edge(self.made.get(&value).copied(), Some(load));
            inside.insert(value, load);
        }
        for instruction in instructions(self.graph, section) {
            let value = instruction.output;
            let foot = self.graph.values[value].ty.shape.to_string();
            let at = self.instruction(Some(cluster), &instruction, foot, label(value), details(value));
            for input in instruction.ops.iter().flat_map(|&op| &self.graph.ops[op].inputs) {
                self.edge(inside.get(input).copied(), Some(at));
            }
            inside.insert(value, at);
            if exported(value) {
                let sums = self.graph.producer(value).is_some_and(|op| self.kind(op) == Kind::Sum);
                let verb = if sums { "sum" } else { "store" };
                let kept = self.kept.contains(&value);
                let store = self.port(cluster, CardRole::Store, verb, value, None, kept);
                self.edge(Some(at), Some(store));
                self.made.insert(value, store);
            }
        }
    }

    /// What a section reads from device memory.
    fn reads(&self, section: &Section) -> Vec<ValueId> {
        let made = |value| self.graph.producer(value).is_some_and(|op| section.ops.contains(&op));
        let mut reads = Vec::new();
        for &value in section.ops.iter().flat_map(|&op| &self.graph.ops[op].inputs) {
            if !made(value) && self.made.contains_key(&value) && !reads.contains(&value) {
                reads.push(value);
            }
        }
        reads
    }

    fn port(
        &mut self,
        cluster: usize,
        role: CardRole,
        verb: &str,
        value: ValueId,
        note: Option<String>,
        kept: bool,
    ) -> usize {
        let name = shorten(&format!("%{}", self.name(value)), TITLE);
        let notes: Vec<_> = note.into_iter().chain(kept.then(|| "kept".to_owned())).collect();
        let row = Row { kind: None, title: format!("{verb} {name}"), note: notes.join(" · ") };
        let ty = self.graph.values[value].ty.to_string();
        let mut details = vec![format!("{verb} %{}", self.name(value)), ty];
        details.extend(kept.then(|| "kept for the backward pass".to_owned()));
        self.push(Card {
            cluster: Some(cluster),
            role,
            value,
            rows: vec![row],
            foot: String::new(),
            direction: Directions::Forward,
            remark: String::new(),
            kept,
            label: String::new(),
            details,
        })
    }

    fn instruction(
        &mut self,
        cluster: Option<usize>,
        instruction: &Instruction,
        foot: String,
        label: String,
        more: Vec<String>,
    ) -> usize {
        let mut rows = Vec::new();
        let mut details = Vec::new();
        for &op in &instruction.ops {
            rows.push(self.row(op));
            self.describe(op, &mut details);
        }
        details.extend(more);
        let name = shorten(&format!("%{}", self.name(instruction.output)), TITLE);
        let foot = if foot.is_empty() { name } else { format!("{name}  {foot}") };
        let value = instruction.output;
        let direction = Directions::of(self.graph, &instruction.ops);
        let around = cluster.and_then(|c| self.diagram.clusters[c].direction);
        let said = direction == Directions::Forward || around == Some(Directions::Backward);
        let remark = if said { String::new() } else { direction.to_string() };
        let role = CardRole::Ops;
        self.push(Card { cluster, role, value, rows, foot, direction, remark, kept: false, label, details })
    }

    fn kind(&self, op: OpId) -> Kind {
        Kind::of(&self.graph.ops[op])
    }

    fn row(&self, op: OpId) -> Row {
        let node = &self.graph.ops[op];
        let numbers = node.inputs.iter().filter_map(|&v| match &self.graph.values[v].def {
            Def::Constant(data) if !self.made.contains_key(&v) => Some(match **data {
                [number] => number.to_string(),
                _ => format!("%{}", self.name(v)),
            }),
            _ => None,
        });
        let parts = [summary(node), path(self.graph, node).to_owned()];
        let parts = numbers.chain(parts.into_iter().filter(|p| !p.is_empty()));
        let note = shorten(&parts.collect::<Vec<_>>().join("  "), NOTE);
        Row { kind: Some(self.kind(op)), title: node.op.name().to_owned(), note }
    }

    fn describe(&self, op: OpId, details: &mut Vec<String>) {
        let node = &self.graph.ops[op];
        let name = |v: &ValueId| format!("%{}", self.name(*v));
        let inputs: Vec<String> = node.inputs.iter().map(name).collect();
        let ty = &self.graph.values[node.output].ty;
        details.push(format!("%{} = {} {} : {ty}", self.name(node.output), node.op.name(), inputs.join(" ")));
        if node.direction == Direction::Backward {
            details.push("    backward pass".to_owned());
        }
        details.extend(listing(node).into_iter().map(|line| format!("    {line}")));
        for &param in &node.params {
            let param = &self.graph.params[param];
            details.push(format!("    @{}: {:?}", param.name, param.dims));
        }
    }
}

fn cluster_of(section: &Section, direction: Option<Directions>, report: Option<&SectionReport>) -> Cluster {
    let pass = direction.map(|d| d.to_string());
    let tile = section.tile.map(|t| format!("tile {}", both(t)));
    let grid = section.grid.map(|g| format!("grid {}", both(g)));
    let ratio = report.map_or_else(String::new, |r| format!(" ×{:.2}", r.recompute_ratio));
    let overlap = section.overlap.map(|o| format!("{}{ratio}", overlap_name(o)));
    let sram = section.sram_bytes.map(|b| format!("SRAM {}", units::bytes(b)));
    let cost = report.map(|r| format!("modelled {}", units::time(r.seconds)));
    let notes = [pass, tile, grid, overlap, sram, cost].into_iter().flatten().collect();
    Cluster { title: section.name.clone(), direction, notes }
}

/// An overlap strategy in a word.
pub(super) fn overlap_name(overlap: Overlap) -> &'static str {
    match overlap {
        Overlap::Recompute => "recompute",
        Overlap::Reuse => "reuse",
    }
}

/// `18×18 · halo 2`, or `ring 18×18` where rows stay.
fn tiling_label(tiling: &Tiling) -> String {
    // A tile that is all of the tensor is the same one in every step.
    let shared =
        |a: usize| tiling.overlap.map_or(0, |o| if tiling.tile[a] < tiling.extent[a] { o[a] } else { 0 });
    let shared = [shared(0), shared(1)];
    let halo = (shared != [0, 0]).then(|| format!(" · halo {}", either(shared)));
    let ring = if tiling.storage == Some(Storage::Ring) { "ring " } else { "" };
    format!("{ring}{}{}", both(tiling.tile), halo.unwrap_or_default())
}

/// `pad 1`, or the four sides.
fn padding_label(tiling: &Tiling) -> Option<String> {
    let [top, left, bottom, right] = tiling.padding.filter(|p| *p != [0; 4])?;
    let same = [left, bottom, right].iter().all(|p| *p == top);
    Some(if same { format!("pad {top}") } else { format!("pad {top},{left},{bottom},{right}") })
}

fn tiling_details(tiling: &Tiling) -> Vec<String> {
    let mut lines = vec![format!("tile {} of {}", both(tiling.tile), both(tiling.extent))];
    lines.extend(tiling.overlap.map(|o| format!("overlap {}", both(o))));
    let sides = |s: [u64; 4]| format!("top {}, left {}, bottom {}, right {}", s[0], s[1], s[2], s[3]);
    lines.extend(tiling.padding.filter(|p| *p != [0; 4]).map(|p| format!("padding {}", sides(p))));
    let zero = |z: &crate::ir::ZeroOut| format!("outside: {} ({})", z.value, sides(z.border));
    lines.extend(tiling.zero_out.as_ref().map(zero));
    let buffer = |b: &crate::ir::BufferPlan| format!("buffer: {} at {}", units::bytes(b.bytes), b.offset);
    lines.extend(tiling.buffer.as_ref().map(buffer));
    lines
}
