//! Learning rates over the steps.

use std::fmt;

/// How the learning rate changes; steps count from 0.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Schedule {
    /// It stays.
    #[default]
    Constant,
    /// Half a wave of a cosine, from the rate down to `min` (Loshchilov and Hutter 2017, without restarts): at step t of `steps`,
    /// `min + (rate − min) · (1 + cos(π · t / steps)) / 2`, and `min` from then on.
    Cosine {
        /// Steps until the rate is `min`.
        steps: u64,
        /// The rate at the end.
        min: f64,
    },
    /// A straight line up: at step t of `steps`, `(t + 1) / steps` of the rate with which the schedule that follows begins.
    Warmup {
        /// Steps of the line.
        steps: u64,
        /// What follows, from its own step 0.
        then: Box<Self>,
    },
}

impl Schedule {
    /// The learning rate of a step, where the optimizer has `lr`. The same bits on every machine.
    pub fn rate(&self, lr: f64, step: u64) -> f64 {
        match self {
            Self::Constant => lr,
            Self::Cosine { steps, min } if step >= *steps => *min,
            Self::Cosine { steps, min } => {
                min + (lr - min) * (1.0 + cos_pi(step as f64 / *steps as f64)) / 2.0
            }
            Self::Warmup { steps, then } if step >= *steps => then.rate(lr, step - steps),
            Self::Warmup { steps, then } => then.rate(lr, 0) * ((step + 1) as f64 / *steps as f64),
        }
    }
}

/// As the language writes it.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Cosine { steps, min } => write!(f, "cosine(steps: {steps}, min: {min:?})"),
            Self::Warmup { steps, then } => write!(f, "warmup(steps: {steps}, then: {then})"),
        }
    }
}

/// The cosine of `π · x`, for x in 0..=1: its Taylor series around 0, to within rounding, and by symmetry. (Mathematics libraries
/// differ in the last bit.)
fn cos_pi(x: f64) -> f64 {
    if x > 0.5 {
        return -cos_pi(1.0 - x);
    }
    let square = (std::f64::consts::PI * x) * (std::f64::consts::PI * x);
    // 1 − s/(1·2) · (1 − s/(3·4) · (1 − …)); (π/2)²⁴ / 24! is below 2⁻⁶⁰.
    (1..=12).rev().fold(1.0, |sum, i| {
        let last = f64::from(2 * i);
        1.0 - square / ((last - 1.0) * last) * sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cosine_is_one() {
        for i in 0..=1000 {
            let x = f64::from(i) / 1000.0;
            assert!((cos_pi(x) - (std::f64::consts::PI * x).cos()).abs() < 4e-16, "{x}");
        }
        assert_eq!([cos_pi(0.0), cos_pi(1.0)], [1.0, -1.0]);
        assert!(cos_pi(0.5).abs() < 1e-16);
    }

    #[test]
    fn rates_follow_their_formulas() {
        assert_eq!(Schedule::Constant.rate(0.1, 77), 0.1);
        let cosine = Schedule::Cosine { steps: 4, min: 0.2 };
        let rates: Vec<f64> = (0..6).map(|step| cosine.rate(1.0, step)).collect();
        for (rate, want) in rates.iter().zip([1.0, 0.882_842_712, 0.6, 0.317_157_288, 0.2, 0.2]) {
            assert!((rate - want).abs() < 1e-9, "{rates:?}");
        }
        let warmup = Schedule::Warmup { steps: 4, then: Box::new(cosine.clone()) };
        let rates: Vec<f64> = (0..5).map(|step| warmup.rate(1.0, step)).collect();
        assert_eq!(rates, [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert_eq!(warmup.rate(1.0, 7), cosine.rate(1.0, 3));
        assert_eq!(warmup.to_string(), "warmup(steps: 4, then: cosine(steps: 4, min: 0.2))");
        assert_eq!(Schedule::Cosine { steps: 0, min: 0.0 }.rate(1.0, 0), 0.0);
        assert_eq!(Schedule::Warmup { steps: 0, then: Box::default() }.rate(1.0, 0), 1.0);
    }
}
