//! Sums of many f32 values at the price of f64 additions, exact all the same.
//!
//! A running sum `s` takes a value `v` as `s + v`, rounded to f64, which is exact unless the two are of very different magnitude or
//! very many: f64 has 29 bits more than f32. Where it is not, what rounding takes away is an f64 itself, and a multiple of 2⁻¹⁴⁹ as
//! both operands are; it goes into an exact sum. So `s` and the exact sum together are at any moment the sum of all values, whoever
//! has added which, and the rest of `s` can be added to the exact sum at any time.

use std::sync::atomic::AtomicI64;

use super::single;

/// Values that are added at once.
pub(crate) const LANES: usize = 16;

/// Adds a value to each running sum if all of the additions are exact; otherwise it changes nothing and says so.
#[inline(always)]
pub(crate) fn try_add(sums: &mut [f64; LANES], values: &[f32; LANES]) -> bool {
    let mut after = [0.0; LANES];
    let mut exact = true;
    for lane in 0..LANES {
        let (sum, value) = (sums[lane], f64::from(values[lane]));
        let total = sum + value;
        // The difference from the larger operand is always exact, and is the other one if `total` is; NaN equals nothing.
        exact &= (total - sum == value) & (total - value == sum);
        after[lane] = total;
    }
    if exact {
        *sums = after;
    }
    exact
}

/// Adds a value to a running sum, and to `rest` what rounding takes away. Values that are not finite go to `rest` alone.
#[inline]
pub(crate) fn add(sum: &mut f64, value: f32, rest: &[AtomicI64]) {
    let value = f64::from(value);
    if !value.is_finite() {
        single::add(rest, value);
        return;
    }
    let total = *sum + value;
    // Two-sum (Knuth): exact whatever the magnitudes.
    let of_value = total - *sum;
    let lost = (*sum - (total - of_value)) + (value - of_value);
    *sum = total;
    single::add(rest, lost);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<AtomicI64> {
        std::iter::repeat_with(|| AtomicI64::new(0)).take(single::LIMBS).collect()
    }

    fn exact(values: &[f32]) -> u32 {
        let rest = words();
        values.iter().for_each(|&v| single::add(&rest, v.into()));
        single::round_total([&rest[..]]).to_bits()
    }

    /// In groups that each have a running sum, as workers have, and one exact sum for all.
    fn running(values: &[f32], groups: usize) -> u32 {
        let rest = words();
        let mut sums = vec![[0.0; LANES]; groups];
        for (i, &value) in values.iter().enumerate() {
            let sums = &mut sums[i * 7 % groups];
            if !try_add(sums, &[value; LANES]) {
                add(&mut sums[3], value, &rest);
                let same = sums[3];
                sums.fill(same);
            }
        }
        sums.iter().for_each(|s| single::add(&rest, s[3]));
        single::round_total([&rest[..]]).to_bits()
    }

    fn check(values: &mut [f32], rng: &mut fastrand::Rng) {
        let want = exact(values);
        for groups in [1, 2, 5] {
            assert_eq!(running(values, groups), want, "{groups} groups of {} values", values.len());
            rng.shuffle(values);
        }
    }

    #[test]
    fn order_and_groups_do_not_matter() {
        let mut rng = fastrand::Rng::with_seed(11);
        for round in 0..300 {
            let n = rng.usize(1..400);
            let mut any: Vec<f32> =
                (0..n).map(|_| f32::from_bits(rng.u32(..))).filter(|v| v.is_finite()).collect();
            check(&mut any, &mut rng);
            let mut usual: Vec<f32> = (0..10 * n).map(|_| rng.f32() - 0.5).collect();
            check(&mut usual, &mut rng);
            let mut tiny: Vec<f32> =
                (0..n).map(|_| f32::from_bits(rng.u32(..1 << 24) | rng.u32(..2) << 31)).collect();
            check(&mut tiny, &mut rng);
            // What is there cancels, and what is left is far below it.
            let mut cancels: Vec<f32> = usual.iter().map(|v| v * 2f32.powi(rng.i32(-60..90))).collect();
            cancels.extend(cancels.clone().iter().map(|v| -v));
            cancels.push(2f32.powi(-140 + round % 30));
            check(&mut cancels, &mut rng);
            let mut large: Vec<f32> =
                (0..n).map(|_| if rng.u8(..3) > 0 { f32::MAX } else { f32::MIN }).collect();
            check(&mut large, &mut rng);
        }
    }

    #[test]
    fn what_is_not_finite_decides() {
        let mut rng = fastrand::Rng::with_seed(12);
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        for special in [&[inf][..], &[-inf], &[inf, -inf], &[nan], &[nan, inf]] {
            let mut values: Vec<f32> = (0..50).map(|_| rng.f32()).collect();
            values.extend(special);
            check(&mut values, &mut rng);
        }
    }
}
