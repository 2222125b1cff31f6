//! Losses, of targets that suit them.

use zellige_compiler::ops::ArgValue;

use super::{Draw, Drawn};

impl Draw {
    /// A loss of two tensors that are made to be of one shape.
    pub(super) fn loss(&mut self, name: &str) -> Option<Drawn> {
        let (a, b) = (self.image(), self.image());
        let [x, target] = self.aligned(a, b)?;
        let c = self.sizes(x)[1];
        let target = if self.sizes(target)[1] == c { target } else { self.pointwise(target, c)? };
        self.loss_of(name, x, target)
    }

    /// A loss of a tensor and one of the same shape, of which a target is made that suits it.
    pub(super) fn loss_of(&mut self, name: &str, x: Drawn, target: Drawn) -> Option<Drawn> {
        let [n, c, h, w] = self.sizes(x);
        let sum = self.chance(40);
        let mut args = vec![("reduction", ArgValue::Text(if sum { "sum" } else { "mean" }.to_owned()))];
        let (inputs, cost, count) = match name {
            "mse" => ([x, target], (x.magnitude + target.magnitude).powi(2), n * c * h * w),
            "bce_with_logits" => {
                let weight = 0.5 + self.rng.f64();
                args.push(("pos_weight", ArgValue::Float(weight)));
                let share = self.op("sigmoid", &[], &[target], 1.0)?;
                ([x, share], 2.0 * x.magnitude + 2.0, n * c * h * w)
            }
            "dice" => {
                args.push(("smooth", ArgValue::Int(self.rng.i64(0..=1))));
                let shares = [self.op("sigmoid", &[], &[x], 1.0)?, self.op("softmax", &[], &[target], 1.0)?];
                (shares, 1.0, c)
            }
            "cross_entropy" => {
                if self.chance(50) {
                    args.push(("ignore_index", ArgValue::Int(self.rng.i64(0..c as i64))));
                }
                if self.chance(50) {
                    let weights = (0..c).map(|_| ArgValue::Float(0.5 + self.rng.f64())).collect();
                    args.push(("weight", ArgValue::List(weights)));
                }
                let classes = self.op("argmax", &[], &[target], c as f64)?;
                ([x, classes], 3.0 * x.magnitude + (c as f64).ln(), n * h * w)
            }
            _ => ([x, target], x.magnitude + target.magnitude, n * c * h * w),
        };
        let magnitude = if sum { cost * count as f64 } else { cost };
        self.op(name, &args, &inputs, magnitude)
    }
}
