//! Axes: from values to places, and where the ticks are.

/// An axis of a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Values at the ends.
    low: f64,
    high: f64,
    /// Places at the ends.
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Axis {
    /// An axis on which the values between `low` and `high` lie between the places `from` and `to`. A logarithmic one has
    /// positive values only.
    pub(super) fn new([low, high]: [f64; 2], [from, to]: [f64; 2], logarithmic: bool) -> Self {
        // An axis of one value has it in the middle.
        let [low, high] = match (low < high, logarithmic) {
            (true, _) => [low, high],
            (false, true) => [low / 2.0, low * 2.0],
            (false, false) => [low - 1.0, low + 1.0],
        };
        Self { low, high, from, to, logarithmic }
    }

    /// Where a value lies.
    pub(super) fn place(&self, value: f64) -> f64 {
        let [low, high, value] =
            [self.low, self.high, value].map(|v| if self.logarithmic { v.ln() } else { v });
        self.from + (value - low) / (high - low) * (self.to - self.from)
    }

    /// Round values, about five to ten.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if self.logarithmic && self.high / self.low > 8.0 { self.powers() } else { self.multiples() }
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    fn multiples(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 6.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        // A value that is a multiple but for rounding is one.
        let first = (self.low / step - 1e-9).ceil();
        (0..12)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|v| *v <= self.high * (1.0 + 1e-9))
            .collect()
    }

    /// Powers of ten, and what lies between if there are few; some of them if there are many.
    fn powers(&self) -> Vec<f64> {
        let [low, high] = [self.low.log10().floor() as i32, self.high.log10().ceil() as i32];
        let factors: &[f64] = if high - low <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = ((high - low) / 8 + 1) as usize;
        let values = (low..=high).step_by(every).flat_map(|e| factors.iter().map(move |f| f * 10f64.powi(e)));
        values.filter(|v| (self.low..=self.high).contains(v)).collect()
    }
}

/// A tick's value in few digits.
pub(super) fn label(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e6).contains(&magnitude) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(range: [f64; 2], logarithmic: bool) -> Vec<String> {
        Axis::new(range, [0.0, 1.0], logarithmic).ticks().into_iter().map(label).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(labels([1.0, 1000.0], false), ["200", "400", "600", "800", "1000"]);
        assert_eq!(labels([-0.3, 0.3], false), ["-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels([0.003, 0.7], true), ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]);
        assert_eq!(labels([2e-6, 3.0], true), ["1e-5", "0.0001", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels([0.5, 0.9], true), ["0.5", "0.6", "0.7", "0.8", "0.9"]);
        assert_eq!(labels([7.0, 7.0], false), ["6", "6.5", "7", "7.5", "8"]);
        for range in [[1e-45, 3e38], [1e-300, 1e300], [1.0, f64::from(f32::MAX)]] {
            for logarithmic in [false, true] {
                let count = labels(range, logarithmic).len();
                assert!((2..=24).contains(&count), "{range:?}: {count}");
            }
        }
    }

    #[test]
    fn values_have_their_places() {
        let axis = Axis::new([1.0, 100.0], [10.0, 30.0], true);
        assert!((axis.place(10.0) - 20.0).abs() < 1e-9);
        let axis = Axis::new([0.0, 4.0], [100.0, 0.0], false);
        assert_eq!([0.0, 1.0, 4.0].map(|v| axis.place(v)), [100.0, 75.0, 0.0]);
        assert_eq!(Axis::new([3.0, 3.0], [0.0, 10.0], false).place(3.0), 5.0);
    }
}
