//! Ranks by longest paths.

use super::{Edge, Node, Pin};

/// The rank of each node: one below the lowest of those that it depends on. What depends on nothing stands right above the
/// first that reads it, unless it is pinned.
pub(super) fn ranks(nodes: &[Node], edges: &[Edge]) -> Vec<usize> {
    let mut below = vec![Vec::new(); nodes.len()];
    let mut open = vec![0usize; nodes.len()];
    for edge in edges {
        below[edge.from.node].push(edge.to.node);
        open[edge.to.node] += 1;
    }
    let sources: Vec<usize> = (0..nodes.len()).filter(|&n| open[n] == 0).collect();
    let mut ranks = vec![0usize; nodes.len()];
    let mut ready = sources.clone();
    while let Some(node) = ready.pop() {
        for &next in &below[node] {
            ranks[next] = ranks[next].max(ranks[node] + 1);
            open[next] -= 1;
            if open[next] == 0 {
                ready.push(next);
            }
        }
    }
    for source in sources.into_iter().filter(|&s| nodes[s].pin != Pin::Top) {
        if let Some(first) = below[source].iter().map(|&n| ranks[n]).min() {
            ranks[source] = first.saturating_sub(1);
        }
    }
    let last = ranks.iter().copied().max().unwrap_or(0);
    for (rank, node) in ranks.iter_mut().zip(nodes) {
        if node.pin == Pin::Bottom {
            *rank = last;
        }
    }
    ranks
}
