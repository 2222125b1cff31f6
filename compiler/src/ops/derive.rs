//! Parameters that follow from stored ones: batch normalisation with fixed statistics, as it goes into other parameters.
//!
//! All formulas are evaluated in f64, as written, and rounded to f32 once. They read, at the end of their sources, the parameters of
//! a batch normalisation: `w, b, m, v` (weight, bias, running mean and variance), or `m, v` alone where w = 1 and b = 0.

use serde::{Deserialize, Serialize};

use super::Init;

/// How a derived parameter follows from its sources.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Formula {
    /// What it is.
    pub formula: Kind,
    /// Added to the variance.
    pub eps: f64,
    /// Of weights: the groups of a transposed convolution's, which are `[in, out/groups, kh, kw]`; others are `[out, …]`.
    #[serde(default)]
    pub transposed: Option<u32>,
}

/// What a derived parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `s[c] = w[c] / √(v[c] + eps)`
    Scale,
    /// `t[c] = b[c] − m[c] · s[c]`
    Shift,
    /// `k · s[c]` for a convolution's weights k, with c the output channel of each.
    Weights,
    /// `k[c] · s[c] + t[c]` for a convolution's bias k; `t[c]` where it has none.
    Bias,
}

/// Sources that do not suit a formula.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not follow from parameters of the shapes {0:?}")]
pub struct FormulaError(Vec<Vec<u64>>);

/// The parameters of a batch normalisation, each with one value a channel.
struct Normalisation<'a> {
    affine: Option<[&'a [f32]; 2]>,
    mean: &'a [f32],
    variance: &'a [f32],
    eps: f64,
}

impl Normalisation<'_> {
    fn scale(&self, c: usize) -> f64 {
        let weight = self.affine.map_or(1.0, |[weight, _]| weight[c].into());
        weight / (f64::from(self.variance[c]) + self.eps).sqrt()
    }

    fn shift(&self, c: usize) -> f64 {
        let bias = self.affine.map_or(0.0, |[_, bias]| bias[c].into());
        bias - f64::from(self.mean[c]) * self.scale(c)
    }
}

impl Formula {
    /// How many of the sources come before those of the batch normalisation.
    fn own(&self, sources: usize) -> Option<usize> {
        let own = match self.formula {
            Kind::Scale | Kind::Shift => 0,
            Kind::Weights => 1,
            Kind::Bias => sources % 2,
        };
        matches!(sources.checked_sub(own), Some(2 | 4)).then_some(own)
    }

    /// The shape of the parameter that follows from sources of the given shapes.
    pub fn shape(&self, sources: &[&[u64]]) -> Result<Vec<u64>, FormulaError> {
        let unsuitable = || FormulaError(sources.iter().map(|dims| dims.to_vec()).collect());
        let own = self.own(sources.len()).ok_or_else(unsuitable)?;
        let channels = sources[own];
        let alike = channels.len() == 1 && sources[own..].iter().all(|dims| *dims == channels);
        let suits = match (self.formula, sources[..own].first()) {
            (Kind::Weights, Some(&&[first, second, _, _])) => match self.transposed {
                None => first == channels[0],
                Some(groups) => {
                    let groups = u64::from(groups);
                    groups > 0 && first % groups == 0 && second.checked_mul(groups) == Some(channels[0])
                }
            },
            (Kind::Bias, Some(bias)) => *bias == channels,
            (Kind::Weights, _) => false,
            _ => true,
        };
        let shape = if self.formula == Kind::Weights { sources[0] } else { channels };
        if alike && suits { Ok(shape.to_vec()) } else { Err(unsuitable()) }
    }

    /// How so many sources start where no weights are given, the first as `own` says where the parameter is another op's as well.
    pub fn initial(&self, sources: usize, own: Init) -> Vec<Init> {
        let ([weight, bias], [mean, variance]) = ([1.0, 0.0], [0.0, 1.0]);
        let normalisation = [weight, bias, mean, variance].map(Init::Constant);
        let first = self.own(sources).unwrap_or(0);
        let others = &normalisation[4usize.saturating_sub(sources - first)..];
        std::iter::repeat_n(own, first).chain(others.iter().copied()).collect()
    }

    /// The values that follow from those of the sources, whose shapes suit; `dims` is the derived parameter's.
    pub fn values(&self, dims: &[u64], sources: &[&[f32]]) -> Option<Vec<f32>> {
        let own = self.own(sources.len())?;
        let (affine, [mean, variance]) = match sources[own..] {
            [weight, bias, mean, variance] => (Some([weight, bias]), [mean, variance]),
            [mean, variance] => (None, [mean, variance]),
            _ => return None,
        };
        let normalisation = Normalisation { affine, mean, variance, eps: self.eps };
        let channels = 0..mean.len();
        let scale = |c| normalisation.scale(c);
        let shift = |c| normalisation.shift(c);
        Some(match self.formula {
            Kind::Scale => channels.map(|c| scale(c) as f32).collect(),
            Kind::Shift => channels.map(|c| shift(c) as f32).collect(),
            Kind::Bias => match sources[..own] {
                [bias] => channels.map(|c| (f64::from(bias[c]) * scale(c) + shift(c)) as f32).collect(),
                _ => channels.map(|c| shift(c) as f32).collect(),
            },
            Kind::Weights => {
                let taps = dims.iter().skip(2).product::<u64>() as usize;
                let scales: Vec<f64> = channels.map(scale).collect();
                let planes = sources[0].chunks(taps.max(1)).enumerate();
                let scaled = planes.flat_map(|(plane, taps)| {
                    let scale = scales[self.output_channel(dims, plane)];
                    taps.iter().map(move |&tap| (f64::from(tap) * scale) as f32)
                });
                scaled.collect()
            }
        })
    }

    /// The output channel of a plane of weights: of the kernel from one input channel to one output channel.
    fn output_channel(&self, dims: &[u64], plane: usize) -> usize {
        let (first, second) = (dims[0] as usize, dims[1] as usize);
        match self.transposed {
            None => plane / second,
            Some(groups) => {
                let (input, output) = (plane / second, plane % second);
                input / (first / groups as usize) * second + output
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn formula(formula: Kind) -> Formula {
        Formula { formula, eps: 1e-5, transposed: None }
    }

    #[test]
    fn values_are_rounded_once() {
        let (w, b, m, v) = ([0.3f32], [0.7f32], [1e3f32], [0.11f32]);
        let s = f64::from(w[0]) / (f64::from(v[0]) + 1e-5).sqrt();
        let t = f64::from(b[0]) - 1e3 * s;
        let of = |kind, sources: &[&[f32]]| formula(kind).values(&[1, 1, 1, 1], sources).expect("suits")[0];
        assert_eq!(of(Kind::Scale, &[&w, &b, &m, &v]), s as f32);
        assert_eq!(of(Kind::Shift, &[&w, &b, &m, &v]), t as f32);
        assert_eq!(of(Kind::Bias, &[&w, &b, &m, &v]), t as f32);
        assert_eq!(of(Kind::Bias, &[&[2e3], &w, &b, &m, &v]), (2e3 * s + t) as f32);
        assert_eq!(of(Kind::Weights, &[&[0.9], &w, &b, &m, &v]), (f64::from(0.9f32) * s) as f32);
        assert_eq!(of(Kind::Scale, &[&m, &v]), (1.0 / (f64::from(v[0]) + 1e-5).sqrt()) as f32);
    }

    #[test]
    fn weights_find_their_output_channels() {
        let (m, v) = ([0.0; 6], [1.0f32, 4.0, 16.0, 64.0, 256.0, 1024.0]);
        let divisors = |formula: Formula, dims: &[u64]| {
            let ones = vec![1.0; dims.iter().product::<u64>() as usize];
            let formula = Formula { eps: 0.0, ..formula };
            let values = formula.values(dims, &[&ones, &m, &v]).expect("suits");
            values.into_iter().map(|x| (1.0 / x).log2() as u32).collect::<Vec<_>>()
        };
        let weights = formula(Kind::Weights);
        assert_eq!(divisors(weights, &[6, 1, 1, 2]), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
        let transposed = Formula { transposed: Some(1), ..weights };
        assert_eq!(divisors(transposed, &[2, 6, 1, 1]), [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
        let grouped = Formula { transposed: Some(2), ..weights };
        assert_eq!(divisors(grouped, &[4, 3, 1, 1]), [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
    }

    #[test]
    fn shapes_that_do_not_suit_are_refused() {
        let c: &[u64] = &[6];
        let weights = formula(Kind::Weights);
        let grouped = Formula { transposed: Some(2), ..weights };
        assert_eq!(weights.shape(&[&[6, 2, 3, 3], c, c, c, c]), Ok(vec![6, 2, 3, 3]));
        assert_eq!(grouped.shape(&[&[4, 3, 3, 3], c, c]), Ok(vec![4, 3, 3, 3]));
        assert_eq!(formula(Kind::Bias).shape(&[c, c, c]), Ok(vec![6]));
        assert_eq!(formula(Kind::Bias).shape(&[c, c]), Ok(vec![6]));
        assert_eq!(formula(Kind::Scale).shape(&[c, c, c, c]), Ok(vec![6]));
        for (formula, sources) in [
            (weights, vec![c, c]),
            (weights, vec![&[5, 2, 3, 3][..], c, c]),
            (weights, vec![&[6, 2][..], c, c]),
            (grouped, vec![&[3, 3, 3, 3][..], c, c]),
            (formula(Kind::Scale), vec![c, c, c]),
            (formula(Kind::Scale), vec![c, &[5]]),
            (formula(Kind::Shift), vec![]),
            (formula(Kind::Bias), vec![&[5][..], c, c]),
            (formula(Kind::Bias), vec![c]),
        ] {
            assert!(formula.shape(&sources).is_err(), "{formula:?} {sources:?}");
        }
    }
}
