//! Places within ranks: each item as near to its neighbours as its rank allows, least squares with long edges weighing more,
//! so that they get straight.

use super::Network;

/// Sweeps, down and up by turns.
const SWEEPS: usize = 40;
/// Of a link between nodes, between a node and a bend, and between bends.
const WEIGHTS: [f64; 3] = [4.0, 1.0, 16.0];
/// The last sweeps go down only: a chain hangs straight from its first node, and what it has to give way it does at once.
const LAST: usize = 4;

/// The middle of each item; neighbours in a rank are `gap` apart.
pub(super) fn middles(network: &Network, gap: f64) -> Vec<f64> {
    let mut middles = vec![0.0; network.widths.len()];
    for rank in &network.ranks {
        let offsets = offsets(network, rank, gap);
        let half = offsets.last().map_or(0.0, |last| last / 2.0);
        for (&item, offset) in rank.iter().zip(offsets) {
            middles[item] = offset - half;
        }
    }
    let count = network.ranks.len();
    for sweep in 0..SWEEPS {
        let side = if sweep + LAST < SWEEPS { sweep % 2 } else { 0 };
        for at in 0..count {
            let rank = if side == 0 { at } else { count - 1 - at };
            settle(network, &network.ranks[rank], side, gap, &mut middles);
        }
    }
    for path in &network.paths {
        straighten(network, path, gap, &mut middles);
    }
    middles
}

/// Puts all bends of an edge above one another if there is room for it.
fn straighten(network: &Network, path: &[usize], gap: f64, middles: &mut [f64]) {
    let bends: Vec<usize> = path.iter().copied().filter(|&item| network.is_bend(item)).collect();
    let mut room = [f64::NEG_INFINITY, f64::INFINITY];
    for &bend in &bends {
        let rank = &network.ranks[network.rank_of[bend]];
        let offsets = offsets(network, rank, gap);
        let Some(at) = rank.iter().position(|&item| item == bend) else { return };
        if let Some(left) = at.checked_sub(1) {
            room[0] = room[0].max(middles[rank[left]] + offsets[at] - offsets[left]);
        }
        if let Some(&right) = rank.get(at + 1) {
            room[1] = room[1].min(middles[right] - (offsets[at + 1] - offsets[at]));
        }
    }
    if room[0] <= room[1] && !bends.is_empty() {
        let mean = bends.iter().map(|&b| middles[b]).sum::<f64>() / bends.len() as f64;
        let place = mean.clamp(room[0], room[1]);
        bends.iter().for_each(|&b| middles[b] = place);
    }
}

/// How far right of the first item of a rank each must be at least.
fn offsets(network: &Network, rank: &[usize], gap: f64) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = vec![0.0; rank.len()];
    for (i, pair) in rank.windows(2).enumerate() {
        let [left, right] = [pair[0], pair[1]];
        let bends = network.is_bend(left) && network.is_bend(right);
        let gap = if bends { gap / 2.0 } else { gap };
        offset += f64::midpoint(network.widths[left], network.widths[right]) + gap;
        offsets[i + 1] = offset;
    }
    offsets
}

/// Moves the items of a rank towards their neighbours on one side: 0 above, 1 below.
fn settle(network: &Network, rank: &[usize], side: usize, gap: f64, middles: &mut [f64]) {
    let offsets = offsets(network, rank, gap);
    let wishes = rank.iter().zip(&offsets).map(|(&item, offset)| {
        let (mut sum, mut weight) = (0.0, 0.0);
        for &l in &network.of[item][side] {
            let [own, other] = [1 - side, side].map(|s| network.links[l].ends[s]);
            let bends = [own, other].into_iter().filter(|e| network.is_bend(e.node)).count();
            sum += WEIGHTS[bends] * (middles[other.node] + other.x - own.x);
            weight += WEIGHTS[bends];
        }
        if weight > 0.0 { (sum / weight - offset, weight) } else { (middles[item] - offset, 0.1) }
    });
    for ((&item, offset), place) in rank.iter().zip(&offsets).zip(ascending(wishes)) {
        middles[item] = place + offset;
    }
}

/// The ascending numbers nearest to some weighted ones, in least squares: neighbours in the wrong order are joined to their
/// mean until there are none.
fn ascending(wishes: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in wishes {
        blocks.push((value, weight, 1));
        while let [.., (before, w, n), (after, v, m)] = blocks[..] {
            if before <= after {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push(((before * w + after * v) / (w + v), w + v, n + m));
        }
    }
    blocks.into_iter().flat_map(|(value, _, count)| std::iter::repeat_n(value, count)).collect()
}
