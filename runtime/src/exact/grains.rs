//! The fixed grid over which reductions over space are defined.

use crate::program::{Interval, Region};

/// Side of a grain, in pixels; grain `(i, j)` begins at pixel `(8·i, 8·j)` of the tensor, whatever the tile.
pub const GRAIN: i64 = 8;

/// The grains that meet `region`, in raster order, each clipped to it.
///
/// Where `region` is made of whole grains, clipped to the extent, these are the grains of the tensor.
pub fn grains(region: Region) -> impl Iterator<Item = Region> {
    cells(region.y).flat_map(move |y| cells(region.x).map(move |x| Region { y, x }))
}

fn cells(interval: Interval) -> impl Iterator<Item = Interval> {
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

    #[test]
    fn grains_come_in_raster_order() {
        let region = Region { y: Interval::new(8, 20), x: Interval::new(0, 10) };
        let starts: Vec<_> = grains(region).map(|g| (g.y.start, g.x.start)).collect();
        assert_eq!(starts, [(8, 0), (8, 8), (16, 0), (16, 8)]);
    }
}
