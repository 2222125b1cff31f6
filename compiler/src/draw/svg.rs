//! A diagram as SVG.

use std::fmt::Write;

use super::diagram::{Card, CardRole, Cluster, Diagram};
use super::layered::{Edge, End, Layout, Node, Pin, Point, Spacing, layout};
use super::text::{escape, width};
use crate::base::Id;
use crate::ir::Directions;

/// Sizes of fonts.
const FONT: f64 = 12.0;
const SMALL: f64 = 11.0;
const LARGE: f64 = 15.0;
/// Height of a line of a card, of its foot, of a label, and of a line beside a cluster.
const ROW: f64 = 21.0;
const FOOT: f64 = 17.0;
const LABEL: f64 = 17.0;
const LINE: f64 = 17.0;
/// Between a card and the label below it.
const STEM: f64 = 7.0;
/// Left and right of a text in a card.
const MARGIN: f64 = 12.0;
/// Between the border of a cluster and what is in it.
const PADDING: f64 = 14.0;
const INNER: Spacing = Spacing { columns: 22.0, ranks: 24.0 };
const OUTER: Spacing = Spacing { columns: 30.0, ranks: 34.0 };

/// A drawing: elements without the `svg` around them.
pub(super) struct Drawing {
    /// The elements.
    pub(super) body: String,
    /// Width in pixels.
    pub(super) width: f64,
    /// Height in pixels.
    pub(super) height: f64,
}

/// Draws a diagram.
pub(super) fn draw(diagram: &Diagram) -> Drawing {
    let places = places(diagram);
    let mut painter = Painter { body: String::new() };
    for (i, (cluster, frame)) in diagram.clusters.iter().zip(&places.clusters).enumerate() {
        painter.cluster(i, cluster, frame);
    }
    for (edge, route) in diagram.edges.iter().zip(&places.routes) {
        painter.route(diagram, edge, route);
    }
    for (item, at) in diagram.cards.iter().zip(&places.cards) {
        painter.item(item, *at);
    }
    Drawing { body: painter.body, width: places.width, height: places.height }
}

/// A rectangle.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Where everything lies.
struct Places {
    cards: Vec<Point>,
    clusters: Vec<Frame>,
    routes: Vec<Vec<Point>>,
    width: f64,
    height: f64,
}

/// Cards are laid out within each cluster, then clusters and the cards outside; and once more, with what a cluster reads in
/// the order in which it arrives.
fn places(diagram: &Diagram) -> Places {
    let order: Vec<usize> = (0..diagram.cards.len()).collect();
    let first = places_in(diagram, &order);
    let mut arrivals = vec![f64::INFINITY; diagram.cards.len()];
    for ([_, to], route) in diagram.edges.iter().zip(&first.routes) {
        // The last point above the end is where the edge comes from.
        let from = route.iter().rev().nth(2).map_or(f64::INFINITY, |p| p.x);
        arrivals[*to] = arrivals[*to].min(from);
    }
    let mut order = order;
    order.sort_by(|&a, &b| {
        let ports = [a, b].map(|i| diagram.cards[i].role == CardRole::Load);
        ports[1].cmp(&ports[0]).then(if ports[0] { arrivals[a].total_cmp(&arrivals[b]) } else { a.cmp(&b) })
    });
    places_in(diagram, &order)
}

/// With the cards of a cluster in the given order, where edges do not ask for another.
fn places_in(diagram: &Diagram, order: &[usize]) -> Places {
    let inner: Vec<Inner> = (0..diagram.clusters.len()).map(|c| Inner::of(diagram, c, order)).collect();
    let loose: Vec<usize> =
        (0..diagram.cards.len()).filter(|&b| diagram.cards[b].cluster.is_none()).collect();
    let mut nodes: Vec<Node> =
        inner.iter().map(|i| Node { width: i.width, height: i.height, pin: Pin::None }).collect();
    nodes.extend(loose.iter().map(|&b| node(&diagram.cards[b])));
    // An edge that meets a cluster does so above or below the card within.
    let end = |at: usize| match diagram.cards[at].cluster {
        Some(cluster) => {
            End { node: cluster, x: inner[cluster].middle(diagram, at) - inner[cluster].width / 2.0 }
        }
        None => End { node: inner.len() + loose.binary_search(&at).unwrap_or_default(), x: 0.0 },
    };
    let crosses = |edge: &&[usize; 2]| {
        let [from, to] = edge.map(|b| diagram.cards[b].cluster);
        from.is_none() || from != to
    };
    let edges: Vec<Edge> = diagram
        .edges
        .iter()
        .filter(crosses)
        .map(|&[from, to]| Edge { from: end(from), to: end(to) })
        .collect();
    let outer = layout(&nodes, &edges, OUTER);
    join(diagram, &inner, &loose, outer)
}

/// The layout within a cluster.
struct Inner {
    /// Cards.
    cards: Vec<usize>,
    /// Indices of edges.
    edges: Vec<usize>,
    layout: Layout,
    /// Where the layout begins: right of the text.
    start: Point,
    width: f64,
    height: f64,
}

impl Inner {
    fn of(diagram: &Diagram, cluster: usize, order: &[usize]) -> Self {
        let cards: Vec<usize> =
            order.iter().copied().filter(|&b| diagram.cards[b].cluster == Some(cluster)).collect();
        let index = |b: usize| cards.iter().position(|&other| other == b);
        let (mut edges, mut ends) = (Vec::new(), Vec::new());
        for (i, &[from, to]) in diagram.edges.iter().enumerate() {
            if let (Some(from), Some(to)) = (index(from), index(to)) {
                edges.push(i);
                ends.push(Edge { from: End { node: from, x: 0.0 }, to: End { node: to, x: 0.0 } });
            }
        }
        let nodes: Vec<Node> = cards.iter().map(|&b| node(&diagram.cards[b])).collect();
        let layout = layout(&nodes, &ends, INNER);
        let text = &diagram.clusters[cluster];
        let notes =
            text.notes.iter().map(|n| width(n, SMALL)).fold(width(&text.title, LARGE) * 1.1, f64::max);
        let start = Point { x: PADDING + notes + PADDING, y: PADDING };
        let lines = LINE * (text.notes.len() as f64 + 1.5);
        let (width, height) = (start.x + layout.width + PADDING, layout.height.max(lines) + 2.0 * PADDING);
        Self { cards, edges, layout, start, width, height }
    }

    /// The middle of a card, from the left of the cluster.
    fn middle(&self, diagram: &Diagram, at: usize) -> f64 {
        let x = self
            .cards
            .iter()
            .position(|&b| b == at)
            .and_then(|i| self.layout.nodes.get(i))
            .map_or(0.0, |p| p.x);
        self.start.x + x + node(&diagram.cards[at]).width / 2.0
    }
}

fn join(diagram: &Diagram, inner: &[Inner], loose: &[usize], outer: Layout) -> Places {
    let mut cards = vec![Point { x: 0.0, y: 0.0 }; diagram.cards.len()];
    let mut routes = vec![Vec::new(); diagram.edges.len()];
    let mut clusters = Vec::new();
    let (frames, free) = outer.nodes.split_at(inner.len());
    for (cluster, at) in inner.iter().zip(frames) {
        clusters.push(Frame { x: at.x, y: at.y, width: cluster.width, height: cluster.height });
        let moved = |p: &Point| Point { x: p.x + at.x + cluster.start.x, y: p.y + at.y + cluster.start.y };
        for (&b, p) in cluster.cards.iter().zip(&cluster.layout.nodes) {
            cards[b] = moved(p);
        }
        for (&e, route) in cluster.edges.iter().zip(&cluster.layout.routes) {
            routes[e] = route.iter().map(moved).collect();
        }
    }
    for (&b, p) in loose.iter().zip(free) {
        cards[b] = *p;
    }
    let within: Vec<usize> = inner.iter().flat_map(|i| i.edges.iter().copied()).collect();
    let crossing = (0..diagram.edges.len()).filter(|e| !within.contains(e));
    for (e, mut route) in crossing.zip(outer.routes) {
        let [from, to] = diagram.edges[e];
        // From the border of a cluster on to the card.
        if let Some(first) = route.first_mut() {
            first.y = cards[from].y + node(&diagram.cards[from]).height;
        }
        if let Some(last) = route.last_mut() {
            last.y = cards[to].y;
        }
        routes[e] = route;
    }
    Places { cards, clusters, routes, width: outer.width, height: outer.height }
}

/// The room that a card takes, its label included.
fn node(item: &Card) -> Node {
    let row = |r: &super::diagram::Row| {
        let gap = if r.note.is_empty() { 0.0 } else { 10.0 };
        width(&r.title, FONT) * 1.08 + gap + width(&r.note, SMALL)
    };
    let remark = if item.remark.is_empty() { 0.0 } else { 10.0 + width(&item.remark, SMALL) * 1.08 };
    let text = item.rows.iter().map(row).fold(width(&item.foot, SMALL) + remark, f64::max);
    let label = if item.label.is_empty() { 0.0 } else { STEM + LABEL };
    let pin = match item.role {
        CardRole::Load => Pin::Top,
        CardRole::Store => Pin::Bottom,
        CardRole::Border | CardRole::Ops => Pin::None,
    };
    Node {
        width: (text + 2.0 * MARGIN).max(label_width(&item.label)).max(72.0).ceil(),
        height: card_height(item) + label,
        pin,
    }
}

fn card_height(item: &Card) -> f64 {
    let foot = if item.foot.is_empty() { 0.0 } else { FOOT + 3.0 };
    ROW * item.rows.len() as f64 + foot + 4.0
}

fn label_width(label: &str) -> f64 {
    if label.is_empty() { 0.0 } else { width(label, SMALL) * 1.1 + 16.0 }
}

/// A number with a digit after the point at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

struct Painter {
    body: String,
}

impl Painter {
    fn line(&mut self, text: &str) {
        // Writing into a string does not fail.
        let _ = writeln!(self.body, "{text}");
    }

    fn rect(&mut self, class: &str, frame: Frame, radius: f64) {
        let [x, y, w, h, r] = [frame.x, frame.y, frame.width, frame.height, radius].map(number);
        self.line(&format!(r#"<rect class="{class}" x="{x}" y="{y}" width="{w}" height="{h}" rx="{r}"/>"#));
    }

    fn text(&mut self, class: &str, at: Point, text: &str) {
        let [x, y] = [at.x, at.y].map(number);
        self.line(&format!(r#"<text class="{class}" x="{x}" y="{y}">{}</text>"#, escape(text)));
    }

    fn cluster(&mut self, index: usize, cluster: &Cluster, frame: &Frame) {
        let pass = cluster.direction.map_or("", pass_class);
        self.line(&format!(r#"<g class="section{pass}" data-section="{index}">"#));
        self.rect("frame", *frame, 10.0);
        let x = frame.x + PADDING;
        let mut y = frame.y + PADDING + LARGE;
        self.text("name", Point { x, y }, &cluster.title);
        y += 5.0;
        for note in &cluster.notes {
            y += LINE;
            self.text("note", Point { x, y }, note);
        }
        self.line("</g>");
    }

    fn route(&mut self, diagram: &Diagram, edge: &[usize; 2], route: &[Point]) {
        let [Some(first), Some(last)] = [route.first(), route.last()] else { return };
        let mut path = format!("M{} {}", number(first.x), number(first.y));
        let mut runs = route.chunks_exact(2).peekable();
        while let Some(run) = runs.next() {
            // The arrow's head needs a straight piece.
            let end = if runs.peek().is_none() { run[1].y - 2.0 } else { run[1].y };
            let _ = write!(path, "V{}", number(end));
            if let Some(next) = runs.peek() {
                path.push_str(&aside(run[1], next[0]));
            }
        }
        let [x, y] = [last.x, last.y];
        let head = [x - 4.0, y - 7.0, x + 4.0, y - 7.0, x, y].map(number).join(" ");
        let value = diagram.cards[edge[0]].value.index();
        let kept = if diagram.returns(*edge) { " kept" } else { "" };
        self.line(&format!(r#"<g class="edge{kept}" data-value="{value}"><path d="{path}"/>"#));
        self.line(&format!(r#"<path class="head" d="M{head}z"/></g>"#));
    }

    fn item(&mut self, item: &Card, at: Point) {
        let size = node(item);
        let frame = Frame { x: at.x, y: at.y, width: size.width, height: card_height(item) };
        let class = match item.role {
            CardRole::Border => "border",
            CardRole::Ops => "ops",
            CardRole::Load => "port load",
            CardRole::Store => "port store",
        };
        let section = item.cluster.map_or_else(String::new, |c| format!(r#" data-section="{c}""#));
        let value = item.value.index();
        let pass = pass_class(item.direction);
        let kept = if item.kept { " kept" } else { "" };
        self.line(&format!(r#"<g class="box {class}{pass}{kept}" data-value="{value}"{section}>"#));
        self.line(&format!("<title>{}</title>", escape(&item.details.join("\n"))));
        let radius = if item.role == CardRole::Ops { 5.0 } else { frame.height / 2.0 };
        self.rect("shape", frame, radius.min(13.0));
        self.rows(item, frame);
        if !item.label.is_empty() {
            self.label(&item.label, frame);
        }
        self.line("</g>");
    }

    fn rows(&mut self, item: &Card, frame: Frame) {
        let mut y = frame.y + 2.0;
        for row in &item.rows {
            if let Some(kind) = row.kind {
                let stripe = Frame { x: frame.x + 4.0, y: y + 3.0, width: 3.5, height: ROW - 5.0 };
                self.rect(&format!("stripe {}", kind.class()), stripe, 1.7);
            }
            let base = y + 15.0;
            self.text("title", Point { x: frame.x + MARGIN, y: base }, &row.title);
            self.text("note end", Point { x: frame.x + frame.width - MARGIN, y: base }, &row.note);
            y += ROW;
        }
        if !item.foot.is_empty() {
            self.text("foot", Point { x: frame.x + MARGIN, y: y + 13.0 }, &item.foot);
        }
        if !item.remark.is_empty() {
            let end = Point { x: frame.x + frame.width - MARGIN, y: y + 13.0 };
            self.text("remark end", end, &item.remark);
        }
    }

    fn label(&mut self, label: &str, frame: Frame) {
        let middle = frame.x + frame.width / 2.0;
        let top = frame.y + frame.height;
        let [x, from, to] = [middle, top, top + STEM].map(number);
        self.line(&format!(r#"<path class="stem" d="M{x} {from}V{to}"/>"#));
        let pill = Frame {
            x: middle - label_width(label) / 2.0,
            y: top + STEM,
            width: label_width(label),
            height: LABEL,
        };
        self.rect("pill", pill, LABEL / 2.0);
        self.text("label", Point { x: middle, y: top + STEM + 12.5 }, label);
    }
}

/// The class of what is part of a pass, to be put behind others.
fn pass_class(direction: Directions) -> &'static str {
    match direction {
        Directions::Forward => "",
        Directions::Backward => " backward",
        Directions::Both => " both",
    }
}

/// A curve from the end of a run to the beginning of the next.
fn aside(from: Point, to: Point) -> String {
    if (from.x - to.x).abs() < 0.5 {
        return String::new();
    }
    let middle = f64::midpoint(from.y, to.y);
    let [a, b, c, x, y] = [from.x, middle, to.x, to.x, to.y].map(number);
    format!("C{a} {b} {c} {b} {x} {y}")
}
