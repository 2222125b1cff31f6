//! Activations: any row of the table, its magnitude estimated by its own reference function.

use zellige_compiler::ops::{Activation, ActivationArg, ArgValue, find};

use super::{Draw, Drawn, LARGE};

/// The largest magnitude of a row for inputs in `low..=high`, with its parameters at their initial values and around.
/// Infinite where the row is not defined everywhere.
fn magnitude(row: &Activation, args: &[f64], low: f64, high: f64) -> f64 {
    const SAMPLES: u32 = 64;
    let params: Vec<f64> = row.params.iter().map(|(_, initial)| f64::from(*initial) * 1.5).collect();
    let at = |i: u32| low + (high - low) * f64::from(i) / f64::from(SAMPLES);
    let values = (0..=SAMPLES).map(|i| (row.reference)(at(i), args, &params).abs());
    values.fold(0.0, |most, v| if v.is_nan() { f64::INFINITY } else { v.max(most) })
}

impl Draw {
    /// Some activation of some tensor.
    pub(super) fn activation(&mut self) -> Option<Drawn> {
        let x = self.any();
        self.activated(x)
    }

    /// Some activation of a tensor. One that is not defined for all of its values, or grows too fast, sees a sigmoid of it.
    pub(super) fn activated(&mut self, x: Drawn) -> Option<Drawn> {
        let row = self.rows[self.rng.usize(0..self.rows.len())];
        let specs = find(row.name)?.args;
        let mut args = Vec::new();
        for spec in &specs {
            args.extend(self.argument(spec).map(|value| (spec.name, value)));
        }
        let values: Vec<f64> = row.args.iter().map(|&(name, arg)| given(&args, name, arg)).collect();
        let wide = magnitude(row, &values, -x.magnitude, x.magnitude);
        if wide <= LARGE * LARGE {
            return self.op(row.name, &args, &[x], wide);
        }
        let narrow = magnitude(row, &values, 0.1, 1.1);
        let x = self.positive(x, 0.1)?;
        if narrow <= LARGE * LARGE { self.op(row.name, &args, &[x], narrow) } else { None }
    }

    /// `sigmoid(x) + least`: between `least` and `least + 1`.
    pub(super) fn positive(&mut self, x: Drawn, least: f32) -> Option<Drawn> {
        let sigmoid = self.op("sigmoid", &[], &[x], 1.0)?;
        let least = self.scalar(least);
        self.op("add", &[], &[sigmoid, least], 1.0 + least.magnitude)
    }
}

/// The argument as the row gets it.
fn given(args: &[(&str, ArgValue)], name: &str, arg: ActivationArg) -> f64 {
    let value = args.iter().find(|(n, _)| *n == name).map(|(_, value)| value);
    match (value, arg) {
        (Some(ArgValue::Float(value)), _) => f64::from(*value as f32),
        (Some(ArgValue::Text(word)), ActivationArg::Word(words)) => {
            words.iter().position(|w| w == word).map_or(f64::NAN, |i| i as f64)
        }
        (_, ActivationArg::Number(default)) => default.into(),
        (_, ActivationArg::Word(_)) => 0.0,
        (_, ActivationArg::Required) => f64::NAN,
    }
}
