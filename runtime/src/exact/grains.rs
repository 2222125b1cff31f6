//! The fixed grid over which reductions over space are defined.

use crate::program::Interval;

/// Side of a grain, in pixels; grain `(i, j)` begins at pixel `(8·i, 8·j)` of the tensor, whatever the tile.
pub const GRAIN: i64 = 8;

/// The grains along an axis that meet `interval`, in order, each clipped to it.
///
/// Where the interval is made of whole grains, clipped to the extent, these are the grains of the tensor.
pub fn cells(interval: Interval) -> impl Iterator<Item = Interval> {
    let mut start = interval.start;
    std::iter::from_fn(move || {
        let next = start.div_euclid(GRAIN).saturating_add(1).saturating_mul(GRAIN).min(interval.end);
        let cell = Interval::new(start, next);
        start = next;
        (!cell.is_empty()).then_some(cell)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(start: i64, end: i64) -> Vec<(i64, i64)> {
        cells(Interval::new(start, end)).map(|c| (c.start, c.end)).collect()
    }

    #[test]
    fn cells_lie_on_the_global_grid() {
        assert_eq!(list(0, 20), [(0, 8), (8, 16), (16, 20)]);
        assert_eq!(list(13, 17), [(13, 16), (16, 17)]);
        assert_eq!(list(-9, 1), [(-9, -8), (-8, 0), (0, 1)]);
        assert_eq!(list(5, 5), []);
        assert_eq!(list(5, 3), []);
        assert_eq!(list(i64::MAX - 2, i64::MAX), [(i64::MAX - 2, i64::MAX)]);
    }
}
