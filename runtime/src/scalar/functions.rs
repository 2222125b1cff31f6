//! Elementary functions as straight-line expressions over the exactly rounded primitives.
//!
//! A function is defined by the nodes that its builder appends, so kernels and JIT agree on every bit without sharing code. The
//! error bounds are those that the tests hold against f64 over a sample of 1.5 million values each, in units of the last place of
//! the exact value rounded to f32 (2⁻¹⁴⁹ where that is denormal). NaN gives NaN everywhere.
//!
//! Polynomials are minimax fits by Remez exchange on the stated interval, in the stated weight; coefficients are rounded to f32
//! one after another from the lowest, and the remaining ones fitted again after each rounding. They are listed from the lowest.

mod power;

use super::{Binary, Builder, Compare, Ref, Unary};

pub use power::pow;

/// ln 2 to 15 bits: its product with an integer below 2⁹ is exact.
const LN2_HIGH: f32 = 0.693_145_75;
/// ln 2 − [`LN2_HIGH`], rounded.
const LN2_LOW: f32 = 1.428_606_8e-6;

/// `e^x`, within 1.1 ulp.
///
/// `x = n·ln 2 + r` with `n = round(x / ln 2)`, so `|r| ≤ ln 2 / 2`; ln 2 is subtracted in two parts, the first of them exactly.
/// `e^r = 1 + r + r²·Q(r)` with Q of degree 4, and the result is scaled by `2^n` in two halves: the only rounding among the
/// scalings is the last one's, into a denormal or to infinity. Underflow is gradual, down to +0.
pub fn exp(b: &mut Builder, x: Ref) -> Ref {
    // Beyond these the result is +0 and +∞; they keep n within the reach of two scalings. NaN passes both.
    let (lowest, highest) = (b.constant(-104.0), b.constant(89.0));
    let x = b.binary(Binary::Max, lowest, x);
    let x = b.binary(Binary::Min, highest, x);
    let Reduced { n, growth } = exp_reduced(b, x);
    let power = add_const(b, growth, 1.0);
    scaled_in_halves(b, power, n)
}

/// `e^x − 1` for `x ≤ 0`, within 1.2 ulp, −0 included; above, what it is at 0.
///
/// With x reduced as for [`exp`]: `2^n·(e^r − 1) + (2^n − 1)`, whose second term is exact down to `n = −24`.
pub fn expm1(b: &mut Builder, x: Ref) -> Ref {
    // From −17.4 on the result is −1.
    let (lowest, zero) = (b.constant(-18.0), b.constant(0.0));
    let bounded = b.binary(Binary::Max, lowest, x);
    let bounded = b.binary(Binary::Min, zero, bounded);
    let Reduced { n, growth } = exp_reduced(b, bounded);
    let scale = b.unary(Unary::Exp2i, n);
    let shift = add_const(b, scale, -1.0);
    let value = b.fma(scale, growth, shift);
    b.select(Compare::Eq, x, zero, x, value)
}

/// The logistic function `1 / (1 + e^−x)`, within 1.7 ulp, denormal results included.
///
/// With `t = e^−|x|`, which does not overflow, and `u = t / (1 + t)`: `1 − u` for `x ≥ 0`, `t − t·u` below, which is u again but
/// with the roundings of the sum and the quotient scaled down by t.
pub fn sigmoid(b: &mut Builder, x: Ref) -> Ref {
    let a = b.unary(Unary::Abs, x);
    let negative = b.unary(Unary::Neg, a);
    let t = exp(b, negative);
    let (zero, one) = (b.constant(0.0), b.constant(1.0));
    let denominator = add(b, one, t);
    let u = b.binary(Binary::Div, t, denominator);
    let minus_u = b.unary(Unary::Neg, u);
    let factor = b.select(Compare::Lt, x, zero, t, one);
    b.fma(minus_u, factor, factor)
}

/// `tanh x`, odd (−0 included), within 1.4 ulp.
///
/// For `|x| < 0.625`: `x + x·x²·P(x²)` with P of degree 4. Beyond: `1 − 2 / (e^{2|x|} + 1)` with the sign of x.
pub fn tanh(b: &mut Builder, x: Ref) -> Ref {
    /// (tanh x / x − 1) / x² in z = x² on [0, 0.625²], error of the whole relative: 4.2e-9.
    const P: [f32; 5] = [-0.333_332_84, 0.133_314_83, -0.053_742_774, 0.020_648_062, -0.005_714_063_5];
    /// Takes the place of P's missing constant term: far below the last place of any result, but positive, so that the
    /// correction of ±0 has the sign of the zero that it is added to.
    const POSITIVE: f32 = 8.673_617e-19;

    let z = mul(b, x, x);
    let p = horner(b, z, &P);
    let positive = b.constant(POSITIVE);
    let correction = b.fma(z, p, positive);
    let near = b.fma(x, correction, x);

    // From 9.02 on the result is 1; 10 keeps 2^n within the reach of one scaling.
    let a = b.unary(Unary::Abs, x);
    let (one, two, ten) = (b.constant(1.0), b.constant(2.0), b.constant(10.0));
    let bounded = b.binary(Binary::Min, ten, a);
    let twice = mul(b, two, bounded);
    let power = exp_bounded(b, twice);
    let denominator = add(b, power, one);
    let quotient = b.binary(Binary::Div, two, denominator);
    let far = sub(b, one, quotient);
    near_or_far(b, x, 0.625, near, far)
}

/// The error function `2/√π · ∫₀ˣ e^−t² dt`, odd (−0 included), within 1.1 ulp.
///
/// For `|x| < 1`: `x + x·P(x²)` with P of degree 6. Beyond: `1 − e^−Q(|x|)` with Q of degree 7, which is −ln(1 − erf).
pub fn erf(b: &mut Builder, x: Ref) -> Ref {
    let near = erf_near(b, x);
    let complement = erf_complement(b, x);
    let one = b.constant(1.0);
    let far = sub(b, one, complement);
    near_or_far(b, x, 1.0, near, far)
}

/// `(1 + erf(x/√2)) / 2`, the share of a normal distribution below x, within 1 ulp of 1: the tail below is not a difference of
/// numbers around 1. 0 below −5.7.
pub fn normal_below(b: &mut Builder, x: Ref) -> Ref {
    let (zero, half, four) = (b.constant(0.0), b.constant(0.5), b.constant(4.0));
    let x = mul_const(b, x, std::f32::consts::FRAC_1_SQRT_2);
    let near = erf_near(b, x);
    let near = b.fma(half, near, half);

    let a = b.unary(Unary::Abs, x);
    let complement = erf_complement(b, x);
    let complement = b.select(Compare::Lt, four, a, zero, complement);
    let tail = mul(b, half, complement);
    let one = b.constant(1.0);
    let above = sub(b, one, tail);
    let far = b.select(Compare::Lt, x, zero, tail, above);
    b.select(Compare::Lt, a, one, near, far)
}

/// `erf x` for `|x| < 1`.
fn erf_near(b: &mut Builder, x: Ref) -> Ref {
    /// erf x / x − 1 in z = x² on [0, 1], error of the whole relative: 1.5e-9.
    const P: [f32; 7] = [
        0.128_379_17,
        -0.376_126_26,
        0.112_835_79,
        -0.026_853_347,
        0.005_187_162,
        -0.000_799_785_3,
        7.806_904e-5,
    ];

    let z = mul(b, x, x);
    let p = horner(b, z, &P);
    b.fma(x, p, x)
}

/// `1 − erf |x|` for `|x|` from 1 to 4; beyond, what it is at 4, which is nothing beside 1.
fn erf_complement(b: &mut Builder, x: Ref) -> Ref {
    /// −ln(1 − erf x) on [1, 4], error of the whole relative: 1.2e-10.
    const Q: [f32; 8] = [
        -0.000_188_468_3,
        1.129_580_3,
        0.633_216_6,
        0.108_421_72,
        -0.025_210_01,
        0.004_205_132_4,
        -0.000_441_437_12,
        2.169_410_6e-5,
    ];

    let a = b.unary(Unary::Abs, x);
    let four = b.constant(4.0);
    let bounded = b.binary(Binary::Min, four, a);
    let q = horner(b, bounded, &Q);
    let negative = b.unary(Unary::Neg, q);
    exp_bounded(b, negative)
}

/// The natural logarithm, within 1 ulp; −∞ at ±0, NaN below.
///
/// `x = m·2^e` with `√½ < m ≤ √2`. There is no primitive that takes a number apart: m and e are found by selecting among exact
/// multiplications by powers of two.
pub fn log(b: &mut Builder, x: Ref) -> Ref {
    let (m, e) = significand_and_exponent(b, x);
    let value = log_of_parts(b, m, e, None);

    let (zero, infinity) = (b.constant(0.0), b.constant(f32::INFINITY));
    let (pole, nan) = (b.constant(f32::NEG_INFINITY), b.constant(f32::NAN));
    let value = b.select(Compare::Eq, x, infinity, infinity, value);
    let value = b.select(Compare::Eq, x, zero, pole, value);
    b.select(Compare::Lt, x, zero, nan, value)
}

/// `ln(1 + e^x)`, within 1.7 ulp, denormal results included.
///
/// `max(0, x) + ln(1 + t)` with `t = e^−|x|`, and with `u = 1 + t` rounded, `ln(1 + t) = ln u + (t − (u − 1)) / u`.
pub fn softplus(b: &mut Builder, x: Ref) -> Ref {
    let a = b.unary(Unary::Abs, x);
    let negative = b.unary(Unary::Neg, a);
    let t = exp(b, negative);
    let (zero, one) = (b.constant(0.0), b.constant(1.0));
    let u = add(b, one, t);
    let rounded = sub(b, u, one);
    let missing = sub(b, t, rounded);
    let missing = b.binary(Binary::Div, missing, u);
    let root = b.constant(std::f32::consts::SQRT_2);
    let (m, e) = halve_from(b, Compare::Lt, root, 1, u, zero);
    let log = log_of_parts(b, m, e, Some(missing));
    let ramp = b.binary(Binary::Max, zero, x);
    add(b, ramp, log)
}

/// `ln(m·2^e) + residue` for m from √½ to √2: `f = m − 1`, and `ln(1 + f) = f − f²/2 + f³·P(f)` with P of degree 7, ln 2 in two
/// parts.
fn log_of_parts(b: &mut Builder, m: Ref, e: Ref, residue: Option<Ref>) -> Ref {
    /// (ln(1 + f) − f + f²/2) / f³ on [√½ − 1, √2 − 1], error of ln(1 + f) relative: 2.0e-8.
    const P: [f32; 8] = [
        0.333_333_3,
        -0.250_008_23,
        0.200_012_61,
        -0.166_233_35,
        0.142_001_99,
        -0.131_509_48,
        0.127_936_62,
        -0.077_502_005,
    ];

    let one = b.constant(1.0);
    let f = sub(b, m, one);
    let square = mul(b, f, f);
    let cube = mul(b, square, f);
    let p = horner(b, f, &P);
    let tail = mul(b, cube, p);
    let low = b.constant(LN2_LOW);
    let tail = b.fma(e, low, tail);
    let minus_half = b.constant(-0.5);
    let tail = b.fma(minus_half, square, tail);
    let tail = match residue {
        Some(residue) => add(b, tail, residue),
        None => tail,
    };
    let sum = add(b, f, tail);
    let high = b.constant(LN2_HIGH);
    b.fma(e, high, sum)
}

/// `e^x = (1 + growth) · 2^n`, with growth in (−0.3, 0.42).
struct Reduced {
    n: Ref,
    growth: Ref,
}

fn exp_reduced(b: &mut Builder, x: Ref) -> Reduced {
    let n = mul_const(b, x, std::f32::consts::LOG2_E);
    let n = b.unary(Unary::Round, n);
    let (high, low) = (b.constant(-LN2_HIGH), b.constant(-LN2_LOW));
    let r = b.fma(n, high, x);
    let r = b.fma(n, low, r);
    let growth = growth(b, r, r);
    Reduced { n, growth }
}

/// `e^r − 1` for `|r| ≤ ln 2 / 2`, as `r² · Q(r) + linear`; `linear` is r, or r to more than its own precision less a term
/// that the caller adds.
fn growth(b: &mut Builder, r: Ref, linear: Ref) -> Ref {
    /// (e^r − 1 − r) / r² on |r| ≤ ln 2 / 2, error of e^r relative: 3.2e-9.
    const Q: [f32; 5] = [0.499_999_94, 0.166_665_17, 0.041_668_102, 0.008_369_165_5, 0.001_383_800_3];

    let q = horner(b, r, &Q);
    let square = mul(b, r, r);
    b.fma(square, q, linear)
}

/// `power · 2^n` in two steps: the only rounding among them is the last one's, into a denormal or to infinity.
fn scaled_in_halves(b: &mut Builder, power: Ref, n: Ref) -> Ref {
    let half = mul_const(b, n, 0.5);
    let half = b.unary(Unary::Floor, half);
    let rest = sub(b, n, half);
    let (first, second) = (b.unary(Unary::Exp2i, half), b.unary(Unary::Exp2i, rest));
    let scaled = mul(b, power, first);
    mul(b, scaled, second)
}

/// `e^x` for `|x| ≤ 87`, or NaN: one scaling suffices.
fn exp_bounded(b: &mut Builder, x: Ref) -> Ref {
    let Reduced { n, growth } = exp_reduced(b, x);
    let power = add_const(b, growth, 1.0);
    let scale = b.unary(Unary::Exp2i, n);
    mul(b, power, scale)
}

/// `near` where `|x| < limit`, elsewhere (NaN included) `far` with the sign of x.
fn near_or_far(b: &mut Builder, x: Ref, limit: f32, near: Ref, far: Ref) -> Ref {
    let (zero, limit) = (b.constant(0.0), b.constant(limit));
    let negated = b.unary(Unary::Neg, far);
    let far = b.select(Compare::Lt, x, zero, negated, far);
    let a = b.unary(Unary::Abs, x);
    b.select(Compare::Lt, a, limit, near, far)
}

/// m and e with `x = m·2^e` and `√½ < m ≤ √2`, for positive finite x.
fn significand_and_exponent(b: &mut Builder, x: Ref) -> (Ref, Ref) {
    let one = b.constant(1.0);
    let (mut m, mut e) = (x, b.constant(0.0));
    // Up, in two strides that take the smallest denormal past 1 …
    for _ in 0..2 {
        let (raised, lowered) = (scale(b, m, 75), add_const(b, e, -75.0));
        let m_below = m;
        m = b.select(Compare::Lt, m_below, one, raised, m);
        e = b.select(Compare::Lt, m_below, one, lowered, e);
    }
    // … and down to [1, 2), by the bits of the exponent, and to the interval around 1.
    for k in [64, 32, 16, 8, 4, 2, 1] {
        let limit = b.constant(power_of_two(k));
        (m, e) = halve_from(b, Compare::Le, limit, k, m, e);
    }
    let root = b.constant(std::f32::consts::SQRT_2);
    halve_from(b, Compare::Lt, root, 1, m, e)
}

/// `(m / 2^k, e + k)` where `limit ? m`, else `(m, e)`.
fn halve_from(b: &mut Builder, op: Compare, limit: Ref, k: i32, m: Ref, e: Ref) -> (Ref, Ref) {
    let (lowered, raised) = (scale(b, m, -k), add_const(b, e, k as f32));
    (b.select(op, limit, m, lowered, m), b.select(op, limit, m, raised, e))
}

/// `c₀ + t·(c₁ + t·(c₂ + …))`, each step an fma.
fn horner(b: &mut Builder, t: Ref, coefficients: &[f32]) -> Ref {
    let mut terms = coefficients.iter().rev().map(|&c| b.constant(c)).collect::<Vec<_>>().into_iter();
    let leading = terms.next().expect("a polynomial has a coefficient");
    terms.fold(leading, |sum, c| b.fma(sum, t, c))
}

fn power_of_two(k: i32) -> f32 {
    Unary::Exp2i.apply(k as f32)
}

fn scale(b: &mut Builder, a: Ref, k: i32) -> Ref {
    mul_const(b, a, power_of_two(k))
}

fn add(b: &mut Builder, x: Ref, y: Ref) -> Ref {
    b.binary(Binary::Add, x, y)
}

fn sub(b: &mut Builder, x: Ref, y: Ref) -> Ref {
    b.binary(Binary::Sub, x, y)
}

fn mul(b: &mut Builder, x: Ref, y: Ref) -> Ref {
    b.binary(Binary::Mul, x, y)
}

fn add_const(b: &mut Builder, x: Ref, c: f32) -> Ref {
    let c = b.constant(c);
    add(b, x, c)
}

fn mul_const(b: &mut Builder, x: Ref, c: f32) -> Ref {
    let c = b.constant(c);
    mul(b, x, c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::Expr;

    fn expr(f: fn(&mut Builder, Ref) -> Ref) -> Expr {
        let mut b = Builder::new();
        let x = b.input(0);
        let y = f(&mut b, x);
        b.finish(y).unwrap()
    }

    /// Distance from the exact value, in units of the last place of that value in f32.
    pub(super) fn ulps(got: f32, want: f64) -> f64 {
        if f64::from(got) == want || (got.is_nan() && want.is_nan()) {
            return 0.0;
        }
        let nearest = want as f32;
        if nearest.is_infinite() || got.is_infinite() || nearest.is_nan() || got.is_nan() {
            return if nearest.to_bits() == got.to_bits() { 0.0 } else { f64::INFINITY };
        }
        let exponent = (nearest.to_bits() >> 23 & 0xff).max(1) as i32;
        (f64::from(got) - want).abs() / 2f64.powi(exponent - 127 - 23)
    }

    /// The largest error over a million bit patterns and half a million values of `lively`; checks specials by the way.
    fn worst(
        f: fn(&mut Builder, Ref) -> Ref,
        exact: fn(f64) -> f64,
        lively: std::ops::Range<f32>,
    ) -> (f64, f32) {
        let expr = expr(f);
        let mut rng = fastrand::Rng::with_seed(7);
        let spread = (0..=u32::MAX).step_by(4093).map(f32::from_bits);
        let span = lively.end - lively.start;
        let dense = (0..500_000).map(|_| lively.start + span * rng.f32());
        let mut worst = (0.0, 0.0);
        for x in spread.chain(dense) {
            let error = ulps(expr.eval(&[x]), exact(f64::from(x)));
            if error > worst.0 {
                worst = (error, x);
            }
        }
        worst
    }

    fn at(f: fn(&mut Builder, Ref) -> Ref, x: f32) -> u32 {
        expr(f).eval(&[x]).to_bits()
    }

    fn erf_exact(x: f64) -> f64 {
        let a = x.abs();
        if a > 6.0 {
            return x.signum();
        }
        // erf x = 2/√π · e^−x² · Σ 2ⁿ x^{2n+1} / (2n + 1)!!: all terms of one sign.
        let (mut term, mut sum, mut n) = (a, 0.0, 0.0);
        while term > sum * 1e-18 {
            sum += term;
            n += 1.0;
            term *= 2.0 * a * a / (2.0 * n + 1.0);
        }
        (sum * (-a * a).exp() * std::f64::consts::FRAC_2_SQRT_PI).copysign(x)
    }

    #[test]
    fn exp_is_within_its_bound() {
        let (error, x) = worst(exp, f64::exp, -104.5..89.5);
        assert!(error < 1.1, "{error} at {x:e}");
        assert_eq!(at(exp, -0.0), 1f32.to_bits());
        assert_eq!(at(exp, f32::INFINITY), f32::INFINITY.to_bits());
        assert_eq!(at(exp, f32::NEG_INFINITY), 0);
        assert_eq!(at(exp, -103.97), 1, "the smallest denormal");
        assert_eq!(at(exp, -103.98), 0);
        assert!(f32::from_bits(at(exp, f32::NAN)).is_nan());
    }

    #[test]
    fn expm1_is_within_its_bound() {
        let (error, x) = worst(expm1, |x| if x > 0.0 { 0.0 } else { x.exp_m1() }, -19.0..0.1);
        assert!(error < 1.2, "{error} at {x:e}");
        assert_eq!(at(expm1, -0.0), (-0f32).to_bits());
        assert_eq!(at(expm1, f32::NEG_INFINITY), (-1f32).to_bits());
        assert!(f32::from_bits(at(expm1, f32::NAN)).is_nan());
    }

    #[test]
    fn softplus_is_within_its_bound() {
        let (error, x) = worst(softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), -104.0..18.0);
        assert!(error < 1.7, "{error} at {x:e}");
        assert_eq!(at(softplus, f32::INFINITY), f32::INFINITY.to_bits());
        assert_eq!(at(softplus, f32::NEG_INFINITY), 0);
        assert!(f32::from_bits(at(softplus, f32::NAN)).is_nan());
    }

    #[test]
    fn normal_below_is_within_its_bound() {
        let expr = expr(normal_below);
        let mut worst = (0.0, 0.0);
        for i in -800_000..=800_000 {
            let x = i as f32 * 1e-5;
            let exact = 0.5 + 0.5 * erf_exact(f64::from(x) * std::f64::consts::FRAC_1_SQRT_2);
            let error = (f64::from(expr.eval(&[x])) - exact).abs();
            if error > worst.0 {
                worst = (error, x);
            }
        }
        let (error, x) = worst;
        assert!(error < f64::from(f32::EPSILON), "{error:e} at {x:e}");
        assert_eq!(at(normal_below, f32::INFINITY), 1f32.to_bits());
        assert_eq!(at(normal_below, f32::NEG_INFINITY), 0);
        assert!(f32::from_bits(at(normal_below, f32::NAN)).is_nan());
    }

    #[test]
    fn sigmoid_is_within_its_bound() {
        let (error, x) = worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), -104.0..18.0);
        assert!(error < 1.7, "{error} at {x:e}");
        assert_eq!(at(sigmoid, -0.0), 0.5f32.to_bits());
        assert_eq!(at(sigmoid, f32::INFINITY), 1f32.to_bits());
        assert_eq!(at(sigmoid, f32::NEG_INFINITY), 0);
        assert!(f32::from_bits(at(sigmoid, f32::NAN)).is_nan());
    }

    #[test]
    fn tanh_is_within_its_bound() {
        let (error, x) = worst(tanh, f64::tanh, -9.5..9.5);
        assert!(error < 1.4, "{error} at {x:e}");
        assert_odd(tanh);
    }

    #[test]
    fn erf_is_within_its_bound() {
        let (error, x) = worst(erf, erf_exact, -4.2..4.2);
        assert!(error < 1.1, "{error} at {x:e}");
        assert_odd(erf);
    }

    fn assert_odd(f: fn(&mut Builder, Ref) -> Ref) {
        let expr = expr(f);
        for bits in (0..=0x7f80_0000u32).step_by(9973) {
            let (up, down) = (expr.eval(&[f32::from_bits(bits)]), expr.eval(&[-f32::from_bits(bits)]));
            assert_eq!(up.to_bits(), (-down).to_bits(), "{bits:08x}");
        }
        assert_eq!(at(f, -0.0), (-0f32).to_bits());
        assert_eq!(at(f, f32::INFINITY), 1f32.to_bits());
        assert_eq!(at(f, f32::NEG_INFINITY), (-1f32).to_bits());
        assert!(f32::from_bits(at(f, f32::NAN)).is_nan());
    }

    #[test]
    fn log_is_within_its_bound() {
        let (error, x) = worst(log, f64::ln, 0.5..2.0);
        assert!(error < 1.0, "{error} at {x:e}");
        assert_eq!(at(log, 1.0), 0);
        assert_eq!(at(log, 0.0), f32::NEG_INFINITY.to_bits());
        assert_eq!(at(log, -0.0), f32::NEG_INFINITY.to_bits());
        assert_eq!(at(log, f32::INFINITY), f32::INFINITY.to_bits());
        for x in [-1e-45, -1.0, f32::NEG_INFINITY, f32::NAN] {
            assert!(f32::from_bits(at(log, x)).is_nan(), "{x}");
        }
    }

    /// A change of any node changes these: what is stored under one definition is compared under the same.
    #[test]
    fn bits_are_pinned() {
        let samples = [-20.0, -1.5, -0.3, 1e-3, 0.7, 2.5, 30.0];
        let line = |f| samples.map(|x| format!("{:08x}", at(f, x))).join(" ");
        let all = [
            ("exp", exp as fn(&mut Builder, Ref) -> Ref),
            ("sigmoid", sigmoid),
            ("tanh", tanh),
            ("erf", erf),
            ("log", log),
            ("expm1", expm1),
            ("softplus", softplus),
            ("normal_below", normal_below),
        ];
        let text: String =
            all.map(|(name, f)| format!("{name} {}: {}\n", expr(f).nodes().len(), line(f))).concat();
        expect_test::expect![[r#"
            exp 33: 310da433 3e647c3c 3f3da643 3f8020c9 4000e153 4142eb7f 551b8238
            sigmoid 41: 310da433 3e3acdc2 3ed9e2ac 3f001062 3f2b0e5b 3f6c948f 3f800000
            tanh 49: bf800000 bf67b7cc be9526ee 3a83126c 3f1ab7d9 3f7c92c1 3f800000
            erf 62: bf800000 bf7752ab bea841c5 3a93e61c 3f2d8461 3f7fe554 3f800000
            log 95: 7fc00000 7fc00000 7fc00000 c0dd0c55 beb69e1a 3f6a9208 4059ad38
            expm1 28: bf800000 bf46e0f1 be84b37a 00000000 00000000 00000000 00000000
            softplus 74: 310da433 3e4e3f49 3f0dea3a 3f3192de 3f8d3533 40250c88 41f00000
            normal_below 67: 00000000 3d88d238 3ec3a11d 3f001a25 3f420eac 3f7e690b 3f800000
        "#]]
        .assert_eq(&text);
    }
}
