//! Layered drawings of directed acyclic graphs, after Sugiyama, Tagawa and Toda (1981): nodes get ranks by longest paths,
//! long edges a bend in each rank that they pass, ranks an order with few crossings, and nodes a place near their neighbours.
//!
//! Edges leave at the bottom of a node and arrive at the top of another. Between ranks lies a gap that no node reaches into;
//! edges move sideways there only, so that none runs over a node.

mod order;
mod place;
mod rank;

/// A box to be placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    /// Its width.
    pub(super) width: f64,
    /// Its height.
    pub(super) height: f64,
    /// Where it has to be.
    pub(super) pin: Pin,
}

/// A wish for a rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pin {
    /// Wherever its edges want it.
    #[default]
    None,
    /// In the first rank; it depends on nothing.
    Top,
    /// In the last rank; nothing depends on it.
    Bottom,
}

/// An edge between two nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    /// Where it leaves.
    pub(super) from: End,
    /// Where it arrives.
    pub(super) to: End,
}

/// An end of an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct End {
    /// Index of the node.
    pub(super) node: usize,
    /// How far right of the node's middle.
    pub(super) x: f64,
}

/// Space that is left free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spacing {
    /// Between neighbours in a rank.
    pub(super) columns: f64,
    /// Between ranks.
    pub(super) ranks: f64,
}

/// A point; y grows downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// From the left.
    pub(super) x: f64,
    /// From the top.
    pub(super) y: f64,
}

/// Where everything lies.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// Top left corner of each node.
    pub(super) nodes: Vec<Point>,
    /// Points of each edge. It runs straight down from the first to the second, moves sideways to the third, runs straight
    /// down to the fourth, and so on.
    pub(super) routes: Vec<Vec<Point>>,
    /// Width of it all.
    pub(super) width: f64,
    /// Height of it all.
    pub(super) height: f64,
}

/// Places nodes and edges.
pub(super) fn layout(nodes: &[Node], edges: &[Edge], spacing: Spacing) -> Layout {
    let ranks = rank::ranks(nodes, edges);
    let mut network = Network::new(nodes, edges, &ranks);
    order::arrange(&mut network);
    let middles = place::middles(&network, spacing.columns);
    finish(nodes, edges, &network, &middles, spacing)
}

/// Nodes and bends in ranks, and links between neighbouring ranks.
struct Network {
    /// Widths; the nodes come first, bends after them.
    widths: Vec<f64>,
    /// Number of nodes.
    nodes: usize,
    /// The rank of each item.
    rank_of: Vec<usize>,
    /// For each rank its items, from left to right.
    ranks: Vec<Vec<usize>>,
    /// Links.
    links: Vec<Link>,
    /// For each item the links upwards and downwards.
    of: Vec<[Vec<usize>; 2]>,
    /// For each edge its items from top to bottom.
    paths: Vec<Vec<usize>>,
}

/// A piece of an edge.
#[derive(Clone, Copy)]
struct Link {
    /// Its upper and lower item, with the distance from their middles.
    ends: [End; 2],
}

impl Network {
    fn new(nodes: &[Node], edges: &[Edge], rank: &[usize]) -> Self {
        let count = rank.iter().max().map_or(0, |r| r + 1);
        let mut network = Self {
            widths: nodes.iter().map(|n| n.width).collect(),
            nodes: nodes.len(),
            rank_of: rank.to_vec(),
            ranks: vec![Vec::new(); count],
            links: Vec::new(),
            of: vec![Default::default(); nodes.len()],
            paths: Vec::new(),
        };
        for (node, &rank) in rank.iter().enumerate() {
            network.ranks[rank].push(node);
        }
        for edge in edges {
            network.route(edge, rank);
        }
        network
    }

    fn route(&mut self, edge: &Edge, rank: &[usize]) {
        let mut path = vec![edge.from.node];
        let mut upper = edge.from;
        for passed in rank[edge.from.node] + 1..rank[edge.to.node] {
            let bend = End { node: self.widths.len(), x: 0.0 };
            self.widths.push(0.0);
            self.rank_of.push(passed);
            self.of.push(Default::default());
            self.ranks[passed].push(bend.node);
            self.link(upper, bend);
            path.push(bend.node);
            upper = bend;
        }
        self.link(upper, edge.to);
        path.push(edge.to.node);
        self.paths.push(path);
    }

    fn link(&mut self, upper: End, lower: End) {
        self.of[upper.node][1].push(self.links.len());
        self.of[lower.node][0].push(self.links.len());
        self.links.push(Link { ends: [upper, lower] });
    }

    fn is_bend(&self, item: usize) -> bool {
        item >= self.nodes
    }
}

fn finish(nodes: &[Node], edges: &[Edge], network: &Network, middles: &[f64], spacing: Spacing) -> Layout {
    let left = |item: usize| middles[item] - network.widths[item] / 2.0;
    let start = (0..middles.len()).map(left).fold(f64::INFINITY, f64::min);
    let end = (0..middles.len()).map(|i| left(i) + network.widths[i]).fold(f64::NEG_INFINITY, f64::max);
    let mut layout = Layout { nodes: vec![Point { x: 0.0, y: 0.0 }; nodes.len()], ..Layout::default() };
    let mut bands = vec![[0.0; 2]; middles.len()];
    let mut top = 0.0;
    for (r, rank) in network.ranks.iter().enumerate() {
        let height = |&item: &usize| nodes.get(item).map_or(0.0, |n| n.height);
        let bottom = top + rank.iter().map(height).fold(0.0, f64::max);
        for &item in rank {
            bands[item] = [top, bottom];
            if let Some(node) = layout.nodes.get_mut(item) {
                *node = Point { x: left(item) - start, y: top };
            }
        }
        layout.height = bottom;
        top = bottom + spacing.ranks + slack(network, r, middles);
    }
    layout.width = (end - start).max(0.0);
    for (edge, path) in edges.iter().zip(&network.paths) {
        let mut route = Vec::with_capacity(2 * path.len());
        for (i, &item) in path.iter().enumerate() {
            let [mut from, mut to] = bands[item];
            let mut x = middles[item] - start;
            if i == 0 {
                from = layout.nodes[item].y + nodes[item].height;
                x += edge.from.x;
            } else if i + 1 == path.len() {
                to = from;
                x += edge.to.x;
            }
            route.extend([Point { x, y: from }, Point { x, y: to }]);
        }
        layout.routes.push(route);
    }
    layout
}

/// Room below a rank for edges that go far sideways, so that they do not get flat.
fn slack(network: &Network, rank: usize, middles: &[f64]) -> f64 {
    let links = network.ranks[rank].iter().flat_map(|&item| &network.of[item][1]);
    let aside = links.map(|&l| {
        let [upper, lower] = network.links[l].ends.map(|e| middles[e.node] + e.x);
        (upper - lower).abs()
    });
    (aside.fold(0.0, f64::max) / 8.0).min(64.0)
}

#[cfg(test)]
mod tests;
