//! What happens to gradients before an optimizer sees them: accumulation, and clipping by their norm.

use std::sync::atomic::AtomicI64;

use crate::exact::superaccumulator::{self, LIMBS, Local, MAX_VALUES};

/// The norm of all gradients together: the root of the sum of their squares, which is exact and rounded once, so that neither
/// order nor grouping matter.
pub fn global_norm<'a>(gradients: impl IntoIterator<Item = &'a [f32]>) -> f64 {
    let sums: Vec<Vec<AtomicI64>> = gradients
        .into_iter()
        .flat_map(|gradient| gradient.chunks(MAX_VALUES as usize))
        .map(|values| {
            let mut local = Local::ZERO;
            for &value in values {
                // The product of two f32 is exact in f64.
                local.add(f64::from(value) * f64::from(value));
            }
            let sum: Vec<AtomicI64> = std::iter::repeat_with(AtomicI64::default).take(LIMBS).collect();
            local.add_to(&sum);
            sum
        })
        .collect();
    superaccumulator::round_total(sums.iter().map(Vec::as_slice)).sqrt()
}

/// What gradients of this norm are multiplied by so that it is at most `most`: as PyTorch's `clip_grad_norm_`,
/// `min(most / (norm + 1e-6), 1)`, and NaN if the norm is.
pub fn clip_factor(norm: f64, most: f64) -> f32 {
    let factor = most / (norm + 1e-6);
    // A NaN stays one, which `min` would hide.
    (if factor > 1.0 { 1.0 } else { factor }) as f32
}

/// Multiplies a gradient by a factor; 1 leaves it as it is.
pub fn scale(gradient: &mut [f32], factor: f32) {
    if factor != 1.0 {
        gradient.iter_mut().for_each(|g| *g *= factor);
    }
}

/// The mean of several gradients of the same tensors: `acc = g₀`, then `acc = acc + gᵢ`, ascending, divided once by their number.
#[derive(Clone, Debug, Default)]
pub struct Accumulated {
    sums: Vec<Vec<f32>>,
    count: u32,
}

impl Accumulated {
    /// Adds the gradients of one more batch, a tensor each, in the same order every time.
    ///
    /// # Panics
    ///
    /// If there are not as many, or one has not as many values, as the first time.
    pub fn add(&mut self, gradients: &[&[f32]]) {
        if self.count == 0 {
            self.sums = gradients.iter().map(|gradient| gradient.to_vec()).collect();
        } else {
            assert_eq!(self.sums.len(), gradients.len(), "batches have gradients of the same tensors");
            for (sum, gradient) in self.sums.iter_mut().zip(gradients) {
                assert_eq!(sum.len(), gradient.len(), "gradients of a tensor have one size");
                sum.iter_mut().zip(*gradient).for_each(|(sum, g)| *sum += g);
            }
        }
        self.count += 1;
    }

    /// The means, and all is forgotten.
    pub fn take(&mut self) -> Vec<Vec<f32>> {
        let count = std::mem::take(&mut self.count) as f32;
        let mut means = std::mem::take(&mut self.sums);
        means.iter_mut().flatten().for_each(|sum| *sum /= count);
        means
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_is_exact() {
        assert_eq!(global_norm([&[3.0][..], &[], &[-4.0]]), 5.0);
        assert_eq!(global_norm([]), 0.0);
        // Small ones count, though each is lost beside the large one in f64.
        let mut values = vec![1.0f32];
        values.extend([2f32.powi(-27); 1 << 10]);
        assert_eq!(global_norm([&values[..]]), (1.0 + 2f64.powi(-44)).sqrt());
        values.reverse();
        assert_eq!(global_norm([&values[..7], &values[7..]]), (1.0 + 2f64.powi(-44)).sqrt());
        assert_eq!(global_norm([&[f32::MAX; 4][..]]), 2.0 * f64::from(f32::MAX));
        assert!(global_norm([&[1.0, f32::NAN][..]]).is_nan());
        assert_eq!(global_norm([&[f32::NEG_INFINITY][..]]), f64::INFINITY);
    }

    #[test]
    fn only_what_is_too_long_is_clipped() {
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(0.0, 1.0), 1.0);
        assert_eq!(clip_factor(4.0, 1.0), (1.0 / 4.000_001) as f32);
        assert!(clip_factor(f64::NAN, 1.0).is_nan());
        assert_eq!(clip_factor(f64::INFINITY, 1.0), 0.0);
        let mut gradient = [2.0, -4.0];
        scale(&mut gradient, 0.5);
        assert_eq!(gradient, [1.0, -2.0]);
    }

    #[test]
    fn means_are_divided_once() {
        let mut accumulated = Accumulated::default();
        for (a, b) in [(1.0, 10.0), (2.0, 20.0), (4.0, 30.0)] {
            accumulated.add(&[&[a, -a], &[b]]);
        }
        assert_eq!(accumulated.take(), [vec![7.0 / 3.0, -7.0 / 3.0], vec![20.0]]);
        accumulated.add(&[&[-0.0]]);
        assert_eq!(accumulated.take()[0][0].to_bits(), (-0.0f32).to_bits());
    }
}
