//! Powers with a constant exponent.

use super::{Binary, Builder, Compare, Ref, Unary};
use super::{add, add_const, growth, horner, mul, scaled_in_halves, significand_and_exponent, sub};

/// `x^exponent`, within 0.9 ulp, denormal results included.
///
/// The exponents −2, −1, −½, ½, 1, 2 and 3 are products, quotients and square roots, within 2 ulp; the square roots of −∞ are
/// NaN and that of −0 is −0, where IEEE's `pow` has +∞ and +0. All others are as IEEE's `pow`: 1 for the exponent 0, NaN for
/// negative x unless the exponent is an integer, signed zeros and infinities for odd exponents. All of this is as in PyTorch.
///
/// The general case is `2^(p·log₂|x|)` with the logarithm and the product in two parts each, whose sum has more than 33 bits:
/// the product can be 150, and its error times ln 2 is the result's.
pub fn pow(b: &mut Builder, x: Ref, exponent: f32) -> Ref {
    let one = b.constant(1.0);
    let root = |b: &mut Builder| b.unary(Unary::Sqrt, x);
    let inverse = |b: &mut Builder, v| b.binary(Binary::Div, one, v);
    if exponent == 0.0 {
        b.select(Compare::Eq, x, x, one, one)
    } else if exponent == 1.0 {
        x
    } else if exponent == 2.0 {
        mul(b, x, x)
    } else if exponent == 3.0 {
        let square = mul(b, x, x);
        mul(b, square, x)
    } else if exponent == 0.5 {
        root(b)
    } else if exponent == -0.5 {
        let root = root(b);
        inverse(b, root)
    } else if exponent == -1.0 {
        inverse(b, x)
    } else if exponent == -2.0 {
        // Of the quotient, since a square overflows where the result is still a denormal.
        let inverse = inverse(b, x);
        mul(b, inverse, inverse)
    } else if exponent.is_finite() {
        general(b, x, exponent)
    } else {
        limit(b, x, exponent)
    }
}

/// For any finite exponent but 0.
fn general(b: &mut Builder, x: Ref, exponent: f32) -> Ref {
    let (zero, one) = (b.constant(0.0), b.constant(1.0));
    let a = b.unary(Unary::Abs, x);
    let log = log2(b, a);
    let power = log.times(b, exponent);
    let magnitude = exp2(b, &power);

    let odd = (exponent % 2.0).abs() == 1.0;
    let below = if odd {
        b.unary(Unary::Neg, magnitude)
    } else if exponent.fract() == 0.0 {
        magnitude
    } else {
        b.constant(f32::NAN)
    };
    let value = b.select(Compare::Lt, x, zero, below, magnitude);

    // Zeros and infinities, which are all that are twice themselves.
    let base = if odd { x } else { a };
    let end = if exponent > 0.0 { base } else { b.binary(Binary::Div, one, base) };
    let twice = add(b, a, a);
    b.select(Compare::Eq, twice, a, end, value)
}

/// For an infinite exponent, or NaN.
fn limit(b: &mut Builder, x: Ref, exponent: f32) -> Ref {
    let (one, nan) = (b.constant(1.0), b.constant(f32::NAN));
    if exponent.is_nan() {
        return b.select(Compare::Eq, x, one, one, nan);
    }
    let (zero, infinity) = (b.constant(0.0), b.constant(f32::INFINITY));
    let (inside, outside) = if exponent > 0.0 { (zero, infinity) } else { (infinity, zero) };
    let a = b.unary(Unary::Abs, x);
    let value = b.select(Compare::Eq, a, one, one, nan);
    let value = b.select(Compare::Lt, a, one, inside, value);
    b.select(Compare::Lt, one, a, outside, value)
}

/// An unevaluated sum, its second part far below the first.
struct Sum {
    high: Ref,
    low: Ref,
}

impl Sum {
    /// `x + y`, exactly, where `|x| ≥ |y|` or x is 0.
    fn of(b: &mut Builder, x: Ref, y: Ref) -> Self {
        let high = add(b, x, y);
        let rounded = sub(b, high, x);
        Self { high, low: sub(b, y, rounded) }
    }

    /// `x · y`, exactly.
    fn product(b: &mut Builder, x: Ref, y: Ref) -> Self {
        let high = mul(b, x, y);
        let negative = b.unary(Unary::Neg, high);
        Self { high, low: b.fma(x, y, negative) }
    }

    /// With `x · y` more in the low part.
    fn plus(self, b: &mut Builder, x: Ref, y: Ref) -> Self {
        Self { low: b.fma(x, y, self.low), ..self }
    }

    fn times(&self, b: &mut Builder, factor: f32) -> Self {
        let factor = b.constant(factor);
        Self::product(b, self.high, factor).plus(b, self.low, factor)
    }
}

/// `log₂ a` for positive finite a, relative error below 2⁻³³.
///
/// `a = m·2^e` with `√½ < m ≤ √2`, `s = (m − 1) / (m + 1)`, `z = s²`: `log₂ a = e + 2/ln 2 · s · (1 + z/3 + z²·P(z))`. `z ≤ 0.0295`,
/// so that all but P is kept in two parts.
fn log2(b: &mut Builder, a: Ref) -> Sum {
    /// (atanh s / s − 1 − z/3) / z², the Taylor series with what follows it in the last coefficient.
    const P: [f32; 5] = [0.2, 0.142_857_15, 0.111_111_11, 0.090_909_09, 0.078_9];
    /// 1/3, and what is missing.
    const THIRD: [f32; 2] = [0.333_333_34, -9.934_108e-9];
    /// 2/ln 2, and what is missing.
    const SCALE: [f32; 2] = [2.885_39, 3.851_926e-8];

    let (m, e) = significand_and_exponent(b, a);
    let (one, two) = (b.constant(1.0), b.constant(2.0));
    let f = sub(b, m, one);
    let d = Sum::of(b, two, f);
    let s = b.binary(Binary::Div, f, d.high);
    let minus_s = b.unary(Unary::Neg, s);
    let rest = b.fma(minus_s, d.high, f);
    let rest = b.fma(minus_s, d.low, rest);
    let s_low = b.binary(Binary::Div, rest, d.high);

    let twice_s = add(b, s, s);
    let z = Sum::product(b, s, s).plus(b, twice_s, s_low);
    let [third, third_low] = THIRD.map(|c| b.constant(c));
    let square = mul(b, z.high, z.high);
    let p = horner(b, z.high, &P);
    let w =
        Sum::product(b, z.high, third).plus(b, z.high, third_low).plus(b, z.low, third).plus(b, square, p);

    let [scale, scale_low] = SCALE.map(|c| b.constant(c));
    let g = Sum::product(b, s, scale).plus(b, s, scale_low).plus(b, s_low, scale);
    let h = Sum::product(b, g.high, w.high).plus(b, g.high, w.low).plus(b, g.low, w.high);
    let fraction = Sum::of(b, g.high, h.high);
    let low = add(b, g.low, h.low);
    let low = add(b, low, fraction.low);
    let sum = Sum::of(b, e, fraction.high);
    Sum { high: sum.high, low: add(b, sum.low, low) }
}

/// `2^y`: `y = n + r` with `n` the integer nearest to the high part, and `2^r = e^(r·ln 2)`.
fn exp2(b: &mut Builder, y: &Sum) -> Ref {
    /// ln 2, and what is missing.
    const LN2: [f32; 2] = [std::f32::consts::LN_2, -1.904_654_3e-9];

    // Beyond these the result is +0 and +∞; they keep n within the reach of two scalings. NaN passes both.
    let (lowest, highest) = (b.constant(-152.0), b.constant(130.0));
    let bounded = b.binary(Binary::Max, lowest, y.high);
    let bounded = b.binary(Binary::Min, highest, bounded);
    let zero = b.constant(0.0);
    let low = b.select(Compare::Eq, bounded, y.high, y.low, zero);

    let n = b.unary(Unary::Round, bounded);
    let high = sub(b, bounded, n);
    let r = Sum::of(b, high, low);
    let [ln2, ln2_low] = LN2.map(|c| b.constant(c));
    let t = Sum::product(b, r.high, ln2).plus(b, r.high, ln2_low).plus(b, r.low, ln2);
    let tail = growth(b, t.high, t.low);
    let power = add(b, t.high, tail);
    let power = add_const(b, power, 1.0);
    scaled_in_halves(b, power, n)
}

#[cfg(test)]
mod tests {
    use super::super::tests::ulps;
    use super::*;
    use crate::scalar::{Expr, MAX_NODES};

    fn expr(exponent: f32) -> Expr {
        let mut b = Builder::new();
        let x = b.input(0);
        let y = pow(&mut b, x, exponent);
        b.finish(y).unwrap()
    }

    /// The largest error over bit patterns of both signs, and over values whose power is neither 0 nor infinite.
    fn worst(exponent: f32) -> (f64, f32) {
        let expr = expr(exponent);
        let mut rng = fastrand::Rng::with_seed(7);
        let spread = (0..=u32::MAX).step_by(65_521).map(f32::from_bits);
        let reach = 150.0 / exponent.abs().max(1.1);
        let lively = (0..100_000).map(|_| ((2.0 * rng.f32() - 1.0) * reach).exp2());
        let around_one = (0..50_000).map(|i| 0.7 + 1.6e-5 * i as f32);
        let mut worst = (0.0, 0.0);
        for x in spread.chain(lively).chain(around_one) {
            let error = ulps(expr.eval(&[x]), f64::from(x).powf(exponent.into()));
            if error > worst.0 && !(x == f32::NEG_INFINITY && exponent.abs() == 0.5) {
                worst = (error, x);
            }
        }
        worst
    }

    #[test]
    fn powers_are_within_their_bound() {
        let mut rng = fastrand::Rng::with_seed(3);
        let drawn: Vec<f32> =
            (0..12).map(|_| (rng.f32() * 6.0 - 3.0).exp() * [1.0, -1.0][rng.usize(0..2)]).collect();
        let given = [
            4.0,
            5.0,
            7.0,
            -3.0,
            -4.0,
            1.5,
            2.2,
            0.416_666_66,
            2.4,
            0.1,
            1e-3,
            -0.25,
            100.0,
            -77.7,
            1e4,
            1e-30,
        ];
        for exponent in drawn.into_iter().chain(given) {
            let (error, x) = worst(exponent);
            assert!(error < 0.9, "{x:e}^{exponent}: {error}");
        }
    }

    #[test]
    fn simple_powers_are_within_their_bound() {
        for exponent in [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0] {
            let (error, x) = worst(exponent);
            assert!(error < 2.0, "{x:e}^{exponent}: {error}");
        }
    }

    #[test]
    fn special_values_are_those_of_ieee() {
        let bases =
            [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1.0, -1.0, -2.5, 0.5, 1e-45, f32::MAX];
        let exponents = [0.0, -0.0, 4.0, -4.0, 5.0, -5.0, 1.5, -1.5, 1e10, -1e10, 16_777_217.0, 3e38, -3e38];
        let limits = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        for exponent in exponents.into_iter().chain(limits) {
            let expr = expr(exponent);
            for x in bases {
                let (found, expected) = (expr.eval(&[x]), f64::from(x).powf(exponent.into()) as f32);
                let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
                assert!(
                    same || ulps(found, expected.into()) < 1.5,
                    "{x}^{exponent}: {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn square_roots_are_exact_and_of_negative_numbers_nan() {
        let root = expr(0.5);
        assert_eq!(root.eval(&[-0.0]).to_bits(), (-0f32).to_bits());
        assert!(root.eval(&[f32::NEG_INFINITY]).is_nan());
        assert_eq!(root.eval(&[2.0]), std::f32::consts::SQRT_2);
    }

    /// A change of any node changes these.
    #[test]
    fn bits_are_pinned() {
        let samples = [-2.5, 1e-40, 1e-3, 0.7, 2.5, 1e5];
        let line = |exponent| {
            let expr = expr(exponent);
            assert!(expr.nodes().len() < MAX_NODES);
            let values = samples.map(|x| format!("{:08x}", expr.eval(&[x]).to_bits()));
            format!("{exponent} {}: {}\n", expr.nodes().len(), values.join(" "))
        };
        expect_test::expect![[r#"
            2.2 163: 7fc00000 00000000 3486db19 3ee99b5c 40f03993 51ba43be
            -0.7 164: 7fc00000 6e013f50 42fbc8f9 3fa44d2a 3f06cc2c 39a5cb61
            5 163: c2c35000 00000000 26901d7f 3e2c1a8a 42c35000 69045951
            -3 164: bd83126f 7f800000 4e6e6b26 403a96c4 3d83126f 26901d7d
            3 4: c17a0000 00000000 30897061 3eaf9db2 417a0000 58635fa9
            -0.5 4: ffc00000 60ad790a 41fcfb71 3f98fd40 3f21e89b 3b4f3e38
        "#]]
        .assert_eq(&[2.2, -0.7, 5.0, -3.0, 3.0, -0.5].map(line).concat());
    }
}
