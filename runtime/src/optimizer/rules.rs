//! From gradients to updates, value by value.

/// Running means of a tensor; empty where the rule has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moments {
    /// Momentum, or the mean of the gradient.
    pub(super) first: Vec<f32>,
    /// The mean of the gradient's square.
    pub(super) second: Vec<f32>,
}

/// Makes an update of a gradient by momentum.
pub(super) fn momentum(keep: f64, nesterov: bool, moments: &mut Moments, update: &mut [f32]) {
    let keep = keep as f32;
    for (m, u) in moments.first.iter_mut().zip(update) {
        *m = keep * *m + *u;
        *u = if nesterov { *u + keep * *m } else { *m };
    }
}

/// Options of Adam, without the rate.
#[derive(Clone, Copy)]
pub(super) struct Adam {
    pub(super) betas: [f64; 2],
    pub(super) eps: f64,
}

impl Adam {
    /// Makes an update of a gradient, as the `count`-th one (from 1).
    pub(super) fn update(self, count: u64, moments: &mut Moments, update: &mut [f32]) {
        let [keep_first, keep_second] = self.betas.map(|beta| beta as f32);
        let [take_first, take_second] = self.betas.map(|beta| (1.0 - beta) as f32);
        let [first_bias, second_bias] = self.betas.map(|beta| 1.0 / (1.0 - power(beta, count)));
        let (first_scale, second_scale) = (first_bias as f32, second_bias.sqrt() as f32);
        let eps = self.eps as f32;
        for ((m, v), u) in moments.first.iter_mut().zip(&mut moments.second).zip(update) {
            let g = *u;
            *m = keep_first * *m + take_first * g;
            *v = keep_second * *v + take_second * (g * g);
            *u = (*m * first_scale) / (v.sqrt() * second_scale + eps);
        }
    }
}

/// Makes an update of a gradient: the sign of a mean.
pub(super) fn lion(betas: [f64; 2], moments: &mut Moments, update: &mut [f32]) {
    let [keep_here, keep_on] = betas.map(|beta| beta as f32);
    let [take_here, take_on] = betas.map(|beta| (1.0 - beta) as f32);
    for (m, u) in moments.first.iter_mut().zip(update) {
        let g = *u;
        *u = sign(keep_here * *m + take_here * g);
        *m = keep_on * *m + take_on * g;
    }
}

/// Masks an update where it goes against the gradient, and scales the rest by the share that is left.
pub(super) fn mask(update: &mut [f32], gradient: &[f32]) {
    let agrees = |u: f32, g: f32| (u > 0.0 && g > 0.0) || (u < 0.0 && g < 0.0);
    let kept = update.iter().zip(gradient).filter(|(u, g)| agrees(**u, **g)).count();
    let scale = (update.len() as f64 / (kept as f64 + 1.0)) as f32;
    for (u, g) in update.iter_mut().zip(gradient) {
        // A product, so that a NaN stays one.
        *u *= if agrees(*u, *g) { scale } else { 0.0 };
    }
}

/// Zero for zeros, NaN for NaN.
fn sign(value: f32) -> f32 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        value
    }
}

/// `base` to the power of `exponent`, by squaring: the same bits on every machine, as `powi` is not.
fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut product = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            product *= base;
        }
        base *= base;
        exponent /= 2;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_close() {
        for (base, exponent) in [(0.9, 0), (0.9, 1), (0.999, 1000), (0.999, 123_457), (0.0, 5), (0.5, 10)] {
            let want = f64::powf(base, exponent as f64);
            assert!((power(base, exponent) - want).abs() <= 1e-10 * want, "{base}^{exponent}");
        }
        assert_eq!(power(0.0, 0), 1.0);
        assert_eq!(power(0.9, u64::MAX), 0.0);
    }

    #[test]
    fn signs() {
        assert_eq!([3.0, -1e-40, 0.0].map(sign), [1.0, -1.0, 0.0]);
        assert!(sign(f32::NAN).is_nan());
    }

    #[test]
    fn updates_against_the_gradient_are_masked() {
        // Two of five agree; the last product underflows, and agrees all the same.
        let mut update = [1.0, -2.0, 3.0, 0.0, -1e-30];
        mask(&mut update, &[2.0, 1.0, 0.0, 1.0, -1e-30]);
        let scale = (5.0f64 / 3.0) as f32;
        assert_eq!(update, [scale, 0.0, 0.0, 0.0, -1e-30 * scale]);
        let mut update = [f32::NAN, 1.0];
        mask(&mut update, &[1.0, 1.0]);
        assert!(update[0].is_nan());
    }
}
