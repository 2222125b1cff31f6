//! One interval a step, stored as prologue, period and epilogue, so that a long axis is a few rows.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Interval;

/// The intervals of `prologue ++ period × repeats (each turn moved by `advance`) ++ epilogue`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Steps {
    /// The first steps, each written out.
    pub prologue: Vec<Interval>,
    /// The steps that repeat, as they are in their first turn.
    pub period: Vec<Interval>,
    /// How far the period moves from one turn to the next.
    pub advance: i64,
    /// Number of turns of the period.
    pub repeats: u64,
    /// The last steps, each written out.
    pub epilogue: Vec<Interval>,
}

/// The longest period that is looked for. Longer ones do occur (a stride of 2 against grains of 8 has 4), but a table
/// this long is no better than the list.
const LONGEST_PERIOD: usize = 64;

impl Steps {
    /// Number of steps.
    pub fn len(&self) -> u64 {
        (self.period.len() as u64)
            .saturating_mul(self.repeats)
            .saturating_add(self.prologue.len() as u64)
            .saturating_add(self.epilogue.len() as u64)
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The interval of step `i`; empty past the last one.
    pub fn get(&self, i: u64) -> Interval {
        let Some(i) = usize_sub(i, self.prologue.len()) else { return self.prologue[i as usize] };
        let middle = (self.period.len() as u64).saturating_mul(self.repeats);
        if i < middle {
            let turn = i / self.period.len() as u64;
            let offset = i64::try_from(turn).unwrap_or(i64::MAX).saturating_mul(self.advance);
            return self.period[(i % self.period.len() as u64) as usize].shift(offset);
        }
        usize::try_from(i - middle).ok().and_then(|i| self.epilogue.get(i)).copied().unwrap_or_default()
    }

    /// The steps whose intervals have something in common with `interval`; starts and ends ascend.
    pub fn meeting(&self, interval: Interval) -> Range<u64> {
        let first = self.first(|i| i.end > interval.start);
        first..self.first(|i| i.start >= interval.end).max(first)
    }

    /// The first step of which something holds that holds of all steps behind, too; their number if it holds of none.
    fn first(&self, holds: impl Fn(Interval) -> bool) -> u64 {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from + (to - from) / 2;
            if holds(self.get(middle)) { to = middle } else { from = middle + 1 }
        }
        to
    }

    /// All intervals in order.
    pub fn iter(&self) -> impl Iterator<Item = Interval> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Pixels of all intervals together; overlaps count each time.
    pub fn pixels(&self) -> u64 {
        let sum = |list: &[Interval]| list.iter().fold(0u64, |sum, i| sum.saturating_add(i.len() as u64));
        sum(&self.period)
            .saturating_mul(self.repeats)
            .saturating_add(sum(&self.prologue))
            .saturating_add(sum(&self.epilogue))
    }

    /// The shortest table that gives `list` back.
    pub fn compress(list: &[Interval]) -> Self {
        let mut best = Self { prologue: list.to_vec(), ..Self::default() };
        let mut best_size = list.len();
        for p in 1..=LONGEST_PERIOD.min(list.len() / 2) {
            let (start, turns, advance) = longest_run(list, p);
            let size = list.len() - p * turns + p;
            if turns >= 2 && size < best_size {
                best_size = size;
                best = Self {
                    prologue: list[..start].to_vec(),
                    period: list[start..start + p].to_vec(),
                    advance,
                    repeats: turns as u64,
                    epilogue: list[start + p * turns..].to_vec(),
                };
            }
        }
        best
    }
}

fn usize_sub(i: u64, n: usize) -> Option<u64> {
    i.checked_sub(n as u64)
}

/// The longest stretch of `list` in which each interval is the one `p` steps before moved by a constant:
/// its first index, its number of whole turns, and the constant.
fn longest_run(list: &[Interval], p: usize) -> (usize, usize, i64) {
    let moved = |i: usize, by: i64| list[i + p] == list[i].shift(by);
    let mut best = (0, 0, 0);
    let mut i = 0;
    while i + p < list.len() {
        let advance = list[i + p].start - list[i].start;
        let run = (i..list.len() - p).take_while(|&j| moved(j, advance)).count();
        let turns = if run == 0 { 0 } else { (run + p) / p };
        if turns > best.1 {
            best = (i, turns, advance);
        }
        i += run.max(1);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_keeps_every_interval() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let n = rng.usize(0..40);
            let (a, p) = (rng.i64(-3..9), rng.i64(1..5));
            let list: Vec<_> = (0..n as i64)
                .map(|i| {
                    let noise = if rng.u8(0..12) == 0 { rng.i64(0..3) } else { 0 };
                    Interval::new(i * a + i % p + noise, i * a + 4)
                })
                .collect();
            let steps = Steps::compress(&list);
            assert_eq!(steps.iter().collect::<Vec<_>>(), list);
        }
    }

    #[test]
    fn the_steps_that_meet_an_interval_are_found() {
        let mut rng = fastrand::Rng::with_seed(2);
        for _ in 0..500 {
            let (tile, halo, n) = (rng.i64(1..6), rng.i64(0..4), rng.i64(0..12));
            let list: Vec<_> =
                (0..n).map(|i| Interval::new(i * tile - halo, (i + 1) * tile + halo)).collect();
            let start = rng.i64(-9..70);
            let asked = Interval::new(start, start + rng.i64(1..9));
            let meets = |i: &u64| !list[*i as usize].intersect(asked).is_empty();
            let expected: Vec<u64> = (0..n as u64).filter(meets).collect();
            assert_eq!(
                Steps::compress(&list).meeting(asked).collect::<Vec<_>>(),
                expected,
                "{list:?}, {asked}"
            );
        }
    }

    #[test]
    fn a_long_axis_is_a_few_rows() {
        let list: Vec<_> = (0..100_000 / 16)
            .map(|i| Interval::new((i * 16 - 1).max(0), (i * 16 + 17).min(100_000)))
            .collect();
        let steps = Steps::compress(&list);
        assert!(steps.prologue.len() + steps.period.len() + steps.epilogue.len() <= 3, "{steps:?}");
    }
}
