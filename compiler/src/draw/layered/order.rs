//! The order within ranks: each item goes to the mean position of its neighbours, sweep by sweep; the best order is kept.

use super::Network;

/// Sweeps, down and up by turns.
const SWEEPS: usize = 24;

/// Orders the items of every rank.
pub(super) fn arrange(network: &mut Network) {
    let mut position = vec![0.0; network.widths.len()];
    for rank in &network.ranks {
        number(rank, &mut position);
    }
    let mut best = network.ranks.clone();
    let mut fewest = crossings(network, &position);
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let count = network.ranks.len();
        for at in 0..count {
            let rank = if down { at } else { count - 1 - at };
            sort(network, rank, usize::from(!down), &mut position);
        }
        let found = crossings(network, &position);
        if found < fewest {
            fewest = found;
            best.clone_from(&network.ranks);
        }
    }
    network.ranks = best;
}

fn number(rank: &[usize], position: &mut [f64]) {
    for (i, &item) in rank.iter().enumerate() {
        position[item] = i as f64;
    }
}

/// Where an end of a link lies: ends of one item keep the order of their places on it.
fn place(network: &Network, end: super::End, position: &[f64]) -> f64 {
    position[end.node] + end.x / network.widths[end.node].max(1.0)
}

/// Sorts a rank by its neighbours on one side: 0 above, 1 below.
fn sort(network: &mut Network, rank: usize, side: usize, position: &mut [f64]) {
    let mean = |item: usize| {
        let links = &network.of[item][side];
        let at = |&l: &usize| {
            let [own, other] = [1 - side, side].map(|s| network.links[l].ends[s]);
            place(network, other, position) - own.x / network.widths[own.node].max(1.0)
        };
        let sum: f64 = links.iter().map(at).sum();
        if links.is_empty() { position[item] } else { sum / links.len() as f64 }
    };
    let mut keyed: Vec<(f64, usize)> = network.ranks[rank].iter().map(|&i| (mean(i), i)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    network.ranks[rank] = keyed.into_iter().map(|(_, item)| item).collect();
    number(&network.ranks[rank], position);
}

/// Number of crossings between neighbouring ranks.
fn crossings(network: &Network, position: &[f64]) -> usize {
    let rank_of = |rank: &Vec<usize>| {
        let links = rank.iter().flat_map(|&item| &network.of[item][1]);
        let mut ends: Vec<[f64; 2]> =
            links.map(|&l| network.links[l].ends.map(|e| place(network, e, position))).collect();
        ends.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
        let mut lower: Vec<f64> = ends.iter().map(|e| e[1]).collect();
        inversions(&mut lower)
    };
    network.ranks.iter().map(rank_of).sum()
}

/// Pairs in the wrong order; sorts on the way.
fn inversions(list: &mut [f64]) -> usize {
    if list.len() < 2 {
        return 0;
    }
    let (left, right) = list.split_at_mut(list.len() / 2);
    let mut count = inversions(left) + inversions(right);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        if j == right.len() || (i < left.len() && left[i] <= right[j]) {
            merged.push(left[i]);
            i += 1;
        } else {
            merged.push(right[j]);
            count += left.len() - i;
            j += 1;
        }
    }
    list.copy_from_slice(&merged);
    count
}
