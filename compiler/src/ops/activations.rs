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
    /// Its derivatives; where there is none, PyTorch's.
    pub derivative: Derivative,
}

/// How the gradient of an activation's output becomes those of its input and its parameters.
pub struct Derivative {
    /// What `dx` reads.
    pub of: Source,
    /// `dx(x or y, dy, arguments, parameters)`
    pub dx: fn(&mut Builder, Ref, Ref, &[f32], &[Ref]) -> Ref,
    /// For each parameter.
    pub params: &'static [ParamDerivative],
}

/// `dp(x, dy, arguments)`: what an element adds to the gradient of a parameter p.
pub(super) type ParamDerivative = fn(&mut Builder, Ref, Ref, &[f32]) -> Ref;

/// What a derivative is an expression of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The activation's input.
    Input,
    /// Its output: the input need not be kept.
    Output,
}

/// A derivative with respect to the input alone.
const fn by_input(of: Source, dx: fn(&mut Builder, Ref, Ref, &[f32], &[Ref]) -> Ref) -> Derivative {
    Derivative { of, dx, params: &[] }
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
        derivative: by_input(Source::Output, |b, y, dy, _, _| {
            let zero = b.constant(0.0);
            b.select(Compare::Le, y, zero, zero, dy)
        }),
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
        derivative: by_input(Source::Input, |b, x, dy, args, _| {
            let slope = b.constant(args[0]);
            sloped_dx(b, x, dy, slope)
        }),
    },
    Activation {
        name: "prelu",
        doc: "x where x ≥ 0, weight · x elsewhere, with one weight a channel.",
        args: &[],
        params: &[("weight", 0.25)],
        expr: |b, x, _, params| sloped(b, x, params[0]),
        reference: |x, _, params| if x < 0.0 { params[0] * x } else { x },
        derivative: Derivative {
            of: Source::Input,
            dx: |b, x, dy, _, params| sloped_dx(b, x, dy, params[0]),
            params: &[|b, x, dy, _| {
                let (zero, product) = (b.constant(0.0), b.binary(Binary::Mul, x, dy));
                b.select(Compare::Lt, zero, x, zero, product)
            }],
        },
    },
    Activation {
        name: "sigmoid",
        doc: "1 / (1 + exp(−x)).",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::sigmoid(b, x),
        reference: |x, _, _| 1.0 / (1.0 + (-x).exp()),
        derivative: by_input(Source::Output, |b, y, dy, _, _| {
            let slope = logistic_slope(b, y);
            b.binary(Binary::Mul, dy, slope)
        }),
    },
    Activation {
        name: "hard_sigmoid",
        doc: "min(max(0, x + 3), 6) / 6.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| hard_sigmoid(b, x),
        reference: |x, _, _| (x + 3.0).clamp(0.0, 6.0) / 6.0,
        derivative: by_input(Source::Input, |b, x, dy, _, _| {
            let (three, six) = (b.constant(3.0), b.constant(6.0));
            let (zero, sixth) = (b.constant(0.0), b.binary(Binary::Div, dy, six));
            let a = b.unary(Unary::Abs, x);
            b.select(Compare::Lt, a, three, sixth, zero)
        }),
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
        derivative: by_input(Source::Input, |b, x, dy, _, _| {
            let (zero, half, three) = (b.constant(0.0), b.constant(0.5), b.constant(3.0));
            let low = b.constant(-3.0);
            let third = b.binary(Binary::Div, x, three);
            let slope = b.binary(Binary::Add, third, half);
            let between = b.binary(Binary::Mul, dy, slope);
            let above = b.select(Compare::Le, three, x, dy, between);
            b.select(Compare::Le, x, low, zero, above)
        }),
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
        derivative: by_input(Source::Input, |b, x, dy, _, _| {
            let gate = functions::sigmoid(b, x);
            let one = b.constant(1.0);
            let rest = b.binary(Binary::Sub, one, gate);
            let factor = b.fma(x, rest, one);
            let slope = b.binary(Binary::Mul, gate, factor);
            b.binary(Binary::Mul, dy, slope)
        }),
    },
    Activation {
        name: "tanh",
        doc: "Hyperbolic tangent.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::tanh(b, x),
        reference: |x, _, _| x.tanh(),
        derivative: by_input(Source::Output, |b, y, dy, _, _| {
            let (one, minus) = (b.constant(1.0), b.unary(Unary::Neg, y));
            let slope = b.fma(minus, y, one);
            b.binary(Binary::Mul, dy, slope)
        }),
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
        derivative: by_input(Source::Input, |b, x, dy, args, _| {
            let slope = if args[0] == 0.0 { normal_slope(b, x) } else { approximate_slope(b, x) };
            b.binary(Binary::Mul, dy, slope)
        }),
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
        derivative: by_input(Source::Input, |b, x, dy, args, _| {
            let (zero, alpha) = (b.constant(0.0), b.constant(args[0]));
            let power = functions::exp(b, x);
            let slope = b.binary(Binary::Mul, alpha, power);
            let below = b.binary(Binary::Mul, dy, slope);
            b.select(Compare::Lt, zero, x, dy, below)
        }),
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
        derivative: by_input(Source::Input, |b, x, dy, args, _| {
            let (beta, threshold) = (b.constant(args[0]), b.constant(args[1]));
            let scaled = b.binary(Binary::Mul, beta, x);
            let slope = functions::sigmoid(b, scaled);
            let soft = b.binary(Binary::Mul, dy, slope);
            b.select(Compare::Lt, threshold, scaled, dy, soft)
        }),
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
        derivative: by_input(Source::Input, |b, x, dy, args, _| {
            let (zero, low, high) = (b.constant(0.0), b.constant(args[0]), b.constant(args[1]));
            let below = b.select(Compare::Lt, x, high, dy, zero);
            b.select(Compare::Lt, low, x, below, zero)
        }),
    },
    Activation {
        name: "exp",
        doc: "e to the power of x.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::exp(b, x),
        reference: |x, _, _| x.exp(),
        derivative: by_input(Source::Output, |b, y, dy, _, _| b.binary(Binary::Mul, dy, y)),
    },
    Activation {
        name: "log",
        doc: "Natural logarithm.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| functions::log(b, x),
        reference: |x, _, _| x.ln(),
        derivative: by_input(Source::Input, |b, x, dy, _, _| b.binary(Binary::Div, dy, x)),
    },
    Activation {
        name: "sqrt",
        doc: "Square root.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| b.unary(Unary::Sqrt, x),
        reference: |x, _, _| x.sqrt(),
        derivative: by_input(Source::Output, |b, y, dy, _, _| {
            let twice = b.binary(Binary::Add, y, y);
            b.binary(Binary::Div, dy, twice)
        }),
    },
    Activation {
        name: "abs",
        doc: "x without its sign.",
        args: &[],
        params: &[],
        expr: |b, x, _, _| b.unary(Unary::Abs, x),
        reference: |x, _, _| x.abs(),
        derivative: by_input(Source::Input, |b, x, dy, _, _| {
            let (zero, minus) = (b.constant(0.0), b.unary(Unary::Neg, dy));
            let below = b.select(Compare::Lt, x, zero, minus, zero);
            b.select(Compare::Lt, zero, x, dy, below)
        }),
    },
    Activation {
        name: "pow",
        doc: "x to the power of exponent.",
        args: &[("exponent", Required)],
        params: &[],
        expr: |b, x, args, _| functions::pow(b, x, args[0]),
        reference: |x, args, _| x.powf(args[0]),
        derivative: by_input(Source::Input, |b, x, dy, args, _| {
            if args[0] == 0.0 {
                let zero = b.constant(0.0);
                return b.select(Compare::Eq, x, x, zero, zero);
            }
            let (exponent, power) = (b.constant(args[0]), functions::pow(b, x, args[0] - 1.0));
            let slope = b.binary(Binary::Mul, exponent, power);
            b.binary(Binary::Mul, dy, slope)
        }),
    },
];

fn sloped(b: &mut Builder, x: Ref, slope: Ref) -> Ref {
    let zero = b.constant(0.0);
    let below = b.binary(Binary::Mul, slope, x);
    b.select(Compare::Lt, x, zero, below, x)
}

/// The gradient below and above a bend at 0, where it is that below.
fn sloped_dx(b: &mut Builder, x: Ref, dy: Ref, slope: Ref) -> Ref {
    let zero = b.constant(0.0);
    let below = b.binary(Binary::Mul, slope, dy);
    b.select(Compare::Lt, zero, x, dy, below)
}

/// `y · (1 − y)`
fn logistic_slope(b: &mut Builder, y: Ref) -> Ref {
    let one = b.constant(1.0);
    let rest = b.binary(Binary::Sub, one, y);
    b.binary(Binary::Mul, rest, y)
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

/// `Φ(x) + x · φ(x)`, with the normal distribution's share below x and density at x.
fn normal_slope(b: &mut Builder, x: Ref) -> Ref {
    /// 1/√(2π)
    const DENSITY: f64 = 0.25 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::SQRT_2;
    let (half, density) = (b.constant(-0.5), b.constant(DENSITY as f32));
    let share = functions::normal_below(b, x);
    let square = b.binary(Binary::Mul, x, x);
    let power = b.binary(Binary::Mul, half, square);
    let power = functions::exp(b, power);
    let density = b.binary(Binary::Mul, density, power);
    b.fma(x, density, share)
}

/// The derivative of `x · s` with [`approximately_below`]'s s: `s + x · s · (1 − s) · 2√(2/π)·(1 + 3·0.044715·x²)`.
fn approximate_slope(b: &mut Builder, x: Ref) -> Ref {
    let slope = b.constant((2.0 * GELU_SLOPE) as f32);
    let cube = b.constant((6.0 * GELU_SLOPE * GELU_CUBE) as f32);
    let share = approximately_below(b, x);
    let steep = logistic_slope(b, share);
    let square = b.binary(Binary::Mul, x, x);
    let inner = b.fma(cube, square, slope);
    let product = b.binary(Binary::Mul, x, steep);
    b.fma(product, inner, share)
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
