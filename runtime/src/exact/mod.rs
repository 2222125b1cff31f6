//! Sums over space whose value does not depend on how the space is cut or who adds first.
//!
//! Pixels are first summed in f64 within the cells of a fixed grid ([`grains`]), in raster order; the cells' sums are then added
//! exactly ([`superaccumulator`]), so that their order is immaterial.

mod accumulate;
pub mod grains;
pub mod superaccumulator;

pub(crate) use accumulate::accumulate;

/// The mean of `count` values with the given sum: the quotient rounded to f64 and then to f32; NaN where there is none.
pub fn mean(sum: f64, count: u64) -> f32 {
    (sum / count as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::mean;

    #[test]
    fn a_mean_is_rounded_to_f64_and_then_to_f32() {
        assert_eq!(mean(1.0, 3), 1.0f32 / 3.0);
        // Rounded once, this would be the f32 above 1: in f64 it is a tie, which goes to even.
        let count = (1 << 30) + 3;
        let sum = count as f64 + 64.0 + 2f64.powi(-22);
        assert_eq!(mean(sum, count), 1.0);
        assert_eq!(mean(-0.0, 5).to_bits(), (-0f32).to_bits());
        assert!(mean(0.0, 0).is_nan());
        assert_eq!(mean(1e300, 2), f32::INFINITY);
    }
}
