//! Activations: one row of a table each. Everything else (shapes, kernels, JIT, fusion, text, tests) follows from the row.

use zellige_runtime::scalar::{Binary, Builder, Compare, Ref, Unary, functions};

use self::ActivationArg::{Number, Required, Word};

/// An activation.
pub struct Activation {
    /// Name in the language.
    pub name: &'static str,
    /// One line for the documentation.
    pub doc: &'static str,
    /// Its arguments, by name.
    pub args: &'static [(&'static str, ActivationArg)],
    /// Its parameters, one value a channel: suffix and initial value.
    pub params: &'static [(&'static str, f32)],
    /// `f(x, arguments, parameters)` as an expression; a word counts as its index.
    pub expr: fn(&mut Builder, Ref, &[f32], &[Ref]) -> Ref,
    /// The same in f64, written from the definition: what tests compare with.
    pub reference: fn(f64, &[f64], &[f64]) -> f64,
}

/// What an argument of an activation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActivationArg {
    /// A number that must be given.
    Required,
    /// A number with its default.
    Number(f32),
    /// One of these words; the first is the default.
    Word(&'static [&'static str]),
}

/// √(2/π) and the coefficient of x³ in the approximation of `gelu` by tanh.
const GELU_SLOPE: f64 = 0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::SQRT_2;
const GELU_CUBE: f64 = 0.044_715;

/// The table. The expressions keep NaN, and −0 where the definition does.
pub const ACTIVATIONS: &[Activation] = &[
    Activation {
        name: "relu",
        doc: "max(0, x).",
        args: &[],
        params: &[],
        expr: |b, x, _, _| {
            let zero = b.constant(0.0);
            b.binary(Binary::Max, zero, x)
        },
        reference: |x, _, _| x.max(0.0),
    },
    Activation {
        name: "leaky_relu",
        doc: "x where x ≥ 0, slope · x elsewhere.",
        args: &[("slope", Number(0.01))],
        params: &[],
        expr: |b, x, args, _| {
            let slope = b.constant(args[0]);
            sloped(b, x, slope)
        },
        reference: |x, args, _| if x < 0.0 { args[0] * x } else { x },
    },
    Activation {
        name: "prelu",
        doc: "x where x ≥ 0, weight · x elsewhere, with one weight a channel.",
        args: &[],
        params: &[("weight", 0.25)],
        expr: |b, x, _, params| sloped(b, x, params[0]),
        reference: |x, _, params| if x < 0.0 { params[0] * x } else { x },
    },
    Activation {
        name: "sigmoid",
        doc: "1 / (1 + exp(−x)).",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::sigmoid(b, x),
        reference: |x, _, _| 1.0 / (1.0 + (-x).exp()),
    },
    Activation {
        name: "hard_sigmoid",
        doc: "min(max(0, x + 3), 6) / 6.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| hard_sigmoid(b, x),
        reference: |x, _, _| (x + 3.0).clamp(0.0, 6.0) / 6.0,
    },
    Activation {
        name: "hard_swish",
        doc: "x · hard_sigmoid(x).",
        args: &[],
        params: &[],
        expr: |b, x, _, _| {
            let gate = hard_sigmoid(b, x);
            b.binary(Binary::Mul, x, gate)
        },
        reference: |x, _, _| x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
    },
    Activation {
        name: "silu",
        doc: "x · sigmoid(x).",
        args: &[],
        params: &[],
        expr: |b, x, _, _| {
            let gate = functions::sigmoid(b, x);
            b.binary(Binary::Mul, x, gate)
        },
        reference: |x, _, _| x / (1.0 + (-x).exp()),
    },
    Activation {
        name: "tanh",
        doc: "Hyperbolic tangent.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::tanh(b, x),
        reference: |x, _, _| x.tanh(),
    },
    Activation {
        name: "gelu",
        doc: "x times the share of a normal distribution below x, or an approximation of it by tanh.",
        args: &[("approximate", Word(&["none", "tanh"]))],
        params: &[],
        expr: |b, x, args, _| {
            let share =
                if args[0] == 0.0 { functions::normal_below(b, x) } else { approximately_below(b, x) };
            b.binary(Binary::Mul, x, share)
        },
        reference: |x, args, _| {
            let erf = if args[0] == 0.0 {
                erf(x * std::f64::consts::FRAC_1_SQRT_2)
            } else {
                (GELU_SLOPE * (x + GELU_CUBE * x.powi(3))).tanh()
            };
            0.5 * x * (1.0 + erf)
        },
    },
    Activation {
        name: "elu",
        doc: "x where x > 0, alpha · (exp(x) − 1) elsewhere.",
        args: &[("alpha", Number(1.0))],
        params: &[],
        expr: |b, x, args, _| {
            let (zero, alpha) = (b.constant(0.0), b.constant(args[0]));
            let below = functions::expm1(b, x);
            let below = b.binary(Binary::Mul, alpha, below);
            b.select(Compare::Lt, zero, x, x, below)
        },
        reference: |x, args, _| if x > 0.0 { x } else { args[0] * x.exp_m1() },
    },
    Activation {
        name: "softplus",
        doc: "ln(1 + exp(beta · x)) / beta, and x where beta · x > threshold.",
        args: &[("beta", Number(1.0)), ("threshold", Number(20.0))],
        params: &[],
        expr: |b, x, args, _| {
            let (beta, threshold) = (b.constant(args[0]), b.constant(args[1]));
            let scaled = b.binary(Binary::Mul, beta, x);
            let soft = functions::softplus(b, scaled);
            let soft = b.binary(Binary::Div, soft, beta);
            b.select(Compare::Lt, threshold, scaled, x, soft)
        },
        reference: |x, args, _| {
            let scaled = args[0] * x;
            if scaled > args[1] { x } else { (scaled.max(0.0) + (-scaled.abs()).exp().ln_1p()) / args[0] }
        },
    },
    Activation {
        name: "clip",
        doc: "x kept between min and max.",
        args: &[("min", Number(f32::NEG_INFINITY)), ("max", Number(f32::INFINITY))],
        params: &[],
        expr: |b, x, args, _| {
            let (low, high) = (b.constant(args[0]), b.constant(args[1]));
            let x = b.binary(Binary::Max, low, x);
            b.binary(Binary::Min, high, x)
        },
        reference: |x, args, _| x.max(args[0]).min(args[1]),
    },
    Activation {
        name: "exp",
        doc: "e to the power of x.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::exp(b, x),
        reference: |x, _, _| x.exp(),
    },
    Activation {
        name: "log",
        doc: "Natural logarithm.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::log(b, x),
        reference: |x, _, _| x.ln(),
    },
    Activation {
        name: "sqrt",
        doc: "Square root.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| b.unary(Unary::Sqrt, x),
        reference: |x, _, _| x.sqrt(),
    },
    Activation {
        name: "abs",
        doc: "x without its sign.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| b.unary(Unary::Abs, x),
        reference: |x, _, _| x.abs(),
    },
    Activation {
        name: "pow",
        doc: "x to the power of exponent.",
        args: &[("exponent", Required)],
        params: &[],
        expr: |b, x, args, _| functions::pow(b, x, args[0]),
        reference: |x, args, _| x.powf(args[0]),
    },
];

fn sloped(b: &mut Builder, x: Ref, slope: Ref) -> Ref {
    let zero = b.constant(0.0);
    let below = b.binary(Binary::Mul, slope, x);
    b.select(Compare::Lt, x, zero, below, x)
}

fn hard_sigmoid(b: &mut Builder, x: Ref) -> Ref {
    let (zero, three, six) = (b.constant(0.0), b.constant(3.0), b.constant(6.0));
    let shifted = b.binary(Binary::Add, x, three);
    let bounded = b.binary(Binary::Max, zero, shifted);
    let bounded = b.binary(Binary::Min, six, bounded);
    b.binary(Binary::Div, bounded, six)
}

/// `(1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2`, which is the logistic function of twice the argument: without a difference of
/// numbers around 1.
fn approximately_below(b: &mut Builder, x: Ref) -> Ref {
    let slope = b.constant((2.0 * GELU_SLOPE) as f32);
    let cube = b.constant((2.0 * GELU_SLOPE * GELU_CUBE) as f32);
    let square = b.binary(Binary::Mul, x, x);
    let factor = b.fma(cube, square, slope);
    let twice = b.binary(Binary::Mul, x, factor);
    functions::sigmoid(b, twice)
}

/// The error function, by a series whose terms are of one sign.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (a, 0.0, 0.0);
    while term > sum * 1e-18 {
        sum += term;
        n += 1.0;
        term *= 2.0 * a * a / (2.0 * n + 1.0);
    }
    (sum * (-a * a).exp() * std::f64::consts::FRAC_2_SQRT_PI).copysign(x)
}
