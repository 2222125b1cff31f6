//! Tiles that overlap in what they store, and the order in which it is added up.
//!
//! Where a section sums in device memory ([`StoreRmw`](super::instr::StoreRmw)), tiles run colour by colour. Along each axis step `i` has colour
//! `i mod colours`; a tile has the colour of its y-step and that of its x-step, and rows' colours change last. Tiles of one colour
//! never store the same element, so they may run at once; between colours there is a barrier. The first tile in this order that owns an
//! element writes it, later ones read it, add and write. So an element is the sum of its parts in the order of colours, the same
//! for any number of threads, and memory need not be zeroed before.
//!
//! Which part of a tile comes first is per axis, too: an element belongs to the steps that own its row times those that own its column, and the
//! first of a product is the product of the firsts.

use super::{Interval, Steps};

/// Most colours along an axis.
pub const MAX_COLOURS: u64 = 1 << 12;

/// Of what step `step` owns, what no step of an earlier colour owns. Starts and ends of owned intervals ascend, and steps `colours` apart own
/// nothing in common.
pub fn owned_first(owned: &Steps, step: u64, colours: u64) -> Interval {
    let mut first = owned.get(step);
    let is_earlier = |other: &u64| other % colours < step % colours;
    for before in (step.saturating_sub(colours - 1)..step).filter(is_earlier) {
        first.start = first.start.max(owned.get(before).end);
    }
    for after in (step + 1..step.saturating_add(colours).min(owned.len())).filter(is_earlier) {
        first.end = first.end.min(owned.get(after).start);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_first_once_and_with_the_least_colour() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..500 {
            let (tile, halo) = (rng.i64(1..6), [rng.i64(0..9), rng.i64(0..9)]);
            let extent = rng.i64(1..60);
            let inside = |i: i64| i.clamp(0, extent);
            let list: Vec<Interval> = (0..(extent + tile - 1) / tile)
                .map(|i| Interval::new(inside(i * tile - halo[0]), inside((i + 1) * tile + halo[1])))
                .collect();
            let n = list.len() as u64;
            let apart = |c: &u64| (*c..n).all(|i| list[(i - c) as usize].end <= list[i as usize].start);
            let colours = (1..=n).find(apart).expect("as many colours as steps are enough");
            let owned = Steps::compress(&list);
            for at in 0..extent {
                let has = |i: Interval| i.start <= at && at < i.end;
                let owners = (0..n).filter(|&i| has(list[i as usize]));
                let firsts: Vec<u64> = (0..n).filter(|&i| has(owned_first(&owned, i, colours))).collect();
                assert_eq!(firsts, Vec::from_iter(owners.min_by_key(|i| i % colours)), "{list:?}, {at}");
            }
        }
    }
}
