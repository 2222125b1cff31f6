//! The rows of a strip: what each step adds to a tensor, and how many rows its ring keeps.
//!
//! After step `i` a tensor has all its rows above a *frontier*: the lowest row that any reader's new rows need, or that the tensor
//! itself gives out. So no row is computed twice. A row is kept until the last reader is past it, long skips included: a ring is as
//! high as from the highest row that a step still reads down to the frontier.

use zellige_runtime::program::Interval;

use super::geometry::{AxisTiles, Walk};

/// The rows of tensor `t`, given those of its readers.
pub(super) fn rows(walk: &Walk<'_>, t: usize, done: &[AxisTiles]) -> AxisTiles {
    let tensor = &walk.flow.tensors[t];
    let mut needs = walk.needs(tensor, done);
    if t == walk.flow.anchor {
        walk.include_anchor(&mut needs);
    }
    let owned = if tensor.is_owned() {
        let frontiers: Vec<i64> = frontiers(&needs).collect();
        // What readers are in no hurry for is given out as the anchor is.
        let least = |i: u64| if t == walk.flow.anchor { i64::MIN } else { frontiers[i as usize - 1] };
        walk.owned(t, |i| walk.in_proportion(t, i as i64).max(least(i)))
    } else {
        Vec::new()
    };
    walk.include(t, &owned, &mut needs);
    keep(&needs, owned)
}

/// The end of what is needed up to each step.
fn frontiers(needs: &[Interval]) -> impl Iterator<Item = i64> {
    needs.iter().scan(first_row(needs), |frontier, need| {
        if !need.is_empty() {
            *frontier = need.end.max(*frontier);
        }
        Some(*frontier)
    })
}

/// The first row that is needed.
fn first_row(needs: &[Interval]) -> i64 {
    needs.iter().filter(|n| !n.is_empty()).map(|n| n.start).min().unwrap_or(0)
}

/// What each step adds in order that it has what it needs, and the rows to keep.
fn keep(needs: &[Interval], owned: Vec<Interval>) -> AxisTiles {
    let mut start = first_row(needs);
    let (mut size, mut ring) = (1, false);
    let mut computed = Vec::with_capacity(needs.len());
    for (need, end) in needs.iter().zip(frontiers(needs)) {
        let new = Interval::new(start, end);
        let kept = if need.is_empty() { new } else { Interval::new(need.start.min(start), end) };
        ring |= kept.start < new.start;
        size = size.max(kept.len());
        computed.push(new);
        start = end;
    }
    AxisTiles { size, ring, computed, owned, ..AxisTiles::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: i64, end: i64) -> Interval {
        Interval::new(start, end)
    }

    #[test]
    fn each_row_is_added_once_and_kept_as_long_as_it_is_read() {
        // A 3 × 3 window, bands of 4 rows.
        let tiles = keep(&[interval(-1, 5), interval(3, 9), interval(7, 11)], Vec::new());
        assert_eq!(tiles.computed, [interval(-1, 5), interval(5, 9), interval(9, 11)]);
        assert_eq!((tiles.size, tiles.ring), (6, true));
        // A reader that lags behind: eight more rows.
        let tiles = keep(&[interval(-1, 13), interval(3, 17), interval(7, 19)], Vec::new());
        assert_eq!((tiles.size, tiles.ring), (14, true));
    }

    #[test]
    fn what_no_later_step_reads_is_no_ring() {
        let tiles = keep(&[interval(0, 4), Interval::default(), interval(4, 8)], Vec::new());
        assert_eq!(tiles.computed, [interval(0, 4), interval(4, 4), interval(4, 8)]);
        assert_eq!((tiles.size, tiles.ring), (4, false));
    }
}
